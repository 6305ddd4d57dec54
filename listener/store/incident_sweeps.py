"""Going through what is there already, in bounded steps: mentions for an incident, and its cases for what is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select

from listener.store import Transaction, cases, incidents
from listener.store import tables as t
from listener.store.cases import LIVE
from listener.store.incidents import Event, Incident
from listener.types import IncidentState, MentionState

READ = (MentionState.UNDERSTOOD.value, MentionState.DECIDED.value)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A mention that is there, with what is known of it. `customer_id` and `tier` are None where nobody knows whose."""

    id: int
    revision: int
    network: str
    text: str
    content_warning: str
    posted_at: datetime
    areas: tuple[str, ...]
    intents: tuple[str, ...]
    customer_id: int | None
    tier: str | None
    external_id: str  # the author's
    handle: str
    url: str | None


def candidates(tx: Transaction, incident: Incident, *, limit: int) -> list[Candidate]:
    """The next mentions of the incident's time that were not looked at for it, by when they were posted.

    Ones that nobody has read yet are left to whoever decides them.
    """
    columns, read, links = t.mentions.c, t.understandings.c, t.links.c
    later, posted = t.understandings.alias(), t.mentions.alias()
    newest = (
        select(func.max(later.c.id))
        .where(later.c.mention_id == columns.id, later.c.revision == columns.revision)
        .correlate(t.mentions)
        .scalar_subquery()
    )
    joined = (
        t.mentions.join(t.accounts, t.accounts.c.id == columns.account_id)
        .outerjoin(t.understandings, read.id == newest)
        .outerjoin(t.links, and_(links.account_id == columns.account_id, links.unlinked_at.is_(None)))
        .outerjoin(t.customers, t.customers.c.id == links.customer_id)
    )
    told = (columns.id, columns.revision, columns.network, columns.text, columns.content_warning, columns.posted_at)
    author = (t.accounts.c.external_id, t.accounts.c.handle, t.accounts.c.url)
    query = select(*told, read.areas, read.intents, links.customer_id, t.customers.c.tier, *author).select_from(joined)
    query = query.where(columns.state.in_(READ), columns.posted_at >= incident.began_at)
    if incident.ended_at is not None:
        query = query.where(columns.posted_at <= incident.ended_at)
    if incident.swept_to:
        last = select(posted.c.posted_at).where(posted.c.id == incident.swept_to).scalar_subquery()
        query = query.where(columns.posted_at >= last, or_(columns.posted_at > last, columns.id > incident.swept_to))
    rows = tx.execute(query.order_by(columns.posted_at, columns.id).limit(limit))
    return [_candidate(row) for row in rows]


def _candidate(row: Any) -> Candidate:
    known: dict[str, Any] = {"areas": tuple(row.areas or ()), "intents": tuple(row.intents or ())}
    return Candidate(
        **known, **{name: getattr(row, name) for name in Candidate.__dataclass_fields__ if name not in known}
    )


def tell(tx: Transaction, incident: Incident, event: Event, *, limit: int) -> int:
    """Tells the next of the incident's live cases of that entry of its time line; gives how many were told."""
    columns = t.cases.c
    where = (columns.parent_id == incident.case_id, columns.id > (event.told_to or 0))
    live = columns.state.in_([state.value for state in LIVE])
    ids = tx.scalars(select(columns.id).where(*where, live).order_by(columns.id).limit(limit)).all()
    detail = {"incident": incident.reference, "title": incident.title, "state": event.state.value, "what": event.kind}
    detail |= {"text": event.text} if event.text else {}
    detail |= {"public": event.detail["public"]} if event.detail.get("public") else {}
    cases.events(tx, cases.by_ids(tx, ids), "incident", event.by, event.at, **detail)
    incidents.told_to(tx, event.id, ids[-1] if len(ids) == limit else None)
    return len(ids)


def unfinished(tx: Transaction) -> list[int]:
    """The numbers of the incidents of which something is yet to be gone through, told, joined or let go."""
    columns, waits, inside = t.incidents.c, t.incident_events.c, t.incident_mentions.c
    lasting = columns.state.in_([state.value for state in incidents.ACTIVE])
    untold = select(waits.incident_id).where(waits.told_to.is_not(None))
    to_join = (
        select(inside.id)
        .where(inside.incident_id == columns.id, inside.joined_at.is_(None), inside.undone_at.is_(None))
        .exists()
    )
    still = select(inside.id).where(inside.incident_id == columns.id, inside.undone_at.is_(None)).exists()
    let_go = and_(columns.state == IncidentState.DISMISSED.value, still)
    goes_on = and_(lasting, or_(columns.swept_to.is_not(None), to_join))
    where = or_(goes_on, columns.id.in_(untold), let_go)
    return list(tx.scalars(select(columns.id).where(where).order_by(columns.id)))
