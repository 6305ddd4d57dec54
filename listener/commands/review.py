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

from listener.commands import alike, deciding, explain, from_article, inbox_words, money, unsaved
from listener.commands import card as cards
from listener.commands.answers import tidy_reason
from listener.commands.app import App, pass_app
from listener.commands.card import Card
from listener.commands.drawing import ALL_MEDIA, SAME_WORDS, changes, media_line, quoted, words
from listener.commands.keyboard import Keyboard, leaving_on_signals
from listener.commands.lines import WIDEST
from listener.commands.output import block, console, say
from listener.commands.sheet import Sheet
from listener.errors import AlreadyDone, Mistake, Stale
from listener.escapes import visible
from listener.store import Transaction, daemons, inbox, mentions, stats, waiting
from listener.store.inbox import Draft
from listener.types import DraftState, MentionState, Urgency

READING = 0.7  # seconds that a draft stands before `a` counts; longer than a keyboard waits before it repeats a key
MOST_NEWS = 5  # lines of news under a card; what is longer has a screen of its own
NOBODY_SENDS = "Nothing goes out before `escucha run` runs."
REPEAT = 0.25  # seconds between two presses of a key that is not held down

KEYS = {
    "a": ("approve", "Let it be sent; you have ten seconds to take it back."),
    "e": ("edit", "Change the words in $EDITOR; then approve or not."),
    "r": ("reject", "It is not sent; you say why."),
    "s": ("skip", "Leave it to somebody else, or for later."),
    "x": ("explain", "Every rule and guard, the scores, who did what."),
    "o": ("open", "Where to read it on the network."),
    "u": ("undo", "Take back the last thing decided, if it has not gone out."),
    "?": ("help", "This."),
    "q": ("quit", "Ctrl-C does the same. What is decided stays decided."),
}
MORE_KEYS = {
    "A": ("all alike", "Approve those of the same template, after reading them."),
    "k": ("knowledge", "Put the answer of an article in place of the reply."),
    "m": ("message", "All of it, with its pictures and what it quotes."),
    "space": ("more", "The next page of a draft; a counts after the last one."),
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
    inbox_words.check_network(app, network)
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
    done: list[list[tuple[int, int]]] = field(default_factory=list)  # what `u` takes back: (number, edit)
    unsaved: dict[int, str] = field(default_factory=dict)  # words that could not be kept, by the draft they are for
    policies: set[str] = field(default_factory=set)  # those of which it was said that they are new
    told_of_nobody: bool = False  # whether it was said that no process sends
    sheet: Sheet | None = None  # what stands on the screen
    again: int | None = None  # the draft to show next, whatever the order
    news: list[RenderableType] = field(default_factory=list)  # what the last key did
    left: int = 0

    @cached_property
    def screen(self) -> Console:
        return console()

    def run(self) -> None:
        """Until nothing waits or the person leaves."""
        try:
            unsaved.sweep(self.app)
            if self._next() is None:
                with self.app.store.read() as tx:
                    say(inbox_words.nothing_waits(waiting.count(tx)))
                    say(inbox_words.no_reply_proposed(waiting.how_many_undrafted(tx, network=self.network)))
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
        app = self.app
        with app.store.read() as tx:
            listed = waiting.queue(tx, network=self.network, least=self.least)
            taken = inbox.looked_at(tx, but_by=app.actor, since=app.now() - cards.LOOKING)
            left = [number for number in listed if number not in self.passed]
            self.left = len(left)
            again, self.again = self.again, None
            if again is not None and again in left:
                return again
            if again is not None and again not in self.passed:
                self._tell(f"{deciding.who_changed(inbox.get(tx, again))}, while you looked.")
        left.sort(key=lambda number: number in taken)  # two people do not read the same one
        return left[0] if left else None

    # --- one draft ---

    def _look_at(self, number: int) -> None:
        brought = deciding.bring(self.app, number)
        draft = brought.draft
        if draft.state is not DraftState.PROPOSED:  # a colleague was quicker
            self._tell(f"{deciding.who_changed(draft)}, just now.")
            return
        view = deciding.last_seen(self.app, draft)
        self._say_once(brought)
        sheet = self._draw(draft, view.text if view and view.text != draft.text else None)
        remembered = warned = False
        ready = time.monotonic() + READING
        while True:
            if sheet.read and not remembered:
                deciding.remember(self.app, draft)
                remembered = True
            key = self._key()
            if key == " ":
                if sheet.turn():
                    sheet.show()
                    ready = time.monotonic() + READING
                else:
                    self._answer("All of it stands here.", "dim")
                continue
            if key == "a":
                if not sheet.read:
                    self._answer("There is more of it to read first: space shows it.")
                    continue
                if (now := time.monotonic()) < ready:
                    ready = max(ready, now + REPEAT)
                    self._answer("That was too quick to be read; press a again.")
                    continue
                if (danger := _danger(sheet.card)) and not warned:
                    warned, ready = True, now + REPEAT
                    self._answer(f"{danger}: press a once more to approve it all the same.")
                    continue
                decided = self._approve(draft)
            else:
                decided = self._other(key, sheet.card, draft)
            if decided:
                return

    def _say_once(self, brought: deciding.Brought) -> None:
        """That the policy changed since this was written."""
        version = brought.draft.policy_version
        if brought.old_policy and version not in self.policies:
            self.policies.add(version)
            self._tell(
                f"The policy changed since this was written ({brought.old_policy} wrote it): read it once more, "
                "and whatever else is as old; this is said once."
            )

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
                reasons = explain.gather(self.app, f"D{draft.id}")
                self._page(explain.draw(reasons, app=self.app, width=self._width, everything=True), draft.id)
                return True
            case "m":
                said = card.mention
                self._page(Group(*words(said.text), *map(media_line, said.media[:ALL_MEDIA]), *quoted(said)), draft.id)
                return True
            case "k":
                return self._from_article(card, draft)
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
        self.done.append([(approved.id, approved.edit)])
        broke = money.why_broke(self.app, draft.account)
        waits = f" It waits: {broke}." if broke else self._nobody_sends()
        self._tell(f"D{draft.id} approved; u takes it back.{waits}", "yellow" if broke else "green")
        return True

    def _nobody_sends(self) -> str:
        """That nothing goes out while no process sends, said once; else empty."""
        if self.told_of_nobody:
            return ""
        with self.app.store.read() as tx:
            self.told_of_nobody = not daemons.sends(tx, self.app.now())
        return f" {NOBODY_SENDS}" if self.told_of_nobody else ""

    def _edit(self, draft: Draft) -> bool:
        with self.app.store.read() as tx:
            current = inbox.get(tx, draft.id)
        if (current.state, current.edit, current.text) != (draft.state, draft.edit, draft.text):
            self._changed(draft, Stale(f"{deciding.who_changed(current)}."))
            return True
        mine = self.unsaved.get(draft.id) or unsaved.words(self.app, draft) or draft.text
        self.again = draft.id
        try:
            with self.keyboard.lent():
                written = deciding.write_in_editor(self.app, draft, mine)
            if written is None and mine == draft.text:
                self._tell("Nothing was changed.", "dim")
                return True
            if (written or mine) == draft.text:
                self._drop_words(draft.id)
                self._tell("Nothing was changed.", "dim")
                return True
            self.unsaved[draft.id] = written or mine
            fresh = deciding.reword(self.app, draft, written or mine)
        except (Stale, AlreadyDone) as error:
            self._changed(draft, error)
            return True
        except Mistake as error:
            more = " Press e to go on with your words." if draft.id in self.unsaved else ""
            self._tell(f"{error}{more}")
            return True
        self._drop_words(draft.id)
        deciding.remember(self.app, fresh)
        self._tell("Edited; a approves these words.", "green")
        return True

    def _from_article(self, card: Card, draft: Draft) -> bool:
        """Puts the answer of one of the articles beside it in place of the reply."""
        able = [each for each in card.articles if each.answers]
        if not able:
            self._answer("No article beside it has an answer for everybody.", "dim")
            return False
        which = [f"{key} {each.name} {visible(each.title)}" for key, each in enumerate(able, start=1)]
        self._answer("The answer of which article?\n" + "\n".join(which) + "\nAny other key goes back.", "bold")
        key = self._key()
        if not key.isdecimal() or not 0 < int(key) <= len(able):
            self._answer("Nothing was changed.", "dim")
            return False
        seen_by, chosen = draft.seen_by(card.mention.visibility), able[int(key) - 1]
        self.again = draft.id
        try:
            found = from_article.source(self.app, draft, chosen.name, visibility=seen_by, language=chosen.language)
            from_article.use(self.app, draft, found)
        except (Stale, AlreadyDone) as error:
            self._changed(draft, error)
            return True
        except Mistake as error:
            self._tell(str(error))
            return True
        self._tell(f"It says what {chosen.name} says; a approves these words.", "green")
        return True

    def _drop_words(self, number: int) -> None:
        self.unsaved.pop(number, None)
        unsaved.forget(self.app, number)

    def _reject(self, draft: Draft) -> bool:
        listed = [f"{key} {reason}" for key, reason in REASONS.items()]
        self._answer(
            "Why?  "
            + "   ".join(listed[:3])
            + "\n      "
            + "   ".join([*listed[3:], "6 in your words"])
            + "\n      Any other key goes back.",
            "bold",
        )
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
        self.done.append([(draft.id, draft.edit + 1)])
        self._tell(f"D{draft.id} rejected: {reason}.", "green")
        return True

    def _changed(self, draft: Draft, error: Mistake) -> None:
        """Somebody else was at the draft that stood here: says what they did; what still waits is shown afresh."""
        with self.app.store.read() as tx:
            fresh = inbox.get(tx, draft.id)
            edited = self._edited_since(tx, draft) if fresh.state is DraftState.EXPIRED else None
        if fresh.state is not DraftState.PROPOSED:
            self.again = None
            self._tell(f"{deciding.who_changed(fresh)}, while you looked.")
            if edited:
                self._tell_more("What they changed:", edited)
            elif fresh.text and fresh.text != draft.text:
                self._tell_more("What it says now:", changes(draft.text, fresh.text))
            if draft.id in self.unsaved:
                self._hand_back(draft.id)
            return
        self.again = draft.id
        if fresh.text != draft.text:
            self._tell(f"{deciding.who_changed(fresh)} while you looked; what changed is marked above.")
        elif fresh.policy_version != draft.policy_version:
            self._tell(f"Policy {fresh.policy_version} rules since; read it once more.")
        else:
            self._tell(f"{error} Read it once more.")
        if draft.id in self.unsaved:
            self._tell("Your words were not kept in it; press e to go on with them.")

    @staticmethod
    def _edited_since(tx: Transaction, draft: Draft) -> Text | None:
        """What the author of the mention changed since the draft was written."""
        mention = mentions.get(tx, draft.mention_id)
        if mention.revision == draft.revision or mention.state is MentionState.GONE:
            return None
        before = [text for revision, text, _ in mentions.earlier_texts(tx, mention.id) if revision == draft.revision]
        if before and before[0] == mention.text:
            return Text(SAME_WORDS.capitalize() + ".")
        return changes(before[0], mention.text) if before else None

    def _hand_back(self, number: int) -> None:
        """Words whose draft is gone: shown now, and when the person leaves; never put into another draft."""
        self._page(Group(*self.news, Text(f"\nWhat you wrote for D{number}:\n"), *words(self.unsaved[number])), None)
        self._tell(f"What you wrote for D{number} is printed again when you leave.")

    def _undo(self, here: int) -> bool:
        if not self.done:
            self._answer("There is nothing to take back.", "dim")
            return False
        back: list[int] = []
        late: list[int] = []
        for number, edit in self.done.pop():
            (back if deciding.take_back(self.app, number, edit) else late).append(number)
        for number in back:
            self.passed.pop(number, None)
        self.again = back[0] if back else here or None
        if back:
            self._tell(f"{_names(back)} taken back; nothing was sent.", "green")
        if late:
            self._tell(f"{_names(late)} could not be taken back: sent, changed, or decided by somebody else.")
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
        done = alike.offer(
            self.app, draft, screen=self.screen, keyboard=self.keyboard, least=self.least, leave_out=self.passed
        )
        if done is None:
            self._answer(
                "There is nothing that could go out together with this: it is read and decided by itself.", "dim"
            )
            return False
        self.again = draft.id if draft.id not in {one.id for one in done.approved} else None
        for problem in done.problems:
            self._tell(problem)
        self.passed |= {one.id: "approved" for one in done.approved}
        if done.approved:
            self.done.append([(one.id, one.edit) for one in done.approved])
            self._tell(f"{len(done.approved)} approved; u takes all of them back.{self._nobody_sends()}", "green")
        else:
            self._tell("None was approved.", "dim")
        return True

    # --- the screen and the keyboard ---

    @property
    def _width(self) -> int:
        return min(self.screen.width, WIDEST)

    def _draw(self, draft: Draft, changed_from: str | None) -> Sheet:
        app, now = self.app, self.app.now()
        with app.store.read() as tx:
            card = cards.of_draft(tx, draft, actor=app.actor, now=now)
        card = cards.with_articles(app, cards.now_known(app, card))
        others = len(alike.others(app, draft, least=self.least, leave_out=self.passed)) - 1
        bar: list[RenderableType] = [Text("─" * self._width, style="dim"), self._keys()]
        if others > 0:
            bar.insert(0, Text(f"A approves this and {others} more like it, after showing them.", style="dim"))
        self.sheet = Sheet(
            screen=self.screen,
            card=card,
            now=now,
            bar=bar,
            progress=f"{len(self.passed) + 1} of {len(self.passed) + self.left}",
            changed_from=changed_from,
        )
        self.sheet.show(*self.news)
        self.news = []
        return self.sheet

    @staticmethod
    def _keys() -> Text:
        bar = Text(no_wrap=True, overflow="ellipsis")
        for key, (word, _) in KEYS.items():
            bar.append(key, "bold").append(f" {'why' if key == 'x' else word}  ", "dim")
        return bar

    def _tell(self, news: str, style: str = "yellow") -> None:
        """Something to stand under the next card."""
        self.news.append(Text(visible(news, lines=True), style=style))

    def _tell_more(self, news: str, more: RenderableType) -> None:
        """The same with something of any length: what is long is shown at once, on a screen of its own."""
        if len(self.screen.render_lines(more, self.screen.options.update(width=self._width))) > MOST_NEWS:
            self._page(Group(*self.news, Text(news), more), None)
            return
        self._tell(news)
        self.news.append(Padding(more, (0, 0, 0, 7)))

    def _answer(self, answer: str, style: str = "yellow") -> None:
        """Something to stand under this card, in place of what stood there."""
        text = Text(visible(answer, lines=True), style=style)
        if self.sheet:
            self.sheet.show(text)
        else:
            self._print(text)

    def _print(self, text: Text) -> None:
        self.screen.print(text, width=self._width)

    def _page(self, content: RenderableType, back_to: int | None) -> None:
        """Something longer, a screen at a time; then the draft again."""
        self.again = back_to
        lines = self.screen.render_lines(content, self.screen.options.update(width=self._width), pad=False)
        room = max(self.screen.height - 3, 5)
        for start in range(0, len(lines), room):
            self.screen.clear()
            for line in lines[start : start + room]:
                self.screen.print(Segments([*line, Segment.line()]), end="")
            more = start + room < len(lines)
            self._print(Text("\nAny key shows more, q goes back." if more else "\nAny key goes back.", style="dim"))
            if self._key() == "q":
                return

    def _key(self) -> str:
        """One key; capitals mean the same but for `A`."""
        pressed = self.keyboard.press()
        return pressed if pressed == "A" or len(pressed) > 1 else pressed.lower()

    # --- the end ---

    def _at_the_end(self) -> None:
        skipped = sum(how == "skipped" for how in self.passed.values())
        self.sheet = None
        self.screen.clear()
        self._answer("Nothing more waits." if not skipped else f"Nothing waits but the {skipped} you skipped.", "bold")
        self._answer(self._sum(), "dim")
        with self.app.store.read() as tx:
            unproposed = inbox_words.no_reply_proposed(waiting.how_many_undrafted(tx, network=self.network))
        if unproposed:
            self._answer(unproposed)
        for one in self.news:
            self.screen.print(one, width=self._width)
        self.news = []
        keys = ["q quits", "any other key looks for new ones"]
        if self.done:
            keys.insert(0, "u takes the last decision back")
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
            unproposed = inbox_words.no_reply_proposed(waiting.how_many_undrafted(tx, network=self.network))
            held = "approved" in self.passed.values() and not daemons.sends(tx, self.app.now())
        for number, written in self.unsaved.items():
            say(f"\nWhat you wrote for D{number}, which was not kept:")
            block(written)
        for number, path in unsaved.sweep(self.app):
            say(f"What you wrote for D{number} was not saved in it; it lies in {path}, and e goes on with it.")
        say(f"\n{self._sum()}; {left} wait.")
        if held:
            say(NOBODY_SENDS)
        if unproposed:
            say(unproposed)
        if unknown:
            say(f"Nobody knows whether {stats.told(unknown)} went out: escucha inbox --unknown")


def _danger(card: Card) -> str:
    """Why a draft is not approved by one press of a key; empty where it is."""
    if card.dangers:
        return "It was held for words of danger"
    return f"{card.outdated}, and these words were taken from it" if card.outdated else ""


def _names(numbers: list[int]) -> str:
    return ", ".join(f"D{number}" for number in numbers)


def _help() -> Text:
    text = Text()
    for key, (word, meaning) in (KEYS | MORE_KEYS).items():
        text.append(f"  {key:<7}", "bold").append(f"{word:<11}{meaning}\n")
    text.append("\nAny other key does nothing. What is pressed before a draft is on the screen is forgotten.", "dim")
    return text
