"""Several drafts of one template at once: each is read in full before all are approved."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from listener.commands import deciding
from listener.commands.app import App
from listener.commands.drawing import MAX_WORDS, STYLES, WIDEST, name_of
from listener.commands.keyboard import Keyboard
from listener.commands.output import clip
from listener.errors import Mistake
from listener.escapes import visible
from listener.store import mentions, waiting
from listener.store.inbox import Draft
from listener.types import DraftState, Urgency

AT_ONCE = 10  # drafts, at most: they must be read


@dataclass(frozen=True, kw_only=True)
class Done:
    """The drafts that were approved, and why others were not."""

    approved: tuple[Draft, ...] = ()
    problems: tuple[str, ...] = ()


def offer(app: App, draft: Draft, *, screen: Console, keyboard: Keyboard, leave_out: Container[int]) -> Done | None:
    """Shows the draft and those like it, all in full, and approves exactly these if the person types how many.

    None where there is no other that could go out.
    """
    with app.store.read() as tx:
        others = [number for number in waiting.alike(tx, draft) if number not in leave_out]
    brought = [deciding.bring(app, number).draft for number in others[: AT_ONCE - 1]]
    fit = [one for one in (draft, *brought) if one.state is DraftState.PROPOSED and _fits(one)]
    if len(fit) < 2 or fit[0].id != draft.id:
        return None
    screen.clear()
    for one in fit:
        _draw(app, one, screen)
    deciding.remember(app, *fit)
    more = f" (of {len(others) + 1})" if len(others) + 1 > len(fit) else ""
    screen.print(
        Text(
            f"All {len(fit)}{more} go out as they stand here: type {len(fit)} and Enter. Anything else: none.", "yellow"
        )
    )
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


def _draw(app: App, draft: Draft, screen: Console) -> None:
    with app.store.read() as tx:
        mention = mentions.get(tx, draft.mention_id)
    width = min(screen.width, WIDEST)
    urgency = list(Urgency)[draft.urgency_rank]
    lead = Text(f"D{draft.id}", style="bold").append(f"  {urgency}  ", STYLES[urgency] or "not bold")
    lead.append(clip(name_of(mention.author.handle, mention.network), 30) + "  ", "not bold")
    lead.append(clip(mention.text[:2000], max(width - lead.cell_len, 20)), "not bold dim")
    screen.print(lead, no_wrap=True, overflow="ellipsis")
    words = Text(visible(draft.text, lines=True), style="bold", overflow="fold")
    screen.print(Padding(words, (0, 0, 1, 4)), width=width)
