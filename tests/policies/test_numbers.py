"""Whose numbers they are: phones and identity numbers of many countries; orders, prices and dates are nobody's."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.personal import personal_data

PHONE, PERSON = "a phone number", "an identity or tax number"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Llámame al 55 1234 5678", PHONE),
        ("mi cel es 3001234567", PHONE),
        ("11 4321-5678", PHONE),
        ("whatsapp 2222-3333", PHONE),
        ("tel. 4567-8901", PHONE),
        ("+1 (212) 555-0123", PHONE),
        ("+52 55 1234 5678", PHONE),
        ("0034612345678", PHONE),
        ("612.345.678", PHONE),
        ("RUT 12.345.678-5", f"{PERSON} (RUT)"),
        ("211003420017", f"{PERSON} (RUT)"),
        ("RFC GODE561231GR8", f"{PERSON} (RFC)"),
        ("CURP BOXW310820HNERXN09", f"{PERSON} (CURP)"),
        ("NIT 900.123.456-8", f"{PERSON} (NIT)"),
        ("NIT 0614-050707-104-8", f"{PERSON} (NIT)"),
        ("20131312955", f"{PERSON} (RUC)"),
        ("1790011674001", f"{PERSON} (RUC)"),
        ("cédula 1713175071", PERSON),
        ("C.C. 1.020.345.678", PERSON),
        ("mi DNI es 30.123.456", PERSON),
        ("pasaporte AAA123456", PERSON),
        ("1-31-24679-6", f"{PERSON} (RNC)"),
        ("536-90-4399", f"{PERSON} (SSN)"),
        ("1234-5678-06-1234567890", "a bank account"),
        ("2850590940090418135201", "a bank account (CBU)"),
        ("5555 5555 5555 4444", "a card number"),
        ("3782 822463 10005", "a card number"),
    ],
)
def test_found(text: str, kind: str) -> None:
    assert kind in personal_data(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pedido 612345678",
        "Pedido nº 4567891234",
        "Your order #1234567890 is on its way",
        "Son 1.250.000 pesos",
        "1.250.000.000 pesos",
        "$ 1234567890",
        "USD 612345678",
        "el 20-11-2026 10:30",
        "del 20/11/2026 al 25/11/2026",
        "20.11.2026",
        "20261120",
        "40.4167754, -3.7037902",
        "tracking 123456789012",
        "código 8765432109",
        "IMEI 356938035643809",
        "pedido 4111111111111112",
        "horario 9-14 y 16-20",
        "2024-2025",
        "300 000 000 personas",
        "referencia: 900123456",
        "localizador 612 345 678",
        "código postal 28013 Madrid",
        "1-2-2026 y 3-4-2026",
    ],
)
def test_left_alone(text: str) -> None:
    assert personal_data(text) == ()


ORDERS = [
    "Tu pedido {}",
    "pedido nº {}",
    "Order #{}",
    "order {}",
    "Tu reserva {}",
    "ticket {}",
    "Factura {}",
    "guía {}",
]
PRICES = ["Son {} €", "{} pesos", "USD {}", "${}", "{},50 euros"]


@given(st.sampled_from(ORDERS + PRICES), st.integers(10**6, 10**10 - 1))
def test_no_order_and_no_price_is_a_phone(words: str, number: int) -> None:
    assert PHONE not in personal_data(words.format(number))


@given(
    st.integers(600_000_000, 749_999_999), st.sampled_from(["{}", "Llama al {}", "+34{}", "0034 {}", "mi número: {}."])
)
def test_every_spanish_mobile_is_a_phone(number: int, words: str) -> None:
    assert PHONE in personal_data(words.format(number))


def test_our_own_number_may_stand_however_it_is_spaced() -> None:
    contacts = ["+34 900 100 200", "900 100 200", "hola@acme.example"]
    for written in ("900100200", "900-100-200", "900 100 200", "hola@acme.example"):
        assert personal_data(f"Estamos en {written}", contacts) == ()
    assert personal_data("Estamos en 900 100 201", contacts) == (PHONE,)


def test_every_date_of_a_year_is_no_phone() -> None:
    for day, month, shape in product(range(1, 29), range(1, 13), ("{d}/{m}/2026", "{d}-{m}-2026", "2026.{m}.{d}")):
        assert personal_data(f"El {shape.format(d=day, m=month)} a las 10:30, hasta las 12") == ()
