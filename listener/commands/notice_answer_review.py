"""The answers of a run one by one, one key per choice, all or as many as are drawn by chance; then all are approved.

What is approved is what stands in the run as it was read: a text that changes meanwhile undoes the approval.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

from listener.commands import line_editor, output
from listener.commands import notice_answer_screen as shown
from listener.commands.keyboard import Keyboard, leaving_on_signals
from listener.commands.lines import WIDEST, name_of
from listener.commands.review import READING, REASONS, REPEAT
from listener.desk import answer_runs as desk
from listener.desk import answering
from listener.errors import Mistake, Stale
from listener.escapes import visible
from listener.store import answer_runs, attached, mentions
from listener.types import LeftOut, RunState

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.store.answer_runs import Answer, Run
    from listener.store.incidents import Incident
    from listener.types import Facts

KEYS = {
    "a": ("good", "It may go out like this."),
    "e": ("edit", "Other words for this person, in $EDITOR."),
    "r": ("reject", "Of a sample: none goes out, and you say why. Of all: this person is left to a person."),
    "o": ("open", "Where to read it on the network."),
    "?": ("help", "This."),
    "q": ("quit", "Nothing is approved."),
}
HIDDEN = "What they wrote in private is read by who sees their case."


class _Quit(Exception):
    """The person has had enough."""


def review(app: App, incident: Incident, run: Run, *, how: str, seed: int, facts: Callable[[str, str], Facts]) -> None:
    """Shows the answers that `how` says, and approves the run once all of them are good."""
    if app.policy.incident_rules.two_people:
        desk.check_second(run, app.actor)
    with app.store.read() as tx:
        answers = [each for each in answer_runs.answers_of(tx, run.id) if each.left_out is None]
    if not answers:
        raise Mistake("Nobody would be answered, so there is nothing to read.")
    size = _size(app, how, len(answers))
    drawn = answering.sample([(each.id, each.wording) for each in answers], size=size, seed=seed)
    chosen = [each.id for each in answers] if how == "all" else drawn
    with leaving_on_signals(), Keyboard() as keyboard:
        reading = _Reading(
            app=app, incident=incident, run=run, keyboard=keyboard, everything=how == "all", seed=seed, facts=facts
        )
        reading.through(chosen, people=len(answers))


def _size(app: App, how: str, people: int) -> int:
    wanted = shown.least(app, people)
    if how == "all":
        return people
    if how == "sample":
        return wanted
    if not how.isdecimal() or not int(how):
        raise Mistake(f"--review takes all, sample or a number, not {how[:40]!r}.")
    if int(how) < wanted:
        raise Mistake(f"The policy wants {wanted} of {people} read (`incidents: review_sample:`); say as many.")
    return min(int(how), people)


@dataclass(kw_only=True)
class _Reading:
    """One person going through the answers; `run` is as they left it."""

    app: App
    incident: Incident
    run: Run
    keyboard: Keyboard
    everything: bool
    seed: int
    facts: Callable[[str, str], Facts]
    screen: Console = field(default_factory=output.console)

    def through(self, chosen: list[int], *, people: int) -> None:
        """Every one of them; then asks whether all go out."""
        try:
            for number, answer_id in enumerate(chosen, start=1):
                if not self._one(answer_id, f"{number} of {len(chosen)}"):
                    return
            self._approve(len(chosen), people)
        except (_Quit, KeyboardInterrupt, EOFError):
            again = f"escucha notice answer {self.incident.reference} --review"
            output.say(f"\nNothing was approved, and nothing goes out; `{again}` reads them again.")
        except Stale as stale:
            raise Mistake(f"{stale} Nothing was approved.") from stale

    def _one(self, answer_id: int, progress: str) -> bool:
        """Whether the review goes on after it."""
        while True:
            with self.app.store.read() as tx:
                answer = answer_runs.answer(tx, answer_id)
            self._draw(answer, progress)
            ready = time.monotonic() + READING
            again = False
            while not again:
                key = self.keyboard.press()
                match key.lower() if len(key) == 1 else key:
                    case "a":
                        if time.monotonic() >= ready:
                            return True
                        ready = max(ready, time.monotonic() + REPEAT)
                        self._say("That was too quick to be read; press a again.")
                    case "e":
                        again = self._edit(answer)
                    case "r":
                        if self._reject(answer):
                            return self.everything
                    case "o":
                        self._say(self._address(answer))
                    case "?":
                        for name, (word, meaning) in KEYS.items():
                            self._say(f"  {name}  {word:<8}{meaning}")
                    case "q":
                        raise _Quit
                    case _:
                        self._say("? shows the keys.")

    def _draw(self, answer: Answer, progress: str) -> None:
        with self.app.store.read() as tx:
            said = mentions.get(tx, answer.mention_id)
            open_to_read = bool(attached.open_to_read(tx, [said.id]))
        width = min(self.screen.width, WIDEST)
        lead = Text(f"{self.incident.reference}  {progress}", style="bold")
        who = name_of(said.author.handle, said.network) if open_to_read else f"somebody on {said.network}"
        lead.append(f"  {who}  {answer.language}", "not bold")
        lead.append(f"  {answer.length} of {answer.length_limit}", "not bold dim")
        words = said.text[:2000] if open_to_read else HIDDEN
        theirs = Text(visible(words, lines=True), style="dim", overflow="fold")
        ours = Text(visible(answer.text, lines=True), style="bold", overflow="fold")
        bar = Text("  ".join(f"{key} {word}" for key, (word, _) in KEYS.items()), style="dim")
        drawn = Group(lead, Text(), Padding(theirs, (0, 0, 0, 2)), Text(), Padding(ours, (0, 0, 0, 2)), Text(), bar)
        self.screen.clear()
        self.screen.print(drawn, width=width)

    def _say(self, words: str) -> None:
        self.screen.print(Text(visible(words, lines=True), style="yellow"), width=min(self.screen.width, WIDEST))

    def _address(self, answer: Answer) -> str:
        with self.app.store.read() as tx:
            if not attached.open_to_read(tx, [answer.mention_id]):
                return HIDDEN
            return mentions.get(tx, answer.mention_id).url or "The network gave no address for it."

    def _edit(self, answer: Answer) -> bool:
        """Whether its words changed."""
        with self.keyboard.lent():
            written = click.edit(answer.text, editor=line_editor.program())
        if written is None or written.strip() == answer.text:
            self._say("Nothing was changed.")
            return False
        try:
            self.run = desk.reword(
                self.app.store,
                self.app.policy,
                self.run,
                answer,
                written.strip(),
                facts=self.facts(answer.network, answer.account),
                by=self.app.actor,
                now=self.app.now(),
            )
        except Stale:
            raise
        except Mistake as mistake:
            self._say(str(mistake))
            return False
        return True

    def _reject(self, answer: Answer) -> bool:
        """Whether it was rejected, with a reason."""
        self._say(
            "Why?  " + "   ".join(f"{key} {reason}" for key, reason in REASONS.items()) + "   any other goes back"
        )
        reason = REASONS.get(self.keyboard.press(), "")
        if not reason:
            self._say("Not rejected.")
            return False
        app = self.app
        if self.everything:
            with app.store.write() as tx:
                self.run = answer_runs.leave_out(
                    tx, self.run, answer, why=reason, by=app.actor, now=app.now(), left_out=LeftOut.REJECTED
                )
            return True
        why = f"{app.actor} rejected M{answer.mention_id}: {reason}"
        desk.drop(app.store, self.run, by=app.actor, now=app.now(), reason=why)
        reference = self.incident.reference
        output.say(
            f"\nStopped: none of these answers goes out ({why}).\nChange the words with `escucha incident say "
            f"{reference}`; then `escucha notice answer {reference}` drafts all of them anew."
        )
        return True

    def _approve(self, read: int, people: int) -> None:
        with self.app.store.read() as tx:
            people = answer_runs.counts(tx, self.run.id).get("drafted", 0)
        drawn = "" if self.everything else f" {read} {'was' if read == 1 else 'were'} read (seed {self.seed})."
        self._say(f"\nAll {people} go out as they stand, once somebody says --go.{drawn} Type {people} and Enter.")
        while (typed := self.keyboard.line().strip()) != str(people):
            if not typed:
                raise _Quit
            self._say(f"That is not {people}. Type {people} and Enter to approve; Enter alone approves nothing.")
        run = desk.approve(
            self.app.store, self.app.policy, self.run, sample=read, by=self.app.actor, now=self.app.now()
        )
        assert run.state is RunState.APPROVED
        output.say(
            f"\nApproved. `escucha notice answer {self.incident.reference} --go` sends them; what else was proposed to "
            "these people gave way."
        )
