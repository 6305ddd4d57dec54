"""`explain`: why a mention was decided as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import click
from rich.cells import set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from listener.commands import card as cards
from listener.commands import (
    case_assignment,
    case_clocks,
    explaining_incidents,
    explaining_matches,
    explaining_rules,
    looking,
    scored,
    scores,
    weighing,
)
from listener.commands.app import App, pass_app
from listener.commands.card import Card
from listener.commands.drawing import ALL_MEDIA, media_line
from listener.commands.keys import (
    case_keys,
    decision_keys,
    draft_keys,
    made_from_keys,
    mention_keys,
    understanding_keys,
)
from listener.commands.output import ago, clip, console, json_option, plain, print_json
from listener.commands.scores import Needed
from listener.commands.weighing import Words
from listener.store import alerts_told, audit, cases, decisions
from listener.store.alerts_told import Fate
from listener.store.audit import Entry
from listener.store.decisions import StoredDecision
from listener.types import Contribution

WIDEST = 140  # columns; longer lines are hard to read


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """A card with what led to it. `made` are all decisions about the mention, newest first; `needed` what the scores
    of its labels are held against; `kept_back` why labels are not given all the same, "" where none was kept back."""

    card: Card
    needed: Needed | None
    kept_back: str
    made: tuple[StoredDecision, ...]
    history: tuple[Entry, ...]
    changes: tuple[explaining_rules.Change, ...] = ()
    matched: Mapping[str, Any] = field(default_factory=dict)  # by rule: why it matched and what it does, where known
    told: tuple[Fate, ...] = ()  # what came of the decision's alerts
    case_score: tuple[Contribution, ...] = ()  # what the score of its case is made of
    assignment: str = ""  # who has its case, and why
    case_why: str = ""  # why it is in its case
    incidents: tuple[explaining_incidents.Told, ...] = ()  # what it is of, and was of


@click.command()
@click.argument("what", metavar="M12|D7|CASE")
@click.option("--all", "everything", is_flag=True, help="Every rule in full, every guard, every score.")
@click.option("--no-words", is_flag=True, help="Leave out which words moved the labels; saves about a second.")
@json_option
@pass_app
def explain(app: App, what: str, everything: bool, no_words: bool, as_json: bool) -> None:
    """Why a mention was decided as it was: rules, guards, scores, the words that moved them, who did what when.

    Each score stands beside the one from which on its label is given.
    """
    reasons = gather(app, what)
    words = None if no_words else weighing.weigh(app, reasons.card)
    if as_json:
        print_json({**_plain(reasons), "words": weighing.keys(words)})
    else:
        screen = console()
        marks = screen.no_color or screen.color_system is None
        width = min(screen.width, WIDEST)
        drawn = draw(reasons, app=app, width=width, words=words, marks=marks, everything=everything)
        screen.print(drawn, width=width)


def gather(app: App, what: str) -> Reasons:
    """All that is on record about what `D7`, `M12` or a case reference names."""
    from listener.flow.understand import what_to_read

    with app.store.read() as tx:
        card = cards.find(tx, what, pattern=app.config.cases.pattern, actor=app.actor, now=app.now(), before=0)
        if card.decision:
            trace = looking.masked_trace(app, card.decision.trace)
            card = replace(card, decision=replace(card.decision, trace=trace))
        subjects = [f"mention {card.mention.id}", *(f"draft {draft.id}" for draft in card.drafts)]
        if card.case:
            subjects.append(f"case {card.case.reference}")
        made, history = decisions.decisions_of(tx, card.mention.id), audit.about(tx, *subjects)
        changes = explaining_rules.changes_of(tx, card)
        decided = card.decision
        case_score = scored.of_case(card.case, cases.events_of(tx, card.case)) if card.case else []
        told = alerts_told.of_mention(tx, card.mention.id, decided.revision) if decided else []
        why = cases.why_in(tx, card.case, card.mention.id) if card.case else ""
        hit_by = explaining_incidents.of(tx, card.mention.id)
    if card.customer:
        looking.at(app, [f"customer {card.customer.reference}"], reason=f"why mention {card.mention.id}")
    found, than, kept = card.understanding, None, ""
    if found:
        than = scores.needed(app, found)
        kept = scores.kept_back(found, than, what_to_read(card.mention.text, card.mention.content_warning))
    return Reasons(
        card=card,
        needed=than,
        kept_back=kept,
        made=tuple(made),
        history=tuple(history),
        changes=changes,
        matched=explaining_matches.of(app, card.decision),
        told=tuple(told),
        case_score=tuple(case_score),
        assignment=case_assignment.in_words(case_assignment.of(app, card.case)) if card.case else "",
        case_why=why,
        incidents=hit_by,
    )


# --- for people ------------------------------------------------------------------------------------------------------


def draw(
    reasons: Reasons,
    *,
    app: App,
    width: int,
    words: Words | None = None,
    marks: bool = False,
    everything: bool = False,
) -> Group:
    """The reasons, at most `width` columns wide; with the weight of each word where they were weighed, by marks in
    place of colours if so wanted. Without `everything`, what decided nothing is told in few words.
    """
    card, now = reasons.card, app.now()
    name = f"D{card.draft.id} on M{card.mention.id}" if card.draft else f"M{card.mention.id}"
    title = Text.assemble((f"Why {name}", "bold"), f" is as it is · {card.mention.network} · {card.urgency}")
    parts: list[Any] = [title, Text("─" * width, style="dim")]
    if card.gone:
        parts += [
            Text(
                f"Its author deleted it {ago(card.mention.gone_at, now)}. Text, scores and drafts are erased here too; "
                "what stays is which rules spoke, and who did what when.",
                style="yellow",
                overflow="fold",
            ),
            Text(),
        ]
    if card.mention.media:
        parts += [Text("Pictures and video", style="bold"), *map(media_line, card.mention.media[:ALL_MEDIA]), Text()]
    if reasons.incidents:
        hit_by = [Text(each, overflow="fold") for each in explaining_incidents.sentences(reasons.incidents)]
        parts += [Text("What hits many", style="bold"), *hit_by, Text()]
    decision = card.decision
    if decision is None:
        parts.append(Text("The policy has not spoken about it yet.", style="dim"))
    else:
        parts += [_verdict(app, reasons, decision), Text(), Text("Rules, in order", style="bold")]
        rules = decision.trace.get("rules", ())
        parts += [explaining_rules.table(rules, reasons.matched, width=width, everything=everything)]
        parts += [Text()]
        if modes := explaining_rules.modes(decision.trace.get("modes", ())):
            parts += [Text("Alone or by a person", style="bold"), modes, Text()]
        parts += [_guards(decision, everything=everything)]
        parts += [Text(), *scored.draw(decision)] if everything else []
    if card.understanding:
        told = scores.draw(card.understanding, reasons.needed, kept=reasons.kept_back, everything=everything)
        parts += [Text(), Text("Model", style="bold"), told]
        if words is not None:
            weights = weighing.draw(words, width=width, marks=marks, everything=everything)
            parts += [Text(), Text("Which words", style="bold"), weights]
    if saw := (decision.trace.get("saw") if decision else None):
        parts += [Text(), Text("What the policy knew", style="bold"), _saw(saw, width, everything=everything)]
    if len(reasons.made) > 1:
        parts += [Text(), Text("Decided before", style="bold")]
        parts += [
            Text(f"  {_moment(old)}  revision {old.revision}, policy {_one_line(old.policy_version, 20)}")
            for old in reasons.made
            if decision is None or old.id != decision.id
        ]
    if reasons.changes:
        parts += [Text(), Text("What people changed (UTC)", style="bold"), explaining_rules.changed(reasons.changes)]
    parts += [Text(), Text("Who did what when (UTC)", style="bold"), _history(reasons.history, width)]
    if not everything:
        which = name.partition(" ")[0]
        parts.append(Text(f"Every rule in full, every guard and score: escucha explain {which} --all", style="dim"))
    return Group(*parts)


def _verdict(app: App, reasons: Reasons, decision: StoredDecision) -> Table:
    card, found = reasons.card, reasons.card.understanding
    rules_now = card.policy_now in (None, decision.policy_version)
    standing = "" if rules_now else f", no longer in force: {card.policy_now} rules now"
    why = f"; {reasons.case_why}" if reasons.case_why else ""
    replies = [f"D{d.id} {d.state} from {d.template}" for d in card.drafts if d.revision == decision.revision]
    rows: list[tuple[str, str]] = [
        ("policy", f"{decision.policy_version}{standing or ', in force'}; decided {_moment(decision)} UTC"),
        ("model", "" if found and found.model_version == decision.model_version else decision.model_version),
        ("reply", ", ".join(replies) or "none"),
        ("article", _made(card)),
        ("no answer", card.mention.unanswerable),
        ("case", f"{card.case.reference} {card.case.state}, {card.case.team}{why}" if card.case else ""),
        ("who has it", reasons.assignment),
        ("promised", _promised(app, decision)),
        ("ignored", decision.ignored),
        ("escalated", f"to {decision.escalate_to}" if decision.escalate_to else ""),
        ("alerts", case_clocks.whom_told(decision.alerts, [asdict(fate) for fate in reasons.told])),
        ("routing", "left to a person" if decision.needs_routing else ""),
        *scored.rows(decision),
        scored.case_row(card.case, reasons.case_score, decision),
        ("tags", ", ".join(decision.tags)),
    ]
    return _grid([(Text(name, style="dim"), Text(_one_line(value))) for name, value in rows if value])


def _made(card: Card) -> str:
    """Which version of an article its words were taken from, and whether that is still out."""
    made = card.made_from
    if made is None:
        return ""
    outdated = f"; {made.outdated} since" if made.outdated else ""
    return f"{made.name} in {made.language}, taken by {made.by} {made.at:%Y-%m-%d %H:%M} UTC{outdated}"


def _promised(app: App, decision: StoredDecision) -> str:
    """Which service level it applied, and by when a case opened then had to be answered and solved, by its calendar."""
    promise = decision.trace.get("promise")
    if not promise:
        return ""
    dues = {"first answer": promise.get("first_response_due"), "solution": promise.get("resolution_due")}
    name = str(promise.get("calendar") or "")
    said = [
        f"{what} by {case_clocks.in_words(app, datetime.fromisoformat(str(due)), name, decision.at)}"
        for what, due in dues.items()
        if due
    ]
    calendar = f", on {name}" if name else ""
    return f"{promise.get('level', '')}{calendar}: {'; '.join(said) or 'nothing'}"


def _guards(decision: StoredDecision, *, everything: bool) -> Group:
    """Each guard with what it did; without `everything` those that let it pass by their number."""
    guards = decision.trace.get("guards", ())
    stops = [guard for guard in guards if guard.get("forbids") or guard.get("holds")]
    title, passed = Text("Guards", style="bold"), len(guards) - len(stops)
    if not guards:
        title.append("  none was asked", "not bold dim")
    elif passed and not everything:
        title.append(f"  {passed}{' others' if stops else ''} let it pass", "not bold dim")
    return Group(title, _grid([_guard(guard) for guard in (guards if everything else stops)]))


def _guard(guard: Mapping[str, Any]) -> tuple[Text, Text]:
    if guard.get("forbids"):
        mark, style, verb = "✗", "red", "forbade the reply"
    elif guard.get("holds"):
        mark, style, verb = "!", "yellow", "held it for a person"
    else:
        mark, style, verb = "✓", "dim", "let it pass"
    reason = _one_line(guard.get("reason", ""))
    name = clip(str(guard.get("guard", ""))[:400], 26)
    told = Text(f"{verb}: {reason}" if reason else verb, style=style, overflow="fold")
    return Text(f"{mark} {name}", style=style), told


def _saw(saw: object, width: int, *, everything: bool) -> RenderableType:
    lines: list[tuple[str, str]] = []
    for name, value in saw.items() if isinstance(saw, Mapping) else ():
        told = _told(value) if isinstance(value, Mapping) else _plain_value(value) if value else ""
        if told:
            lines.append((clip(str(name)[:400], 10), _one_line(told, width * 3)))
    if everything:
        return _grid([(Text(name, "dim"), Text(told, "dim")) for name, told in lines])
    together = Text("; ".join(f"{name} {told}" for name, told in lines), "dim", overflow="fold")
    return Padding(together, (0, 0, 0, 2), expand=False)


def _told(values: Mapping[str, Any]) -> str:
    """`reason wrong facts, edit 2`: what says something among the values."""
    told = {key: value for key, value in values.items() if value not in (None, "", [], {}, False)}
    return ", ".join(f"{key.replace('_', ' ')} {_plain_value(value)}" for key, value in told.items())


def _plain_value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return "yes" if value is True else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _history(entries: tuple[Entry, ...], width: int) -> Group:
    lines = []
    for entry in entries:
        subject = entry.subject.replace("draft ", "D").replace("mention ", "M").removeprefix("case ")
        action = entry.action.rpartition(".")[2].replace("_", " ")
        line = Text(f"  {entry.at:%Y-%m-%d %H:%M:%S}  ", no_wrap=True, overflow="ellipsis")
        line.append(_padded(entry.by, 18)).append(_padded(action, 13)).append(_one_line(subject, 24))
        line.append("  " + _one_line(_told(plain(entry.detail))), "dim")
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return Group(*lines) if lines else Group(Text("  nothing yet", style="dim"))


def _padded(words: str, width: int) -> str:
    return set_cell_size(_one_line(words, width - 1), width)


def _moment(decision: StoredDecision) -> str:
    return f"{decision.at:%Y-%m-%d %H:%M:%S}"


def _grid(rows: list[tuple[Text, Text]], between: int = 2) -> Table:
    grid = Table.grid(padding=(0, between, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text("  ").append_text(name), value)
    return grid


def _one_line(value: object, width: int = 400) -> str:
    return clip(str(value)[: width * 2], width) if value is not None else ""


# --- for programs ----------------------------------------------------------------------------------------------------


def _plain(reasons: Reasons) -> dict[str, Any]:
    """The keys that docs/moderators.md promises."""
    card = reasons.card
    trace: Mapping[str, Any] = card.decision.trace if card.decision else {}
    return {
        "mention": mention_keys(card.mention),
        "deleted": card.gone,
        "draft": draft_keys(card.draft) if card.draft else None,
        "drafts": [draft_keys(draft) for draft in card.drafts],
        "made_from": made_from_keys(card.made_from),
        "understanding": _understood(reasons),
        "decision": decision_keys(card.decision),
        "policy_now": card.policy_now,
        "policy_in_force": card.decision is not None and card.policy_now in (None, card.decision.policy_version),
        "score": card.decision.score if card.decision else None,
        "case_score": [plain(asdict(part)) for part in reasons.case_score],
        "contributions": list(trace.get("contributions", ())),
        "route": trace.get("route"),
        "rules": list(trace.get("rules", ())),
        "alerts": [plain(asdict(fate)) for fate in reasons.told],
        "matched": [plain(each) for each in reasons.matched.values()],
        "guards": list(trace.get("guards", ())),
        "promise": trace.get("promise"),
        "modes": list(trace.get("modes", ())),
        "saw": trace.get("saw", {}),
        "case": case_keys(card.case),
        "case_why": reasons.case_why or None,
        "incidents": plain(explaining_incidents.plain(reasons.incidents)),
        "decisions": [decision_keys(decision) for decision in reasons.made],
        "changed": [plain(change) for change in reasons.changes],
        "history": [
            {
                "at": entry.at,
                "by": entry.by,
                "action": entry.action,
                "subject": entry.subject,
                "detail": plain(entry.detail),
            }
            for entry in reasons.history
        ],
    }


def _understood(reasons: Reasons) -> dict[str, Any] | None:
    """What the model made of it, with `thresholds`, null where it is not known what its labels needed, and with
    `kept_back`, null where no label was."""
    told = understanding_keys(reasons.card.understanding)
    if told is None:
        return None
    thresholds = reasons.needed.thresholds if reasons.needed else None
    return {**told, "thresholds": thresholds, "kept_back": reasons.kept_back or None}
