"""Areas of the company's own in the policy file: what may be written, what is said of the rest."""

from __future__ import annotations

import pytest

import policies
from listener.errors import PolicyProblem
from policies.schema import PolicyFile

HEAD = """name: small
teams: {care: {}}
default_team: care
"""
ROAMING = """areas:
  roaming:
    because: Travellers.
    examples:
      - sin datos en Chile
      - no data abroad
      - "roaming: ¿cuánto cuesta?"
      - me cobraron roaming
      - >-
        llegué a la frontera
        y se cortó
"""
RULES = "rules: []\n"


def file_of(text: str) -> PolicyFile:
    return policies.load_text(HEAD + text, "p.yaml").file


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyProblem) as caught:
        policies.load_text(HEAD + text, "p.yaml")
    return caught.value.problems


def test_an_area_is_a_name_and_its_sentences() -> None:
    area = file_of(ROAMING + RULES).areas["roaming"]
    assert area.because == "Travellers."
    assert len(area.examples) == 5
    assert area.examples[2:] == (
        "roaming: ¿cuánto cuesta?",
        "me cobraron roaming",
        "llegué a la frontera y se cortó",
    )


def test_a_policy_needs_none() -> None:
    assert file_of(RULES).areas == {}


MORE = "  billing:\n    examples:\n"
SENTENCES = "".join(f"      - frase número {word}\n" for word in ("uno", "dos", "tres", "cuatro"))


@pytest.mark.parametrize(
    ("added", "line", "said"),
    [
        (MORE + SENTENCES, 16, "an area needs at least 5 examples and this one has 4"),
        ("  billing: {}\n", 15, "`examples` is missing"),
        ("  billing: {examples: []}\n", 15, "at least 5 examples and this one has 0"),
        ("  billing: {examples: sin saldo}\n", 15, "should be a list"),
        ("  billing: {example: [a]}\n", 15, "`example` is not known here; did you mean `examples`?"),
        (MORE + SENTENCES + "      - 12345\n", 21, "`12345` is no example"),
        (MORE + SENTENCES + "      - '?!'\n", 21, "is no example"),
        (MORE + SENTENCES + f"      - {'largo ' * 100}\n", 21, "at most 500 characters"),
        (MORE + SENTENCES + "      - Sin DATOS en Chile!\n", 21, "is an example of `roaming` as well"),
        (MORE + SENTENCES + "      - frase numero UNO\n", 21, "stands here twice"),
        (MORE + SENTENCES + "      - escríbeme a ana@ejemplo.com\n", 21, "holds an e-mail address"),
        (MORE.replace("billing", "Roaming") + SENTENCES + "      - cinco\n", 15, "differ in capitals only"),
        (MORE.replace("billing", "none") + SENTENCES + "      - cinco\n", 15, "cannot be a name"),
        (MORE + "".join(f"      - frase {number}\n" for number in range(201)), 16, "at most 200 entries"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(added: str, line: int, said: str) -> None:
    found = problems(ROAMING + added + RULES)
    assert all(problem.startswith(f"p.yaml:{line}: ") for problem in found)
    assert [said in problem for problem in found].count(True) == 1
    assert len(found) == 1 or "`examples` is missing" in found[0]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{areas: roming}", "there is no area `roming`; did you mean `roaming`?"),
        ("{areas: [roaming, billing]}", "there is no area `billing`"),
        ("{any: [{areas: billing}, {language: es}]}", "there is no area `billing`"),
        ("{none: {all: [{areas: [billing]}]}}", "there is no area `billing`"),
    ],
)
def test_a_rule_names_areas_that_there_are(when: str, said: str) -> None:
    (problem,) = problems(f"{ROAMING}rules:\n  - name: it\n    when: {when}\n    then: {{tags: x}}\n")
    assert problem.startswith("p.yaml:17: ")
    assert said in problem


def test_the_schema_knows_them() -> None:
    schema = policies.json_schema()
    examples = schema["$defs"]["Area"]["properties"]["examples"]
    assert (examples["minItems"], examples["maxItems"]) == (5, 200)
    assert "areas" in schema["$defs"]["When"]["properties"]
