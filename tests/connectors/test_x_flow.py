"""X through every stage: whom we answer, what an edit does, and what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import policies
from connectors.x import FACTS
from listener import store as stores
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import Store, decisions, inbox, mentions
from listener.store.mentions import Mention
from listener.store.sources import Wanted
from listener.types import DraftState, MentionState, PostKind
from tests import databases
from tests.connectors.test_x import WORD, connected
from tests.listener.flow.world import AUTO, Clock, Keywords
from tests.servers.x import BRAND, XServer


class Desk:
    """A company that listens to its mentions and to a word on X."""

    def __init__(self, folder: Path, server: XServer, **settings: Any) -> None:
        self.clock = Clock()
        self.store: Store = stores.open(databases.at(folder))
        self.pipeline = Pipeline(
            self.store,
            accounts={"care": "x"},
            connect=lambda _: connected(server, now=self.clock, **settings),
            network_facts=lambda _: FACTS,
            classifier=Keywords,
            policy=policies.load_text(AUTO),
            company=Company(case_pattern="ES", own_handles=frozenset()),
            clock=self.clock,
        )
        queries = {"mentions": "mentions", "search": WORD}
        self.pipeline.start(
            [
                Wanted(name=name, account="care", network="x", query=query, every=timedelta(seconds=10))
                for name, query in queries.items()
            ],
            by="test",
        )

    def round(self, **later: float) -> None:
        self.clock.forward(**(later or {"seconds": 11}))
        self.pipeline.once()

    def mention(self, external_id: str) -> Mention:
        with self.store.read() as tx:
            found = mentions.by_external_id(tx, "x", external_id)
        assert found is not None
        return found

    def drafts(self, *states: DraftState) -> list[inbox.Draft]:
        with self.store.read() as tx:
            return inbox.waiting(tx, states=states or tuple(DraftState))


@pytest.fixture
def server() -> Iterator[XServer]:
    with XServer() as running:
        yield running


def test_only_who_summoned_us_gets_a_draft(server: XServer, tmp_path: Path) -> None:
    named = server.person("ana").post("@marca ¿horario?")
    found = server.person("luis").post("telecom, ¿horario?")
    closed = server.person("eva").post(
        "¿telecom?", quotes=server.person(BRAND).post("Hola."), reply_settings="following"
    )
    desk = Desk(tmp_path, server)
    desk.round()
    desk.round()
    assert [row["reply_to"] for row in server.posts_by(BRAND) if row["reply_to"]] == [named]
    assert {draft.mention_id for draft in desk.drafts()} == {desk.mention(named).id}
    for post, kind, why in (
        (found, PostKind.FOUND, "only those who addressed us"),
        (closed, PostKind.MENTION, "only those whom its author follows"),
    ):
        mention = desk.mention(post)
        assert mention.kind is kind
        with desk.store.read() as tx:
            (decision,) = decisions.decisions_of(tx, mention.id)
        (stop,) = [guard["reason"] for guard in decision.trace["guards"] if guard["forbids"]]
        assert why in stop
    desk.store.close()


def test_an_edit_is_a_new_revision_and_the_answer_goes_to_the_newest_version(server: XServer, tmp_path: Path) -> None:
    first = server.person("ana").post("@marca todo mal")
    desk = Desk(tmp_path, server)
    desk.round()
    second = server.edit(first, "@marca ya no va tan mal")
    desk.round()
    mention = desk.mention(first)
    assert (mention.revision, mention.text) == (2, "@marca ya no va tan mal")
    assert mention.edited_at is not None
    (draft,) = desk.drafts(DraftState.PROPOSED)
    with desk.store.write() as tx:
        inbox.approve(tx, draft, by="mod", now=desk.clock())
    desk.round()
    (ours,) = server.posts_by(BRAND)
    assert ours["reply_to"] == second
    desk.store.close()


def test_what_is_no_longer_looked_up_is_no_longer_kept(server: XServer, tmp_path: Path) -> None:
    post = server.person("ana").post("@marca gracias", late=timedelta(minutes=5))
    server.person("luis").post("@marca gracias")  # the newest is seen again by every look
    desk = Desk(tmp_path, server, keep_days=2)
    desk.round()
    server.requests.clear()
    desk.round(hours=21)
    assert [seen.path for seen in server.requests].count("/2/tweets") == 1, "it was looked up again"
    desk.round(hours=30)
    assert desk.mention(post).state is MentionState.GONE
    assert desk.mention(post).text == ""
    desk.store.close()


def test_what_is_deleted_there_is_found_out_within_a_day(server: XServer, tmp_path: Path) -> None:
    post = server.person("ana").post("@marca gracias")
    desk = Desk(tmp_path, server)
    desk.round()
    server.delete(post)
    desk.round(hours=21)
    assert desk.mention(post).state is MentionState.GONE
    desk.store.close()
