"""What changes from one policy to another, in brief: so many rules, and then what is dangerous to get wrong. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from listener.types import Level, Mode
from policies import incidents
from policies.alone import Alone
from policies.differences import Difference, Kind
from policies.guard import Guarded
from policies.schema import Rule
from policies.shares import Share
from policies.spelling import quoted

NAMED = 4  # rules in one sentence
_ONE = {"rules": "rule", "templates": "template", "teams": "team", "areas": "area", "calendars": "calendar"}
_ONE |= {"tests": "test", "networks": "network"}
_VERBS = {
    Kind.REMOVED: "gone",
    Kind.ADDED: "new",
    Kind.RENAMED: "renamed",
    Kind.MOVED: "moved",
    Kind.CHANGED: "changed",
}
_APART = ("modes", "guard")  # said in sentences of their own


def in_brief(found: Sequence[Difference]) -> str:
    """`20 rules gone, 1 new; 2 templates changed; brand changed`; "" where nothing is to be counted."""
    counts: dict[str, Counter[Kind]] = {}
    seen: set[tuple[str, Kind, str]] = set()
    for each in found:
        key = (each.part, each.kind, each.name)
        if each.part not in _APART and (each.part not in _ONE or key not in seen):
            counts.setdefault(each.part, Counter())[each.kind] += 1
        seen.add(key)
    return "; ".join(_counted(part, counter) for part, counter in counts.items())


def _counted(part: str, counter: Counter[Kind]) -> str:
    if part not in _ONE:
        return f"{part.replace('_', ' ')} changed"
    said = [f"{counter[kind]:,} {verb}" for kind, verb in _VERBS.items() if counter[kind]]
    number, _, verb = said[0].partition(" ")
    return ", ".join([f"{number} {_ONE[part]}{'' if number == '1' else 's'} {verb}", *said[1:]])


def dangers(old: Guarded | None, new: Guarded, found: Sequence[Difference]) -> list[str]:
    """What deserves a second look, one sentence each: the guard, which rules may answer alone, how replies go out.

    `old`: None where nothing is known to have ruled. `found`: the differences of the two.
    """
    below = [*_below(old, new), *incidents.dangers(old, new)]
    return [*_guard(old, new, found), *_alone(old, new), *_modes(old, new, found), *below]


def _modes(old: Guarded | None, new: Guarded, found: Sequence[Difference]) -> Iterator[str]:
    ways = [new.alone(rule) for rule in new.file.rules]
    if old is None and new.mode_on("") == Mode.AUTO and any(how and not how.shares for how in ways):
        yield "Replies that pass every guard go out alone (auto)."
    for each in found:
        if each.part == "modes":
            yield each.sentence


def _below(old: Guarded | None, new: Guarded) -> Iterator[str]:
    """How replies of a team, with a template or about an area go out, where that changes."""
    if old is None:
        return
    for what, before, after in (
        ("Team", old.file.teams, new.file.teams),
        ("Template", old.file.templates, new.file.templates),
        ("Area", old.file.areas, new.file.areas),
    ):
        for name, each in before.items():
            there = after.get(name)
            if there is None and what != "Area":
                continue  # nothing of it is left that could go out; what was about an area still comes
            was, now = each.mode or Mode.AUTO, (there.mode if there else None) or Mode.AUTO
            if was != now:
                gone = "" if there else ", which is gone,"
                yield f"{what} {quoted(name)}{gone} {_lets(now)}; until now it {_lets(was, before=True)}."


def _lets(mode: Mode | Share, *, before: bool = False) -> str:
    if mode is Mode.MANUAL:
        return "left its replies to a person (manual)" if before else "leaves its replies to a person (manual) now"
    let = "let its replies" if before else "lets its replies"
    if isinstance(mode, Share):
        return f"{let} go out alone {mode.in_words()}" if before else f"{let} go out alone for a share now"
    return f"{let} go out alone" if before else f"{let} go out alone now, where all else lets them"


def _guard(old: Guarded | None, new: Guarded, found: Sequence[Difference]) -> Iterator[str]:
    changed = [each for each in found if each.part == "guard"]
    if old is None or not changed:
        return
    looser = {name for name in type(new.file.guard).model_fields if _is_looser(name, old.file.guard, new.file.guard)}
    loosened = [each for each in changed if each.name.partition(".")[0] in looser]
    tighter = {name for name in type(new.file.guard).model_fields if _is_looser(name, new.file.guard, old.file.guard)}
    tightened = sum(each.name.partition(".")[0] in tighter - looser for each in changed)
    if tightened:
        yield f"The guard is stricter in {tightened}."
    if others := len(changed) - len(loosened) - tightened:
        yield f"The guard is neither looser nor stricter, but says something else, in {others}."
    if loosened:
        yield f"The guard is looser in {len(loosened)}: {' '.join(each.sentence for each in loosened)}"


def _is_looser(name: str, old: Any, new: Any) -> bool:
    """Whether that line of the guard lets more pass than before, or may: only limits are known to be stricter."""
    was, now = getattr(old, name, None), getattr(new, name)
    if was == now:
        return False
    if name == "min_confidence":
        return bool(now < was)
    try:
        return bool(now > was)
    except TypeError:
        return _holds_less(was, now)


def _holds_less(was: Any, now: Any) -> bool:
    """Whether words, names or teams that were there are missing now."""
    if hasattr(type(was), "model_fields"):
        return any(_holds_less(getattr(was, key), getattr(now, key, None)) for key in type(was).model_fields)
    if isinstance(was, dict):
        return any(_holds_less(each, (now or {}).get(key)) for key, each in was.items())
    if isinstance(was, tuple):
        return not {*was} <= {*(now or ())}
    return was is not None and now is None


def _alone(old: Guarded | None, new: Guarded) -> Iterator[str]:
    before = {rule.name: old.alone(rule) for rule in old.file.rules} if old else {}
    same = {_key(rule): rule.name for rule in old.file.rules} if old else {}
    now, shares, fewer = list[str](), list[str](), list[str]()
    for rule in new.file.rules:
        how = new.alone(rule)
        was = before[rule.name] if rule.name in before else before.get(same.get(_key(rule), ""))
        if _same(was, how):
            continue
        more = how.in_brief() if how else ""
        name = f"{quoted(rule.name)} ({more})" if more else quoted(rule.name)
        (fewer if how is None else shares if how.shares else now).append(name)
    if fewer:
        yield f"Answered by a person only, from now on: {_listed(fewer)}."
    if shares:
        yield f"Rules that may answer alone for a share: {_listed(shares)}."
    if now:
        yield f"Rules that may answer alone now: {_listed(now)}."


def _same(was: Alone | None, now: Alone | None) -> bool:
    """Whether that is the same, whatever the rule is called."""
    if was is None or now is None:
        return was is now
    said = [
        [(level, "" if level is Level.RULE else name, share) for level, name, share in each.shares]
        for each in (was, now)
    ]
    return said[0] == said[1] and was.teams == now.teams


def _key(rule: Rule) -> str:
    """What a rule says, without its name: one that was only renamed says the same."""
    return repr((rule.when, rule.then))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
