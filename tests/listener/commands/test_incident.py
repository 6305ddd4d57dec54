"""`escucha incident`, as people type it: from the first words to the last case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from listener.desk import cases as desk
from listener.desk import incident_meaning
from listener.flow import incidents as flow
from listener.store import Store, attached, cases, inbox, incidents, rebuilding, tables
from listener.types import CaseState, DraftState
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld

BILL = "Me han hecho un cobro doble en la factura"
OPEN = ("open", "Double charge", "--word", '"cobro doble"', "--since", "2h")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    with made.store.read() as tx:
        assert rebuilding.differences(tx, limit=3) == [], "each case is what its events say"
    assert made.run("db", "check").exit_code == 0
    made.close()


def say(world: DeskWorld, *args: str, actor: str = "ana") -> str:
    result = world.run("incident", *args, actor=actor)
    assert result.exit_code == 0, result.output
    assert not DANGEROUS.search(result.output)
    assert all(cell_len(line) <= 80 for line in result.stdout.splitlines()), result.stdout
    return " ".join(result.stdout.split())


def ask(world: DeskWorld, *args: str) -> dict[str, Any]:
    result = world.run("incident", *args, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def refused(world: DeskWorld, *args: str, code: int = 2) -> str:
    result = world.run("incident", *args)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def hit(world: DeskWorld, count: int, *, reply: str | None = None) -> None:
    """So many people whom it hits, each with a case."""
    for number in range(count):
        world.decides(world.hears(BILL, who=f"p{number}"), open_case=True, reply=reply)


def answered(world: DeskWorld, mention: int) -> None:
    with world.store.write() as tx:
        desk.answered(tx, mention, world.clock())


def case_of(world: DeskWorld, mention: int) -> cases.Case:
    with world.store.read() as tx:
        found = cases.of_mention(tx, mention)
    assert found is not None
    return found


def test_opened_by_hand_it_goes_through_what_was_said(world: DeskWorld) -> None:
    hit(world, 3)
    world.decides(world.hears("¿Abrís mañana?", who="q"), reply=None)
    told = say(world, *OPEN)
    assert "I1 is open, investigating, ana's; its case is ES-26-000004-3." in told
    assert "`escucha incident say I1 --line TEXT`" in told, "what comes next"
    with world.store.read() as tx:
        own = cases.get(tx, "ES-26-000004-3")
    assert (own.first_response_due, own.resolution_due is None) == (None, False), "it has nobody to answer"
    assert "4 earlier mentions looked at, 3 attached, 0 let go; it has 3 now." in told
    shown = ask(world, "show", "i1")
    assert shown["numbers"]["mentions"] == shown["numbers"]["people"] == 3
    assert shown["numbers"]["cases"]["open"] == 3
    assert [each["mention"] for each in ask(world, "mentions", "I1")["mentions"]] == ["M1", "M2", "M3"]
    assert "M3 @p2 on sandbox" in say(world, "mentions", "I1", "--after", "M2")
    assert "rule: it says “cobro doble”" in say(world, "mentions", "I1", "--how", "rule")
    assert "I1 investigating Double charge ana 3" in say(world, "list")
    screen = world.run("incident", "show", "I1").stdout
    assert len(screen.splitlines()) <= 40
    assert "It is of I1, Double charge, investigating, by rule: it says “cobro doble”." in " ".join(
        world.run("explain", "M1", "--no-words").stdout.split()
    )


def test_a_list_of_customers_says_who_is_known_and_who_is_not(world: DeskWorld) -> None:
    hit(world, 2)
    world.knows("p0", reference="C-0042")
    world.knows("p1", reference="C-0043")
    file = world.folder / "hit.csv"
    file.write_text("Legajo;Correo\nC-0042;\nC-77;nobody@x.example\n", encoding="utf-8")
    told = say(world, *OPEN, "--customers", str(file))
    assert "On its list: 1 customer. 1 of 2 lines are no customer's here, or several's: 3." in told
    assert [each["why"] for each in ask(world, "mentions", "I1")["mentions"]] == [
        "it says “cobro doble” and its author is on the list"
    ]
    assert "None of the 1 lines" in refused(world, "open", "x", "--customers", str(_written(world, "legajo\nC-77\n")))
    assert "no column reference" in refused(world, "open", "x", "--customers", str(_written(world, "a;b\nc;d\n")))


def _written(world: DeskWorld, text: str) -> Path:
    file = world.folder / "list.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_hands_attach_and_take_off_and_each_case_follows(world: DeskWorld) -> None:
    hit(world, 1)
    world.decides(world.hears("Otra cosa", who="q"), open_case=True, reply=None)
    say(world, *OPEN)
    say(world, "open", "Another")
    assert case_of(world, 2).parent_reference is None
    assert say(world, "attach", "I1", "M2", "--why", "same bill") == "M2 is of I1 now."
    assert case_of(world, 2).parent_reference == ask(world, "show", "I1")["case"]
    assert "M2 is of I1, Double charge; --move" in refused(world, "attach", "I2", "M2")
    assert say(world, "attach", "I2", "M2", "--move") == "M2 is of I2 now, not of I1."
    assert case_of(world, 2).parent_reference == ask(world, "show", "I2")["case"]
    both = refused(world, "detach", "I1", "M1", "M2", code=3)
    assert "M1 is of I1 no longer. M2 is not of I1" in both
    assert "1 of 2 not done: M2." in both
    assert case_of(world, 1).parent_reference is None
    world.is_deleted(1)
    assert "deleted by its author" in refused(world, "attach", "I1", "M1")
    assert "no mention M99" in refused(world, "attach", "I1", "M99")


def test_who_edits_what_was_attached_does_not_say_what_the_incident_means(world: DeskWorld) -> None:
    hit(world, 2)
    say(world, "open", "Double charge")
    say(world, "attach", "I1", "M1", "M2")

    def compared() -> tuple[str, ...]:
        with world.store.read() as tx:
            return incident_meaning.examples(tx, incidents.get(tx, 1))

    assert len(compared()) == 2
    world.clock.forward(minutes=1)
    with world.store.write() as tx:
        old = {"mention_id": 1, "revision": 1, "text": "cobro doble", "content_warning": ""}
        tx.execute(tables.revisions.insert().values(**old, replaced_at=world.clock()))
        tx.execute(tables.mentions.update().where(tables.mentions.c.id == 1).values(text="gracias", revision=2))
    assert len(compared()) == 1
    assert "gracias" not in compared()
    world.clock.forward(minutes=1)
    say(world, "detach", "I1", "M1")
    say(world, "attach", "I1", "M1")
    assert "gracias" in compared(), "a person read it as it is now"


def test_updates_reach_every_case_with_what_may_be_said(world: DeskWorld) -> None:
    hit(world, 2)
    say(world, *OPEN)
    assert say(world, "update", "I1", "Ran twice", "--public", "es=Ya") == "Noted in I1; 2 cases heard of it."
    assert say(world, "identify", "I1", "The bank") == "I1 is identified; 2 cases heard of it."
    shown = " ".join(world.run("case", "show", case_of(world, 2).reference).stdout.split())
    assert "incident I1 Double charge, identified" in shown
    assert "I1, Double charge: update, said ana; to say, es: Ya Ran twice" in shown
    assert ask(world, "show", "I1")["timeline"][-2]["public"] == {"es": "Ya"}
    assert "is no LANGUAGE=TEXT" in refused(world, "update", "I1", "x", "--public", "Lo")
    assert "is already identified" in refused(world, "identify", "I1")


def test_it_ends_for_all_but_those_with_more_to_do(world: DeskWorld) -> None:
    hit(world, 5)
    draft = world.decides(world.hears("¿Y el otro recibo?", who="p4"), open_case=False, reply=None)
    assert draft is None
    with world.store.write() as tx:
        cases.attach(tx, cases.of_mention(tx, 5), 6, why="", by="ana", now=world.clock())  # type: ignore[arg-type]
    say(world, *OPEN)
    for mention in (1, 2, 5):
        answered(world, mention)
    before = world.run("incident", "resolve", "I1", "--dry-run", "--json").stdout
    told = json.loads(before)
    assert told["together"] == 2
    assert [(each["case"], each["owed"]) for each in told["owed"]] == [
        (case_of(world, number).reference, "nobody has answered them") for number in (3, 4)
    ]
    assert [(each["mentions"], each["more"]) for each in told["more"]] == [(["M6"], ["M6 is about something else"])]
    assert "`escucha notice answer I1` answers them together" in say(world, "resolve", "I1", "--dry-run")
    assert ask(world, "show", "I1")["state"] == "investigating", "a dry run changes nothing"
    assert "2 cases would be resolved with I1" in refused(world, "resolve", "I1")
    told_people = say(world, "resolve", "I1", "Paid back", "--yes")
    assert "I1 is resolved; 2 cases are resolved with it. 2 people wait for an answer" in told_people
    assert "1 case with something else to do; left as they are" in told_people
    assert "notice answer" not in told_people, "it is refused once the incident is over"
    assert "one by one with `escucha review`" in told_people
    states = [case_of(world, number).state for number in range(1, 6)]
    assert states == [CaseState.RESOLVED, CaseState.RESOLVED, CaseState.OPEN, CaseState.OPEN, CaseState.OPEN]
    assert "2 cases are resolved with it" in say(world, "resolve", "I1", "--owed-too", "--yes")
    assert "already resolved" in refused(world, "resolve", "I1", "--yes")
    world.clock.forward(minutes=5)
    late = world.hears(BILL, who="late", minutes_ago=1)
    world.decides(late, open_case=True, reply=None)
    assert say(world, "reopen", "I1", "It came back") == "I1 is fixing again."
    assert case_of(world, late).parent_reference == ask(world, "show", "I1")["case"]
    assert "from there it can become resolved" in refused(world, "close", "I1")
    say(world, "resolve", "I1", "--yes")
    assert say(world, "close", "I1") == "I1 is closed."
    assert "open another incident" in refused(world, "update", "I1", "x")
    assert "Nothing hits many now" in say(world, "list")


def test_an_answer_that_waits_keeps_a_case_open(world: DeskWorld) -> None:
    hit(world, 1, reply="Hola")
    say(world, *OPEN)
    assert "1 person waits for an answer; that case stays open" in say(world, "resolve", "I1", "--dry-run")
    (child,) = ask(world, "resolve", "I1", "--dry-run")["owed"]
    assert child["owed"] == "an answer to them waits"
    (draft,) = _drafts(world)
    world.put(draft, DraftState.SENT, sent_at=world.clock())
    answered(world, 1)
    assert ask(world, "resolve", "I1", "--dry-run")["together"] == 1


def _drafts(world: DeskWorld) -> list[inbox.Draft]:
    with world.store.read() as tx:
        return inbox.waiting(tx, states=tuple(DraftState))


def test_what_was_none_lets_everything_go(world: DeskWorld) -> None:
    hit(world, 2)
    say(world, *OPEN)
    assert case_of(world, 1).parent_reference
    say(world, "dismiss", "I1", "A joke")
    assert case_of(world, 1).parent_reference is None
    assert ask(world, "show", "I1")["numbers"]["mentions"] == 0
    say(world, *OPEN)
    assert ask(world, "show", "I2")["numbers"]["mentions"] == 2, "nobody took them off: it was the whole that was wrong"


def test_a_proposed_one_waits_for_a_person(world: DeskWorld) -> None:
    hit(world, 2)
    with world.store.write() as tx:
        made = incidents.open(
            tx,
            title="Many say cobro",
            by="daemon",
            now=world.clock(),
            began_at=world.clock().replace(hour=0),
            state=incidents.IncidentState.PROPOSED,
            affected={"words": ["cobro"]},
        )
        attached.attach(tx, made, 1, how=attached.Attached.SPIKE, why="S1", by="daemon", now=world.clock())
    assert case_of(world, 1).parent_reference is None
    assert "proposed; `escucha incident accept I1` first" in refused(world, "fix", "I1")
    assert "I1 is investigating, with 2 mentions; its case is" in say(world, "accept", "I1")
    assert case_of(world, 1).parent_reference == case_of(world, 2).parent_reference is not None
    assert ask(world, "show", "I1")["owner"] == "ana"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("show", "x"), "'x' is no incident; they look like I3"),
        (("show", "I9"), "There is no incident I9"),
        (("open", " "), "The title is empty"),
        (("open", "x", "--area", "billin"), "There is no area 'billin' in the policy"),
        (("open", "x", "--place", "Vic"), "There is no place 'Vic' in the policy"),
        (("open", "x", "--network", "sandbx"), "did you mean sandbox?"),
        (("open", "x", "--word", "(a"), "this ( is never closed"),
        (("open", "x", "--since", "2h", "--until", "3h"), "over before it began"),
        (("open", "x", "--since", "2027-01-01"), "cannot begin in the future"),
        (("open", "x", "--mention", "M1"), "There is no mention M1"),
        (("list", "--all", "--state", "fixing"), "not both"),
    ],
)
def test_what_cannot_be_is_said_with_the_next_step(world: DeskWorld, args: tuple[str, ...], said: str) -> None:
    assert said in refused(world, *args)
    assert ask(world, "list")["incidents"] == []


def test_one_that_says_nothing_of_whom_it_hits_says_so(world: DeskWorld) -> None:
    assert "Nothing says whom it hits" in say(world, "open", "Something")
    assert "Nothing says whom it hits" in say(world, "open", "Something", "--network", "sandbox")
    told = say(world, "describe", "I1", "--word", "cobro", "--meaning", "me cobran dos veces")
    assert "described anew" in told
    assert "The model cannot be used here, so its meaning finds nothing; its rules work." in told
    assert "described like that already" in refused(world, "describe", "I1")
    assert ask(world, "describe", "I1", "--clear")["affected"] == {}


def test_what_was_deleted_keeps_no_case_open_and_a_snooze_does(world: DeskWorld) -> None:
    hit(world, 3)
    gone = world.hears("¿Y el otro recibo?", who="p0")
    say(world, *OPEN)
    with world.store.write() as tx:
        cases.attach(tx, case_of(world, 1), gone, why="", by="ana", now=world.clock())
        until = {"snoozed_until": world.clock() + timedelta(days=1)}
        cases.record(tx, case_of(world, 2), "snoozed", by="ana", now=world.clock(), became=until)
    for mention in (1, 2, 3):
        answered(world, mention)
    assert ask(world, "resolve", "I1", "--dry-run")["together"] == 1
    with world.store.write() as tx:
        tx.execute(tables.mentions.update().where(tables.mentions.c.id == gone).values(state="gone"))
    told = ask(world, "resolve", "I1", "--dry-run")
    assert told["together"] == 2
    assert [(each["case"], each["more"]) for each in told["more"]] == [
        (case_of(world, 2).reference, ["somebody snoozed it"])
    ]
    assert "cannot end before" in refused(world, "resolve", "I1", "--ended", "5h", "--yes")


def test_cases_that_are_yet_to_become_parts_are_told(world: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    hit(world, 2)
    step = flow._step

    def tired(store: Store, number: int, **more: Any) -> flow.Gathered | None:
        """Gone through, it stops, as it does when nobody waits any longer."""
        with store.read() as tx:
            over = incidents.by_id(tx, number).swept_to is None
        return None if over else step(store, number, **more)

    with monkeypatch.context() as patch:
        patch.setattr(flow, "_step", tired)
        assert "There is more to go through" in say(world, *OPEN)
    assert "There is more" not in say(world, "gather", "I1")


def test_where_the_policy_has_no_areas_it_says_what_to_do_instead(world: DeskWorld) -> None:
    told = refused(world, "open", "Double charge", "--area", "billing")
    assert "Leave it out: --word or --meaning say what it is about." in told
