"""`escucha case merge`, `split`, `undo`, `parent`, and what people put on a case: as they type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.flow.watch import watch
from listener.store import Transaction, cases, inbox, mentions, policies, rebuilding
from listener.types import CaseState
from tests.listener.commands.desk_world import DEFAULT, DeskWorld
from tests.listener.commands.test_case import ask, opened, printed, refused

BILL = "La factura de marzo viene con un recargo por mora que no corresponde"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    with made.store.read() as tx:
        assert rebuilding.differences(tx, limit=3) == [], "each case is what its events say"
    made.close()


def line(text: str) -> str:
    return " ".join(text.split())


def inside(world: DeskWorld, reference: str) -> list[int]:
    with world.store.read() as tx:
        return [number for number, _, _ in cases.mentions_in(tx, cases.get(tx, reference))]


def two(world: DeskWorld) -> tuple[str, str]:
    """Two cases of one person."""
    return opened(world), opened(world, "--new", said=BILL)


# --- merging ---


def test_a_merged_case_is_found_as_what_it_is_a_part_of(world: DeskWorld) -> None:
    first, second = two(world)
    assert printed(world, "merge", first, second) == f"{second} is a part of {first} now.\n"
    assert inside(world, first) == [1, 2]
    assert ask(world, "show", second)["reference"] == first
    assert ask(world, "show", first)["merged"] == [second]
    assert f"{second} merged into this case by ana, with M1, M2" not in printed(world, "show", first)
    assert f"{second} merged into this case by ana, with M2" in printed(world, "show", first)
    assert refused(world, "merge", first, second) == f"{second} is a part of {first} already."
    assert "merged" in printed(world, "list", "--all")
    assert line(printed(world, "unmerge", second)) == f"{second} is a case of its own again, open."
    assert (inside(world, first), inside(world, second)) == ([1], [2])
    assert refused(world, "unmerge", second) == f"{second} is merged into nothing."


def test_the_sooner_promise_and_the_greater_urgency_are_kept(world: DeskWorld) -> None:
    first = opened(world, "--urgency", "low")
    second = opened(world, "--new", "--urgency", "critical", said=BILL)
    sooner = ask(world, "show", second)
    merged = ask(world, "merge", first, second)
    assert merged["urgency"] == "critical"
    assert merged["first_response_due"] == sooner["first_response_due"] is not None
    left = [step for step in ask(world, "show", second)["steps"] if not step["done_at"] and not step["stands_still"]]
    assert all(step["planned_at"] for step in left)


def test_the_longer_waiting_ones_place_in_the_queue_is_kept(world: DeskWorld) -> None:
    older = opened(world)
    world.clock.forward(hours=5)
    newer = opened(world, "--new", said=BILL)
    with world.store.read() as tx:
        place = cases.get(tx, older).queue_at
        assert place < cases.get(tx, newer).queue_at
    ask(world, "merge", newer, older)
    with world.store.read() as tx:
        assert cases.get(tx, newer).queue_at == place


def test_an_answer_goes_with_its_mention_and_comes_back(world: DeskWorld) -> None:
    first = opened(world)
    draft = world.draft(said=BILL, open_case=True)
    second = draft.case_reference
    assert second is not None
    assert second != first
    printed(world, "merge", first, second)
    assert world.now_is(draft).case_reference == first
    printed(world, "unmerge", second)
    assert world.now_is(draft).case_reference == second


def test_two_peoples_cases_are_not_merged_by_accident(world: DeskWorld) -> None:
    first, second = opened(world), opened(world, who="beto")
    said = refused(world, "merge", first, second)
    assert "@ana's" in said
    assert "--one-person" in said
    assert inside(world, first) == [1]
    printed(world, "merge", first, second, "--one-person")
    assert inside(world, first) == [1, 2]


def test_two_customers_cases_are_never_merged(world: DeskWorld) -> None:
    numbers = [world.hears(), world.hears(who="beto")]
    world.knows("ana", reference="C-1")
    world.knows("beto", reference="C-2")
    first, second = (str(ask(world, "open", f"M{number}")["reference"]) for number in numbers)
    said = refused(world, "merge", first, second, "--one-person")
    assert "customer C-1's" in said
    assert "C-2's" in said


@pytest.mark.parametrize("over", ["resolve", "unmerge"])
def test_what_cannot_be_merged_says_why(world: DeskWorld, over: str) -> None:
    first, second = two(world)
    assert "merged with itself" in refused(world, "merge", first, first)
    if over == "resolve":
        printed(world, "resolve", first)
        assert "merge the other way round" in refused(world, "merge", first, second)
    else:
        assert "merged into nothing" in refused(world, "unmerge", first)


def test_a_merged_case_cannot_be_worked_on_but_as_a_part(world: DeskWorld) -> None:
    first, second = two(world)
    printed(world, "merge", first, second)
    assert ask(world, "note", second, "see here")["reference"] == first
    printed(world, "resolve", second)
    assert ask(world, "show", first)["state"] == "resolved"


# --- splitting, and taking back ---


def test_a_split_says_so_on_both_and_takes_the_draft_along(world: DeskWorld) -> None:
    first = opened(world)
    number = world.hears(BILL)
    draft = world.decides(number, open_case=False)
    assert draft is not None
    printed(world, "open", f"M{number}", "--in", first)
    with world.store.write() as tx:
        case = cases.get(tx, first)
        tx.exec_driver_sql(f"update drafts set case_id = {case.id} where id = {draft.id}")
    shown = line(printed(world, "split", first, f"M{number}"))
    second = shown.split()[0]
    assert shown == f"{second} is open for care with M{number} of {first}."
    assert (inside(world, first), inside(world, second)) == ([1], [number])
    assert f"M{number} split into {second} by ana" in printed(world, "show", first)
    assert f"M{number} split from {first} by ana" in printed(world, "show", second)
    with world.store.read() as tx:
        assert inbox.get(tx, draft.id).case_reference == second
    assert "Nothing would be left" in refused(world, "split", first, "M1")
    assert f"M{number} is not in {first}" in refused(world, "split", first, f"M{number}")


def test_undo_takes_back_what_came_last(world: DeskWorld) -> None:
    first, second = two(world)
    printed(world, "merge", first, second)
    assert line(printed(world, "undo", first)) == f"{second} is a case of its own again."
    number = world.hears()
    printed(world, "open", f"M{number}", "--in", first)
    said = line(printed(world, "undo", first))
    third = said.split(" in ")[1].split()[0]
    assert said == f"M{number} is out of {first}, in {third} of its own."
    assert inside(world, third) == [number]
    assert "nothing to take back" in refused(world, "undo", second)


def test_undo_of_what_reopened_a_case_ends_it_again(world: DeskWorld) -> None:
    first = opened(world)
    printed(world, "resolve", first)
    number = world.hears("¿Y?")
    printed(world, "open", f"M{number}")
    assert ask(world, "show", first)["state"] == "open"
    assert f"{first} is resolved again" in line(printed(world, "undo", first))
    assert ask(world, "show", first)["state"] == "resolved"


# --- parts ---


def test_a_part_is_told_and_stays_open_unless_asked(world: DeskWorld) -> None:
    incident, first, second = opened(world), opened(world, who="beto"), opened(world, who="carla")
    for part in (first, second):
        printed(world, "parent", part, incident)
    assert [each["reference"] for each in ask(world, "children", incident)["children"]] == [first, second]
    assert first in printed(world, "children", incident)
    shown = line(printed(world, "resolve", incident, "--note", "The line is back"))
    assert shown == f"{incident} is resolved, which its 2 parts heard; open as before."
    part = printed(world, "show", first)
    assert f"{incident}, which it is a part of, is resolved, by ana" in part
    assert "The line is back" in part
    assert ask(world, "show", first)["state"] == "open"
    printed(world, "reopen", incident)
    assert "is resolved, and so are its 2 parts." in line(printed(world, "resolve", incident, "--with-children"))
    assert {ask(world, "show", each)["state"] for each in (first, second)} == {"resolved"}


def test_what_cannot_be_a_part_says_why(world: DeskWorld) -> None:
    incident, first, second = opened(world), opened(world, who="beto"), opened(world, who="carla")
    printed(world, "parent", first, incident)
    assert "already" in refused(world, "parent", first, incident)
    assert f"{first} is itself a part of {incident}" in refused(world, "parent", second, first)
    assert "has parts of its own" in refused(world, "parent", incident, second)
    assert "part of itself" in refused(world, "parent", second, second)
    assert "--none" in refused(world, "parent", second)
    assert ask(world, "parent", first, "--none")["parent"] is None
    assert "part of nothing" in refused(world, "parent", first, "--none")


# --- what people put on it ---


def test_a_snoozed_case_is_out_of_the_queue_until_its_time(world: DeskWorld) -> None:
    sleeper, other = opened(world, "--urgency", "low"), opened(world, who="beto")
    printed(world, "snooze", sleeper, "--until", "90m")
    assert [each["reference"] for each in ask(world, "list")["cases"]] == [other]
    assert [each["reference"] for each in ask(world, "list", "--snoozed")["cases"]] == [sleeper]
    assert "back in 1" in printed(world, "list", "--snoozed")
    assert "1 snoozed; --snoozed shows them." in printed(world, "list")
    world.clock.forward(hours=2)
    assert len(ask(world, "list")["cases"]) == 2, "its time came, whether or not the daemon ran"
    assert watch(world.store, now=world.clock()) >= 1
    assert ask(world, "show", sleeper)["snoozed_until"] is None
    assert "back in the queue: its time came" in printed(world, "show", sleeper)
    assert watch(world.store, now=world.clock()) == 0


def test_a_snoozed_case_wakes_when_its_person_writes_and_when_it_is_due(world: DeskWorld) -> None:
    first, second = opened(world), opened(world, who="beto", said=BILL)
    for each in (first, second):
        printed(world, "snooze", each, "--until", "90d")
    printed(world, "open", f"M{world.hears('¿Y?')}")
    assert "the customer wrote again" in printed(world, "show", first)
    world.clock.forward(days=2)
    watch(world.store, now=world.clock())
    assert "it is due soon, or overdue" in printed(world, "show", second)
    printed(world, "snooze", second, "--until", "2027-01-01")
    printed(world, "wake", second)
    assert "is not snoozed" in refused(world, "wake", second)
    assert "is past" in refused(world, "snooze", second, "--until", "2020-01-01")
    assert "is no moment" in refused(world, "snooze", second, "--until", "soon")


def test_the_queue_is_narrowed_by_what_people_put_on_it(world: DeskWorld) -> None:
    first, second = opened(world), opened(world, who="beto")
    printed(world, "tag", first, "vip", "barrio sur")
    printed(world, "watch", second)
    printed(world, "assign", first, "--agent", "ana")
    printed(world, "due", second, "2026-03-05T09:00")

    def listed(*args: str) -> list[str]:
        return [each["reference"] for each in ask(world, "list", *args)["cases"]]

    assert listed("--tag", "barrio sur") == [first]
    assert listed("--watched") == [second]
    assert listed("--mine") == [first]
    assert listed("--due-before", "2026-03-05T09:01") == [first, second], "what was promised counts, too"
    printed(world, "pending", first)
    assert second in listed("--due-before", "2026-03-05T09:01")
    assert second not in listed("--due-before", "2026-03-04T17:31")
    assert "DUE" in printed(world, "list")
    assert "not both" in refused(world, "list", "--mine", "--agent", "luis")
    printed(world, "untag", first, "vip")
    printed(world, "unwatch", second)
    printed(world, "due", second, "--none")
    assert (listed("--tag", "vip"), listed("--watched")) == ([], [])
    assert "has no such tag" in refused(world, "untag", first, "vip")
    assert "is not watched" in refused(world, "unwatch", second)
    assert "at no time already" in refused(world, "due", second, "--none")
    assert "Say when" in refused(world, "due", second)


# --- steps ---

STEPS = DEFAULT.replace("teams:", "teams:\n  repairs: {steps: {look at it: 1, mend it: 2, tell them: 1}}", 1)


def with_steps(world: DeskWorld) -> str:
    with world.store.write() as tx:
        policies.activate(tx, version="p2", text=STEPS, by="test", now=world.clock())
    return opened(world, "--team", "repairs")


def test_a_case_is_as_complete_as_its_teams_steps_are_done(world: DeskWorld) -> None:
    case = with_steps(world)
    assert ask(world, "show", case)["missing"] == ["look at it", "mend it", "tell them"]
    shown = line(printed(world, "step", case, "mend"))
    assert shown == f"{case} is 50 % complete; missing: look at it, tell them."
    assert "· 1 look at it (1)" in printed(world, "step", case)
    assert "missing look at it, tell them" in line(printed(world, "show", case))
    assert "is done in" in refused(world, "step", case, "2")
    assert "is no step of" in refused(world, "step", case, "dance")
    assert "as its steps are" in refused(world, "note", case, "x", "--complete", "80")
    assert ask(world, "step", case, "2", "--undone")["completeness"] == 0
    for name in ("1", "2", "3"):
        printed(world, "step", case, name)
    assert ask(world, "show", case)["completeness"] == 100
    printed(world, "step", case, "tell them", "--undone")
    printed(world, "resolve", case)
    assert ask(world, "show", case)["completeness"] == 100
    printed(world, "reopen", case)
    assert ask(world, "show", case)["completeness"] == 75, "what is not done is not done when it opens again"


def test_another_team_has_other_steps_and_what_was_done_stays_done(world: DeskWorld) -> None:
    case = with_steps(world)
    printed(world, "step", case, "look at it")
    assert ask(world, "assign", case, "--team", "care")["checklist"] == []
    assert "gives team care no steps" in refused(world, "step", case, "1")
    assert [item["done"] for item in ask(world, "assign", case, "--team", "repairs")["checklist"]] == [False] * 3


def test_what_somebody_else_wrote_past_the_events_is_found(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    case = opened(world)

    def meddle(tx: Transaction) -> None:
        found = cases.get(tx, case)
        cases.change(tx, found, now=world.clock(), state=CaseState.RESOLVED.value)
        tx.exec_driver_sql(f"delete from case_mentions where case_id = {found.id}")
        assert mentions.get(tx, 1).id == 1

    assert world.run("db", "check").exit_code == 0
    with world.store.write() as tx:
        meddle(tx)
    told: dict[str, Any] = json.loads(world.run("db", "check", "--json").stdout)
    assert told["problems"] == [
        f"{case} is not what its events say (state, revision, mentions): somebody wrote past them; restore a backup of "
        "before, or look at it with `escucha case show`."
    ]
    world.close()
