"""`escucha case`, as people type it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import policies
from listener.flow.watch import watch
from listener.store import alerts, alerts_out, cases, inbox
from listener.store import policies as ruled
from listener.types import DraftState, Urgency
from tests.listener.commands.desk_world import DANGEROUS, REPLY, SAID, DeskWorld

HOSTILE = "\x1b[2J\x1b]0;owned\x07 [red]x[/red] \u202egnp.exe pay\u200bpal"
CASE_KEYS = {
    "reference",
    "state",
    "urgency",
    "score",
    "queue_at",
    "skills",
    "title",
    "team",
    "agent",
    "completeness",
    "tags",
    "customer",
    "account",
    "opened_at",
    "opened_by",
    "changed_at",
    "first_response_due",
    "first_response_at",
    "first_response_overdue",
    "resolution_due",
    "resolved_at",
    "resolution_overdue",
    "promise",
    "stands_still_since",
    "asked",
    "snoozed_until",
    "due_at",
    "watchers",
    "checklist",
    "missing",
    "parent",
    "merged_into",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def ask(world: DeskWorld, *args: str) -> Any:
    """The JSON that a command prints."""
    result = world.run("case", *args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def opened(world: DeskWorld, *args: str, who: str = "ana", said: str = SAID) -> str:
    number = world.hears(said, who=who)
    world.decides(number, reply=None, needs_routing=True)
    return str(ask(world, "open", f"M{number}", *args)["reference"])


def printed(world: DeskWorld, *args: str) -> str:
    result = world.run("case", *args)
    assert result.exit_code == 0, result.output
    assert max((len(line) for line in result.stdout.splitlines()), default=0) <= 80
    assert not DANGEROUS.search(result.stdout), repr(result.stdout)
    return result.stdout


def refused(world: DeskWorld, *args: str) -> str:
    """The one sentence with which a command is refused."""
    result = world.run("case", *args)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr.strip()


# --- opening ---


def test_a_case_opened_by_hand_is_as_the_policy_would_open_it(world: DeskWorld) -> None:
    number = world.hears()
    world.decides(number, reply=None, needs_routing=True, urgency=Urgency.HIGH)
    made = ask(world, "open", f"m{number}")
    assert set(made) == {*CASE_KEYS, "opened"}
    assert (made["opened"], made["team"], made["urgency"]) == (True, "care", "high")
    assert made["title"] == "Outage report on sandbox"
    assert made["first_response_due"] is not None
    assert made["account"] == {"network": "sandbox", "handle": "ana"}
    assert made["opened_by"] == "ana"


def test_what_the_person_says_rules(world: DeskWorld) -> None:
    number = world.hears()
    made = ask(world, "open", str(number), "--urgency", "critical", "--title", "No signal")
    assert (made["urgency"], made["title"]) == ("critical", "No signal")
    assert "there are: " in refused(world, "open", str(number), "--team", "nobody")


def test_another_mention_joins_unless_a_new_case_is_wanted(world: DeskWorld) -> None:
    first = opened(world)
    number = world.hears()
    assert f"M{number} joins {first}" in " ".join(printed(world, "open", str(number)).split())
    assert f"M{number} is in {first} already, opened by ana." in refused(world, "open", str(number))
    assert f"`escucha case split {first} M{number}` takes it out" in refused(world, "open", str(number), "--new")
    assert opened(world, "--new") != first


def test_several_mentions_are_routed_by_one_command(world: DeskWorld) -> None:
    first, second = world.hears(), world.hears(who="luis")
    shown = printed(world, "open", f"M{first}", f"m{second}", f"M{second}")
    assert shown.count(" is open for care") == 2
    third, fourth = world.hears(who="eva"), world.hears(who="eva")
    told = ask(world, "open", f"M{third}", f"M{fourth}")
    assert told["failed"] == []
    assert [each["mention"] for each in told["cases"]] == [f"M{third}", f"M{fourth}"]
    assert [each["opened"] for each in told["cases"]] == [True, False]
    assert set(told["cases"][0]) == {*CASE_KEYS, "opened", "mention"}


def test_where_some_cannot_be_routed_the_rest_are(world: DeskWorld) -> None:
    taken = world.hears()
    world.run("case", "open", f"M{taken}")
    free = world.hears(who="luis")
    result = world.run("case", "open", f"M{taken}", "nonsense", f"M{free}", "M99")
    assert result.exit_code == 3
    assert "is open for care" in result.stdout
    assert f"M{taken} is in ES-26-" in result.stderr
    assert f"3 of 4 not done: M{taken}, NONSENSE, M99." in result.stderr
    result = world.run("case", "open", f"M{taken}", f"M{free}", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {"cases": [], "failed": [f"M{taken}", f"M{free}"]}


@pytest.mark.parametrize("typed", ["M99", "x", "D1", "M1;", "1" * 30])
def test_a_wrong_mention_is_one_sentence(world: DeskWorld, typed: str) -> None:
    assert "mention" in refused(world, "open", typed)


# --- looking ---


def test_the_queue_is_urgent_first_then_oldest_and_late_ones_are_marked(world: DeskWorld) -> None:
    calm = opened(world, "--urgency", "low")
    old = opened(world, "--urgency", "high", who="luis")
    new = opened(world, "--urgency", "high", who="eva")
    world.clock.forward(days=30)
    listed = ask(world, "list")
    assert [each["reference"] for each in listed["cases"]] == [old, new, calm]
    assert set(listed["cases"][0]) == {*CASE_KEYS, "warned"}
    assert listed["cases"][0]["first_response_overdue"] is True
    assert listed["more"] is False
    assert "LATE" in printed(world, "list")
    assert "more; see them with --limit" in printed(world, "list", "--limit", "1")
    assert ask(world, "list", "--limit", "1")["more"] is True


def test_the_queue_says_what_each_case_is_about(world: DeskWorld) -> None:
    reference = opened(world, "--urgency", "critical", "--title", "No signal in the north")
    world.decides(world.hears("Ahora tampoco hay teléfono en casa"), reply=None, needs_routing=True)
    world.run("case", "open", "M2")
    heading, first, second = printed(world, "list").splitlines()
    assert heading.split() == ["CASE", "URGENCY", "SCORE", "STATE", "TEAM", "ANSWER", "ABOUT"]
    assert first.startswith(f"{reference}  critical    500  open   care  in ")
    assert "No signal in the north" in first
    assert second == "    @ana: Ahora tampoco hay teléfono en casa"
    world.is_deleted(2)
    assert "@ana: Sigo sin internet" in printed(world, "list")
    world.is_deleted(1)
    assert printed(world, "list").splitlines()[2] == "    @ana"
    world.run("case", "assign", reference, "--agent", "eva")
    assert printed(world, "list").splitlines()[0].split()[5] == "AGENT"


def test_the_queue_fits_whatever_names_there_are(world: DeskWorld) -> None:
    reference = opened(world, "--urgency", "critical", "--title", "漢" * 150, said="漢" * 300)
    world.run("case", "assign", reference, "--agent", "Maximiliana of the second floor")
    world.run("case", "note", reference, "so far", "--complete", "60")
    world.run("case", "pending", reference)
    world.clock.forward(days=30)
    shown = printed(world, "list")
    assert "LATE" in shown
    assert all(cell_len(line) <= 80 for line in shown.splitlines())


def test_the_queue_leaves_out_titles_that_have_no_room(world: DeskWorld) -> None:
    ref = opened(world)
    assert "ABOUT" in printed(world, "list")
    world.run("case", "assign", ref, "--agent", "maximiliano")
    assert "is past" in world.run("case", "due", ref, "2020-01-01").stderr
    world.run("case", "due", ref, "2d")
    shown = printed(world, "list").splitlines()
    assert "maximiliano" in shown[1]
    assert not [line for line in shown[:2] if line.endswith("…")], shown


def test_the_queue_can_be_narrowed(world: DeskWorld) -> None:
    mine, other = opened(world), opened(world, who="luis")
    world.run("case", "assign", mine, "--agent", "eva")
    world.run("case", "resolve", other)
    assert [each["reference"] for each in ask(world, "list", "--agent", "eva")["cases"]] == [mine]
    assert [each["reference"] for each in ask(world, "list", "--state", "resolved")["cases"]] == [other]
    assert len(ask(world, "list", "--all")["cases"]) == 2
    assert len(ask(world, "list")["cases"]) == 1
    assert ask(world, "list", "--team", "nobody")["cases"] == []
    assert "No such case waits" in printed(world, "list", "--team", "nobody")
    assert "not both" in refused(world, "list", "--all", "--state", "open")


def test_one_case_shows_everything_in_one_time_line(world: DeskWorld) -> None:
    number = world.hears()
    draft = world.decides(number, open_case=True)
    assert draft is not None
    world.knows("ana")
    with world.store.read() as tx:
        (case,) = cases.listing(tx)
    world.clock.forward(minutes=5)
    world.put(draft, DraftState.SENT, sent_at=world.clock(), decided_by="luis", posted_url="https://sandbox.example/r")
    world.clock.forward(minutes=5)
    world.run("case", "note", case.reference, "She sent her number", "--complete", "60", actor="luis")
    shown = printed(world, "show", case.reference.lower().replace("-", ""))
    order = ["@ana said on sandbox (M1)", "Sigo sin internet", "opened by policy for network"]
    order += ["we answered (approved by luis)", "Hola Ana", "note by luis, 60 % complete", "She sent her number"]
    places = [shown.index(part) for part in order]
    assert places == sorted(places)
    assert "open, 60 % complete" in shown
    assert "network, nobody yet" in shown
    assert case.reference in printed(world, "show", *case.reference.removeprefix("ES-").split("-"))  # unquoted
    told = ask(world, "show", case.reference)
    own = {"assignment", "warned", "steps", "children", "merged", "incident", "timeline", "context"}
    assert set(told) == CASE_KEYS | own
    assert [each["kind"] for each in told["timeline"]] == ["said", "opened", "answered", "note"]
    assert told["timeline"][0]["text"] == SAID
    assert told["timeline"][2]["text"] == REPLY


def test_what_was_deleted_is_not_shown(world: DeskWorld) -> None:
    reference = opened(world, said="a secret")
    world.is_deleted(1)
    shown = printed(world, "show", reference)
    assert "secret" not in shown
    assert "(deleted by its author)" in shown
    assert ask(world, "show", reference)["timeline"][0]["gone"] is True


def test_hostile_words_are_shown_harmless(world: DeskWorld) -> None:
    reference = opened(world, "--title", HOSTILE, said=HOSTILE)
    world.run("case", "note", reference, HOSTILE)
    world.run("case", "assign", reference, "--agent", HOSTILE)
    assert "[red]x[/red]" in printed(world, "show", reference)
    assert "\\x1b" in printed(world, "show", reference)
    printed(world, "list")
    raw = world.run("case", "show", reference, "--json").stdout
    assert not re.search("[\x1b\x07\u202e\u200b]", raw)
    assert json.loads(raw)["timeline"][0]["text"] == HOSTILE


def test_a_slip_in_the_reference_leads_to_the_right_case(world: DeskWorld) -> None:
    reference = opened(world)
    wrong = reference[:-3] + str((int(reference[-3]) + 1) % 10) + reference[-2:]
    assert f"Did you mean {reference}?" in refused(world, "show", wrong)
    assert "they look like ES-" in refused(world, "show", "nonsense\x1b[2J")
    assert "escucha case list" in refused(world, "show", "ES-26-000123-3")


# --- doing ---


def test_a_case_goes_its_way(world: DeskWorld) -> None:
    reference = opened(world)
    assert f"{reference} is eva's now." in printed(world, "assign", reference, "--agent", "eva")
    assert f"{reference} is pending." in printed(world, "pending", reference, "--note", "waiting for her number")
    assert f"{reference} is open." in printed(world, "reopen", reference)
    assert ask(world, "resolve", reference, "--note", "new router")["completeness"] == 100
    assert ask(world, "reopen", reference, "--note", "it failed again")["resolved_at"] is None
    kinds = [each["kind"] for each in ask(world, "show", reference)["timeline"]]
    assert kinds == ["said", "opened", "assigned", "pending", "reopened", "resolved", "reopened"]


def test_who_comes_second_hears_who_was_first(world: DeskWorld) -> None:
    reference = opened(world)
    assert world.run("case", "resolve", reference, actor="luis").exit_code == 0
    assert refused(world, "resolve", reference) == (
        f"{reference} is resolved already: luis was first, at 2026-03-04 17:30 UTC."
    )
    assert "from there it can become closed, open" in refused(world, "pending", reference)
    assert "reopen" in refused(world, "assign", reference, "--agent", "eva")
    world.run("case", "reopen", reference)
    world.run("case", "assign", reference, "--agent", "luis")
    assert "luis has" in refused(world, "assign", reference, "--agent", "eva")
    assert ask(world, "assign", reference, "--agent", "eva", "--take-over")["agent"] == "eva"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("assign", "REF"), "Say to whom"),
        (("assign", "REF", "--team", "nobody"), "no team"),
        (("note", "REF", "  "), "empty"),
        (("note", "REF", "x" * 10_001), "longer than 10,000"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(world: DeskWorld, args: tuple[str, ...], said: str) -> None:
    reference = opened(world)
    assert said in refused(world, *(reference if arg == "REF" else arg for arg in args))


def test_nothing_is_sent_by_working_on_cases(world: DeskWorld) -> None:
    world.draft(open_case=True)
    with world.store.read() as tx:
        before = inbox.waiting(tx)
        (case,) = cases.listing(tx)
    world.run("case", "resolve", case.reference)
    with world.store.read() as tx:
        assert inbox.waiting(tx) == before


# --- clocks, and asking others ---

OFFICE = """
time_zone: Europe/Madrid
calendars: {office: {hours: {mon-fri: "09:00-18:00"}, holidays: ES}}
service_levels:
  warn: 50%
  high: {first_response: 3h, resolution: 9h, calendar: office}
  only: [{tier: gold, team: technical, first_response: 1h}]
escalation:
  on_warning: {alert: lead}
  on_breach: [{alert: ops}, {after: 1h, team: technical, urgency: "+1"}]
  on_information_needed: [{alert: desk}, {after: 2h, alert: chief}]
"""


def rules(world: DeskWorld) -> None:
    """The default policy with hours and chains rules."""
    text = policies.default_path().read_text("utf-8")
    levels = re.compile(r"^service_levels:\n(?:[ #].*\n)+", re.MULTILINE)
    assert levels.search(text)
    text = levels.sub("", text) + OFFICE
    made = policies.load_text(text)
    with world.store.write() as tx:
        ruled.activate(tx, version=made.version, text=text, by="boss", now=world.clock())


def test_the_queue_tells_what_is_late_and_soon_will_be(world: DeskWorld) -> None:
    rules(world)
    world.clock.moment = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)  # a Friday, 16:00 in Madrid
    reference = opened(world, "--urgency", "high")
    calm = opened(world, "--urgency", "low", who="eva")
    assert "No case is late" in printed(world, "list", "--late")
    shown = printed(world, "show", reference)
    assert re.search(r"promised +high, on office", shown)
    assert "Mon 9 Mar 10:00 (Europe/Madrid), office is closed on Saturdays and Sundays" in " ".join(shown.split())
    assert "tell lead (first answer)" in shown
    world.clock.forward(hours=1, minutes=31)
    watch(world.store, now=world.clock())
    listed = ask(world, "list", "--late")
    assert [(each["reference"], each["warned"]) for each in listed["cases"]] == [(reference, ["first_response"])]
    assert "(warned)" in printed(world, "show", reference)
    assert "1 case becomes late soon" in world.run("status").output
    world.clock.moment = datetime(2026, 3, 9, 10, 30, tzinfo=UTC)
    watch(world.store, now=world.clock())
    assert "LATE 1 h" in printed(world, "list", "--late")
    shown = printed(world, "show", reference)
    assert "(LATE)" in shown
    assert "first answer overdue, step 2: given to technical, urgency raised from high to critical" in " ".join(
        shown.split()
    )
    steps = ask(world, "show", reference)["steps"]
    assert [each["done_at"] is not None for each in steps].count(True) == 7
    assert calm not in printed(world, "list", "--late")
    world.run("case", "pending", reference)
    assert "stands still while we wait for the customer" in printed(world, "show", reference)


def test_the_record_says_who_was_told_and_who_was_not(world: DeskWorld) -> None:
    rules(world)
    world.clock.moment = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
    reference = opened(world, "--urgency", "high")
    world.clock.moment = datetime(2026, 3, 9, 10, 30, tzinfo=UTC)
    watch(world.store, now=world.clock())
    now = world.clock()
    assert "first answer overdue, step 1: ops not told yet" in printed(world, "show", reference)
    with world.store.write() as tx:
        for name in ("lead", "ops"):
            claimed = alerts_out.claim(tx, name, hourly=20, longest_rest=timedelta(hours=1), now=now)
            assert claimed
            if name == "ops":
                alerts_out.sent(tx, claimed, remark="", now=now)
            else:
                alerts_out.given_up(tx, claimed, reason="brand.example answered 404", now=now)
    shown = " ".join(printed(world, "show", reference).split())
    assert "first answer overdue, step 1: ops told (" in shown
    assert "first answer due soon, step 1: lead not told yet (" in shown
    assert (
        "solution due soon, step 1: lead not told: brand.example answered 404" in shown
    )  # critical by then: it went first
    told = [each["detail"].get("told") for each in ask(world, "show", reference)["timeline"]]
    assert [{"target": "ops", "state": "sent", "reason": ""}] in told
    assert [{"target": "lead", "state": "failed", "reason": "brand.example answered 404"}] in told


def test_explain_says_what_raised_the_score_of_a_case(world: DeskWorld) -> None:
    rules(world)
    world.clock.moment = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
    reference = opened(world, "--urgency", "high")
    before, after = Urgency.HIGH.points, Urgency.CRITICAL.points
    assert "case score" not in world.run("explain", reference, "--no-words").stdout
    told = json.loads(world.run("explain", reference, "--no-words", "--json").stdout)
    assert told["case_score"] == [{"name": "its mentions", "points": before}]
    world.clock.moment = datetime(2026, 3, 9, 10, 30, tzinfo=UTC)
    watch(world.store, now=world.clock())
    shown = " ".join(world.run("explain", reference, "--no-words").stdout.split())
    step = "urgency from high to critical: first answer overdue, step 2"
    assert f"case score {after}: +{before} its mentions, +{after - before} {step}" in shown
    told = json.loads(world.run("explain", reference, "--no-words", "--json").stdout)
    assert told["case_score"][1:] == [{"name": step, "points": after - before}]
    assert (told["score"], told["case"]["score"]) == (before, after)


def test_another_team_is_asked_and_answers(world: DeskWorld) -> None:
    rules(world)
    reference = opened(world)
    assert "there are: " in refused(world, "ask-for-information", reference, "Paid?", "--from", "nobody")
    asked = ask(world, "ask-for-information", reference, "Was the [bold]bill[/bold] paid?", "--from", "technical")
    assert asked["asked"]["team"] == "technical"
    watch(world.store, now=world.clock())
    assert "waits for technical" in refused(world, "ask-for-information", reference, "And?", "--from", "care")
    assert "1 case waits for another team's information" in world.run("status").output
    shown = printed(world, "show", reference)
    assert "technical asked for information by ana" in shown
    assert "Was the [bold]bill[/bold] paid?" in shown
    world.clock.forward(hours=1)
    result = world.run("case", "inform", reference, "Yes, on Monday.", actor="leo")
    assert f"{reference} has its answer" in result.output
    assert "answered by leo after 1 h, as ana asked technical" in printed(world, "show", reference)
    assert "Nobody waits for information" in refused(world, "inform", reference, "x")
    with world.store.read() as tx:
        told = alerts.listing(tx)
    assert [each.target for each in told] == ["desk"]
    assert all("bill" not in f"{each.subject} {each.why}" for each in told)
