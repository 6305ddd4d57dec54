"""Whether a post is what the terms look for: one expression, or thousands in one pass over the text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import ahocorasick

from listener.terms import folding
from listener.terms.expression import (
    And,
    Expression,
    From,
    Handle,
    Language,
    Leaf,
    Not,
    Or,
    Phrase,
    Tag,
    Word,
    leaves,
    plain,
    sought,
)

_NONE: frozenset[str] = frozenset()


class Seen(NamedTuple):
    """What is known of a post: which needles are in its text, the names of its author, its language or ""."""

    found: Set[str]
    names: Collection[str]
    language: str


Test = Callable[[Seen], bool]


@dataclass(frozen=True)
class Terms:
    """What a brand listens to. `text` is what was written; `str()` gives it in one canonical way."""

    text: str
    expression: Expression
    _needles: frozenset[str] = field(init=False, repr=False, compare=False)
    _test: Test = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_needles", needles(self.expression))
        object.__setattr__(self, "_test", to_test(plain(self.expression)))

    def __str__(self) -> str:
        return str(self.expression)

    def matches(self, text: str, *, language: str | None = None, author: str = "") -> bool:
        """Whether such a post is meant. `language`: what the network claims, None when it does not say."""
        form = folding.form(text)
        found = {each for each in self._needles if each in form}
        return self._test(Seen(found, folding.names(author), spoken(language)))

    def found(self, text: str, *, author: str = "") -> tuple[str, ...]:
        """What of it is there, in the order and as `str()` writes it; what must not be there is never among it."""
        form = folding.form(text)
        names = folding.names(author)
        there = [
            leaf
            for leaf in sought(plain(self.expression))
            if not isinstance(leaf, Language) and needle(leaf) in (names if isinstance(leaf, From) else form)
        ]
        return tuple(dict.fromkeys(map(str, there)))


class Matcher:
    """Many terms by name, all looked for in one pass.

    An automaton finds which leaves are in the text; an expression is evaluated only when one of its anchors is there:
    leaves one of which is in whatever it matches. Of a choice, each alternative stands for itself. Before that, a
    coarser automaton over a coarser text tells most posts of a stream that none of the anchors is there.
    """

    def __init__(self, terms: Mapping[str, Terms]) -> None:
        self._alternatives: list[tuple[str, Test]] = []
        self._by_author: dict[str, list[int]] = {}
        touches: dict[str, list[int]] = {each: [] for term in terms.values() for each in needles(term.expression)}
        for name, term in terms.items():
            whole = plain(term.expression)
            for part in whole.parts if isinstance(whole, Or) else (whole,):
                for anchor in anchors(part):
                    into = self._by_author if isinstance(anchor, From) else touches
                    into.setdefault(needle(anchor), []).append(len(self._alternatives))
                self._alternatives.append((name, to_test(part)))
        self._automaton = _automaton({key: (key, tuple(indices)) for key, indices in touches.items()})
        grains = {folding.grain(key) for key, indices in touches.items() if indices}
        self._strange = None in grains
        self._sieve = _automaton({each: each for each in grains if each})

    def matching(self, text: str, *, language: str | None = None, author: str = "") -> frozenset[str]:
        """The names of all terms that match such a post."""
        names = folding.names(author) if self._by_author else ()
        if not self._may_match(text) and self._by_author.keys().isdisjoint(names):
            return _NONE
        names = names or folding.names(author)
        hits = [hit for _, hit in self._automaton.iter(folding.form(text))] if self._automaton else []
        touched = {index for _, indices in hits for index in indices}
        for name in names:
            touched.update(self._by_author.get(name, ()))
        seen = Seen({key for key, _ in hits}, names, spoken(language))
        alternatives = (self._alternatives[index] for index in touched)
        return frozenset(name for name, test in alternatives if test(seen))

    def _may_match(self, text: str) -> bool:
        sieved = folding.sieve(text, strange=self._strange)
        if sieved is None:
            return True
        return self._sieve is not None and next(self._sieve.iter(sieved), None) is not None


def _automaton(hits: Mapping[str, Any]) -> ahocorasick.Automaton | None:
    """Finds all of these at once, and tells what stands for each; None for nothing, of which it cannot be made."""
    if not hits:
        return None
    automaton = ahocorasick.Automaton()
    for key, hit in hits.items():
        automaton.add_word(key, hit)
    automaton.make_automaton()
    return automaton


# --- what is looked for ---


def needle(leaf: Leaf) -> str:
    """What to look for in `folding.form` of a text; for `from:` among the names of its author."""
    match leaf:
        case Word(text) | Phrase(text):
            return f" {folding.words(text)} "
        case Tag(text):
            return f" #{folding.letters(text)} "
        case Handle(text):
            return f" @{folding.letters(text)} "
        case From(handle):
            return folding.letters(handle)
        case Language(code):
            return code


def needles(expression: Expression) -> frozenset[str]:
    """What to look for in a text, to know all that the expression asks of it."""
    return frozenset(needle(leaf) for leaf in leaves(expression) if not isinstance(leaf, From | Language))


def anchors(expression: Expression) -> frozenset[Leaf]:
    """Leaves one of which is there whenever the expression, a `plain` one, holds; empty where nothing need be there."""
    match expression:
        case And(parts):
            return max((anchors(part) for part in parts), key=_rarity)
        case Or(parts):
            each = [anchors(part) for part in parts]
            return frozenset[Leaf]().union(*each) if all(each) else frozenset()
        case Not() | Language():
            return frozenset()
        case leaf:
            return frozenset((leaf,))


def _rarity(leaves: frozenset[Leaf]) -> tuple[bool, int]:
    """Long words are rarer than short ones; a choice is as common as its shortest."""
    return bool(leaves), min((len(needle(leaf)) for leaf in leaves), default=0)


# --- whether it is there ---


def to_test(expression: Expression) -> Test:  # noqa: PLR0911
    """The meaning of a `plain` expression.

    Where the language is unknown, neither `lang:es` nor `-lang:es` keeps a post away.
    """
    match expression:
        case And(parts):
            return partial(_all, tuple(map(to_test, parts)))
        case Or(parts):
            simple = [part for part in parts if isinstance(part, Word | Phrase | Tag | Handle)]
            others = tuple(to_test(part) for part in parts if not isinstance(part, Word | Phrase | Tag | Handle))
            return partial(_any, frozenset(map(needle, simple)), others)
        case Language(code):
            return lambda seen: not seen.language or _speaks(seen.language, code)
        case Not(Language(code)):
            return lambda seen: not seen.language or not _speaks(seen.language, code)
        case Not(part):
            test = to_test(part)
            return lambda seen: not test(seen)
        case From() as author:
            name = needle(author)
            return lambda seen: name in seen.names
        case leaf:
            key = needle(leaf)
            return lambda seen: key in seen.found


def spoken(language: str | None) -> str:
    """A language as networks write it (`es`, `ES_mx`), as `lang:` does."""
    return language.lower().replace("_", "-") if language else ""


def _all(tests: tuple[Test, ...], seen: Seen) -> bool:
    return all(test(seen) for test in tests)


def _any(simple: frozenset[str], others: tuple[Test, ...], seen: Seen) -> bool:
    return not simple.isdisjoint(seen.found) or any(test(seen) for test in others)


def _speaks(language: str, code: str) -> bool:
    return language == code or language.startswith(f"{code}-")
