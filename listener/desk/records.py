"""A customer's record as people keep it: edits by hand, contact points, consent, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from listener import reach
from listener.desk import field_values, people
from listener.desk.checks import CHECKS, check_contact, check_text
from listener.errors import AlreadyDone, Mistake
from listener.escapes import visible
from listener.store import Transaction, consents, contacts, customer_notes, customers, field_types
from listener.store.consents import Consent
from listener.store.contacts import ContactPoint
from listener.store.customers import Customer

MAX_NOTE = 10_000
MAX_POINTS = 50


def edit(
    tx: Transaction,
    customer: Customer,
    *,
    columns: Mapping[str, str],
    fields: Mapping[str, str],
    by: str,
    now: datetime,
) -> tuple[str, ...]:
    """Writes those columns and fields, each as people write it ("" empties it); gives the names of what changed.

    A field is read by its declared type. Raises Mistake with everything that is wrong at once.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, text in columns.items():
        try:
            values[name] = CHECKS[name](text.strip())
        except Mistake as mistake:
            wrong.append(str(mistake).rstrip("."))
    types = field_types.all_of_them(tx)
    known = {name.casefold(): name for name in customer.fields}
    typed: dict[str, Any] = {}
    for name, text in fields.items():
        called = known.get(name.casefold(), " ".join(name.split()))
        kind = types.get(called.casefold())
        try:
            if not called or len(called) > 100 or visible(called) != called:
                raise Mistake(f"{visible(name)[:40]!r} is no field's name.")
            check_text(called, text)
            typed[called] = field_values.read(kind, text.strip()) if kind else text.strip()
        except Mistake as mistake:
            said = str(mistake).rstrip(".")
            wrong.append(said if called in said else f"{called}: {said}")
    if wrong:
        raise Mistake(f"Not changed: {'; '.join(wrong)}.")
    person = people.Person(reference=customer.reference, values=values, fields=typed)
    made = people.merged(person, customer)
    if made.changed:
        customers.write(tx, added=[], changed=[made], by=by, now=now, source="command line")
    return made.changed


def put_contact(
    tx: Transaction,
    customer: Customer,
    *,
    kind: str,
    written: str,
    said: Mapping[str, bool],
    by: str,
    now: datetime,
) -> None:
    """Adds a contact point, checked by its kind, or says what holds of it (`preferred`, `verified`, `do_not_use`).

    Raises Mistake; AlreadyDone where the record has it and nothing is said of it.
    """
    plain = check_contact(kind, written)
    there = contacts.of(tx, customer.id)
    value = reach.compared(kind, plain, country=contacts.country(tx))
    point = next((point for point in there if (point.kind, point.value) == (kind, value)), None)
    if point is not None and not said:
        raise AlreadyDone(f"{customer.reference} is reached at that {kind} already.")
    if point is None and len(there) >= MAX_POINTS:
        raise Mistake(f"{customer.reference} has {MAX_POINTS} contact points, and that is the most; take one away.")
    who: dict[str, Any] = {"customer_id": customer.id, "reference": customer.reference, "by": by, "now": now}
    point = point or contacts.put(tx, kind=kind, written=plain, **who)
    marks: dict[str, Any] = dict(said)
    contacts.mark(tx, point, **who, **marks)


def remove_contact(tx: Transaction, customer: Customer, *, kind: str, written: str, by: str, now: datetime) -> None:
    """Takes one away. Raises NotFound; Mistake for the record's own, which follow the record."""
    point = contacts.get(tx, customer.id, kind, written)
    if point.of_record:
        option = "--email" if kind == reach.MAIL else "--phone"
        raise Mistake(
            f'It is the record\'s own; change it with `escucha customer edit {customer.reference} {option} ""`, or bar '
            "it with --do-not-use."
        )
    contacts.remove(tx, point, reference=customer.reference, by=by, now=now)


def note(tx: Transaction, customer: Customer, text: str, *, by: str, now: datetime) -> None:
    """Adds a note for whoever talks to them next. Raises Mistake for an empty or endless one."""
    plain = text.strip()
    if not plain or len(plain) > MAX_NOTE:
        raise Mistake(f"A note has between 1 and {MAX_NOTE:,} characters.")
    customer_notes.add(tx, customer_id=customer.id, reference=customer.reference, text=plain, by=by, now=now)


def consent(
    tx: Transaction,
    customer: Customer,
    *,
    channel: str,
    purpose: str,
    given: bool,
    source: str,
    by: str,
    now: datetime,
    said_on: date | None = None,
) -> Consent:
    """Notes what they allowed or took back. Raises Mistake for a day to come, AlreadyDone where it is so already."""
    said = Consent(
        channel=check_word("channel", channel),
        purpose=check_word("purpose", purpose),
        given=given,
        at=_moment(said_on, now),
        source=" ".join(source.split())[:1000],
        noted_by=by,
    )
    same = [
        each
        for each in consents.current(tx, customer.id)
        if (each.channel, each.purpose) == (said.channel, said.purpose)
    ]
    if same and same[0].given is given and same[0].at <= said.at:
        raise AlreadyDone(f"That is what the record says since {same[0].at.date()}.")
    consents.note(tx, [(customer.id, customer.reference, said)], now=now)
    return said


def check_word(what: str, text: str) -> str:
    """A channel or a purpose in one word. Raises Mistake."""
    word = "_".join(text.split()).casefold()
    if not word or len(word) > 50 or visible(word) != word or ":" in word:
        raise Mistake(f"{visible(text)[:40]!r} is no {what}; write one word, such as mail or marketing.")
    return word


def _moment(said_on: date | None, now: datetime) -> datetime:
    if said_on is None or said_on == now.date():
        return now
    if said_on > now.date():
        raise Mistake(f"{said_on} is still to come; write the day on which they said it.")
    return datetime.combine(said_on, time(), UTC)


@dataclass(frozen=True, kw_only=True)
class Way:
    """A contact point and whether it may be used; `why_not` is "" where it may."""

    point: ContactPoint
    why_not: str = ""


def ways(points: Sequence[ContactPoint], said: Sequence[Consent], purpose: str = "care") -> list[Way]:
    """Every contact point, the ones that may be used for that purpose first, preferred ones before others. Pure.

    Care answers who wrote to us, so nothing but a refusal stands in its way; for every other purpose, such as
    marketing, somebody must have allowed it.
    """
    found = [Way(point=point, why_not=_why_not(point, said, purpose)) for point in points]
    return sorted(found, key=lambda way: (bool(way.why_not), not way.point.preferred, not way.point.of_record))


def _why_not(point: ContactPoint, said: Sequence[Consent], purpose: str) -> str:
    if point.do_not_use:
        return "must not be used"
    allowed = consents.allows(said, channel=point.kind, purpose=purpose)
    if allowed is False:
        return f"consent for {purpose} was withdrawn"
    if allowed is None and purpose != "care":
        return f"nobody allowed {purpose}"
    return ""
