"""While an incident lasts: what is said, what is held back, and that it is so whatever comes first."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listener.desk import incident_life, incident_moves
from listener.errors import AlreadyDone, Mistake, Stale
from listener.store import (
    attached,
    audit,
    decisions,
    held_notices,
    inbox,
    incident_answers,
    incidents,
    mentions,
    notices,
    scheduled,
)
from listener.store.incident_answers import Answer
from listener.store.incidents import Incident
from listener.types import Attached, DraftState, IncidentState, NoticeKind
from tests.listener.flow.world import AUTO, Escucha

CHEERFUL = AUTO.replace(
    "rules:",
    """  thanks: {es: ["¡Gracias!", "¡Mil gracias!", "¡Qué alegría!"]}
incidents: {mode: auto}
rules:
  - name: praise
    when: {intents: [praise]}
    then: {reply: thanks, case: none}""",
)
SAID = (("es", "Lo sabemos; caso {{ case.reference }}."), ("es", "Estamos en ello: {{ case.reference }}."))
THANKS = "@marca gracias"
ASKS = "@marca ¿cuándo vuelve?"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def escucha(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Escucha]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = Escucha(tmp_path, policy=CHEERFUL, url=url)
    yield made
    made.close()


def opened(escucha: Escucha, **more: Any) -> Incident:
    """An incident that lasts, from an hour ago on."""
    now = escucha.clock()
    with escucha.store.write() as tx:
        return incidents.open(tx, title="Corte", by="ana", now=now, began_at=now - timedelta(hours=1), **more)


def answered(escucha: Escucha, incident: Incident) -> list[Answer]:
    """Its two answers, which a second person approved."""
    with escucha.store.write() as tx:
        now = escucha.clock()
        written = incident_answers.propose(tx, incident, SAID, by="ana", now=now, two_people=True)
        return incident_answers.approve(tx, incident, written, by="eva", now=now, two_people=True)


def over(escucha: Escucha, incident: Incident) -> None:
    now = escucha.clock()
    with escucha.store.write() as tx:
        found = incidents.get(tx, incident.id)
        if found.lasts:
            incident_moves.resolve(tx, found, ended_at=now, text="", public={}, moved=_still, by="ana", now=now)


def _still(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
    return moment


def heard(escucha: Escucha, text: str, *, who: str = "ana", of: Incident | None = None) -> int:
    """Somebody says it, and it is decided but not sent, as a part of that incident; gives the mention's number."""
    post = escucha.says(text, who=who)
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.understand()
    with escucha.store.write() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention
        if of is not None:
            attached.attach(tx, of, mention.id, how=Attached.HAND, why="so", by="ana", now=escucha.clock())
    escucha.main.decide()
    return mention.id


def guards(escucha: Escucha, mention_id: int) -> set[str]:
    with escucha.store.read() as tx:
        trace = decisions.decisions_of(tx, mention_id)[0].trace
    return {guard["guard"] for guard in trace["guards"] if guard["holds"] or guard["forbids"]}


def test_its_own_answer_goes_out_alone_and_names_the_case(escucha: Escucha) -> None:
    incident = opened(escucha)
    answered(escucha, incident)
    for who in ("ana", "beto"):
        heard(escucha, ASKS, who=who, of=incident)
    escucha.round()
    said = [text.partition(" ")[2] for _, text in escucha.answers()]
    references = [draft.case_reference for draft in sorted(escucha.drafts(), key=lambda draft: draft.id)]
    assert {text.replace(str(reference), "R") for text, reference in zip(said, references, strict=True)} == {
        "Lo sabemos; caso R.",
        "Estamos en ello: R.",
    }
    assert {draft.incident_id for draft in escucha.drafts()} == {incident.id}


def test_what_no_second_person_approved_is_not_said(escucha: Escucha) -> None:
    incident = opened(escucha)
    with escucha.store.write() as tx:
        written = incident_answers.propose(tx, incident, SAID, by="Ana", now=escucha.clock(), two_people=True)
        with pytest.raises(Mistake, match="somebody else must approve it"):
            incident_answers.approve(tx, incident, written, by="ANA ", now=escucha.clock(), two_people=True)
        with pytest.raises(AlreadyDone, match="says the same, and is proposed"):
            incident_answers.propose(tx, incident, SAID[:1], by="eva", now=escucha.clock(), two_people=True)
    number = heard(escucha, ASKS, of=incident)
    assert guards(escucha, number) == {"incident"}
    assert escucha.draft().text.startswith("Hola, lo vemos en")
    assert escucha.draft().state is DraftState.PROPOSED


def test_what_was_proposed_before_there_was_an_answer_is_decided_anew(escucha: Escucha) -> None:
    incident = opened(escucha)
    for who in ("ana", "beto", "carla"):
        heard(escucha, ASKS, who=who, of=None if who == "carla" else incident)
    edited = max(escucha.drafts(), key=lambda draft: draft.id)
    mine = next(draft for draft in escucha.drafts() if draft.mention_id == 2)
    with escucha.store.write() as tx:
        inbox.edit(tx, mine, text="Ya lo miro.", length=11, by="mod", now=escucha.clock())
    answered(escucha, incident)
    escucha.main.decide()
    by_mention = {draft.mention_id: draft for draft in escucha.drafts() if draft.state is not DraftState.EXPIRED}
    assert by_mention[1].incident_id == incident.id
    assert by_mention[2].text == "Ya lo miro."
    assert by_mention[edited.mention_id].id == edited.id, "it is no part of it"


def test_what_comes_to_it_or_leaves_it_by_hand_is_decided_anew(escucha: Escucha) -> None:
    incident = opened(escucha)
    answered(escucha, incident)
    number = heard(escucha, ASKS)
    assert escucha.draft().incident_id is None
    with escucha.store.write() as tx:
        found = incidents.get(tx, incident.id)
        incident_life.attach(tx, found, mentions.get(tx, number), why="", by="ana", now=escucha.clock())
    escucha.main.decide()
    (own,) = escucha.drafts(DraftState.APPROVED)
    assert own.incident_id == incident.id
    with escucha.store.write() as tx:
        incident_life.detach(tx, incidents.get(tx, incident.id), number, by="ana", now=escucha.clock())
        assert inbox.get(tx, own.id).reason == f"M{number} is of I1 no more"
    escucha.main.decide()
    escucha.main.act()
    assert escucha.answers() == []
    (left,) = escucha.drafts(DraftState.PROPOSED)
    assert left.incident_id is None


def test_a_thank_you_that_was_approved_before_it_goes_back_to_people(escucha: Escucha) -> None:
    heard(escucha, THANKS)
    assert escucha.draft().state is DraftState.APPROVED
    incident = opened(escucha)
    escucha.round()
    draft = escucha.draft()
    assert escucha.answers() == []
    assert (draft.state, draft.automatic, draft.decided_by) == (DraftState.PROPOSED, False, None)
    assert draft.reason == "I1 lasts, and meanwhile nothing but its answer goes out alone"
    with escucha.store.read() as tx:
        assert audit.about(tx, f"draft {draft.id}")[-1].detail["reason"] == draft.reason
    escucha.approve(draft)
    escucha.round()
    assert len(escucha.answers()) == 1, "a person may still send it"
    over(escucha, incident)
    heard(escucha, THANKS, who="beto")
    escucha.round()
    assert len(escucha.answers()) == 2, "after it all is as ever"


def test_an_incident_that_holds_nothing_lets_it_go(escucha: Escucha) -> None:
    heard(escucha, THANKS)
    opened(escucha, holds_replies=False)
    escucha.round()
    assert len(escucha.answers()) == 1


def test_a_withdrawn_answer_is_not_sent_and_another_takes_its_place(escucha: Escucha) -> None:
    incident = opened(escucha)
    first, second = answered(escucha, incident)
    heard(escucha, ASKS, of=incident)
    draft = escucha.draft()
    assert draft.state is DraftState.APPROVED
    used = first if draft.wording == first.wording else second
    with escucha.store.write() as tx:
        assert incident_answers.withdraw(tx, incident, [used], by="eva", now=escucha.clock()) == 1
        with pytest.raises(AlreadyDone, match="withdrawn already, by eva"):
            incident_answers.withdraw(tx, incident, [used], by="eva", now=escucha.clock())
    stopped = next(one for one in escucha.drafts() if one.id == draft.id)
    assert (stopped.state, stopped.automatic) == (DraftState.PROPOSED, False)
    with escucha.store.write() as tx, pytest.raises(Stale, match="outdated: the answer of I1"):
        inbox.approve(tx, stopped, by="mod", now=escucha.clock())
    escucha.round()
    escucha.round()
    ((_, said),) = escucha.answers()
    assert said.partition(" ")[2].startswith("Lo sabemos" if used is second else "Estamos en ello")
    assert {one.state for one in escucha.drafts()} == {DraftState.EXPIRED, DraftState.SENT}


def test_what_a_person_wrote_of_an_answer_stays_theirs(escucha: Escucha) -> None:
    incident = opened(escucha)
    answers = answered(escucha, incident)
    heard(escucha, ASKS, of=incident)
    with escucha.store.write() as tx:
        draft = inbox.edit(tx, escucha.draft(), text="Hoy no.", length=7, by="mod", now=escucha.clock())
        assert incident_answers.withdraw(tx, incident, answers, by="eva", now=escucha.clock()) == 0
        inbox.approve(tx, draft, by="mod", now=escucha.clock())
    escucha.round()
    assert [text.partition(" ")[2] for _, text in escucha.answers()] == ["Hoy no."]


def test_when_it_is_over_its_answer_goes_out_no_more(escucha: Escucha) -> None:
    incident = opened(escucha)
    answered(escucha, incident)
    number = heard(escucha, ASKS, of=incident)
    over(escucha, incident)
    escucha.round()
    escucha.round()
    ((_, said),) = escucha.answers()
    assert "Hola, lo vemos en" in said
    assert guards(escucha, number) == set()


def test_one_that_is_over_between_two_looks_stops_what_was_approved(escucha: Escucha) -> None:
    incident = opened(escucha)
    answered(escucha, incident)
    heard(escucha, ASKS, of=incident)
    with escucha.store.write() as tx:
        became = {"state": IncidentState.RESOLVED.value}
        incidents.record(tx, incidents.get(tx, incident.id), "resolved", by="a", now=escucha.clock(), became=became)
    escucha.main.act()
    assert escucha.answers() == []
    assert escucha.draft().reason == "I1, whose answer it is, is resolved"


STEPS = st.lists(
    st.sampled_from(["thanks", "asks", "its", "open", "answer", "withdraw", "over", "act", "decide", "person"]),
    min_size=4,
    max_size=14,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_nothing_but_its_answer_goes_out_alone_whatever_the_order(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        escucha = Escucha(Path(folder), policy=CHEERFUL)
        try:
            _play(escucha, steps)
        finally:
            escucha.close()


def _play(escucha: Escucha, steps: list[str]) -> None:
    incident: Incident | None = None
    by_hand: set[int] = set()
    live: list[Answer] = []
    for number, step in enumerate([*steps, "act"]):
        who = f"u{number}"
        if step == "open" and incident is None:
            incident = opened(escucha)
        elif step == "over" and incident is not None:
            over(escucha, incident)
            incident, live = None, []
        elif step == "answer" and incident is not None and not live:
            live = answered(escucha, incident)
        elif step == "withdraw" and incident is not None and live:
            with escucha.store.write() as tx:
                incident_answers.withdraw(tx, incident, live[:1], by="eva", now=escucha.clock())
            live = live[1:]
        elif step in ("thanks", "asks", "its"):
            heard(escucha, THANKS if step == "thanks" else ASKS, who=who, of=incident if step == "its" else None)
        elif step == "person":
            for draft in escucha.drafts(DraftState.PROPOSED)[:1]:
                with escucha.store.write() as tx:
                    try:
                        inbox.approve(tx, draft, by="mod", now=escucha.clock())
                        by_hand.add(draft.id)
                    except Stale:
                        assert draft.incident_id
        elif step == "decide":
            escucha.main.decide()
        elif step == "act":
            before = {draft.id for draft in escucha.drafts(DraftState.SENT)}
            escucha.main.act()
            for draft in escucha.drafts(DraftState.SENT):
                if draft.id in before or draft.id in by_hand:
                    continue
                assert draft.automatic
                if incident is None:
                    assert draft.incident_id is None
                else:
                    assert draft.incident_id == incident.id
                    assert draft.wording in {answer.wording for answer in live}


# --- scheduled cheer -------------------------------------------------------------------------------------------------


def scheduled_cheer(escucha: Escucha, *texts: str, kind: NoticeKind = NoticeKind.CHEER, hours: float = 1) -> int:
    """A notice that was approved and goes out by itself in an hour; gives its number."""
    now = escucha.clock()
    variants = [
        notices.Variant(account="care", network="sandbox", language=f"l{at}", text=text, length=len(text), limit=500)
        for at, text in enumerate(texts)
    ]
    with escucha.store.write() as tx:
        notice = notices.draft(tx, title="Feliz lunes", variants=variants, kind=kind, by="marta", now=now)
        due = now + timedelta(hours=hours)
        late = due + timedelta(hours=6)
        notice = scheduled.schedule(tx, notice, due_at=due, zone="UTC", late_after=late, by="marta", now=now)
        return notices.approve(tx, notice, by="luis", now=now).id


def told(escucha: Escucha) -> list[tuple[str, str, bool]]:
    with escucha.store.read() as tx:
        return [(f"N{each.notice.id}", each.why, each.ahead) for each in held_notices.held(tx, escucha.clock())]


def said(escucha: Escucha) -> list[str]:
    return [text for _, text in escucha.answers()]


def test_scheduled_cheer_is_held_and_marketing_sees_it(escucha: Escucha) -> None:
    cheer = scheduled_cheer(escucha, "¡Feliz lunes!")
    scheduled_cheer(escucha, "Cerramos a las seis.", kind=NoticeKind.NOTICE)
    assert told(escucha) == []
    incident = opened(escucha)
    assert told(escucha) == [(f"N{cheer}", "I1 lasts, and holds cheer back", True)]
    for _ in range(3):
        escucha.clock.forward(minutes=25)
        escucha.main.release()
        escucha.main.act()
    assert said(escucha) == ["Cerramos a las seis."]
    assert told(escucha) == [(f"N{cheer}", "I1 lasts, and holds cheer back", False)]
    over(escucha, incident)
    escucha.main.release()
    escucha.main.act()
    assert said(escucha) == ["Cerramos a las seis.", "¡Feliz lunes!"]
    assert told(escucha) == []


def test_cheer_that_is_half_out_stops_at_the_claim(escucha: Escucha) -> None:
    number = scheduled_cheer(escucha, "¡Feliz lunes!", "Happy Monday!")
    escucha.clock.forward(hours=2)
    escucha.main.release()
    with escucha.store.read() as tx:
        first, second = notices.get(tx, number).deliveries
    with escucha.store.write() as tx:
        assert notices.claim(tx, first, escucha.clock())
    opened(escucha)
    with escucha.store.write() as tx:
        assert not notices.claim(tx, second, escucha.clock())
    assert told(escucha) == [(f"N{number}", "I1 lasts, and holds cheer back", False)]


def test_an_incident_that_holds_no_cheer_lets_it_out(escucha: Escucha) -> None:
    scheduled_cheer(escucha, "¡Feliz lunes!")
    opened(escucha, holds_cheer=False)
    escucha.clock.forward(hours=2)
    escucha.main.release()
    escucha.main.act()
    assert said(escucha) == ["¡Feliz lunes!"]


def test_what_was_approved_goes_back_to_people_the_moment_it_is_resolved(escucha: Escucha) -> None:
    incident = opened(escucha)
    answered(escucha, incident)
    heard(escucha, ASKS, of=incident)
    assert escucha.draft().state is DraftState.APPROVED
    over(escucha, incident)
    draft = escucha.draft()
    assert (draft.state, draft.reason) == (DraftState.PROPOSED, "I1, whose answer it is, is resolved")
