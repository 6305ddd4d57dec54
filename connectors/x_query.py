"""A brand's terms in X's search language, within X's length. Pure.

Operators: docs.x.com/x-api/posts/search/integrate/build-a-query (August 2026). X takes words apart at punctuation,
tells `avería` from `averia`, and knows no parts of a hashtag. Our terms tell less apart, so a word is searched for in
both spellings and a phrase also as one hashtag. What X's search cannot say, or what does not fit, is left to be matched
here: X then finds more than is wanted, never less than it is able to.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from listener.errors import Mistake
from listener.terms import And, Expression, From, Handle, Language, Not, Or, Phrase, Tag, Terms, Word, parse, widest

LONGEST = 512
LONGEST_ENTERPRISE = 4096

_NO_RETWEETS = " -is:retweet"  # they say nothing of their own, and each would cost a read
_NAME = re.compile(r"[A-Za-z0-9_]{1,15}")
_TAG = re.compile(r"\w*[^\W\d_]\w*")
_BARE = re.compile(r"[^\W_]+")
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_LANGUAGES = {"id": "in", "he": "iw"}  # X's own codes


@dataclass(frozen=True, kw_only=True)
class Search:
    """Terms and the query that X gets for them; `whole`: X's query says all of it."""

    terms: Terms
    query: str
    whole: bool


def compile_terms(text: str, *, longest: int = LONGEST) -> Search:
    """The search for those terms. Raises Mistake where X can find nothing by them, and says what would help."""
    terms = parse(text)
    found = widest(terms.expression, lambda part: _can(part, longest))
    if found is None:
        needed = widest(terms.expression, lambda part: _can(part, None))
        if needed is None:
            raise Mistake(f"X cannot search for {text!r}: name a word, a phrase, a #tag or an @account to look for.")
        raise Mistake(
            f"These terms come to {len(_query(needed))} characters in X's language, and it takes {longest}: "
            "split them over two sources."
        )
    return Search(terms=terms, query=_query(found), whole=str(found) == str(terms.expression))


def _can(part: Expression, longest: int | None) -> bool:
    """Whether X's search can say this at all, and in that many characters (None: however long)."""
    match part:
        case And() | Or():
            return longest is None or len(_query(part)) <= longest
        case Not(inner):
            return not isinstance(inner, And | Or | Not) and _can(inner, longest)
        case Handle(name) | From(name):
            known = _NAME.fullmatch(name) is not None
        case Tag(name):
            known = _TAG.fullmatch(name) is not None
        case Language(code):
            known = re.fullmatch(r"[a-z]{2,3}", code) is not None
        case Word(name) | Phrase(name):
            known = any(char.isalnum() for char in name) and '"' not in name and "\\" not in name
    return known and (longest is None or len(_query(part)) <= longest)


def _query(expression: Expression) -> str:
    return _said(expression) + _NO_RETWEETS


def _said(expression: Expression) -> str:
    match expression:
        case And(parts):
            return " ".join(_grouped(part) for part in parts)
        case Or(parts):
            return " OR ".join(_said(part) if not isinstance(part, And) else f"({_said(part)})" for part in parts)
        case Not(part):
            return " ".join(f"-{form}" for form in _forms(part, excluded=True))
        case _:
            return " OR ".join(_forms(expression))


def _grouped(part: Expression) -> str:
    said = _said(part)
    choice = isinstance(part, Or) or (not isinstance(part, And | Not) and len(_forms(part)) > 1)
    return f"({said})" if choice else said


def _forms(leaf: Expression, *, excluded: bool = False) -> list[str]:
    """Every way in which X must be asked for that leaf."""
    match leaf:
        case Word(text):
            forms = [_quoted(each) for each in (text, _bare(text))]
        case Phrase(text):
            forms = [f'"{each}"' for each in (text, _bare(text))]
            joined = ["".join(char for char in each if char.isalnum()) for each in (text, _bare(text))]
            forms += [f"#{tag}" for tag in joined if not excluded and _TAG.fullmatch(tag)]
        case Tag(text):
            forms = [f"#{text}", f"#{_bare(text)}"]
        case Handle(name):
            forms = [f"@{name}"]
        case From(name):
            forms = [f"from:{name}"]
        case Language(code):
            forms = [f"lang:{_LANGUAGES.get(code, code)}"]
            forms += [] if excluded else ["lang:und"]  # what X cannot tell may be it
        case _:
            raise ValueError(f"{leaf} is no leaf")
    return list(dict.fromkeys(forms))


def _quoted(word: str) -> str:
    return word if _BARE.fullmatch(word) and word.upper() not in _OPERATORS else f'"{word}"'


def _bare(text: str) -> str:
    """The text without accents."""
    return unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFD", text)))
