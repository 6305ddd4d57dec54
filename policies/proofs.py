"""What can be proved about `when` blocks without any situation: that several of them can never hold together.

A block is a formula over single lines. `impossible` tries every way in which it could be true; each way is a set of
lines that hold and lines that do not, and `contradicts` says whether such a set is at odds with itself. Both only say
yes where it is certain. A condition that is not known here counts as a fact of its own: alike only to one that reads
the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from listener.types import IncidentState, Intent, LinkCode, PostKind, Speaker, Visibility
from policies.amounts import Comparison, number_comparison
from policies.bots import NEW_DAYS
from policies.calendars import weekdays
from policies.conditions import bare_term
from policies.schema import When
from policies.words import fold

BLOCKS = ("all", "any", "none")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One condition with what it wants, that holds or does not."""

    key: str
    value: Any
    holds: bool = True


@dataclass(frozen=True, kw_only=True)
class Both:
    """All the parts are true."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, kw_only=True)
class Either:
    """At least one part is true."""

    parts: tuple[Formula, ...]


Formula = Line | Both | Either


class Effort:
    """How many steps of thought are left; where none is, nothing more is proved."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def spend(self, steps: int = 1) -> bool:
        """Whether there were so many steps left."""
        self.steps -= steps
        return self.steps >= 0


# --- blocks as formulas ----------------------------------------------------------------------------------------------


def lines_of(when: When) -> dict[str, Formula]:
    """The block's own lines by their key in the file, each as a formula; blocks inside it as `any`, `all`, `none`."""
    found: dict[str, Formula] = {}
    for name, field in type(when).model_fields.items():
        if name not in when.model_fields_set:
            continue
        key, value = field.alias or name, getattr(when, name)
        if key == "all":
            found[key] = Both(parts=tuple(map(formula, value)))
        elif key == "any":
            found[key] = Either(parts=tuple(map(formula, value)))
        elif key == "none":
            found[key] = Both(parts=tuple(negated(formula(block)) for block in value))
        elif key == "text.contains_all":
            found[key] = Both(parts=tuple(Line(key="text.contains", value=_phrases([each])) for each in value))
        elif key == "time.outside":
            found[key] = Line(key="time.within", value=frozenset(value), holds=False)
        elif key == "incident.here":
            found[key] = Line(key="incident.state", value=_LASTING, holds=value)
        elif key == "author.new":
            found[key] = Line(key="author.account_age_days", value=_NEW if value else _NOT_NEW)
        else:
            found[key] = Line(key=key, value=_READ.get(key, _same)(value))
    return found


def formula(when: When) -> Formula:
    """The block as a formula: all its lines are true."""
    return Both(parts=tuple(lines_of(when).values()))


def negated(one: Formula) -> Formula:
    """True where the other is not."""
    if isinstance(one, Line):
        return Line(key=one.key, value=one.value, holds=not one.holds)
    parts = tuple(map(negated, one.parts))
    return Either(parts=parts) if isinstance(one, Both) else Both(parts=parts)


def _same(value: Any) -> Any:
    return value


def _days(values: Iterable[str]) -> frozenset[int]:
    return frozenset[int]().union(*map(weekdays, values))


def _words(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)


def _terms(values: Iterable[str]) -> frozenset[str]:
    return frozenset(map(bare_term, values))


Phrase = tuple[tuple[str, bool], ...]  # bare words, and whether any ending may follow
_GLANCES = 60  # beginnings of phrases that one phrase is held against; hardly any policy needs ten


def _phrases(phrases: Iterable[str]) -> frozenset[Phrase]:
    """As `words.phrase_pattern` reads them."""
    return frozenset(map(_phrase, phrases))


def _phrase(phrase: str) -> Phrase:
    words: list[tuple[str, bool]] = []
    for word in phrase.split():
        bare = fold(word.removesuffix("*")).split()
        words += [(each, word.endswith("*") and place == len(bare) - 1) for place, each in enumerate(bare)]
    return tuple(words)


def finds(seeker: Phrase, said: Phrase) -> bool:
    """Whether every text that holds the phrase `said` holds `seeker` too."""
    return _Seekers([seeker]).find(said)


class _Seekers:
    """Phrases as a tree of words: whether one of them is found wherever another phrase is said."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._root = _Node()
        for phrase in phrases:
            node = self._root
            for word, any_ending in phrase:
                node = (node.stems if any_ending else node.words).setdefault(word, _Node())
            node.ends = True

    def find(self, said: Phrase) -> bool:
        """Whether it is certain that every text that holds the phrase `said` holds one of these."""
        todo = [(self._root, start) for start in range(len(said))]
        looked_at = 0
        while todo and looked_at < _GLANCES:
            node, place = todo.pop()
            looked_at += 1
            if node.ends:
                return True
            if place == len(said):
                continue
            word, any_ending = said[place]
            if not any_ending and word in node.words:
                todo.append((node.words[word], place + 1))
            if node.stems:
                stems = (node.stems.get(word[:length]) for length in range(len(word) + 1))
                todo += [(stem, place + 1) for stem in stems if stem]
        return False


class _Node:
    """What may follow: whole words, and words of which only the beginning is given."""

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.stems: dict[str, _Node] = {}
        self.ends = False


@lru_cache(maxsize=512)
def _seekers(phrases: frozenset[Phrase]) -> _Seekers:
    return _Seekers(phrases)


# --- ways to be true -------------------------------------------------------------------------------------------------


def impossible(parts: Iterable[Formula], effort: Effort) -> bool:
    """Whether it is certain that no situation makes all the parts true. False also where the effort did not suffice."""
    return _closed(list(parts), (), effort)


def _closed(todo: list[Formula], known: tuple[Line, ...], effort: Effort) -> bool:
    choices: list[Either] = []
    lines = list(known)
    while todo:
        part = todo.pop()
        if isinstance(part, Line):
            lines.append(part)
        elif isinstance(part, Both):
            todo += part.parts
        else:
            choices.append(part)
    if not effort.spend(cost(lines)):
        return False
    if contradicts(lines):
        return True
    open_choices: list[list[Formula]] = []
    for choice in choices:
        left = [each for each in choice.parts if not _refuted(each, lines, effort)]
        if not left:
            return True
        open_choices.append(left)
    if not open_choices or effort.steps <= 0:
        return False
    open_choices.sort(key=len)
    first, rest = open_choices[0], [Either(parts=tuple(parts)) for parts in open_choices[1:]]
    return all(_closed([part, *rest], tuple(lines), effort) for part in first)


def _refuted(part: Formula, lines: Sequence[Line], effort: Effort) -> bool:
    if not isinstance(part, Line):
        effort.spend()
        return False
    together = [*(line for line in lines if family(line.key) == family(part.key)), part]
    return effort.spend(cost(together)) and contradicts(together)


def family(key: str) -> str:
    """Lines of different families are never at odds."""
    return "intents" if key in ("main_intent", "confidence") else "customer" if key.startswith("customer.") else key


def cost(lines: Iterable[Line]) -> int:
    """In steps: holding hundreds of phrases against hundreds of others takes longer than the rest together."""
    return 1 + sum(len(line.value) for line in lines if line.key == "text.contains") // 10


# --- lines at odds ---------------------------------------------------------------------------------------------------

_INTENTS = _words(Intent)
_FLAGS = frozenset({"has_media", "author.bot", "customer.known", "thread.is_reply_to_us", "case.exists"})
_FLAGS |= {"thread.answered_by_colleague", "incident.active"}
_LASTING = frozenset(state.value for state in IncidentState if state.active)
_MAYBE = frozenset({"author.verified"})  # yes, no, or unknown, which is neither
_NEW, _NOT_NEW = number_comparison(f"< {NEW_DAYS}"), number_comparison(f">= {NEW_DAYS}")
_ONE_OF: Mapping[str, frozenset[Any]] = {  # the value is one of those written; where it always has one, all there are
    "main_intent": frozenset(),
    "sentiment": frozenset(),
    "language": frozenset(),
    "network": frozenset(),
    "source": frozenset(),
    "kind": _words(PostKind),
    "visibility": _words(Visibility),
    "author.handle": frozenset(),
    "customer.tier": frozenset(),
    "customer.language": frozenset(),
    "time.weekday": frozenset(range(7)),
    "thread.last_speaker": _words(Speaker),
    "code": _words(LinkCode),
    "incident.state": frozenset(),
    "incident.number": frozenset(),
}
_SOME_OF = frozenset(
    {"intents", "signals", "areas", "customer.tags", "terms", "time.within", "time.holiday"}
    | {"customer.consent", "customer.refused", "customer.products"}
)  # one of the values is one of those written
# These hold for known customers only.
_OF_A_RECORD = frozenset({"customer.tier", "customer.tags", "customer.open_cases", "customer.language"})
_OF_A_RECORD |= {"customer.consent", "customer.refused", "customer.products", "customer.contracts"}
_OF_A_RECORD |= {"customer.arrears", "customer.arrears_days", "customer.tenure_days"}


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """What a number can be. `known`: there always is one."""

    least: float = -math.inf
    most: float = math.inf
    whole: bool = True
    known: bool = False


_NUMBERS: Mapping[str, _Measure] = {
    "confidence": _Measure(most=1, whole=False),
    "age": _Measure(whole=False, known=True),
    "author.followers": _Measure(),
    "author.account_age_days": _Measure(),
    "author.mentions_last_7_days": _Measure(least=0, known=True),
    "author.unsolved_complaints": _Measure(least=0, known=True),
    "author.bot_likeness": _Measure(least=0, most=1, whole=False, known=True),
    "author.complaints_last_30_days": _Measure(least=0, known=True),
    "customer.open_cases": _Measure(least=0),
    "customer.arrears": _Measure(whole=False),
    "customer.arrears_days": _Measure(least=0),
    "customer.tenure_days": _Measure(least=0),
    "customer.contracts": _Measure(least=0),
    "thread.our_replies": _Measure(least=0, known=True),
}
_READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys([*_ONE_OF, *_SOME_OF], _words),
    **dict.fromkeys(["time.within", "time.holiday"], frozenset),  # names of calendars are told apart by capitals
    "time.weekday": _days,
    "text.contains": _phrases,
    "terms": _terms,
}


def contradicts(lines: Iterable[Line]) -> bool:
    """Whether it is certain that no situation makes exactly these lines hold and not hold."""
    wanted: dict[str, list[Any]] = {}
    refused: dict[str, list[Any]] = {}
    for line in lines:
        (wanted if line.holds else refused).setdefault(line.key, []).append(line.value)
    keys = wanted.keys() | refused.keys()
    if any(_at_odds(key, wanted.get(key, []), refused.get(key, [])) for key in keys):
        return True
    if wanted.keys() & _OF_A_RECORD and _flag(wanted, refused, "customer.known") is False:
        return True
    return _no_intent_left(wanted, refused)


def _at_odds(key: str, wanted: list[Any], refused: list[Any]) -> bool:  # noqa: PLR0911  one for each family
    if key in _FLAGS:
        return len({*wanted, *(not value for value in refused)}) > 1
    if key in _MAYBE:
        return len({*wanted}) > 1 or not {*wanted}.isdisjoint(refused)
    if key in _NUMBERS:
        return _no_number(_NUMBERS[key], wanted, refused)
    if key not in _READ:
        return any(value == other for value in wanted for other in refused)
    out: frozenset[Any] = refused[0] if len(refused) == 1 else frozenset().union(*refused)
    if key in _ONE_OF:
        left = frozenset.intersection(*wanted) if wanted else _ONE_OF[key]
        return bool(wanted or left) and not left - out
    if key in _SOME_OF:
        return any(options <= out for options in wanted)
    seekers = _seekers(out)
    return any(all(map(seekers.find, options)) for options in wanted)


def _flag(wanted: Mapping[str, list[Any]], refused: Mapping[str, list[Any]], key: str) -> bool | None:
    for value in wanted.get(key, []):
        return bool(value)
    for value in refused.get(key, []):
        return not value
    return None


def _no_intent_left(wanted: Mapping[str, list[Any]], refused: Mapping[str, list[Any]]) -> bool:
    """The main intent is one of the intents; who has any, or a confidence, has a main one."""
    if not wanted.keys() & {"intents", "main_intent", "confidence"}:
        return False
    left = _INTENTS.intersection(*wanted.get("main_intent", []))
    return not left.difference(*refused.get("main_intent", []), *refused.get("intents", []))


def _no_number(measure: _Measure, wanted: Sequence[Comparison], refused: Sequence[Comparison]) -> bool:
    """Whether no number compares like this. One that nobody knows compares with nothing, and refuses nothing."""
    if not wanted and not measure.known:
        return False
    low, low_open, high, high_open = measure.least, False, measure.most, False
    missing: set[float] = set()
    for sign, number in [(each.sign, each.number) for each in wanted] + [
        (_OPPOSITE[each.sign], each.number) for each in refused
    ]:
        if sign == "≠":
            missing.add(number)
        if sign in (">", ">=", "=") and (number, sign == ">") > (low, low_open):
            low, low_open = number, sign == ">"
        if sign in ("<", "<=", "=") and (number, sign != "<") < (high, not high_open):
            high, high_open = number, sign == "<"
    if measure.whole:
        if math.isfinite(low):
            low, low_open = (math.floor(low) + 1 if low_open else math.ceil(low)), False
        if math.isfinite(high):
            high, high_open = (math.ceil(high) - 1 if high_open else math.floor(high)), False
        while low in missing:
            low += 1
        while high in missing:
            high -= 1
    return low > high or (low == high and (low_open or high_open or low in missing))


_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">=", "=": "≠"}
