"""Templates: nothing but words, variables and `if`; names of strangers made harmless; always in somebody's language."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policies
from listener.types import CaseView, CustomerView, Decision
from policies.names import MAX_NAME, first_name, safe_handle, safe_name
from policies.personal import personal_data
from policies.templates import VARIABLES, template_problem
from tests.policies.situations import FACTS, situation

GOOD = [
    "Hola",
    "Hola, {{ author.name }}",
    "{{ author.name | upper }} {{ case.reference | default('-') }}",
    "{% if case.exists %}otra vez{% elif network == 'x' %}aquí{% else %}hola{% endif %}",
    "{{ 'Sí' if customer.known else 'No' }} {# a note #}",
    "{% if customer.known and not case.exists %}{{ customer.first_name }}{% endif %}.",
    "{% raw %}{{ not a variable }}{% endraw %}",
]

HOSTILE = {
    "class": "{{ ''.__class__ }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "attribute-of-a-variable": "{{ author.__class__ }}",
    "method": "{{ author.items() }}",
    "method-uncalled": "{{ author.items }}",
    "whole-variable": "{{ author }}",
    "loop": "{% for i in range(10) %}x{% endfor %}",
    "huge-range": "{% for i in range(1000000000) %}x{% endfor %}",
    "range": "{{ range(1000000000) }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "repeat": "{{ 'a' * 1000000000 }}",
    "join": "{{ 'a' ~ 'b' }}",
    "format": "{{ '%1000000000d' % 1 }}",
    "format-filter": "{{ '%1000000000d' | format(1) }}",
    "center": "{{ 'a' | center(1000000000) }}",
    "map": "{{ [author] | map(attribute='__class__') }}",
    "attr": "{{ '' | attr('__class__') }}",
    "subscript": "{{ author['name'] }}",
    "set": "{% set x = 1 %}{{ x }}",
    "macro": "{% macro a() %}{% endmacro %}x",
    "call-block": "{% call a() %}{% endcall %}x",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}x",
    "extends": "{% extends 'x' %}",
    "block": "{% block a %}x{% endblock %}",
    "with": "{% with a = 1 %}{{ a }}{% endwith %}",
    "filter-block": "{% filter upper %}x{% endfilter %}",
    "autoescape": "{% autoescape true %}x{% endautoescape %}",
    "test": "{% if author.name is defined %}x{% endif %}",
    "global": "{{ cycler }}",
    "self": "{{ self }}",
    "less-than": "{% if author.name < 3 %}x{% else %}y{% endif %}",
    "default-of-a-variable": "{{ author.name | default(author.handle) }}",
    "upper-with-something": "{{ author.name | upper('x') }}",
    "typo": "{{ author.nmae }}",
    "unknown-filter": "{{ author.name | uper }}",
    "unclosed": "{{ author.name",
    "unclosed-if": "{% if case.exists %}x",
    "empty": "   ",
    "always-empty": "{{ '' }}",
    "nested-parentheses": "{{ " + "(" * 1500 + "author.name" + ")" * 1500 + " }}",
    "nested-not": "{{ " + "not " * 900 + "author.name }}",
    "nested-if": "{% if case.exists %}" * 150 + "x" + "{% endif %}" * 150,
    "many-filters": "x{{ author.name" + "|upper" * 650 + " }}",
    "too-long": "x" * 4001,
    "customer-unasked": "Hola, {{ customer.name }}",
}


@pytest.mark.parametrize("source", GOOD)
def test_good(source: str) -> None:
    assert template_problem(source) == ""


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile(source: str) -> None:
    start = time.process_time()
    problem = template_problem(source)
    assert time.process_time() - start < 1
    if source.startswith(("{% if case.exists %}{%", "x{{ author.name|")):
        return  # deep, and yet harmless where the machine can take it
    assert problem
    assert "\n" not in problem


def test_a_typo_is_pointed_out() -> None:
    assert "did you mean `author.name`?" in template_problem("{{ author.nmae }}")
    assert "did you mean `upper`?" in template_problem("{{ author.name | uper }}")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("{}%#|.()[]'\"~*+- _authornmecsifldp0123456789\n"), max_size=120))
def test_any_source_is_judged_in_a_moment(source: str) -> None:
    start = time.process_time()
    template_problem(source)
    assert time.process_time() - start < 1


# --- which words -----------------------------------------------------------------------------------------------------

TEXT = """name: words
language: es
teams: {care: {}}
default_team: care
brand: {name: Acme, signature: "^A"}
templates:
  hello:
    es: ["uno {{ author.name }}", "dos {{ author.name }}", "tres {{ author.name }}"]
    en: "one {{ author.first_name }} of {{ brand.name }}"
    networks:
      x: {es: "corto"}
  long:
    es: ["Un texto que es demasiado largo para caber", "breve"]
  maybe:
    es: "Hola{% if case.reference %} {{ case.reference }}{% endif %}"
  lines:
    es: |

      Una línea,
        y otra.


      Fin.
rules:
  - {name: long, when: {text.contains: long}, then: {reply: long}}
  - {name: maybe, when: {text.contains: maybe}, then: {reply: maybe}}
  - {name: lines, when: {text.contains: lines}, then: {reply: lines}}
  - {name: all, then: {reply: hello}}
"""
POLICY = policies.load_text(TEXT, "words.yaml")


def said(decision: Decision) -> str:
    assert decision.reply is not None
    return decision.reply.text


@pytest.mark.parametrize(
    ("language", "network", "expected", "spoken"),
    [
        ("es", "mastodon", "dos Ana García ^A", "es"),
        ("en", "mastodon", "one Ana of Acme ^A", "en"),
        ("es", "x", "corto ^A", "es"),
        ("en", "x", "one Ana of Acme ^A", "en"),
        ("es-AR", "mastodon", "dos Ana García ^A", "es"),
        ("de", "mastodon", "dos Ana García ^A", "es"),
        ("und", "x", "corto ^A", "es"),
    ],
)
def test_the_language_of_the_mention_then_the_policys(language: str, network: str, expected: str, spoken: str) -> None:
    decision = POLICY.decide(situation("hola", language=language, network=network))
    assert said(decision) == expected
    assert decision.reply is not None
    assert decision.reply.language == spoken


def test_one_mention_always_gets_the_same_wording_and_others_get_others() -> None:
    texts = [said(POLICY.decide(situation("hola", mention_id=number))) for number in range(6)]
    assert texts[:3] == texts[3:]
    assert len(set(texts)) == 3


def test_where_one_wording_is_too_long_the_next_that_fits_is_taken() -> None:
    facts = replace(FACTS, limit=20)
    assert [said(POLICY.decide(situation("long", mention_id=n, facts=facts))) for n in (0, 1)] == ["breve ^A"] * 2


def test_a_reference_is_only_quoted_where_there_is_one() -> None:
    assert said(POLICY.decide(situation("maybe"))) == "Hola ES-26-000123-7 ^A"
    assert said(POLICY.decide(situation("maybe", case=CaseView(reference="")))) == "Hola ^A"


def test_lines_are_kept_and_trimmed() -> None:
    assert said(POLICY.decide(situation("lines"))) == "Una línea,\ny otra.\n\nFin. ^A"


def test_nothing_but_known_variables_is_filled_in() -> None:
    source = " ".join(f"{{{{ {name} }}}}" for name in VARIABLES if not name.startswith("customer"))
    text = TEXT.replace('"one {{ author.first_name }} of {{ brand.name }}"', f"'{source}'")
    customer = CustomerView(reference="C-9", name="Ana García", tier="secret tier", tags=("secret tag",))
    reply = said(policies.load_text(text, "p.yaml").decide(situation("hola", language="en", customer=customer)))
    assert "secret" not in reply
    assert "C-9" not in reply


# --- strangers' names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ana García", "Ana García"),
        ("  Ana\n\nGarcía\t", "Ana García"),
        ("Ana\u202eaicraG\u202c", "AnaaicraG"),
        ("A\u200bna\u2066", "Ana"),
        ("@policia ayuda", "policia ayuda"),
        ("Ana #oferta", "Ana oferta"),
        ("Ana https://evil.example/x?y", "Ana"),
        ("www.evil.example", ""),
        ("evil.com/gratis Ana", "Ana"),
        ("javascript:alert(1)", "javascript:alert 1"),
        (":verified: Ana", "Ana"),
        ("**Ana** [x](y)", "Ana x y"),
        ("<b>Ana</b>", "b Ana b"),
        ("{{ brand.name }}", ""),
        ("Z̷̡̢̛̹a̸̧̢̨l̵̨g̴o", "Z̷̡a̸̧l̵̨g̴o"),
        ("A" * 300, "A" * MAX_NAME),
        ("😀 Ana 😀", "😀 Ana 😀"),
        ("ana@example.com", "ana"),
        ("evil．com ＠ana", "ana"),
        ("𝓐𝓷𝓪", "Ana"),
        ("", ""),
    ],
)
def test_safe_name(name: str, expected: str) -> None:
    assert safe_name(name) == expected


@pytest.mark.parametrize(
    ("handle", "expected"),
    [("ana", "ana"), ("@ana@example.social", "ana"), ("ana.bsky.social", "ana"), ("ana.perez@example.com", "ana")],
)
def test_safe_handle(handle: str, expected: str) -> None:
    assert safe_handle(handle) == expected


@pytest.mark.parametrize(("name", "expected"), [("Ana García", "Ana"), ("🌻 Ana🌻 G", "Ana"), ("🌻", ""), ("", "")])
def test_first_name(name: str, expected: str) -> None:
    assert first_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Doña Concepción", "Concepción"),
        ("DOÑA CONCEPCIÓN", "CONCEPCIÓN"),
        ("Dona Concepción Ruiz", "Concepción"),
        ("don José", "José"),
        ("D. José", "José"),
        ("Dña. Pilar", "Pilar"),
        ("Dª Pilar", "Pilar"),
        ("D.ª Pilar", "Pilar"),
        ("Sr. Pérez", "Pérez"),
        ("Sra Pérez", "Pérez"),
        ("Srta. Ana", "Ana"),
        ("Prof. Dr. Hans Meyer", "Hans"),
        ("Dra. 🌻 Eva", "Eva"),
        ("Mr & Mrs Smith", "Smith"),
        ("Sr. y Sra. de Pérez", "Pérez"),
        ("Ms. Lee", "Lee"),
        ("miss Piggy", "Piggy"),
        ("Sir Ian", "Ian"),
        ("Doña", "Doña"),
        ("Sr. Dr.", "Sr Dr"),
        ("Doña 🌻", "Doña"),
        ("Donato Díaz", "Donato"),
        ("Dora", "Dora"),
        ("La Maga", "La"),
    ],
)
def test_a_title_is_no_first_name(name: str, expected: str) -> None:
    assert first_name(safe_name(name)) == expected


def test_nobody_is_called_by_a_title_in_a_reply() -> None:
    policy = policies.load_text(TEXT.replace("author.name", "author.first_name"), "words.yaml")
    text = said(policy.decide(situation("hola", author__display_name="Doña Concepción")))
    assert "Concepción" in text
    assert "Doña" not in text


@given(st.text(max_size=200))
def test_no_name_can_notify_link_or_hide(name: str) -> None:
    safe = safe_name(name)
    assert len(safe) <= MAX_NAME
    assert not set(safe) & set("@#<>[]{}()*`\n\r\t\u202e\u200b\u2066/")
    assert "://" not in safe
    assert personal_data(safe) == () or any(sign.isdigit() for sign in safe)
    assert safe_name(safe) == safe


def test_a_hostile_name_in_a_reply() -> None:
    hostile = "\u202e@todos https://evil.example {{ ''.__class__ }}\n**x**"
    text = said(POLICY.decide(situation("hola", author__display_name=hostile)))
    assert "@" not in text
    assert "evil" not in text
    assert "\n" not in text
    assert "\u202e" not in text


def test_a_name_with_nothing_to_repeat_gives_the_handle() -> None:
    assert said(POLICY.decide(situation("hola", author__display_name="https://evil.example"))) == "dos ana ^A"


# --- what comes with Escucha ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [policies.default_path(), *policies.examples().values()], ids=lambda path: path.stem)
def test_every_reply_fits_280_with_a_long_name(path: Path) -> None:
    policy = policies.load(path)
    for name, template in policy.file.templates.items():
        longest = max(len(texts) for texts in template.wordings()[""].values())
        assert set(template.wordings()[""]) == {"es", "en"}, name
        only = policies.load_text(f"name: fit\nlanguage: es\n{_only(path, name)}", "fit.yaml")
        for language, number in itertools.product(("es", "en"), range(longest)):
            decision = only.decide(
                situation("x", language=language, mention_id=number, author__display_name="Maximiliana" * 9)
            )
            assert decision.reply is not None
            assert decision.reply.language == language
            assert decision.reply.length <= 280, (name, language, number, decision.reply.text)
            assert "  " not in decision.reply.text


def _only(path: Path, name: str) -> str:
    """The file with one rule that always gives that template."""
    lines = path.read_text("utf-8").split("\n")
    start, end = lines.index("rules:"), lines.index("templates:")
    kept = [line for line in lines[:start] + lines[end:] if not line.startswith(("name:", "language:"))]
    return "\n".join([*kept, "rules:", f"  - {{name: only, then: {{reply: {name}, case: {{}}}}}}", ""])
