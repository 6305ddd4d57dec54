"""`escucha policy check` runs the tests of a policy, and `escucha policy record` makes one of a mention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import select, update

import policies
from connectors.sandbox import FACTS
from listener.flow.decide import Company, decide
from listener.store import decisions, mentions, tables
from listener.store import policies as ruled
from listener.types import Intent, MentionState, Sentiment, Understanding
from policies.rehearse import read_tests
from tests.listener.commands.desk_world import SETTINGS, DeskWorld

POLICY = """\
name: small
language: es
teams: {care: {}, boss: {}}
default_team: care
templates: {hello: {es: "Hola, lo vemos."}}
rules:
  - name: gold
    when: {customer.tier: gold}
    then: {urgency: "+1", tags: [vip]}
    continue: true
  - name: complaint
    when: {intents: [complaint], sentiment: negative}
    then: {reply: hello, case: boss}
"""
SAID = "Soy Ana García (@ana), cliente C-0042, llámenme al 612 345 678: nada anda. Luis lo sabe."


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    """A desk whose policy has decided about M1, by somebody whose account belongs to a gold customer."""
    monkeypatch.chdir(tmp_path)
    world = DeskWorld(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "escucha.toml").write_text(f'{SETTINGS}\n[policy]\nfile = "policy.yaml"\n', encoding="utf-8")
    world.hears(SAID)
    world.knows("ana")
    _decide(world, tmp_path / "policy.yaml")
    yield world
    world.close()


def _decide(world: DeskWorld, path: Path) -> None:
    policy = policies.load(path)
    with world.store.write() as tx:
        ruled.activate(tx, version=policy.version, text=policy.text, by="test", now=world.clock())
        mention = mentions.get(tx, 1)
        mentions.advance(tx, mention, MentionState.UNDERSTOOD)
        decisions.understood(tx, mention, _understanding(), world.clock())
    decide(
        world.store,
        policy,
        company=Company(case_pattern="ES"),
        facts=lambda network, account: FACTS,
        limit=10,
        now=world.clock(),
    )


def _understanding() -> Understanding:
    return Understanding(
        model_version="m1",
        language="es",
        language_score=0.99,
        sentiment=Sentiment.NEGATIVE,
        sentiment_scores={"negative": 0.97},
        intents=(Intent.COMPLAINT, Intent.REQUEST),
        intent_scores={"complaint": 0.93111, "request": 0.5},
    )


def test_a_mention_becomes_a_test_that_names_nobody(desk: DeskWorld) -> None:
    path = desk.folder / "policy.tests.yaml"
    path.write_text("# ours\ntests:\n- {name: x, mention: {text: a, intents: []}, expect: {rule: none}}\n", "utf-8")
    before = path.read_text("utf-8")
    refused = desk.run("policy", "record", "M1", "--hide", "Luis")
    assert refused.exit_code == 2
    assert "Nothing was written" in refused.stderr
    assert (
        'text: "Soy someone someone (@someone), cliente (reference), llámenme al (number): nada anda. … lo'
        in refused.stdout
    )
    assert path.read_text("utf-8") == before
    done = desk.run("policy", "record", "M1", "--hide", "Luis", input="y\n")
    assert done.exit_code == 0, done.output
    after = path.read_text("utf-8")
    assert after.startswith(before)
    for gone in ("Ana", "García", "C-0042", "612", "Luis", "@ana", "sandbox.example"):
        assert gone not in after
    for kept in (
        "rule: [gold, complaint]",
        "reply: hello",
        "team: boss",
        "urgency: high",
        "customer.tier: gold",
        "mode: manual",
    ):
        assert kept in after
    checked = desk.run("policy", "check")
    assert checked.exit_code == 0, checked.output
    assert "2, all passed" in checked.stdout
    assert "'complaint on sandbox, 2026-03-04'" in done.stdout


def test_a_change_of_the_policy_that_the_test_forbids_is_named(desk: DeskWorld) -> None:
    assert desk.run("policy", "record", "M1", "--yes", "--name", "gold complains").exit_code == 0
    path = desk.folder / "policy.yaml"
    path.write_text(POLICY.replace("sentiment: negative", "sentiment: positive"), encoding="utf-8")
    checked = desk.run("policy", "check")
    assert checked.exit_code == 2
    assert "policy.tests.yaml:" in checked.stderr
    assert "test `gold complains`: expected rule `gold`, `complaint`, came `gold`" in checked.stderr
    assert "`complaint` fails at `sentiment`: wanted positive, saw negative" in checked.stderr
    told = json.loads(desk.run("policy", "check", "--json").stdout)
    assert told["problems"] == checked.stderr.splitlines()
    recorded = desk.run("policy", "record", "M1", "--to", "other.yaml", "--yes")
    assert "makes something else of it: expected rule `gold`, `complaint`, came `gold`" in recorded.stdout


def test_programs_get_the_test_and_write_it_only_when_told(desk: DeskWorld) -> None:
    told = json.loads(desk.run("policy", "record", "M1", "--json").stdout)
    assert (told["written"], told["unlike"]) == (False, [])
    assert not (desk.folder / "policy.tests.yaml").exists()
    assert json.loads(desk.run("policy", "record", "M1", "--json", "--yes").stdout)["written"] is True
    assert (desk.folder / "policy.tests.yaml").read_text("utf-8").count("- name:") == 1


def test_what_cannot_be_recorded_says_why(desk: DeskWorld) -> None:
    desk.hears("Nada", who="luis", name="")
    assert "was not decided yet" in desk.run("policy", "record", "M2", "--yes").stderr
    (desk.folder / "own.yaml").write_text("tests: []\n", encoding="utf-8")
    assert "own.yaml:1: `tests`" in desk.run("policy", "record", "M1", "--yes", "--to", "own.yaml").stderr
    assert "still holds a phone number" in desk.run("policy", "record", "M1", "--yes", "--name", "612345678 x").stderr
    desk.is_deleted(1)
    assert "was deleted by its author" in desk.run("policy", "record", "M1", "--yes").stderr
    (desk.folder / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
    assert "Or say where: --to FILE" in desk.run("policy", "record", "M1", "--yes").stderr


def test_check_warns_of_what_is_said_in_vain_with_its_line(desk: DeskWorld) -> None:
    more = "  - {name: late, when: {main_intent: complaint, sentiment: negative}, then: {reply: hello}}\n"
    more += "  - {name: blog, when: {network: feed}, then: {reply: hello}}\n"
    more += "  - {name: far, when: {network: mastodn}, then: {tags: [x]}}\n"
    path = desk.folder / "policy.yaml"
    path.write_text(POLICY + more, encoding="utf-8")
    told = desk.run("policy", "check").stdout
    assert "policy.yaml:14: rule `late` is never reached: `complaint` above it" in " ".join(told.split())
    assert "policy.yaml:15: rule `blog` replies with `hello`, which cannot be sent there" in " ".join(told.split())
    assert "policy.yaml:16: there is no network `mastodn`; did you mean `mastodon`?" in " ".join(told.split())


def test_the_model_reads_what_a_test_leaves_to_it(desk: DeskWorld) -> None:
    (desk.folder / "policy.tests.yaml").write_text(
        "tests: [{name: x, mention: una vergüenza, expect: {rule: none, guard: none}}]\n", encoding="utf-8"
    )
    told = desk.run("policy", "check")
    assert told.exit_code == 2
    assert "expected guard `none`, came `" in told.stderr


def test_what_was_written_while_somebody_read_it_stays(desk: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.folder / "policy.tests.yaml"
    theirs = "\ufefftests:\r\n  - {name: theirs, mention: {text: a, intents: []}, expect: {rule: none}}\r\n"

    def meanwhile(*_: object, **__: object) -> bool:
        path.write_bytes(theirs.encode("utf-8"))
        return True

    path.write_text("tests:\n- {name: x, mention: {text: a, intents: []}, expect: {rule: none}}\n", "utf-8")
    path.chmod(0o640)
    monkeypatch.setattr(click, "confirm", meanwhile)
    assert desk.run("policy", "record", "M1", "--hide", "Luis", "--name", "ours").exit_code == 0
    assert path.read_bytes().decode("utf-8").startswith(theirs)
    assert [placed.sample.name for placed in read_tests(path.read_bytes().decode("utf-8"), "t")] == ["theirs", "ours"]
    assert path.stat().st_mode & 0o777 == 0o640
    before = path.read_bytes()
    theirs = theirs.replace("theirs", "ours")
    refused = desk.run("policy", "record", "M1", "--hide", "Luis", "--name", "Ours".lower() + " 2")
    assert refused.exit_code == 0
    theirs = theirs.replace("ours", "again")
    refused = desk.run("policy", "record", "M1", "--hide", "Luis", "--name", "again")
    assert refused.exit_code == 2
    assert "holds a test 'again' by now" in refused.stderr
    assert path.read_bytes() == theirs.encode("utf-8") != before
    assert {each.name for each in desk.folder.glob(".policy*")} == set()


def test_a_busy_network_is_recorded_so_that_check_passes(desk: DeskWorld) -> None:
    """What had been sent by then is a mapping by rule."""
    with desk.store.write() as tx:
        tx.execute(update(tables.decisions).values(saw=_busy(tx.scalar(select(tables.decisions.c.saw)))))
    assert desk.run("policy", "record", "M1", "--yes").exit_code == 0
    written = (desk.folder / "policy.tests.yaml").read_text("utf-8")
    assert "sends.last_day: 10\n" in written
    for gone in ("pepe", "maria", "repliers", "by_rule"):
        assert gone not in written
    checked = desk.run("policy", "check")
    assert checked.exit_code == 0, checked.output
    assert desk.run("policy", "activate", "policy.yaml", "--because", "x", "--yes").exit_code == 0


def _busy(saw: dict[str, Any]) -> dict[str, Any]:
    saw["sends"] |= {"by_rule_last_day": {"complaint": 3, "gold": 2}, "last_day": 17}
    saw["thread"] |= {"repliers": ["maria.gonzalez@example.social", "pepe"]}
    return saw
