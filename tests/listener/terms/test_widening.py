"""What of some terms a network is asked for: never less than they match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.terms import And, From, Handle, Language, Not, Or, Phrase, Tag, Terms, Word, parse, searches, widest
from tests.listener.terms.writing import authors, expressions, languages, posts

KINDS = (Word, Phrase, Tag, Handle, From, Language, And, Or, Not)


def only(*kinds):
    return lambda node: isinstance(node, kinds)


def short(node):
    return len(str(node)) <= 20


@pytest.mark.parametrize(
    ("terms", "can", "asked"),
    [
        pytest.param("a (b OR c) -d lang:es", only(*KINDS), "a (b OR c) -d lang:es", id="all of it"),
        pytest.param("a (b OR c) -d lang:es", only(Word, And), "a", id="neither OR nor NOT"),
        pytest.param("a (b OR c) -d lang:es", only(Word, And, Not), "a -d", id="no OR"),
        pytest.param("a (b OR c) -d lang:es", only(Word, Or), "a", id="one thing at a time"),
        pytest.param("(a b) OR (a c)", only(Word), "a", id="what all of a choice demand"),
        pytest.param("a OR b", only(Word), None, id="a choice that cannot be asked for"),
        pytest.param("#a OR b", only(Word, Or), "a OR b", id="a hashtag as a word"),
        pytest.param('"a b" @c', only(Word, And), "a b c", id="a phrase and a handle as words"),
        pytest.param("a -#b", only(Word, Not, And), "a", id="never excludes more than was said"),
        pytest.param("a -(b OR c)", only(Word, Not, And), "a -b -c", id="exclusions one by one"),
        pytest.param("a -(b c)", only(Word, Not, And), "a", id="both at once cannot be excluded"),
        pytest.param("a -(b c)", only(Word, Not, And, Or), "a (-b OR -c)", id="or in another way"),
        pytest.param("from:a", only(Word), None, id="nothing to ask for"),
        pytest.param("(a OR b) -c", only(Word, Not), None, id="never exclusions alone"),
        pytest.param(
            "-dddddddddd aaaa bbbb cccccccc", short, "aaaa bbbb cccccccc", id="what must be there comes first"
        ),
        pytest.param("aaaaaaaaaa bbbbbbbbbb", short, "aaaaaaaaaa", id="as much as is not too long"),
    ],
)
def test_a_network_is_asked_for_what_it_can(terms, can, asked):
    found = widest(parse(terms).expression, can)
    assert (None if found is None else str(found)) == asked


@given(expressions, posts, languages, authors, st.sets(st.sampled_from(KINDS)), st.booleans())
def test_whatever_the_terms_match_the_network_is_asked_for(expression, text, language, author, kinds, shortly):
    def can(node):
        return isinstance(node, tuple(kinds)) and (not shortly or short(node))

    found = widest(expression, can)
    if found is None:
        return
    if Terms("", expression).matches(text, language=language, author=author):
        assert Terms("", found).matches(text, language=language, author=author)


@given(expressions, st.sets(st.sampled_from(KINDS)))
def test_the_network_is_asked_for_nothing_that_it_cannot(expression, kinds):
    def within(node):
        assert isinstance(node, tuple(kinds))
        for part in node.parts if isinstance(node, And | Or) else ():
            within(part)
        if isinstance(node, Not):
            assert not isinstance(node.part, And | Or | Not)

    found = widest(expression, only(*kinds))
    if found is not None:
        within(found)


@pytest.mark.parametrize(
    ("terms", "asked"),
    [
        pytest.param("a b", ["a b"], id="one is enough"),
        pytest.param("a OR b", ["a", "b"], id="one for each of a choice"),
        pytest.param("(a OR b) c", ["c"], id="what must be there anyhow"),
        pytest.param("(a OR b) -c", ["a -c", "b -c"], id="each with what is excluded"),
        pytest.param('a OR #a OR @a OR "a b" OR (a c)', ["a"], id="what another finds as well is not asked for"),
        pytest.param("Avería OR #averia", ["Avería"], id="however it is written"),
        pytest.param("(a OR b) (c OR d)", ["a", "b"], id="of two choices the first"),
        pytest.param("(a OR from:b) (c OR d)", ["c", "d"], id="or the one that can be asked for"),
        pytest.param("a OR from:b", [], id="nothing, where one cannot be asked for"),
        pytest.param("a OR (b (c OR (d -e)))", ["a", "b"], id="choices inside each other"),
    ],
)
def test_without_or_a_network_is_asked_several_times(terms, asked):
    found = searches(parse(terms).expression, only(Word, And, Not))
    assert [str(each) for each in found] == asked


@given(expressions, posts, languages, authors, st.sets(st.sampled_from(KINDS)))
def test_whatever_the_terms_match_one_of_the_searches_finds(expression, text, language, author, kinds):
    found = searches(expression, only(*kinds))
    if found and Terms("", expression).matches(text, language=language, author=author):
        assert any(Terms("", each).matches(text, language=language, author=author) for each in found)
