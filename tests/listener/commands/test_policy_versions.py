"""`escucha policy activate`, `back`, `diff`, `history`: which policy rules, by whom, why, and what that changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

import policies
from listener import store
from listener.desk import cases as desk
from listener.store import policies as ruled
from listener.types import CasePlan, CaseState, DraftState, Mode, Promise, Urgency
from tests import databases
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld

Run = Callable[..., Result]

FIRST = """\
name: Small
default_team: care
teams: {care: {}}
language: es
rules:
  - name: thanks
    when: {main_intent: praise}
    then: {reply: thanks}
templates:
  thanks: {es: ¡Gracias!}
"""
SECOND = FIRST.replace("main_intent: praise", "main_intent: [praise, suggestion]")
GAINS = "Rule “thanks”: `main_intent` gains suggestion."
VERSIONS = {text: policies.load_text(text).version for text in (FIRST, SECOND)}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, escucha: Run, tmp_path: Path) -> str:
    """The database of the settings file in the folder, whose policy is `p.yaml`."""
    found = databases.at(tmp_path)
    if request.param == "postgresql":
        found = request.getfixturevalue("postgres_url")
    Path("escucha.toml").write_text(f'[database]\nurl = "{found}"\n[policy]\nfile = "p.yaml"\n', encoding="utf-8")
    Path("p.yaml").write_text(FIRST, encoding="utf-8")
    return found


def said(done: Result, code: int = 0) -> str:
    """What it printed, on one line."""
    assert done.exit_code == code, done.output
    assert not DANGEROUS.search(done.output), repr(done.output)
    return " ".join(done.output.split())


def history(escucha: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(escucha("policy", "history", "--json").stdout)
    return found


def activate(escucha: Run, text: str, because: str = "we start") -> str:
    Path("p.yaml").write_text(text, encoding="utf-8")
    return said(escucha("policy", "activate", "p.yaml", "--because", because, "--yes"))


def store_text(url: str, version: str, text: str = "no: policy\n") -> None:
    database = store.open(url)
    with database.write() as tx:
        ruled.activate(tx, version=version, text=text, by="boss", now=datetime.now(UTC))
    database.close()


@pytest.mark.usefixtures("url")
def test_what_is_activated_is_kept_with_who_and_why(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No policy has ruled here yet" in said(escucha("policy", "history"))
    assert history(escucha) == []
    monkeypatch.setenv("ESCUCHA_ACTOR", "ana")
    first = activate(escucha, FIRST, " we\nstart\x1b[2J ")
    assert f"p.yaml: all is well: {VERSIONS[FIRST]}. No policy ruled here yet." in first
    assert "a running daemon decides by it from its next batch on" in first
    monkeypatch.setenv("ESCUCHA_ACTOR", "luis")
    second = activate(escucha, SECOND, "suggestions are welcome")
    assert f"Now {VERSIONS[FIRST]} rules. What changes: 1 rule changed. All of it in words: " in second
    assert "`escucha policy diff active p.yaml`" in second
    assert GAINS in said(escucha("policy", "diff", VERSIONS[FIRST], "p.yaml"))
    assert "already" in activate(escucha, SECOND, "again")
    newest, oldest = history(escucha)
    assert (newest["version"], newest["until"], newest["by"], newest["because"]) == (
        VERSIONS[SECOND],
        None,
        "luis",
        "suggestions are welcome",
    )
    assert (oldest["version"], oldest["by"], oldest["because"]) == (VERSIONS[FIRST], "ana", "we start\x1b[2J")
    assert oldest["until"] == newest["since"]
    shown = said(escucha("policy", "history"))
    assert f"{VERSIONS[SECOND]} " in shown
    assert "UTC by luis; rules now suggestions are welcome" in shown
    assert "we start\\x1b[2J" in shown
    assert escucha("policy", "show", "--text").stdout == SECOND


@pytest.mark.usefixtures("url")
def test_nothing_is_activated_before_somebody_agrees(escucha: Run) -> None:
    activate(escucha, FIRST)
    Path("p.yaml").write_text(SECOND, encoding="utf-8")
    asked = escucha("policy", "activate", "p.yaml", "--because", "x", input="n\n")
    assert f"Let {VERSIONS[SECOND]} rule? [y/N]" in said(asked, 130)
    assert len(history(escucha)) == 1
    said(escucha("policy", "activate", "p.yaml", "--because", "x", input="y\n"))
    assert history(escucha)[0]["version"] == VERSIONS[SECOND]


@pytest.mark.usefixtures("url")
def test_what_cannot_rule_is_refused(escucha: Run) -> None:
    Path("p.yaml").write_text(FIRST + "rulez: []\n", encoding="utf-8")
    assert "p.yaml:11: " in said(escucha("policy", "activate", "p.yaml", "--because", "x", "--yes"), 2)
    test = "{name: a, mention: {text: Hola, intents: [complaint]}, expect: {rule: thanks}}"
    Path("p.yaml").write_text(f"{FIRST}tests: [{test}]\n", encoding="utf-8")
    failed = said(escucha("policy", "activate", "p.yaml", "--because", "x", "--yes"), 2)
    assert "p.yaml:11: test `a`: expected rule `thanks`, came `none`" in failed
    Path("p.yaml").write_text(FIRST, encoding="utf-8")
    assert "The reason is empty" in said(escucha("policy", "activate", "p.yaml", "--because", " ", "--yes"), 2)
    assert "longer than 500" in said(escucha("policy", "activate", "p.yaml", "--because", "x" * 501, "--yes"), 2)
    assert "--because" in said(escucha("policy", "activate", "p.yaml"), 2)
    assert history(escucha) == []


def test_who_was_overtaken_while_asked_is_told(escucha: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(escucha, FIRST)
    Path("p.yaml").write_text(SECOND, encoding="utf-8")
    monkeypatch.setattr(click, "confirm", lambda *_args, **_more: store_text(url, "another"))
    done = escucha("policy", "activate", "p.yaml", "--because", "x")
    assert "another was made to rule since you looked" in said(done, 2)
    assert history(escucha)[0]["version"] == "another"


@pytest.mark.usefixtures("url")
def test_going_back_is_one_command(escucha: Run) -> None:
    assert "No other policy ruled here before" in said(escucha("policy", "back", "--because", "x", "--yes"), 2)
    activate(escucha, FIRST)
    activate(escucha, SECOND)
    back = said(escucha("policy", "back", "--because", "too many answers", "--yes"))
    assert "What changes: 1 rule changed." in back
    assert "The settings still name p.yaml, which says something else: name there the file" in back
    assert escucha("policy", "show", "--text").stdout == FIRST
    said(escucha("policy", "back", "--because", "no, it was well", "--yes"))
    said(escucha("policy", "back", VERSIONS[FIRST][:6], "--because", "it was not", "--yes"))
    assert [(each["version"], each["because"]) for each in history(escucha)][:3] == [
        (VERSIONS[FIRST], "it was not"),
        (VERSIONS[SECOND], "no, it was well"),
        (VERSIONS[FIRST], "too many answers"),
    ]


def test_a_version_is_named_well_enough_or_not_at_all(escucha: Run, url: str) -> None:
    for version in ("abc1", "abc2", "abcd"):
        store_text(url, version)
    unknown = said(escucha("policy", "back", "zzz", "--because", "x", "--yes"), 2)
    assert "No policy 'zzz' ever ruled here" in unknown
    for asked in (("diff", "zzz", "active"), ("replay", "zzz"), ("diff", "zzz", "active", "--replay")):
        assert "'zzz' is neither a file nor a policy that ruled here" in said(escucha("policy", *asked), 2)
    for command in (("back", "abc", "--because", "x", "--yes"), ("diff", "abc", "active"), ("replay", "abc")):
        assert "3 policies that ruled here begin with 'abc' (abc1, abc2, abcd)" in said(escucha("policy", *command), 2)
    assert "The policy abc1 cannot be read by this version of Escucha: policy abc1:1: " in said(
        escucha("policy", "back", "abc1", "--because", "x", "--yes"), 2
    )
    for asked in (("diff", "abc1", "active"), ("replay", "abc1")):
        assert "The policy abc1 cannot be read by this version of Escucha: policy abc1:1: " in said(
            escucha("policy", *asked), 2
        )


@pytest.mark.usefixtures("url")
def test_any_two_are_compared(escucha: Run) -> None:
    Path("q.yaml").write_text(SECOND, encoding="utf-8")
    assert said(escucha("policy", "diff", "active", "q.yaml")) == f"• {GAINS}", "before any rules, the settings' one"
    activate(escucha, FIRST)
    activate(escucha, SECOND)
    assert said(escucha("policy", "diff", VERSIONS[FIRST][:8], "active")) == f"• {GAINS}"
    assert said(escucha("policy", "diff", "q.yaml", "active")) == "They are the same."
    Path("q.yaml").write_text(f"# ours\n{SECOND}", encoding="utf-8")
    assert said(escucha("policy", "diff", "q.yaml", "active")) == "They say the same; only comments or layout differ."
    told = json.loads(escucha("policy", "diff", VERSIONS[FIRST], "active", "--json").stdout)
    assert told == {
        "a": {"name": VERSIONS[FIRST], "version": VERSIONS[FIRST], "title": "Small"},
        "b": {"name": "active", "version": VERSIONS[SECOND], "title": "Small"},
        "same_text": False,
        "differences": [{"kind": "changed", "part": "rules", "name": "thanks", "sentence": GAINS}],
    }
    assert "no such file" in said(escucha("policy", "diff", "none.yaml", "active"), 2)


@pytest.mark.usefixtures("url")
def test_what_the_settings_made_of_it_is_compared_too(escucha: Run) -> None:
    activate(escucha, FIRST)
    settings = Path("escucha.toml").read_text(encoding="utf-8")
    Path("escucha.toml").write_text(f'{settings}mode = "auto"\n', encoding="utf-8")
    auto = policies.load_text(FIRST, mode=Mode.AUTO).version
    shown = activate(escucha, FIRST, "we trust it")
    assert "• Everywhere, replies that pass every guard go out alone (auto)" in shown
    assert history(escucha)[0]["version"] == auto
    assert "• Everywhere, a person sees every reply first" in said(escucha("policy", "diff", auto, VERSIONS[FIRST]))
    back = said(escucha("policy", "back", "--because", "x", "--yes"))
    assert f"The settings give other modes now than then: {VERSIONS[FIRST]} comes back as {auto}." in back
    assert "rules already" in back


@pytest.mark.usefixtures("url")
def test_a_file_that_does_not_rule_is_told_of_with_what_to_do(escucha: Run) -> None:
    activate(escucha, FIRST)
    assert json.loads(escucha("status", "--json").stdout)["policy"]["differs"] is None
    Path("p.yaml").write_text(SECOND, encoding="utf-8")
    step = '--because"…"`.'
    expected = f"p.yaml, {VERSIONS[SECOND]}) is not the one that rules ({VERSIONS[FIRST]}); "
    told = json.loads(escucha("status", "--json").stdout)
    assert expected in told["policy"]["differs"]
    assert (told["policy"]["version"], told["policy"]["because"]) == (VERSIONS[FIRST], "we start")
    for command in (("status",), ("policy", "show"), ("doctor", "--offline")):
        shown = "".join(escucha(*command).output.split())
        assert "".join(expected.split()) in shown, command
        assert step in shown, command
    Path("p.yaml").write_text("rules: 7\n", encoding="utf-8")
    shown = said(escucha("policy", "show"))
    assert f"cannot be used, and the policy {VERSIONS[FIRST]} goes on ruling: p.yaml:1: " in shown
    assert "name: Small" in shown


@pytest.mark.usefixtures("url")
def test_a_file_that_is_gone_needs_a_person(escucha: Run) -> None:
    activate(escucha, FIRST)
    Path("p.yaml").rename("other.yaml")
    (trouble,) = [each for each in json.loads(escucha("status", "--json").stdout)["troubles"] if "p.yaml" in each]
    assert f"the policy {VERSIONS[FIRST]} goes on ruling: there is no such file. `escucha policy show --text" in trouble
    assert ":1:" not in trouble
    shown = said(escucha("status"))
    assert shown.count("there is no such file") == 1
    assert shown.index("Needs a person") < shown.index("there is no such file") < shown.index("see above")
    Path("other.yaml").write_text(SECOND, encoding="utf-8")
    done = said(escucha("policy", "activate", "other.yaml", "--because", "x", "--yes"))
    assert "The settings still name p.yaml, which cannot be used: name there the file of the one that rules now" in done
    assert "goes on ruling" not in done


RISKY = """\
name: Risky
default_team: care
teams: {care: {}}
language: es
mode: auto
guard: {per_hour: 60, min_confidence: 0.9}
rules:
  - name: praise
    when: {main_intent: praise, none: {main_intent: praise}}
    then: {reply: thanks}
  - name: some
    shadow: true
    when: {main_intent: suggestion}
    then: {reply: thanks}
  - name: thanks
    then: {reply: {template: thanks, mode: {auto: 10%}}}
  - name: late
    then: {tags: x}
templates:
  thanks: {es: ¡Gracias!}
"""


@pytest.mark.usefixtures("url")
def test_what_is_dangerous_stands_right_above_the_question(escucha: Run) -> None:
    activate(escucha, FIRST)
    Path("p.yaml").write_text(RISKY, encoding="utf-8")
    asked = said(escucha("policy", "activate", "p.yaml", "--because", "x", input="n\n"), 130)
    parts = [
        "p.yaml: readable, 2 warnings: ",
        "3 rules new, 1 changed",
        "policy diff active p.yaml`",
        "p.yaml:9: rule `praise` can never match: ",
        "rule `late` is never reached: `thanks` above it matches whatever it would; ",
        "Rule 'thanks' may answer alone for 10%",
        "Rule 'some' is in the shadow",
        "The guard is stricter in 1.",
        "The guard is looser in 1: Guard: `per_hour` is now 60; it was 30.",
        "Rules that may answer alone for a share: “thanks”.",
        "Rules that may answer alone now: “praise”.",
        "Everywhere, replies that pass every guard go out alone (auto); until now a person sees every reply",
        "rule? [y/N]",
    ]
    places = [asked.find(part) for part in parts]
    assert -1 not in places, (places, asked)
    assert places == sorted(places)
    assert len(asked) < 1_800  # however long the rules are
    said(escucha("policy", "activate", "p.yaml", "--because", "x", "--yes"))
    back = said(escucha("policy", "back", "--because", "x", input="n\n"), 130)
    assert f"policy {VERSIONS[FIRST]}: all is well" in back
    assert f"`escucha policy diff active {VERSIONS[FIRST]}`" in back
    assert "Everywhere, a person sees every reply first" in back


@pytest.mark.usefixtures("url")
def test_a_warning_is_told_at_once_whichever_it_is(escucha: Run) -> None:
    Path("p.yaml").write_text(RISKY, encoding="utf-8")
    checked = escucha("policy", "check", "p.yaml")
    assert "p.yaml: readable, 2 warnings." in said(checked)
    assert [
        each.split(": ", 1)[0] for each in json.loads(escucha("policy", "check", "p.yaml", "--json").stdout)["warnings"]
    ] == [
        "p.yaml:9",
        "p.yaml:17",
    ]


def test_one_that_cannot_be_read_is_got_rid_of(escucha: Run, url: str) -> None:
    store_text(url, "future", FIRST + "telepathy: 1\n")
    assert "The policy future cannot be read by this version of Escucha: policy future:11: " in said(
        escucha("policy", "show"), 2
    )
    assert escucha("policy", "show", "--text").stdout.endswith("telepathy: 1\n")
    assert "policy future cannot be read" in " ".join(escucha("doctor", "--offline").output.split())
    shown = activate(escucha, FIRST)
    assert "What changes cannot be told. The policy future cannot be read" in shown
    assert history(escucha)[0]["version"] == VERSIONS[FIRST]


def test_drafts_that_go_back_to_people_are_told_of(tmp_path: Path) -> None:
    desk = DeskWorld(tmp_path)
    desk.put(desk.draft(), DraftState.APPROVED)
    file = tmp_path / "p.yaml"
    file.write_text(FIRST, encoding="utf-8")
    shown = said(desk.run("policy", "activate", str(file), "--because", "x", "--yes"))
    assert "1 approved draft would not go out before it is read and approved again." in shown
    desk.close()


def test_calendars_that_open_cases_need_are_missed(escucha: Run, url: str) -> None:
    activate(escucha, FIRST)
    hour = timedelta(hours=1)
    promises = [
        Promise(level="normal", calendar="office", first_response=hour, resolution=hour),
        Promise(level="high", calendar="office", resolution=hour),
        Promise(level="low", calendar="shop", first_response=hour),
        Promise(level="critical", first_response=hour),
        Promise(level="normal", calendar="nights", resolution=hour),
    ]
    now = datetime.now(UTC)
    database = store.open(url)
    with database.write() as tx:
        for each in promises:
            plan = CasePlan(team="care", urgency=Urgency.NORMAL, title="T", promise=each)
            ours = {"account_id": None, "customer_id": None, "by": "ana", "since": now, "now": now}
            case = desk.open_case(tx, pattern="ES", plan=plan, **ours)
        desk.move(tx, case, CaseState.CLOSED, by="ana", now=now, moved=lambda moment, **_: moment)
    database.close()
    shown = activate(escucha, FIRST + "calendars: {shop: {hours: {mon: '9:00-17:00'}}}\n")
    assert (
        "It has no calendar 'office', by which 2 open cases were promised something: from now on all time counts as "
        "open for them, where a clock stands still and where another team is asked." in shown
    )
    assert shown.count("It has no calendar") == 1
