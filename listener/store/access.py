"""Access: what lets another program in, a token with what it is for. It stands for nobody: a user's token is another.

Only the SHA-256 of a token is kept, and when it last let somebody in, to the hour.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.store.tokens import PREFIX, digest

MOST = 100  # live ones
NOTED_EVERY = timedelta(hours=1)  # a scrape every few seconds need not write a row each time


@dataclass(frozen=True, kw_only=True)
class Access:
    """One access. `scopes`: what it is for, such as `metrics` or `crm:erp`."""

    id: int
    name: str
    scopes: tuple[str, ...]
    made_by: str
    made_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    def live(self, now: datetime) -> bool:
        """Whether it lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def issue(
    tx: Transaction, name: str, scopes: Sequence[str], *, expires_at: datetime | None, by: str, now: datetime
) -> tuple[Access, str]:
    """A new access for those scopes, and the words of its token, which can never be had again.

    Raises Mistake for too many, AlreadyDone where a live one has that name.
    """
    live = [each for each in listing(tx) if each.live(now)]
    if len(live) >= MOST:
        raise Mistake(f"There are {MOST} accesses; take one back with `escucha access revoke` first.")
    if before := next((each for each in live if each.name == name), None):
        raise AlreadyDone(
            f"There is an access {name} (number {before.id}); give this one another name, such as {name}-2, so that "
            "each can be taken back alone."
        )
    words = PREFIX + secrets.token_urlsafe(32)
    values = {
        "name": name,
        "scopes": list(scopes),
        "digest": digest(words),
        "made_by": by,
        "made_at": now,
        "expires_at": expires_at,
    }
    made = tx.execute(insert(t.accesses).values(**values).returning(t.accesses.c.id)).scalar_one()
    audit.record(
        tx, at=now, by=by, action="access.made", subject=f"access {made}", name=name, scopes=list(scopes),
        expires_at=expires_at.isoformat() if expires_at else None,
    )  # fmt: skip
    return get(tx, made), words


def find(tx: Transaction, words: str, scope: str, now: datetime) -> Access | None:
    """The access whose token that is, if it is for that scope; None where it is not, was taken back, or has run out."""
    row = tx.execute(select(t.accesses).where(t.accesses.c.digest == digest(words))).first()
    found = _access(row) if row else None
    return found if found and found.live(now) and scope in found.scopes else None


def note_use(tx: Transaction, access: Access, now: datetime) -> None:
    """Writes down that it let somebody in, where that is not known of this hour."""
    tx.execute(update(t.accesses).where(t.accesses.c.id == access.id).values(used_at=now))


def is_noted(access: Access, now: datetime) -> bool:
    """Whether it is known that it let somebody in within this hour."""
    return access.used_at is not None and now - access.used_at < NOTED_EVERY


def get(tx: Transaction, number: int) -> Access:
    """The access with that number. Raises NotFound."""
    row = tx.execute(select(t.accesses).where(t.accesses.c.id == number)).first()
    if row is None:
        raise NotFound(f"There is no access {number}; see `escucha access list --all`.")
    return _access(row)


def listing(tx: Transaction) -> list[Access]:
    """Every access that there ever was, the newest first."""
    return [_access(row) for row in tx.execute(select(t.accesses).order_by(t.accesses.c.id.desc()))]


def revoke(tx: Transaction, number: int, *, by: str, now: datetime) -> Access:
    """Takes it back, at once. Raises NotFound, AlreadyDone."""
    found = get(tx, number)
    live = (t.accesses.c.id == number, t.accesses.c.revoked_at.is_(None))
    if not tx.execute(update(t.accesses).where(*live).values(revoked_at=now)).rowcount:
        raise AlreadyDone(f"Access {number} ({found.name}) was taken back before.")
    audit.record(tx, at=now, by=by, action="access.revoked", subject=f"access {number}", name=found.name)
    return get(tx, number)


def _access(row: Row[Any]) -> Access:
    said = {name: getattr(row, name) for name in Access.__dataclass_fields__}
    return Access(**said | {"scopes": tuple(row.scopes)})
