"""Which accounts are a customer's: links to accounts we heard, and expectations of accounts we were only told of.

Neither is ever deleted: what was taken back, or came true, stays on record with who did it and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zlib import crc32

from sqlalchemy import Row, insert, select, text, update

from listener.errors import AlreadyDone
from listener.store import Transaction, audit, bulk, upsert
from listener.store import tables as t
from listener.store.customers import Customer, by_id, merged_among, ruling
from listener.store.handles import fold, names
from listener.types import LinkBasis

_EXPECTED = select(t.expected_links.c.id).where(t.expected_links.c.settled_at.is_(None)).limit(1)

DAEMON = "daemon"


@dataclass(frozen=True, kw_only=True)
class Link:
    """One account that belongs to a customer, and why we believe so. `account_id` is None until it was heard."""

    account_id: int | None
    network: str
    handle: str
    basis: LinkBasis
    evidence: str
    linked_by: str
    linked_at: datetime


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is known of one handle: the newest account that bears it, and whose it is or is expected to be."""

    handle: str  # as it was asked for
    account_id: int | None
    owner: str = ""  # the customer's reference, "" when it is nobody's
    expected: bool = False  # the owner is only expected to be
    taken_back_from: frozenset[str] = frozenset()  # customers from whom a person unlinked it


_LOCK = crc32(b"escucha links")


def alone(tx: Transaction) -> None:
    """Nobody else changes, or decides by, whose an account is, until this transaction ends.

    To be called first, before anything is read, by whatever takes an account from somebody or joins two records.
    """
    if tx.dialect.name == "postgresql":  # SQLite's writers are alone anyway
        tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})


def steady(tx: Transaction) -> None:
    """Whose an account is stays so until this transaction ends, but for what is found out in it or beside it.

    To be called before it is asked whose an account is, by whatever then writes that down.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock_shared(:n)"), {"n": _LOCK})


def of(tx: Transaction, customer: Customer) -> list[Link]:
    """The accounts linked to the customer now, then those expected to be."""
    linked = (
        select(t.links, t.accounts.c.network, t.accounts.c.handle)
        .join(t.accounts, t.accounts.c.id == t.links.c.account_id)
        .where(t.links.c.customer_id == customer.id, t.links.c.unlinked_at.is_(None))
        .order_by(t.accounts.c.network, t.accounts.c.handle)
    )
    expected = (
        select(t.expected_links)
        .where(t.expected_links.c.customer_id == customer.id, t.expected_links.c.settled_at.is_(None))
        .order_by(t.expected_links.c.network, t.expected_links.c.handle)
    )
    rows = [(row, row.account_id) for row in tx.execute(linked)] + [(row, None) for row in tx.execute(expected)]
    return [_link(row, account_id) for row, account_id in rows]


def claims(tx: Transaction, network: str, handles: Iterable[str]) -> dict[str, Claim]:
    """What is known of each of those handles, by the handle folded."""
    wanted = {fold(handle): handle for handle in handles}
    heard = _heard(tx, network, list(wanted))
    owners = _owners(tx, list(heard.values()))
    expected = _expected(tx, network, list(wanted))
    taken = _taken_back(tx, network, heard, list(wanted))
    found = {}
    for folded, handle in wanted.items():
        account_id = heard.get(folded)
        linked = owners.get(account_id) if account_id is not None else None
        found[folded] = Claim(
            handle=handle,
            account_id=account_id,
            owner=linked or expected.get(folded, ""),
            expected=linked is None and folded in expected,
            taken_back_from=frozenset(taken.get(folded, ())),
        )
    return found


def _heard(tx: Transaction, network: str, wanted: Sequence[str]) -> dict[str, int]:
    columns = t.accounts.c
    local = [name.partition("@")[0] for name in wanted if "@" in name]
    query = select(columns.id, columns.handle, columns.url).where(
        columns.network == network, columns.folded.in_({*wanted, *local})
    )
    rows = tx.execute(query.order_by(columns.id)).all()  # the newest account that bears a handle is the last to say so
    return {name: row.id for row in rows for name in names(row.handle, row.url) if name in wanted}


def _owners(tx: Transaction, account_ids: Sequence[int]) -> dict[int, str]:
    query = (
        select(t.links.c.account_id, t.customers.c.reference)
        .join(t.customers, t.customers.c.id == t.links.c.customer_id)
        .where(t.links.c.account_id.in_(account_ids), t.links.c.unlinked_at.is_(None))
    )
    return {row.account_id: row.reference for row in tx.execute(query)}


def _expected(tx: Transaction, network: str, wanted: Sequence[str]) -> dict[str, str]:
    columns = t.expected_links.c
    query = (
        select(columns.handle, t.customers.c.reference)
        .join(t.customers, t.customers.c.id == columns.customer_id)
        .where(columns.network == network, columns.handle.in_(wanted), columns.settled_at.is_(None))
    )
    return {row.handle: row.reference for row in tx.execute(query)}


def _taken_back(tx: Transaction, network: str, heard: dict[str, int], wanted: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    by_account = {account_id: folded for folded, account_id in heard.items()}
    unlinked = (
        select(t.links.c.account_id, t.customers.c.reference)
        .join(t.customers, t.customers.c.id == t.links.c.customer_id)
        .where(t.links.c.account_id.in_(list(by_account)), t.links.c.unlinked_at.is_not(None))
    )
    for row in tx.execute(unlinked):
        found.setdefault(by_account[row.account_id], set()).add(row.reference)
    columns = t.expected_links.c
    withdrawn = (
        select(columns.handle, t.customers.c.reference)
        .join(t.customers, t.customers.c.id == columns.customer_id)
        .where(columns.network == network, columns.handle.in_(wanted), columns.settled_by != DAEMON)
    )
    for row in tx.execute(withdrawn):
        found.setdefault(row.handle, set()).add(row.reference)
    return found


def add(
    tx: Transaction, *, account_id: int, customer: Customer, basis: LinkBasis, evidence: str, by: str, now: datetime
) -> None:
    """Says that the account is the customer's. Raises AlreadyDone when it became somebody's in between."""
    if not add_unless(tx, account_id=account_id, customer=customer, basis=basis, evidence=evidence, by=by, now=now):
        raise AlreadyDone("Somebody linked that account a moment ago; look again.")


def add_unless(
    tx: Transaction, *, account_id: int, customer: Customer, basis: LinkBasis, evidence: str, by: str, now: datetime
) -> bool:
    """Says that the account is the customer's, unless it is somebody's by now; whether it was said."""
    customer = ruling(tx, customer)
    values = {"basis": basis.value, "evidence": evidence, "linked_by": by, "linked_at": now}
    new = upsert(tx, t.links).values(account_id=account_id, customer_id=customer.id, **values)
    if not tx.execute(new.on_conflict_do_nothing()).rowcount:
        return False
    _record(tx, "customer.linked", customer, by, now, account=account_id, basis=basis.value)
    return True


def expect(
    tx: Transaction,
    told: Sequence[tuple[str, str, Customer]],
    *,
    basis: LinkBasis,
    evidence: str,
    by: str,
    now: datetime,
) -> None:
    """Says of each (network, handle, customer) that the account will be theirs once it is heard. Raises as `add`."""
    merged = merged_among(tx, {customer.id for _, _, customer in told})
    told = [
        (network, handle, ruling(tx, customer) if customer.id in merged else customer)
        for network, handle, customer in told
    ]
    names_of = ("network", "handle", "customer_id", "basis", "evidence", "linked_by", "linked_at")
    rows = [(network, fold(handle), customer.id, basis.value, evidence, by, now) for network, handle, customer in told]
    new = upsert(tx, t.expected_links).on_conflict_do_nothing()
    if 0 <= bulk.put(tx, new, t.expected_links, names_of, rows) < len(rows):
        raise AlreadyDone("Somebody linked one of these accounts a moment ago; look again.")
    audit.record_all(
        tx,
        [
            audit.Entry(
                at=now,
                by=by,
                action="customer.link_expected",
                subject=f"customer {customer.reference}",
                detail={"network": network, "basis": basis.value},
            )
            for network, _, customer in told
        ],
    )


def come_true(tx: Transaction, account_id: int, network: str, handle: str, now: datetime) -> Customer | None:
    """Links an account that is heard to whoever expects it; None when nobody does.

    The link keeps who said so, and when and why. Only where it is nobody's; the caller has looked.
    """
    url = tx.scalar(select(t.accounts.c.url).where(t.accounts.c.id == account_id))
    columns = t.expected_links.c
    where = (columns.network == network, columns.handle.in_(names(handle, url)), columns.settled_at.is_(None))
    row = tx.execute(select(t.expected_links).where(*where).order_by(columns.id).with_for_update()).first()
    if row is None:
        return None
    tx.execute(update(t.expected_links).where(columns.id == row.id).values(settled_by=DAEMON, settled_at=now))
    customer = by_id(tx, row.customer_id)
    tx.execute(
        insert(t.links).values(
            account_id=account_id,
            customer_id=customer.id,
            basis=row.basis,
            evidence=row.evidence,
            linked_by=row.linked_by,
            linked_at=row.linked_at,
        )
    )
    _record(tx, "customer.linked", customer, DAEMON, now, account=account_id, basis=row.basis, said_by=row.linked_by)
    return customer


def expected_among(tx: Transaction, known_as: Mapping[int, tuple[str, str, str | None]]) -> set[int]:
    """Those of these accounts that somebody expects to be a customer's. By account: network, handle, address."""
    waits = t.expected_links.c
    if tx.scalar(_EXPECTED) is None:
        return set()
    called = {
        number: [(network, name) for name in names(handle, url)] for number, (network, handle, url) in known_as.items()
    }
    wanted = sorted({name for each in called.values() for _, name in each})
    query = select(waits.network, waits.handle).where(waits.handle.in_(wanted), waits.settled_at.is_(None))
    found = {(row.network, row.handle) for row in tx.execute(query)}
    return {number for number, each in called.items() if not found.isdisjoint(each)}


def remove(tx: Transaction, *, claim: Claim, network: str, customer: Customer, by: str, now: datetime) -> bool:
    """Takes the link, or the expectation, back; it stays on record. False when there was none."""
    linked, waits = t.links.c, t.expected_links.c
    ended = tx.execute(
        update(t.links)
        .where(linked.account_id == claim.account_id, linked.customer_id == customer.id, linked.unlinked_at.is_(None))
        .values(unlinked_at=now, unlinked_by=by)
    ).rowcount
    withdrawn = tx.execute(
        update(t.expected_links)
        .where(
            waits.network == network,
            waits.handle == fold(claim.handle),
            waits.customer_id == customer.id,
            waits.settled_at.is_(None),
        )
        .values(settled_at=now, settled_by=by)
    ).rowcount
    if ended:
        _record(tx, "customer.unlinked", customer, by, now, account=claim.account_id)
    elif withdrawn:
        _record(tx, "customer.unlinked", customer, by, now, network=network)
    return bool(ended or withdrawn)


def taken_back(tx: Transaction, customer: Customer, account_id: int) -> Link | None:
    """The customer's last link to the account that somebody took back; None where nobody did."""
    columns = t.links.c
    where = (columns.account_id == account_id, columns.customer_id == customer.id, columns.unlinked_at.is_not(None))
    query = select(t.links, t.accounts.c.network, t.accounts.c.handle).join(t.accounts).where(*where)
    row = tx.execute(query.order_by(columns.unlinked_at.desc(), columns.id.desc()).limit(1)).first()
    return _link(row, account_id) if row else None


def was_taken_back(tx: Transaction, *, account_id: int, customer_id: int) -> bool:
    """Whether somebody once took the account from that customer."""
    columns = t.links.c
    where = (columns.account_id == account_id, columns.customer_id == customer_id, columns.unlinked_at.is_not(None))
    return tx.scalar(select(columns.id).where(*where).limit(1)) is not None


def put_back(tx: Transaction, link: Link, *, customer: Customer, by: str, now: datetime) -> None:
    """Says again what a link said that was taken back. Raises AlreadyDone where the account is somebody's."""
    said = {"basis": link.basis.value, "evidence": link.evidence, "linked_by": link.linked_by}
    new = upsert(tx, t.links).values(
        account_id=link.account_id, customer_id=customer.id, linked_at=link.linked_at, **said
    )
    if not tx.execute(new.on_conflict_do_nothing()).rowcount:
        raise AlreadyDone("Somebody linked that account a moment ago; look again.")
    _record(tx, "customer.relinked", customer, by, now, account=link.account_id, basis=link.basis.value)


def whose(tx: Transaction, account_ids: Iterable[int]) -> dict[int, int]:
    """The customers (their row ids) that those accounts are linked to now, by account; who is nobody's is left out."""
    columns = t.links.c
    where = (columns.account_id.in_(list(account_ids)), columns.unlinked_at.is_(None))
    return {row.account_id: row.customer_id for row in tx.execute(select(t.links).where(*where))}


def _link(row: Row[Any], account_id: int | None) -> Link:
    same = {name: getattr(row, name) for name in ("network", "handle", "evidence", "linked_by", "linked_at")}
    return Link(account_id=account_id, basis=LinkBasis(row.basis), **same)


def _record(tx: Transaction, action: str, customer: Customer, by: str, now: datetime, **detail: object) -> None:
    audit.record(tx, at=now, by=by, action=action, subject=f"customer {customer.reference}", **detail)
