"""What waits for a person, read for the moderators' lists; `inbox.py` is where they decide. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Row, Select, and_, func, select, union_all

from listener.store import Transaction, identities, sight, stats
from listener.store import tables as t
from listener.store.inbox import Draft, from_row, joined, sent_through
from listener.store.mentions import Mention
from listener.types import DraftState, Media, MentionState, Urgency

LATEST = 1000  # mentions among which those without a draft are counted


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One draft with what a list says about it. `customer_…` are None where the account is linked to nobody."""

    draft: Draft
    handle: str
    display_name: str
    mention_text: str
    mention_media: tuple[Media, ...]
    mention_url: str | None
    posted_at: datetime
    gone: bool
    customer_reference: str | None
    customer_name: str | None
    customer_tier: str | None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One mention without a draft, and why it stands in the list."""

    mention_id: int
    network: str
    handle: str
    display_name: str
    text: str
    media: tuple[Media, ...]
    url: str | None
    posted_at: datetime
    urgency: Urgency | None
    score: int | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Undrafted:
    """How many mentions have no draft, by urgency. `among`: of so many heard last; None: of all that was ever heard.

    To count a long history takes longer the longer it is, and says little of today.
    """

    by_urgency: Mapping[Urgency | None, int]
    among: int | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_urgency.values())


@dataclass(frozen=True, kw_only=True)
class Alike:
    """One draft among those like it: the trace of the decision that made it, the team that this called in."""

    draft_id: int
    mention_id: int
    account_id: int
    thread_id: str | None
    trace: Mapping[str, Any]
    team: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """One thing said in a thread: by us (`ours`), or by whoever `handle` is."""

    ours: bool
    handle: str
    text: str
    at: datetime


def drafts(
    tx: Transaction,
    *,
    states: Sequence[DraftState] = (DraftState.PROPOSED,),
    network: str | None = None,
    agent: str | None = None,
    limit: int | None = None,
) -> list[Waiting]:
    """Drafts in those states, as the queue has them; `agent`: only those whose case is that person's."""
    more = [
        t.accounts.c.handle,
        t.accounts.c.display_name,
        t.mentions.c.text.label("mention_text"),
        t.mentions.c.media,
        t.mentions.c.url.label("mention_url"),
        t.mentions.c.posted_at,
        t.mentions.c.state.label("mention_state"),
        t.customers.c.reference.label("customer_reference"),
        t.customers.c.name.label("customer_name"),
        t.customers.c.tier.label("customer_tier"),
    ]
    current = and_(t.links.c.account_id == t.accounts.c.id, t.links.c.unlinked_at.is_(None))
    query = (
        joined()
        .add_columns(*more)
        .join(t.accounts, t.accounts.c.id == t.mentions.c.account_id)
        .outerjoin(t.links, current)
        .outerjoin(t.customers, t.customers.c.id == t.links.c.customer_id)
    )
    if limit is not None and len(states) > 1:
        query = query.where(t.drafts.c.id.in_(_first(tx, states, network, agent, limit)))
    else:
        query = query.where(*_those(states, network, agent), *sight.read(tx))
    same = [name for name in Waiting.__dataclass_fields__ if name not in ("draft", "gone", "mention_media")]
    return [
        Waiting(
            draft=from_row(row),
            gone=row.mention_state == MentionState.GONE,
            mention_media=_media(row.media),
            **{name: getattr(row, name) for name in same},
        )
        for row in tx.execute(query.order_by(t.drafts.c.queue_at, t.drafts.c.id).limit(limit))
    ]


def count(
    tx: Transaction,
    *,
    states: Sequence[DraftState] = (DraftState.PROPOSED,),
    network: str | None = None,
    agent: str | None = None,
) -> int:
    """How many drafts `drafts` would give without a limit, up to `stats.MOST`: all that was ever said is too long."""
    limits = sight.read(tx)
    whole = joined().with_only_columns(t.drafts.c.id) if network or agent or limits else select(t.drafts.c.id)
    found = whole.where(*_those(states, network, agent), *limits).limit(stats.MOST).subquery()
    return int(tx.scalar(select(func.count()).select_from(found)) or 0)


def _first(
    tx: Transaction, states: Sequence[DraftState], network: str | None, agent: str | None, limit: int
) -> CompoundSelect[Any]:
    """The first so many of each state: of each there is an index in their order, of several none."""
    first = joined().with_only_columns(t.drafts.c.id).where(*sight.read(tx))
    first = first.order_by(t.drafts.c.queue_at, t.drafts.c.id).limit(limit)
    each = [first.where(*_those((state,), network, agent)).subquery() for state in states]
    return union_all(*(select(one.c.id) for one in each))


def withdrawable(tx: Transaction, account_id: int) -> list[int]:
    """The numbers of the drafts for that author that have not gone out."""
    states = (DraftState.PROPOSED, DraftState.APPROVED)
    query = joined().with_only_columns(t.drafts.c.id).where(*_those(states, None, None))
    return list(tx.scalars(query.where(t.mentions.c.account_id == account_id).order_by(t.drafts.c.id)))


def queue(tx: Transaction, *, network: str | None = None, least: Urgency = Urgency.LOW) -> list[int]:
    """The numbers of the proposed drafts, of that urgency at least, in the order in which to look at them."""
    where = (*_those((DraftState.PROPOSED,), network, None), *sight.read(tx), t.drafts.c.urgency_rank >= least.rank)
    query = joined().with_only_columns(t.drafts.c.id).where(*where)
    return list(tx.scalars(query.order_by(t.drafts.c.queue_at, t.drafts.c.id)))


def alike(tx: Transaction, draft: Draft, *, least: Urgency = Urgency.LOW) -> list[Alike]:
    """The proposed drafts on that network from the same template in the same language, the draft itself first."""
    same = (
        t.drafts.c.template == draft.template,
        t.drafts.c.language == draft.language,
        t.drafts.c.channel == draft.channel,
        t.drafts.c.urgency_rank >= least.rank,
        *_those((DraftState.PROPOSED,), draft.network, None),
        *sight.read(tx),
    )
    columns = (
        t.drafts.c.id,
        t.drafts.c.mention_id,
        t.mentions.c.account_id,
        t.mentions.c.thread_id,
        t.decisions.c.trace,
        t.decisions.c.escalate_to,
    )
    query = joined().with_only_columns(*columns).outerjoin(t.decisions, t.decisions.c.id == t.drafts.c.decision_id)
    query = query.where(*same).order_by(t.drafts.c.id != draft.id, t.drafts.c.id)
    return [
        Alike(
            draft_id=row.id,
            mention_id=row.mention_id,
            account_id=row.account_id,
            thread_id=row.thread_id,
            trace=row.trace or {},
            team=row.escalate_to or "",
        )
        for row in tx.execute(query)
    ]


def _those(states: Sequence[DraftState], network: str | None, agent: str | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [t.drafts.c.state.in_([state.value for state in states])]
    if network:
        where.append(sent_through() == network)
    if agent:
        where.append(t.cases.c.agent == agent)
    return where


def to_route(tx: Transaction, *, network: str | None = None, limit: int | None = None) -> list[Heard]:
    """Mentions that the policy leaves to a person to route and nobody has put into a case, as the queue has them."""
    return _all_heard(tx, _to_route(tx, network).order_by(t.decisions.c.queue_at, t.mentions.c.id).limit(limit))


def set_aside(tx: Transaction, *, network: str | None = None, limit: int | None = None) -> list[Heard]:
    """Mentions that a stage could not handle, with what it said; who was not decided about waits since it was heard."""
    place = func.coalesce(t.decisions.c.queue_at, t.mentions.c.heard_at)
    return _all_heard(tx, _set_aside(tx, network).order_by(place, t.mentions.c.id).limit(limit))


def how_many_to_route(tx: Transaction, *, network: str | None = None) -> int:
    """How many `to_route` would give without a limit."""
    return int(tx.scalar(_to_route(tx, network).with_only_columns(func.count(t.mentions.c.id.distinct()))) or 0)


def how_many_set_aside(tx: Transaction, *, network: str | None = None) -> int:
    """How many `set_aside` would give without a limit."""
    return int(tx.scalar(_set_aside(tx, network).with_only_columns(func.count(t.mentions.c.id.distinct()))) or 0)


def how_many_undrafted(tx: Transaction, *, network: str | None = None) -> Undrafted:
    """How many `undrafted` would give of the newest mentions, by their urgency; None: not decided yet."""
    urgency, number = t.decisions.c.urgency, t.mentions.c.id
    before = tx.scalar(select(number).order_by(number.desc()).limit(1).offset(LATEST))  # the newest that is not counted
    query = _undrafted(tx, network).with_only_columns(urgency, func.count(number.distinct()).label("many"))
    if before is not None:
        query = query.where(number > before)
    found = tx.execute(query.group_by(urgency)).all()
    return Undrafted(
        by_urgency={Urgency(row.urgency) if row.urgency else None: row.many for row in found},
        among=None if before is None else LATEST,
    )


def networks(tx: Transaction) -> set[str]:
    """Those that anything was heard on."""
    return set(tx.scalars(select(t.mentions.c.network).distinct()))


def _to_route(tx: Transaction, network: str | None) -> Select[Any]:
    in_a_case = select(t.case_mentions.c.case_id).where(t.case_mentions.c.mention_id == t.mentions.c.id).exists()
    decided = t.mentions.c.state.concat("") == MentionState.DECIDED.value  # no search by it: nearly all are
    return _heard(tx, network, t.decisions.c.escalate_to).where(*_unrouted(), decided, ~in_a_case)


def _unrouted() -> tuple[ColumnElement[bool], ...]:
    return t.decisions.c.needs_routing, ~t.decisions.c.routed


def _set_aside(tx: Transaction, network: str | None) -> Select[Any]:
    return _heard(tx, network, t.mentions.c.trouble).where(
        t.mentions.c.trouble.is_not(None), t.mentions.c.state != MentionState.GONE.value
    )


def undrafted(tx: Transaction, *, network: str | None = None, limit: int | None = None) -> list[Heard]:
    """Mentions for which no reply was ever proposed, newest first, with why."""
    query = _undrafted(tx, network).order_by(t.mentions.c.id.desc()).limit(limit)
    more = (t.mentions.c.state, t.mentions.c.unanswerable, t.decisions.c.ignored, t.decisions.c.trace)
    rows = tx.execute(query.add_columns(*more)).all()
    return [_one_heard(row, _why_undrafted(row)) for row in rows]


def _undrafted(tx: Transaction, network: str | None) -> Select[Any]:
    drafted = select(t.drafts.c.id).where(t.drafts.c.mention_id == t.mentions.c.id).exists()
    return _heard(tx, network, t.decisions.c.ignored).where(~drafted)


def _why_undrafted(row: Row[Any]) -> str:
    """Why there is no reply: it was ignored, cannot or must not be answered, or no rule wants one."""
    if row.state == MentionState.GONE.value:
        return "deleted by its author"
    if row.ignored or row.unanswerable:
        return str(row.ignored or row.unanswerable)
    if row.trace is None:
        return "not decided yet"
    stops = [guard for guard in row.trace.get("guards", ()) if guard.get("forbids")]
    return str(stops[0].get("reason") or stops[0].get("guard", "")) if stops else "no rule wants a reply"


def _heard(tx: Transaction, network: str | None, why: ColumnElement[Any]) -> Select[Any]:
    mine = [
        t.mentions.c.id.label("mention_id"),
        t.mentions.c.network,
        t.mentions.c.text,
        t.mentions.c.media,
        t.mentions.c.url,
        t.mentions.c.posted_at,
        t.accounts.c.handle,
        t.accounts.c.display_name,
        t.decisions.c.urgency,
        t.decisions.c.score,
        why.label("why"),
    ]
    decided = and_(t.decisions.c.mention_id == t.mentions.c.id, t.decisions.c.revision == t.mentions.c.revision)
    query = select(*mine).join(t.accounts, t.accounts.c.id == t.mentions.c.account_id).outerjoin(t.decisions, decided)
    query = query.where(*sight.heard(tx))
    return query.where(t.mentions.c.network == network) if network else query


def _all_heard(tx: Transaction, query: Select[Any]) -> list[Heard]:
    return [_one_heard(row, row.why or "") for row in tx.execute(query)]


def _one_heard(row: Row[Any], why: str) -> Heard:
    same = [name for name in Heard.__dataclass_fields__ if name not in ("urgency", "why", "media")]
    return Heard(
        urgency=Urgency(row.urgency) if row.urgency else None,
        why=why,
        media=_media(row.media),
        **{name: getattr(row, name) for name in same},
    )


def _media(stored: list[dict[str, str]]) -> tuple[Media, ...]:
    return tuple(Media(**item) for item in stored)


def said_before(tx: Transaction, mention: Mention, *, limit: int) -> list[Said]:
    """The last things said in the thread before the mention, by anybody and by us, oldest first."""
    same = (t.mentions.c.network == mention.network, t.mentions.c.thread_id == mention.thread_id)
    theirs = (
        select(
            t.accounts.c.handle,
            t.accounts.c.external_id.label("author_id"),
            t.mentions.c.external_id,
            t.mentions.c.text,
            t.mentions.c.posted_at,
        )
        .join(t.accounts, t.accounts.c.id == t.mentions.c.account_id)
        .where(*same, t.mentions.c.id != mention.id, t.mentions.c.posted_at <= mention.posted_at)
        .where(t.mentions.c.state != MentionState.GONE.value, *sight.heard(tx))
        .order_by(t.mentions.c.posted_at.desc(), t.mentions.c.id.desc())
        .limit(limit)
    )
    ours = (
        select(t.drafts.c.text, t.drafts.c.sent_at, t.drafts.c.posted_id)
        .join(t.mentions, t.mentions.c.id == t.drafts.c.mention_id)
        # no search by the state: of a long history most are sent, of a thread there are few
        .where(*same, t.drafts.c.state.concat("") == DraftState.SENT.value, t.drafts.c.mention_id != mention.id)
        .where(t.drafts.c.sent_at <= mention.posted_at, t.drafts.c.text != "", *sight.read(tx))
        .order_by(t.drafts.c.sent_at.desc())
        .limit(limit)
    )
    us = identities.ours(tx, mention.network)
    heard = tx.execute(theirs).all()
    known = {row.external_id for row in heard}  # our own reply may have been heard like anybody's
    said = [Said(ours=row.author_id in us, handle=row.handle, text=row.text, at=row.posted_at) for row in heard]
    said += [
        Said(ours=True, handle="", text=row.text, at=row.sent_at)
        for row in tx.execute(ours)
        if row.posted_id not in known
    ]
    return sorted(said, key=lambda one: one.at)[-limit:]
