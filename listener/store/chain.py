"""The audit log as a chain: each entry's hash covers the entry before it, so that no change of the past goes unseen.

    hash = SHA-256(hash of the entry before, [number, time, who, what, digest])        or HMAC-SHA-256 under a key
    digest = SHA-256(salt, [subject, detail])

The words stand behind a salted digest, so that they can be erased with their salt while the chain stays whole. Entries
wait in the transaction and are chained at its end, in one pass: the head's row is locked for that last moment only, so
writers (PostgreSQL) meet for the length of a commit, however long they work and however many entries they bring.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from hmac import new as hmac
from typing import Any

from sqlalchemy import select, update

from listener.errors import Mistake
from listener.store import Transaction, bulk, upsert
from listener.store import tables as t

ORIGIN = "0" * 64  # what stands before the first entry
SALT = 16  # bytes


@dataclass(kw_only=True)
class Pending:
    """What a transaction will add to the chain when it ends, and the key to seal it with; "" is none."""

    key: bytes = b""
    rows: list[dict[str, Any]] = field(default_factory=list)


def pending(tx: Transaction) -> Pending:
    """What waits in this transaction; nothing in one that only reads."""
    found: Pending = tx.get_execution_options().get("escucha_audit") or Pending()
    return found


def key_name(key: bytes) -> str:
    """What an entry keeps of the key that sealed it: enough to know it by, nothing to find it out with."""
    return sha256(b"escucha audit key\n" + key).hexdigest()[:16] if key else ""


_COLUMNS = tuple(t.audit.c.keys())
_LOCKED, _MOVE = select(t.audit_head).with_for_update(), update(t.audit_head)
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode  # making one takes longer than using it
_PLAIN = (str, int, float, bool, type(None))


def canonical(value: Sequence[Any]) -> bytes:
    """The one way to write values of JSON down; also for those that did not go through a database yet."""
    return _write(json.loads(json.dumps(value))).encode()


def digest(salt: str, subject: str, detail: Mapping[str, Any]) -> str:
    """What stands in the chain for an entry's words."""
    flat = all(type(value) in _PLAIN for value in detail.values())  # then what comes back is what is given
    words = _write([subject, detail]).encode() if flat else canonical([subject, detail])
    return sha256(bytes.fromhex(salt) + words).hexdigest()


def link(before: str, number: int, key: bytes, *, at: datetime, by: str, action: str, words: str) -> str:
    """The hash of one entry, after the entry whose hash is `before`; `words` is their digest."""
    content = _write([number, at.astimezone(UTC).isoformat(), by, action, words]).encode()
    body = before.encode() + b"\n" + content
    return hmac(key, body, "sha256").hexdigest() if key else sha256(body).hexdigest()


def seal(tx: Transaction) -> None:
    """Chains what waits in the transaction. Raises Mistake where the chain is sealed with another key than ours."""
    waiting = pending(tx)
    if not waiting.rows:
        return
    head = _head(tx)
    ours = key_name(waiting.key)
    if head.key and head.key != ours:
        raise Mistake(
            "The audit log is sealed with another key than this process has: set ESCUCHA_AUDIT__KEY or "
            "ESCUCHA_AUDIT__KEY_FILE to it, or begin with a new one by `escucha audit rekey`."
        )
    _chain(tx, waiting, head.last, head.hash)


def rekey(tx: Transaction) -> None:
    """Lets what waits be sealed with the key of this process, whatever sealed the chain so far."""
    waiting = pending(tx)
    head = _head(tx)
    _chain(tx, waiting, head.last, head.hash)


def head_key(tx: Transaction) -> str:
    """The name of the key that the chain is sealed with; "" where with none, or where nothing is in it yet."""
    return tx.scalar(select(t.audit_head.c.key)) or ""


def _chain(tx: Transaction, waiting: Pending, number: int, before: str) -> None:
    salts = os.urandom(SALT * len(waiting.rows)).hex()
    name = key_name(waiting.key)
    for index, row in enumerate(waiting.rows):
        number += 1
        salt = salts[2 * SALT * index : 2 * SALT * (index + 1)]
        words = digest(salt, row["subject"], row["detail"])
        before = link(before, number, waiting.key, at=row["at"], by=row["by"], action=row["action"], words=words)
        row.update(id=number, salt=salt, digest=None, key=name, hash=before)
    bulk.add(tx, t.audit, _COLUMNS, [tuple(row[name] for name in _COLUMNS) for row in waiting.rows])
    tx.execute(_MOVE, {"last": number, "hash": before, "key": name})
    waiting.rows.clear()


def _head(tx: Transaction) -> Any:
    """The chain's head, locked; made where there is none."""
    if (head := tx.execute(_LOCKED).first()) is not None:
        return head
    columns = t.audit.c
    newest = tx.execute(select(columns.id, columns.hash, columns.key).order_by(columns.id.desc()).limit(1)).first()
    last, hash_, key = newest or (0, ORIGIN, "")
    new = upsert(tx, t.audit_head).values(one=1, last=last, hash=hash_, key=key)
    tx.execute(new.on_conflict_do_nothing())  # of two that begin the chain at once, one makes it
    return tx.execute(_LOCKED).one()
