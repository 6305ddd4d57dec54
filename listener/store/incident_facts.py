"""What an incident's report is made from: its mentions, answers, cases, posts and money, as plain facts. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, ScalarSelect, Select, and_, func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.incidents import Incident
from listener.types import (
    AmendmentKind,
    AmendmentState,
    Charge,
    DeliveryState,
    DraftState,
    MentionState,
    Visibility,
    utc,
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One mention, with what the model makes of it as it stands.

    `person`: a customer, or an account that is known to be nobody's; `sentiment`: "" where nobody read it yet.
    """

    id: int
    at: datetime
    network: str
    account: int
    person: int
    followers: int | None
    sentiment: str
    intents: tuple[str, ...]
    areas: tuple[str, ...]
    text: str = ""
    public: bool = True


class Sounded(NamedTuple):
    """How one mention sounded and what it was about, whoever wrote it; `sentiment`: "" where nobody read it yet."""

    at: datetime
    sentiment: str
    areas: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The first answer of ours to one mention, and who let it out: a rule, a run to everybody, or a person."""

    mention: int
    at: datetime
    by: str  # "rule", "run" or "person"


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """One case that is a part of the incident's. `reopened`: how often."""

    opened_at: datetime
    resolved_at: datetime | None
    reopened: int
    first_response_due: datetime | None
    first_response_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NoticeFacts:
    """What of one notice is out. `first_at`: when its first post was."""

    number: int
    title: str
    first_at: datetime
    last_at: datetime
    posts: int
    networks: tuple[str, ...]
    follows_as: str


@dataclass(frozen=True, kw_only=True)
class Amended:
    """What somebody had done at once to posts of a notice that were out. `at`: when the first of them was changed."""

    number: int
    kind: AmendmentKind
    at: datetime
    by: str
    posts: int
    networks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Switched:
    """That somebody paused or resumed sending. `scope` as `status` has it."""

    at: datetime
    by: str
    paused: bool
    scope: str
    reason: str


def mentions(tx: Transaction, incident: Incident, *, texts: bool) -> list[Said]:
    """The incident's mentions that are still there, oldest first; their words only where `texts`."""
    attached = t.incident_mentions.c
    current = and_(attached.mention_id == t.mentions.c.id, attached.undone_at.is_(None))
    query = _said(texts=texts).join(t.incident_mentions, current).where(attached.incident_id == incident.id)
    return [_as_said(row) for row in tx.execute(query)]


def around(tx: Transaction, since: datetime, until: datetime, networks: Collection[str]) -> list[Sounded]:
    """How everything sounded that was said in that time, on those networks (none: on all)."""
    columns, read = t.mentions.c, t.understandings.c
    here = (columns.posted_at >= since, columns.posted_at < until, columns.state != MentionState.GONE.value)
    query = (
        select(columns.posted_at, read.sentiment, read.areas)
        .select_from(t.mentions)
        .outerjoin(t.understandings, read.id == _newest_reading())
        .where(*here, *([columns.network.in_(networks)] if networks else []))
    )
    return [Sounded(at, sentiment or "", tuple(areas or ())) for at, sentiment, areas in tx.execute(query)]


def _newest_reading() -> ScalarSelect[Any]:
    """The number of the newest reading of a mention's present wording."""
    columns, newer = t.mentions.c, t.understandings.alias("newer")
    mine = (newer.c.mention_id == columns.id, newer.c.revision == columns.revision)
    return select(func.max(newer.c.id)).where(*mine).correlate(t.mentions).scalar_subquery()


def _said(*, texts: bool) -> Select[Any]:
    """Mentions with the newest reading of their present wording, and whose they are."""
    columns, read = t.mentions.c, t.understandings.c
    linked = (t.links.c.account_id == columns.account_id, t.links.c.unlinked_at.is_(None))
    customer = select(func.max(t.links.c.customer_id)).where(*linked).correlate(t.mentions).scalar_subquery()
    # customers and accounts have numbers of their own: the accounts' are made negative to keep them apart
    person = func.coalesce(customer, -columns.account_id).label("person")
    chosen = [
        columns.id,
        columns.posted_at,
        columns.network,
        columns.account_id,
        columns.visibility,
        t.accounts.c.followers,
        read.sentiment,
        read.intents,
        read.areas,
    ]
    if texts:
        chosen.append(columns.text)
    return (
        select(*chosen, person)
        .select_from(t.mentions)
        .join(t.accounts, t.accounts.c.id == columns.account_id)
        .outerjoin(t.understandings, read.id == _newest_reading())
        .where(columns.state != MentionState.GONE.value)
        .order_by(columns.posted_at, columns.id)
    )


def _as_said(row: Row[Any]) -> Said:
    return Said(
        id=row.id,
        at=row.posted_at,
        network=row.network,
        account=row.account_id,
        person=row.person,
        followers=row.followers,
        sentiment=row.sentiment or "",
        intents=tuple(row.intents or ()),
        areas=tuple(row.areas or ()),
        text=getattr(row, "text", ""),
        public=row.visibility in (Visibility.PUBLIC.value, Visibility.UNLISTED.value),
    )


def answers(tx: Transaction, incident: Incident) -> list[Answer]:
    """The first answer to each of the incident's mentions that has one."""
    attached, columns = t.incident_mentions.c, t.drafts.c
    query = (
        select(columns.mention_id, columns.sent_at, columns.automatic, columns.answer_run_id)
        .join(t.incident_mentions, and_(attached.mention_id == columns.mention_id, attached.undone_at.is_(None)))
        .where(
            attached.incident_id == incident.id, columns.state == DraftState.SENT.value, columns.sent_at.is_not(None)
        )
        .order_by(columns.sent_at, columns.id)
    )
    first: dict[int, Answer] = {}
    for row in tx.execute(query):
        by = "run" if row.answer_run_id else "rule" if row.automatic else "person"
        first.setdefault(row.mention_id, Answer(mention=row.mention_id, at=row.sent_at, by=by))
    return list(first.values())


def cases(tx: Transaction, incident: Incident) -> list[CaseFacts]:
    """The parts of the incident's case."""
    if incident.case_id is None:
        return []
    columns, events = t.cases.c, t.case_events.c
    again = select(events.case_id, func.count().label("times")).where(events.kind == "reopened")
    reopened = again.group_by(events.case_id).subquery("reopened")
    query = (
        select(t.cases, func.coalesce(reopened.c.times, 0).label("times"))
        .outerjoin(reopened, reopened.c.case_id == columns.id)
        .where(columns.parent_id == incident.case_id, columns.merged_into.is_(None))
        .order_by(columns.opened_at, columns.id)
    )
    return [
        CaseFacts(
            opened_at=row.opened_at,
            resolved_at=row.resolved_at,
            reopened=row.times,
            first_response_due=row.first_response_due,
            first_response_at=row.first_response_at,
        )
        for row in tx.execute(query)
    ]


def published(tx: Transaction, incident: Incident) -> list[NoticeFacts]:
    """The incident's notices of which something is out, in the order in which they went."""
    columns, posts = t.notices.c, t.deliveries.c
    query = (
        select(
            columns.id,
            columns.title,
            columns.follows_as,
            func.min(posts.sent_at).label("first_at"),
            func.max(posts.sent_at).label("last_at"),
            func.count().label("posts"),
        )
        .join(t.deliveries, posts.notice_id == columns.id)
        .where(columns.incident_id == incident.id, posts.state == DeliveryState.SENT.value, posts.sent_at.is_not(None))
        .group_by(columns.id, columns.title, columns.follows_as)
    )
    rows = sorted(tx.execute(query), key=lambda row: (utc(row.first_at), row.id))
    where: dict[int, set[str]] = {row.id: set() for row in rows}
    places = select(posts.notice_id, posts.network).distinct().where(posts.notice_id.in_(list(where)))
    for number, network in tx.execute(places.where(posts.state == DeliveryState.SENT.value)) if where else ():
        where[number].add(network)
    return [
        NoticeFacts(
            number=row.id,
            title=row.title,
            first_at=utc(row.first_at),
            last_at=utc(row.last_at),
            posts=row.posts,
            networks=tuple(sorted(where[row.id])),
            follows_as=row.follows_as or "",
        )
        for row in rows
    ]


def amended(tx: Transaction, incident: Incident) -> list[Amended]:
    """What was done to the incident's notices after they went out, in the order in which it took effect."""
    done, posts = t.amendments.c, t.deliveries.c
    query = (
        select(posts.notice_id, posts.network, done.kind, done.written_at, done.written_by, done.done_at)
        .join(t.deliveries, posts.id == done.delivery_id)
        .join(t.notices, t.notices.c.id == posts.notice_id)
        .where(t.notices.c.incident_id == incident.id, done.state == AmendmentState.DONE.value)
        .order_by(done.done_at, done.id)
    )
    together: dict[tuple[Any, ...], list[Any]] = {}
    for row in tx.execute(query):
        together.setdefault((row.notice_id, row.kind, row.written_at, row.written_by), []).append(row)
    return [
        Amended(
            number=rows[0].notice_id,
            kind=AmendmentKind(rows[0].kind),
            at=rows[0].done_at,
            by=rows[0].written_by,
            posts=len(rows),
            networks=tuple(sorted({row.network for row in rows})),
        )
        for rows in together.values()
    ]


def spent(tx: Transaction, since: datetime, until: datetime) -> list[tuple[str, Charge]]:
    """What each account's calls have cost on the UTC days of that time, by account and kind, dearest first."""
    columns = t.spending.c
    usd = func.sum(columns.usd)
    query = (
        select(columns.account, columns.call, func.sum(columns.units).label("units"), usd.label("usd"))
        .where(columns.day >= utc(since).date(), columns.day <= utc(until).date())
        .group_by(columns.account, columns.call)
        .order_by(usd.desc(), columns.account, columns.call)
    )
    return [(row.account, Charge(call=row.call, units=int(row.units), usd=float(row.usd))) for row in tx.execute(query)]


def switched(tx: Transaction, since: datetime, until: datetime) -> list[Switched]:
    """When somebody paused or resumed sending in that time."""
    columns = t.audit.c
    query = select(t.audit).where(
        columns.at >= since,
        columns.at <= until,
        columns.action.in_(("pause", "resume")),
    )
    return [
        Switched(
            at=row.at,
            by=row.by,
            paused=row.action == "pause",
            scope=row.subject,
            reason=str(row.detail.get("reason") or ""),
        )
        for row in tx.execute(query.order_by(columns.id))
    ]
