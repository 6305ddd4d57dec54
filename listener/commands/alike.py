"""Several drafts of one template at once: as many as one screen holds, each read in full before all are approved.

What is dangerous is not among them: a reply held for words of danger or for personal data, or for which a team was
called in, is decided on its own card.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from rich.console import Console, Group
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.text import Text

from listener.commands import attaching, caps, deciding
from listener.commands.app import App
from listener.commands.card import held_by
from listener.commands.drawing import MAX_WORDS
from listener.commands.keyboard import Keyboard
from listener.commands.lines import STYLES, WIDEST, label, name_of
from listener.commands.output import clip
from listener.errors import Mistake
from listener.escapes import visible
from listener.store import attachments, mentions, waiting
from listener.store.inbox import Draft
from listener.types import DraftState, Urgency

AT_ONCE = 10  # drafts, at most: they must be read
GRAVE = ("risk", "personal_data")  # guards whose drafts are read one at a time


@dataclass(frozen=True, kw_only=True)
class Done:
    """The drafts that were approved, and why others were not."""

    approved: tuple[Draft, ...] = ()
    problems: tuple[str, ...] = ()


def others(app: App, draft: Draft, *, least: Urgency, leave_out: Container[int]) -> dict[int, list[str]]:
    """The drafts like it that may be approved with it, itself first, each with why it was held; empty where it may not.

    One at most for each author and each conversation, and none beyond what the policy lets us say.
    `least`: only those of that urgency at least.
    """
    limits = caps.of(app)
    if limits is None:
        return {}
    with app.store.read() as tx:
        harmless = (
            one
            for one in waiting.alike(tx, draft, least=least)
            if one.draft_id not in leave_out
            and not one.team
            and not any(stop.get("guard") in GRAVE for stop in held_by(one.trace))
        )
        kept = list(caps.keep_under(tx, harmless, limits, network=draft.network, now=app.now()))
    if not kept or kept[0].draft_id != draft.id:
        return {}
    return {
        one.draft_id: [label(stop.get("reason") or stop.get("guard", "")) for stop in held_by(one.trace)]
        for one in kept
    }


def offer(
    app: App, draft: Draft, *, screen: Console, keyboard: Keyboard, least: Urgency, leave_out: Container[int]
) -> Done | None:
    """Shows the draft and those like it, all in full, and approves exactly these if the person types how many.

    None where there is no other that could go out, or that fits the screen beside it.
    """
    held = others(app, draft, least=least, leave_out=leave_out)
    fit: list[Draft] = []
    lines: list[list[Segment]] = []
    width = min(screen.width, WIDEST)
    for number in list(held)[:AT_ONCE]:
        one = draft if number == draft.id else deciding.bring(app, number).draft
        if one.state is not DraftState.PROPOSED or not _fits(one):
            continue
        drawn = screen.render_lines(
            _drawn(app, one, held[number], width), screen.options.update(width=width), pad=False
        )
        if len(lines) + len(drawn) > screen.height - 4:  # two for the question, one for the answer
            break
        lines += drawn
        fit.append(one)
    if len(fit) < 2 or fit[0].id != draft.id:
        return None
    screen.clear()
    for line in lines:
        screen.print(Segments([*line, Segment.line()]), end="")
    deciding.remember(app, *fit)
    more = f" (of {len(held)})" if len(held) > len(fit) else ""
    question = f"All {len(fit)}{more} go out as they stand here: type {len(fit)} and Enter. Anything else: none."
    screen.print(Text(question, "yellow"), width=width)
    if keyboard.line().strip() != str(len(fit)):
        return Done()
    approved, problems = [], []
    for one in fit:
        try:
            approved.append(deciding.approve(app, one, wait=deciding.GRACE))
        except Mistake as error:
            problems.append(str(error))
    return Done(approved=tuple(approved), problems=tuple(problems))


def _fits(draft: Draft) -> bool:
    return draft.length <= draft.length_limit and len(draft.text) <= MAX_WORDS


def _drawn(app: App, draft: Draft, held: list[str], width: int) -> Group:
    with app.store.read() as tx:
        mention = mentions.get(tx, draft.mention_id)
        images = attachments.of_draft(tx, draft.id)
    urgency = list(Urgency)[draft.urgency_rank]
    lead = Text(f"D{draft.id}", style="bold", no_wrap=True, overflow="ellipsis")
    lead.append(f"  {urgency}  ", STYLES[urgency] or "not bold")
    lead.append(clip(name_of(mention.author.handle, mention.network), 30) + "  ", "not bold")
    lead.append(clip(mention.text[:2000], max(width - lead.cell_len, 20)), "not bold dim")
    said = [visible(draft.text, lines=True), *(f"with {attaching.line(image)}" for image in images)]
    words = Text("\n".join(said), style="bold", overflow="fold")
    why = [Padding(Text(f"held for a person: {reason}", "yellow", overflow="fold"), (0, 0, 0, 4)) for reason in held]
    return Group(lead, Padding(words, (0, 0, 0, 4)), *why, Text())
