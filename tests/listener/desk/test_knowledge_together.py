"""Two people at the same article at once: one wins, the other is told, and nothing is out twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listener.desk import knowledge
from listener.errors import Mistake
from listener.store import articles, made_from, quotes, tables
from listener.store.made_from import Source
from listener.store.quotes import Quote
from listener.types import VERSION_MOVES, VersionState
from tests.listener.desk.shelf_world import MODEL, NOW, ROUTER, Shelf, embed


def at_once(*does: Callable[[], object]) -> list[str]:
    """What became of each, done by as many threads in the same moment: `done`, or the mistake's first words."""
    start = Barrier(len(does))

    def one(do: Callable[[], object]) -> str:
        start.wait()
        try:
            do()
        except Mistake as mistake:
            return str(mistake)
        return "done"

    with ThreadPoolExecutor(len(does)) as people:
        return list(people.map(one, does))


def test_of_two_edits_of_one_version_one_is_kept(shelf: Shelf) -> None:
    first = shelf.writes()
    texts = [replace(ROUTER, answer=f"Espere {minutes} minutos.") for minutes in (5, 9)]
    told = at_once(*(lambda text=text: shelf.rewrites(first, text) for text in texts))
    assert sorted(each == "done" for each in told) == [False, True]
    assert "wrote K1@2 meanwhile" in next(each for each in told if each != "done")
    assert shelf.article(first).newest == 2


def test_of_two_who_publish_one_does(shelf: Shelf) -> None:
    written = shelf.accepts(shelf.writes())

    def publish(by: str) -> None:
        with shelf.store.write() as tx:
            knowledge.publish(tx, articles.get(tx, 1), model=MODEL, embed=embed, by=by, now=NOW)

    told = at_once(lambda: publish("luis"), lambda: publish("eva"))
    assert sorted(each == "done" for each in told) == [False, True]
    assert shelf.now_is(written).state is VersionState.PUBLISHED


def test_a_reply_is_made_of_what_is_out_or_of_nothing(shelf: Shelf) -> None:
    """Whoever takes an answer while it is retired is told, or their draft is flagged; it never looks up to date."""
    out = shelf.publishes(shelf.writes())
    source = Source(article_id=1, number=1, language="es")
    draft_id = _a_draft(shelf)

    def take() -> None:
        with shelf.store.write() as tx:
            made_from.note(tx, draft_id, source, by="ana", now=NOW)

    told = at_once(take, lambda: shelf.retires(out))
    assert told[1] == "done"
    with shelf.store.read() as tx:
        made = made_from.of_drafts(tx, [draft_id])
    if told[0] == "done":
        assert made[draft_id].outdated == "K1@1 is retired"
    else:
        assert "replaced or retired just now" in told[0]
        assert made == {}


def _a_draft(shelf: Shelf) -> int:
    """A draft that waits, with as little around it as the tables allow."""
    with shelf.store.write() as tx:
        source = {"name": "s", "account": "a", "network": "n", "query": "q", "every_seconds": 60, "next_poll_at": NOW}
        tx.execute(tables.sources.insert().values(id=1, **source))
        author = {"network": "n", "external_id": "x", "handle": "ana", "folded": "ana", "first_seen_at": NOW}
        tx.execute(tables.accounts.insert().values(id=1, **author))
        heard = {
            "network": "n", "external_id": "p", "source_id": 1, "account_id": 1, "state": "decided", "kind": "mention",
            "visibility": "public", "text": "x", "media": [], "raw": {}, "posted_at": NOW, "heard_at": NOW,
            "checked_at": NOW,
        }  # fmt: skip
        tx.execute(tables.mentions.insert().values(id=1, **heard))
        draft = {
            "mention_id": 1, "send_key": "k", "state": "proposed", "account": "a", "text": "x", "language": "es",
            "template": "t", "length": 1, "length_limit": 500, "urgency_rank": 1, "revision": 1, "policy_version": "p",
            "proposed_at": NOW, "queue_at": NOW,
        }  # fmt: skip
        return int(tx.execute(tables.drafts.insert().values(**draft).returning(tables.drafts.c.id)).scalar_one())


def test_words_are_taken_out_of_every_version_wherever_they_stand(shelf: Shelf) -> None:
    theirs = "La luz roja dice que no llega señal de fibra."
    first = shelf.publishes(shelf.writes())
    second = shelf.rewrites(first, replace(ROUTER, title=f"{theirs} ¿Y ahora?", answer=f"Dice: {theirs}"))
    _a_draft(shelf)
    with shelf.store.write() as tx:
        case = {
            "reference": "ES-1", "state": "resolved", "title": "t", "team": "care", "urgency_rank": 1, "tags": [],
            "opened_at": NOW, "opened_by": "x", "changed_at": NOW, "promise": {}, "skills": [],
            "minutes_per_point": 1, "queue_at": NOW,
        }  # fmt: skip
        tx.execute(tables.cases.insert().values(id=1, **case))
        quotes.keep(tx, [Quote(article_id=1, case_id=1, mention_id=1, draft_id=None, words=theirs)])
    with shelf.store.write() as tx:
        assert quotes.forget(tx, [1, 99], by="daemon", now=NOW) == (1,)
        assert quotes.forget(tx, [1, 99], by="daemon", now=NOW) == ()
    for version in (first, second):
        text = shelf.now_is(version).written.texts["es"]
        assert theirs not in text.title + text.answer + text.body
        assert "…" in text.body
    assert shelf.article(first).doubt == quotes.WHY
    assert shelf.finds("luz roja") == []


STEPS = st.lists(st.sampled_from(["edit", "accept", "return", "publish", "retire", "look"]), max_size=12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, people=st.lists(st.sampled_from(["ana", "luis", "eva"]), min_size=12, max_size=12))
def test_whatever_people_do_nothing_is_out_that_only_its_authors_read(
    shelf: Shelf, steps: list[str], people: list[str]
) -> None:
    made = shelf.writes(by="ana")
    for at, (step, by) in enumerate(zip(steps, people, strict=False)):
        try:
            _do(shelf, made.article_id, step, by, at)
        except Mistake:
            continue
    with shelf.store.read() as tx:
        article = articles.get(tx, made.article_id)
        versions = articles.versions(tx, article)
        found = {hit.article_id for hit in shelf.finds("luz roja router", limit=500)}
    out = [each for each in versions if each.state is VersionState.PUBLISHED]
    assert [each.number for each in out] == ([article.published] if article.published else [])
    assert (article.id in found) == bool(out)
    assert [each.number for each in versions] == list(range(1, article.newest + 1))
    for each in versions:
        if each.published_by is not None:
            assert each.reviewed_by not in (None, each.written_by)
    assert sum(each.state in knowledge.UNPUBLISHED for each in versions) <= 1


def _do(shelf: Shelf, article_id: int, step: str, by: str, at: int) -> None:
    with shelf.store.write() as tx:
        article = articles.get(tx, article_id)
        newest = articles.version(tx, article, article.newest)
        match step:
            case "edit":
                written = knowledge.changed(newest.written, {"es": replace(ROUTER, answer=f"luz roja {at}")})
                knowledge.rewrite(tx, article, written, based_on=newest.number, why="", by=by, now=NOW)
            case "accept":
                knowledge.accept(tx, article, newest.number, note="", by=by, now=NOW)
            case "return":
                knowledge.send_back(tx, article, newest.number, note="no", by=by, now=NOW)
            case "publish":
                knowledge.publish(tx, article, model=MODEL, embed=embed, by=by, now=NOW)
            case "retire":
                knowledge.retire(tx, article, why="x", by=by, now=NOW)
            case "look":
                articles.looked(tx, article, by=by, now=NOW)


@pytest.mark.parametrize("state", list(VersionState))
def test_no_state_leads_back(state: VersionState) -> None:
    """State only moves forward: from no state is there a way to itself."""
    reached, ahead = set[VersionState](), [state]
    while ahead:
        for to in VERSION_MOVES[ahead.pop()] - reached:
            reached.add(to)
            ahead.append(to)
    assert state not in reached
