"""What is being sent at this moment, or was left saying so: every table whose rows say `sending`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from listener.store import Transaction, amendments, inbox, notices, senders
from listener.store import tables as t
from listener.store.switch import Pause

TABLES = {"reply": t.drafts, "notice": t.deliveries, "amendment": t.amendments}
SENDING, UNKNOWN = "sending", "unknown"  # in each of them


@dataclass(frozen=True, kw_only=True)
class Underway:
    """One thing that says `sending`. `what`: reply, notice, or amendment of one; `since`: when that was claimed."""

    what: str
    id: int
    account: str
    network: str
    since: datetime | None


def sending(tx: Transaction, stops: Sequence[Pause]) -> list[Underway]:
    """Everything in those scopes that says `sending`."""
    drafts = [inbox.from_row(row) for row in tx.execute(inbox.joined().where(t.drafts.c.state == SENDING))]
    posts, changes = notices.on_their_way(tx), amendments.on_their_way(tx)
    return [
        Underway(what=what, id=each.id, account=each.account, network=each.network, since=each.sending_since)
        for what, all_of_it in (("reply", drafts), ("notice", posts), ("amendment", changes))
        for each in all_of_it
        if any(stop.holds(each.network, each.kinds) for stop in stops)
    ]


def still(tx: Transaction, items: Sequence[Underway], *, died_is_an_end: bool) -> list[Underway]:
    """Those whose end is not written down.

    `died_is_an_end`: whether what another process took over from a sender that is gone counts as ended. Where a sender
    can lose its place without dying it does not, for it may speak yet.
    """
    left: set[tuple[str, int]] = set()
    for what, table in TABLES.items():
        ids = [item.id for item in items if item.what == what]
        columns = table.c
        going = columns.state == SENDING
        if not died_is_an_end:
            going = or_(going, and_(columns.state == UNKNOWN, columns.reason == senders.DIED))
        left |= {(what, number) for number in tx.scalars(select(columns.id).where(columns.id.in_(ids), going))}
    return [item for item in items if (item.what, item.id) in left]
