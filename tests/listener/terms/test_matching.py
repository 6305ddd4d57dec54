"""What terms match: one by one, and thousands at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.terms import And, From, Handle, Language, Matcher, Not, Or, Phrase, Tag, Terms, Word, folding, parse
from listener.terms.expression import is_endless
from tests.listener.terms.writing import authors, expressions, languages, posts


@pytest.mark.parametrize(
    ("terms", "text", "author", "found"),
    [
        ("iberia OR #iberia", "ya #Iberia", "", ("iberia", "#iberia")),
        ('(retraso OR "se ha caído") -empleo iberia', "Se ha  caído IBERIA", "", ('"se ha caído"', "iberia")),
        ("iberia -(huelga -vuelos)", "iberia vuelos huelga", "", ("iberia", "vuelos")),
        ("iberia lang:es from:ana", "iberia es", "@Ana@m.example", ("iberia", "from:ana")),
        ("iberia OR iberia", "iberia", "", ("iberia",)),
        ("-empleo iberia", "nada", "", ()),
    ],
)
def test_what_of_the_terms_is_there(terms, text, author, found):
    assert parse(terms).found(text, author=author) == found


@given(expressions, posts, authors)
def test_what_matches_by_its_words_has_some_of_them(expression, text, author):
    terms = Terms("", expression)
    found = terms.found(text, author=author)
    assert len(set(found)) == len(found)
    if terms.matches(text, author=author) and not is_endless(expression):
        assert found
    if found:
        assert all(str(parse(each)) == each for each in found), "each can be written as it stands"


@pytest.mark.parametrize(
    ("terms", "text", "matches"),
    [
        pytest.param("iberia", "Vuelo con IBERIA.", True, id="a word"),
        pytest.param("iberia", "iberial", False, id="no part of a word"),
        pytest.param("mas", "quiero más", True, id="without its accent"),
        pytest.param("más", "quiero mas", True, id="with an accent too many"),
        pytest.param("año", "feliz ano", False, id="ñ is no n"),
        pytest.param("iberia", "ya #IberiaExpress", True, id="a word inside a hashtag"),
        pytest.param('"iberia express"', "ya #IberiaExpress", True, id="a phrase inside a hashtag"),
        pytest.param("iberiaexpress", "ya #IberiaExpress", True, id="a hashtag as one word"),
        pytest.param('"ya iberia"', "ya #IberiaExpress", True, id="a phrase that goes on in a hashtag"),
        pytest.param('"red 5g"', "red #5G", True, id="a phrase with a hashtag as it stands"),
        pytest.param("iberia", "ya #iberiaexpress", False, id="a hashtag that cannot be split"),
        pytest.param("#iberia", "ya #IBERIA", True, id="a hashtag"),
        pytest.param("#iberia", "ya iberia", False, id="a hashtag is no word"),
        pytest.param("#iberia", "ya #IberiaExpress", False, id="a hashtag is a whole one"),
        pytest.param("#avería", "#Averia", True, id="a hashtag without its accent"),
        pytest.param("@iberia", "hola @Iberia", True, id="a mention"),
        pytest.param("@iberia", "hola iberia", False, id="a mention is no word"),
        pytest.param("@iberia", "hola @iberia@m.example", True, id="a mention with its host"),
        pytest.param("@iberia@m.example", "hola @iberia@m.example", True, id="the same host"),
        pytest.param("@iberia@m.example", "hola @iberia@n.example", False, id="another host"),
        pytest.param("@iberia@m.example", "hola @iberia", False, id="no host"),
        pytest.param("@iberia", "hola @iberia.bsky.social", True, id="a mention by domain"),
        pytest.param("@iberia", "hola @iberia_cargo", False, id="another handle"),
        pytest.param("@iberia", "ana@iberia", False, id="no mention in a mail address"),
        pytest.param("@iberia", "pregunta a u/iberia", True, id="a mention on Reddit"),
        pytest.param("iberia", "www.iberia.com/vuelos", True, id="a word in a link"),
        pytest.param('"se ha caído"', "Se ha\n\ncaído otra vez", True, id="a phrase over lines"),
        pytest.param('"iberia express"', "Iberia-Express", True, id="a phrase over punctuation"),
        pytest.param('"iberia express"', "Iberia y Express", False, id="a phrase is whole"),
        pytest.param("wi-fi", "sin wi fi", True, id="a word of two parts"),
        pytest.param("wi-fi", "sin fi wi", False, id="in their order"),
        pytest.param("遅延", "電車が遅延しています", True, id="a word in a script without spaces"),
        pytest.param("🔥", "madre mía🔥🔥", True, id="an emoji"),
        pytest.param("iberia (retraso OR huelga) -empleo", "huelga en iberia", True, id="a choice"),
        pytest.param("iberia (retraso OR huelga) -empleo", "huelga en iberia: empleo", False, id="an exclusion"),
        pytest.param("iberia (retraso OR huelga) -empleo", "iberia", False, id="not all of it"),
        pytest.param("iberia -(huelga retraso)", "iberia huelga", True, id="not both"),
    ],
)
def test_terms_match(terms, text, matches):
    assert parse(terms).matches(text) is matches
    assert Matcher({"it": parse(terms)}).matching(text) == (frozenset({"it"}) if matches else frozenset())


@pytest.mark.parametrize(
    ("terms", "language", "matches"),
    [
        ("a lang:es", "es", True),
        ("a lang:es", "es-MX", True),
        ("a lang:es", "en", False),
        ("a lang:es,en", "EN_gb", True),
        ("a lang:pt-br", "pt-BR", True),
        ("a lang:pt-br", "pt", False),
        ("a -lang:ca", "ca", False),
        ("a -lang:ca", "es", True),
        pytest.param("a lang:es", None, True, id="an unknown language passes"),
        pytest.param("a -lang:ca", None, True, id="an unknown language is not excluded"),
        pytest.param("a -(b OR lang:ca)", "", True, id="an unknown language is not excluded among others"),
    ],
)
def test_the_language_is_what_the_network_claims(terms, language, matches):
    assert parse(terms).matches("a", language=language) is matches


@pytest.mark.parametrize(
    ("terms", "author", "matches"),
    [
        ("a -from:iberia", "luis", True),
        ("a -from:iberia", "", True),
        ("a -from:iberia", "Iberia", False),
        ("a -from:iberia", "iberia@m.example", False),
        ("a -from:iberia", "iberia.bsky.social", False),
        ("a -from:iberia@m.example", "iberia@n.example", True),
        ("a -from:iberia,vueling", "@vueling", False),
        ("from:luis", "luis", True),
        ("from:luis", "ana", False),
        ("from:luis", "", False),
    ],
)
def test_the_author_is_known_by_the_handle(terms, author, matches):
    assert parse(terms).matches("a", author=author) is matches
    assert bool(Matcher({"it": parse(terms)}).matching("a", author=author)) is matches


# --- many at once ---


@given(st.lists(expressions, max_size=8), posts, languages, authors)
def test_many_at_once_match_what_each_matches_alone(many, text, language, author):
    terms = {str(index): Terms(str(each), each) for index, each in enumerate(many) if not is_endless(each)}
    alone = {name for name, each in terms.items() if each.matches(text, language=language, author=author)}
    assert Matcher(terms).matching(text, language=language, author=author) == alone


@given(expressions, posts, languages, authors)
def test_terms_match_what_a_slow_look_finds(expression, text, language, author):
    matches = Terms("", expression).matches(text, language=language, author=author)
    assert matches is slowly(expression, text, language, author, True)


def slowly(expression, text, language, author, positive):
    """The meaning of an expression, leaf by leaf, over lists of words."""
    match expression:
        case And(parts):
            return all([slowly(part, text, language, author, positive) for part in parts])
        case Or(parts):
            return any([slowly(part, text, language, author, positive) for part in parts])
        case Not(part):
            return not slowly(part, text, language, author, not positive)
        case Language(code):
            claimed = (language or "").lower()
            return claimed.startswith(code) if claimed else positive
        case From(handle):
            return folding.letters(handle) in folding.names(author)
        case Tag(tag) | Handle(tag):
            sign = "#" if isinstance(expression, Tag) else "@"
            return sign + folding.letters(tag) in folding.form(text).split()
        case Word(words) | Phrase(words):
            sought, told = folding.words(words).split(), folding.form(text).split()
            return any(told[at : at + len(sought)] == sought for at in range(len(told)))
    raise AssertionError(expression)


def test_no_terms_match_nothing():
    assert Matcher({}).matching("iberia", author="iberia") == frozenset()


def test_five_thousand_terms_are_told_apart():
    matcher = Matcher({f"{n}": parse(f'marca{n} OR #marca{n} OR "la marca {n}"') for n in range(5000)})
    assert matcher.matching("ni marca17 ni #Marca4999, ni la Marca 333") == {"17", "4999", "333"}
