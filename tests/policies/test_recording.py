"""A recorded test names nobody, and is added to a file without touching what stands there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policies
from listener.errors import Mistake, PolicyProblem
from policies.anonymous import anonymous, still_personal
from policies.personal import personal_data
from policies.recording import added, names_in, record
from policies.rehearse import read_tests
from tests.policies.test_rehearse import POLICY

RULES = POLICY.removesuffix("tests:\n")

SAID: dict[str, tuple[str, str]] = {
    "handles": ("@luis @ana@example.social mira", "@someone @someone mira"),
    "reddit": ("dice u/pepe en r/spain", "dice @someone en @someone"),
    "mail": ("escribe a ana.perez+x@correo.es.", "escribe a (mail)."),
    "links": ("ver https://a.b/c?d=e y www.x.com/y, bit.ly/Ab3", "ver (link) y (link) (link)"),
    "phones": ("llama al +34 612 34 56 78 o 011-4567-8901", "llama al (number) o (number)"),
    "card": ("4111 1111 1111 1111", "(number)"),
    "iban": ("ES91 2100 0418 4502 0005 1332 ya", "(number) ya"),
    "identity": ("mi DNI es 12345678Z", "mi DNI es (reference)"),
    "references": ("caso ES-26-000123-7, pedido AB12345", "caso (reference), pedido (reference)"),
    "birthday": ("nací el 12/03/1981", "nací el (date)"),
    "names": ("soy ANA GARCIA, la García de siempre #AnaGarcía", "soy someone someone, la someone de siempre #someone"),
    "what-is-no-secret": ("son 24 horas y 59,90 € en 2026, 5G", "son 24 horas y 59,90 € en 2026, 5G"),
    "hidden": ("tab\there\u202e\u2066\ufeff\x07", "tab here"),
}


@pytest.mark.parametrize(("said", "kept"), SAID.values(), ids=SAID)
def test_what_tells_who_it_is_gives_way(said: str, kept: str) -> None:
    assert anonymous(said, names=["Ana de García", "anag_81"]) == kept
    assert still_personal(kept, names=["Ana de García"]) == ()


def test_what_must_not_stand_goes_as_well() -> None:
    hide = ["calle mayor 3", "Laura"]
    assert anonymous("Vivo en Calle Mayor 3 con Laura y Laurana", hide=hide) == "Vivo en … con … y Laurana"


def test_what_was_taken_out_is_said_in_the_language_of_the_text() -> None:
    text = "@luis, soy Ana: ana@correo.es, https://a.b/c, 612 345 678, 12/03/1981, ES-26-000123-7"
    kept = anonymous(text, names=["Ana"], language="es")
    assert kept == "@alguien, soy alguien: (correo), (enlace) (número), (fecha), (referencia)"
    assert still_personal(kept, names=["Ana"]) == ()
    assert anonymous("ask @luis", language="de") == "ask @someone"
    assert anonymous("dice @luis", language="es-MX") == "dice @alguien"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("se cayó en todo Rosario", "se cayó en todo Rosario"),
        ("desde Buenos Aires y from Buenos Aires", "desde Buenos Aires y from Buenos Aires"),
        ("Rosario no anda, ni Buenos ni Aires", "alguien no anda, ni alguien ni alguien"),
        ("confío en Fede y en Lucía", "confío en alguien y en alguien"),
    ],
)
def test_a_place_in_brackets_after_a_name_stays_where_the_text_speaks_of_a_place(said: str, kept: str) -> None:
    names = ["Fede (Rosario)", "Ana [Buenos Aires]", "Lucía (Lucía)"]
    assert anonymous(said, names=names, language="es", places=True) == kept
    assert still_personal(kept, names=names, places=True) == ()


def test_a_place_that_somebody_bears_as_a_name_is_a_name() -> None:
    names = ["Fede (Rosario)", "Rosario Pérez"]
    assert anonymous("en Rosario", names=names, places=True) == "en someone"
    assert anonymous("en Rosario", names=names[:1]) == "en someone"
    assert still_personal("en Rosario", names=names, places=True) == ("a name",)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([said for said, _ in SAID.values()]) | st.text(max_size=20) | st.from_regex(r"[\d .+-]{5,15}"),
        max_size=4,
    ).map(" ".join),
    st.text(max_size=15),
)
def test_no_text_keeps_what_can_be_found(text: str, name: str) -> None:
    kept = anonymous(text, names=[name])
    assert personal_data(kept) == ()
    assert "a handle" not in still_personal(kept)
    assert "a name" not in still_personal(kept, names=[name])


FACTS: dict[str, Any] = {
    "text": "Hola @marca, soy Ana García: nada anda desde ayer",
    "content_warning": "",
    "network": "mastodon",
    "source": "brand",
    "kind": "mention",
    "visibility": "public",
    "language": "es",
    "intents": ["complaint"],
    "sentiment": "negative",
    "confidence": 0.91,
    "now": "2026-03-01T09:30:00Z",
    "age": "12m",
    "author.handle": "anag",
    "author.display_name": "Ana García",
    "author.followers": 4821,
    "author.mentions_last_7_days": 3,
    "customer.known": True,
    "customer.name": "Ana García Ruiz",
    "customer.reference": "C-0042",
    "customer.tier": "gold",
    "customer.tags": ["debtor"],
    "customer.open_cases": 2,
    "sends.last_hour": 0,
}
EXPECT: dict[str, Any] = {"rule": ["gold", "complaint"], "reply": "hello", "urgency": "high", "guard": "none"}


def policy() -> Any:
    return policies.load_text(RULES, "p.yaml")


def test_a_recorded_test_passes_and_holds_nothing_about_the_person() -> None:
    made = record(policy(), FACTS, EXPECT, name="complaint on mastodon", taken=["complaint on mastodon"])
    assert (made.name, made.unlike) == ("complaint on mastodon 2", ())
    for gone in ("Ana", "García", "@marca", "C-0042", "debtor", "4821", "open_cases", "brand", "anag"):
        assert gone not in made.text
    for kept in (
        "customer.tier: gold",
        "customer.known: true",
        "team: boss",
        "mode: manual",
        "mentions_last_7_days: 3",
    ):
        assert kept in made.text
    text = "tests:\n" + made.text
    assert policies.run_tests(policies.load_text(f"{RULES}{text}", "p.yaml")) == []


def test_where_the_policy_makes_something_else_of_it_that_is_said() -> None:
    made = record(policy(), FACTS | {"intents": ["praise"]}, EXPECT, name="x")
    assert any("`complaint` fails at `intents`" in sentence for sentence in made.unlike)
    assert "team:" not in made.text


def test_what_stays_personal_is_refused() -> None:
    with pytest.raises(Mistake, match="still holds a phone number and was not recorded; name what must go with --hide"):
        record(policy(), FACTS, EXPECT, name="llama al 612345678")
    with pytest.raises(Mistake, match="a name"):
        record(policy(), FACTS, EXPECT, name="Ana's complaint")


ENTRY = '- name: "new"\n  mention:\n    text: "hola"\n    sentiment: neutral\n  expect:\n    rule: none\n'
FILES: dict[str, tuple[str, int]] = {
    "nothing": ("", 0),
    "set-in": ("# mine\ntests:  # all\n    - name: a   # 1\n      mention: x\n      expect: {rule: none}\n# end\n", 1),
    "not-set-in": ("tests:\n- name: a\n  mention: x\n  expect: {rule: none}", 1),
    "other-line-ends": ("tests:\r\n  - name: a\r\n    mention: x\r\n    expect: {rule: none}\r\n", 1),
    "only-a-comment-at-the-end": ("tests:\n- {name: a, mention: x, expect: {rule: none}}\n  # end", 1),
}  # fmt: skip


@pytest.mark.parametrize(("before", "count"), FILES.values(), ids=FILES)
def test_a_test_is_added_at_the_end(before: str, count: int) -> None:
    after = before + added(before, ENTRY, "t.yaml")
    assert [placed.sample.name for placed in read_tests(after, "t.yaml")] == ["a"] * count + ["new"]
    assert names_in(after, "t.yaml") == ["a"] * count + ["new"]
    twice = after + added(after, ENTRY.replace("new", "newer"), "t.yaml")
    assert len(read_tests(twice, "t.yaml")) == count + 2


def test_a_test_is_added_to_the_policy_itself() -> None:
    assert len(policies.load_text(RULES + added(RULES, ENTRY, "p.yaml"), "p.yaml").file.tests) == 1


@pytest.mark.parametrize(
    ("before", "part"),
    [
        ("tests: [{name: a, mention: x, expect: {rule: none}}]\n", "t.yaml:1: `tests` is no list with a dash"),
        ("tests:\nname: x\n", "t.yaml:1: `tests` is not the last part of this file"),
        ("name: x\ntests:\n", "t.yaml:2: `tests` has nothing after it"),
        ("tests: [\n", "t.yaml:2: "),
        ("- a\n", "t.yaml:1: a file of tests is a mapping"),
        ("{name: x}\n", "t.yaml:"),
    ],
)
def test_a_file_that_takes_no_test_is_left_alone(before: str, part: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        added(before, ENTRY, "t.yaml")
    assert part in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=30))
def test_any_words_are_written_so_that_they_are_read_again(text: str, name: str) -> None:
    facts = {"text": text, "sentiment": "neutral", "network": "mastodon", "kind": "found"}
    made = record(policy(), facts, {"rule": "none"}, name=f"x {anonymous(name)}")
    more = added("", made.text, "t.yaml")
    (placed,) = read_tests(more, "t.yaml")
    assert placed.sample.name == made.name
    assert placed.sample.mention.text == anonymous(text)
