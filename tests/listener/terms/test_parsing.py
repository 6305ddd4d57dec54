"""Terms read as they are written, and every mistake tells its place and the next step."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import Mistake, TermsProblem
from listener.terms import And, From, Handle, Language, Not, Or, Phrase, Tag, Word, parse
from listener.terms.expression import both, either, is_endless
from listener.terms.parsing import MAX_DEPTH, MAX_LENGTH
from tests.listener.terms.writing import expressions

a, b, c = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        pytest.param("a", a, id="a word"),
        pytest.param("a b", And((a, b)), id="side by side is AND"),
        pytest.param("a AND b", And((a, b)), id="AND"),
        pytest.param("a OR b", Or((a, b)), id="OR"),
        pytest.param("a b OR c", Or((And((a, b)), c)), id="AND binds more than OR"),
        pytest.param("a (b OR c)", And((a, Or((b, c)))), id="parentheses"),
        pytest.param("a -b", And((a, Not(b))), id="a minus excludes"),
        pytest.param("a NOT b", And((a, Not(b))), id="NOT excludes"),
        pytest.param("a AND NOT b", And((a, Not(b))), id="AND NOT"),
        pytest.param("a -(b OR c)", And((a, Not(Or((b, c))))), id="a minus before parentheses"),
        pytest.param("NOT NOT a", a, id="twice not"),
        pytest.param("a −b –c", And((a, Not(b), Not(c))), id="minus signs as word processors write them"),
        pytest.param("wi-fi", Word("wi-fi"), id="a hyphen inside a word"),
        pytest.param('"a   b"', Phrase("a b"), id="a phrase"),
        pytest.param("“a b” «b c»", And((Phrase("a b"), Phrase("b c"))), id="typographic quotes"),
        pytest.param('"AND"', Phrase("AND"), id="an operator as a word"),
        pytest.param('"https://iberia.example/x"', Phrase("https://iberia.example/x"), id="a link"),
        pytest.param("#Iberia_2026", Tag("Iberia_2026"), id="a hashtag"),
        pytest.param("@iberia", Handle("iberia"), id="a handle"),
        pytest.param("@iberia@mastodon.example", Handle("iberia@mastodon.example"), id="a handle with its host"),
        pytest.param("@iberia.bsky.social", Handle("iberia.bsky.social"), id="a handle that is a domain"),
        pytest.param("a lang:ES", And((a, Language("es"))), id="a language"),
        pytest.param("a lang:es,pt-BR", And((a, Or((Language("es"), Language("pt-br"))))), id="a choice of languages"),
        pytest.param("a -from:@iberia", And((a, Not(From("iberia")))), id="an author to leave out"),
        pytest.param("a -from:b,c", And((a, Not(Or((From("b"), From("c")))))), id="several authors to leave out"),
        pytest.param("from:iberia", From("iberia"), id="whatever one author says"),
        pytest.param("((a) (b (c)))", And((a, b, c)), id="needless parentheses"),
        pytest.param("a a OR a", a, id="the same twice"),
        pytest.param("12:30", Word("12:30"), id="a time is a word"),
        pytest.param("a AND\n  (b\n   OR c)", And((a, Or((b, c)))), id="several lines"),
    ],
)
def test_terms_are_read(text, expression):
    assert parse(text).expression == expression


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("iberia   OR\t#Iberia", "iberia OR #Iberia"),
        ("(iberia AND vuelo) OR NOT NOT ave", "(iberia vuelo) OR ave"),
        ("iberia (lang:es OR lang:en)", "iberia lang:es,en"),
        ("iberia NOT (from:a OR from:b)", "iberia -from:a,b"),
        ("a -(b c) (b OR c)", "a -(b c) (b OR c)"),
    ],
)
def test_terms_are_told_in_one_way(text, canonical):
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        pytest.param("", 1, "Nothing is said", id="nothing"),
        pytest.param(" \n ", 1, "Nothing is said", id="only spaces"),
        pytest.param("a (b OR c", 3, "never closed", id="an open parenthesis"),
        pytest.param("a (", 3, "never closed", id="an open parenthesis at the end"),
        pytest.param("a) b", 2, "closes nothing", id="a parenthesis too many"),
        pytest.param("a () b", 3, "nothing between", id="empty parentheses"),
        pytest.param("a (b OR )", 6, "nothing follows OR", id="OR before a closing parenthesis"),
        pytest.param('a "b c', 3, "never closed", id="an open quote"),
        pytest.param("a b»", 4, "opens nothing", id="a closing quote alone"),
        pytest.param('a ""', 3, "no letter or digit", id="an empty phrase"),
        pytest.param("a OR", 3, "nothing follows OR", id="OR at the end"),
        pytest.param("OR a", 1, "nothing stands before OR", id="OR at the start"),
        pytest.param("a OR OR b", 3, "nothing follows OR", id="OR twice"),
        pytest.param("AND a", 1, "nothing stands before AND", id="AND at the start"),
        pytest.param("a AND", 3, "nothing follows AND", id="AND at the end"),
        pytest.param("a NOT", 3, "nothing follows NOT", id="NOT at the end"),
        pytest.param("a - b", 3, "directly before", id="a minus alone"),
        pytest.param("a or b", 3, "in capitals", id="or in small letters"),
        pytest.param("-a", 1, "nothing to look for", id="only an exclusion"),
        pytest.param("lang:es", 1, "nothing to look for", id="only a language"),
        pytest.param("a OR -b", 1, "nothing to look for", id="a choice of nothing"),
        pytest.param("a lnag:es", 3, "did you mean lang:?", id="an operator misspelt"),
        pytest.param("a since:2026", 3, "lang: and from:", id="an operator that there is not"),
        pytest.param("https://iberia.example", 1, "in quotes", id="a bare link"),
        pytest.param("a lang: es", 3, "without a space", id="a space after lang:"),
        pytest.param("a lang:español", 3, "two letters", id="a language by its name"),
        pytest.param("a lang:es lang:en", 11, "lang:a,b", id="two languages at once"),
        pytest.param("a from:b from:c", 10, "from:a,b", id="two authors at once"),
        pytest.param("iberi*", 1, "no wildcards", id="a wildcard"),
        pytest.param("a || b", 3, "write OR", id="a bar"),
        pytest.param("a &", 3, "no letter or digit", id="a sign"),
        pytest.param("#iberia-express", 1, "no hashtag", id="a hyphen in a hashtag"),
        pytest.param("a @", 3, "no handle", id="a bare at"),
        pytest.param("a " * MAX_LENGTH, 1, "characters long", id="too long"),
        pytest.param("(" * 5000 + "a" + ")" * 5000, MAX_DEPTH + 2, "flatter", id="too many parentheses"),
        pytest.param("a " + "NOT " * 5000 + "b", 3 + 4 * (MAX_DEPTH + 1), "flatter", id="too many NOTs"),
    ],
)
def test_a_mistake_tells_its_place_and_the_next_step(text, column, said):
    with pytest.raises(TermsProblem, match=said.replace("(", r"\(").replace("?", r"\?")) as problem:
        parse(text)
    assert problem.value.column == column
    assert "\n" not in str(problem.value)
    assert str(problem.value).endswith((".", "quotes."))


@pytest.mark.parametrize(
    ("text", "where"),
    [("a (b", "Column 3: "), ("a\n  OR (b", "Line 2, column 6: "), ("\na (b\n", "Column 3: ")],
)
def test_where_there_are_lines_the_line_is_told(text, where):
    with pytest.raises(TermsProblem, match=f"^{where}"):
        parse(text)


@given(expressions)
def test_what_is_written_reads_back(expression):
    rebuilt = parse_again(expression)
    if is_endless(rebuilt):
        return
    read = parse(str(rebuilt))
    assert read.expression == rebuilt
    assert parse(str(read)).expression == read.expression


def parse_again(expression):
    """The expression as the parser would build it: flat, nothing twice, nothing that contradicts itself."""
    match expression:
        case And(parts) | Or(parts):
            inner = [parse_again(part) for part in parts]
            if isinstance(expression, Or):
                return either(inner)
            joined = both(inner)
            parts = joined.parts if isinstance(joined, And) else (joined,)
            kept = [part for part in parts if not isinstance(part, Language | From)]
            kept += [part for part in parts if isinstance(part, Language)][:1]
            kept += [part for part in parts if isinstance(part, From)][:1]
            return both(kept)
        case Not(part):
            inner = parse_again(part)
            return inner.part if isinstance(inner, Not) else Not(inner)
        case _:
            return expression


@given(st.text(alphabet=st.one_of(st.sampled_from('()"“”«»#@:-,* \n|ORANDT'), st.characters()), max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        terms = parse(text)
    except Mistake:
        return
    assert parse(str(terms)).expression == terms.expression


@given(st.text(alphabet='()"-: ' + string.ascii_uppercase[:5] + "ORND", max_size=2000))
def test_long_heaps_of_signs_are_read_or_refused(text):
    try:
        parse(text)
    except Mistake:
        return


def test_a_thousand_words_are_read():
    terms = parse(" OR ".join(f"(marca{number} -otra{number})" for number in range(1000)))
    assert terms.matches("hola marca999")
    assert not terms.matches("hola marca999 otra999")
