"""Who somebody is here: the numbers of everything that is theirs, and by what they could be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy import and_, or_, select

from listener.errors import NotFound
from listener.store import Transaction, customers, marks
from listener.store import tables as t
from listener.store.marks import Mark
from listener.store.personal import Person

V = TypeVar("V")
AT_ONCE = 500  # values that one question names


@dataclass(frozen=True, kw_only=True)
class Known:
    """A person, how we call them, and by what an import would bring them back."""

    person: Person
    name: str
    language: str = ""
    told: tuple[tuple[str, str], ...] = ()


def find(tx: Transaction, asked: str) -> Known:
    """The customer of that reference with all accounts that are theirs now, or one account, as `mastodon:@ana`.

    Raises NotFound.
    """
    network, colon, handle = asked.strip().partition(":@")
    if colon:
        return _account(tx, network.strip().casefold(), handle.strip())
    found = customers.ruling(tx, customers.get(tx, asked.strip()))
    records = _with_merged(tx, found.id)
    links = t.links.c
    linked = select(links.account_id).where(links.customer_id.in_(records), links.unlinked_at.is_(None))
    accounts = tuple(sorted(tx.scalars(linked)))
    points = t.contact_points.c
    mails = tx.scalars(select(points.value).where(points.customer_id.in_(records), points.kind == "mail"))
    told = {("mail", mail) for mail in mails}
    columns = t.customers.c
    for row in tx.execute(select(columns.reference, columns.email).where(columns.id.in_(records))):
        told |= {("reference", row.reference)} | ({("mail", row.email)} if row.email else set())
    person = _person(tx, customers=records, accounts=accounts)
    return Known(person=person, name=found.name, language=found.language, told=tuple(sorted(told)))


def _with_merged(tx: Transaction, customer_id: int) -> tuple[int, ...]:
    """The record and all that were merged into it."""
    found, newest = {customer_id}, {customer_id}
    while newest:
        merged = select(t.customers.c.id).where(t.customers.c.merged_into_id.in_(newest))
        newest = set(tx.scalars(merged)) - found
        found |= newest
    return tuple(sorted(found))


def _account(tx: Transaction, network: str, handle: str) -> Known:
    columns = t.accounts.c
    rows = tx.execute(select(t.accounts).where(columns.network == network, columns.handle == handle)).all()
    if not rows:
        raise NotFound(f"No account @{handle} was heard on {network}; see `escucha customer list` for references.")
    owner = select(t.customers.c.reference).join(t.links, t.links.c.customer_id == t.customers.c.id)
    mine = (t.links.c.account_id == rows[0].id, t.links.c.unlinked_at.is_(None))
    if reference := tx.scalar(owner.where(*mine)):
        raise NotFound(f"@{handle} on {network} is customer {reference}'s; name the customer, and all goes together.")
    return Known(person=_person(tx, customers=(), accounts=tuple(row.id for row in rows)), name=f"@{handle}")


def _person(tx: Transaction, *, customers: tuple[int, ...], accounts: tuple[int, ...]) -> Person:
    columns = t.cases.c
    nobodys = and_(columns.account_id.in_(accounts), columns.customer_id.is_(None))
    theirs = or_(columns.customer_id.in_(customers), nobodys)  # somebody else's stays theirs, whoever wrote first
    cases = tx.scalars(select(t.cases.c.id).where(theirs).order_by(t.cases.c.id))
    return Person(customers=customers, accounts=accounts, cases=tuple(cases))


def marks_of(tx: Transaction, person: Person) -> set[Mark]:
    """Everything that gives them away: what they are called, where they are reached, and what they wrote."""
    handles: list[str] = []
    names: list[str] = []
    addresses: list[str] = []
    texts: list[str] = []
    for row in tx.execute(select(t.customers).where(t.customers.c.id.in_(person.customers))):
        names.append(row.name)
        addresses += [row.reference, row.email or "", row.phone or ""]
        addresses += [value for value in row.fields.values() if isinstance(value, str) and _tells(value)]
    for row in tx.execute(select(t.contact_points).where(t.contact_points.c.customer_id.in_(person.customers))):
        addresses += [row.value, row.written]
    addresses += tx.scalars(select(t.contracts.c.reference).where(t.contracts.c.customer_id.in_(person.customers)))
    expected = select(t.expected_links.c.handle).where(t.expected_links.c.customer_id.in_(person.customers))
    handles += tx.scalars(expected)
    for row in tx.execute(select(t.accounts).where(t.accounts.c.id.in_(person.accounts))):
        handles.append(row.handle)
        names.append(row.display_name)
        addresses += [row.external_id, row.url or "", row.handle if "@" in row.handle else ""]
        addresses += [told for _, told in marks.leaves(row.contacts) if _tells(told)]
    posts: list[str] = []
    columns = t.mentions.c
    written = select(columns.external_id, columns.url, columns.text, columns.content_warning)
    for row in tx.execute(written.where(columns.account_id.in_(person.accounts))):
        posts += [row.external_id, row.url or ""]
        texts += [row.text, row.content_warning]
    earlier = select(t.revisions.c.text, t.revisions.c.content_warning)
    for row in tx.execute(earlier.where(t.revisions.c.mention_id.in_(person.mentions))):
        texts += [row.text, row.content_warning]
    shared = _of_others(tx, person, [*names, *addresses])
    names, addresses = ([each for each in told if each and each not in shared] for told in (names, addresses))
    return marks.identity(handles=handles, names=names, addresses=[*addresses, *posts]) | marks.words(texts)


def _of_others(tx: Transaction, person: Person, told: Iterable[str]) -> set[str]:
    """What of it somebody else is called by or reached at too: a name, the phone of a household."""
    found: set[str] = set()
    points, records, accounts = t.contact_points.c, t.customers.c, t.accounts.c
    for asked in batched(sorted({each for each in told if each}), AT_ONCE):
        theirs = (points.customer_id.not_in(person.customers), points.value.in_(asked))
        found |= set(tx.scalars(select(points.value).where(*theirs)))
        for column in (records.name, records.email, records.phone):
            found |= set(tx.scalars(select(column).where(records.id.not_in(person.customers), column.in_(asked))))
        named = (accounts.id.not_in(person.accounts), accounts.display_name.in_(asked))
        found |= set(tx.scalars(select(accounts.display_name).where(*named)))
    return found


def batched(values: Sequence[V], size: int) -> Iterator[Sequence[V]]:
    """The values in order, so many at once."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _tells(value: str) -> bool:
    """Whether a further field of a record says by itself whose it is: a number of an identity card, an address."""
    return "@" in value or sum(character.isdigit() for character in value) >= 5


def as_json(person: Person) -> dict[str, Any]:
    """The numbers, as an unfinished erasure keeps them."""
    return {name: list(numbers) for name, numbers in asdict(person).items()}


def from_json(kept: Mapping[str, Any]) -> Person:
    """What `as_json` wrote."""
    return Person(**{name: tuple(numbers) for name, numbers in kept.items()})
