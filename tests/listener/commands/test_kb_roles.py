"""Articles by team and rank: who finds, reads and publishes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.listener.commands.test_kb import ROUTER
from tests.listener.commands.test_users import Desk, refused
from tests.listener.model.by_vectors import ByVectors

SECRET = "--team=billing"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path)
    made.classifier = ByVectors()
    made.joins("luis", "--role", "agent", "--team", "billing")
    made.joins("eva", "--role", "agent", "--team", "technical")
    made.joins("mara", "--role", "moderator")
    yield made
    made.close()


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def published(desk: Desk, *options: str) -> None:
    done(desk.by("luis", "kb", "add", *ROUTER, *options))
    done(desk.by("ana", "kb", "review", "K1@1", "--accept"))
    done(desk.by("ana", "kb", "publish", "K1"))


def found(desk: Desk, name: str) -> list[str]:
    told = json.loads(done(desk.by(name, "kb", "search", "luz roja del router", "--json")))
    return [each["version"] for each in told["articles"]]


def test_agents_write_and_moderators_publish(desk: Desk) -> None:
    done(desk.by("luis", "kb", "add", *ROUTER))
    for words in (("review", "K1@1", "--accept"), ("publish", "K1"), ("retire", "K1", "--reason=x")):
        refused(desk.by("eva", "kb", *words), "is for moderator, supervisor or admin")
    done(desk.by("mara", "kb", "review", "K1@1", "--accept"))
    done(desk.by("mara", "kb", "publish", "K1"))


def test_what_is_for_a_team_is_found_read_and_exported_by_that_team(desk: Desk, tmp_path: Path) -> None:
    published(desk, SECRET)
    assert (found(desk, "luis"), found(desk, "eva"), found(desk, "ana")) == (["K1@1"], [], ["K1@1"])
    for words in (("show", "K1"), ("history", "K1"), ("rate", "K1", "--useful"), ("edit", "K1", "--for-all")):
        refused(desk.by("eva", "kb", *words), "There is no article K1@1 for you")
    assert json.loads(done(desk.by("eva", "kb", "list", "--json")))["articles"] == []
    done(desk.by("eva", "kb", "export", "out", "--all"))
    assert list((tmp_path / "out").glob("K*.yaml")) == []


def test_each_version_says_for_itself_who_may_read_it(desk: Desk) -> None:
    published(desk)
    done(desk.by("luis", "kb", "edit", "K1", SECRET, "--answer=La clave maestra es otra"))
    assert "K1@1" in done(desk.by("eva", "kb", "show", "K1"))
    for words in (("show", "K1@2"), ("edit", "K1", "--answer=x")):
        refused(desk.by("eva", "kb", *words), "There is no article K1@2 for you")
    assert "K1@2" not in done(desk.by("eva", "kb", "history", "K1"))
    assert "clave maestra" in done(desk.by("luis", "kb", "show", "K1@2"))


def test_a_colleague_without_the_right_sees_none_beside_a_mention(desk: Desk) -> None:
    published(desk, SECRET, "--audience=public")
    draft = desk.draft(said="Mi router parpadea con una luz roja")
    assert json.loads(done(desk.by("luis", "show", "M1", "--json")))["articles"] != []
    assert json.loads(done(desk.by("eva", "show", "M1", "--json")))["articles"] == []
    refused(desk.by("eva", "edit", f"D{draft.id}", "--from-article", "K1"), "There is no article K1@1 for you")
