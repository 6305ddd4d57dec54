"""How many there are of everything: exact as far as people count, and as quick in a long history as in a short one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from listener import store as stores
from listener.store import Store, sources, stats
from listener.store import tables as t
from listener.store.sources import Wanted
from listener.types import CaseState, DraftState, MentionState
from tests import databases

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
MANY = stats.MOST + 50


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A source that a single person wrote to, very often; of every five hundred mentions one is not read yet."""
    opened = stores.open(databases.at(tmp_path))
    wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
    who: dict[str, Any] = {"network": "sandbox", "first_seen_at": NOW, "handle": "ana", "folded": "ana"}
    said: dict[str, Any] = {"network": "sandbox", "account_id": 1, "kind": "mention", "visibility": "public"}
    said |= {"text": "sin luz", "media": [], "raw": {}, "posted_at": NOW, "heard_at": NOW, "checked_at": NOW}
    with opened.write() as tx:
        sources.sync(tx, [wanted], NOW)
        tx.execute(insert(t.accounts).values(id=1, external_id="a", **who))
        rows = [
            {"id": n, "external_id": f"m{n}", "source_id": 1, "state": "decided" if n % 500 else "new", **said}
            for n in range(1, MANY + 1)
        ]
        tx.execute(insert(t.mentions), rows)
    yield opened
    opened.close()


def test_what_waits_is_counted_and_a_long_history_to_its_limit(store: Store) -> None:
    with store.read() as tx:
        found = stats.counts(tx)
    assert found.mentions == {"new": 20, "understood": 0, "decided": stats.MOST, "gone": 0}
    assert (found.decided, found.troubled, found.unrouted) == (0, 0, 0)
    assert set(found.drafts) == {each.value for each in DraftState}
    assert set(found.cases) == {each.value for each in CaseState}


def test_up_to_the_limit_every_count_is_exact(store: Store) -> None:
    with store.write() as tx:
        state = MentionState.GONE.value
        tx.execute(update(t.mentions).where(t.mentions.c.id > 9000).values(state=state, trouble="it broke"))
        found = stats.counts(tx)
    assert found.mentions == {"new": 18, "understood": 0, "decided": 8982, "gone": MANY - 9000}
    assert found.troubled == MANY - 9000


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0"), (9_999, "9,999"), (10_000, "10,000 or more")], ids=["none", "exact", "more"]
)
def test_what_was_not_counted_to_its_end_says_so(number: int, words: str) -> None:
    assert stats.told(number) == words
