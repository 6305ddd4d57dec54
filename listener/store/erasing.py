"""What happens here when a post is edited or deleted there: drafts withdrawn, texts emptied, a skeleton kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from listener.store import Transaction, attachments, audit, quotes
from listener.store import tables as t
from listener.store.audit import Entry
from listener.types import DraftState, MentionState


def withdraw(tx: Transaction, *mention_ids: int, reason: str, now: datetime, answers_only: bool = False) -> None:
    """Expires the mentions' drafts that have not gone out, and those that repeat their words elsewhere.

    `answers_only`: what goes to their author elsewhere stays.
    """
    open_states = (DraftState.PROPOSED.value, DraftState.APPROVED.value)
    columns = t.drafts.c
    theirs = and_(columns.mention_id.in_(mention_ids), columns.channel == "") if answers_only else of(mention_ids)
    where = (theirs, columns.state.in_(open_states))
    expired = tx.scalars(select(t.drafts.c.id).where(*where).order_by(t.drafts.c.id)).all()
    if not expired:
        return
    _record(tx, "daemon", "draft.expired", [f"draft {draft_id}" for draft_id in expired], now, reason=reason)
    tx.execute(
        update(t.drafts).where(*where).values(state=DraftState.EXPIRED.value, reason=reason, edit=t.drafts.c.edit + 1)
    )


def of(mention_ids: Sequence[int]) -> ColumnElement[bool]:
    """The drafts that answer one of these mentions, or repeat what it says."""
    quoting = select(t.draft_quotes.c.draft_id).where(t.draft_quotes.c.mention_id.in_(mention_ids))
    return or_(t.drafts.c.mention_id.in_(mention_ids), t.drafts.c.id.in_(quoting))


def erase(tx: Transaction, *, network: str, external_ids: Iterable[str], now: datetime) -> tuple[int, ...]:
    """Deleted there is deleted here: text, raw payload, media, revisions, understanding, corrections and the drafts.

    What stays is the skeleton: ids, times, states, which rules matched. Gives the ids of the mentions emptied.
    """
    ids = list(external_ids)
    columns = t.mentions.c
    where = (columns.network == network, columns.external_id.in_(ids), columns.state != MentionState.GONE.value)
    locked = select(columns.id).where(*where).order_by(columns.id).with_for_update()
    emptied = tuple(tx.scalars(locked).all()) if ids else ()
    empty(tx, emptied, reason="the mention was deleted", now=now)
    _record(tx, "network", "mention.deleted", [f"mention {mention_id}" for mention_id in emptied], now)
    return emptied


def erase_old(
    tx: Transaction, *, account: str, network: str, older_than: datetime, limit: int, now: datetime
) -> tuple[int, ...]:
    """Empties, as if deleted, up to `limit` mentions that `account` heard and that were posted before `older_than`."""
    columns = t.mentions.c
    heard_there = select(t.sources.c.id).where(t.sources.c.account == account, t.sources.c.network == network)
    where = (columns.source_id.in_(heard_there), columns.gone_at.is_(None), columns.posted_at < older_than)
    locked = select(columns.id).where(*where).order_by(columns.posted_at).limit(limit).with_for_update()
    emptied = tuple(tx.scalars(locked).all())
    reason = f"kept no longer than {network} allows"
    empty(tx, emptied, reason=reason, now=now)
    _record(tx, "daemon", "mention.forgotten", [f"mention {mention_id}" for mention_id in emptied], now, reason=reason)
    return emptied


def empty(tx: Transaction, mention_ids: Sequence[int], *, reason: str, now: datetime) -> None:
    """Takes out of mentions, and of all that was made of them, every word; leaves the skeleton."""
    if not mention_ids:
        return
    withdraw(tx, *mention_ids, reason=reason, now=now)
    quotes.forget(tx, mention_ids, by="daemon", now=now)
    tx.execute(
        update(t.mentions)
        .where(t.mentions.c.id.in_(mention_ids))
        .values(
            state=MentionState.GONE.value,
            gone_at=now,
            text="",
            content_warning="",
            quoted="",
            media=[],
            raw={},
            url=None,
            claimed_language=None,
            trouble=None,
            terms=[],
            copy_key="",
        )
    )
    tx.execute(update(t.answers).where(t.answers.c.mention_id.in_(mention_ids)).values(text="", why=""))
    tx.execute(delete(t.revisions).where(t.revisions.c.mention_id.in_(mention_ids)))
    tx.execute(delete(t.understandings).where(t.understandings.c.mention_id.in_(mention_ids)))
    tx.execute(delete(t.corrections).where(t.corrections.c.mention_id.in_(mention_ids)))
    erase_drafts(tx, *mention_ids)
    told = {"why": "", "score": None}  # that it was of an incident stays; what was read in it does not
    tx.execute(update(t.incident_mentions).where(t.incident_mentions.c.mention_id.in_(mention_ids)).values(told))
    for row in tx.execute(select(t.decisions).where(t.decisions.c.mention_id.in_(mention_ids))).all():
        emptied = {"trace": _skeleton(row.trace), "saw": None, "fingerprint": None}
        tx.execute(update(t.decisions).where(t.decisions.c.id == row.id).values(**emptied))


def erase_drafts(tx: Transaction, *mention_ids: int) -> None:
    """Empties the mentions' drafts, but for those on their way: their text is still needed to find them again."""
    on_their_way = (DraftState.SENDING.value, DraftState.UNKNOWN.value)
    drafts = t.drafts.c
    quoting = select(drafts.id).where(of(mention_ids), drafts.state.not_in(on_their_way))
    tx.execute(delete(t.views).where(t.views.c.draft_id.in_(quoting)))
    attachments.erase_of_drafts(tx, quoting)
    tx.execute(update(t.drafts).where(t.drafts.c.id.in_(quoting)).values(text=""))


def unsee(
    tx: Transaction, *, account_id: int, references: Sequence[str], since: datetime | None = None, now: datetime
) -> tuple[int, ...]:
    """Empties what decisions about the account's mentions saw of those customers: its author was taken for them.

    `since`: only what was decided from then on.

    What was not sent by then is withdrawn and its words go, for they may tell of the customer. Gives the mentions that
    lost a draft so: they have to be decided again.
    """
    said = select(t.mentions.c.id).where(t.mentions.c.account_id == account_id)
    saw_them = t.decisions.c.saw["customer"]["reference"].as_string().in_(list(references))
    where = [t.decisions.c.mention_id.in_(said), saw_them]
    where += [] if since is None else [t.decisions.c.at >= since]
    rows = tx.execute(select(t.decisions).where(*where)).all()
    for row in rows:
        emptied = {"trace": _skeleton(row.trace), "saw": None, "fingerprint": None}
        tx.execute(update(t.decisions).where(t.decisions.c.id == row.id).values(**emptied))
    open_states = (DraftState.PROPOSED.value, DraftState.APPROVED.value)
    made = t.drafts.c.decision_id.in_([row.id for row in rows])
    waiting = tx.scalars(select(t.drafts.c.mention_id).where(made, t.drafts.c.state.in_(open_states)).distinct()).all()
    withdraw(tx, *waiting, reason="its author was taken for somebody else", now=now)
    never = (DraftState.EXPIRED.value, DraftState.REJECTED.value)
    unsent = select(t.drafts.c.id).where(made, t.drafts.c.state.in_(never))
    tx.execute(delete(t.views).where(t.views.c.draft_id.in_(unsent)))
    attachments.erase_of_drafts(tx, unsent)
    tx.execute(update(t.drafts).where(t.drafts.c.id.in_(unsent)).values(text=""))
    return tuple(sorted(waiting))


def _record(tx: Transaction, by: str, action: str, subjects: Iterable[str], now: datetime, **detail: str) -> None:
    entries = [Entry(at=now, by=by, action=action, subject=subject, detail=dict(detail)) for subject in subjects]
    audit.record_all(tx, entries)


def _skeleton(trace: dict[str, Any]) -> dict[str, Any]:
    rules = [{"rule": rule["rule"], "outcome": rule["outcome"]} for rule in trace.get("rules", [])]
    guards = [{key: guard[key] for key in ("guard", "holds", "forbids")} for guard in trace.get("guards", [])]
    modes = [{key: each[key] for key in ("level", "mode")} for each in trace.get("modes", [])]
    return {"rules": rules, "guards": guards, "modes": modes, "erased": True}
