"""What `explain` says about the rules, as a table, and about what people changed after the policy had spoken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from listener.commands.card import Card
from listener.commands.output import clip
from listener.store import Transaction, audit, cases
from listener.types import Mode, RuleOutcome

MARKS: Mapping[object, tuple[str, str]] = {
    RuleOutcome.MATCHED: ("✓", "green"),
    RuleOutcome.FAILED: ("✗", "red"),
    RuleOutcome.NOT_REACHED: ("·", "dim"),
    RuleOutcome.SHADOW: ("○", "cyan"),
}
LISTED = 3  # words of a list that are shown, where not everything is
LONGEST_BLOCK = 160  # characters of a block of conditions, where not everything is shown
NOBODY = ("daemon", "network", "policy", "rule")  # first words of who acts where no person does
MOST, MOST_OF_ALL = 400, 4000  # characters of one cell, and where everything is wanted


# --- rules -----------------------------------------------------------------------------------------------------------


def table(
    rules: Iterable[Mapping[str, Any]],
    matched: Mapping[str, Any] = MappingProxyType({}),
    *,
    width: int,
    everything: bool = False,
) -> RenderableType:
    """The rules in order: how each came out. Of one that failed, the first condition that did, what it wanted and saw.

    Of one that matched, why it is there, the values that made it match, what it does and how its answer came; of one in
    the shadow, what it would have done. `matched`: those values and acts by the rule's name, where they are known
    (`policies.Reason`). At most `width` columns, broken between words; with `everything` no cell is cut short before
    `MOST_OF_ALL`, and no list of words is shortened.
    """
    listed = list(rules)
    if not listed:
        return Text("  no rules", style="dim")
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True, width=width - 2)
    grid.add_column("rule", overflow="fold", max_width=width * 2 // 5)
    grid.add_column("why", overflow="fold", ratio=1)
    for rule in listed:
        mark, style = MARKS.get(rule.get("outcome"), ("?", ""))
        name = Text(f"{mark} {clip(str(rule.get('rule', ''))[:MOST], MOST)}", style=style)
        reason = matched.get(str(rule.get("rule", "")))
        grid.add_row(name, Text("\n").join(_why(rule, reason, style, everything=everything)))
    return Padding(grid, (0, 0, 0, 2), expand=False)


def modes(traces: Iterable[Mapping[str, Any]]) -> RenderableType | None:
    """What each level said of how the reply goes out, widest first; None where nothing was to be said."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in traces:
        alone = each.get("mode") == Mode.AUTO
        name = _cell(f"{each.get('level', '?')} {each.get('name') or ''}".strip(), 40)
        verdict = "alone" if alone else "a person"  # what is left where the words were erased
        said = _cell(each.get("said") or verdict, MOST, "" if alone else "yellow")
        grid.add_row(Text("✓ " if alone else "! ", "green" if alone else "yellow").append_text(name), said)
    return Padding(grid, (0, 0, 0, 2), expand=False) if grid.row_count else None


def _why(rule: Mapping[str, Any], reason: Any, style: str, *, everything: bool) -> Iterator[Text]:
    """The lines beside one rule's name."""
    most = MOST_OF_ALL if everything else MOST
    saw, wanted, outcome = rule.get("saw"), rule.get("wanted"), rule.get("outcome")
    match outcome:
        case RuleOutcome.MATCHED | RuleOutcome.SHADOW:
            matched = outcome == RuleOutcome.MATCHED
            yield Text("matched" if matched else "in the shadow", style).append(
                f": {clip(str(wanted)[: most * 2], most)}" if wanted else ""
            )
            if reason is not None and reason.values:
                yield Text("saw ", "dim").append(clip("; ".join(map(str, reason.values)), most))
            if not matched:
                yield _cell(f"changes nothing; it would {saw or 'do nothing'}", most, style)
                return
            if reason is not None:
                yield Text("→ ", "dim").append(clip(str(reason.does), most), style)
            if saw:
                yield _cell(saw, most)
        case RuleOutcome.FAILED if rule.get("condition"):
            line = _cell(rule["condition"], most)
            words = str(wanted or "") if everything else _shortened(str(wanted or ""), str(rule["condition"]))
            line.append(" wanted ", "dim").append(clip(words[: most * 2], most))
            yield line.append("; saw ", "dim").append(clip(str(saw or "nothing")[: most * 2], most))
        case RuleOutcome.FAILED:
            yield Text("did not match")
        case _:
            yield Text("not reached", "dim")


def _shortened(wanted: str, condition: str) -> str:
    """`factur* or recibo* or cobr* … 18 in all`: the first of many words. Blocks of conditions are only cut."""
    if condition.partition("[")[0] in ("all", "any", "none"):
        return clip(wanted, LONGEST_BLOCK)
    words, _, rest = wanted.partition(" … ")
    listed = words.split(" or ")
    if len(listed) <= LISTED + 1 and not rest:
        return wanted
    number = rest.partition(" ")[0] or len(listed)
    return f"{' or '.join(listed[:LISTED])} … {number} in all"


def _cell(value: object, most: int, style: str = "") -> Text:
    return Text(clip(str(value or "")[: most * 2], most), style=style, overflow="fold")


# --- what people changed ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that a person did otherwise than the policy or the model had it; `words` say what."""

    at: datetime
    by: str
    what: str  # edited, rejected, taken_back, reassigned, routed, urgency, relabelled
    words: str


def changes_of(tx: Transaction, card: Card) -> tuple[Change, ...]:
    """What people changed about the mention, its drafts and its case, the oldest first."""
    subjects = [f"mention {card.mention.id}", *(f"draft {draft.id}" for draft in card.drafts)]
    found = list(_said(audit.about(tx, *subjects)))
    if card.case:
        found += _moved(card.case.reference, cases.events_of(tx, card.case))
    return tuple(sorted((each for each in found if is_person(each.by)), key=lambda change: change.at))


def is_person(by: str) -> bool:
    """Whether a person did it, not the daemon, the policy or one of its rules."""
    return bool(by) and by.split(maxsplit=1)[0] not in NOBODY


def _said(entries: Iterable[audit.Entry]) -> Iterator[Change]:
    for entry in entries:
        detail = entry.detail
        draft = entry.subject.replace("draft ", "D")
        match entry.action:
            case "draft.edited":
                yield _change(entry, "edited", f"wrote other words in {draft}")
            case "draft.rejected":
                why = f": {detail['reason']}" if detail.get("reason") else ""
                yield _change(entry, "rejected", f"rejected {draft}{why}")
            case "draft.taken_back":
                yield _change(entry, "taken_back", f"took {draft} back, which was {detail.get('was', 'decided')}")
            case "model.corrected":
                was, becomes = _labels(detail.get("was")), _labels(detail.get("becomes"))
                yield _change(entry, "relabelled", f"read {detail.get('what', 'it')} as {becomes}, not {was}")


def _moved(reference: str, events: Sequence[cases.Event]) -> Iterator[Change]:
    for event in events:
        detail = event.detail
        match event.kind:
            case "assigned":
                agent = f", agent {detail['agent']}" if detail.get("agent") else ""
                yield _change(event, "reassigned", f"gave {reference} to team {detail.get('team', '?')}{agent}")
            case "opened":
                yield _change(event, "routed", f"opened {reference}")
            case "urgency":
                was, now = detail.get("was", "?"), detail.get("urgency", "?")
                yield _change(event, "urgency", f"made {reference} {now}, which was {was}")


def _change(entry: audit.Entry | cases.Event, what: str, words: str) -> Change:
    return Change(at=entry.at, by=entry.by, what=what, words=words)


def _labels(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) and names else "none"


def changed(changes: Sequence[Change]) -> Group:
    """The changes, one a line, times in UTC."""
    lines: list[RenderableType] = []
    for change in changes:
        line = Text(f"{change.at:%Y-%m-%d %H:%M:%S}  ", overflow="fold")
        line.append(f"{clip(change.by[:MOST], 18)} ", "bold").append(clip(change.words[: MOST * 2], MOST))
        lines.append(Padding(line, (0, 0, 0, 2), expand=False))
    return Group(*lines) if lines else Group(Text("  nothing", style="dim"))
