"""What is said to those whom an incident hits: short answers in several variants by language, each approved or not.

A row is never changed but to approve or to withdraw it. Withdrawing an answer, and the end of its incident, put before
the policy once more the mentions for which it was proposed; what a person has edited stays theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, cases, close_gate, inbox, incidents, users
from listener.store import tables as t
from listener.store.incidents import Incident
from listener.store.mentions import decide_again
from listener.types import CaseState, DraftState, wording_key


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One variant in one language; `text` is a template. It is said once approved, and until it is withdrawn."""

    id: int
    incident_id: int
    language: str
    text: str
    wording: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None

    @property
    def reference(self) -> str:
        """How people call it."""
        return f"A{self.id}"

    @property
    def state(self) -> str:
        """`proposed`, `approved` or `withdrawn`."""
        return "withdrawn" if self.withdrawn_at else "approved" if self.approved_at else "proposed"


def propose(
    tx: Transaction, incident: Incident, texts: Sequence[tuple[str, str]], *, by: str, now: datetime, two_people: bool
) -> list[Answer]:
    """Writes variants down, as (language, text); gives them. They are said once a second person approves them.

    Where no `two_people` are asked for, they are approved as they are written. Raises AlreadyDone where one is there.
    """
    _check_open(incident)
    live = {(each.language, each.wording): each for each in of(tx, incident.id) if each.state != "withdrawn"}
    made: list[int] = []
    approved = {} if two_people else {"approved_by": by, "approved_at": now}
    for language, text in texts:
        key = wording_key(text)
        if other := live.get((language, key)):
            raise AlreadyDone(f"{other.reference} of {incident.reference} says the same, and is {other.state}.")
        values = {"incident_id": incident.id, "language": language, "text": text, "wording": key}
        values |= {"proposed_by": by, "proposed_at": now, **approved}
        statement = insert(t.incident_answers).values(**values).returning(t.incident_answers.c.id)
        made.append(int(tx.execute(statement).scalar_one()))
    if not two_people:
        _renew(tx, incident)
    answers = [get(tx, number) for number in made]
    _record(tx, incident, "answers_proposed" if two_people else "answers_approved", answers, by=by, now=now)
    return answers


def approve(
    tx: Transaction, incident: Incident, answers: Sequence[Answer], *, by: str, now: datetime, two_people: bool
) -> list[Answer]:
    """Lets them be said. Raises Mistake for whoever wrote one where a second person must, AlreadyDone when late."""
    _check_open(incident)
    for answer in answers:
        if two_people and users.same_person(by, answer.proposed_by):
            raise Mistake(f"{answer.reference} was written by {by}: somebody else must approve it.")
        columns = t.incident_answers.c
        waiting = (columns.id == answer.id, columns.approved_at.is_(None), columns.withdrawn_at.is_(None))
        if not tx.execute(update(t.incident_answers).where(*waiting).values(approved_by=by, approved_at=now)).rowcount:
            raise AlreadyDone(f"{answer.reference} is {get(tx, answer.id).state} already.")
    _renew(tx, incident)
    _record(tx, incident, "answers_approved", answers, by=by, now=now)
    return [get(tx, answer.id) for answer in answers]


def withdraw(tx: Transaction, incident: Incident, answers: Sequence[Answer], *, by: str, now: datetime) -> int:
    """Stops their use at once; gives how many replies made from them, not yet on their way, were stopped or drop out.

    Raises AlreadyDone where one was withdrawn before.
    """
    close_gate(tx)
    for answer in answers:
        where = (t.incident_answers.c.id == answer.id, t.incident_answers.c.withdrawn_at.is_(None))
        if not tx.execute(update(t.incident_answers).where(*where).values(withdrawn_by=by, withdrawn_at=now)).rowcount:
            raise AlreadyDone(f"{answer.reference} was withdrawn already, by {get(tx, answer.id).withdrawn_by}.")
    why = f"the answer of {incident.reference} that it was made from was withdrawn"
    stopped = stop(tx, incident, why=why, now=now, wordings=[answer.wording for answer in answers])
    _record(tx, incident, "answers_withdrawn", answers, by=by, now=now, stopped=stopped)
    return stopped


def came(tx: Transaction, incident: Incident, mention_id: int) -> None:
    """The mention came to the incident: what was proposed for it, and nobody has touched, gives way to the answer."""
    if incident.lasts and approved(tx, [incident.id]):
        _renew(tx, incident, mention_id)


def left(tx: Transaction, incident: Incident, mention_id: int, *, now: datetime) -> None:
    """The mention is of the incident no more, and is not told the incident's answer."""
    stop(tx, incident, why=f"M{mention_id} is of {incident.reference} no more", now=now, mention_id=mention_id)


def stop(
    tx: Transaction,
    incident: Incident,
    *,
    why: str,
    now: datetime,
    wordings: Collection[str] | None = None,
    mention_id: int | None = None,
) -> int:
    """Keeps what was made from an incident's answers from going out, of those `wordings` or of any; gives how many.

    `mention_id`: only what answers that mention.

    What was approved goes back to people. What nobody has touched is put before the policy once more, for another
    answer, or an ordinary one.
    """
    columns = t.drafts.c
    where = [columns.incident_id == incident.id, columns.wording != ""]
    where += [columns.wording.in_(wordings)] if wordings is not None else []
    where += [columns.mention_id == mention_id] if mention_id is not None else []
    states = (DraftState.PROPOSED.value, DraftState.APPROVED.value)
    rows = tx.execute(inbox.joined().where(*where, columns.state.in_(states)).order_by(columns.id)).all()
    for row in rows:
        draft = inbox.from_row(row)
        if draft.state is DraftState.APPROVED:
            inbox.held_back(tx, draft, why, now=now)
        _decide_anew(tx, draft.mention_id)
    return len(rows)


def _renew(tx: Transaction, incident: Incident, only: int | None = None) -> None:
    """Has what was proposed for its mentions before there was an answer, and nobody has touched, decided anew."""
    drafts, inside = t.drafts.c, t.incident_mentions.c
    query = select(drafts.mention_id).join(t.incident_mentions, inside.mention_id == drafts.mention_id)
    untouched = (drafts.state == DraftState.PROPOSED.value, drafts.edit == 1, drafts.incident_id.is_(None))
    theirs = [inside.incident_id == incident.id, inside.undone_at.is_(None)]
    theirs += [drafts.mention_id == only] if only is not None else []
    by_itself = (drafts.channel == "", drafts.answer_run_id.is_(None))  # neither a mail of somebody's nor of a run
    for mention_id in tx.scalars(query.where(*untouched, *theirs, *by_itself).order_by(drafts.mention_id)).all():
        _decide_anew(tx, mention_id)


def _decide_anew(tx: Transaction, mention_id: int) -> None:
    case = cases.of_mention(tx, mention_id)
    if case is None or (case.state is CaseState.OPEN and case.snoozed_until is None):
        decide_again(tx, mention_id)  # a case that waits would take it for a new word of its person


def of(tx: Transaction, incident_id: int) -> list[Answer]:
    """All variants that were ever written for the incident, oldest first."""
    query = select(t.incident_answers).where(t.incident_answers.c.incident_id == incident_id)
    return [_answer(row) for row in tx.execute(query.order_by(t.incident_answers.c.id))]


def get(tx: Transaction, answer_id: int) -> Answer:
    """The answer of that number. Raises NotFound."""
    row = tx.execute(select(t.incident_answers).where(t.incident_answers.c.id == answer_id)).first()
    if row is None:
        raise NotFound(f"There is no answer A{answer_id}; see `escucha incident say I3`.")
    return _answer(row)


def approved(tx: Transaction, incident_ids: Collection[int]) -> Mapping[int, Mapping[str, tuple[str, ...]]]:
    """What may be said now, by incident and language, the oldest first; only of incidents with any."""
    if not incident_ids:
        return {}
    columns = t.incident_answers.c
    where = (columns.incident_id.in_(incident_ids), columns.approved_at.is_not(None), columns.withdrawn_at.is_(None))
    found: dict[int, dict[str, tuple[str, ...]]] = {}
    for row in tx.execute(select(t.incident_answers).where(*where).order_by(columns.id)):
        texts = found.setdefault(row.incident_id, {})
        texts[row.language] = (*texts.get(row.language, ()), row.text)
    return found


def _check_open(incident: Incident) -> None:
    if not incident.lasts and incident.state != "proposed":
        raise Mistake(f"{incident.reference} is {incident.state}; nothing is said for it any more.")


def _record(
    tx: Transaction, incident: Incident, kind: str, answers: Sequence[Answer], *, by: str, now: datetime, **told: Any
) -> None:
    named = [answer.reference for answer in answers]
    incidents.record(tx, incidents.hold(tx, incident.id), kind, by=by, now=now, answers=named, **told)


def _answer(row: Row[Any]) -> Answer:
    return Answer(**{name: getattr(row, name) for name in Answer.__dataclass_fields__})
