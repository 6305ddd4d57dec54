"""What gives a person away: handles, addresses, numbers, names, and sentences of their own. Pure.

A mark is found where it stands for itself: `@ana` in `@ana, hello`, not in `@anabel`; a bare `ana` only where JSON
names an account by it (`"acct": "ana"`), for elsewhere it may be anybody's name or a word.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from listener.store.personal import ERASED
from listener.terms.needles import Needles

SENTENCE = 30  # characters from which on a sentence is somebody's own
TELLING = 40  # of a sentence so many are looked for, so that one that was cut short is found too
ADDRESS = 8  # characters from which on an id tells something by itself
NAMING = frozenset(
    {"acct", "author", "did", "from", "handle", "login", "name", "nick", "screen_name", "user", "user_name", "username"}
)  # keys of JSON under which networks say who somebody is
_SENTENCES = re.compile(r"[^.!?…\n\r]+")


class Kind(StrEnum):
    """How a mark is told from other words."""

    HANDLE = "handle"
    ADDRESS = "address"  # an e-mail address, an id or a link
    NUMBER = "number"
    NAME = "name"
    WORDS = "words"


@dataclass(frozen=True)
class Mark:
    """One thing to look for."""

    kind: Kind
    text: str

    @property
    def needle(self) -> str:
        """What of it is looked for first."""
        return self.text[:TELLING] if self.kind is Kind.WORDS else self.text

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Where exactly it stands in a text."""
        text = re.escape(self.text)
        match self.kind:
            case Kind.HANDLE:
                return re.compile(rf"(?<![\w@])@{text}(?![\w@-]|\.\w)", re.IGNORECASE)
            case Kind.NUMBER:
                return re.compile(rf"(?<!\d){text}(?!\d)")
            case Kind.WORDS:
                return re.compile(re.escape(self.needle))
        return re.compile(rf"(?<![\w-]){text}(?![\w-]|\.\w)", re.IGNORECASE)

    def taken_out(self, text: str) -> str:
        """The text without it; of a sentence that was cut short, without what there is of it."""
        parts: list[str] = []
        end = 0
        for found in self.pattern.finditer(text):
            if found.start() < end:
                continue
            parts += [text[end : found.start()], ERASED]
            end = found.end()
            if self.kind is Kind.WORDS:
                same = itertools.takewhile(
                    lambda pair: pair[0] == pair[1], zip(text[end:], self.text[TELLING:], strict=False)
                )
                end += sum(1 for _ in same)
        return "".join([*parts, text[end:]])


def identity(*, handles: Iterable[str] = (), names: Iterable[str] = (), addresses: Iterable[str] = ()) -> set[Mark]:
    """The marks of what a person is called and where they are reached; what is too short to tell is left out."""
    found = {Mark(Kind.HANDLE, each.removeprefix("@")) for each in handles if len(each.removeprefix("@")) > 1}
    found |= {Mark(Kind.NAME, each.strip()) for each in names if " " in each.strip()}
    for each in (each.strip() for each in addresses):
        digits = "".join(character for character in each if character.isdigit())
        if "@" in each or "/" in each or len(each) >= ADDRESS:
            found.add(Mark(Kind.ADDRESS, each))
        if len(digits) >= ADDRESS and not any(character.isalpha() for character in each):
            found.add(Mark(Kind.NUMBER, digits))
    return found


def words(texts: Iterable[str]) -> set[Mark]:
    """The marks of what somebody wrote: its sentences."""
    return {Mark(Kind.WORDS, sentence) for text in texts for sentence in sentences(text)}


def sentences(text: str) -> Iterator[str]:
    """The sentences that are long enough to be somebody's own."""
    for found in _SENTENCES.finditer(text):
        sentence = found[0].strip()
        if len(sentence) >= SENTENCE:
            yield sentence[:400]


class Marks:
    """All marks of one person, looked for at once."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self.all = sorted(marks, key=lambda mark: (-len(mark.text), mark.kind, mark.text))
        self._by_needle: dict[str, list[Mark]] = {}
        for mark in self.all:
            self._by_needle.setdefault(mark.needle, []).append(mark)
        self._needles = Needles(self._by_needle)

    def maybe(self, text: str) -> list[Mark]:
        """Those that may be in the text, quickly; longest first."""
        found = self._needles.found(text)
        return [mark for mark in self.all if mark.needle in found] if found else []

    def within(self, value: Any) -> set[Mark]:
        """Those that are in the value: a text, bytes, or whatever JSON holds."""
        return {mark for key, leaf in leaves(value) for mark in self.maybe(leaf) if _is_in(mark, leaf, key)}

    def masked(self, value: Any, key: str = "") -> Any:
        """The value without them, of the same shape. `key`: under which it stands, in JSON."""
        if isinstance(value, str):
            for mark in self.maybe(value):
                value = ERASED if _is_all_of(mark, value, key) else mark.taken_out(value)
            return value
        if isinstance(value, dict):
            return {name: self.masked(inner, name) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.masked(inner, key) for inner in value]
        return value


def _is_in(mark: Mark, leaf: str, key: str) -> bool:
    return _is_all_of(mark, leaf, key) or mark.pattern.search(leaf) is not None


def _is_all_of(mark: Mark, leaf: str, key: str) -> bool:
    return mark.kind is Kind.HANDLE and key.lower() in NAMING and leaf.lower() == mark.text.lower()


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, with the key that it stands under in JSON."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, bytes):
        yield key, value.decode("utf-8", "ignore")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner, key)


def as_json(marks: Iterable[Mark]) -> list[list[str]]:
    """Marks as an unfinished erasure keeps them."""
    return sorted([mark.kind.value, mark.text] for mark in marks)


def from_json(kept: Iterable[Iterable[str]]) -> set[Mark]:
    """What `as_json` wrote."""
    return {Mark(Kind(kind), text) for kind, text in (tuple(pair) for pair in kept)}
