"""Everything of which nobody knows whether it is on its network, with the proof so far: replies, notices, and changes
of notices that are out. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from listener.store import Transaction, amendments, looks, notices, waiting
from listener.store import tables as t
from listener.store.looks import Look
from listener.types import DraftState, Sent


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """One of them. `name`: as a person calls it, `D7`, `N3 care/es`; `answers`: the address of what it answers, or of
    the post that was to change. `way`: of `Facts.finds`, or what was to be done to a post.

    `unknown_since` is None where no look can prove any more that it is not there.
    """

    what: Sent
    name: str
    way: str
    network: str
    account: str
    to: str
    text: str
    answers: str | None
    sending_since: datetime | None
    unknown_since: datetime | None
    looked_at: datetime | None
    reason: str
    looks: tuple[Look, ...]


def listing(tx: Transaction, *, network: str | None = None, limit: int | None = None) -> list[Unknown]:
    """The longest unknown first: replies that whoever acts may see, then notices, then changes of notices."""
    replies = waiting.drafts(tx, states=(DraftState.UNKNOWN,), network=network)
    replies.sort(key=lambda each: (each.draft.sending_since or each.draft.proposed_at, each.draft.id))
    posts = [each for each in notices.in_doubt(tx) if network in (None, each.network)]
    changes = [each for each in amendments.in_doubt(tx) if network in (None, each.network)]
    seen = {
        Sent.REPLY: looks.of_several(tx, Sent.REPLY, [each.draft.id for each in replies[:limit]]),
        Sent.NOTICE: looks.of_several(tx, Sent.NOTICE, [each.id for each in posts[:limit]]),
        Sent.AMENDMENT: looks.of_several(tx, Sent.AMENDMENT, [each.id for each in changes[:limit]]),
    }
    found = [
        Unknown(
            what=Sent.REPLY,
            name=f"D{each.draft.id}",
            way="message" if each.draft.channel else "reply",
            network=each.draft.network,
            account=each.draft.account,
            to=each.handle,
            text=each.draft.text,
            answers=each.mention_url,
            sending_since=each.draft.sending_since,
            unknown_since=each.draft.unknown_since,
            looked_at=each.draft.looked_at,
            reason=each.draft.reason or "",
            looks=seen[Sent.REPLY].get(each.draft.id, ()),
        )
        for each in replies[:limit]
    ]
    found += [
        Unknown(
            what=Sent.NOTICE,
            name=f"N{each.notice_id} {each.account}/{each.language}",
            way="notice",
            network=each.network,
            account=each.account,
            to="",
            text=each.text,
            answers=None,
            sending_since=each.sending_since,
            unknown_since=each.unknown_since,
            looked_at=each.looked_at,
            reason=each.reason or "",
            looks=seen[Sent.NOTICE].get(each.id, ()),
        )
        for each in posts[:limit]
    ]
    found += [
        Unknown(
            what=Sent.AMENDMENT,
            name=f"N{each.notice_id} {each.account}/{each.language}",
            way=each.kind.value,
            network=each.network,
            account=each.account,
            to="",
            text=each.text,
            answers=each.posted_url,
            sending_since=each.sending_since,
            unknown_since=each.unknown_since,
            looked_at=each.looked_at,
            reason=each.reason or "",
            looks=seen[Sent.AMENDMENT].get(each.id, ()),
        )
        for each in changes[:limit]
    ]
    return found


def count(tx: Transaction, *, network: str | None = None) -> int:
    """How many there are without a limit."""
    elsewhere = [each.network for each in notices.in_doubt(tx)] + [each.network for each in amendments.in_doubt(tx)]
    of_replies = waiting.count(tx, states=(DraftState.UNKNOWN,), network=network)
    return of_replies + sum(network in (None, each) for each in elsewhere)


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """When one of them was sent, and when it was last looked for; each None where nobody knows or never."""

    what: Sent
    account: str
    sending_since: datetime | None
    looked_at: datetime | None


def awaited(tx: Transaction) -> list[Awaited]:
    """When each of them was looked for, whoever may see it."""
    columns = t.drafts.c
    asked = select(columns.account, columns.sending_since, columns.looked_at)
    found: list[tuple[Sent, Any]] = [
        (Sent.REPLY, row) for row in tx.execute(asked.where(columns.state == DraftState.UNKNOWN.value)).all()
    ]
    found += [(Sent.NOTICE, each) for each in notices.in_doubt(tx)]
    found += [(Sent.AMENDMENT, each) for each in amendments.in_doubt(tx)]
    return [
        Awaited(what=what, account=each.account, sending_since=each.sending_since, looked_at=each.looked_at)
        for what, each in found
    ]
