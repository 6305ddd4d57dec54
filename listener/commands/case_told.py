"""What happened to a case, and what it hangs together with, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from listener.commands import case_assignment, case_clocks, case_continue
from listener.desk import checklists

PARTS = 12  # named one by one

if TYPE_CHECKING:
    from listener.desk.history import Happening
    from listener.store.cases import Case


def rows(case: Case, parts: Sequence[Case], merged: Sequence[Case]) -> list[tuple[str, Any]]:
    """What people put on it and which cases belong to it, as names and values; what it has not is empty."""
    return [
        ("missing", checklists.missing(case.checklist)),
        ("due", f"{case.due_at:%Y-%m-%d %H:%M} UTC" if case.due_at else ""),
        ("snoozed", f"until {case.snoozed_until:%Y-%m-%d %H:%M} UTC" if case.snoozed_until else ""),
        ("part of", case.parent_reference or ""),
        ("parts", _parts(case, parts)),
        ("merged", tuple(part.reference for part in merged)),
        ("watched by", case.watchers),
    ]


def _parts(case: Case, parts: Sequence[Case]) -> str | tuple[str, ...]:
    """Its parts by name, or of many how many are how."""
    if len(parts) <= PARTS:
        return tuple(f"{part.reference} ({part.state})" for part in parts)
    states = Counter(part.state.value for part in parts)
    counted = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    return f"{len(parts):,}: {counted}; escucha case children {case.reference}"


def sentence(happening: Happening) -> str:
    """One event of a case as a sentence."""
    detail, by = happening.detail, happening.by
    moved = case_continue.sentence(happening.kind, by, detail)
    if timed := moved or case_clocks.sentence(happening.kind, by, detail):
        return timed
    why = f": {detail['why']}" if detail.get("why") else ""
    if happening.kind == "assigned":
        return case_assignment.sentence(by, detail)
    if happening.kind == "incident":
        return _of_incident(by, detail)
    if happening.kind == "customer":
        whose = f"customer {detail['customer']}'s" if detail.get("customer") else "nobody's that we know"
        return f"found to be {whose}, by {by}{why}"
    known = _SENTENCES.get(happening.kind)
    if known is None:
        return f"{happening.kind.replace('_', ' ')} by {by}{why}"
    told = {name: _listed(value) for name, value in detail.items()}
    return known.format_map(_Told(told | {"by": by, "why_if_any": why, "complete": _complete(detail)}))


def _of_incident(by: str, detail: dict[str, Any]) -> str:
    """What its incident's time line says, with what may be said to the person by language."""
    moved = {"update": "update", "resolved": "it is over", "reopened": "it came back"}
    what = moved.get(detail.get("what", ""), f"it is {detail.get('state', '?')}")
    public = "; ".join(f"{code}: {text}" for code, text in detail.get("public", {}).items())
    said = f"; to say, {public}" if public else ""
    return f"{detail.get('incident', '?')}, {detail.get('title', '?')}: {what}, said {by}{said}"


class _Told(dict[str, Any]):
    """What an older event does not say is told as a gap."""

    def __missing__(self, key: str) -> str:
        return "?"


def _listed(value: Any) -> str:
    """A list as people read it; mentions by their numbers."""
    if isinstance(value, list | dict):
        return ", ".join(f"M{each}" if isinstance(each, int) else str(each) for each in value)
    return str(value)


def _complete(detail: dict[str, Any]) -> str:
    return f", {detail['completeness']} % complete" if "completeness" in detail else ""


_SENTENCES = {
    "opened": "opened by {by} for {team}, urgency {urgency}",
    "urgency": "urgency raised from {was} to {urgency} by {by}",
    "note": "note by {by}{complete}",
    "tagged": "tags {tags} put on by {by}",
    "untagged": "tags {tags} taken off by {by}",
    "watched_by": "watched by {watchers} from now on",
    "unwatched_by": "watched by {watchers} no longer",
    "due": "due {due}, said {by}",
    "snoozed": "snoozed until {until} by {by}",
    "woken": "back in the queue{why_if_any}",
    "step_done": "step “{step}” done, said {by}",
    "step_undone": "step “{step}” not done after all, said {by}",
    "mention_left": "M{mention} left by {by}{why_if_any}",
    "merged": "merged into {into} by {by}, with {mentions}",
    "absorbed": "{other} merged into this case by {by}, with {mentions}",
    "unmerged": "out of {out_of} again, by {by}",
    "gave_back": "{other} is a case of its own again, with {mentions}, by {by}",
    "split": "{mentions} split into {into} by {by}",
    "split_from": "{mentions} split from {out_of} by {by}",
    "promised": "promised anew by {by}{why_if_any}",
    "part_of": "a part of {parent} from now on, said {by}",
    "part_no_more": "a part of {parent} no longer, said {by}",
    "part": "{part} is a part of it, said {by}",
    "part_left": "{part} is a part of it no longer, said {by}",
    "parent_moved": "{parent}, which it is a part of, is {state}, by {by}",
}
