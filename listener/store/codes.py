"""One-time codes of customers: issued, used, tried. What a code is, `desk/codes.py` says; here is only its digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, insert, select, update

from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.store.customers import Customer
from listener.store.mentions import Mention
from listener.types import LinkCode


@dataclass(frozen=True, kw_only=True)
class Code:
    """One code as it was issued, and what became of it."""

    id: int
    customer_id: int
    network: str
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    account_id: int | None
    mention_id: int | None
    used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A code in a mention, and what came of it."""

    mention_id: int
    outcome: LinkCode
    code_id: int | None
    at: datetime


def add(
    tx: Transaction, customer: Customer, *, digest: str, network: str, expires_at: datetime, by: str, now: datetime
) -> None:
    """Keeps a code that counts from now on. The audit log hears of it, never its words."""
    values = {"digest": digest, "network": network, "issued_by": by, "issued_at": now, "expires_at": expires_at}
    tx.execute(insert(t.link_codes).values(customer_id=customer.id, **values))
    told = {"network": network, "expires_at": expires_at.isoformat()}
    audit.record(tx, at=now, by=by, action="customer.code_issued", subject=f"customer {customer.reference}", **told)


def withdraw(tx: Transaction, customer: Customer, *, by: str, now: datetime) -> int:
    """Takes back the customer's codes that count; gives how many."""
    gone = tx.execute(update(t.link_codes).where(*_counts(customer.id, now)).values(withdrawn_at=now)).rowcount
    if gone:
        subject = f"customer {customer.reference}"
        audit.record(tx, at=now, by=by, action="customer.codes_withdrawn", subject=subject, count=gone)
    return gone


def open_count(tx: Transaction, customer_id: int, now: datetime) -> int:
    """How many of the customer's codes count."""
    query = select(func.count()).select_from(t.link_codes).where(*_counts(customer_id, now))
    return int(tx.scalar(query) or 0)


def find(tx: Transaction, digest: str) -> Code | None:
    """The code of that digest; None where nobody was given it."""
    row = tx.execute(select(t.link_codes).where(t.link_codes.c.digest == digest)).first()
    return None if row is None else Code(**{name: getattr(row, name) for name in Code.__dataclass_fields__})


def by_id(tx: Transaction, code_id: int) -> Code:
    """The code of that row id."""
    row = tx.execute(select(t.link_codes).where(t.link_codes.c.id == code_id)).one()
    return Code(**{name: getattr(row, name) for name in Code.__dataclass_fields__})


def use(tx: Transaction, code: Code, mention: Mention, now: datetime) -> bool:
    """Whether the mention's account is the one that has used it: the first does, and no other."""
    columns = t.link_codes.c
    where = (columns.id == code.id, columns.used_at.is_(None), columns.withdrawn_at.is_(None))
    values = {"account_id": mention.account_id, "mention_id": mention.id, "used_at": now}
    return bool(tx.execute(update(t.link_codes).where(*where).values(**values)).rowcount)


def tried(tx: Transaction, mention_id: int, revision: int) -> Tried | None:
    """What came of the code in that revision of a mention, if it was looked at."""
    columns = t.link_tries.c
    row = tx.execute(select(t.link_tries).where(columns.mention_id == mention_id, columns.revision == revision)).first()
    if row is None:
        return None
    return Tried(mention_id=mention_id, outcome=LinkCode(row.outcome), code_id=row.link_code_id, at=row.at)


def last_tried(tx: Transaction, mention_id: int) -> Tried | None:
    """What came of the code in the mention as it was last looked at; None where none was in it."""
    columns = t.link_tries.c
    query = select(columns.revision).where(columns.mention_id == mention_id).order_by(columns.revision.desc()).limit(1)
    revision = tx.scalar(query)
    return None if revision is None else tried(tx, mention_id, revision)


def note(tx: Transaction, mention: Mention, outcome: LinkCode, code_id: int | None, now: datetime) -> Tried:
    """Keeps what came of it, and gives that."""
    values = {"account_id": mention.account_id, "mention_id": mention.id, "revision": mention.revision, "at": now}
    new = upsert(tx, t.link_tries).values(outcome=outcome.value, link_code_id=code_id, **values)
    tx.execute(new.on_conflict_do_nothing())
    subject = f"mention {mention.id}"
    audit.record(tx, at=now, by="daemon", action="mention.code", subject=subject, outcome=outcome.value)
    return Tried(mention_id=mention.id, outcome=outcome, code_id=code_id, at=now)


def wrong_since(tx: Transaction, account_id: int, since: datetime) -> int:
    """How many mentions with a wrong code came from the account since."""
    columns = t.link_tries.c
    failed = columns.outcome.not_in([LinkCode.LINKED.value])
    where = (columns.account_id == account_id, columns.at >= since, failed)
    return int(tx.scalar(select(func.count()).select_from(t.link_tries).where(*where)) or 0)


def looked_at(tx: Transaction, since: datetime) -> int:
    """In how many mentions a code was looked at since, whoever wrote them."""
    columns = t.link_tries.c
    where = (columns.at >= since, columns.outcome != LinkCode.TOO_MANY.value)
    return int(tx.scalar(select(func.count()).select_from(t.link_tries).where(*where)) or 0)


def any_issued(tx: Transaction) -> bool:
    """Whether anybody was ever given a code here."""
    return tx.scalar(select(t.link_codes.c.id).limit(1)) is not None


def _counts(customer_id: int, now: datetime) -> list[ColumnElement[bool]]:
    columns = t.link_codes.c
    return [
        columns.customer_id == customer_id,
        columns.used_at.is_(None),
        columns.withdrawn_at.is_(None),
        columns.expires_at > now,
    ]
