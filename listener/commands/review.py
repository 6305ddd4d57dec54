"""`review`: the inbox one draft at a time, one key per choice.

Nothing is decided but by a key that was pressed while its draft stood on the screen: keys typed ahead are thrown
away, a key held down approves once, and an approval binds the very words that were drawn.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import click
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.text import Text

from listener.commands import alike, deciding, explain
from listener.commands import card as cards
from listener.commands.answers import tidy_reason
from listener.commands.app import App, pass_app
from listener.commands.card import Card
from listener.commands.drawing import WIDEST, changes, draw, words
from listener.commands.keyboard import Keyboard, leaving_on_signals
from listener.commands.output import console, say
from listener.errors import AlreadyDone, Mistake, Stale
from listener.escapes import visible
from listener.store import inbox, waiting
from listener.store.inbox import Draft
from listener.types import DraftState, Urgency

READING = 0.7  # seconds that a draft stands before `a` counts; longer than a keyboard waits before it repeats a key
REPEAT = 0.25  # seconds between two presses of a key that is not held down

KEYS = {
    "a": ("approve", "Let it be sent; you have ten seconds to take it back."),
    "e": ("edit", "Change the words in $EDITOR; then approve or not."),
    "r": ("reject", "It is not sent; you say why."),
    "s": ("skip", "Leave it to somebody else, or for later."),
    "x": ("explain", "Every rule and guard, the scores, who did what."),
    "o": ("open", "Where to read it on the network."),
    "u": ("undo", "Take back the last approval, if it has not gone out."),
    "?": ("help", "This."),
    "q": ("quit", "Ctrl-C does the same. What is decided stays decided."),
}
MORE_KEYS = {
    "A": ("all alike", "Approve those of the same template, after reading them."),
    "m": ("message", "All of it, where it is long."),
}
REASONS = {
    "1": "wrong facts",
    "2": "wrong tone",
    "3": "not about us",
    "4": "answered elsewhere",
    "5": "better left unanswered",
}


@click.command()
@click.option("--network", help="Only this network.")
@click.option("--urgent", is_flag=True, help="Only what is high or critical.")
@click.option("--browser", is_flag=True, help="Let o open the browser instead of printing the address.")
@pass_app
def review(app: App, network: str | None, urgent: bool, browser: bool) -> None:
    """Go through the inbox one by one, one key per choice."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Mistake(
            "`review` reads single keys and needs a terminal; in a script use `escucha inbox --json`, "
            "then `escucha approve` or `escucha reject`."
        )
    least = Urgency.HIGH if urgent else Urgency.LOW
    with leaving_on_signals(), Keyboard() as keyboard:
        Review(app=app, keyboard=keyboard, network=network, least=least, browser=browser).run()


class _Quit(Exception):
    """The person has had enough."""


@dataclass(kw_only=True)
class Review:
    """One moderator going through the drafts. `passed`: the numbers dealt with or skipped in this run."""

    app: App
    keyboard: Keyboard
    network: str | None
    least: Urgency
    browser: bool
    passed: dict[int, str] = field(default_factory=dict)  # number -> approved, rejected, skipped
    approvals: list[list[tuple[int, int]]] = field(default_factory=list)  # what `u` takes back: (number, edit)
    unsaved: dict[int, str] = field(default_factory=dict)  # words that could not be kept yet
    again: int | None = None  # the draft to show next, whatever the order
    news: list[RenderableType] = field(default_factory=list)  # what the last key did
    left: int = 0

    @cached_property
    def screen(self) -> Console:
        return console()

    def run(self) -> None:
        """Until nothing waits or the person leaves."""
        try:
            if self._next() is None:
                say("No draft waits for a person.")
                return
            while True:
                number = self._next()
                if number is None:
                    self._at_the_end()
                else:
                    self._look_at(number)
        except (_Quit, KeyboardInterrupt, EOFError):
            with suppress(OSError):
                self._goodbye()

    def _next(self) -> int | None:
        with self.app.store.read() as tx:
            listed = waiting.queue(tx, network=self.network, least=self.least)
        left = [number for number in listed if number not in self.passed]
        self.left = len(left)
        again, self.again = self.again, None
        if again is not None and again in left:
            return again
        return left[0] if left else None

    # --- one draft ---

    def _look_at(self, number: int) -> None:
        brought = deciding.bring(self.app, number)
        draft = brought.draft
        if draft.state is not DraftState.PROPOSED:  # a colleague was quicker
            return
        view = deciding.last_seen(self.app, draft)
        changed_from = view.text if view and view.text != draft.text else None
        if brought.old_policy:
            self._tell(f"The policy changed since this was written ({brought.old_policy} wrote it): read it once more.")
        card = self._draw(draft, changed_from)
        deciding.remember(self.app, draft)
        ready = time.monotonic() + READING
        while True:
            key = self._key()
            if key == "a":
                if (now := time.monotonic()) < ready:
                    ready = max(ready, now + REPEAT)
                    self._answer("That was too quick to be read; press a again.")
                    continue
                decided = self._approve(draft)
            else:
                decided = self._other(key, card, draft)
            if decided:
                return

    def _other(self, key: str, card: Card, draft: Draft) -> bool:  # noqa: PLR0911
        """Does what the key says; True where the next card is to be drawn."""
        match key:
            case "e":
                return self._edit(draft)
            case "r":
                return self._reject(draft)
            case "s":
                self.passed[draft.id] = "skipped"
                self._tell(f"D{draft.id} skipped.", "dim")
                return True
            case "x":
                self._page(
                    explain.draw(explain.gather(self.app, f"D{draft.id}"), app=self.app, width=self._width), draft.id
                )
                return True
            case "m":
                self._page(Group(*words(card.mention.text)), draft.id)
                return True
            case "o":
                self._open(card)
            case "u":
                return self._undo(draft.id)
            case "A":
                return self._approve_alike(draft)
            case "?":
                self._page(_help(), draft.id)
                return True
            case "q":
                raise _Quit
            case _:
                self._answer("? shows the keys.", "dim")
        return False

    def _approve(self, draft: Draft) -> bool:
        try:
            approved = deciding.approve(self.app, draft, wait=deciding.GRACE)
        except (Stale, AlreadyDone) as error:
            self._changed(draft, error)
            return True
        except Mistake as error:
            self._answer(str(error))
            return False
        self.passed[draft.id] = "approved"
        self.approvals.append([(approved.id, approved.edit)])
        self._tell(f"D{draft.id} approved; u takes it back.", "green")
        return True

    def _edit(self, draft: Draft) -> bool:
        mine = self.unsaved.get(draft.id, draft.text)
        self.again = draft.id
        try:
            with self.keyboard.lent():
                written = deciding.write_in_editor(mine)
            if written is None and mine == draft.text:
                self._tell("Nothing was changed.", "dim")
                return True
            self.unsaved[draft.id] = written or mine
            fresh = deciding.reword(self.app, draft, written or mine)
        except (Stale, AlreadyDone) as error:
            self._tell(f"{error} Press e to go on with them.")
            return True
        except Mistake as error:
            more = " Press e to go on with your words." if draft.id in self.unsaved else ""
            self._tell(f"{error}{more}")
            return True
        del self.unsaved[draft.id]
        deciding.remember(self.app, fresh)
        self._tell("Edited; a approves these words.", "green")
        return True

    def _reject(self, draft: Draft) -> bool:
        listed = [f"{key} {reason}" for key, reason in REASONS.items()]
        self._answer(
            "Why?  " + "   ".join(listed[:3]) + "\n      " + "   ".join([*listed[3:], "6 in your words"]), "bold"
        )
        self._answer("Any other key goes back.", "dim")
        key = self._key()
        reason = REASONS.get(key, "")
        if key == "6":
            reason = tidy_reason(self.keyboard.line())
        if not reason:
            self._answer("Not rejected.", "dim")
            return False
        try:
            with self.app.store.write() as tx:
                inbox.reject(tx, draft, by=self.app.actor, reason=reason, now=self.app.now())
        except (Stale, AlreadyDone) as error:
            self._changed(draft, error)
            return True
        self.passed[draft.id] = "rejected"
        self._tell(f"D{draft.id} rejected: {reason}.", "green")
        return True

    def _changed(self, draft: Draft, error: Mistake) -> None:
        """Somebody else was at the draft that stood here: says what they did; what still waits is shown afresh."""
        with self.app.store.read() as tx:
            fresh = inbox.get(tx, draft.id)
        if fresh.state is not DraftState.PROPOSED:
            self._tell(f"{deciding.who_changed(fresh)}, while you looked.")
            if fresh.text and fresh.text != draft.text:
                self.news.append(Padding(changes(draft.text, fresh.text), (0, 0, 0, 7)))
            return
        self.again = draft.id
        if fresh.text != draft.text:
            self._tell(f"{deciding.who_changed(fresh)} while you looked; what changed is marked above.")
        else:
            self._tell(f"{error} Read it once more.")

    def _undo(self, here: int) -> bool:
        if not self.approvals:
            self._answer("There is nothing to take back.", "dim")
            return False
        back: list[int] = []
        late: list[int] = []
        for number, edit in self.approvals.pop():
            (back if deciding.take_back(self.app, number, edit) else late).append(number)
        for number in back:
            self.passed.pop(number, None)
        self.again = back[0] if back else here
        if back:
            self._tell(f"{_names(back)} taken back; nothing was sent.", "green")
        if late:
            self._tell(f"{_names(late)} could not be taken back: sent, or decided by somebody else.")
        return True

    def _open(self, card: Card) -> None:
        url = card.mention.url
        if not url:
            self._answer("The network gave no address for it.")
            return
        self._answer(visible(url), "bold")
        if self.browser and re.fullmatch(r"https?://[^\s\x00-\x1f\x7f]+", url) and visible(url) == url:
            click.launch(url)

    def _approve_alike(self, draft: Draft) -> bool:
        done = alike.offer(self.app, draft, screen=self.screen, keyboard=self.keyboard, leave_out=self.passed)
        if done is None:
            self._answer("There is no other like it that could go out.", "dim")
            return False
        self.again = draft.id
        for problem in done.problems:
            self._tell(problem)
        self.passed |= {one.id: "approved" for one in done.approved}
        if done.approved:
            self.approvals.append([(one.id, one.edit) for one in done.approved])
            self._tell(f"{len(done.approved)} approved; u takes all of them back.", "green")
        else:
            self._tell("None was approved.", "dim")
        return True

    # --- the screen and the keyboard ---

    @property
    def _width(self) -> int:
        return min(self.screen.width, WIDEST)

    def _draw(self, draft: Draft, changed_from: str | None) -> Card:
        app, now = self.app, self.app.now()
        with app.store.read() as tx:
            card = cards.of_draft(tx, draft, actor=app.actor, now=now)
            others = sum(number not in self.passed for number in waiting.alike(tx, draft))
        place = len(self.passed) + 1
        drawn = Group()
        for lines in (16, 10, 6, 3):
            drawn = draw(
                card,
                now=now,
                console=self.screen,
                said_lines=lines,
                progress=f"{place} of {len(self.passed) + self.left}",
                changed_from=changed_from,
            )
            if len(self.screen.render_lines(drawn)) <= self.screen.height - 4 - len(self.news):
                break
        self.screen.clear()
        self.screen.print(drawn)
        if others:
            self._answer(f"A approves this and {others} more like it, after showing them.", "dim")
        self._bar()
        for one in self.news:
            self.screen.print(one, width=self._width)
        self.news = []
        return card

    def _bar(self) -> None:
        bar = Text(no_wrap=True)
        for key, (word, _) in KEYS.items():
            bar.append(key, "bold").append(f" {'why' if key == 'x' else word}  ", "dim")
        self.screen.print(Text("─" * self._width, style="dim"))
        self.screen.print(bar)

    def _tell(self, news: str, style: str = "yellow") -> None:
        """Something to stand under the next card."""
        self.news.append(Text(visible(news, lines=True), style=style))

    def _answer(self, answer: str, style: str = "yellow") -> None:
        """Something to stand under this card."""
        self.screen.print(Text(visible(answer, lines=True), style=style), width=self._width)

    def _page(self, content: RenderableType, back_to: int) -> None:
        """Something longer, a screen at a time; then the draft again."""
        self.again = back_to
        lines = self.screen.render_lines(content, self.screen.options.update(width=self._width), pad=False)
        room = max(self.screen.height - 3, 5)
        for start in range(0, len(lines), room):
            self.screen.clear()
            for line in lines[start : start + room]:
                self.screen.print(Segments([*line, Segment.line()]), end="")
            more = start + room < len(lines)
            self._answer("\nAny key shows more, q goes back." if more else "\nAny key goes back.", "dim")
            if self._key() == "q":
                return

    def _key(self) -> str:
        """One key; capitals mean the same but for `A`."""
        pressed = self.keyboard.press()
        return pressed if pressed == "A" or len(pressed) > 1 else pressed.lower()

    # --- the end ---

    def _at_the_end(self) -> None:
        skipped = sum(how == "skipped" for how in self.passed.values())
        self.screen.clear()
        self._answer("Nothing more waits." if not skipped else f"Nothing waits but the {skipped} you skipped.", "bold")
        self._answer(self._sum(), "dim")
        for one in self.news:
            self.screen.print(one, width=self._width)
        self.news = []
        keys = ["q quits", "any other key looks for new ones"]
        if self.approvals:
            keys.insert(0, "u takes the last approval back")
        if skipped:
            keys.insert(0, "s shows what you skipped")
        self._answer(", ".join(keys) + ".", "dim")
        key = self._key()
        if key == "q":
            raise _Quit
        if key == "u":
            self._undo(0)
        elif key == "s":
            self.passed = {number: how for number, how in self.passed.items() if how != "skipped"}

    def _sum(self) -> str:
        hows = list(self.passed.values())
        return ", ".join(f"{hows.count(how)} {how}" for how in ("approved", "rejected", "skipped"))

    def _goodbye(self) -> None:
        with self.app.store.read() as tx:
            left = len(waiting.queue(tx, network=self.network, least=self.least))
            unknown = waiting.count(tx, states=(DraftState.UNKNOWN,), network=self.network)
        say(f"\n{self._sum()}; {left} wait.")
        if unknown:
            say(f"Nobody knows whether {unknown} went out: escucha inbox --state unknown")


def _names(numbers: list[int]) -> str:
    return ", ".join(f"D{number}" for number in numbers)


def _help() -> Text:
    text = Text()
    for key, (word, meaning) in (KEYS | MORE_KEYS).items():
        text.append(f"  {key}  ", "bold").append(f"{word:<11}{meaning}\n")
    text.append("\nAny other key does nothing. What is pressed before a draft is on the screen is forgotten.", "dim")
    return text
