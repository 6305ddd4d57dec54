"""Anything may happen in any order: people post, edit and delete; networks fail; two daemons run on one file by
mistake; processes die before a commit; moderators decide meanwhile. In the end nothing is lost, nothing said twice.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import event

from connectors.sandbox import FACTS, Fault
from listener.desk import continuing
from listener.desk.continuing import Way
from listener.errors import AlreadyDone, Mistake, Stale
from listener.flow.pipeline import Pipeline
from listener.store import cases, inbox, mentions, sources, stats, switch
from listener.types import Channel, DraftState, MentionState, Visibility
from tests.listener.flow.world import Escucha, Overheard

TEXTS = st.sampled_from(["@marca ¿horario?", "@marca todo mal", "@marca gracias", "@marca poison", "@marca\x00\x1b[2J"])
PEOPLE = st.sampled_from(["ana", "beto", "carla"])
FAULTS = st.sampled_from(
    [Fault.RATE_LIMITED, Fault.UNAVAILABLE, Fault.NEVER_ARRIVED, Fault.ANSWER_LOST, Fault.REJECTED]
)
STAGES = st.sampled_from(["poll", "stream", "understand", "decide", "act", "recheck"])


class Death(BaseException):
    """The process ends here, before its transaction is committed."""


class Everything(RuleBasedStateMachine):
    posts = Bundle("posts")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.escucha = Escucha(self.folder)
        self.escucha.forgets_keys()  # the network itself would take everything twice
        self.daemons = [self._daemon(), self._daemon()]
        self.alive: set[str] = set()
        self.dies_at: int | None = None
        event.listen(self.escucha.store._engine, "commit", self._maybe_die)

    def _maybe_die(self, _link: Any) -> None:
        if self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                self.dies_at = None
                raise Death

    def _daemon(self) -> Pipeline:
        return self.escucha.pipeline(connector=Overheard)

    def _does(self, pipeline: Pipeline, stage: str) -> None:
        try:
            if stage == "stream":
                pipeline.stream("source-0")
            else:
                getattr(pipeline, stage)()
        except Death:
            self.daemons[self.daemons.index(pipeline)] = self._daemon()
        finally:
            self.dies_at = None

    # --- people ---

    @rule(target=posts, text=TEXTS, who=PEOPLE)
    def post(self, text: str, who: str) -> str:
        made = self.escucha.says(text, who=who)
        self.alive.add(made)
        return made

    @rule(target=posts, text=TEXTS, who=PEOPLE, parent=posts)
    def answer(self, text: str, who: str, parent: str) -> str:
        made = self.escucha.says(text, who=who, parent=parent)
        self.alive.add(made)
        return made

    @rule(post=posts, text=TEXTS)
    def edit(self, post: str, text: str) -> None:
        if post in self.alive:
            self.escucha.network.edit(post, text, at=self.escucha.clock())

    @rule(post=posts)
    def delete(self, post: str) -> None:
        if post in self.alive:
            self.escucha.network.delete(post)
            self.alive.discard(post)

    # --- machines ---

    @rule(which=st.integers(0, 1), stage=STAGES)
    def work(self, which: int, stage: str) -> None:
        self._does(self.daemons[which], stage)

    @rule(which=st.integers(0, 1), stage=STAGES, commits=st.integers(0, 6))
    def work_and_die(self, which: int, stage: str, commits: int) -> None:
        self.dies_at = commits
        self._does(self.daemons[which], stage)

    @rule(
        which=st.integers(0, 1),
        fault=st.none() | FAULTS,
        dies_in_act=st.none() | st.integers(0, 4),
        alone=st.booleans(),
    )
    def whole_round(self, which: int, fault: Fault | None, dies_in_act: int | None, alone: bool) -> None:
        """Everything due, the sends perhaps meeting a fault or death: what plain chance would seldom reach."""
        self.escucha.clock.forward(seconds=61)
        for stage in ("poll", "understand", "decide"):
            self._does(self.daemons[which], stage)
        for draft in self.escucha.drafts(DraftState.PROPOSED)[:1]:
            with suppress(Stale, AlreadyDone):
                self.escucha.approve(draft)
        if alone:
            self.go_on_alone()
        if fault:
            self.network_fails("reply", fault)
            self.escucha.network.fail("message", fault)
        self.dies_at = dies_in_act
        self._does(self.daemons[which], "act")

    @rule(seconds=st.sampled_from([1, 11, 120, 3700, -60]))
    def time_passes(self, seconds: int) -> None:
        self.escucha.clock.forward(seconds=seconds)

    @rule(
        operation=st.sampled_from(["poll", "reply", "find_reply", "message", "find_message", "recheck"]),
        fault=FAULTS,
    )
    def network_fails(self, operation: str, fault: Fault) -> None:
        if operation not in ("reply", "message") and fault in (Fault.NEVER_ARRIVED, Fault.ANSWER_LOST, Fault.REJECTED):
            fault = Fault.UNAVAILABLE
        self.escucha.network.heal()
        self.escucha.network.fail(operation, fault)
        self.escucha.forgets_keys()

    @rule()
    def late_again(self) -> None:
        """The network serves old pages once more."""
        with self.escucha.store.write() as tx:
            source = sources.get(tx, "source-0")
            now = self.escucha.clock()
            sources.succeeded(tx, source, cursor={"change": 0}, next_poll_at=now, new_mentions=0, now=now)

    # --- moderators ---

    @precondition(lambda self: self.escucha.drafts(DraftState.PROPOSED, DraftState.APPROVED))
    @rule(data=st.data(), what=st.sampled_from(["approve", "edit", "reject"]))
    def moderate(self, data: st.DataObject, what: str) -> None:
        draft = data.draw(st.sampled_from(self.escucha.drafts(DraftState.PROPOSED, DraftState.APPROVED)))
        now = self.escucha.clock()
        with suppress(Stale, AlreadyDone), self.escucha.store.write() as tx:
            if what == "approve":
                inbox.approve(tx, draft, by="mod", now=now)
            elif what == "edit":
                inbox.edit(tx, draft, text="Dicho por una persona.", length=22, by="mod", now=now)
            else:
                inbox.reject(tx, draft, by="mod", reason="no", now=now)

    @rule()
    def go_on_alone(self) -> None:
        """A person goes on with a case by a direct message, and lets it go; once for each mention."""
        now = self.escucha.clock()
        with suppress(Mistake), self.escucha.store.write() as tx:
            for case in cases.listing(tx)[-1:]:
                begun = continuing.start(tx, case)
                if any(draft.channel for draft in inbox.of_mention(tx, begun.mention.id)):
                    continue
                way, policy = Way(account="care", facts=FACTS), self.escucha.policy
                made = continuing.write(
                    tx, begun, Channel.DM, way=way, to="", offer_by=None, policy=policy, by="mod", now=now
                )
                assert made.alone is not None
                inbox.approve(tx, made.alone, by="mod", now=now)

    @rule(on=st.booleans())
    def pause(self, on: bool) -> None:
        with self.escucha.store.write() as tx:
            if on:
                switch.pause(tx, network=None, by="boss", reason="", now=self.escucha.clock())
            else:
                switch.resume(tx, network=None, by="boss", now=self.escucha.clock())
        before = len(self.escucha.answers())
        if on:
            self._does(self.daemons[0], "act")
            assert len(self.escucha.answers()) == before

    # --- what must hold ---

    @invariant()
    def nothing_is_said_twice(self) -> None:
        if not hasattr(self, "escucha"):
            return
        said = Counter(row["key"] for row in self.escucha.network.posts_by("marca"))
        assert all(times == 1 for times in said.values()), said
        # Beside the one answer where they wrote, a person may have gone on with each of them alone, once.
        parents = Counter((row["parent"], row["visibility"]) for row in self.escucha.network.posts_by("marca"))
        assert all(times == 1 for times in parents.values()), parents

    def teardown(self) -> None:
        if not hasattr(self, "escucha"):
            return
        try:
            self._settle_down()
            self.nothing_is_said_twice()
            self._check_the_books()
        finally:
            self.escucha.close()
            shutil.rmtree(self.folder)

    def _settle_down(self) -> None:
        self.dies_at = None
        self.escucha.network.heal()
        self.escucha.forgets_keys()
        with self.escucha.store.write() as tx:
            switch.resume(tx, network=None, by="boss", now=self.escucha.clock())
            for source in sources.list_all(tx):
                sources.resume(tx, source.name, by="boss", now=self.escucha.clock())
        fresh = self.escucha.pipeline()
        for _ in range(3):
            self.escucha.clock.forward(hours=2)
            fresh.once()

    def _check_the_books(self) -> None:
        with self.escucha.store.read() as tx:
            for post in self.alive:
                heard = mentions.by_external_id(tx, "sandbox", post)
                assert heard is not None, "lost"
                (row,) = self.escucha.network.rows([post])
                assert heard.text == row["text"].replace("\x00", ""), "an old text was kept"
                assert heard.trouble or heard.state is MentionState.DECIDED, heard.state
            everything = {mention.external_id: mention for mention in mentions.recent(tx, limit=10_000)}
            for post, mention in everything.items():
                if post not in self.alive:
                    assert (mention.state, mention.text) == (MentionState.GONE, "")
            counts = stats.counts(tx)
        assert counts.drafts["sending"] == counts.drafts["unknown"] == 0
        sent = self.escucha.drafts(DraftState.SENT)
        said = self.escucha.network.posts_by("marca")
        assert {draft.send_key for draft in sent} == {row["key"] for row in said}
        answered = {draft.send_key: draft.mention_id for draft in sent}
        external = {mention.id: mention.external_id for mention in everything.values()}
        for row in said:
            assert str(row["parent"]) == external[answered[row["key"]]], "the wrong thread"
        alone = {draft.send_key for draft in sent if draft.channel}
        assert alone == {row["key"] for row in said if row["visibility"] == Visibility.DIRECT}, "for one alone, or all"


TestEverything = Everything.TestCase
TestEverything = pytest.mark.slow(TestEverything)
TestEverything.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
