"""A record by hand: contact points, consent, notes, typed fields, and how the customer stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener import reach
from listener.desk import checks, field_values, offers, records, standing
from listener.desk.field_values import Habits
from listener.errors import AlreadyDone, Mistake
from listener.store import audit, consents, contacts, customers, field_types, holdings
from listener.store.consents import Consent
from listener.store.customers import Customer, Edit
from listener.store.field_types import FieldKind, FieldType
from listener.store.holdings import Contract
from tests.listener.commands.desk_world import DeskWorld

EURO = FieldType(name="balance", kind=FieldKind.MONEY, currency="EUR")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    made.store.country = "ES"
    yield made
    made.close()


def add(world: DeskWorld, reference: str = "C1", **values: object) -> Customer:
    record = {
        "name": "Ana",
        "email": None,
        "phone": None,
        "language": "",
        "tier": "",
        "tags": [],
        "fields": {},
    } | values
    with world.store.write() as tx:
        edit = Edit(reference=reference, values=record, changed=())
        customers.write(tx, added=[edit], changed=[], by="test", now=world.clock(), source="test")
        return customers.get(tx, reference)


def change(world: DeskWorld, reference: str = "C1", **columns: str) -> tuple[str, ...]:
    with world.store.write() as tx:
        return records.edit(tx, customers.get(tx, reference), columns=columns, fields={}, by="eva", now=world.clock())


def points(world: DeskWorld, reference: str = "C1") -> list[tuple[str, str, bool]]:
    with world.store.read() as tx:
        found = contacts.of(tx, customers.get(tx, reference).id)
        return [(point.kind, point.value, point.of_record) for point in found]


# --- how a contact point is compared ---


@pytest.mark.parametrize(
    ("kind", "written", "country", "value"),
    [
        ("mail", " Ana@X.Example ", "", "ana@x.example"),
        ("phone", "+34 911 22 23 33", "", "+34911222333"),
        ("phone", "911 22 23 33", "ES", "+34911222333"),
        ("phone", "0034 911 222 333", "ES", "+34911222333"),
        ("phone", "+44 (0)20 7946 0958", "", "+442079460958"),
        ("phone", "011 4444-5555", "AR", "+541144445555"),
        ("phone", "011 4444-5555 ext. 12", "AR", "+541144445555;ext=12"),
        ("phone", "911 22 23 33", "", "911222333"),
        ("phone", "123", "ES", "123"),
        ("chat", "@Ana", "", "ana"),
        ("post", "Calle  Mayor 1,\nLugo", "", "calle mayor 1, lugo"),
    ],
)
def test_two_ways_of_writing_one_contact_point_are_the_same(kind: str, written: str, country: str, value: str) -> None:
    assert reach.compared(kind, written, country=country) == value


@given(st.sampled_from(reach.KINDS), st.text(max_size=40))
def test_any_contact_point_can_be_compared(kind: str, written: str) -> None:
    assert isinstance(reach.compared(kind, written, country="MX"), str)


# --- contact points follow the record, and keep what was said of them ---


def test_the_records_own_mail_and_phone_are_contact_points(world: DeskWorld) -> None:
    add(world, email="Ana@X.example", phone="911 22 23 33")
    assert sorted(points(world)) == [("mail", "ana@x.example", True), ("phone", "+34911222333", True)]
    assert change(world, email="luz@x.example", phone="") == ("email", "phone")
    assert points(world) == [("mail", "luz@x.example", True)]
    with world.store.read() as tx:
        assert contacts.whose(tx, "mail", "LUZ@x.example") == ["C1"]
        assert contacts.whose(tx, "mail", "ana@x.example") == []


def test_what_was_said_of_a_contact_point_outlives_the_record(world: DeskWorld) -> None:
    ana = add(world, phone="911222333")
    with world.store.write() as tx:
        point = contacts.get(tx, ana.id, "phone", "+34 911 222 333")
        contacts.mark(tx, point, customer_id=ana.id, reference="C1", do_not_use=True, by="eva", now=world.clock())
    change(world, phone="922333444")
    assert points(world) == [("phone", "+34922333444", True), ("phone", "+34911222333", False)]
    change(world, phone="+34911222333")  # it comes back, and is barred still
    with world.store.read() as tx:
        assert contacts.get(tx, ana.id, "phone", "911222333").do_not_use
        assert contacts.get(tx, ana.id, "phone", "911222333").of_record


def test_only_one_of_a_kind_is_preferred_and_never_a_barred_one(world: DeskWorld) -> None:
    ana = add(world, email="a@x.example")
    with world.store.write() as tx:
        now = world.clock()
        records.put_contact(tx, ana, kind="mail", written="B@x.example", said={}, by="eva", now=now)
        other = contacts.get(tx, ana.id, "mail", "b@x.example")
        mine = contacts.get(tx, ana.id, "mail", "a@x.example")
        for point in (mine, other):
            contacts.mark(tx, point, customer_id=ana.id, reference="C1", preferred=True, by="eva", now=now)
        assert [point.written for point in contacts.of(tx, ana.id) if point.preferred] == ["B@x.example"]
        contacts.mark(tx, other, customer_id=ana.id, reference="C1", do_not_use=True, by="eva", now=now)
        assert not [point for point in contacts.of(tx, ana.id) if point.preferred]
        with pytest.raises(AlreadyDone, match="already"):
            records.put_contact(tx, ana, kind="mail", written="b@X.example", said={}, by="eva", now=now)
        said = str([entry.detail for entry in audit.about(tx, "customer C1")])
        assert "example" not in said  # the log names kinds, never where people are reached


@pytest.mark.parametrize(
    ("kind", "written"),
    [("mail", "nobody"), ("phone", "call me"), ("account", "@ana"), ("post", "a\u202eb"), ("chat", "")],
)
def test_what_is_no_contact_point_is_refused(kind: str, written: str) -> None:
    with pytest.raises(Mistake):
        records.check_contact(kind, written)


# --- consent ---


def says(world: DeskWorld, ana: Customer, given: bool, *, channel: str = "any", on: date | None = None) -> None:
    with world.store.write() as tx:
        records.consent(
            tx,
            ana,
            channel=channel,
            purpose="marketing",
            given=given,
            source="call",
            by="eva",
            now=world.clock(),
            said_on=on,
        )


def usable(world: DeskWorld, ana: Customer, purpose: str) -> dict[str, str]:
    with world.store.read() as tx:
        found = records.ways(contacts.of(tx, ana.id), consents.current(tx, ana.id), purpose)
        return {way.point.kind: way.why_not for way in found}


def test_marketing_needs_consent_and_care_does_not(world: DeskWorld) -> None:
    ana = add(world, email="a@x.example", phone="911222333")
    assert usable(world, ana, "care") == {"mail": "", "phone": ""}
    assert usable(world, ana, "marketing") == dict.fromkeys(("mail", "phone"), "nobody allowed marketing")
    says(world, ana, True)
    world.clock.forward(minutes=1)
    says(world, ana, False, channel="phone")
    assert usable(world, ana, "marketing") == {"mail": "", "phone": "consent for marketing was withdrawn"}
    world.clock.forward(minutes=1)
    says(world, ana, False)
    assert set(usable(world, ana, "marketing").values()) == {"consent for marketing was withdrawn"}
    with world.store.read() as tx:
        assert [each.given for each in consents.history(tx, ana.id)] == [True, False, False]
        assert [entry.action for entry in audit.about(tx, "customer C1")][1:] == [
            "customer.consent_given",
            "customer.consent_withdrawn",
            "customer.consent_withdrawn",
        ]


def test_an_older_word_does_not_undo_a_newer_one(world: DeskWorld) -> None:
    ana = add(world, email="a@x.example")
    says(world, ana, False)
    says(world, ana, True, on=world.clock().date() - timedelta(days=30))
    assert usable(world, ana, "marketing") == {"mail": "consent for marketing was withdrawn"}
    with pytest.raises(AlreadyDone):
        says(world, ana, False)
    with pytest.raises(Mistake, match="still to come"):
        says(world, ana, True, on=world.clock().date() + timedelta(days=2))


moments = st.integers(0, 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.lists(st.tuples(moments, st.booleans(), st.sampled_from(["mail", "phone", "any"])), unique_by=lambda s: s[0]))
def test_the_newest_word_about_a_channel_counts(words: list[tuple[datetime, bool, str]]) -> None:
    said = [
        Consent(channel=channel, purpose="care", given=given, at=at, source="", noted_by="eva")
        for at, given, channel in words
    ]
    about = sorted((at, given) for at, given, channel in words if channel != "phone")
    assert consents.allows(said, channel="mail", purpose="care") is (about[-1][1] if about else None)


# --- what fields hold ---


@pytest.mark.parametrize(
    ("kind", "text", "habits", "value"),
    [
        (FieldKind.NUMBER, "1234.5", Habits(), 1234.5),
        (FieldKind.NUMBER, "1.234,5", Habits(), 1234.5),
        (FieldKind.NUMBER, "1,234.5", Habits(), 1234.5),
        (FieldKind.NUMBER, "1.234", Habits(decimal=","), 1234),
        (FieldKind.NUMBER, "1.234", Habits(decimal="."), 1.234),
        (FieldKind.NUMBER, "-7", Habits(), -7),
        (FieldKind.NUMBER, "1.234.567", Habits(), 1234567),
        (FieldKind.MONEY, "12,5", Habits(), "12.50 EUR"),
        (FieldKind.MONEY, "EUR 1.200,00", Habits(), "1200.00 EUR"),
        (FieldKind.MONEY, "99 €", Habits(), "99.00 EUR"),
        (FieldKind.MONEY, "$ 0.5", Habits(), "0.50 EUR"),
        (FieldKind.DATE, "2026-12-24", Habits(), "2026-12-24"),
        (FieldKind.DATE, "24/12/2026", Habits(), "2026-12-24"),
        (FieldKind.DATE, "03/04/2026", Habits(dates="day"), "2026-04-03"),
        (FieldKind.DATE, "03/04/2026", Habits(dates="month"), "2026-03-04"),
        (FieldKind.YES_NO, "Sí", Habits(), True),
        (FieldKind.YES_NO, "FALSE", Habits(), False),
        (FieldKind.CHOICE, "GOLD", Habits(), "Gold"),
        (FieldKind.TEXT, "00123", Habits(), "00123"),
    ],
)
def test_cells_are_read_by_the_declared_type(kind: FieldKind, text: str, habits: Habits, value: object) -> None:
    currency = "EUR" if kind is FieldKind.MONEY else ""
    declared = FieldType(name="f", kind=kind, currency=currency, choices=("Gold", "Silver"))
    found = field_values.read(declared, text, habits)
    assert found == value
    assert type(found) is type(value)
    assert field_values.read(declared, "", habits) == ""


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (FieldKind.NUMBER, "1.234", "could be a thousand or a fraction"),
        (FieldKind.NUMBER, "12a", "no number"),
        (FieldKind.NUMBER, "1,23,4", "no number"),
        (FieldKind.NUMBER, "1e9", "no number"),
        (FieldKind.MONEY, "12 USD", "is in USD, and the field is in EUR"),
        (FieldKind.MONEY, "gratis", "no amount of money"),
        (FieldKind.DATE, "03/04/2026", "could be two days"),
        (FieldKind.DATE, "2026-02-30", "no day"),
        (FieldKind.DATE, "1/2/26", "no day"),
        (FieldKind.YES_NO, "maybe", "neither yes nor no"),
        (FieldKind.CHOICE, "Iron", "none of the choices: Gold, Silver"),
    ],
)
def test_what_could_be_two_things_is_refused(kind: FieldKind, text: str, said: str) -> None:
    currency = "EUR" if kind is FieldKind.MONEY else ""
    with pytest.raises(Mistake, match=said):
        field_values.read(FieldType(name="f", kind=kind, currency=currency, choices=("Gold", "Silver")), text)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False))
def test_an_amount_is_read_as_it_was_written(amount: Decimal) -> None:
    assert field_values.money(f"{amount:f} EUR", Habits(decimal="."))[0] == amount
    spanish = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    assert field_values.money(spanish, Habits(decimal=","), "EUR") == (amount, "EUR")


@pytest.mark.parametrize(
    ("kind", "currency", "choices"),
    [("colour", "", ()), ("number", "EUR", ()), ("money", "euro", ()), ("choice", "", ()), ("text", "", ("a",))],
)
def test_a_type_that_makes_no_sense_is_refused(kind: str, currency: str, choices: tuple[str, ...]) -> None:
    with pytest.raises(Mistake):
        field_values.declared("f", kind, currency=currency, choices=choices)


def test_an_edit_says_everything_that_is_wrong_and_changes_nothing(world: DeskWorld) -> None:
    ana = add(world)
    with world.store.write() as tx:
        field_types.declare(tx, [EURO], by="eva", now=world.clock())
    with pytest.raises(Mistake, match=r"'x' is no e-mail.*Balance: 'free' is no amount"), world.store.write() as tx:
        records.edit(
            tx, ana, columns={"email": "x", "tier": "gold"}, fields={"Balance": "free"}, by="eva", now=world.clock()
        )
    with world.store.write() as tx:
        records.edit(tx, ana, columns={}, fields={"Balance": "1.200,5"}, by="eva", now=world.clock())
        found = customers.get(tx, "C1")
        assert (found.tier, found.fields) == ("", {"Balance": "1200.50 EUR"})
        records.edit(tx, found, columns={}, fields={"BALANCE": ""}, by="eva", now=world.clock())
        assert customers.get(tx, "C1").fields == {}


# --- how they stand ---


def test_a_customers_standing_is_what_is_on_record(world: DeskWorld) -> None:
    ana = add(world, email="a@x.example", since=date(2020, 3, 4))
    with world.store.write() as tx:
        now = world.clock()
        holdings.put_contracts(
            tx,
            [
                (ana.id, Contract(reference="K1", product="fibre", begins_on=date(2019, 1, 1))),
                (ana.id, Contract(reference="K2", ends_on=now.date() - timedelta(days=1))),
            ],
            now=now,
        )
        holdings.put_contracts(tx, [(ana.id, Contract(reference="K1", product="fibre 600"))], now=now)
        holdings.put_products(tx, {ana.id: ["tv", "fibre", "tv"]}, now=now)
        holdings.put_products(tx, {ana.id: ["fibre", "mobile"]}, now=now)
        holdings.put_payments(tx, [(ana.id, {"arrears": Decimal("42.50"), "currency": "EUR"})], now=now)
        holdings.put_payments(tx, [(ana.id, {"last_on": date(2026, 2, 1), "last_amount": Decimal(12)})], now=now)
        records.note(tx, ana, "Rings in the evening", by="eva", now=now)
        stands = standing.of(tx, ana, now)
    assert stands.tenure_days == (now.date() - date(2020, 3, 4)).days
    assert [contract.reference for contract in stands.open_contracts] == ["K1"]
    assert [contract.product for contract in stands.contracts] == ["fibre 600", ""]
    assert stands.products == ("fibre", "mobile")
    assert stands.payments == holdings.Payments(
        last_on=date(2026, 2, 1), last_amount=Decimal(12), arrears=Decimal("42.50"), currency="EUR"
    )
    assert [note.text for note in stands.notes] == ["Rings in the evening"]
    assert [way.point.value for way in stands.contacts] == ["a@x.example"]


def test_a_policy_sees_only_what_it_asks_about(world: DeskWorld) -> None:
    ana = add(world, since=date(2020, 3, 4), fields={"Balance": "12.50 EUR", "shoe": "38"})
    with world.store.write() as tx:
        now = world.clock()
        field_types.declare(tx, [EURO], by="eva", now=now)
        holdings.put_products(tx, {ana.id: ["tv"]}, now=now)
        holdings.put_contracts(tx, [(ana.id, Contract(reference="K1"))], now=now)
        holdings.put_payments(tx, [(ana.id, {"arrears": Decimal("42.50"), "arrears_since": date(2026, 3, 1)})], now=now)
        records.consent(
            tx, ana, channel="any", purpose="marketing", given=True, source="", by="eva", now=now - timedelta(days=2)
        )
        records.consent(tx, ana, channel="phone", purpose="marketing", given=False, source="", by="eva", now=now)
        whole = standing.view(tx, ana, now, fields=None)
        asked = standing.view(tx, ana, now, fields={"balance", "customer.arrears"})
    assert (whole.arrears, whole.arrears_days, whole.contracts, whole.products) == (42.5, 3, 1, ("tv",))
    assert whole.tenure_days == (now.date() - date(2020, 3, 4)).days
    assert whole.types == {"balance": "money"}
    assert "mail:marketing" in whole.consent
    assert "marketing" in whole.consent
    assert whole.refused == ("marketing", "phone:marketing")
    assert (asked.arrears, asked.fields) == (42.5, {"Balance": "12.50 EUR"})
    assert (asked.tenure_days, asked.products, asked.consent, asked.contracts) == (None, (), (), 0)


def test_who_refused_marketing_is_offered_nothing(world: DeskWorld) -> None:
    ana = add(world, tier="gold")
    head = "name: s\nlanguage: es\nteams: {care: {}}\ndefault_team: care\nrules: []\n"
    policy = policies.load_text(head + "offers: {tv: {text: {es: TV}, when: {customer.tier: gold}}}\n")
    with world.store.write() as tx:
        assert [each.text for each in offers.for_customer(tx, policy, ana, world.clock())] == ["TV"]
    says(world, ana, False)
    with world.store.read() as tx:
        assert offers.for_customer(tx, policy, ana, world.clock()) == ()
    world.clock.forward(days=1)
    says(world, ana, True, channel="mail")
    with world.store.read() as tx:
        assert len(offers.for_customer(tx, policy, ana, world.clock())) == 1


def test_who_never_said_since_when_is_a_customer_since_their_first_contract(world: DeskWorld) -> None:
    ana = add(world)
    today = world.clock().date()
    assert standing.tenure(ana, (), today) is None
    contracts = (Contract(reference="K1"), Contract(reference="K2", begins_on=today - timedelta(days=400)))
    assert standing.tenure(ana, contracts, today) == 400


def test_a_number_without_an_end_keeps_nobody_waiting() -> None:
    begins = time.perf_counter()
    with pytest.raises(Mistake, match="no phone number"):
        checks.check_phone("1" * 100_000)
    assert time.perf_counter() - begins < 2, "once it took most of a minute"
    with pytest.raises(Mistake, match="format the column as text"):
        checks.check_phone("3,4911E+10")
