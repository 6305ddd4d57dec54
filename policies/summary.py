"""What changes from one policy to another, in brief: so many rules, and then what is dangerous to get wrong. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from listener.types import Mode
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
    return [*_guard(old, new, found), *_alone(old, new), *_modes(old, new, found)]


def _modes(old: Guarded | None, new: Guarded, found: Sequence[Difference]) -> Iterator[str]:
    everywhere = new.mode_on("")
    if old is None and everywhere == Mode.AUTO:
        yield "Replies that pass every guard go out alone (auto)."
    elif old is None and isinstance(everywhere, Share):
        yield f"Replies that pass every guard go out alone {everywhere.in_words()}."
    for each in found:
        if each.part == "modes":
            yield each.sentence


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
    before = {rule.name: _how(old, rule) for rule in old.file.rules} if old else {}
    same = {_key(rule): rule.name for rule in old.file.rules} if old else {}
    now, shares, fewer = list[str](), list[str](), list[str]()
    for rule in new.file.rules:
        how = _how(new, rule)
        was = before.get(rule.name, before.get(same.get(_key(rule), ""), ""))
        if how == was:
            continue
        (now if how == "alone" else shares if how else fewer).append(
            f"{quoted(rule.name)} {how}" if how not in ("alone", "") else quoted(rule.name)
        )
    if fewer:
        yield f"Answered by a person only, from now on: {_listed(fewer)}."
    if shares:
        yield f"Rules that may answer alone for a share: {_listed(shares)}."
    if now:
        yield f"Rules that may answer alone now: {_listed(now)}."


def _key(rule: Rule) -> str:
    """What a rule says, without its name: one that was only renamed says the same."""
    return repr((rule.when, rule.then))


def _how(policy: Guarded, rule: Rule) -> str:
    """How the rule's answers may go out somewhere: `alone`, `for 10% of its mentions`, or "": by a person only."""
    then = rule.then
    answers = bool(then.ask_for) or (then.reply is not None and not then.reply.is_silence)
    networks = ("", *policy.file.networks, *policy.overrides)
    if not answers or rule.shadow or then.person or all(policy.mode_on(each) is Mode.MANUAL for each in networks):
        return ""
    mode = then.reply.mode if then.reply else None
    if isinstance(mode, Share):
        return mode.in_words()
    return "" if mode is Mode.MANUAL else "alone"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
