"""Plays the demo's script: the people on the sandbox network, the moderator and marketing on the desk.

The daemon runs beside it, as it would anywhere; here it is only watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from listener.commands import deciding
from listener.commands.app import App
from listener.commands.demo_check import check
from listener.commands.demo_news import Event, News, Watch
from listener.commands.demo_screen import Screen
from listener.commands.demo_script import Script, Step
from listener.desk import cases as desk_cases
from listener.desk import customers as desk_customers
from listener.desk import notices as desk_notices
from listener.desk.notice_pages import Written
from listener.store import cases, customers, inbox, mentions, notices, sources, stats
from listener.store.customers import Edit
from listener.store.inbox import Draft
from listener.store.mentions import Mention
from listener.types import DraftState, LinkBasis, Media, MentionState, NoticeState

ACCOUNT = "care"
NETWORK = "sandbox"
YOU = "you"  # as the audit log has it
MARKETING = "marta (marketing)"
SECOND = "sam (supervisor)"
PATIENCE = 20.0  # seconds to wait for what the script counts on
UNDER_WAY = (DraftState.APPROVED, DraftState.SENDING, DraftState.UNKNOWN)
FRAME = 0.12  # seconds between two looks, at speed 1


@dataclass(kw_only=True)
class Play:
    """One performance. `sandbox` is the network's module, `world` its people's side; `app` has the demo's settings."""

    script: Script
    steps: Sequence[Step]
    app: App
    sandbox: Any
    world: Any
    watch: Watch
    screen: Screen
    speed: float
    _posts: dict[str, str] = field(default_factory=dict)  # the script's id -> the network's
    _authors: dict[str, str] = field(default_factory=dict)  # the script's id -> who wrote it
    _failing: set[str] = field(default_factory=set)
    _number: int = 0

    def run(self) -> News:
        """The whole afternoon, until nothing is on its way any more; gives the last news."""
        self._cast()
        began = time.monotonic()
        for step in self.steps:
            while (left := began + step.at / self.speed - time.monotonic()) > 0:
                self.go_on()
                time.sleep(min(left, FRAME))
            getattr(self, f"_{step.verb}")(step)
            self.go_on()
        self._until(lambda: not self._busy())
        return self.go_on()

    def go_on(self) -> News:
        """Shows what the daemon did since the last look."""
        with self.app.store.read() as tx:
            failing = {source.name: source.last_error for source in sources.list_all(tx) if source.failing_since}
        for name in failing.keys() - self._failing:
            self._tell("trouble", "trouble", f"source {name}: {failing[name]}; it is asked again")
        for name in self._failing - failing.keys():
            self._tell("sent", "recovered", f"source {name} works again, from where it stood")
        self._failing = set(failing)
        news = self.watch.look(self._now())
        self.screen.news(news)
        return news

    def _now(self) -> datetime:
        return self.app.now()

    def _tell(self, kind: str, word: str, text: str) -> None:
        self.screen.note(Event(at=self._now(), kind=kind, word=word, text=text))

    def _until(self, done: Callable[[], bool]) -> bool:
        """Goes on until `done()`; False when patience ended first."""
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                return False
            self.go_on()
            time.sleep(0.05)
        return True

    def _busy(self) -> bool:
        """Whether something is still being heard, read, sent or settled; asked in the order in which it travels."""
        queries = self.script.queries.values()
        if self._failing or check(self.app.store, self.world, handle=self.script.handle, queries=queries).lost:
            return True
        with self.app.store.read() as tx:
            counts = stats.counts(tx)
            publishing = any(notice.state is NoticeState.PUBLISHING for notice in notices.listing(tx))
            under_way = bool(inbox.waiting(tx, states=UNDER_WAY, limit=1))
        unread = counts.mentions[MentionState.NEW] + counts.mentions[MentionState.UNDERSTOOD]
        return bool(unread or publishing or under_way)

    def _cast(self) -> None:
        """Everybody takes their place: the people there, the customers' records here."""
        now = self._now()
        with self.world.writing():
            for person in self.script.people:
                self.world.person(
                    person.handle,
                    person.name,
                    followers=person.followers,
                    bot=person.bot,
                    created_at=now - timedelta(days=person.days),
                )
            for number, name in enumerate(self.script.wave.names):
                self.world.person(f"@{name}_ejemplo", name.capitalize(), followers=40 + 37 * number)
        records = [
            Edit(
                reference=record.reference,
                values={
                    "name": record.name,
                    "email": None,
                    "phone": None,
                    "language": record.language,
                    "tier": record.tier,
                    "tags": [],
                    "fields": {},
                },
                changed=(),
            )
            for record in self.script.customers
        ]
        with self.app.store.write() as tx:
            customers.write(tx, added=records, changed=(), by=YOU, now=now, source="the demo")

    def worth_a_look(self) -> tuple[int | None, int | None]:
        """A mention that is worth explaining, and a draft that still waits."""
        mention = self._mention("carla")
        with self.app.store.read() as tx:
            left = inbox.waiting(tx, limit=1)
        return mention.id if mention else None, left[0].id if left else None

    # --- the network's people ---

    def _scene(self, step: Step) -> None:
        self.screen.scene(step.scene)

    def _say(self, step: Step) -> None:
        parent = self._parent(step.reply_to) if step.reply_to else None
        media = (
            [Media(kind="image", url="https://sandbox.example/picture.png", alt=step.picture)] if step.picture else []
        )
        made = self.world.person(step.who).post(step.say, parent=parent, media=media)
        self._posts[step.id], self._authors[step.id] = made, step.who

    def _parent(self, name: str) -> str | None:
        """What a post answers: another post, or (`our NAME`) our own answer to it, once that is out."""
        if not name.startswith("our "):
            return self._posts[name]
        answered = self._posts[name.removeprefix("our ")]
        mention = self._mention(name.removeprefix("our "))

        def arrived() -> bool:
            with self.app.store.read() as tx:
                drafts = inbox.of_mention(tx, mention.id) if mention else []
            return not any(draft.state in UNDER_WAY for draft in drafts)

        self._until(arrived)
        ours = [row for row in self.world.posts_by(self.script.handle) if str(row["parent"]) == answered]
        return str(ours[0]["id"]) if ours else answered

    def _edit(self, step: Step) -> None:
        self._until(lambda: self._is_decided(step.edit))  # the first version was read too
        self.world.edit(self._posts[step.edit], step.say)

    def _delete(self, step: Step) -> None:
        self._until(lambda: self._is_decided(step.delete))
        self.world.delete(self._posts[step.delete])

    def _fail(self, step: Step) -> None:
        self.world.fail(step.fail, self.sandbox.Fault(step.fault))

    # --- you ---

    def _approve(self, step: Step) -> None:
        draft = self._draft(step.approve)
        if draft:
            deciding.remember(self.app, draft)
            deciding.approve(self.app, draft)

    def _reword(self, step: Step) -> None:
        draft = self._draft(step.reword)
        if draft:
            text = step.text.replace("{case}", draft.case_reference or "")
            deciding.remember(self.app, draft)
            edited = deciding.reword(self.app, draft, text)
            deciding.remember(self.app, edited)
            deciding.approve(self.app, edited)
            self._tell("person", "reworded", f"D{draft.id} by {YOU}: {text}")

    def _reject(self, step: Step) -> None:
        draft = self._draft(step.reject)
        if draft:
            deciding.remember(self.app, draft)
            with self.app.store.write() as tx:
                inbox.reject(tx, draft, by=YOU, reason=step.reason, now=self._now())

    def _link(self, step: Step) -> None:
        record = next(record for record in self.script.customers if record.handle == step.link)
        with self.app.store.write() as tx:
            desk_customers.link(
                tx,
                customers.get(tx, record.reference),
                network=NETWORK,
                handle=record.handle,
                basis=LinkBasis.SELF_DECLARED,
                evidence=record.evidence,
                linkable=self.sandbox.FACTS.linkable,
                by=YOU,
                now=self._now(),
            )
        self._tell("person", "linked", f"{record.handle} is {record.name}, {record.tier}: {record.evidence}")

    def _note(self, step: Step) -> None:
        with self.app.store.write() as tx:
            mention = self._mention(step.note)
            case = cases.of_mention(tx, mention.id) if mention else None
            if case is None:
                return
            desk_cases.note(tx, case, step.text, by=YOU, now=self._now(), completeness=step.completeness)
        self._tell("person", "noted", f"{case.reference}, {step.completeness}% done: {step.text}")

    def _mention(self, name: str) -> Mention | None:
        with self.app.store.read() as tx:
            return mentions.by_external_id(tx, NETWORK, self._posts[name])

    def _is_decided(self, name: str) -> bool:
        mention = self._mention(name)
        return mention is not None and mention.state is MentionState.DECIDED

    def _draft(self, name: str) -> Draft | None:
        """The draft that waits for that post; None when the policy, having decided, proposed none."""

        mention = self._mention(name) if self._until(lambda: self._is_decided(name)) else None
        if mention is None:
            return None
        with self.app.store.read() as tx:
            drafts = inbox.of_mention(tx, mention.id)
        return next((draft for draft in drafts if draft.state is DraftState.PROPOSED), None)

    # --- marketing ---

    def _notice(self, step: Step) -> None:
        written = Written(title=step.notice, texts={("", "es"): step.es, ("", "en"): step.en})
        planned = desk_notices.plan(written, [desk_notices.Outlet(account=ACCOUNT, facts=self.sandbox.FACTS)])
        with self.app.store.write() as tx:
            notice = notices.draft(tx, title=written.title, variants=planned, by=MARKETING, now=self._now())
        self._number = notice.id
        self._tell("person", "drafted", f"notice N{notice.id} by {MARKETING}: {step.notice}")

    def _second(self, _step: Step) -> None:
        with self.app.store.write() as tx:
            notice = notices.approve(tx, notices.get(tx, self._number), by=SECOND, now=self._now())
        self._tell("person", "approved", f"notice N{notice.id} by {SECOND}: nobody publishes alone")
        with self.app.store.write() as tx:
            notices.publish(tx, notice, by=MARKETING, now=self._now())
