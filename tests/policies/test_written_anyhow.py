"""Personal data is found whatever stands between its digits, in whatever script, beside whatever, and in links."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from listener.types import Mode
from policies.anonymous import anonymous
from policies.names import safe_handle, safe_name
from policies.personal import personal_data, personal_data_in
from tests.policies.situations import situation

PHONE, CARD, IBAN, PERSON, ADDRESS = (
    *("a phone number", "a card number", "a bank account (IBAN)", "an identity or tax number", "an e-mail address"),
)
GREETS = """name: greets
mode: auto
language: es
teams: {care: {}}
default_team: care
templates: {hello: {es: "Hola {{ author.name }}, gracias. Lo vemos el lunes."}}
rules: [{name: all, then: {reply: hello}}]
"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((f"612{gap}345{gap}678", PHONE) for gap in ("\u00a0", "\u2009", "\u202f", "\u200b", "\u2060", "–", "‑", "−")),
        *((f"612{gap}345{gap}678", PHONE) for gap in ("·", "_", ",", " - ", " – ", "\n", "|", ":", "*", "  ", " · ")),
        ("６１２３４５６７８", PHONE),
        ("٦١٢٣٤٥٦٧٨", PHONE),
        ("6️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣", PHONE),
        ("❻❶❷❸❹❺❻❼❽", PHONE),
        ("Tel612345678", PHONE),
        ("12 612345678", PHONE),
        ("612 345 678 / 913 456 789", PHONE),
        ("https://wa.me/34612345678", PHONE),
        ("wa.me/34612%20345%20678", PHONE),
        ("www.x.es/?t=612345678", PHONE),
        ("https://x.es/?m=ana%40gmail.com", ADDRESS),
        ("https://x.es/c/12345678Z", PERSON),
        ("ana@\u200bgmail.com", ADDRESS),
        ("ana＠gmail.com", ADDRESS),
        ("ES91-2100-0418-4502-0005-1332", IBAN),
        ("ES91.2100.0418.4502.0005.1332", IBAN),
        ("ES91\u00a02100\u00a00418\u00a04502\u00a00005\u00a01332", IBAN),
        ("ES91  2100  0418  4502  0005  1332", IBAN),
        ("es91 2100 0418 4502 0005 1332", IBAN),
        ("IBANES9121000418450200051332gracias", IBAN),
        ("12345678–Z", PERSON),
        ("DNI12345678Z", PERSON),
        ("12-345-678-Z", PERSON),
        ("4111–1111–1111–1111", CARD),
        ("4111111111111111 12/29", CARD),
        ("4111111111111111 123", CARD),
        ("4111 1111 1111 1111 12/29 123", CARD),
        ("123 4111 1111 1111 1111 5", CARD),
    ],
)
def test_found_however_it_is_written(text: str, kind: str) -> None:
    assert kind in personal_data(text)
    assert personal_data(anonymous(text)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "https://support.example.com/answer/9876543210",
        "https://social.example/1234567890/posts/987654321",
        "https://social.example/i/status/1858123456789012345",
        "https://www.example.org/2026/11/20/12345678.html",
        "https://social.example/p/?id=1234567890",
        "En 2019, 2020, 2021 y 2022",
        "2019 2020 2021 2022",
        "6-4, 6-3, 7-5, 6-2, 6-1",
        "1,250,000,000 pesos",
        "tracking no 1234567890123",
        "Hate crimes reported in 2022: 11,634, they say",
        "a las 10, 11, 12, 13, 14 y 15 h",
        "de 9:00–14:00 y 16:00–20:00",
        "40,4167754, −3,7037902",
    ],
)
def test_what_is_nobodys_is_left_alone(text: str) -> None:
    assert personal_data(text) == ()


DIGITS = st.sampled_from(["0123456789", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "➉➀➁➂➃➄➅➆➇➈"])
ONE_GAP = st.sampled_from(list(" -\u00a0\u2003\u2009\u202f\u3000–—‑−·_•*|\n\t"))
UNSEEN = st.sampled_from(["", "\u200b", "\u2060", "\ufe0f\u20e3", "\u00ad", "\u3164"])
GAPS = st.lists(ONE_GAP, max_size=3).map("".join)
NUMBERS = st.sampled_from(
    [
        (("612", "345", "678"), PHONE),
        (("+34", "612", "34", "56", "78"), PHONE),
        (("4111", "1111", "1111", "1111"), CARD),
        (("3782", "822463", "10005"), CARD),
        (("ES91", "2100", "0418", "4502", "0005", "1332"), IBAN),
        (("DE89", "3704", "0044", "0532", "0130", "00"), IBAN),
        (("12345678", "Z"), PERSON),
        (("X", "1234567", "L"), PERSON),
    ]
)


@given(NUMBERS, DIGITS, GAPS, UNSEEN, st.sampled_from(["{}", "Es {}.", "({})", "Hola, {} gracias", "🌻{}🌻"]))
def test_any_number_with_any_gaps(
    number: tuple[Sequence[str], str], digits: str, gap: str, unseen: str, around: str
) -> None:
    groups, kind = number
    written = gap.join(groups)
    zero = digits[0] if digits[0] != "➉" else "0"  # there is no circled nought in that row
    table = {ord("0"): zero} | {ord(str(n)): digits[n] for n in range(1, 10)}
    text = around.format("".join(f"{sign}{unseen}" for sign in written.translate(table)))
    assert kind in personal_data(text)
    found = next(one for one in personal_data_in(text) if one.kind == kind)
    assert personal_data(f"{text[: found.start]}(number){text[found.end :]}") == ()


@given(st.text(max_size=60), st.text(alphabet="0123456789 -.,٣６@\u200b", max_size=30))
def test_no_name_brings_personal_data_into_a_reply(before: str, name: str) -> None:
    for shown in (safe_name(before + name), safe_handle(before + name), safe_name(f"pedido {name} euros")):
        assert personal_data(shown) == ()
        assert sum(sign.isdigit() for sign in shown) < 6


@pytest.mark.parametrize(
    "name",
    [
        "pedido 612345678",
        "Ana 61 2345678 euros",
        "ES91-2100-0418-4502-0005-1332",
        "６１２３４５６７８",
        "Ana 4111–1111–1111–1111",
    ],
)
def test_nobody_gets_a_number_said_by_calling_themselves_so(name: str) -> None:
    reply = policies.load_text(GREETS, "p.yaml").decide(situation("Hola", "question", author__display_name=name)).reply
    assert reply is not None
    assert reply.text == "Hola ana, gracias. Lo vemos el lunes."
    assert reply.mode is Mode.AUTO


def test_a_handle_with_many_digits_is_its_letters() -> None:
    assert safe_handle("@ana83749201@example.social") == "ana"
    assert safe_handle("ana1987") == "ana1987"


# --- our own ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("Llama al 900 100 200 24 horas", "900 100 200"),
        ("+34 900–100–200", "900 100 200"),
        ("hola@acme.example", "@acme.example"),
        ("ES91.2100.0418.4502.0005.1332", "ES9121000418450200051332"),
        ("Por aquí: https://wa.me/34900100200.", "https://wa.me/34900100200"),
        ("wa.me/34900100200", "wa.me/34900100200"),
    ],
)
def test_our_own_may_stand(text: str, contact: str) -> None:
    assert personal_data(text)
    assert personal_data(text, [contact]) == ()
    policies.load_text(GREETS + f'brand: {{contacts: ["{contact}"]}}\n', "p.yaml")


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        ("ana@gmail.com", "hola@gmail.com"),
        ("hola@acme.example.evil.com", "@acme.example"),
        ("612 345 678", "612 345"),
        ("612 3456 78", "612 3456"),
        ("900 100 200 / 900 100 201", "900 100 200"),
        ("https://wa.me/34900100201", "https://wa.me/34900100200"),
        ("ES91 2100 0418 4502 0005 1332", "ES91 2100"),
    ],
)
def test_a_piece_of_something_lets_nothing_through(text: str, contact: str) -> None:
    assert personal_data(text, [contact])


@pytest.mark.parametrize(
    "contact", ["@gmail.com", "@hotmail.es", "612 345", "ES91 2100", "gmail!!", "call us", "@acme_help"]
)
def test_a_contact_is_a_whole_thing(contact: str) -> None:
    with pytest.raises(PolicyProblem) as problem:
        policies.load_text(GREETS + f'brand:\n  contacts:\n    - "900 100 200"\n    - "{contact}"\n', "p.yaml")
    (sentence,) = problem.value.problems
    assert sentence.startswith("p.yaml:11: ")
    assert contact in sentence
