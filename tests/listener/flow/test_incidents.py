"""While an incident lasts: what is said is attached to it, its cases become parts, and whatever is undone stays so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import pytest

from listener.desk import case_merging, incident_moves, parting, parts
from listener.desk import cases as desk_cases
from listener.desk import incident_life as life
from listener.desk.incidents import Affected
from listener.errors import Mistake
from listener.flow.incidents import Gathered, gather
from listener.store import attached, cases, incident_sweeps, incidents, mentions, rebuilding, steps
from listener.store.cases import Case
from listener.store.incidents import Incident
from listener.types import Attached, CasePlan, CaseState, IncidentState, Urgency
from tests.listener.flow.world import Escucha

T = TypeVar("T")
PLAN = CasePlan(team="care", urgency=Urgency.HIGH, title="Double charge")
BILL = "@marca@sandbox.example me han hecho un cobro doble, mal"
OTHER = "@marca@sandbox.example ¿a qué hora abrís?"


def opened(escucha: Escucha, *, since: timedelta = timedelta(hours=1), meaning: str = "", **whom: Any) -> Incident:
    description = life.Description(
        title="Double charge",
        affected=Affected(**(whom or {"words": ('"cobro doble"',)})),
        began_at=escucha.clock() - since,
        meaning=meaning,
    )
    with escucha.store.write() as tx:
        return life.open_incident(tx, description, plan=PLAN, pattern="ES", by="boss", now=escucha.clock())


def read(escucha: Escucha, ask: Callable[..., T], *args: Any) -> T:
    with escucha.store.read() as tx:
        return ask(tx, *args)


def attachments(escucha: Escucha, incident: Incident) -> list[tuple[int, str, str]]:
    return [(each.mention_id, each.how.value, each.why) for each in read(escucha, incidents.mentions_of, incident.id)]


def case_of(escucha: Escucha, number: int) -> Case:
    found = read(escucha, cases.of_mention, number)
    assert found is not None
    return found


def parent_of(escucha: Escucha, number: int) -> str | None:
    return case_of(escucha, number).parent_reference


def test_what_is_said_while_it_lasts_is_attached_and_its_case_becomes_a_part(escucha: Escucha) -> None:
    made = opened(escucha)
    post = escucha.says(BILL)
    escucha.says(OTHER, who="bo")
    escucha.round()
    assert attachments(escucha, made) == [(1, "rule", "it says “cobro doble”")]
    assert parent_of(escucha, 1) == made.case_reference
    assert parent_of(escucha, 2) is None
    escucha.says("@marca@sandbox.example y encima nadie contesta, mal", parent=post)
    escucha.round()
    follower = attachments(escucha, made)[1]
    reference = case_of(escucha, 1).reference
    assert follower == (3, "case", f"it is of {reference}, which is a part of {made.reference}")
    assert read(escucha, lambda tx: rebuilding.differences(tx, limit=5)) == []  # the parts are what their events say


def test_what_was_said_before_is_gone_through_once(escucha: Escucha) -> None:
    escucha.says(BILL)
    escucha.says(OTHER, who="bo")
    escucha.round()
    made = opened(escucha)
    assert attachments(escucha, made) == []
    escucha.main.gather()
    assert [number for number, _, _ in attachments(escucha, made)] == [1]
    assert parent_of(escucha, 1) == made.case_reference
    assert read(escucha, incidents.by_id, made.id).swept_to is None
    assert not escucha.main.gather(), "nothing is left to do"


def test_what_was_said_later_in_a_case_before_it_was_opened_comes_along(escucha: Escucha) -> None:
    post = escucha.says(BILL)
    escucha.round()
    escucha.says("@marca@sandbox.example ¿y nadie contesta?, mal", parent=post)
    escucha.round()
    made = opened(escucha)
    escucha.main.gather()
    assert [(number, how) for number, how, _ in attachments(escucha, made)] == [(1, "rule"), (2, "case")]
    with escucha.store.write() as tx:
        life.detach(tx, made, 2, by="ana", now=escucha.clock())
    escucha.main.gather()
    assert [number for number, _, _ in attachments(escucha, made)] == [1]


def test_what_was_said_before_it_began_is_not_of_it(escucha: Escucha) -> None:
    escucha.says(BILL)
    escucha.round()
    escucha.clock.forward(hours=3)
    made = opened(escucha, since=timedelta(hours=2))
    escucha.main.gather()
    assert attachments(escucha, made) == []


def test_what_a_person_took_off_comes_back_by_no_rule_but_by_hand(escucha: Escucha) -> None:
    made = opened(escucha)
    post = escucha.says(BILL)
    escucha.round()
    escucha.says("@marca@sandbox.example y otra cosa, mal", parent=post)
    escucha.round()
    with escucha.store.write() as tx:
        life.detach(tx, made, 1, by="ana", now=escucha.clock())
    assert attachments(escucha, made) == [], "what came only with the case goes with it"
    assert parent_of(escucha, 1) is None
    escucha.network.edit(post, BILL + "!!", at=escucha.clock())
    escucha.round()
    escucha.round(hours=1)
    with escucha.store.write() as tx:
        life.describe(tx, incidents.by_id(tx, made.id), {"meaning": "cobro doble"}, by="ana", now=escucha.clock())
    escucha.main.gather()
    assert attachments(escucha, made) == []
    with escucha.store.write() as tx:
        held = incidents.by_id(tx, made.id)
        life.attach(tx, held, mentions.get(tx, 1), why="it is the same bill", by="ana", now=escucha.clock())
    first, along = attachments(escucha, made)
    assert (first, along[:2]) == ((1, "hand", "it is the same bill"), (2, "case")), "and what came with it before"
    assert parent_of(escucha, 1) == made.case_reference


def test_what_is_edited_into_something_else_is_let_go(escucha: Escucha) -> None:
    made = opened(escucha)
    post = escucha.says(BILL)
    escucha.round()
    assert len(attachments(escucha, made)) == 1
    escucha.network.edit(post, OTHER, at=escucha.clock())
    escucha.round()
    escucha.round(hours=1)
    assert read(escucha, mentions.get, 1).text == OTHER
    assert attachments(escucha, made) == []
    assert parent_of(escucha, 1) is None
    (was,) = read(escucha, attached.history_of, 1)
    assert was.undone_by == attached.DAEMON


def test_described_anew_it_lets_go_what_fits_no_more_and_finds_what_does(escucha: Escucha) -> None:
    made = opened(escucha)
    escucha.says(BILL)
    escucha.says(OTHER, who="bo")
    escucha.round()
    with escucha.store.write() as tx:
        whom = {"affected": {"words": ["abrís"]}}
        life.describe(tx, incidents.by_id(tx, made.id), whom, by="ana", now=escucha.clock())
    escucha.main.gather()
    assert [number for number, _, _ in attachments(escucha, made)] == [2]
    assert (parent_of(escucha, 1), parent_of(escucha, 2)) == (None, made.case_reference)
    with escucha.store.write() as tx:  # it began only now
        life.describe(tx, incidents.by_id(tx, made.id), {"began_at": escucha.clock()}, by="ana", now=escucha.clock())
    escucha.main.gather()
    assert attachments(escucha, made) == []
    assert parent_of(escucha, 2) is None


def test_its_cases_hear_of_each_update_once(escucha: Escucha) -> None:
    made = opened(escucha)
    escucha.says(BILL)
    escucha.says(BILL, who="bo")
    escucha.round()
    with escucha.store.write() as tx:
        public = {"es": "Lo estamos arreglando", "en": "We are mending it"}
        life.update(tx, incidents.by_id(tx, made.id), "The batch ran twice", public, by="ana", now=escucha.clock())
    escucha.main.gather()
    escucha.main.gather()
    for number in (1, 2):
        heard = [
            event.detail
            for event in read(escucha, cases.events_of, case_of(escucha, number))
            if event.kind == "incident"
        ]
        assert [(each["text"], each["public"]["es"]) for each in heard] == [
            ("The batch ran twice", "Lo estamos arreglando")
        ]
    assert read(escucha, lambda tx: rebuilding.differences(tx, limit=5)) == []


def test_one_of_us_and_who_is_deleted_are_not_hit(escucha: Escucha) -> None:
    made = opened(escucha)
    post = escucha.says(BILL)
    escucha.network.person("oficial")
    escucha.network.post("oficial", BILL, at=escucha.clock())
    escucha.round()
    assert [number for number, _, _ in attachments(escucha, made)] in ([1], [2])
    escucha.network.delete(post)
    escucha.round(hours=1)
    counted = read(escucha, attached.numbers, read(escucha, incidents.by_id, made.id))
    assert (counted.mentions, counted.gone) == (0, 1)
    assert read(escucha, attached.history_of, 1)[0].why == ""


def test_by_meaning_where_there_is_a_model_and_by_rule_alone_where_there_is_none(escucha: Escucha) -> None:
    escucha.says("@marca@sandbox.example se ha repetido el importe, mal")
    escucha.round()
    made = opened(escucha, meaning="me han cobrado dos veces", areas=("billing",))
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> Any:
        asked.extend(texts)
        return np.array([[1.0, 0.0] if "importe" in each or "cobrado" in each else [0.0, 1.0] for each in texts])

    def all_of_it(reads: Any) -> Gathered:
        return gather(escucha.store, places={}, embed=lambda: reads, is_ours=lambda _: False, now=escucha.clock)

    all_of_it(None)
    assert attachments(escucha, made) == []
    with escucha.store.write() as tx:
        incidents.sweep_to(tx, made, 0)
    all_of_it(embed)
    assert attachments(escucha, made) == [(1, "meaning", f"it means what is said of {made.reference} (1.00)")]
    assert "me han cobrado dos veces" in asked


def test_nothing_is_compared_where_nothing_lasts(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not() -> None:
        raise AssertionError("the model was asked for")

    monkeypatch.setattr(escucha.main, "_embed", must_not)
    made = opened(escucha, meaning="me han cobrado dos veces")
    with escucha.store.write() as tx:
        held = incidents.by_id(tx, made.id)
        incidents.record(
            tx, held, "state", by="ana", now=escucha.clock(), became={"state": IncidentState.RESOLVED.value}
        )
    escucha.says(BILL)
    escucha.round()
    assert attachments(escucha, made) == []


def test_whoever_is_stopped_half_way_goes_on_there_and_attaches_each_once(escucha: Escucha) -> None:
    for number in range(12):
        escucha.says(BILL, who=f"p{number}")
    escucha.round()
    made = opened(escucha)
    steps = 0

    def enough() -> bool:
        nonlocal steps
        steps += 1
        return steps % 2 == 0

    import listener.flow.incidents as stage

    with pytest.MonkeyPatch.context() as patched:
        for name in ("LOOKED", "JOINED", "TOLD"):
            patched.setattr(stage, name, 5)
        rounds = 0
        while read(escucha, incident_sweeps.unfinished):
            gather(
                escucha.store,
                places={},
                embed=lambda: None,
                is_ours=lambda _: False,
                now=escucha.clock,
                stopping=enough,
            )
            rounds += 1
    assert rounds > 5
    assert len(attachments(escucha, made)) == 12
    inside = read(escucha, lambda tx: cases.parts(tx, cases.by_id(tx, made.case_id or 0)))
    assert len(inside) == 12
    assert all(part.state is CaseState.OPEN for part in inside)
    joined = [event.kind for part in inside for event in read(escucha, cases.events_of, part)].count("part_of")
    assert joined == 12
    assert {each.how for each in read(escucha, incidents.mentions_of, made.id)} == {Attached.RULE}


def test_a_case_that_a_person_took_out_of_it_stays_out(escucha: Escucha) -> None:
    made = opened(escucha)
    escucha.says(BILL)
    escucha.round()
    with escucha.store.write() as tx:
        case = cases.by_id(tx, case_of(escucha, 1).id)
        parts.leave_parent(tx, case, by="ana", now=escucha.clock())
    escucha.main.gather()
    assert parent_of(escucha, 1) is None
    assert len(attachments(escucha, made)) == 1


def test_many_cases_resolved_together_are_as_each_resolved_alone(escucha: Escucha) -> None:
    for who in ("ana", "bo", "cy"):
        escucha.says(BILL, who=who)
    escucha.round()
    one, two, three = (case_of(escucha, number) for number in (1, 2, 3))
    now = escucha.clock()
    with escucha.store.write() as tx:
        desk_cases.move(
            tx, one, CaseState.RESOLVED, by="ana", now=now, moved=escucha.policy.promises.moved, note="with I1"
        )
        desk_cases.resolve_all(tx, [two, three], by="ana", now=now, note="with I1")

    def seen(number: int) -> tuple[Any, ...]:
        case = case_of(escucha, number)
        own = {"id": 0, "reference": "", "account_id": 0, "handle": "", "queue_at": now}
        planned = [(each.step.clock, each.done_at, each.step.at) for each in read(escucha, steps.of, case.id)]
        return replace(case, **own), planned, read(escucha, cases.events_of, case)[-1]

    assert seen(1)[0].state is CaseState.RESOLVED
    assert [replace(seen(n)[0], title="") for n in (2, 3)] == [replace(seen(1)[0], title="")] * 2
    assert [seen(n)[1] for n in (2, 3)] == [seen(1)[1]] * 2
    alone, together = seen(1)[2], seen(2)[2]
    assert (alone.kind, alone.by, alone.at) == (together.kind, together.by, together.at)
    assert {**alone.detail, "became": 0} == {**together.detail, "became": 0}
    assert read(escucha, lambda tx: rebuilding.differences(tx, limit=5)) == []


def test_cases_that_are_split_merged_and_unmerged_are_parts_where_the_incident_is(escucha: Escucha) -> None:
    made = opened(escucha)
    escucha.says(OTHER)
    escucha.round()
    escucha.says(BILL)
    escucha.round()
    assert (case_of(escucha, 1).id, parent_of(escucha, 1)) == (case_of(escucha, 2).id, made.case_reference)

    def done(do: Callable[..., Any], *args: Any, **more: Any) -> Any:
        with escucha.store.write() as tx:
            return do(tx, *args, **more, by="ana", now=escucha.clock())

    whole = case_of(escucha, 1)
    part = done(case_merging.split, whole, [2], plan=lambda _: PLAN, pattern="ES")
    assert part.parent_reference == made.case_reference
    assert parent_of(escucha, 1) is None, "nothing in it is of the incident any more"
    merged = done(case_merging.merge, whole, part)
    assert (merged.id, merged.parent_reference) == (whole.id, made.case_reference)
    counted = read(escucha, attached.numbers, read(escucha, incidents.by_id, made.id))
    assert sum(counted.cases.values()) == 1, "both halves are one case of it"
    assert [each.id for each in read(escucha, cases.parts, read(escucha, cases.get, made.case_reference))] == [whole.id]
    done(case_merging.unmerge, part, moved=_still)
    assert (parent_of(escucha, 1), parent_of(escucha, 2)) == (None, made.case_reference)
    assert read(escucha, lambda tx: rebuilding.differences(tx, limit=5)) == []
    assert [number for number, _, _ in attachments(escucha, made)] == [2]


def test_what_is_split_off_as_another_matter_is_of_the_incident_no_more(escucha: Escucha) -> None:
    made = opened(escucha)
    post = escucha.says(BILL)
    escucha.round()
    escucha.says("@marca@sandbox.example y encima nadie contesta, mal", parent=post)
    escucha.round()
    assert [how for _, how, _ in attachments(escucha, made)] == ["rule", "case"]
    with escucha.store.write() as tx:
        part = cases.of_mention(tx, 2)
        assert part is not None
        new = case_merging.split(tx, part, [2], plan=lambda _: PLAN, pattern="ES", by="ana", now=escucha.clock())
    assert new.parent_reference is None
    assert [number for number, _, _ in attachments(escucha, made)] == [1]
    assert parent_of(escucha, 1) == made.case_reference


def test_an_incidents_own_case_is_merged_with_nobodys(escucha: Escucha) -> None:
    made = opened(escucha)
    escucha.says(OTHER)
    escucha.round()
    own, theirs = read(escucha, cases.get, made.case_reference), case_of(escucha, 1)
    for one, other in ((own, theirs), (theirs, own)):
        named = f"is I1's own case.*`escucha case parent {theirs.reference} {own.reference}`"
        with pytest.raises(Mistake, match=named), escucha.store.write() as tx:
            case_merging.merge(tx, one, other, by="ana", now=escucha.clock(), one_person=True)


def _still(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
    return moment


def test_what_is_described_anew_while_it_is_gone_through_is_gone_through_as_that(escucha: Escucha) -> None:
    escucha.says(BILL)
    escucha.says(OTHER, who="bo")
    escucha.round()
    made = opened(escucha)
    news = [{"affected": {"words": ["abrís"]}}]

    def ours(_: object) -> bool:  # asked between what is read and what is written
        if news:
            with escucha.store.write() as tx:
                life.describe(tx, incidents.hold(tx, made.id), news.pop(), by="ana", now=escucha.clock())
        return False

    gather(escucha.store, places={}, embed=lambda: None, is_ours=ours, now=escucha.clock)
    assert [number for number, _, _ in attachments(escucha, made)] == [2]


def test_what_a_dismissed_one_lets_go_is_looked_at_for_the_others(escucha: Escucha) -> None:
    escucha.says(BILL)
    escucha.round()
    made = opened(escucha)
    other = opened(escucha, words=('"cobro doble"', "factura"))
    with escucha.store.write() as tx:
        life.attach(tx, other, mentions.get(tx, 1), why="", by="ana", now=escucha.clock())
    for _ in range(2):
        escucha.main.gather()
    assert attachments(escucha, made) == []
    with escucha.store.write() as tx:
        incident_moves.dismiss(tx, other, text="", moved=_still, by="ana", now=escucha.clock())
    for _ in range(2):
        escucha.main.gather()
    assert [number for number, _, _ in attachments(escucha, made)] == [1]


def test_what_turns_out_to_be_somebody_elses_is_a_part_of_its_own(escucha: Escucha) -> None:
    made = opened(escucha)
    escucha.says(BILL)
    escucha.says(BILL, who="bo")
    escucha.round()
    one, two = case_of(escucha, 1), case_of(escucha, 2)
    with escucha.store.write() as tx:
        whole = cases.move_mention(tx, 2, two, one, why="x", by="ana", now=escucha.clock())
        (parted,) = parting.part(tx, [whole.id], pattern="ES", move_id=None, why="x", by="ana", now=escucha.clock())
    assert parted.mentions == (2,)
    assert parent_of(escucha, 2) == parent_of(escucha, 1) == made.case_reference
    assert read(escucha, lambda tx: rebuilding.differences(tx, limit=5)) == []
