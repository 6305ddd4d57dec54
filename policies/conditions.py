"""`when` blocks, compiled once into tests that say what they wanted and what they saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from listener.types import Intent, Sentiment, Signal, Situation
from policies import bots
from policies.amounts import Comparison, spoken
from policies.bots import NEW_DAYS
from policies.calendars import NO_HOURS, Hours, local_time, spoken_clock, weekdays
from policies.records import Asked, field_of
from policies.schema import When
from policies.words import Phrases, fold, shown

MOST = 200  # characters of what a condition wanted or saw

# Where an understanding keeps how sure it is of each built-in label.
LABELS: Mapping[str, str] = {
    **{label.value: "intent_scores" for label in Intent},
    **{label.value: "sentiment_scores" for label in Sentiment},
    **{label.value: "signal_scores" for label in Signal},
}


def said_in(situation: Situation) -> str:
    """All that its author wrote; a content warning counts as text."""
    return f"{situation.content_warning} {situation.text}" if situation.content_warning else situation.text


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A situation with its text folded once for all rules."""

    situation: Situation
    words: str

    @classmethod
    def of(cls, situation: Situation) -> Seen:
        """What the conditions read of a situation."""
        return cls(situation=situation, words=fold(said_in(situation)))


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The first condition that did not hold."""

    condition: str
    wanted: str
    saw: str


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One line of a `when`: `test` gives whether it holds and what it saw. `of`: what a block is made of."""

    name: str
    wanted: str
    test: Callable[[Seen], tuple[bool, str]]
    of: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """A compiled `when` block: every condition must hold."""

    conditions: tuple[Condition, ...]

    def failure(self, seen: Seen) -> Failure | None:
        """The first condition that fails, in the order of the file's keys, or None when all hold."""
        for condition in self.conditions:
            holds, saw = condition.test(seen)
            if not holds:
                return Failure(condition=condition.name, wanted=condition.wanted, saw=saw)
        return None


def compile_when(when: When, hours: Hours = NO_HOURS) -> Conditions:
    """The conditions of a `when` block, cheap ones first, nested blocks last; `hours`: the policy's calendars."""
    made: list[Condition] = []
    for key, field in type(when).model_fields.items():
        if key in when.model_fields_set and key not in ("all", "any", "none"):
            name = field.alias or key
            wanted = getattr(when, key)
            if name in _TIMES:
                made.append(_TIMES[name](name, wanted, hours))
            elif isinstance(wanted, Mapping):
                made += [_EACH[name](f"{name}.{of}", of, each) for of, each in wanted.items()]
            else:
                made.append(_MAKERS[name](name, wanted))
    made += [
        _nested(f"all[{index + 1}]" if len(when.all) > 1 else "all", compile_when(block, hours))
        for index, block in enumerate(when.all)
    ]
    if when.any:
        made.append(_any([compile_when(block, hours) for block in when.any]))
    if when.none:
        made.append(_none([compile_when(block, hours) for block in when.none]))
    return Conditions(conditions=tuple(made))


# --- blocks in blocks ------------------------------------------------------------------------------------------------


def _nested(prefix: str, block: Conditions) -> Condition:
    """The block as one condition; what it wanted is named in what it saw."""

    def test(seen: Seen) -> tuple[bool, str]:
        failure = block.failure(seen)
        return failure is None, "" if failure is None else _said(failure)

    return Condition(name=prefix, wanted=_listed(block), test=test, of=block.conditions)


def _any(blocks: Sequence[Conditions]) -> Condition:
    def test(seen: Seen) -> tuple[bool, str]:
        failures = []
        for block in blocks:
            failure = block.failure(seen)
            if failure is None:
                return True, ""
            failures.append(_said(failure))
        return False, shown("; ".join(failures), 400)

    wanted = shown(" or ".join(map(_listed, blocks)), 400)
    return Condition(name="any", wanted=wanted, test=test, of=_all_of(blocks))


def _none(blocks: Sequence[Conditions]) -> Condition:
    def test(seen: Seen) -> tuple[bool, str]:
        for block in blocks:
            if block.failure(seen) is None:
                return False, shown(_listed(block), 400)
        return True, ""

    wanted = shown("not " + ", nor ".join(map(_listed, blocks)), 400)
    return Condition(name="none", wanted=wanted, test=test, of=_all_of(blocks))


def _all_of(blocks: Sequence[Conditions]) -> tuple[Condition, ...]:
    return tuple(condition for block in blocks for condition in block.conditions)


def _listed(block: Conditions) -> str:
    return shown(" and ".join(f"{c.name}: {c.wanted}" for c in block.conditions) or "anything", 400)


def _said(failure: Failure) -> str:
    return f"{failure.condition}: wanted {failure.wanted}, saw {failure.saw}"


# --- single lines ----------------------------------------------------------------------------------------------------

Reader = Callable[[Situation], object]


def _one_of(read: Reader) -> Callable[[str, Iterable[str]], Condition]:
    """The value is one of those written."""

    def make(name: str, wanted: Iterable[str]) -> Condition:
        options = frozenset(word.casefold() for word in wanted)

        def test(seen: Seen) -> tuple[bool, str]:
            value = read(seen.situation)
            return value is not None and str(value).casefold() in options, _shown(value)

        return Condition(name=name, wanted=_either(wanted), test=test)

    return make


def _overlaps(read: Callable[[Situation], Sequence[str] | None]) -> Callable[[str, Iterable[str]], Condition]:
    """One of the values is one of those written."""

    def make(name: str, wanted: Iterable[str]) -> Condition:
        options = frozenset(word.casefold() for word in wanted)

        def test(seen: Seen) -> tuple[bool, str]:
            values = read(seen.situation)
            if not values:
                return False, "unknown" if values is None else "none"
            return any(value.casefold() in options for value in values), shown(", ".join(values), 200)

        return Condition(name=name, wanted=_either(wanted), test=test)

    return make


def _is(read: Reader) -> Callable[[str, bool], Condition]:
    def make(name: str, wanted: bool) -> Condition:
        def test(seen: Seen) -> tuple[bool, str]:
            value = bool(read(seen.situation))
            return value is wanted, _shown(value)

        return Condition(name=name, wanted=_shown(wanted), test=test)

    return make


def _is_known(read: Callable[[Situation], bool | None]) -> Callable[[str, bool], Condition]:
    """As `_is`, but what nobody knows is neither."""

    def make(name: str, wanted: bool) -> Condition:
        def test(seen: Seen) -> tuple[bool, str]:
            value = read(seen.situation)
            return value is wanted, _shown(value)

        return Condition(name=name, wanted=_shown(wanted), test=test)

    return make


def _compares(
    read: Callable[[Situation], float | None], show: Callable[[float], str] = lambda number: f"{number:g}"
) -> Callable[[str, Comparison], Condition]:
    """A number compares as written; one that nobody knows does not."""

    def make(name: str, wanted: Comparison) -> Condition:
        def test(seen: Seen) -> tuple[bool, str]:
            number = read(seen.situation)
            if number is None:
                return False, "unknown"
            return wanted.holds(number), show(number)

        return Condition(name=name, wanted=wanted.text, test=test)

    return make


def _contains(name: str, wanted: Sequence[str]) -> Condition:
    phrases = Phrases(wanted)

    def test(seen: Seen) -> tuple[bool, str]:
        return (True, hit) if (hit := phrases.find(seen.words)) else (False, "none of these words")

    return Condition(name=name, wanted=_either(wanted), test=test)


def _contains_all(name: str, wanted: Sequence[str]) -> Condition:
    each = [(phrase, Phrases([phrase])) for phrase in wanted]

    def test(seen: Seen) -> tuple[bool, str]:
        missing = [phrase for phrase, looked_for in each if not looked_for.find(seen.words)]
        return not missing, shown(f"without {', '.join(missing)}", 200) if missing else ""

    return Condition(name=name, wanted=shown("all of " + ", ".join(wanted), 200), test=test)


def _score(name: str, label: str, wanted: Comparison) -> Condition:
    """How sure the model is of one built-in label, or of an area of our own."""
    which = LABELS.get(label, "area_scores")

    def read(situation: Situation) -> float | None:
        scores: Mapping[str, float] = getattr(situation.understanding, which)
        return scores.get(label)

    return _compares(read, lambda number: f"{number:.2f}")(name, wanted)


def _field(name: str, field: str, wanted: Asked) -> Condition:
    def test(seen: Seen) -> tuple[bool, str]:
        customer = seen.situation.customer
        value = field_of(customer.fields, field) if customer else None
        kind = customer.types.get(field.casefold(), "") if customer else ""
        return value is not None and wanted.holds(value, kind), _shown(value)

    return Condition(name=name, wanted=wanted.text, test=test)


def _on_duty(name: str, team: str, wanted: Comparison) -> Condition:
    """How many of a team are there; where nobody is on record, nobody knows."""

    def read(situation: Situation) -> float | None:
        there = situation.teams.on_duty
        return None if there is None else there.get(team, 0)

    return _compares(read)(name, wanted)


def _title(name: str, wanted: Sequence[str]) -> Condition:
    phrases = Phrases(wanted)

    def test(seen: Seen) -> tuple[bool, str]:
        incident = seen.situation.incident
        if incident is None:
            return False, "unknown"
        return bool(phrases.find(fold(incident.title))), shown(incident.title, 200)

    return Condition(name=name, wanted=_either(wanted), test=test)


def _terms(name: str, wanted: Iterable[str]) -> Condition:
    options = frozenset(map(bare_term, wanted))

    def test(seen: Seen) -> tuple[bool, str]:
        found = seen.situation.terms
        return not options.isdisjoint(map(bare_term, found)), shown(", ".join(found) or "none", 200)

    return Condition(name=name, wanted=_either(wanted), test=test)


def bare_term(term: str) -> str:
    """A term without its quotes and capitals, for comparing."""
    return " ".join(term.replace('"', " ").casefold().split())


def _bot_likeness(name: str, wanted: Comparison) -> Condition:
    def test(seen: Seen) -> tuple[bool, str]:
        author = seen.situation.author
        return wanted.holds(bots.likeness(author)), bots.in_words(author)

    return Condition(name=name, wanted=wanted.text, test=test)


def _open(name: str, wanted: Sequence[str], hours: Hours) -> Condition:
    """One of the calendars is open (`time.within`), or none of them is (`time.outside`)."""
    calendars = [hours.calendars[each] for each in wanted]
    inside = name == "time.within"

    def test(seen: Seen) -> tuple[bool, str]:
        now = seen.situation.now
        return any(each.holds(now) for each in calendars) is inside, shown(calendars[0].clock(now), 200)

    return Condition(name=name, wanted=shown((" or " if inside else " and ").join(wanted), 200), test=test)


def _holiday(name: str, wanted: Sequence[str], hours: Hours) -> Condition:
    calendars = [hours.calendars[each] for each in wanted]

    def test(seen: Seen) -> tuple[bool, str]:
        now = seen.situation.now
        found = next(filter(None, (each.holiday(each.today(now)) for each in calendars)), "")
        return bool(found), shown(found or calendars[0].clock(now), 200)

    return Condition(name=name, wanted=_either(wanted), test=test)


def _weekday(name: str, wanted: Sequence[str], hours: Hours) -> Condition:
    numbers = frozenset[int]().union(*map(weekdays, wanted))

    def test(seen: Seen) -> tuple[bool, str]:
        local = local_time(seen.situation.now, hours.zone)
        return local.weekday() in numbers, spoken_clock(local)

    return Condition(name=name, wanted=_either(wanted), test=test)


def confidence(situation: Situation) -> float | None:
    """How sure the model is of the main intent, None where it found none."""
    understanding = situation.understanding
    return understanding.intent_scores.get(understanding.intents[0], 0.0) if understanding.intents else None


def _either(words: Iterable[str]) -> str:
    """`a or b`; of more than fit, the first and how many there are."""
    listed = list(words)
    said = " or ".join(listed)
    if len(said) <= MOST or len(listed) == 1:
        return shown(said, MOST)
    kept = next(number for number in range(len(listed), 0, -1) if len(" or ".join(listed[:number])) <= MOST - 20)
    return shown(f"{' or '.join(listed[:kept])} … {len(listed)} in all", MOST)


def _shown(value: object) -> str:
    return "unknown" if value is None else shown(value, 200)


_MAKERS: dict[str, Callable[..., Condition]] = {
    "intents": _overlaps(lambda s: s.understanding.intents),
    "main_intent": _one_of(lambda s: s.understanding.intents[0] if s.understanding.intents else None),
    "sentiment": _one_of(lambda s: s.understanding.sentiment),
    "signals": _overlaps(lambda s: s.understanding.signals),
    "areas": _overlaps(lambda s: s.understanding.areas),
    "confidence": _compares(confidence, lambda number: f"{number:.2f}"),
    "language": _one_of(lambda s: s.understanding.language.split("-")[0]),
    "network": _one_of(lambda s: s.network),
    "source": _one_of(lambda s: s.source),
    "kind": _one_of(lambda s: s.kind),
    "visibility": _one_of(lambda s: s.visibility),
    "age": _compares(
        lambda s: (s.now - s.posted_at).total_seconds(), lambda seconds: spoken(timedelta(seconds=seconds))
    ),
    "has_media": _is(lambda s: s.has_media),
    "text.contains": _contains,
    "text.contains_all": _contains_all,
    "author.handle": _one_of(lambda s: s.author.handle.lstrip("@")),
    "author.followers": _compares(lambda s: s.author.followers),
    "author.bot": _is(lambda s: s.author.bot),
    "author.account_age_days": _compares(lambda s: s.author.account_age_days),
    "author.mentions_last_7_days": _compares(lambda s: s.author.mentions_last_7_days),
    "customer.known": _is(lambda s: s.customer is not None),
    "customer.tier": _one_of(lambda s: (s.customer.tier or None) if s.customer else None),
    "customer.tags": _overlaps(lambda s: s.customer.tags if s.customer else None),
    "customer.open_cases": _compares(lambda s: s.customer.open_cases if s.customer else None),
    "customer.consent": _overlaps(lambda s: s.customer.consent if s.customer else None),
    "customer.refused": _overlaps(lambda s: s.customer.refused if s.customer else None),
    "customer.arrears": _compares(lambda s: s.customer.arrears if s.customer else None),
    "customer.arrears_days": _compares(lambda s: s.customer.arrears_days if s.customer else None),
    "customer.tenure_days": _compares(lambda s: s.customer.tenure_days if s.customer else None),
    "customer.contracts": _compares(lambda s: s.customer.contracts if s.customer else None),
    "customer.products": _overlaps(lambda s: s.customer.products if s.customer else None),
    "thread.is_reply_to_us": _is(lambda s: s.thread.is_reply_to_us),
    "thread.our_replies": _compares(lambda s: s.thread.our_replies),
    "case.exists": _is(lambda s: s.case.exists),
    "author.verified": _is_known(lambda s: s.author.verified),
    "author.new": _is_known(
        lambda s: None if s.author.account_age_days is None else s.author.account_age_days < NEW_DAYS
    ),
    "author.unsolved_complaints": _compares(lambda s: s.author.unsolved_complaints),
    "author.bot_likeness": _bot_likeness,
    "incident.active": _is(lambda s: bool(s.incidents)),
    "incident.here": _is(lambda s: s.incident is not None and s.incident.state.active),
    "incident.state": _one_of(lambda s: s.incident.state if s.incident else None),
    "incident.number": _one_of(lambda s: s.incident.reference if s.incident else None),
    "incident.title": _title,
    "terms": _terms,
    "author.complaints_last_30_days": _compares(lambda s: s.author.complaints_last_30_days),
    "customer.language": _one_of(lambda s: (s.customer.language or None) if s.customer else None),
    "thread.last_speaker": _one_of(lambda s: s.thread.last_speaker),
    "code": _one_of(lambda s: s.code),
    "thread.answered_by_colleague": _is(lambda s: s.thread.answered_by_colleague),
}

# What is asked of each of several things by name, and what needs the policy's calendars.
_EACH: dict[str, Callable[[str, str, Any], Condition]] = {
    "scores": _score,
    "customer.fields": _field,
    "teams.on_duty": _on_duty,
}
_TIMES: dict[str, Callable[[str, Sequence[str], Hours], Condition]] = {
    "time.within": _open,
    "time.outside": _open,
    "time.holiday": _holiday,
    "time.weekday": _weekday,
}
