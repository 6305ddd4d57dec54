"""Personal data is found; what only looks like it is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.personal import personal_data


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("escríbeme a ana.lopez+1@correo.example.org ya", ("an e-mail address",)),
        ("+34 612 34 56 78", ("a phone number",)),
        ("612345678", ("a phone number",)),
        ("(011) 4321-5678", ("a phone number",)),
        ("0034 612345678", ("a phone number",)),
        ("tarjeta 4111 1111 1111 1111", ("a card number",)),
        ("4111-1111-1111-1111", ("a card number",)),
        ("ES91 2100 0418 4502 0005 1332", ("a bank account (IBAN)",)),
        ("ES9121000418450200051332 gracias", ("a bank account (IBAN)",)),
        ("DNI 12345678Z", ("an identity or tax number",)),
        ("12.345.678-Z", ("an identity or tax number",)),
        ("NIE X-1234567-L", ("an identity or tax number",)),
        ("CUIT 20-05536168-2", ("a tax number (CUIT)",)),
        ("a@b.co y 612345678", ("an e-mail address", "a phone number")),
        *((f"612{gap}345{gap}678", ("a phone number",)) for gap in ("+", "=", "<", ">", " + ", " = ")),
        ("612«345»678", ("a phone number",)),
        ("llama al 2+34 612 345 678", ("a phone number",)),
        ("4111=1111=1111=1111", ("a card number",)),
        ("4111+1111+1111+1111", ("a card number",)),
        ("ana @ gmail . com", ("an e-mail address",)),
        ("escribe a ana(at)gmail.com", ("an e-mail address",)),
        ("ana [at] correo [dot] example [dot] org", ("an e-mail address",)),
        ("ana arroba gmail punto com", ("an e-mail address",)),
        ("ana (arroba) correo.com.ar, gracias", ("an e-mail address",)),
        ("ana at gmail dot com", ("an e-mail address",)),
        ("ana @gmail.com", ("an e-mail address",)),
    ],
)
def test_found(text: str, kinds: tuple[str, ...]) -> None:
    assert personal_data(text) == kinds


@pytest.mark.parametrize(
    "text",
    [
        "Caso ES-26-000123-7 abierto",
        "El 20/11/2026 a las 10:30, de 9 a 14",
        "2026-11-20 10:30",
        "Son 1.250,00 euros",
        "https://example.org/status/1234567890123",
        "Pedido 12345",
        "12345678A",
        "@ana@example",
        "gracias @tienda.com",
        "nos vemos @ casa. es tarde",
        "find us at example dot com",
        "una arroba de patatas. Es mucho",
        "2+2=4, 30+15+20=65",
        "4111 1111 1111 1112 no es nada",
        "",
    ],
)
def test_left_alone(text: str) -> None:
    assert personal_data(text) == ()


def test_the_companys_own_contacts_may_stand() -> None:
    assert personal_data("Llama al 900 100 200", ["900 100 200"]) == ()
    assert personal_data("Llama al 900+100+200", ["900 100 200"]) == ()
    assert personal_data("ayuda (arroba) marca punto es", ["ayuda@marca.es"]) == ()
    assert personal_data("ayuda (arroba) marca punto es", ["otra@marca.es"]) == ("an e-mail address",)


@pytest.mark.parametrize("text", ["a" * 20_000, "a @ " * 8_000, "a.a at gmail." * 3_000, "a arroba a punto " * 2_000])
def test_a_text_full_of_addresses_is_read_in_a_moment(text: str) -> None:
    start = time.process_time()
    personal_data(text + "(at)")
    assert time.process_time() - start < 5


@given(st.text(alphabet="0123456789 -.@aZES+()=<", max_size=3000))
def test_any_text_is_read_in_a_moment(text: str) -> None:
    start = time.process_time()
    assert personal_data(text) == personal_data(text)
    assert time.process_time() - start < 1
