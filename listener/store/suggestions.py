"""Which accounts and records may be one person's: found by comparing, decided by people, never by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, or_, select, update

from listener.errors import NotFound
from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.types import Contact, ContactKind


class Strength(StrEnum):
    """How much speaks for it, weakest first."""

    WEAK = "weak"
    FAIR = "fair"
    STRONG = "strong"


class Standing(StrEnum):
    """What became of a suggestion."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that speaks for it, in words."""

    strength: Strength
    text: str


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """An account, or else another record (`other`), that may be the customer's. References stand for records."""

    id: int
    customer: str
    account_id: int | None
    network: str | None
    handle: str | None
    other: str | None
    reasons: tuple[Reason, ...]
    strength: Strength
    state: Standing
    found_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """An account that is nobody's, with what its profile names."""

    id: int
    network: str
    handle: str
    contacts: tuple[Contact, ...]


def suggest(
    tx: Transaction,
    *,
    customer_id: int,
    account_id: int | None = None,
    other_id: int | None = None,
    reasons: Sequence[Reason],
    now: datetime,
) -> bool:
    """Keeps that they may be one person's; whether that is new. What a person decided about the two stays decided."""
    columns = t.link_suggestions.c
    beside = columns.other_id == other_id if account_id is None else columns.account_id == account_id
    said = {
        "reasons": [asdict(reason) for reason in reasons],
        "strength": max((reason.strength for reason in reasons), key=list(Strength).index).value,
    }
    new = upsert(tx, t.link_suggestions).values(
        customer_id=customer_id,
        account_id=account_id,
        other_id=other_id,
        state=Standing.WAITING.value,
        found_at=now,
        **said,
    )
    if tx.execute(new.on_conflict_do_nothing()).rowcount:
        return True
    tx.execute(
        update(t.link_suggestions)
        .where(columns.customer_id == customer_id, beside, columns.state == Standing.WAITING.value)
        .values(**said)
    )
    return False


def get(tx: Transaction, number: int) -> Suggestion:
    """The suggestion of that number. Raises NotFound."""
    row = tx.execute(_joined().where(t.link_suggestions.c.id == number)).first()
    if row is None:
        raise NotFound(f"There is no suggestion {number}; see `escucha customer suggestions`.")
    return _suggestion(row)


def decide(tx: Transaction, suggestion: Suggestion, standing: Standing, *, by: str, now: datetime) -> bool:
    """Whether that is what becomes of it: False where somebody decided it first."""
    columns = t.link_suggestions.c
    where = (columns.id == suggestion.id, columns.state == Standing.WAITING.value)
    decided = {"state": standing.value, "decided_by": by, "decided_at": now}
    if not tx.execute(update(t.link_suggestions).where(*where).values(**decided)).rowcount:
        return False
    subject, told = f"customer {suggestion.customer}", {"suggestion": suggestion.id}
    audit.record(tx, at=now, by=by, action=f"customer.suggestion_{standing}", subject=subject, **told)
    return True


def waiting(
    tx: Transaction,
    *,
    customer_id: int | None = None,
    account_id: int | None = None,
    all_: bool = False,
    limit: int | None = None,
) -> list[Suggestion]:
    """Those that wait for a person and still make sense, strongest first; `all_`: decided ones too."""
    columns = t.link_suggestions.c
    query = _joined()
    if not all_:
        query = query.where(columns.state == Standing.WAITING.value, *_sensible())
    if customer_id is not None:
        query = query.where(or_(columns.customer_id == customer_id, columns.other_id == customer_id))
    if account_id is not None:
        query = query.where(columns.account_id == account_id)
    rank = {each.value: -place for place, each in enumerate(Strength)}
    order = [columns.strength == each for each in sorted(rank, key=lambda name: rank[name])]
    query = query.order_by(*(each.desc() for each in order), columns.id)
    return [_suggestion(row) for row in tx.execute(query.limit(limit))]


def count(tx: Transaction) -> int:
    """How many wait for a person."""
    where = (t.link_suggestions.c.state == Standing.WAITING.value, *_sensible())
    joined = select(func.count()).select_from(_tables())
    return int(tx.scalar(joined.where(*where)) or 0)


# --- comparing -------------------------------------------------------------------------------------------------------


def next_accounts(tx: Transaction, *, before: datetime, now: datetime, limit: int) -> list[int]:
    """The accounts whose turn it is to be compared, those never compared first; counts them as compared now."""
    columns = t.accounts.c
    found: list[int] = []
    for due, order in (
        (columns.compared_at.is_(None), columns.id),
        (columns.compared_at < before, columns.compared_at),
    ):
        query = select(columns.id).where(due).order_by(order).limit(limit - len(found))
        found += tx.scalars(query).all()
    tx.execute(update(t.accounts).where(columns.id.in_(found)).values(compared_at=now))
    return found


def strangers(tx: Transaction, account_ids: Sequence[int], networks: Iterable[str]) -> list[Stranger]:
    """Those of the accounts that are nobody's, not ours either, and on one of those networks."""
    columns, ours = t.accounts.c, t.identities.c
    linked = select(t.links.c.id).where(t.links.c.account_id == columns.id, t.links.c.unlinked_at.is_(None))
    is_ours = select(ours.account).where(ours.network == columns.network, ours.external_id == columns.external_id)
    query = (
        select(columns.id, columns.network, columns.handle, columns.contacts)
        .where(columns.id.in_(account_ids), columns.network.in_(list(networks)), ~linked.exists(), ~is_ours.exists())
        .order_by(columns.id)
    )
    return [
        Stranger(id=row.id, network=row.network, handle=row.handle, contacts=_contacts(row.contacts))
        for row in tx.execute(query)
    ]


def reached_at(tx: Transaction, kind: str, values: Iterable[str]) -> dict[str, list[tuple[int, bool]]]:
    """By value of a contact point: the ruling records that have it, with whether somebody verified it there."""
    points = t.contact_points.c
    query = (
        select(points.value, points.customer_id, points.verified_at)
        .join(t.customers, t.customers.c.id == points.customer_id)
        .where(points.kind == kind, points.value.in_(list(values)), t.customers.c.merged_into_id.is_(None))
        .order_by(points.customer_id)
    )
    found: dict[str, list[tuple[int, bool]]] = {}
    for row in tx.execute(query):
        found.setdefault(row.value, []).append((row.customer_id, row.verified_at is not None))
    return found


def same_handle(tx: Transaction, handles: Iterable[str], *, most: int = 3) -> dict[str, list[tuple[int, str, str]]]:
    """By handle: whose linked accounts bear the very same one, as (customer, network, handle); not where many do."""
    columns = t.accounts.c
    networks = tx.scalars(select(columns.network).distinct()).all()
    query = (
        select(columns.handle, columns.network, t.links.c.customer_id)
        .join(t.links, t.links.c.account_id == columns.id)
        .where(t.links.c.unlinked_at.is_(None), columns.network.in_(networks), columns.handle.in_(list(handles)))
        .order_by(t.links.c.id)
    )
    found: dict[str, list[tuple[int, str, str]]] = {}
    for row in tx.execute(query):
        found.setdefault(row.handle, []).append((row.customer_id, row.network, row.handle))
    return {handle: theirs for handle, theirs in found.items() if len(theirs) <= most}


def proven_mail(tx: Transaction, account_id: int) -> int | None:
    """The newest mention of the account of which it is proven that the account sent it; None where none is."""
    columns = t.mentions.c
    where = (columns.account_id == account_id, columns.sender_proven.is_(True))
    return tx.scalar(select(columns.id).where(*where).order_by(columns.id.desc()).limit(1))


def next_records(tx: Transaction, *, limit: int) -> list[int]:
    """The next ruling records of a round through all of them, which begins anew at its end."""
    name, columns = "records", t.customers.c
    last = tx.scalar(select(t.sweeps.c.last_id).where(t.sweeps.c.name == name)) or 0
    query = select(columns.id).where(columns.merged_into_id.is_(None), columns.id > last).order_by(columns.id)
    found = list(tx.scalars(query.limit(limit)).all())
    last = found[-1] if len(found) == limit else 0
    kept = upsert(tx, t.sweeps).values(name=name, last_id=last)
    tx.execute(kept.on_conflict_do_update(index_elements=["name"], set_={"last_id": last}))
    return found


def shared_points(
    tx: Transaction, customer_ids: Sequence[int], kinds: Sequence[str]
) -> list[tuple[int, int, str, str]]:
    """What those records share with others: (record, other record, kind, as it is written), each pair once."""
    mine, others = t.contact_points.alias(), t.contact_points.alias()
    query = (
        select(mine.c.customer_id, others.c.customer_id.label("other"), mine.c.kind, mine.c.written)
        .join(others, (others.c.value == mine.c.value) & (others.c.kind == mine.c.kind))
        .join(t.customers, t.customers.c.id == others.c.customer_id)
        .where(
            mine.c.customer_id.in_(customer_ids),
            mine.c.kind.in_(kinds),
            mine.c.value != "",
            others.c.customer_id != mine.c.customer_id,
            t.customers.c.merged_into_id.is_(None),
        )
        .order_by(mine.c.customer_id, others.c.customer_id, mine.c.id)
    )
    return [(row.customer_id, row.other, row.kind, row.written) for row in tx.execute(query)]


def _contacts(kept: Any) -> tuple[Contact, ...]:
    return tuple(
        Contact(kind=ContactKind(each["kind"]), value=each["value"], proven=each["proven"]) for each in kept or ()
    )


_OTHERS = t.customers.alias("others")


def _tables() -> Any:
    suggestions = t.link_suggestions
    joined = suggestions.join(t.customers, t.customers.c.id == suggestions.c.customer_id)
    joined = joined.outerjoin(t.accounts, t.accounts.c.id == suggestions.c.account_id)
    return joined.outerjoin(_OTHERS, _OTHERS.c.id == suggestions.c.other_id)


def _joined() -> Any:
    named = (
        t.customers.c.reference.label("customer"),
        t.accounts.c.network,
        t.accounts.c.handle,
        _OTHERS.c.reference.label("other"),
    )
    return select(t.link_suggestions, *named).select_from(_tables())


def _sensible() -> list[Any]:
    """Neither record is a part of another, and the account is still nobody's."""
    linked = select(t.links.c.id).where(
        t.links.c.account_id == t.link_suggestions.c.account_id, t.links.c.unlinked_at.is_(None)
    )
    return [t.customers.c.merged_into_id.is_(None), _OTHERS.c.merged_into_id.is_(None), ~linked.exists()]


def _suggestion(row: Row[Any]) -> Suggestion:
    read: dict[str, Any] = {
        "reasons": tuple(Reason(strength=Strength(each["strength"]), text=each["text"]) for each in row.reasons),
        "strength": Strength(row.strength),
        "state": Standing(row.state),
    }
    return Suggestion(
        **read, **{name: getattr(row, name) for name in Suggestion.__dataclass_fields__ if name not in read}
    )
