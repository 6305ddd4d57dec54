"""What came of fetching the links of a notice, the last time somebody or the daemon did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import LinkCheck, LinkState


@dataclass(frozen=True, kw_only=True)
class CheckedLink:
    """One link of a notice and what came of it then; `detail` in words for people."""

    url: str
    state: LinkState
    detail: str
    checked_at: datetime


def of(tx: Transaction, notice_id: int) -> tuple[CheckedLink, ...]:
    """Those that were ever fetched, in their order."""
    rows = tx.execute(
        select(t.notice_links).where(t.notice_links.c.notice_id == notice_id).order_by(t.notice_links.c.id)
    )
    return tuple(
        CheckedLink(url=row.url, state=LinkState(row.state), detail=row.detail, checked_at=row.checked_at)
        for row in rows
    )


def record(tx: Transaction, notice_id: int, checks: Iterable[LinkCheck], now: datetime) -> None:
    """Writes down what came of them now, in place of what came of them before."""
    for check in checks:
        values = {"state": check.state.value, "detail": check.detail, "checked_at": now}
        tx.execute(
            upsert(tx, t.notice_links)
            .values(notice_id=notice_id, url=check.url, **values)
            .on_conflict_do_update(index_elements=["notice_id", "url"], set_=values)
        )
