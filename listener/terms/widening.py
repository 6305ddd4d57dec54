"""What of some terms a network can search for: never less than they match, so that the rest can be matched here."""

from __future__ import annotations

from collections.abc import Callable

from listener.terms import folding
from listener.terms.expression import And, Expression, Handle, Not, Or, Phrase, Tag, Word, both, either, is_endless

Can = Callable[[Expression], bool]


def widest(expression: Expression, can: Can) -> Expression | None:
    """The narrowest expression that `can` all be searched for and still finds whatever the whole one matches.

    `can` is asked about every leaf, every Not of a leaf, and every And and Or of what it allowed before, in whole: so
    it may also refuse what is too long or too deep. A Not stands before leaves only. None when nothing is left to look
    for: the network cannot be asked. Where it knows no tags, handles or phrases, their words stand for them.
    """
    found = _widened(_plain(expression), can)
    return None if found is None or is_endless(found) else found


def _plain(expression: Expression, *, positive: bool = True) -> Expression:
    """The same with every Not directly before a leaf."""
    match expression:
        case And(parts) | Or(parts):
            inner = [_plain(part, positive=positive) for part in parts]
            return both(inner) if isinstance(expression, And) == positive else either(inner)
        case Not(part):
            return _plain(part, positive=not positive)
        case _:
            return expression if positive else Not(expression)


def _widened(expression: Expression, can: Can) -> Expression | None:
    match expression:
        case And(parts):
            return _as_many(parts, can)
        case Or(parts):
            inner = [_widened(part, can) for part in parts]
            known = [each for each in inner if each is not None]
            if len(known) == len(inner) and _can(choice := either(known), can):
                return choice
            return _as_many(_in_each(parts), can)
        case _ if can(expression):
            return expression
        case Phrase(text):
            words = tuple[Expression, ...](Word(each) for each in text.split() if folding.words(each))
            return _as_many(words, can) if len(words) > 1 else None
        case Tag(text) | Handle(text):  # who wrote #iberia wrote the word iberia
            return _widened(Word(text), can)
        case _:
            return None


def _as_many(parts: tuple[Expression, ...], can: Can) -> Expression | None:
    """As many of these at once as can be, first those that must be there, then those that must not."""
    inner = [each for part in parts if (each := _widened(part, can)) is not None]
    found: list[Expression] = []
    for each in sorted(inner, key=is_endless):
        if _can(both([*found, each]), can):
            found.append(each)
    return both(found) if found else None


def _in_each(parts: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """What every one of a choice demands: `(a b) OR (a c)` demands a."""
    each = [part.parts if isinstance(part, And) else (part,) for part in parts]
    return tuple(part for part in each[0] if all(part in other for other in each[1:]))


def _can(expression: Expression, can: Can) -> bool:
    """Leaves were asked about before."""
    return can(expression) if isinstance(expression, And | Or) else True
