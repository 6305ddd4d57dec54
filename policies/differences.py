"""What changes from one policy to another, in sentences that people read.

Rules are matched by their names; one that says the same under another name was renamed. Everything else is gone through
key by key, so that nothing in which two files differ goes unsaid, whatever a policy may hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from listener.types import Mode
from policies.guard import Guarded
from policies.schema import Rule
from policies.shares import Share
from policies.spelling import inline, quoted, tree

NAMED = 4  # rules in one sentence
Path = tuple[str, ...]
Leaf = tuple[Path, Any, Any]  # where, what was there, what is there; None for nothing

# The keys whose entries have names that people gave them, and what one entry is called.
_ENTRIES = {
    **{"templates": "Template", "teams": "Team", "areas": "Area", "calendars": "Calendar", "tests": "Test"},
    "places": "Place",
    "contributions": "Contribution",  # which stand under `score`
    "only": "Service level",  # which stand under `service_levels`, each named after the cases that it is for
}
_SECTIONS = {
    **{"guard": "Guard", "guidelines": "Guidelines", "brand": "Brand", "service_levels": "Service levels"},
    **{"escalation": "Escalation", "score": "Score", "incidents": "Incidents", "notices": "Notices"},
}
_STANDS_UNDER = {"contributions": "score", "only": "service_levels"}
_FOR_WHOM = ("network", "team", "tier", "urgency")
_MODES = {
    Mode.AUTO: "replies that pass every guard go out alone (auto)",
    Mode.MANUAL: "a person sees every reply first (manual)",
}


class Kind(StrEnum):
    """What happened to a part of the policy."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    RENAMED = "renamed"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that changes. `part` is the file's key, or `modes`; `name` says which, where they have names."""

    kind: Kind
    part: str
    name: str
    sentence: str


def differences(old: Guarded, new: Guarded) -> tuple[Difference, ...]:
    """All that changes from `old` to `new`: modes first, then rules in their new order, then the rest as it stands."""
    return (*_modes(old, new), *_rules(old.file.rules, new.file.rules), *_rest(old, new))


# --- modes ---


def _modes(old: Guarded, new: Guarded) -> Iterator[Difference]:
    named = sorted({network for each in (old, new) for network in (*each.file.networks, *each.overrides)} - {""})
    for network in ("", *named):
        was, now = old.mode_on(network), new.mode_on(network)
        if was != now:
            where = f"On {network}" if network else "On every other network" if named else "Everywhere"
            sentence = f"{where}, {_sending(now)}; until now {_sending(was)}."
            yield Difference(kind=Kind.CHANGED, part="modes", name=network, sentence=sentence)


def _sending(mode: Mode | Share) -> str:
    if isinstance(mode, Share):
        return f"replies that pass every guard go out alone {mode.in_words()}, and a person sees the others first"
    return _MODES[mode]


# --- rules ---


def _rules(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[Difference]:
    was, now = {rule.name: rule for rule in old}, {rule.name: rule for rule in new}
    renamed = _renamed([rule for rule in old if rule.name not in now], [rule for rule in new if rule.name not in was])
    gone = [rule for rule in old if rule.name not in now and rule.name not in renamed.values()]
    for rule in gone:
        yield _about(Kind.REMOVED, rule, f"is gone; it said: {_said(rule)}.")
    former = {rule.name: renamed.get(rule.name, rule.name) for rule in new}
    kept = [rule.name for rule in new if former[rule.name] in was]
    places = {rule.name: place for place, rule in enumerate(old)}
    before = [places[former[name]] for name in kept]
    stayed = _longest_in_order(before)
    for place, rule in enumerate(new):
        if rule.name not in kept:
            where = f"after {quoted(new[place - 1].name)}" if place else "before all others"
            yield _about(Kind.ADDED, rule, f"is new, read {where}: {_said(rule)}.")
            continue
        if rule.name in renamed:
            yield _about(Kind.RENAMED, rule, f"was called {quoted(renamed[rule.name])} before.")
        here = kept.index(rule.name)
        if before[here] not in stayed:
            yield _about(Kind.MOVED, rule, f"is now read {_moved(kept, before, here)}.")
        yield from _changed_rule(was[former[rule.name]], rule)


def _renamed(gone: Sequence[Rule], come: Sequence[Rule]) -> dict[str, str]:
    """New name → old name, for those that say the very same."""
    left = list(gone)
    found = {}
    for rule in come:
        same = next((each for each in left if _unnamed(each) == _unnamed(rule)), None)
        if same:
            left.remove(same)
            found[rule.name] = same.name
    return found


def _unnamed(rule: Rule) -> dict[str, Any]:
    return {key: value for key, value in tree(rule).items() if key not in ("name", "because")}


def _longest_in_order(places: Sequence[int]) -> set[int]:
    """The most places that stand in rising order: whoever has one of them did not move."""
    ends: list[int] = []  # the least last place of a rising row of each length
    rows: list[tuple[int, ...]] = []
    for place in places:
        at = bisect_left(ends, place)
        row = (*(rows[at - 1] if at else ()), place)
        ends[at : at + 1], rows[at : at + 1] = [place], [row]
    return set(rows[-1]) if rows else set()


def _moved(kept: Sequence[str], before: Sequence[int], here: int) -> str:
    """`before "a" and "b"`: the rules that it has overtaken, or that have overtaken it."""
    overtaken = [name for name, place in zip(kept[here + 1 :], before[here + 1 :], strict=True) if place < before[here]]
    overtaking = [name for name, place in zip(kept[:here], before[:here], strict=True) if place > before[here]]
    said = [f"{word} {_list_of(names)}" for word, names in (("before", overtaken), ("after", overtaking)) if names]
    return " and ".join(said)


def _list_of(names: Sequence[str]) -> str:
    shown = [quoted(name) for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join([*([", ".join(shown[:-1])] if shown[:-1] else []), shown[-1]])


def _said(rule: Rule) -> str:
    """The whole rule in a line."""
    said = tree(rule)
    when = ", ".join(inline(key, value) for key, value in said.get("when", {}).items()) or "always"
    then = ", ".join(inline(key, value) for key, value in said["then"].items())
    more = {key: value for key, value in said.items() if key not in ("name", "because", "when", "then") and value}
    return "; ".join([f"when {when}", f"then {then}", *(inline(key, value) for key, value in more.items())])


def _changed_rule(old: Rule, new: Rule) -> Iterator[Difference]:
    was, now = tree(old), tree(new)
    if was.get("when") and not now.get("when"):
        yield _about(
            Kind.CHANGED, new, f"now matches whatever reaches it; until now it needed {inline('', was['when'])}."
        )
        was = {key: value for key, value in was.items() if key != "when"}
    for path, before, after in _leaves(was, now):
        if path != ("name",):
            yield _about(Kind.CHANGED, new, _changed_line(path, before, after))


def _changed_line(path: Path, was: Any, now: Any) -> str:  # noqa: PLR0911
    part, *keys = path
    key = ".".join(keys)
    if path == ("because",):
        return f"gives another reason: {quoted(now or '')}; it was {quoted(was or '')}."
    if path == ("shadow",):
        return "now only records what it would have done." if now else "now does what it only recorded before."
    if path == ("continue",):
        return "now lets the reading go on where it matches." if now else "now ends the reading where it matches."
    if part == "when" and was is None:
        return f"now also needs {inline(key, now)}."
    if part == "when" and now is None:
        return f"no longer needs {inline(key, was)}."
    if part == "then" and was is None:
        return f"now also does {inline(key, now)}."
    if part == "then" and now is None:
        return f"no longer does {inline(key, was)}."
    return f": {_becomes(f'`{key or part}`', was, now)}."


def _about(kind: Kind, rule: Rule, what: str) -> Difference:
    space = "" if what.startswith(":") else " "
    return Difference(kind=kind, part="rules", name=rule.name, sentence=f"Rule {quoted(rule.name)}{space}{what}")


# --- the rest ---


def _rest(old: Guarded, new: Guarded) -> Iterator[Difference]:
    was, now = _by_name(tree(old.file), tree(new.file))
    for path, before, after in _leaves(was, now):
        part, name = path[0], ".".join(path[1:])
        if part == "rules":
            continue
        if part in _ENTRIES and len(path) > 1:
            name = path[1]
        part = _STANDS_UNDER.get(part, part)
        said = _line(path, before, after)
        if part == "mode" or (part == "networks" and path[2:3] == ("mode",)):
            network = path[1] if part == "networks" else ""
            if old.mode_on(network) != new.mode_on(network):
                continue  # said already
            said = f"{said[:-1]}; how replies go out does not change by that."
        if part == "networks":
            name = path[1]
        yield Difference(kind=_kind(path, was, now, before, after), part=part, name=name, sentence=said)
    yield from _places_of_levels(list(was.get("only", ())), list(now.get("only", ())))


def _places_of_levels(old: list[str], new: list[str]) -> Iterator[Difference]:
    """That the first level that fits is another one, for they are read otherwise."""
    kept = [name for name in old if name in new]
    if new != [*kept, *(name for name in new if name not in old)]:
        said = (
            f"Service levels: those of `only` are read in this order now, and the first that fits counts: {_all(new)}."
        )
        yield Difference(kind=Kind.MOVED, part="service_levels", name="only", sentence=said)


def _all(names: Sequence[str]) -> str:
    return ", then ".join(map(quoted, names))


def _kind(path: Path, old: dict[str, Any], new: dict[str, Any], was: Any, now: Any) -> Kind:
    """What happened to the thing that has a name: a key that is set or unset in it changes it."""
    part = path[0]
    if len(path) > 1 and (part in _ENTRIES or part == "networks"):
        was, now = (file.get(part, {}).get(path[1]) for file in (old, new))
    return Kind.ADDED if was is None else Kind.REMOVED if now is None else Kind.CHANGED


def _by_name(*files: dict[str, Any]) -> list[dict[str, Any]]:
    """The files with contributions as entries by name; with tests too, where no two of a file share one."""
    files = tuple(file | {"contributions": _contributions(file)} for file in files)
    levels = [[_for_whom(level) for level in file["service_levels"].get("only", ())] for file in files]
    if all(len(set(names)) == len(names) for names in levels):
        files = tuple(file | _levels(file["service_levels"], names) for file, names in zip(files, levels, strict=True))
    for file in files:
        tests = file.get("tests", ())
        if len({test["name"] for test in tests}) < len(tests):
            return list(files)
    return [file | {"tests": {test["name"]: _nameless(test) for test in file.get("tests", ())}} for file in files]


def _contributions(file: dict[str, Any]) -> dict[str, Any]:
    """What makes up a score, by name, taken out of the file's `score`."""
    file["score"] = dict(file["score"])
    return {each["name"]: _nameless(each) for each in file["score"].pop("contributions", ())}


def _for_whom(level: dict[str, Any]) -> str:
    """`team billing, tier gold`: the cases that the level is for."""
    said = ((key, [inline("", word) for word in level[key]]) for key in _FOR_WHOM if level.get(key))
    return ", ".join(f"{key} {' or '.join(words)}" for key, words in said)


def _levels(service_levels: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The service levels without those for some only, and these by the names."""
    whole = {key: value for key, value in service_levels.items() if key != "only"}
    said = [
        {key: value for key, value in level.items() if key not in _FOR_WHOM} for level in service_levels.get("only", ())
    ]
    return {"service_levels": whole, "only": dict(zip(names, said, strict=True))}


def _nameless(test: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in test.items() if key != "name"}


def _line(path: Path, was: Any, now: Any) -> str:
    part, *keys = path
    if part in _ENTRIES and keys:
        subject = f"{_ENTRIES[part]} {quoted(keys[0])}"
        if len(keys) == 1 and was is None:
            return f"{subject} is new{': ' * bool(now)}{inline('', now) if now else ''}."
        if len(keys) == 1 and now is None:
            return f"{subject} is gone{'; it said: ' * bool(was)}{inline('', was) if was else ''}."
        return f"{subject}: {_becomes('`' + '.'.join(keys[1:]) + '`', was, now)}."
    if part in _SECTIONS:
        return f"{_SECTIONS[part]}: {_becomes('`' + '.'.join(keys) + '`', was, now)}."
    return f"{_becomes('`' + '.'.join(path) + '`', was, now)}."


def _becomes(what: str, was: Any, now: Any) -> str:
    """`what` with its old and its new value, or with what a list gains and loses."""
    if isinstance(was, tuple | None) and isinstance(now, tuple | None):
        came = _without(now or (), was or ())
        went = _without(was or (), now or ())
        said = [
            f"{verb} {', '.join(_braced(each) for each in each_of)}"
            for verb, each_of in (("gains", came), ("loses", went))
            if each_of
        ]
        return f"{what} {' and '.join(said)}" if said else f"{what} stands in another order: {inline('', now)}"
    if was is None:
        return f"{what} is now {inline('', now)}; it was not set"
    if now is None:
        return f"{what} is no longer set; it was {inline('', was)}"
    return f"{what} is now {inline('', now)}; it was {inline('', was)}"


def _braced(value: Any) -> str:
    """One thing of a list; where it has keys of its own, in braces, so that it is seen where it ends."""
    return f"{{{inline('', value)}}}" if isinstance(value, Mapping) else inline("", value)


def _without(listed: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """What stands in `listed` and not, or not so often, in `others`."""
    left = list(others)
    found = []
    for each in listed:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


def _leaves(old: Any, new: Any, path: Path = ()) -> Iterator[Leaf]:
    """Where two trees differ. An entry that has a name, and an action, appears and disappears as a whole."""
    if old == new:
        return
    whole = path[:1] == ("then",) or (len(path) == 2 and path[0] in _ENTRIES)
    was, now = ({} if each is None else each for each in (old, new))
    if isinstance(was, Mapping) and isinstance(now, Mapping) and not (whole and None in (old, new)):
        for key in {**was, **now}:
            yield from _leaves(was.get(key), now.get(key), (*path, key))
    else:
        yield path, old, new
