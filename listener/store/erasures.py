"""People who were erased: what goes on, what is done, and whom nothing may bring back unasked.

Of somebody who is gone only keyed hashes stay: of how they were asked for, of their reference and e-mail addresses (so
that no import brings them back in silence) and of their posts' ids (so that no poll does).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from listener.store import Transaction, upsert
from listener.store import tables as t

POST = "erased:"  # what the id of an erased post begins with, before its keyed hash


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """One person's. `person` and `marks` are what is still needed of them; empty once it is done."""

    id: int
    by: str
    reason: str
    begun_at: datetime
    done_at: datetime | None
    person: Mapping[str, Any]
    marks: Sequence[Sequence[str]]
    proof: Mapping[str, Any]


def begin(
    tx: Transaction,
    called: str,
    *,
    person: Mapping[str, Any],
    marks: Sequence[Sequence[str]],
    notes: Sequence[str],
    by: str,
    reason: str,
    now: datetime,
) -> Erasure:
    """Says that a person is being erased; `called` is how they were asked for, `notes` what is told in the end."""
    values = {"by": by, "reason": reason, "begun_at": now, "called": digest(_made_pepper(tx), "called", called)}
    values |= {"person": dict(person), "marks": [list(mark) for mark in marks], "proof": {"notes": list(notes)}}
    made = tx.execute(insert(t.erasures).values(**values).returning(t.erasures)).one()
    return _erasure(made)


def unfinished(tx: Transaction, called: str = "") -> list[Erasure]:
    """Those that were interrupted; with `called` only that person's."""
    query = select(t.erasures).where(t.erasures.c.done_at.is_(None)).order_by(t.erasures.c.id)
    if called:
        query = query.where(t.erasures.c.called == digest(_pepper(tx), "called", called))
    return [_erasure(row) for row in tx.execute(query)]


def searched(tx: Transaction, erasure: Erasure, proof: Mapping[str, Any]) -> None:
    """Says that no row names them any more, and forgets by what they were looked for."""
    values = {"person": None, "marks": None, "proof": dict(proof)}
    tx.execute(update(t.erasures).where(t.erasures.c.id == erasure.id).values(**values))


def finish(tx: Transaction, erasure: Erasure, *, proof: Mapping[str, Any], now: datetime) -> None:
    """Says that it is done, and what was found in the end."""
    tx.execute(update(t.erasures).where(t.erasures.c.id == erasure.id).values(proof=dict(proof), done_at=now))


def listing(tx: Transaction, limit: int) -> list[Erasure]:
    """The newest, newest first."""
    return [_erasure(row) for row in tx.execute(select(t.erasures).order_by(t.erasures.c.id.desc()).limit(limit))]


def last_by(tx: Transaction, by: str) -> datetime | None:
    """When that one last began to erase somebody."""
    newest = select(t.erasures.c.begun_at).where(t.erasures.c.by == by).order_by(t.erasures.c.id.desc())
    found: datetime | None = tx.scalar(newest.limit(1))
    return found


def last_called(tx: Transaction, called: str) -> Erasure | None:
    """The newest of whoever was asked for so."""
    columns = t.erasures.c
    query = (
        select(t.erasures).where(columns.called == digest(_pepper(tx), "called", called)).order_by(columns.id.desc())
    )
    row = tx.execute(query.limit(1)).first()
    return _erasure(row) if row else None


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id,
        by=row.by,
        reason=row.reason,
        begun_at=row.begun_at,
        done_at=row.done_at,
        person=row.person or {},
        marks=row.marks or (),
        proof=row.proof or {},
    )


# --- whom nothing brings back ---


def names_of(reference: str, mail: object) -> list[tuple[str, str]]:
    """By what an import would bring somebody back: their reference, and their e-mail address where there is one."""
    return [("reference", reference), *([("mail", str(mail))] if mail else [])]


def suppress(tx: Transaction, erasure: Erasure, told: Iterable[tuple[str, str]]) -> None:
    """Lets no import bring back whoever has one of these: ("reference", …) or ("mail", …)."""
    pepper = _made_pepper(tx)
    rows = [{"digest": digest(pepper, kind, value), "kind": kind, "erasure_id": erasure.id} for kind, value in told]
    if rows:
        tx.execute(upsert(tx, t.suppressions).on_conflict_do_nothing(), rows)


def suppressed(tx: Transaction, told: Iterable[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """Which of these were somebody's who was erased, and when. Quick where nobody ever was."""
    pepper = _pepper(tx)
    if not pepper:
        return {}
    asked = {digest(pepper, kind, value): (kind, value) for kind, value in told if value}
    joined = t.suppressions.join(t.erasures, t.suppressions.c.erasure_id == t.erasures.c.id)
    columns = (t.suppressions.c.digest, t.erasures.c.begun_at)
    query = select(*columns).select_from(joined).where(t.suppressions.c.digest.in_(asked))
    return {asked[row.digest]: row.begun_at for row in tx.execute(query)}


def readmit(tx: Transaction, told: Iterable[tuple[str, str]]) -> int:
    """Lets them come back, because somebody says that the person is a customer again; gives how many stood there."""
    pepper = _pepper(tx)
    digests = [digest(pepper, kind, value) for kind, value in told if value]
    return tx.execute(delete(t.suppressions).where(t.suppressions.c.digest.in_(digests))).rowcount


def post_ids(tx: Transaction, network: str, external_ids: Sequence[str]) -> dict[str, str]:
    """What erased posts are known by, by their ids: nobody can tell from it which post it was. Empty before any was."""
    pepper = _pepper(tx) if external_ids else b""
    return {each: POST + digest(pepper, "post", f"{network}\0{each}") for each in external_ids} if pepper else {}


def digest(pepper: bytes, kind: str, value: str) -> str:
    """The keyed hash of a value, written in whatever case: 64 hex digits."""
    folded = value if kind == "post" else value.strip().casefold()
    return hmac.new(pepper, f"{kind}\0{folded}".encode("utf-8", "replace"), "sha256").hexdigest()


def _pepper(tx: Transaction) -> bytes:
    """This database's own secret; b"" before anybody was erased."""
    return bytes(tx.scalar(select(t.peppers.c.value)) or b"")


def _made_pepper(tx: Transaction) -> bytes:
    """The same, made where there is none yet."""
    tx.execute(upsert(tx, t.peppers).values(name="erased", value=os.urandom(32)).on_conflict_do_nothing())
    return _pepper(tx)
