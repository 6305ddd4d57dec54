"""Which mentions are of which incident, why, and who undid it. A row is never changed but to undo it.

A mention is of one incident at most (the database sees to it), and what its author deleted is counted no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Row, distinct, func, select, update

from listener.store import Transaction, sight, upsert
from listener.store import tables as t
from listener.types import Attached, CaseState, MentionState

if TYPE_CHECKING:
    from listener.store.incidents import Incident

DAEMON = "daemon"  # undoes what no longer holds; what a person undid comes back by no rule
_CURRENT = t.incident_mentions.c.undone_at.is_(None)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A mention of an incident, with why. `score` is how alike in meaning it is, None where something else said so."""

    id: int
    incident_id: int
    mention_id: int
    how: Attached
    why: str
    score: float | None
    at: datetime
    by: str
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """How many an incident hits. `people` are accounts, those of one customer counted once; `gone` was deleted."""

    mentions: int
    gone: int
    people: int
    customers: int
    networks: Mapping[str, int]
    hows: Mapping[str, int]
    cases: Mapping[str, int]  # its parts, by state
    answered: int  # of the people, who got an answer from us


def attach(
    tx: Transaction,
    incident: Incident,
    mention_id: int,
    *,
    how: Attached,
    why: str,
    by: str,
    now: datetime,
    score: float | None = None,
) -> bool:
    """Counts the mention to the incident; whether it was of none before. Whoever is first wins."""
    row = {"incident_id": incident.id, "mention_id": mention_id, "how": how.value, "why": why, "score": score}
    values = {**row, "at": now, "by": by}
    # the partial index alone can be in the way: a row that was undone is no obstacle
    return bool(tx.execute(upsert(tx, t.incident_mentions).values(**values).on_conflict_do_nothing()).rowcount)


def attach_all(
    tx: Transaction,
    incident: Incident,
    found: Sequence[tuple[int, Attached, str, float | None]],
    *,
    by: str,
    now: datetime,
) -> int:
    """The same of many at once: of each mention how, why and how alike; gives how many were of none before."""
    if not found:
        return 0
    rows = [
        {"incident_id": incident.id, "mention_id": mention_id, "how": how.value, "why": why, "score": score,
         "at": now, "by": by}
        for mention_id, how, why, score in found
    ]  # fmt: skip
    return tx.execute(upsert(tx, t.incident_mentions).values(rows).on_conflict_do_nothing()).rowcount


def followers(tx: Transaction, incident: Incident, case_ids: Collection[int]) -> list[tuple[int, str]]:
    """What was said in these cases after what is of the incident for its own sake, and is of nothing: each mention with
    its case's reference. Not what a person took off it."""
    inside, columns, heard = t.case_mentions.c, t.incident_mentions.c, t.mentions.c
    joined = t.case_mentions.join(t.mentions, heard.id == inside.mention_id)
    of_it = (columns.incident_id == incident.id, columns.how != Attached.CASE.value, _CURRENT)
    source = joined.join(t.incident_mentions, columns.mention_id == inside.mention_id)
    query = select(inside.case_id, func.min(heard.posted_at)).select_from(source)
    query = query.where(inside.case_id.in_(case_ids), *of_it).group_by(inside.case_id)
    first = {case_id: posted_at for case_id, posted_at in tx.execute(query)}
    told = select(inside.case_id, inside.mention_id, heard.posted_at, t.cases.c.reference).select_from(
        joined.join(t.cases, t.cases.c.id == inside.case_id)
    )
    there = (inside.case_id.in_(list(first)), heard.state != MentionState.GONE.value)
    later = [row for row in tx.execute(told.where(*there)) if row.posted_at > first[row.case_id]]
    ids = [row.mention_id for row in later]
    of, taken_off = current(tx, ids), refused(tx, ids)
    return [
        (row.mention_id, row.reference)
        for row in later
        if row.mention_id not in of and incident.id not in taken_off.get(row.mention_id, ())
    ]


def detach(tx: Transaction, incident: Incident, mention_id: int, *, by: str, now: datetime) -> bool:
    """Counts the mention to the incident no more; whether it was of it."""
    columns = t.incident_mentions.c
    where = (columns.incident_id == incident.id, columns.mention_id == mention_id, _CURRENT)
    return bool(tx.execute(update(t.incident_mentions).where(*where).values(undone_at=now, undone_by=by)).rowcount)


def detach_all(tx: Transaction, incident: Incident, *, by: str, now: datetime) -> int:
    """Counts nothing to the incident any more; gives how many mentions were of it."""
    where = (t.incident_mentions.c.incident_id == incident.id, _CURRENT)
    return tx.execute(update(t.incident_mentions).where(*where).values(undone_at=now, undone_by=by)).rowcount


def incident_of(tx: Transaction, mention_id: int) -> int | None:
    """The number of the incident that the mention is of; None where it is of none."""
    found: int | None = tx.scalar(
        select(t.incident_mentions.c.incident_id).where(t.incident_mentions.c.mention_id == mention_id, _CURRENT)
    )
    return found


def current(tx: Transaction, mention_ids: Collection[int]) -> dict[int, Attachment]:
    """By mention, what it is of now; only those that are of something."""
    query = select(t.incident_mentions).where(t.incident_mentions.c.mention_id.in_(mention_ids), _CURRENT)
    return {row.mention_id: _attachment(row) for row in tx.execute(query)}


def refused(tx: Transaction, mention_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """By mention, the incidents that a person took it off, which no rule undoes; only those with any."""
    columns = t.incident_mentions.c
    query = select(columns.mention_id, columns.incident_id).where(
        columns.mention_id.in_(mention_ids), columns.undone_at.is_not(None), columns.undone_by != DAEMON
    )
    found: dict[int, set[int]] = {}
    for row in tx.execute(query):
        found.setdefault(row.mention_id, set()).add(row.incident_id)
    return {mention: frozenset(incidents) for mention, incidents in found.items()}


def ever(tx: Transaction, mention_ids: Collection[int]) -> set[int]:
    """Those of these mentions that are, or were, of any incident."""
    columns = t.incident_mentions.c
    return set(tx.scalars(select(columns.mention_id).where(columns.mention_id.in_(mention_ids)).distinct()))


def history_of(tx: Transaction, mention_id: int) -> list[Attachment]:
    """All that the mention was ever of, oldest first."""
    query = select(t.incident_mentions).where(t.incident_mentions.c.mention_id == mention_id)
    return [_attachment(row) for row in tx.execute(query.order_by(t.incident_mentions.c.id))]


def mentions_of(
    tx: Transaction, incident_id: int, *, hows: Sequence[Attached] = (), after: int = 0, limit: int | None = None
) -> list[Attachment]:
    """The mentions of the incident that are still there, in the order in which they came to it.

    `after`: only what came after the attachment with that id.
    """
    query = _here(select(t.incident_mentions), incident_id).where(t.incident_mentions.c.id > after)
    if hows:
        query = query.where(t.incident_mentions.c.how.in_([how.value for how in hows]))
    return [_attachment(row) for row in tx.execute(query.order_by(t.incident_mentions.c.id).limit(limit))]


def current_of(tx: Transaction, incident_id: int, *, limit: int) -> list[int]:
    """Mentions of the incident, deleted ones too, in the order in which they came to it."""
    columns = t.incident_mentions.c
    query = select(columns.mention_id).where(columns.incident_id == incident_id, _CURRENT)
    return list(tx.scalars(query.order_by(columns.id).limit(limit)))


def newest_of(tx: Transaction, incident_id: int, *, hows: Sequence[Attached], limit: int) -> list[int]:
    """The mentions that came to the incident last in those ways and are still there, as they were then.

    What its author says in its place since is not what anybody attached.
    """
    columns, before = t.incident_mentions.c, t.revisions.c
    edited = select(before.id).where(before.mention_id == columns.mention_id, before.replaced_at >= columns.at).exists()
    query = _here(select(columns.mention_id), incident_id).where(columns.how.in_([how.value for how in hows]), ~edited)
    return list(tx.scalars(query.order_by(columns.id.desc()).limit(limit)))


def joined(tx: Transaction, incident_id: int, mention_ids: Collection[int], *, now: datetime) -> None:
    """The cases of these mentions were seen to."""
    columns = t.incident_mentions.c
    where = (columns.incident_id == incident_id, columns.mention_id.in_(mention_ids), _CURRENT)
    tx.execute(update(t.incident_mentions).where(*where).values(joined_at=now))


def to_join(tx: Transaction, incident_id: int, limit: int) -> list[tuple[int, int | None]]:
    """Mentions of the incident whose cases nobody has seen to yet, each with the newest case that it is in."""
    columns, inside = t.incident_mentions.c, t.case_mentions.c
    newest = select(func.max(inside.case_id)).where(inside.mention_id == columns.mention_id).scalar_subquery()
    where = (columns.incident_id == incident_id, columns.joined_at.is_(None), _CURRENT)
    rows = tx.execute(select(columns.mention_id, newest).where(*where).order_by(columns.id).limit(limit))
    return [(mention_id, case_id) for mention_id, case_id in rows]


def in_case(tx: Transaction, incident_id: int, case_id: int, *, but: int = 0) -> bool:
    """Whether a mention of that case, another than `but`, is of the incident for its own sake."""
    columns, inside = t.incident_mentions.c, t.case_mentions.c
    query = select(columns.id).join(t.case_mentions, inside.mention_id == columns.mention_id)
    itself = (columns.how != Attached.CASE.value, columns.mention_id != but, _CURRENT)
    here = (inside.case_id == case_id, columns.incident_id + 0 == incident_id)  # `+ 0`: by the case, which has few
    return tx.scalar(query.where(*here, *itself).limit(1)) is not None


def detach_followers(tx: Transaction, incident_id: int, case_id: int, *, now: datetime) -> None:
    """Counts no more what came to the incident only with that case."""
    inside = select(t.case_mentions.c.mention_id).where(t.case_mentions.c.case_id == case_id)
    columns = t.incident_mentions.c
    where = (
        columns.incident_id + 0 == incident_id,
        columns.how == Attached.CASE.value,
        columns.mention_id.in_(inside),
        _CURRENT,
    )
    tx.execute(update(t.incident_mentions).where(*where).values(undone_at=now, undone_by=DAEMON))


def outside(tx: Transaction, incident: Incident, limit: int) -> list[int]:
    """Mentions that rules attached and that were posted before it began, or after it ended."""
    posted, columns = t.mentions.c.posted_at, t.incident_mentions.c
    by_rule = columns.how.in_([Attached.RULE.value, Attached.MEANING.value])
    wrong = posted < incident.began_at
    if incident.ended_at is not None:
        wrong = wrong | (posted > incident.ended_at)
    return list(tx.scalars(_here(select(columns.mention_id), incident.id).where(by_rule, wrong).limit(limit)))


def open_to_read(tx: Transaction, mention_ids: Collection[int]) -> set[int]:
    """Those of them whose words whoever acts may read."""
    return set(tx.scalars(select(t.mentions.c.id).where(t.mentions.c.id.in_(mention_ids), *sight.heard(tx))))


def place_of(tx: Transaction, incident_id: int, mention_id: int) -> int:
    """Where the mention stands among those of the incident, for `after`; 0 where it never was of it."""
    columns = t.incident_mentions.c
    query = select(func.max(columns.id)).where(columns.incident_id == incident_id, columns.mention_id == mention_id)
    return int(tx.scalar(query) or 0)


def count(tx: Transaction, incident_id: int) -> int:
    """How many mentions of the incident are still there."""
    return int(tx.scalar(_here(select(func.count()), incident_id)) or 0)


def numbers(tx: Transaction, incident: Incident) -> Numbers:
    """How many the incident hits, counted now."""
    by_how = _here(select(t.incident_mentions.c.how, func.count()), incident.id).group_by(t.incident_mentions.c.how)
    by_network = _here(select(t.mentions.c.network, func.count()), incident.id).group_by(t.mentions.c.network)
    hows = {how: count for how, count in tx.execute(by_how)}
    cases = {state.value: 0 for state in CaseState}
    if incident.case_id is not None:
        here = (t.cases.c.parent_id == incident.case_id, t.cases.c.merged_into.is_(None))
        parts = select(t.cases.c.state, func.count()).where(*here)
        cases |= {state: count for state, count in tx.execute(parts.group_by(t.cases.c.state))}
    everything = select(func.count()).where(t.incident_mentions.c.incident_id == incident.id, _CURRENT)
    mentions = sum(hows.values())
    people, customers, answered = _people(tx, incident.id)
    return Numbers(
        mentions=mentions,
        gone=int(tx.scalar(everything) or 0) - mentions,
        people=people,
        customers=customers,
        networks={network: count for network, count in tx.execute(by_network)},
        hows=hows,
        cases=cases,
        answered=answered,
    )


def _people(tx: Transaction, incident_id: int) -> tuple[int, int, int]:
    """How many people, how many of them customers, and how many got an answer from us to one of these mentions."""
    customer = t.links.c.customer_id
    # customers and accounts have numbers of their own: the accounts' are made negative to keep them apart
    person = func.coalesce(customer, -t.mentions.c.account_id)
    sent = select(t.drafts.c.mention_id).where(t.drafts.c.sent_at.is_not(None)).correlate(None)
    joined = _here(select(func.count(distinct(person)), func.count(distinct(customer))), incident_id, linked=True)
    people, customers = tx.execute(joined).one()
    answered = _here(select(func.count(distinct(person))), incident_id, linked=True).where(
        t.incident_mentions.c.mention_id.in_(sent)
    )
    return int(people), int(customers), int(tx.scalar(answered) or 0)


def _here(query: Any, incident_id: int, *, linked: bool = False) -> Any:
    """Of the incident's mentions, only those that are still there."""
    source: Any = t.incident_mentions.join(t.mentions, t.mentions.c.id == t.incident_mentions.c.mention_id)
    if linked:
        theirs = (t.links.c.account_id == t.mentions.c.account_id) & t.links.c.unlinked_at.is_(None)
        source = source.outerjoin(t.links, theirs)
    where: list[ColumnElement[bool]] = [t.incident_mentions.c.incident_id == incident_id, _CURRENT]
    return query.select_from(source).where(*where, t.mentions.c.state != MentionState.GONE.value)


def _attachment(row: Row[Any]) -> Attachment:
    names = [name for name in Attachment.__dataclass_fields__ if name != "how"]
    return Attachment(how=Attached(row.how), **{name: getattr(row, name) for name in names})
