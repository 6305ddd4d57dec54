"""What people say the model should have read: kept until the mention changes or goes, used once somebody looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from listener.errors import AlreadyDone, NotFound, Stale
from listener.store import Store, audit, corrections, erasing, mentions, sources, tables
from listener.store.corrections import Correction
from listener.store.mentions import Mention
from listener.store.sources import Wanted
from listener.types import Author, Post

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)


@pytest.fixture
def store(store: Store) -> Store:
    """Empty but for a source."""
    wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
    with store.write() as tx:
        sources.sync(tx, [wanted], NOW)
    return store


def heard(store: Store, text: str, external_id: str = "p1") -> Mention:
    """The post as it is now."""
    author = Author(external_id="a1", handle="ana")
    post = Post(external_id=external_id, author=author, text=text, posted_at=NOW)
    with store.write() as tx:
        source = sources.get(tx, "tag")
        mentions.save(tx, source_id=source.id, network="sandbox", posts=[post], now=NOW)
        found = mentions.by_external_id(tx, "sandbox", external_id)
    assert found is not None
    return found


def corrected(store: Store, mention: Mention, *labels: str, what: str = "areas") -> int:
    with store.write() as tx:
        return corrections.record(tx, mention, what=what, was=["router"], becomes=labels, by="ana", now=NOW)


def looked(store: Store, number: int, *, accept: bool = True) -> None:
    with store.write() as tx:
        corrections.look(tx, corrections.get(tx, number), accept=accept, by="luis", now=NOW)


def waiting(store: Store) -> list[Correction]:
    with store.read() as tx:
        return corrections.waiting(tx)


def accepted(store: Store, what: str = "areas") -> list[Correction]:
    with store.read() as tx:
        return corrections.accepted(tx, what)


def test_a_correction_waits_until_somebody_looked(store: Store) -> None:
    number = corrected(store, heard(store, "sin datos en Chile"), "roaming")
    (one,) = waiting(store)
    assert (one.id, one.text, one.was, one.becomes) == (number, "sin datos en Chile", ("router",), ("roaming",))
    assert (one.by, one.at, one.accepted, one.looked_by) == ("ana", NOW, None, None)
    assert accepted(store) == []
    looked(store, number)
    (one,) = accepted(store)
    assert (one.accepted, one.looked_by, one.looked_at) == (True, "luis", NOW)
    assert waiting(store) == accepted(store, "intents") == []


def test_a_dropped_one_is_never_used(store: Store) -> None:
    number = corrected(store, heard(store, "sin datos"), "roaming")
    looked(store, number, accept=False)
    assert waiting(store) == accepted(store) == []


def test_nobody_decides_twice(store: Store) -> None:
    number = corrected(store, heard(store, "sin datos"), "roaming")
    looked(store, number)
    with pytest.raises(AlreadyDone, match="decided already"):
        looked(store, number, accept=False)
    assert len(accepted(store)) == 1


def test_a_later_one_takes_the_place_of_an_earlier_under_another_number(store: Store) -> None:
    mention = heard(store, "sin datos")
    first = corrected(store, mention, "roaming")
    looked(store, first)
    corrected(store, mention, "complaint", what="intents")
    second = corrected(store, mention)
    assert second > first
    assert accepted(store) == []
    assert [(one.what, one.becomes) for one in waiting(store)] == [("intents", ("complaint",)), ("areas", ())]
    with store.read() as tx, pytest.raises(NotFound, match=f"no correction {first}"):
        corrections.get(tx, first)


def test_what_was_edited_is_no_example_any_more(store: Store) -> None:
    mention = heard(store, "sin datos")
    looked(store, corrected(store, mention, "roaming"))
    corrected(store, mention, "question", what="intents")
    heard(store, "sin datos, ya está resuelto")
    assert accepted(store) == waiting(store) == []
    with store.read() as tx:
        assert corrections.outdated(tx) == 2
    with pytest.raises(Stale, match="edited or deleted"):
        corrected(store, mention, "roaming")


def test_deleted_there_is_deleted_here(store: Store) -> None:
    mention, other = heard(store, "sin datos"), heard(store, "otra cosa", "p2")
    looked(store, corrected(store, mention, "roaming"))
    corrected(store, other, "router")
    with store.write() as tx:
        erasing.erase(tx, network="sandbox", external_ids=["p1"], now=NOW)
    with store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(tables.corrections)) == 1
    assert accepted(store) == []
    with pytest.raises(Stale):
        corrected(store, mention, "roaming")


def test_who_did_what_is_on_record_without_the_text(store: Store) -> None:
    mention = heard(store, "sin datos")
    looked(store, corrected(store, mention, "roaming"))
    looked(store, corrected(store, mention, "router"), accept=False)
    with store.read() as tx:
        entries = [each for each in audit.about(tx, f"mention {mention.id}") if "correct" in each.action]
    assert [(each.by, each.action) for each in entries] == [
        ("ana", "model.corrected"),
        ("luis", "correction.accepted"),
        ("ana", "model.corrected"),
        ("luis", "correction.dropped"),
    ]
    assert entries[0].detail == {"what": "areas", "was": ["router"], "becomes": ["roaming"]}
    assert "sin datos" not in str(entries)
