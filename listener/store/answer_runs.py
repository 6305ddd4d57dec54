"""Runs that answer everybody of an incident: who gets which words, once each.

An answer `holds` its person, by account and by customer, for the incident: the database lets nobody be held twice, over
however many runs. What can never go out any more holds nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, bindparam, case, delete, exists, func, insert, or_, select, update

from listener.errors import AlreadyDone, NotFound, Stale
from listener.store import Transaction, audit, erasing
from listener.store import tables as t
from listener.store.audit import Entry
from listener.types import RUN_MOVES, DraftState, LeftOut, MentionState, RunState

OPEN = (RunState.DRAFTING, RunState.REVIEWING, RunState.APPROVED, RunState.RUNNING, RunState.STOPPED)
UNDERWAY = (DraftState.APPROVED, DraftState.SENDING, DraftState.UNKNOWN)
NEVER = (DraftState.EXPIRED, DraftState.REJECTED)  # what did not go out, and will not
TOGETHER = 250  # answers that become drafts in one transaction


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run. `per_hour`: how many go out in an hour on one network; `edit` grows with every change of its texts.

    `sample`: how many were read one by one before it was approved, None before; `seed`: which ones, drawn by chance.
    """

    id: int
    incident_id: int
    state: RunState
    by: str
    at: datetime
    approved_by: str | None
    approved_at: datetime | None
    per_hour: int
    sample: int | None
    seed: int
    policy_version: str
    edit: int
    started_at: datetime | None
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class NewAnswer:
    """One person's answer as it is drafted, or why there is none (`left_out`, and `why` in a sentence)."""

    mention_id: int
    revision: int
    account: str
    network: str
    account_id: int
    customer_id: int | None
    language: str = ""
    wording: str = ""
    text: str = ""
    length: int = 0
    length_limit: int = 0
    left_out: LeftOut | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer(NewAnswer):
    """The same as it is kept; `place`: its turn in the run. `draft`: how far it is, None before the run is approved."""

    id: int
    incident_id: int
    place: int
    draft_id: int | None
    draft: DraftState | None


def begin(
    tx: Transaction, *, incident_id: int, by: str, now: datetime, per_hour: int, policy_version: str, seed: int
) -> Run:
    """A run of that incident that is being drafted; one that nobody has approved yet is drafted anew.

    Raises AlreadyDone where another one is approved or under way.
    """
    tx.execute(select(t.incidents.c.id).where(t.incidents.c.id == incident_id).with_for_update())
    there = open_run(tx, incident_id)
    values = {"by": by, "at": now, "per_hour": per_hour, "policy_version": policy_version, "seed": seed}
    if there is None:
        new = insert(t.answer_runs).values(incident_id=incident_id, state=RunState.DRAFTING.value, edit=1, **values)
        return get(tx, int(tx.execute(new.returning(t.answer_runs.c.id)).scalar_one()))
    if there.state not in (RunState.DRAFTING, RunState.REVIEWING):
        raise AlreadyDone(f"The answers of I{incident_id} are {there.state} already.")
    clear(tx, there)
    drafted_anew = update(t.answer_runs).where(t.answer_runs.c.id == there.id)
    tx.execute(drafted_anew.values(state=RunState.DRAFTING.value, edit=there.edit + 1, reason=None, **values))
    return get(tx, there.id)


def clear(tx: Transaction, run: Run) -> None:
    """Forgets what a run that nobody has approved would say."""
    tx.execute(delete(t.answers).where(t.answers.c.answer_run_id == run.id))


def put(tx: Transaction, run: Run, answers: Sequence[NewAnswer], *, first: int) -> None:
    """Keeps answers of a run that is being drafted; `first`: the place of the first.

    Raises Stale when somebody else drafts it anew.
    """
    _hold(tx, run)
    rows = [
        asdict(each)
        | {
            "answer_run_id": run.id,
            "incident_id": run.incident_id,
            "place": first + number,
            "left_out": each.left_out.value if each.left_out else "",
            "holds": None if each.left_out else True,
        }
        for number, each in enumerate(answers)
    ]
    if rows:
        tx.execute(insert(t.answers), rows)


def _hold(tx: Transaction, run: Run) -> None:
    """Nobody else changes the run until the transaction ends. Raises Stale when somebody did since it was read."""
    columns = t.answer_runs.c
    mine = (columns.id == run.id, columns.edit == run.edit, columns.state == run.state.value)
    if not tx.execute(update(t.answer_runs).where(*mine).values(edit=run.edit)).rowcount:
        raise Stale(f"The answers of I{run.incident_id} were changed by somebody a moment ago; look again.")


def move(tx: Transaction, run: Run, to: RunState, *, by: str, now: datetime, **values: Any) -> Run:
    """One step of a run's life, won by whoever finds it as they read it. Raises Stale."""
    if to not in RUN_MOVES[run.state]:
        raise ValueError(f"a run does not go from {run.state} to {to}")
    _hold(tx, run)
    tx.execute(update(t.answer_runs).where(t.answer_runs.c.id == run.id).values(state=to.value, **values))
    told = {name: value for name, value in values.items() if isinstance(value, (int, str))}
    audit.record(tx, at=now, by=by, action=f"answers.{to}", subject=f"answers {run.id}", **told)
    return get(tx, run.id)


def get(tx: Transaction, run_id: int) -> Run:
    """The run of that number. Raises NotFound."""
    row = tx.execute(select(t.answer_runs).where(t.answer_runs.c.id == run_id)).first()
    if row is None:
        raise NotFound(f"There is no run {run_id} of answers.")
    return _run(row)


def open_run(tx: Transaction, incident_id: int) -> Run | None:
    """The incident's run that has not ended; there is one at most."""
    columns = t.answer_runs.c
    where = (columns.incident_id == incident_id, columns.state.in_([state.value for state in OPEN]))
    row = tx.execute(select(t.answer_runs).where(*where)).first()
    return _run(row) if row else None


def of_incident(tx: Transaction, incident_id: int) -> list[Run]:
    """Every run of the incident, oldest first."""
    query = select(t.answer_runs).where(t.answer_runs.c.incident_id == incident_id).order_by(t.answer_runs.c.id)
    return [_run(row) for row in tx.execute(query)]


def running(tx: Transaction) -> list[Run]:
    """The runs that send now, oldest first."""
    query = select(t.answer_runs).where(t.answer_runs.c.state == RunState.RUNNING.value).order_by(t.answer_runs.c.id)
    return [_run(row) for row in tx.execute(query)]


def answers_of(tx: Transaction, run_id: int) -> list[Answer]:
    """Everybody whom the run looked at, in its order."""
    return [_answer(row) for row in tx.execute(_joined().where(t.answers.c.answer_run_id == run_id))]


def answer(tx: Transaction, answer_id: int) -> Answer:
    """That answer. Raises NotFound."""
    row = tx.execute(_joined().where(t.answers.c.id == answer_id)).first()
    if row is None:
        raise NotFound("That answer is no longer there: the run was drafted anew.")
    return _answer(row)


def of_draft(tx: Transaction, draft_id: int) -> Answer | None:
    """The answer that became that draft."""
    row = tx.execute(_OF_DRAFT, {"draft": draft_id}).first()
    return _answer(row) if row else None


def counts(tx: Transaction, run_id: int) -> dict[str, int]:
    """How many answers of the run are how far: `left out`, `drafted` (no draft yet) or a draft's state."""
    columns = t.answers.c
    out = case((columns.left_out != "", "left out"), else_=func.coalesce(t.drafts.c.state, "drafted"))
    query = select(out, func.count()).select_from(t.answers.outerjoin(t.drafts, t.drafts.c.id == columns.draft_id))
    return {
        name: int(number) for name, number in tx.execute(query.where(columns.answer_run_id == run_id).group_by(out))
    }


def leave_out(tx: Transaction, run: Run, answer: Answer, *, why: str, by: str, now: datetime, left_out: LeftOut) -> Run:
    """Takes one person out of a run that is being reviewed; gives the run as it is then."""
    _hold(tx, run)
    values = {"left_out": left_out.value, "why": why, "holds": None, "text": ""}
    tx.execute(update(t.answers).where(t.answers.c.id == answer.id).values(**values))
    return _edited(tx, run, by=by, now=now, action="answers.left_out", mention=answer.mention_id, reason=why)


def reword(tx: Transaction, run: Run, answer: Answer, *, text: str, length: int, by: str, now: datetime) -> Run:
    """Changes one answer's words in a run that is being reviewed; gives the run as it is then."""
    _hold(tx, run)
    values = {"text": text, "length": length, "wording": ""}
    tx.execute(update(t.answers).where(t.answers.c.id == answer.id).values(**values))
    return _edited(tx, run, by=by, now=now, action="answers.reworded", mention=answer.mention_id)


def _edited(tx: Transaction, run: Run, *, by: str, now: datetime, action: str, **told: Any) -> Run:
    tx.execute(update(t.answer_runs).where(t.answer_runs.c.id == run.id).values(edit=run.edit + 1))
    audit.record(tx, at=now, by=by, action=action, subject=f"answers {run.id}", **told)
    return get(tx, run.id)


def place(tx: Transaction, run: Run, *, now: datetime) -> int:
    """Makes approved drafts of the next answers of an approved run; gives how many it went through, 0 at the end.

    What else was proposed to these people gives way. Who wrote anew, or deleted it, since the run was drafted is left
    out; what was answered meanwhile is seen when its turn comes.
    """
    _hold(tx, run)
    columns, said = t.answers.c, t.mentions.c
    waiting = (columns.answer_run_id == run.id, columns.left_out == "", columns.draft_id.is_(None))
    newest = (
        select(func.max(t.case_mentions.c.case_id))
        .where(t.case_mentions.c.mention_id == columns.mention_id)
        .scalar_subquery()
        .label("case_id")
    )
    query = (
        select(t.answers, said.state, said.revision.label("revision_now"), t.accounts.c.left_alone_at, newest)
        .join(t.mentions, said.id == columns.mention_id)
        .join(t.accounts, t.accounts.c.id == said.account_id)
        .where(*waiting)
        .order_by(columns.place)
        .limit(TOGETHER)
    )
    rows = tx.execute(query).all()
    standing = [row for row in rows if _stands(row)]
    _leave(tx, [row for row in rows if not _stands(row)])
    if standing:
        _give_way(tx, run, [row.mention_id for row in standing], now)
        keys = [uuid4().hex for _ in standing]
        drafts = [_draft(run, row, key, now) for row, key in zip(standing, keys, strict=True)]
        made = tx.execute(insert(t.drafts).returning(t.drafts.c.id, t.drafts.c.send_key), drafts)
        number = {row.send_key: row.id for row in made}
        became = [{"answer": row.id, "draft": number[key]} for row, key in zip(standing, keys, strict=True)]
        _become(tx, became)
        told = [
            Entry(
                at=now,
                by=run.approved_by or run.by,
                action="draft.approved",
                subject=f"draft {number[key]}",
                detail={"mention": row.mention_id, "run": run.id, "revision": row.revision},
            )
            for row, key in zip(standing, keys, strict=True)
        ]
        audit.record_all(tx, told)
    return len(rows)


def _stands(row: Row[Any]) -> bool:
    there = row.state != MentionState.GONE.value and row.revision == row.revision_now and bool(row.text)
    return there and row.left_alone_at is None


def _leave(tx: Transaction, rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        gone = row.state == MentionState.GONE.value
        left_out = LeftOut.GONE if gone else LeftOut.ALONE if row.left_alone_at else LeftOut.UNREAD
        values = {"left_out": left_out.value, "why": "since it was drafted", "holds": None, "text": ""}
        tx.execute(update(t.answers).where(t.answers.c.id == row.id).values(**values))


def _give_way(tx: Transaction, run: Run, mention_ids: Sequence[int], now: datetime) -> None:
    """Withdraws what else is proposed to these people, at their other mentions of the incident too."""
    others = select(t.answers.c.mention_id).where(
        t.answers.c.answer_run_id == run.id,
        t.answers.c.left_out == LeftOut.OTHER.value,
        or_(
            t.answers.c.account_id.in_(
                select(t.answers.c.account_id).where(
                    t.answers.c.answer_run_id == run.id, t.answers.c.mention_id.in_(mention_ids)
                )
            ),
            t.answers.c.customer_id.in_(
                select(t.answers.c.customer_id).where(
                    t.answers.c.answer_run_id == run.id, t.answers.c.mention_id.in_(mention_ids)
                )
            ),
        ),
    )
    all_of_theirs = [*mention_ids, *tx.scalars(others)]
    erasing.withdraw(tx, *all_of_theirs, reason="a newer draft took its place", now=now, answers_only=True)


def _draft(run: Run, row: Row[Any], key: str, now: datetime) -> dict[str, Any]:
    return {
        "mention_id": row.mention_id,
        "case_id": row.case_id,
        "send_key": key,
        "state": DraftState.APPROVED.value,
        "account": row.account,
        "text": row.text,
        "language": row.language,
        "template": "incident",
        "length": row.length,
        "length_limit": row.length_limit,
        "urgency_rank": 0,
        "queue_at": run.approved_at,
        "revision": row.revision,
        "policy_version": run.policy_version,
        "edit": 1,
        "proposed_at": now,
        "decided_by": run.approved_by,
        "decided_at": run.approved_at,
        "wording": row.wording,
        "answer_run_id": run.id,
    }


def _become(tx: Transaction, became: Sequence[dict[str, int]]) -> None:
    """The words stand in the drafts from now on, and nowhere twice."""
    statement = update(t.answers).where(t.answers.c.id == bindparam("answer"))
    tx.execute(statement.values(draft_id=bindparam("draft"), text=""), list(became))


def release(tx: Transaction, incident_id: int) -> None:
    """Lets go of people whose answer did not go out and never will, so that another run may answer them."""
    columns = t.answers.c
    never = select(t.drafts.c.id).where(t.drafts.c.state.in_([state.value for state in NEVER]))
    where = (columns.incident_id == incident_id, columns.holds.is_(True), columns.draft_id.in_(never))
    tx.execute(update(t.answers).where(*where).values(holds=None))


def expire(tx: Transaction, run: Run, *, reason: str, now: datetime) -> list[int]:
    """Gives up the next of what the run has not sent; the mentions that lost their answer so, none at the end."""
    drafts = t.drafts.c
    waiting = (drafts.answer_run_id == run.id, drafts.state == DraftState.APPROVED.value)
    rows = tx.execute(select(drafts.id, drafts.mention_id).where(*waiting).order_by(drafts.id).limit(TOGETHER)).all()
    ids = [row.id for row in rows]
    expired = {"state": DraftState.EXPIRED.value, "reason": reason, "edit": drafts.edit + 1}
    tx.execute(update(t.drafts).where(drafts.id.in_(ids), drafts.state == DraftState.APPROVED.value).values(**expired))
    entries = [
        Entry(at=now, by="daemon", action="draft.expired", subject=f"draft {number}", detail={"reason": reason})
        for number in ids
    ]
    audit.record_all(tx, entries)
    return [row.mention_id for row in rows]


def forget_words(tx: Transaction, run: Run) -> None:
    """Empties what a run that was dropped would have said, and lets its people go."""
    mine = (t.answers.c.answer_run_id == run.id, t.answers.c.draft_id.is_(None), t.answers.c.left_out == "")
    tx.execute(update(t.answers).where(*mine).values(text="", holds=None))


def bound_anew(tx: Transaction, run: Run, policy_version: str) -> None:
    """What has not gone out counts as approved under that policy."""
    drafts = t.drafts.c
    waiting = (drafts.answer_run_id == run.id, drafts.state == DraftState.APPROVED.value)
    tx.execute(update(t.drafts).where(*waiting).values(policy_version=policy_version, edit=drafts.edit + 1))
    tx.execute(update(t.answer_runs).where(t.answer_runs.c.id == run.id).values(policy_version=policy_version))


def undecided(tx: Transaction, run_id: int) -> bool:
    """Whether something of the run has yet to go out, or nobody knows whether it did."""
    drafts = t.drafts.c
    where = (drafts.answer_run_id == run_id, drafts.state.in_([state.value for state in UNDERWAY]))
    return tx.scalar(select(drafts.id).where(*where).limit(1)) is not None


def on_its_way(tx: Transaction, run_id: int) -> bool:
    """Whether one of its answers is being sent at this moment."""
    drafts = t.drafts.c
    where = (drafts.answer_run_id == run_id, drafts.state == DraftState.SENDING.value)
    return tx.scalar(select(drafts.id).where(*where).limit(1)) is not None


def others_held(answer: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether somebody is held by an answer that may be out: a condition about rows of `answers`."""
    out = (DraftState.SENDING.value, DraftState.SENT.value, DraftState.UNKNOWN.value)
    return exists().where(answer, t.drafts.c.id == t.answers.c.draft_id, t.drafts.c.state.in_(out))


def _joined() -> Any:
    joined = t.answers.outerjoin(t.drafts, t.drafts.c.id == t.answers.c.draft_id)
    words = func.coalesce(func.nullif(t.answers.c.text, ""), t.drafts.c.text, "").label("words")
    query = select(t.answers, t.drafts.c.state.label("draft"), words).select_from(joined)
    return query.order_by(t.answers.c.place)


_OF_DRAFT = _joined().where(t.answers.c.draft_id == bindparam("draft"))


def _run(row: Row[Any]) -> Run:
    values = {name: getattr(row, name) for name in Run.__dataclass_fields__}
    return Run(**values | {"state": RunState(row.state)})


def _answer(row: Row[Any]) -> Answer:
    values = {name: getattr(row, name) for name in Answer.__dataclass_fields__}
    draft = DraftState(row.draft) if row.draft else None
    left_out = LeftOut(row.left_out) if row.left_out else None
    return Answer(**values | {"draft": draft, "left_out": left_out, "text": row.words})
