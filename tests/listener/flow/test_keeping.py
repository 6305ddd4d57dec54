"""Edits, deletions and age: what is looked up again and when, by which path, and what is kept no longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from connectors import sandbox
from connectors.sandbox import Fault
from listener.errors import Mistake
from listener.flow import recheck as stage
from listener.flow.ingest import overhear
from listener.flow.pipeline import Pipeline
from listener.store import audit, mentions, sources
from listener.store import tables as t
from listener.types import DraftState, Facts, MentionState, Page, Rechecked
from tests.listener.flow.world import Escucha

EVERY_20_HOURS = ((timedelta(days=90), timedelta(hours=20)),)


class Counting(sandbox.Sandbox):
    """The sandbox, which remembers how many posts each look was for."""

    looks: list[int]

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        self.looks.append(len(external_ids))
        return super().recheck(external_ids)


class Keeping(Escucha):
    """Escucha on a sandbox with other facts."""

    facts: Facts = sandbox.FACTS

    def pipeline(self, **given: Any) -> Pipeline:
        made = super().pipeline(**given)
        self.looks: list[int] = []

        def connect(_account: str) -> Counting:
            connector = Counting(sandbox.Settings(world=self.folder / "world.db"))
            connector.facts, connector.looks = self.facts, self.looks
            return connector

        made.connections._connect = connect
        made.connections._network_facts = lambda _: self.facts
        return made

    def with_facts(self, **facts: Any) -> None:
        self.facts = replace(sandbox.FACTS, **facts)
        self.main = self.pipeline()

    def mention(self, external_id: str) -> mentions.Mention:
        with self.store.read() as tx:
            found = mentions.by_external_id(tx, "sandbox", external_id)
        assert found
        return found


@pytest.fixture
def escucha(tmp_path: Path) -> Iterator[Keeping]:
    made = Keeping(tmp_path)
    yield made
    made.close()


def by_poll(escucha: Keeping) -> None:
    escucha.clock.forward(seconds=11)
    escucha.main.poll()


def by_recheck(escucha: Keeping) -> None:
    escucha.clock.forward(minutes=11)
    escucha.main.recheck()


def by_stream(escucha: Keeping) -> None:
    with escucha.store.read() as tx:
        source = sources.get(tx, "source-0")
    page = sandbox.connect(sandbox.Settings(world=escucha.folder / "world.db")).poll("mentions", None)
    overhear(escucha.store, source, replace(page, cursor=None, more=False), now=escucha.clock())


@pytest.mark.parametrize("path", [by_poll, by_recheck, by_stream])
def test_an_edit_is_a_new_revision_read_again_and_withdraws_the_stale_draft(escucha: Keeping, path: Any) -> None:
    said = escucha.says("@marca va mal")
    escucha.main.poll()
    escucha.main.digest()
    (stale,) = escucha.drafts(DraftState.PROPOSED)
    escucha.clock.forward(seconds=5)
    escucha.network.edit(said, "@marca ¿a qué hora abrís?", at=escucha.clock())
    path(escucha)
    assert (escucha.mention(said).revision, escucha.mention(said).state) == (2, MentionState.NEW)
    (withdrawn,) = escucha.drafts(DraftState.EXPIRED)
    assert (withdrawn.id, withdrawn.reason) == (stale.id, "the mention was edited")
    escucha.main.digest()
    assert escucha.mention(said).state is MentionState.DECIDED
    with escucha.store.read() as tx:
        read = tx.execute(select(t.understandings.c.revision, t.understandings.c.intents)).all()
    assert [(row.revision, row.intents) for row in read] == [(1, ["complaint"]), (2, ["question"])]


@pytest.mark.parametrize("path", [by_poll, by_recheck, by_stream])
def test_what_is_deleted_there_is_deleted_here(escucha: Keeping, path: Any) -> None:
    said = escucha.says("@marca va mal")
    escucha.main.poll()
    escucha.main.digest()
    escucha.network.delete(said)
    path(escucha)
    assert escucha.mention(said).state is MentionState.GONE
    assert [draft.text for draft in escucha.drafts()] == [""]


def test_what_has_grown_older_than_the_network_allows_is_emptied_with_its_drafts(escucha: Keeping) -> None:
    escucha.with_facts(keep=timedelta(days=90))
    old = escucha.says("@marca va mal")
    escucha.main.poll()
    escucha.main.digest()
    escucha.clock.forward(days=10)
    young = escucha.says("@marca va peor")
    escucha.main.poll()
    assert escucha.main.forget() == 0
    escucha.clock.forward(days=80, seconds=1)
    assert escucha.main.forget() == 1
    gone = escucha.mention(old)
    assert (gone.state, gone.text, gone.quoted, gone.url) == (MentionState.GONE, "", "", None)
    assert gone.gone_at == escucha.clock()
    assert escucha.mention(young).text == "@marca va peor"
    (draft,) = escucha.drafts()
    assert (draft.state, draft.text, draft.reason) == (DraftState.EXPIRED, "", "kept no longer than sandbox allows")
    with escucha.store.read() as tx:
        assert mentions.raw(tx, gone.id) == {}
        assert tx.execute(select(t.understandings)).all() == []
        (entry,) = [e for e in audit.about(tx, f"mention {gone.id}") if e.action == "mention.forgotten"]
        assert (entry.by, entry.detail) == ("daemon", {"reason": "kept no longer than sandbox allows"})
    assert escucha.main.forget() == 0


def test_what_was_forgotten_and_is_heard_again_stays_forgotten(escucha: Keeping) -> None:
    escucha.with_facts(keep=timedelta(days=90))
    said = escucha.says("@marca va mal")
    escucha.main.poll()
    escucha.clock.forward(days=91)
    escucha.main.forget()
    by_stream(escucha)
    assert escucha.mention(said).text == ""


def test_age_is_minded_while_the_network_is_away_and_after_its_account_has_left(escucha: Keeping) -> None:
    escucha.with_facts(keep=timedelta(days=90))
    said = escucha.says("@marca va mal")
    escucha.main.poll()
    with escucha.store.write() as tx:
        sources.sync(tx, [], escucha.clock())
    escucha.network.fail("poll", Fault.AUTH_FAILED, times=1000)
    escucha.clock.forward(days=91)
    escucha.main.once()
    assert escucha.mention(said).text == ""


def test_a_network_that_is_gone_stops_nothing(escucha: Keeping) -> None:
    def unknown(_network: str) -> Facts:
        raise Mistake("There is no such network.")

    escucha.says("@marca va mal")
    escucha.main.poll()
    escucha.main.connections._network_facts = unknown
    assert escucha.main.forget() == 0


def test_without_a_limit_nothing_is_forgotten(escucha: Keeping) -> None:
    said = escucha.says("@marca va mal")
    escucha.main.poll()
    escucha.clock.forward(days=4000)
    assert escucha.main.forget() == 0
    assert escucha.mention(said).text


def fill(escucha: Keeping, number: int, *, age: timedelta = timedelta(days=30)) -> None:
    """That many posts, heard a while ago and never looked up since."""
    now = escucha.clock()
    with escucha.store.write() as tx:
        account = tx.execute(
            insert(t.accounts).values(network="sandbox", external_id="x", handle="x", folded="x", first_seen_at=now)
        )
        same = {
            "network": "sandbox",
            "source_id": 1,
            "account_id": account.inserted_primary_key[0],
            "state": "decided",
            "revision": 1,
            "kind": "found",
            "visibility": "public",
            "text": "hola",
            "media": [],
            "raw": {},
            "heard_at": now - age,
            "checked_at": now - age,
        }
        rows = [
            {**same, "external_id": f"post-{n}", "posted_at": now - age - timedelta(seconds=n)} for n in range(number)
        ]
        tx.execute(insert(t.mentions), rows)


def test_one_round_looks_up_as_much_as_forty_requests_can(escucha: Keeping) -> None:
    escucha.with_facts(rechecks=EVERY_20_HOURS)
    fill(escucha, 100)
    assert escucha.main.recheck() == 40  # none of them is there any more
    assert escucha.looks == [40]
    escucha.with_facts(rechecks=EVERY_20_HOURS, looks_at_once=100)
    escucha.main.recheck()
    assert escucha.looks == [60]


def test_a_network_that_tells_many_at_once_is_followed_for_tens_of_thousands_of_posts(escucha: Keeping) -> None:
    escucha.with_facts(rechecks=EVERY_20_HOURS, looks_at_once=100)
    rounds_in_20_hours, at_once = 20 * 60, stage.batches(escucha.facts) * 100
    assert rounds_in_20_hours * at_once >= 1_000_000
    escucha.with_facts(looks_at_once=1)
    assert rounds_in_20_hours * stage.batches(escucha.facts) * stage.REQUESTS >= 48_000
    fill(escucha, 950)
    escucha.with_facts(rechecks=EVERY_20_HOURS, looks_at_once=100)
    escucha.main.recheck()
    assert escucha.looks == [100] * 9 + [50]
    escucha.main.recheck()
    assert len(escucha.looks) == 10  # nothing is due before 20 hours have passed


def test_a_failing_network_ends_the_round_and_is_asked_again_later(escucha: Keeping) -> None:
    escucha.with_facts(rechecks=EVERY_20_HOURS, looks_at_once=100)
    fill(escucha, 300)
    escucha.network.fail("recheck", Fault.RATE_LIMITED)
    assert escucha.main.recheck() == 0
    assert escucha.looks == [100]
    assert escucha.main.recheck() == 0
    assert escucha.looks == [100]
    escucha.clock.forward(minutes=2)
    assert escucha.main.recheck() == 300


@pytest.mark.parametrize("at_once", [1, 2, 25, 40, 100, 1000])
def test_a_round_costs_about_as_many_requests_whatever_a_request_can_tell(at_once: int) -> None:
    facts = replace(sandbox.FACTS, looks_at_once=at_once)
    requests_for_one_batch = -(-max(at_once, stage.REQUESTS) // at_once)
    assert stage.REQUESTS / 2 <= stage.batches(facts) * requests_for_one_batch <= stage.REQUESTS


@pytest.mark.about_sqlite
def test_what_is_due_and_what_is_old_is_found_by_an_index(escucha: Keeping) -> None:
    fill(escucha, 200)
    asked: list[tuple[str, Any]] = []
    event.listen(
        escucha.store._engine, "before_cursor_execute", lambda _c, _k, sql, args, *_: asked.append((sql, args))
    )
    with escucha.store.read() as tx:
        mentions.to_recheck(tx, "care", due=EVERY_20_HOURS, now=escucha.clock(), limit=40)
        looks = asked[-1]
    escucha.with_facts(keep=timedelta(days=90))
    escucha.main.forget()
    ages = next((sql, args) for sql, args in asked if "posted_at <" in sql and "checked_at" not in sql)
    with escucha.store.read() as tx:
        for sql, args in (looks, ages):
            plan = " ".join(row[3] for row in tx.exec_driver_sql("EXPLAIN QUERY PLAN " + sql, args))
            assert "ix_mentions_still_here (source_id=? AND posted_at" in plan, plan


def test_who_is_looked_up_by_nobody_is_counted(escucha: Keeping) -> None:
    fill(escucha, 3)
    with escucha.store.read() as tx:
        assert mentions.unwatched(tx, ["care"]) == {}
        assert mentions.unwatched(tx, ["other"]) == {("care", "sandbox"): 3}
    escucha.main.recheck()
    with escucha.store.read() as tx:
        assert mentions.unwatched(tx, []) == {}


def test_an_empty_page_of_a_stream_changes_nothing(escucha: Keeping) -> None:
    with escucha.store.read() as tx:
        source = sources.get(tx, "source-0")
    assert overhear(escucha.store, source, Page(posts=(), cursor=None), now=escucha.clock()).cursor is None
