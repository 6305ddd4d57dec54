"""explain: every rule, every guard, the scores, and who did what when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.store import tables
from listener.types import RuleOutcome, RuleTrace
from tests.listener.commands.desk_world import DANGER, GUARDS, RULES, SAID, DeskWorld

ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    yield world
    world.close()


def test_it_names_every_rule_in_order_with_its_outcome(desk: DeskWorld) -> None:
    desk.draft()
    told = desk.run("explain", "D1").stdout
    places = [told.index(rule.rule) for rule in RULES]
    assert places == sorted(places)
    assert re.search(r"✗ robots +author\.bot: wanted yes, saw no", told)
    assert re.search(r"✓ outage +who has no service waits for nobody", told)
    assert re.search(r"· anything-else +not reached", told)
    assert max(map(len, told.splitlines())) <= 80


def test_it_names_every_guard_and_what_it_did(desk: DeskWorld) -> None:
    desk.draft(guards=(*GUARDS, DANGER))
    told = desk.run("explain", "M1").stdout
    assert re.search(r"! risk +held it for a person: it holds words of danger", told)
    assert len(re.findall(r"✓ \S+ +let it pass", told)) == sum(not guard.holds for guard in GUARDS)


def test_bars_grow_with_the_scores(desk: DeskWorld) -> None:
    desk.draft()
    told = desk.run("explain", "M1").stdout
    bars = [line.count("█") for line in told.splitlines() if re.match(r"  \S.* 0\.\d\d  ", line)]
    assert bars == [17, 2, 0, 18, 12, 1]
    assert "language es, 0.99 sure; model m1" in told


def test_it_says_whether_the_policy_still_rules(desk: DeskWorld) -> None:
    desk.draft()
    assert "p1, in force" in desk.run("explain", "D1").stdout
    desk.new_policy("p2")
    assert "p1, no longer in force: p2 rules now" in desk.run("explain", "D1").stdout
    assert json.loads(desk.run("explain", "D1", "--json").stdout)["policy_in_force"] is False


def test_who_did_what_when_is_told_in_order(desk: DeskWorld) -> None:
    desk.decides(desk.hears(), open_case=True)
    desk.run("edit", "D1", "--text", "Hola.", actor="luis")
    desk.clock.forward(minutes=1)
    desk.run("reject", "D1", "--reason", "answered elsewhere", actor="eva")
    told = desk.run("explain", "D1").stdout
    history = told[told.index("Who did what") :]
    lines = [
        r"policy +opened +ES-26-000001-9",
        r"policy +proposed +D1",
        r"luis +edited +D1 +edit 2",
        r"eva +rejected +D1 +reason answered",
    ]
    assert re.search(".*".join(lines), history, re.DOTALL)


def test_a_deleted_mention_leaves_a_skeleton_with_a_sentence(desk: DeskWorld) -> None:
    secret = RuleTrace(rule="outage", outcome=RuleOutcome.FAILED, condition="text.contains", wanted="x", saw="a secret")
    mention = desk.hears()
    draft = desk.decides(mention, rules=(secret,))
    assert draft
    desk.is_deleted(mention)
    for what in (f"M{mention}", "D1"):
        told = desk.run("explain", what)
        assert told.exit_code == 0
        assert "Its author deleted it" in told.stdout
        assert "✗ outage" in told.stdout
        assert "held it for a person" in told.stdout
        for gone in ("a secret", SAID[:20], "Hola Ana", "0.91"):
            assert gone not in told.stdout
        assert "deleted" in desk.run("show", what).stdout.lower()
    plain = json.loads(desk.run("explain", "M1", "--json").stdout)
    assert plain["deleted"] is True
    assert plain["mention"]["text"] == ""
    assert plain["rules"] == [{"rule": "outage", "outcome": "failed"}]


def test_what_was_not_decided_yet_says_so(desk: DeskWorld) -> None:
    mention = desk.hears()
    told = desk.run("explain", f"M{mention}")
    assert told.exit_code == 0
    assert "has not spoken about it yet" in told.stdout


def test_an_earlier_decision_is_named(desk: DeskWorld) -> None:
    desk.decides(desk.hears("No anda", external_id="x1"))
    desk.clock.forward(seconds=5)
    mention = desk.hears("No anda nada", external_id="x1")
    desk.decides(mention)
    told = desk.run("explain", f"M{mention}").stdout
    assert "Decided before" in told
    assert "revision 1, policy p1" in told
    assert "revision 2, policy p1" in desk.run("explain", "D1").stdout  # D1 answered the first


@pytest.mark.parametrize(
    "trace",
    [
        {},
        {"rules": [{}], "guards": [{}]},
        {"rules": [{"rule": "r", "outcome": "strange"}], "saw": ["no", "mapping"]},
        {
            "rules": [{"rule": "r", "outcome": "failed"}],
            "guards": [],
            "saw": {"a": None, "b": [1, 2], "c": {"d": True}},
        },
    ],
)
def test_an_odd_trace_is_shown_as_far_as_it_goes(desk: DeskWorld, trace: dict[str, object]) -> None:
    desk.draft()
    with desk.store.write() as tx:
        tx.execute(tables.decisions.update().values(trace=trace))
    for command in ("explain", "show"):
        told = desk.run(command, "M1")
        assert told.exit_code == 0, told.exception


@pytest.mark.parametrize("command", ["explain", "show"])
def test_the_docs_name_every_key_of_the_json(desk: DeskWorld, command: str) -> None:
    desk.draft()
    page = (ROOT / "docs" / "moderators.md").read_text(encoding="utf-8")
    for key in json.loads(desk.run(command, "M1", "--json").stdout):
        assert f"`{key}`" in page, key
