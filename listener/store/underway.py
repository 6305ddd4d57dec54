"""What is being sent at this moment, or was left saying so: every table whose rows say `sending`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Table, and_, or_, select, text, update

from listener.store import Transaction, amendments, inbox, notices, sender_lock, senders
from listener.store import tables as t
from listener.store.amendments import Amendment
from listener.store.inbox import Draft
from listener.store.notices import Delivery
from listener.store.switch import Pause

TABLES = {"reply": t.drafts, "notice": t.deliveries, "amendment": t.amendments}
SENDING, UNKNOWN = "sending", "unknown"  # in each of them


@dataclass(frozen=True, kw_only=True)
class Underway:
    """One thing that says `sending`. `what`: reply, notice, or amendment of one; `since`: when that was claimed.

    `sender`: the process that claimed it, see `senders.py`. `taken`: its account has another sender since, which knows
    no more than we do whether the first one may speak yet.
    """

    what: str
    id: int
    account: str
    network: str
    since: datetime | None
    sender: str | None = None
    taken: bool = False


def sending(tx: Transaction, stops: Sequence[Pause], *, died_is_an_end: bool) -> list[Underway]:
    """Everything in those scopes that says `sending`, and what was taken over from a sender that may speak yet.

    `died_is_an_end`: as `still` says.
    """
    going = {what: _going(tx, table, died_is_an_end=died_is_an_end) for what, table in TABLES.items()}
    replies = inbox.joined().where(t.drafts.c.id.in_(list(going["reply"])))
    found: dict[str, Sequence[Draft | Delivery | Amendment]] = {
        "reply": [inbox.from_row(row) for row in tx.execute(replies)] if going["reply"] else [],
        "notice": notices.several(tx, list(going["notice"])) if going["notice"] else [],
        "amendment": amendments.several(tx, list(going["amendment"])) if going["amendment"] else [],
    }
    return [
        Underway(
            what=what,
            id=each.id,
            account=each.account,
            network=each.network,
            since=each.sending_since,
            sender=going[what][each.id][0],
            taken=going[what][each.id][1],
        )
        for what, all_of_it in found.items()
        for each in all_of_it
        if any(stop.holds(each.network, each.kinds) for stop in stops)
    ]


def still(tx: Transaction, items: Sequence[Underway], *, died_is_an_end: bool) -> list[Underway]:
    """Those whose end is not written down.

    `died_is_an_end`: whether what another process took over from a sender that is gone counts as ended. Where a sender
    can lose its place without dying it does not, for it may speak yet.
    """
    left: list[Underway] = []
    for what, table in TABLES.items():
        mine = {item.id: item for item in items if item.what == what}
        if mine:
            going = _going(tx, table, table.c.id.in_(list(mine)), died_is_an_end=died_is_an_end)
            left += [replace(item, taken=going[number][1]) for number, item in mine.items() if number in going]
    return left


def _going(
    tx: Transaction, table: Table, *only: ColumnElement[bool], died_is_an_end: bool
) -> dict[int, tuple[str | None, bool]]:
    """By number, who sends it, and whether another took that over."""
    columns = table.c
    going = columns.state == SENDING
    if not died_is_an_end:
        going = or_(going, and_(columns.state == UNKNOWN, columns.reason == senders.DIED))
    query = select(columns.id, columns.sender, columns.state).where(going, *only)
    return {row.id: (row.sender, row.state != SENDING) for row in tx.execute(query)}


def ended_here(tx: Transaction, account: str) -> dict[str, list[int]]:
    """What others took over from senders of this machine that have certainly ended, by `what`."""
    deliveries = select(t.deliveries.c.id).where(t.deliveries.c.account == account)
    whose = {
        "reply": t.drafts.c.account == account,
        "notice": t.deliveries.c.account == account,
        "amendment": t.amendments.c.delivery_id.in_(deliveries),
    }
    found: dict[str, list[int]] = {}
    for what, table in TABLES.items():
        columns = table.c
        left = (whose[what], columns.state == UNKNOWN, columns.reason == senders.DIED)
        rows = tx.execute(select(columns.id, columns.sender).where(*left)).all()
        if dead := [row.id for row in rows if senders.is_dead(row.sender)]:
            found[what] = dead
    return found


def testify(tx: Transaction, ended: dict[str, list[int]]) -> None:
    """Says of these that their senders have ended.

    The machine that took them over cannot know: its server lost them, which looks the same where they merely lost the
    server.
    """
    for what, ids in ended.items():
        columns = TABLES[what].c
        still_so = (columns.id.in_(ids), columns.state == UNKNOWN, columns.reason == senders.DIED)
        tx.execute(update(TABLES[what]).where(*still_so).values(reason=senders.KILLED))


def held(tx: Transaction, accounts: Sequence[str]) -> dict[str, datetime]:
    """By account that has a sole sender now, when that one last asked the server for something (PostgreSQL)."""
    numbers = {sender_lock(each): each for each in accounts}
    query = text(
        "SELECT (classid::bigint << 32) | objid::bigint AS number, state_change "
        "FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND state_change IS NOT NULL "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return {numbers[row.number]: row.state_change for row in tx.execute(query) if row.number in numbers}
