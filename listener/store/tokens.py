"""Tokens: what shows who somebody is where the machine does not.

Only their SHA-256 is kept; 256 random bits need neither salt nor a slow hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, null, or_, select, update

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, audit, users
from listener.store import tables as t
from listener.store.users import User

PREFIX = "esc_"  # so that a scanner of leaked secrets can know one
MOST = 20  # live ones that a user may have


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known of a token."""

    id: int
    label: str
    only: tuple[str, ...] | None
    """The commands, or groups of them, that it is for; None: all that its user may call."""
    made_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def issue(
    tx: Transaction,
    user: User,
    *,
    label: str,
    expires_at: datetime | None,
    by: str,
    now: datetime,
    only: Sequence[str] | None = None,
) -> tuple[Token, str]:
    """A new token of that user, and the words of it, which can never be had again. Raises Mistake for too many.

    `only`: the commands that it is for; None: all that its user may call.
    """
    user = users.by_id(tx, user.id, lock=True)
    if not user.enabled:
        raise Mistake(f"{user.name} is disabled; `escucha user enable {user.name}` first.")
    if sum(each.revoked_at is None for each in of(tx, user)) >= MOST:
        raise Mistake(f"{user.name} has {MOST} tokens; take one back with `escucha user revoke` first.")
    words = PREFIX + secrets.token_urlsafe(32)
    values = {
        "user_id": user.id,
        "label": label,
        "digest": digest(words),
        "only": null() if only is None else list(only),
        "made_at": now,
        "expires_at": expires_at,
    }
    made = tx.execute(insert(t.user_tokens).values(**values).returning(t.user_tokens.c.id)).scalar_one()
    narrowed = {} if only is None else {"only": list(only)}
    audit.record(
        tx, at=now, by=by, action="user.token", subject=f"user {user.name}", token=made, label=label, **narrowed
    )
    return next(each for each in of(tx, user) if each.id == made), words


def digest(words: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()


def owner(tx: Transaction, words: str, now: datetime) -> tuple[User, Token] | None:
    """Whose token that is, and which; None where it is nobody's, was taken back, or has run out."""
    row = tx.execute(select(t.user_tokens).where(t.user_tokens.c.digest == digest(words), *_holds(now))).first()
    return (users.by_id(tx, row.user_id), _token(row)) if row else None


def holds(tx: Transaction, token_id: int, now: datetime) -> bool:
    """Whether that token still shows who somebody is."""
    return (
        tx.execute(select(t.user_tokens.c.id).where(t.user_tokens.c.id == token_id, *_holds(now))).first() is not None
    )


def of(tx: Transaction, user: User) -> list[Token]:
    """Every token the user ever had, the newest first."""
    query = select(t.user_tokens).where(t.user_tokens.c.user_id == user.id).order_by(t.user_tokens.c.id.desc())
    return [_token(row) for row in tx.execute(query)]


def owner_of(tx: Transaction, token_id: int) -> User:
    """Whose the token with that number is. Raises NotFound."""
    user_id = tx.scalar(select(t.user_tokens.c.user_id).where(t.user_tokens.c.id == token_id))
    if user_id is None:
        raise NotFound(f"There is no token {token_id}; see `escucha user tokens`.")
    return users.by_id(tx, user_id)


def revoke(tx: Transaction, token_id: int, *, by: str, now: datetime) -> User:
    """Takes the token back; gives whose it was. Raises NotFound, AlreadyDone."""
    user = owner_of(tx, token_id)
    live = (t.user_tokens.c.id == token_id, t.user_tokens.c.revoked_at.is_(None))
    if not tx.execute(update(t.user_tokens).where(*live).values(revoked_at=now)).rowcount:
        raise AlreadyDone(f"Token {token_id} was taken back before.")
    audit.record(tx, at=now, by=by, action="user.revoked", subject=f"user {user.name}", token=token_id)
    users.demand_an_admin(tx, now)
    return user


def _token(row: Row[Any]) -> Token:
    said = {name: getattr(row, name) for name in Token.__dataclass_fields__}
    return Token(**said | {"only": None if row.only is None else tuple(row.only)})


def _holds(now: datetime) -> tuple[ColumnElement[bool], ...]:
    lasts = or_(t.user_tokens.c.expires_at.is_(None), t.user_tokens.c.expires_at > now)
    return (t.user_tokens.c.revoked_at.is_(None), lasts)
