"""Terms in X's search language."""

from __future__ import annotations

import pytest

from connectors.x_query import LONGEST, compile_terms
from listener.errors import Mistake


@pytest.mark.parametrize(
    ("terms", "query", "whole"),
    [
        ("telecom", "telecom", True),
        ("avería", "avería OR averia", True),
        ("avería telecom", "(avería OR averia) telecom", True),
        ("telecom OR fibra", "telecom OR fibra", True),
        ("(telecom OR fibra) madrid", "(telecom OR fibra) madrid", True),
        ("telecom -oferta", "telecom -oferta", True),
        ("telecom -avería", "telecom -avería -averia", True),
        ("#averías", "#averías OR #averias", True),
        ("@marca", "@marca", True),
        ("telecom -from:marca", "telecom -from:marca", True),
        ("telecom lang:es", "telecom (lang:es OR lang:und)", True),
        ("telecom lang:id", "telecom (lang:in OR lang:und)", True),
        ("telecom -lang:pt", "telecom -lang:pt", True),
        ('"mala cobertura"', '"mala cobertura" OR #malacobertura', True),
        ("wi-fi", '"wi-fi"', True),
        ("telecom @marca@mastodon.example", "telecom marca", False),
        ("telecom lang:pt-br", "telecom", False),
    ],
)
def test_terms_are_said_in_x_s_words(terms: str, query: str, whole: bool) -> None:
    search = compile_terms(terms)
    assert search.query == f"{query} -is:retweet"
    assert search.whole is whole


def test_a_word_that_x_takes_for_an_operator_is_quoted() -> None:
    assert compile_terms('"or" telecom').query.startswith('("or" OR #or) telecom')


def test_what_is_too_long_is_shortened_where_the_rest_can_be_matched_here() -> None:
    excluded = " ".join(f"-palabra{n:03}" for n in range(60))
    search = compile_terms(f"telecom {excluded}")
    assert len(search.query) <= LONGEST
    assert search.query.startswith("telecom -palabra000 -palabra001")
    assert not search.whole
    assert search.terms.matches("telecom palabra000") is False
    assert search.terms.matches("telecom palabra059") is False


def test_what_is_too_long_to_be_shortened_says_so_with_its_length() -> None:
    choice = " OR ".join(f"palabra{n:03}" for n in range(60))
    with pytest.raises(Mistake, match=r"\d{3} characters.*512.*two sources"):
        compile_terms(choice)
    assert compile_terms(choice, longest=4096).whole


@pytest.mark.parametrize("terms", ["lang:es", "-telecom", "telecom OR -fibra"])
def test_what_looks_for_nothing_is_a_mistake(terms: str) -> None:
    with pytest.raises(Mistake):
        compile_terms(terms)


@pytest.mark.parametrize("terms", ["", "(telecom", 'telecom "'])
def test_what_are_no_terms_is_a_mistake(terms: str) -> None:
    with pytest.raises(Mistake):
        compile_terms(terms)
