"""How a card looks: who, what was said, how urgent, what we would say, and why; readable in five seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from listener.commands import attaching
from listener.commands.card import Card, held_by
from listener.commands.lines import MAX_LABEL, STYLES, WIDEST, in_one_line, label, name_of
from listener.commands.output import ago, clip, counted, spell
from listener.desk.continuing import TEMPLATE
from listener.desk.suggesting import Suggestion
from listener.escapes import visible
from listener.store import erasures
from listener.store.inbox import Draft
from listener.store.mentions import Mention
from listener.types import DraftState, IncidentView, Media, PostKind, RuleOutcome

MAX_WORDS = 50_000  # characters of a text; rich would take minutes for a megabyte
ALL_MEDIA = 50  # pictures and videos of one mention that are shown
SAME_WORDS = "its words are as they were; the pictures, the content warning or what it quotes changed"
HOW = {
    PostKind.MENTION: "named us",
    PostKind.REPLY: "answered us",
    PostKind.DIRECT: "wrote to us alone",
    PostKind.FOUND: "did not address us",
}


STRANGER = "from an address that is not known to be theirs: tell it nothing of this case"
ABOVE_REPLY = ("danger", "limits", "reply")  # what stands together, with air above


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How much of a card is drawn. `said`: so many lines of what they said, None for all of it and of the rules."""

    said: int | None = None
    before: bool = True  # what was said in the thread before
    rules: int = 3
    because: bool = True  # what the rules say of themselves
    facts: bool = True  # what the model makes of it, how long the reply is, and air


FULL = Shape()
SHAPES = (  # what gives way first where the screen is small; our own reply always stands in full
    *(Shape(said=lines) for lines in (16, 10, 6)),
    Shape(said=6, before=False),
    Shape(said=6, before=False, rules=1),
    Shape(said=6, before=False, rules=1, because=False),
    *(Shape(said=lines, before=False, rules=1, because=False, facts=False) for lines in (6, 3)),
)


def draw(
    card: Card,
    *,
    now: datetime,
    console: Console,
    shape: Shape = FULL,
    progress: str = "",
    changed_from: str | None = None,
    width: int = WIDEST,
) -> Group:
    """The card, at most `width` columns wide. `changed_from`: the reply as this person last saw it, to mark what
    differs.
    """
    width = min(console.width, width)
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=6, style="dim", no_wrap=True)
    grid.add_column(width=width - 8, overflow="fold")
    parted = False
    for name, lines in (
        ("who", [_who(card, width - 8), *_may_be(card)]),
        ("before", _before(card, now, width - 8) if shape.before else []),
        ("said", _said(card, now, console, width - 8, shape.said)),
        ("means", [_means(card)] if shape.facts else []),
        ("now", during(card.incident)),
        ("danger", _dangers(card)),
        ("limits", _limits(card)),
        ("reply", _reply(card, now, changed_from, facts=shape.facts)),
        ("tone", _tone(card)),
        ("known", articles_of(card.articles, width - 8) if shape.facts else []),
        ("why", _why(card, shape)),
        ("case", _case(card, now)),
        ("note", _notes(card)),
    ):
        if any(lines):
            if shape.facts and (name in ("said", "why") or (name in ABOVE_REPLY and not parted)):
                grid.add_row("", "")
            parted = name in ABOVE_REPLY
            grid.add_row(name, Group(*(line for line in lines if line)))
    return Group(_title(card, now, width, progress), Text("─" * width, style="dim"), grid)


def changes(old: str, new: str) -> Text:
    """The words of both texts in one, `[-gone-]` and `{+come+}` marked."""
    from difflib import SequenceMatcher

    text = Text(overflow="fold")
    a, b = (re.findall(r"\s+|[^\s]+", visible(side, lines=True)) for side in (old, new))
    if len(a) + len(b) > 6000:  # comparing word by word would take long
        return text.append("[-" + "".join(a) + "-]", "red strike").append("\n{+" + "".join(b) + "+}", "green")
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            text.append("".join(a[i:j]))
            continue
        if i < j:
            text.append("[-" + "".join(a[i:j]) + "-]", "red strike")
        if k < m:
            text.append("{+" + "".join(b[k:m]) + "+}", "bold green")
    return text


def words(text: str, style: str = "") -> list[Text]:
    """Several lines, safe to print, at most `MAX_WORDS` characters; in pieces, because rich is slow on long texts."""
    lines = visible(text[:MAX_WORDS].strip("\n"), lines=True).split("\n")
    short = [line[at : at + 4000] for line in lines for at in range(0, len(line) or 1, 4000)]
    return [Text("\n".join(short[at : at + 50]), style=style, overflow="fold") for at in range(0, len(short), 50)]


def media_line(item: Media, width: int | None = None) -> Text:
    """`[image] “what it shows” https://…`: in one line of `width` columns, in full where there is none."""
    alt = (
        f"“{clip(item.alt[:2000], 2000 if width is None else width // 2)}”" if item.alt.strip() else "(no description)"
    )
    told = f"[{label(item.kind)}] {alt} {label(item.url) or '(no link)'}"
    return Text(told if width is None else clip(told, width), style="dim", overflow="fold")


def quoted(mention: Mention) -> list[Text]:
    """What its author only repeated, safe to print; empty where that is nothing."""
    if not mention.quoted.strip():
        return []
    return [Text("It repeats:", style="dim"), *words(mention.quoted, style="dim")]


def standing(draft: Draft, now: datetime) -> str:
    """Where a draft stands: `approved by ana 2 min ago`."""
    who = f" by {draft.decided_by}" if draft.decided_by else ""
    match draft.state:
        case DraftState.PROPOSED:
            edited = f"edited by {draft.decided_by}" if draft.decided_by else "proposed"
            return f"{edited} {ago(draft.decided_at or draft.proposed_at, now)}"
        case DraftState.APPROVED:
            later = draft.not_before and draft.not_before > now
            due = f", goes out {ago(draft.not_before, now)}" if later else ", waits to go out"
            return f"approved{who} {ago(draft.decided_at, now)}{due}"
        case DraftState.SENDING:
            return f"being sent since {ago(draft.sending_since, now)}"
        case DraftState.SENT:
            return f"sent {ago(draft.sent_at, now)}, approved{who}"
        case DraftState.UNKNOWN:
            return f"perhaps sent {ago(draft.sending_since, now)}; nobody knows"
    return f"{draft.state}{who} {ago(draft.decided_at, now)}".strip()


def _title(card: Card, now: datetime, width: int, progress: str) -> Table:
    grid = Table.grid(expand=False)
    grid.add_column(width=width - len(progress) - 1, no_wrap=True, overflow="ellipsis")
    grid.add_column(width=len(progress), no_wrap=True, justify="right", style="dim")
    mention = card.mention
    left = Text(f"D{card.draft.id}" if card.draft else f"M{mention.id}", style="bold")
    left.append(f"  {card.urgency}", STYLES[card.urgency] or "not bold")
    left.append(f"  {mention.network} · {HOW[mention.kind]} {ago(mention.posted_at, now)}", "not bold")
    if card.draft:
        left.append(f" · M{mention.id}", "not bold dim")
    grid.add_row(left, progress)
    return grid


def _who(card: Card, width: int) -> Text:
    author, text = card.mention.author, Text(overflow="fold")
    if author.display_name.strip():
        text.append(clip(author.display_name[:MAX_LABEL], width // 2) + "  ", "bold")
    text.append(clip(name_of(author.handle, card.mention.network), width))
    if author.bot:
        text.append(" · automatic account", "yellow")
    if author.opted_out:
        text.append(" · asks automatic accounts to keep away", "yellow")
    if card.mention.left_alone_at:
        text.append(" · asked to be left alone", "yellow")
    if author.followers is not None and author.followers >= 1000:
        text.append(f" · {author.followers:,} followers")
    if card.customer:
        tier = f", {card.customer.tier}" if card.customer.tier else ""
        text.append(" · " + label(f"customer {card.customer.reference}{tier}"), "cyan")
    if card.customer and card.mention.sender_proven is False:
        text.append(" · nothing proves that they sent it", "yellow")
    if card.open_cases:
        text.append(f" · {card.open_cases} open case{'s' if card.open_cases > 1 else ''}")
    return text


CODES = {  # what came of a code, for a person
    "linked": "wrote the code that they were given",
    "wrong": "wrote a code that nobody was given",
    "expired": "wrote a code that no longer counts",
    "used": "wrote a code that another account had used before",
    "taken": "wrote a code of another customer",
    "elsewhere": "wrote a code that counts on another network",
    "too_many": "wrote too many codes that do not count",
}


def _may_be(card: Card) -> list[Text]:
    """What came of a code, and whose account it may be."""
    lines = [Text(CODES[card.code.outcome], style="cyan")] if card.code and card.code.outcome in CODES else []
    for each in card.may_be:
        what = f"may be {label(each.customer)} ({each.strength}): escucha customer suggestions {label(each.customer)}"
        lines.append(Text(what, style="cyan"))
    return lines


def _before(card: Card, now: datetime, width: int) -> list[Text]:
    lines = []
    for one in card.before:
        who = "we" if one.ours else clip(name_of(one.handle, card.mention.network), 18)
        lead = f"{spell(max(now - one.at, timedelta(0))):>7}  {who}: "
        lines.append(Text(lead + clip(one.text[:2000], max(width - len(lead), 10)), style="dim"))
    return lines


def _said(card: Card, now: datetime, console: Console, width: int, limit: int | None) -> list[Text]:
    mention = card.mention
    if card.gone:
        when = ago(mention.gone_at, now)
        if mention.external_id.startswith(erasures.POST):
            return [Text(f"Erased here {when}, with all else that was theirs.", style="dim italic")]
        told = f"Gone {when}: its author deleted it, or it was kept no longer. What it said is erased here too."
        return [Text(told, style="dim italic")]
    lines = []
    if mention.content_warning.strip():
        lines.append(Text(f"content warning: {clip(mention.content_warning[:2000], width - 17)}", style="yellow"))
    if limit is None:
        lines += words(mention.text)
    else:
        text = mention.text[: limit * width * 2]
        wrapped = Text(visible(text.strip("\n"), lines=True)).wrap(console, width, overflow="fold")
        hidden = len(wrapped) > limit or len(text) < len(mention.text)
        lines += wrapped[: limit - 1 if hidden else limit]
        if hidden:
            lines.append(Text(f"… {len(mention.text):,} characters in all: m shows them", style="dim"))
    if not mention.text.strip():
        lines.append(Text("(no words)", style="dim"))
    most = ALL_MEDIA if limit is None else 4 if limit > 6 else 2
    lines += [media_line(item, None if limit is None else width) for item in mention.media[:most]]
    if len(mention.media) > most:
        lines.append(Text(f"and {len(mention.media) - most} more", style="dim"))
    if mention.quoted.strip():
        how = f"`escucha show M{mention.id} --quoted` shows it" if limit is None else "m shows it"
        repeated = counted(len(mention.quoted.strip().splitlines()), "line")
        lines.append(Text(f"and {repeated} that it only repeats: {how}", style="dim"))
    if card.earlier:
        _, old, when_replaced = card.earlier[-1]
        how = SAME_WORDS if old == mention.text else f"it said before: {clip(old[:2000], width)}"
        lines.append(Text(f"edited {ago(when_replaced, now)}; {how}", style="dim"))
    return lines


def _means(card: Card) -> Text | None:
    found = card.understanding
    if found is None:
        return None if card.gone else Text("not understood yet", style="dim")
    parts = [f"{label(intent).replace('_', ' ')} {_percent(found.intent_scores, intent)}" for intent in found.intents]
    parts.append(f"{found.sentiment} {_percent(found.sentiment_scores, found.sentiment)}" if found.sentiment else "")
    parts += [f"{label(area)} {_percent(found.area_scores, area)}" for area in found.areas]
    parts += [f"{label(signal).replace('_', ' ')} {_percent(found.signal_scores, signal)}" for signal in found.signals]
    words = " · ".join(part for part in parts if part) or "the model is not sure what it means"
    return Text(f"{words} · {label(found.language)}")


def _percent(scores: object, name: str) -> str:
    value = scores.get(name) if isinstance(scores, dict) else None
    return f"{value:.0%}" if isinstance(value, (int, float)) and value == value else "?"  # noqa: PLR0124


def _reply(card: Card, now: datetime, changed_from: str | None, *, facts: bool) -> list[Text]:
    draft = card.draft
    if draft is None and card.mention.unanswerable:
        return [Text(f"none: {label(card.mention.unanswerable)}", style="yellow", overflow="fold")]
    if draft is None:
        return [Text("none", style="dim")]
    if not draft.text:
        return [Text(f"{standing(draft, now)}; its words were erased", style="dim")]
    if changed_from is not None and changed_from != draft.text:
        body = [changes(changed_from[:MAX_WORDS], draft.text[:MAX_WORDS])]
    else:
        body = words(draft.text, style="bold")
    if draft.channel:
        where = f"mail to {draft.recipient}: {draft.subject}" if draft.recipient else "direct message, to them alone"
        body = [Text(label(where), style="cyan", overflow="fold"), *body]
    over = draft.length - draft.length_limit
    length = f"{draft.length:,} of {draft.length_limit:,}"
    lines = body
    lines += [Text(f"with {attaching.line(image)}", style="bold", overflow="fold") for image in card.images]
    if over > 0:
        lines.append(Text(f"{length}: {over:,} too long; edit it · {label(draft.template)}", style="red"))
    elif facts:
        lines.append(Text(f"{length} · {label(draft.language)} · {label(draft.template)}", style="dim"))
    if card.made_from and facts:
        lines.append(Text(f"from {card.made_from.name} in {label(card.made_from.language)}", style="dim"))
    if draft.state is not DraftState.PROPOSED or draft.decided_by:
        lines.append(Text(label(standing(draft, now)), style="dim", overflow="fold"))
    if draft.reason:
        lines.append(Text(label(draft.reason), style="dim", overflow="fold"))
    if draft.posted_url:
        lines.append(Text(label(draft.posted_url), style="dim", overflow="fold"))
    return lines


def _why(card: Card, shape: Shape) -> list[Text]:
    if card.draft and card.draft.template == TEMPLATE:
        return [Text("a person goes on with the case elsewhere", style="dim")]
    if card.decision is None:
        return []
    trace, brief = card.decision.trace, shape.said is not None
    rules = [rule for rule in trace.get("rules", ()) if rule.get("outcome") == RuleOutcome.MATCHED]
    rules = rules[-1:] + rules[:-1]  # the last that matched is the one that decided
    shown = rules[: shape.rules] if brief else rules
    lines = []
    for rule in shown:
        because = f": {label(rule['wanted'])}" if rule.get("wanted") and shape.because else ""
        lines.append(Text(f"{label(rule.get('rule', ''))}{because}", overflow="fold"))
    if len(rules) > len(shown):
        lines[-1].append(f" · and {len(rules) - len(shown)} more", "dim")
    if not rules:
        lines.append(Text("no rule matched", style="dim"))
    stops = [stop for stop in held_by(trace) if stop.get("guard") != "risk"]  # danger stands above the reply
    most = max(3 - len(card.dangers), 1) if brief else len(stops)
    for guard in stops[:most]:
        verb = "forbidden" if guard.get("forbids") else "held for a person"
        lines.append(Text(f"{verb}: {label(guard.get('reason') or guard.get('guard', ''))}", style="yellow"))
    if len(stops) > most:
        lines.append(Text(f"and {len(stops) - most} more: x shows them", style="yellow"))
    if card.decision.ignored:
        lines.append(Text(f"ignored: {label(card.decision.ignored)}", style="dim"))
    if card.decision.escalate_to:
        lines.append(Text(f"escalated to {label(card.decision.escalate_to)}", style="yellow"))
    if card.decision.alerts:
        lines.append(Text(f"alerted {label(', '.join(card.decision.alerts))}", style="dim"))
    return lines


def _dangers(card: Card) -> list[Text]:
    return [Text(f"held for a person: {label(danger)}", style="bold red", overflow="fold") for danger in card.dangers]


def _limits(card: Card) -> list[Text]:
    """What was said to this person and in this conversation since the policy counted."""
    if not card.already.sentence:
        return []
    return [Text(label(card.already.sentence), style="bold red" if card.already.over else "dim", overflow="fold")]


def _tone(card: Card) -> list[Text]:
    """Which guidelines the reply does not keep."""
    return [Text(label(sentence), style="yellow", overflow="fold") for sentence in card.tone]


def articles_of(articles: Sequence[Suggestion], width: int) -> list[Text]:
    """The articles that may help, one a line."""
    lines = []
    for each in articles:
        line = Text(f"{each.name:<8}", no_wrap=True, overflow="ellipsis")
        mark = "" if each.answers else f" · {each.audience}, no reply from it"
        line.append(clip(each.title, max(width - line.cell_len - len(mark), 12))).append(mark, "dim")
        lines.append(line)
    return lines


def during(incident: IncidentView | None) -> list[Text]:
    """What it is a part of, and while that lasts what agents say and what they do not."""
    if incident is None:
        return []
    lines = [Text(f"{incident.reference} {label(incident.title)}, {incident.state}", style="cyan", overflow="fold")]
    if incident.state.active and (told := in_one_line(incident)):
        lines.append(Text(told, style="bold cyan", overflow="fold"))
    return lines


def _notes(card: Card) -> list[Text]:
    """What somebody must know before deciding."""
    notes = []
    if card.decision and card.decision.needs_routing and card.case is None and not card.gone:
        notes.append("a person has to say which team it is for: `escucha case open`")
    if card.mention.trouble:
        notes.append(f"set aside: {card.mention.trouble}")
    if card.draft and card.waits and card.policy_now not in (None, card.draft.policy_version):
        notes.append(f"policy {card.draft.policy_version} wrote this; {card.policy_now} rules now")
    if card.waits and card.outdated:
        notes.append(f"{card.outdated}, and these words were taken from it")
    if card.waits and card.answer_outdated:
        notes.append(f"outdated: {card.answer_outdated}; edit it, or reject it")
    if card.waits:  # what is decided is nobody's any more, whoever still has it before their eyes
        notes += [f"{view.actor} is looking at this too" for view in card.others[:3]]
    if card.paused:
        notes.append("sending is paused; what is approved waits")
    if card.broke:
        notes.append(f"waits: {card.broke}")
    if card.kept:
        notes.append(f"words that you wrote for it were not saved; e goes on with them: {card.kept}")
    return [Text(label(note), style="yellow", overflow="fold") for note in notes]


def _case(card: Card, now: datetime) -> list[Text]:
    if card.case is None:
        return []
    case = card.case
    parts: list[Text] = [Text(f"{case.reference} {case.state} · {label(case.team)}")]
    if case.agent:
        parts[0].append(f", {label(case.agent)}")
    due = case.first_response_due
    if due and case.first_response_at is None:
        late = due < now
        parts[0].append(f" · first answer {'was ' if late else ''}due {ago(due, now)}", "red" if late else "")
    if card.stranger:
        parts.append(Text(STRANGER, style="bold yellow", overflow="fold"))
    return parts
