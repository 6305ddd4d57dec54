"""`escucha policy replay` and `diff --replay`: on the screen, as JSON, as a page; by one process or several."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select, update

from connectors import sandbox
from listener import store
from listener.commands import replaying
from listener.store.tables import cases
from tests import databases
from tests.listener.commands.desk_world import DANGEROUS

Run = Callable[..., Result]

SETTINGS = """
[database]
url = "sqlite:///escucha.db"

[policy]
file = "p.yaml"

[accounts.care]
network = "sandbox"
world = "world.db"

[[sources]]
name = "mentions"
account = "care"
query = "mentions"
"""
OLD = """\
name: Small
default_team: care
teams: {care: {}}
language: es
rules:
  - name: complaints
    when: {intents: complaint}
    then: {reply: sorry, case: {urgency: high}}
templates:
  sorry: {es: Lo sentimos.}
"""
NEW = OLD.replace("then: {reply: sorry, case: {urgency: high}}", "then: {case: {urgency: high}}")
EVIL = "@marca todo \x1b[31mmal <script>alert(1)</script> \u202egnp.exe"


@pytest.fixture
def heard(escucha: Run, tmp_path: Path) -> Run:
    """A company that has heard and decided three mentions, one of which was deleted since."""
    (tmp_path / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "p.yaml").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.yaml").write_text(NEW, encoding="utf-8")
    world = sandbox.World(tmp_path / "world.db")
    for who, text in (("ana", EVIL), ("beto", "@marca no funciona"), ("caro", "@marca nada")):
        world.person(who)
        post = world.post(who, text)
    assert escucha("run", "--once").exit_code == 0
    world.delete(post)
    world.close()
    assert escucha("source", "poll", "mentions").exit_code == 0
    return escucha


def test_what_a_policy_would_have_done(heard: Run) -> None:
    result = heard("policy", "replay", "p.yaml", "--since", "30d")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "2 mentions decided again; nothing was sent or written." in said
    assert "2 come out the same to the letter." in said
    assert "the mention was deleted, and its text with it" in said
    assert "Lo sentimos." in said
    assert not DANGEROUS.search(result.stdout)
    found = json.loads(heard("policy", "replay", "active", "--json").stdout)
    assert found["stored"] == {"reproduced": 2, "differing": 0, "differing_decisions": []}
    assert found["replies"]["by_template"] == {"sorry": 2}
    assert found["cases"]["opened"] == {"care": 2}
    version = found["policy"]
    assert json.loads(heard("policy", "replay", version[:6], "--json").stdout)["policy"] == version
    assert json.loads(heard("policy", "replay", "active", "--limit", "1", "--json").stdout)["lost"]
    assert json.loads(heard("policy", "replay", "active", "--network", "x", "--json").stdout)["mentions"] == 0


def test_two_policies_are_compared_with_the_replies_to_be_read(heard: Run, tmp_path: Path) -> None:
    result = heard("policy", "diff", "active", "new.yaml", "--replay", "--html", "r.html")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "2 of 2 mentions (100.0%) come out otherwise" in said
    assert "0 appear, 2 vanish" in said
    assert "reply was template sorry and becomes nothing" in said
    assert not DANGEROUS.search(result.stdout)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "prefers-color-scheme: dark" in page
    assert "http://" not in page
    assert "https://" not in page
    assert not DANGEROUS.search(page)
    assert (tmp_path / "r.html").stat().st_mode & 0o077 == 0
    found = json.loads(heard("policy", "diff", "p.yaml", "new.yaml", "--replay", "--json").stdout)
    assert found["changed"] == 2
    assert [each["name"] for each in found["differences"]] == ["complaints"]
    assert found["why"] == {"complaints: does other things": 2}
    assert found["examples"][0]["old"]["text"] == "Lo sentimos."


def test_minutes_of_work_and_first_answers_are_told_by_team(heard: Run, tmp_path: Path) -> None:
    opened = store.open(databases.at(tmp_path))
    with opened.write() as tx:
        number, at = tx.execute(select(cases.c.id, cases.c.opened_at).limit(1)).one()
        tx.execute(update(cases).where(cases.c.id == number).values(first_response_at=at + timedelta(minutes=30)))
    opened.close()
    text = NEW.replace("rules:", "service_levels: {high: {first_response: 20m}, normal: {first_response: 1h}}\nrules:")
    (tmp_path / "new.yaml").write_text(text, encoding="utf-8")
    minutes = ("--minutes-per-reply", "2", "--minutes-per-case", "7.5")
    found = json.loads(heard("policy", "replay", "new.yaml", "--json", *minutes).stdout)
    assert found["work"] == {"care": {"replies_to_review": 0, "cases_opened": 2, "minutes": 15}}
    assert found["first_answers"] == {"care": {"in_time": 0, "late": 1, "never": 1, "not_known": 0}}
    assert json.loads(heard("policy", "replay", "p.yaml", "--json").stdout)["work"]["care"]["minutes"] is None
    said = " ".join(heard("policy", "diff", "active", "new.yaml", "--replay", *minutes).stdout.split())
    assert "Minutes of work WHAT BEFORE AFTER DIFFERENCE care 19 15 -4" in said
    assert "First answers in time, as they really came TEAM BEFORE AFTER care not known 0 of 2 (0%)" in said
    said = " ".join(heard("policy", "replay", "new.yaml", *minutes).stdout.split())
    assert "Work TEAM REPLIES TO REVIEW CASES MINUTES care 0 2 15" in said
    assert "MINUTES" not in heard("policy", "replay", "new.yaml").stdout


def test_every_mention_that_changes_goes_to_a_file_of_its_own(heard: Run, tmp_path: Path) -> None:
    assert heard("policy", "diff", "active", "new.yaml", "--replay", "--changes", "changes.jsonl").exit_code == 0
    lines = (tmp_path / "changes.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["old"]["text"] for line in lines] == ["Lo sentimos."] * 2
    assert not DANGEROUS.search("".join(lines))
    assert (tmp_path / "changes.jsonl").stat().st_mode & 0o077 == 0
    assert "cannot be written" in heard("policy", "diff", "active", "new.yaml", "--replay", "--changes", ".").stderr


def test_a_comparison_writes_nothing(heard: Run, tmp_path: Path) -> None:
    opened = store.open(databases.at(tmp_path))
    with opened.read() as tx:
        before = [tx.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in ("drafts", "audit")]
    assert heard("policy", "diff", "active", "new.yaml", "--replay").exit_code == 0
    assert heard("policy", "replay", "new.yaml").exit_code == 0
    with opened.read() as tx:
        after = [tx.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar() for name in ("drafts", "audit")]
    opened.close()
    assert after == before


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("replay", "p.yaml", "--since", "soon"), "write it like 12h, 30d"),
        (("replay", "nothing"), "neither a file nor a policy that ruled here"),
        (("replay", "active", "--html", "p.yaml"), "ends in .html"),
        (("replay", "none.yaml"), "no such file"),
        (("diff", "active", "new.yaml", "--since", "3d"), "go with --replay"),
        (("diff", "active", "new.yaml", "--changes", "c.jsonl"), "go with --replay"),
    ],
)
def test_mistakes_are_one_sentence(heard: Run, args: tuple[str, ...], sentence: str) -> None:
    result = heard("policy", *args)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_before_anything_ruled_it_is_the_settings_file(escucha: Run, tmp_path: Path) -> None:
    (tmp_path / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "p.yaml").write_text(OLD, encoding="utf-8")
    for named in ("active", "p.yaml"):  # before any rules, `active` is the one that the settings name
        empty = escucha("policy", "replay", named)
        assert empty.exit_code == 0
        assert "Nothing has been decided here: run `escucha run`." in empty.stdout


@pytest.mark.slow
def test_several_processes_count_the_same(heard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "PIECE", 1)
    said, changes = [], []
    for workers in ("1", "2"):
        args = ("--replay", "--json", "--changes", "changes.jsonl", "--workers", workers)
        result = heard("policy", "diff", "active", "new.yaml", *args)
        assert result.exit_code == 0, result.output
        said.append(json.loads(result.stdout))
        changes.append((tmp_path / "changes.jsonl").read_text(encoding="utf-8"))
    assert [report.pop("made_at")[:2] for report in said] == ["20", "20"]  # when it was counted may differ
    assert said[0] == said[1]
    assert changes[0] == changes[1]
    assert changes[0].count("\n") == 2


def test_as_many_processes_as_help_are_told_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert replaying.cores() >= 1
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert replaying.cores() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert replaying.cores() == 1


def test_the_page_is_its_owners_even_where_a_file_stood(heard: Run, tmp_path: Path) -> None:
    open_to_all, elsewhere = tmp_path / "r.html", tmp_path / "elsewhere.txt"
    open_to_all.write_text("old", encoding="utf-8")
    open_to_all.chmod(0o644)
    elsewhere.write_text("mine", encoding="utf-8")
    (tmp_path / "link.html").symlink_to(elsewhere)
    for name in ("r.html", "link.html"):
        assert heard("policy", "replay", "active", "--html", name).exit_code == 0
        page = tmp_path / name
        assert not page.is_symlink()
        assert page.stat().st_mode & 0o777 == 0o600
        assert page.read_text("utf-8").startswith("<!doctype html>")
    assert elsewhere.read_text("utf-8") == "mine"
    assert not list(tmp_path.glob(".*.html*"))
    assert "cannot be written" in heard("policy", "replay", "active", "--html", "no/folder/r.html").stderr


def test_the_page_says_what_changes_over_which_time_and_when_it_was_made(heard: Run, tmp_path: Path) -> None:
    heard("policy", "diff", "active", "new.yaml", "--replay", "--since", "30d", "--html", "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<h1>From “Small” (" in page
    assert "new.yaml" not in page
    assert (
        "<h2>What changes in the policy</h2>\n<ul><li>Rule “complaints” no longer does reply: sorry.</li></ul>" in page
    )
    assert re.search(r"<dt>over</dt><dd>what was decided since \d{4}-\d\d-\d\d \d\d:\d\d UTC; ", page)
    assert re.search(r"<dt>made</dt><dd>\d{4}-\d\d-\d\d \d\d:\d\d UTC</dd>", page)
    heard("policy", "replay", "new.yaml", "--html", "one.html", "--network", "sandbox", "--limit", "7")
    page = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert "all that is kept, on sandbox only, the newest 7; " in page
    assert "What changes" not in page
    assert "USD" not in page


def test_where_nothing_was_decided_no_verdict_is_given(heard: Run) -> None:
    for command in (("replay", "new.yaml"), ("diff", "active", "new.yaml", "--replay")):
        told = " ".join(heard("policy", *command, "--since", "2199-01-01").stdout.split())
        assert "Nothing has been decided here since 2199-01-01: run `escucha run` or take a longer --since." in told
        assert "Never matched" not in told
        assert "0 mentions" not in told


def test_a_mention_whose_reply_vanishes_is_said_to(heard: Run) -> None:
    found = json.loads(heard("policy", "diff", "active", "new.yaml", "--replay", "--json").stdout)
    assert {each["kind"] for each in found["examples"]} == {"the reply vanishes"}
    assert (found["a"]["title"], found["since"], found["network"]) == ("Small", None, None)
    assert "on sandbox: the reply vanishes (reply)" in heard("policy", "diff", "active", "new.yaml", "--replay").stdout


def test_explain_says_what_made_a_rule_match_and_what_it_did(heard: Run) -> None:
    told = " ".join(heard("explain", "M1", "--no-words").stdout.split())
    assert "✓ complaints matched saw intents complaint" in told
    assert (
        "→ reply with `sorry`, open a case with the team of its area or the default team (high), and end the reading"
        in told
    )
    (matched,) = json.loads(heard("explain", "M1", "--no-words", "--json").stdout)["matched"]
    assert matched["rule"] == "complaints"
    assert matched["values"][0].startswith("intents ")
    (gone,) = json.loads(heard("explain", "M3", "--no-words", "--json").stdout)["matched"]
    assert gone["values"] is None
    assert "Lo sentimos" not in gone["does"]
