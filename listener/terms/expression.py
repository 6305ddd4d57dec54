"""What a brand's terms say, as a tree. `str()` of a node is the way to write it, and reads back as the same node.

Leaves that look for something: Word, Phrase, Tag, Handle, From. Language only narrows. And, Or and Not join them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word, or what is written without a space (`wi-fi`, `O2`, `24/7`)."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Phrase:
    """Words in this order, with nothing but spaces and punctuation between them."""

    text: str

    def __str__(self) -> str:
        return f'"{self.text}"'


@dataclass(frozen=True)
class Tag:
    """A hashtag, without its sign."""

    text: str

    def __str__(self) -> str:
        return f"#{self.text}"


@dataclass(frozen=True)
class Handle:
    """A mention of an account, without the leading sign: `iberia`, `iberia@mastodon.example`."""

    text: str

    def __str__(self) -> str:
        return f"@{self.text}"


@dataclass(frozen=True)
class Language:
    """The language that the network claims: `es`, also `pt-br`."""

    code: str

    def __str__(self) -> str:
        return f"lang:{self.code}"


@dataclass(frozen=True)
class From:
    """The author's handle, without a leading @."""

    handle: str

    def __str__(self) -> str:
        return f"from:{self.handle}"


@dataclass(frozen=True)
class Not:
    """Whatever does not match `part`."""

    part: Expression

    def __str__(self) -> str:
        return f"-{_inside(self.part)}"


@dataclass(frozen=True)
class And:
    """What matches all of them."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " ".join(map(_inside, self.parts))


@dataclass(frozen=True)
class Or:
    """What matches at least one of them."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return _listed(self.parts) or " OR ".join(
            f"({part})" if isinstance(part, And) else str(part) for part in self.parts
        )


Expression = Word | Phrase | Tag | Handle | Language | From | And | Or | Not
Leaf = Word | Phrase | Tag | Handle | Language | From


def both(parts: Iterable[Expression]) -> Expression:
    """All of these at once; one alone is itself."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
    once = tuple(dict.fromkeys(flat))
    return once[0] if len(once) == 1 else And(once)


def either(parts: Iterable[Expression]) -> Expression:
    """At least one of these; one alone is itself."""
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,))]
    once = tuple(dict.fromkeys(flat))
    return once[0] if len(once) == 1 else Or(once)


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Every leaf, from left to right."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield expression


def sought(expression: Expression) -> Iterator[Leaf]:
    """Every leaf of a `plain` expression that must or may be there, from left to right: those not behind a Not."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from sought(part)
        case Not():
            return
        case _:
            yield expression


def plain(expression: Expression, *, positive: bool = True) -> Expression:
    """The same with every Not directly before a leaf."""
    match expression:
        case And(parts) | Or(parts):
            inner = [plain(part, positive=positive) for part in parts]
            return both(inner) if isinstance(expression, And) == positive else either(inner)
        case Not(part):
            return plain(part, positive=not positive)
        case _:
            return expression if positive else Not(expression)


def is_endless(expression: Expression) -> bool:
    """Whether it can be true of a post that has nothing of what is looked for: `-a`, `lang:es`, `a OR -b`."""
    match plain(expression):
        case And(parts):
            return all(map(is_endless, parts))
        case Or(parts):
            return any(map(is_endless, parts))
        case Not() | Language():
            return True
        case _:
            return False


def _inside(part: Expression) -> str:
    """A part as it stands inside of an And or a Not."""
    text = str(part)
    alone = not isinstance(part, And | Or) or (isinstance(part, Or) and _listed(part.parts))
    return text if alone else f"({text})"


def _listed(parts: tuple[Expression, ...]) -> str:
    """`lang:es,en` for a choice of languages, `from:a,b` for one of authors, "" for any other."""
    if len(parts) > 1 and all(isinstance(part, Language) for part in parts):
        return "lang:" + ",".join(str(part).removeprefix("lang:") for part in parts)
    if len(parts) > 1 and all(isinstance(part, From) for part in parts):
        return "from:" + ",".join(str(part).removeprefix("from:") for part in parts)
    return ""
