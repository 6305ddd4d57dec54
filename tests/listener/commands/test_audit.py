"""`escucha audit`: who did what, and whether the record is as it was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.databases import edit

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _some_record(escucha: Run, tmp_path: Path) -> None:
    (tmp_path / "escucha.toml").write_text('[database]\nurl = "sqlite:///escucha.db"\n')
    for command in (("pause", "--reason", "un [bold]café"), ("resume",), ("pause",), ("resume",)):
        assert escucha(*command).exit_code == 0


def test_the_record_is_shown_and_asked(escucha: Run) -> None:
    shown = escucha("audit", "show")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" " * 8)] == ["1", "2", "3", "4"]
    assert [line.split()[-2:] for line in lines if "pause" in line][:1] == [["pause", "all"]]
    assert "un [bold]café" in shown.stdout
    told = json.loads(escucha("audit", "show", "--action", "pau", "--since", "1d", "--json").stdout)["entries"]
    assert [(entry["number"], entry["action"]) for entry in told] == [(1, "pause"), (3, "pause")]
    assert set(told[0]) == {"number", "at", "by", "action", "subject", "detail"}
    assert json.loads(escucha("audit", "show", "--until", "2020-01-01", "--json").stdout)["entries"] == []
    assert escucha("audit", "show", "--by", "nobody").stdout == "Nothing of that kind is on record.\n"
    assert "older ones with --limit" in escucha("audit", "show", "--limit", "2").stdout
    wrong = escucha("audit", "show", "--since", "yesterday")
    assert (wrong.exit_code, "write 2026-11-01" in wrong.stderr) == (2, True)


def test_a_whole_record_and_one_that_was_changed(escucha: Run, tmp_path: Path) -> None:
    whole = escucha("audit", "verify")
    assert (whole.exit_code, whole.stdout.splitlines()[0]) == (0, "4 entries checked: all is as written.")
    assert json.loads(escucha("audit", "verify", "--json").stdout)["whole"] is True
    edit(tmp_path, "UPDATE audit SET subject = 'network mastodon' WHERE id = 3")
    broken = escucha("audit", "verify")
    assert broken.exit_code == 2
    assert broken.stdout.splitlines() == [
        "Entry 3 was changed: it is not what was written.",
        "The 2 before it are as they were written.",
    ]
    told = json.loads(escucha("audit", "verify", "--json").stdout)
    assert (told["whole"], told["fault"]["number"], told["fault"]["kind"]) == (False, 3, "changed")


def test_an_anchor_is_kept_in_a_file_and_shows_what_was_cut_off(escucha: Run, tmp_path: Path) -> None:
    assert escucha("audit", "anchor", "--to", "anchors.txt").stdout == "Added to anchors.txt: entry 4.\n"
    escucha("pause")
    assert escucha("audit", "anchor", "--to", "anchors.txt").exit_code == 0
    assert "The anchor fits." in escucha("audit", "verify", "--anchor", "anchors.txt").stdout
    line = (tmp_path / "anchors.txt").read_text().splitlines()[0].split()[1]
    assert "The anchor fits." in escucha("audit", "verify", "--anchor", line).stdout
    edit(tmp_path, "DELETE FROM audit WHERE id = 5")
    edit(tmp_path, "UPDATE audit_head SET last = 4, hash = (SELECT hash FROM audit WHERE id = 4)")
    assert escucha("audit", "verify").exit_code == 0
    cut = escucha("audit", "verify", "--anchor", "anchors.txt")
    assert (cut.exit_code, cut.stdout.splitlines()[0]) == (
        2,
        "Entry 5 was cut off, with all that followed: it is gone from the end.",
    )
    assert escucha("audit", "verify", "--anchor", "no.txt").exit_code == 2


def test_a_key_seals_and_whoever_lacks_it_is_told_what_to_do(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_AUDIT__KEY", "sixteen letters and more")
    assert escucha("pause").exit_code == 0
    assert "1 of them are sealed with the key." in escucha("audit", "verify").stdout
    assert "sixteen letters" not in escucha("config", "show").stdout
    monkeypatch.setenv("ESCUCHA_AUDIT__KEY", "another of sixteen letters")
    refused = escucha("resume")
    assert (refused.exit_code, "ESCUCHA_AUDIT__KEY" in refused.stderr) == (2, True)
    assert escucha("audit", "rekey", "--reason", "lost").exit_code == 0
    assert escucha("resume").exit_code == 0
    assert "sealed with a key that is not here" in escucha("audit", "verify").stdout
    assert escucha("audit", "rekey", "--reason", "again").exit_code == 2
    monkeypatch.delenv("ESCUCHA_AUDIT__KEY")
    assert escucha("pause").exit_code == 2
    assert escucha("audit", "rekey", "--reason", "none").exit_code == 2


def test_the_key_does_not_stand_in_the_file(escucha: Run, tmp_path: Path) -> None:
    with (tmp_path / "escucha.toml").open("a") as file:
        file.write('[audit]\nkey = "sixteen letters and more"\n')
    refused = escucha("audit", "verify")
    assert (refused.exit_code, "ESCUCHA_AUDIT__KEY_FILE" in refused.stderr) == (2, True)
    assert "sixteen" not in refused.stderr
