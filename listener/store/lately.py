"""What passed between one person and us, on every account of theirs, and how they felt. Reads only.

Every question here is answered by an index and a limit: somebody who wrote a hundred thousand times costs as much as
somebody who wrote thrice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select, union_all

from listener.store import Transaction, cases, inbox, sight
from listener.store import tables as t
from listener.store.cases import Case
from listener.types import CaseState, DraftState, LinkBasis, MentionState, Sentiment

NEWEST = 200  # of what each account wrote, that is looked at for our answers and for their mood
ACCOUNTS = 20  # of one person that are looked at
CASES = 50  # of one person whose events are looked at
TOLD = ("opened", "resolved", "closed", "reopened", "escalated", "call")  # events that belong to what passed


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account of a person. `basis`: how we know that it is theirs; None where it is the one that wrote."""

    id: int
    network: str
    handle: str
    display_name: str
    basis: LinkBasis | None
    first_seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class Passed:
    """One thing that passed between us. `kind`: `said`, `answered`, `mail`, `dm`, or that of a case's event.

    `number`: of the mention or the draft, `mention` of what that answers; `case`: the reference, of an event.
    `gone`: they deleted it.
    """

    at: datetime
    kind: str
    network: str = ""
    by: str = ""
    text: str = ""
    number: int | None = None
    mention: int | None = None
    case: str = ""
    detail: dict[str, Any] | None = None
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Mood:
    """How one mention sounded: -1 is wholly negative, 1 wholly positive."""

    at: datetime
    mention: int
    value: float
    sentiment: Sentiment | None


def accounts(tx: Transaction, *, account_id: int | None, customer_id: int | None) -> list[Account]:
    """Every account of that person that we know, the one that wrote first."""
    c, linked = t.accounts.c, t.links.c
    current = (linked.account_id == c.id) & linked.unlinked_at.is_(None)
    mine = [c.id == account_id] if account_id is not None else []
    theirs = [linked.customer_id == customer_id] if customer_id is not None else []
    query = (
        select(c.id, c.network, c.handle, c.display_name, c.first_seen_at, linked.basis)
        .outerjoin(t.links, current)
        .where(or_(*mine, *theirs) if mine or theirs else false())
        .order_by((c.id != account_id) if account_id is not None else c.id, c.network, c.handle)
        .limit(ACCOUNTS)
    )
    return [
        Account(
            id=row.id,
            network=row.network,
            handle=row.handle,
            display_name=row.display_name,
            basis=LinkBasis(row.basis) if row.basis else None,
            first_seen_at=row.first_seen_at,
        )
        for row in tx.execute(query)
    ]


def said(tx: Transaction, account_ids: Sequence[int], *, limit: int, before: datetime | None = None) -> list[Passed]:
    """What these accounts wrote and may be seen, newest first; `before`: only what was posted before then."""
    c = t.mentions.c
    wanted = (c.id, c.network, c.posted_at, c.text, c.state)
    parts = []
    for account_id in account_ids:
        query = select(*wanted).where(c.account_id == account_id, *sight.heard(tx))
        query = query.where(c.posted_at < before) if before else query
        parts.append(_newest(query, limit))
    rows = tx.execute(_together(parts)).all() if parts else []
    found = [
        Passed(
            at=row.posted_at,
            kind="said",
            network=row.network,
            text=row.text,
            number=row.id,
            mention=row.id,
            gone=row.state == MentionState.GONE.value,
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: (each.at, each.number or 0), reverse=True)[:limit]


def answered(tx: Transaction, account_ids: Sequence[int], *, limit: int) -> list[Passed]:
    """What we sent to them and may be seen, newest first, among what we answered lately."""
    if not account_ids:
        return []
    inside = _lately(tx, account_ids)
    query = (
        inbox.joined()
        .where(t.drafts.c.mention_id.in_(inside), t.drafts.c.state.concat("") == DraftState.SENT.value, *sight.read(tx))
        .order_by(t.drafts.c.sent_at.desc(), t.drafts.c.id.desc())
        .limit(limit)
    )
    drafts = [inbox.from_row(row) for row in tx.execute(query)]
    return [
        Passed(
            at=draft.sent_at or draft.proposed_at,
            kind=draft.channel or "answered",
            network=draft.network,
            by=draft.decided_by or "",
            text=draft.text,
            number=draft.id,
            mention=draft.mention_id,
            gone=not draft.text,
        )
        for draft in drafts
    ]


def happened(tx: Transaction, found: Sequence[Case], *, limit: int) -> list[Passed]:
    """What happened to these cases and matters to their person, newest first."""
    references = {case.id: case.reference for case in found[:CASES]}
    if not references:
        return []
    c = t.case_events.c
    query = select(t.case_events).where(c.case_id.in_(list(references)), c.kind.in_(TOLD))
    return [
        Passed(
            at=row.at,
            kind=row.kind,
            by=row.by,
            text=str(row.detail.get("text") or row.detail.get("note") or ""),
            case=references[row.case_id],
            detail={name: value for name, value in row.detail.items() if name not in ("text", "note", "became")},
        )
        for row in tx.execute(query.order_by(c.id.desc()).limit(limit))
    ]


def moods(tx: Transaction, account_ids: Sequence[int], *, limit: int) -> list[Mood]:
    """How what they wrote sounded, oldest first, of the newest `limit`."""
    if not account_ids:
        return []
    u, m = t.understandings.c, t.mentions.c
    query = (
        select(m.id, m.posted_at, u.sentiment, u.sentiment_scores, u.id.label("read"))
        .join(t.understandings, (u.mention_id == m.id) & (u.revision == m.revision))
        .where(m.id.in_(_lately(tx, account_ids)))
        .order_by(m.posted_at.desc(), m.id.desc(), u.id.desc())
        .limit(2 * limit)  # a mention may have been read by more than one version of the model
    )
    found: dict[int, Mood] = {}
    for row in tx.execute(query):
        scores = row.sentiment_scores or {}
        value = float(scores.get("positive", 0.0)) - float(scores.get("negative", 0.0))
        sentiment = Sentiment(row.sentiment) if row.sentiment else None
        found.setdefault(row.id, Mood(at=row.posted_at, mention=row.id, value=value, sentiment=sentiment))
    return list(found.values())[:limit][::-1]


def cases_of(
    tx: Transaction,
    *,
    account_ids: Sequence[int],
    customer_id: int | None,
    states: Sequence[CaseState] = tuple(CaseState),
    limit: int = CASES,
) -> list[Case]:
    """That person's cases, newest first."""
    c = t.cases.c
    whose: list[ColumnElement[bool]] = []
    if account_ids:
        whose.append(c.account_id.in_(list(account_ids)) & c.customer_id.is_(None))
    if customer_id is not None:
        whose.append(c.customer_id == customer_id)
    if not whose:
        return []
    return cases.newest(tx, or_(*whose), c.state.in_([state.value for state in states]), limit=limit)


def _lately(tx: Transaction, account_ids: Sequence[int]) -> Any:
    """A selection of the numbers of what each of these accounts wrote last and may be seen."""
    c, limits = t.mentions.c, sight.heard(tx)
    parts = [_newest(select(c.id, c.posted_at).where(c.account_id == each, *limits), NEWEST) for each in account_ids]
    newest = _together(parts).subquery()
    return select(newest.c.id)


def _newest(query: Select[Any], limit: int) -> Select[Any]:
    newest = query.order_by(t.mentions.c.posted_at.desc(), t.mentions.c.id.desc()).limit(limit).subquery()
    return select(newest)


def _together(parts: Sequence[Select[Any]]) -> Any:
    return union_all(*parts) if len(parts) > 1 else parts[0]


# --- what was solved ------------------------------------------------------------------------------------------------

ALIKE = 200  # solved cases of a team, the newest, among which those alike are looked for


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A case that was solved, with what it was about. `solution`: what was noted when it was."""

    case_id: int
    reference: str
    title: str
    resolved_at: datetime
    tags: tuple[str, ...]
    intents: tuple[str, ...]
    areas: tuple[str, ...]
    text: str
    solution: str = ""


def solved(tx: Transaction, *, team: str, but: Sequence[int], limit: int = ALIKE) -> list[Solved]:
    """The newest solved cases of that team, each with its first mention; none of `but` (row ids)."""
    c = t.cases.c
    newest = (
        select(c.id, c.reference, c.title, c.resolved_at, c.tags)
        .where(c.team == team, c.resolved_at.is_not(None), c.id.not_in(list(but)), *sight.seen(tx))
        .order_by(c.resolved_at.desc())
        .limit(limit)
        .subquery()
    )
    inside = t.case_mentions.c
    first = (
        select(inside.case_id, func.min(inside.mention_id).label("mention_id"))
        .where(inside.case_id.in_(select(newest.c.id)))
        .group_by(inside.case_id)
        .subquery()
    )
    u, m = t.understandings.c, t.mentions.c
    query = (
        select(newest, m.text, u.intents, u.areas)
        .join(first, first.c.case_id == newest.c.id)
        .join(t.mentions, m.id == first.c.mention_id)
        .outerjoin(t.understandings, (u.mention_id == m.id) & (u.revision == m.revision))
        .order_by(newest.c.resolved_at.desc())
    )
    found: dict[int, Solved] = {}
    for row in tx.execute(query):
        found.setdefault(
            row.id,
            Solved(
                case_id=row.id,
                reference=row.reference,
                title=row.title,
                resolved_at=row.resolved_at,
                tags=tuple(row.tags),
                intents=tuple(row.intents or ()),
                areas=tuple(row.areas or ()),
                text=row.text,
            ),
        )
    return list(found.values())


def solutions(tx: Transaction, case_ids: Sequence[int]) -> dict[int, str]:
    """What was noted when these cases were solved, by their row id; nothing for those where nothing was."""
    c = t.case_events.c
    query = select(c.case_id, c.detail).where(c.case_id.in_(list(case_ids)), c.kind.in_(("resolved", "call")))
    noted: dict[int, str] = {}
    for row in tx.execute(query.order_by(c.id)):
        words = row.detail.get("note") or row.detail.get("text")
        if words:
            noted[row.case_id] = str(words)
    return noted
