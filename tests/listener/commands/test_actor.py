"""Who acts: a name that could be taken for somebody else's is refused, and the machine's own name stands beside it."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from listener import store
from listener.store import audit, notices, users
from tests import databases

Run = Callable[..., Result]
ROOT = Path(__file__).parents[3]
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path) -> None:
    account = f'[accounts.care]\nnetwork = "sandbox"\nworld = "{tmp_path / "world.db"}"\n'
    (tmp_path / "escucha.toml").write_text(f'[database]\nurl = "sqlite:///escucha.db"\n{account}')


@pytest.fixture
def as_person(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(person: str, *args: str) -> Result:
        monkeypatch.setenv("ESCUCHA_ACTOR", person)
        return escucha("notice", *args)

    return run


def drafted(as_person: Run, person: str = "marta") -> None:
    assert as_person(person, "draft", "--title", "Corte", "--text", "es=Hay un corte").exit_code == 0


@pytest.mark.parametrize(
    "name",
    [
        "marta\u200b",
        "mar\u00adta",
        "marta\u3164",
        "marta\u2800",
        "marta\ufe0f",
        "mar\u202eat",
        "marta\x07",
        "mar\u00a0ta",
    ],
)
def test_nobody_is_a_second_person_by_a_character_that_cannot_be_seen(as_person: Run, name: str) -> None:
    drafted(as_person)
    refused = as_person(name, "approve", "N1", "--yes")
    assert refused.exit_code == 2
    assert "nobody can see" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["Marta", "MARTA", "ｍａｒｔａ", " marta "])
def test_nobody_is_a_second_person_by_other_capitals_or_width(as_person: Run, name: str) -> None:
    drafted(as_person)
    refused = as_person(name, "approve", "N1", "--yes")
    assert refused.exit_code == 2
    assert "somebody else must approve it" in refused.stderr


def test_names_that_differ_only_in_spaces_are_one() -> None:
    assert users.same_person("Ana  Ruiz", "ana ruiz")
    assert not users.same_person("Ana Ruiz", "Ana Ruíz")


@pytest.mark.parametrize(
    "name",
    ["daemon", "Daemon", "network", "policy", "rule thanks", "ｒｕｌｅ x", "@ana", "uid 7", "a" * 81],
)
def test_nobody_acts_as_escucha_itself(as_person: Run, name: str) -> None:
    refused = as_person(name, "draft", "--title", "Corte", "--text", "es=Hay un corte")
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["marta", "Ana Ruíz", "李雷", "o'neill", "luis@marca.example", "a" * 80])
def test_people_act_under_their_names(as_person: Run, name: str) -> None:
    drafted(as_person, name)
    status = json.loads(as_person(name, "status", "N1", "--json").stdout)
    assert name in json.dumps(status, ensure_ascii=False)


def test_a_name_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    environment = {**os.environb, b"ESCUCHA_ACTOR": b"\xff", b"PYTHONPATH": bytes(ROOT)}
    command = [sys.executable, str(ROOT / "cli.py"), "notice", "status"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("ESCUCHA_ACTOR=\\udcff holds characters")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_name_on_the_machine_stands_beside_a_chosen_one(as_person: Run, tmp_path: Path) -> None:
    drafted(as_person)
    drafted(as_person, ME)
    database = store.connect(databases.at(tmp_path))
    with database.read() as tx:
        (chosen,), (own,) = audit.about(tx, "notice 1"), audit.about(tx, "notice 2")
    database.close()
    assert (chosen.by, chosen.detail["os_user"]) == ("marta", ME)
    assert own.by == ME
    assert "os_user" not in own.detail


def test_no_variable_changes_the_name_on_the_machine(
    escucha: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "luis")
    assert escucha("notice", "draft", "--title", "Corte", "--text", "es=Hay un corte").exit_code == 0
    database = store.connect(databases.at(tmp_path))
    with database.read() as tx:
        assert notices.get(tx, 1).written_by == ME
    database.close()
