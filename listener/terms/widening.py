"""What of some terms a network can search for: never less than they match, so that the rest can be matched here."""

from __future__ import annotations

from collections.abc import Callable

from listener.terms import folding
from listener.terms.expression import (
    And,
    Expression,
    Handle,
    Not,
    Or,
    Phrase,
    Tag,
    Word,
    both,
    either,
    is_endless,
    plain,
)

Can = Callable[[Expression], bool]


def widest(expression: Expression, can: Can) -> Expression | None:
    """The narrowest expression that `can` all be searched for and still finds whatever the whole one matches.

    `can` is asked about every leaf, every Not of a leaf, and every And and Or of what it allowed before, in whole: so
    it may also refuse what is too long or too deep. A Not stands before leaves only. None when nothing is left to look
    for: the network cannot be asked. Where it knows no tags, handles or phrases, their words stand for them.
    """
    found = _widened(plain(expression), can)
    return None if found is None or is_endless(found) else found


def searches(expression: Expression, can: Can) -> tuple[Expression, ...]:
    """As few `widest` expressions as together find whatever the whole one matches, for a network without OR.

    `(a OR "a b" OR c) d` becomes `a d` and `c d`. Empty when there is nothing to ask the network for.
    """
    each = _asked(plain(expression), can)
    kept: list[Expression] = []
    for one in sorted(dict.fromkeys(each), key=lambda one: len(_implied(one))):
        if not any(_parts(other) <= _implied(one) for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=each.index))


def _asked(expression: Expression, can: Can, besides: tuple[Expression, ...] = ()) -> list[Expression]:
    """What to search for one after the other, `besides` standing in each; empty when that cannot be."""
    if (whole := widest(both([expression, *besides]), can)) is not None:
        return [whole]
    parts = expression.parts if isinstance(expression, And) else (expression,)
    ways: list[list[Expression]] = []
    for choice in (part for part in parts if isinstance(part, Or)):
        rest = (*(part for part in parts if part is not choice), *besides)
        each = [_asked(part, can, rest) for part in choice.parts]
        if all(each):
            ways.append([one for asked in each for one in asked])
    return min(ways, key=len, default=[])


def _parts(expression: Expression) -> frozenset[Expression]:
    parts = expression.parts if isinstance(expression, And) else (expression,)
    return frozenset(Word(folding.words(part.text)) if isinstance(part, Word) else part for part in parts)


def _implied(expression: Expression) -> frozenset[Expression]:
    """Its parts, and the words that stand in what has them."""
    parts = _parts(expression)
    return parts.union(*map(_said, parts))


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
        case Not(leaf):
            return expression if can(leaf) and can(expression) else None
        case leaf:
            return leaf if can(leaf) else _as_many(_said(leaf), can)


def _said(leaf: Expression) -> tuple[Expression, ...]:
    """Words that stand in whatever has this leaf: who wrote #iberia wrote the word iberia."""
    match leaf:
        case Phrase(text):
            return tuple(Word(each) for each in folding.words(text).split())
        case Tag(text) | Handle(text):
            return (Word(folding.letters(text.partition("@")[0])),)
        case _:
            return ()


def _as_many(parts: tuple[Expression, ...], can: Can) -> Expression | None:
    """As many of these at once as can be, first those that must be there, then those that must not."""
    inner = [each for part in parts if (each := _widened(part, can)) is not None]
    if not inner or _can(both(inner), can):
        return both(inner) if inner else None
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
