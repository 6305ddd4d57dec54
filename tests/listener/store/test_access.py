"""Accesses: kept as a digest, for what they are for alone, until they are taken back or run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from listener.errors import AlreadyDone, NotFound
from listener.store import Store, access, audit, tables

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def let_in(store: Store, *scopes: str, name: str = "prometheus", days: int | None = None) -> tuple[access.Access, str]:
    expires_at = NOW + timedelta(days=days) if days else None
    with store.write() as tx:
        return access.issue(tx, name, scopes, expires_at=expires_at, by="ana", now=NOW)


def test_the_words_stand_nowhere(store: Store) -> None:
    made, words = let_in(store, "metrics")
    with store.read() as tx:
        kept = str(tx.execute(select(tables.accesses)).all()) + str(audit.about(tx, f"access {made.id}"))
    assert words not in kept
    assert words.removeprefix("esc_") not in kept
    assert "access.made" in kept


def test_it_opens_what_it_is_for_and_nothing_else(store: Store) -> None:
    made, words = let_in(store, "metrics", "crm:erp")
    with store.read() as tx:
        assert access.find(tx, words, "metrics", NOW) == made
        assert access.find(tx, words, "crm:erp", NOW) == made
        for scope in ("crm:shop", "crm:", "crm", "", "m"):
            assert access.find(tx, words, scope, NOW) is None
        for other in (words.upper(), words[:-1], words + " ", "", made.name):
            assert access.find(tx, other, "metrics", NOW) is None


def test_it_ends_when_it_is_taken_back_and_when_its_days_are_over(store: Store) -> None:
    made, words = let_in(store, "metrics")
    _, short = let_in(store, "metrics", name="trial", days=1)
    with store.write() as tx:
        assert access.find(tx, short, "metrics", NOW + timedelta(hours=23))
        assert access.find(tx, short, "metrics", NOW + timedelta(days=1)) is None
        access.revoke(tx, made.id, by="ana", now=NOW)
        assert access.find(tx, words, "metrics", NOW) is None
        with pytest.raises(AlreadyDone):
            access.revoke(tx, made.id, by="ana", now=NOW)
        with pytest.raises(NotFound):
            access.revoke(tx, 99, by="ana", now=NOW)
        assert [each.action for each in audit.about(tx, f"access {made.id}")] == ["access.made", "access.revoked"]


def test_a_name_is_one_live_access(store: Store) -> None:
    made, _ = let_in(store, "metrics")
    with pytest.raises(AlreadyDone, match="prometheus-2"):
        let_in(store, "crm:erp")
    with store.write() as tx:
        access.revoke(tx, made.id, by="ana", now=NOW)
    again, _ = let_in(store, "metrics")
    assert again.id != made.id


def test_its_use_is_known_to_the_hour(store: Store) -> None:
    made, words = let_in(store, "metrics")
    assert not access.is_noted(made, NOW)
    with store.write() as tx:
        access.note_use(tx, made, NOW)
        found = access.find(tx, words, "metrics", NOW)
    assert found is not None
    assert access.is_noted(found, NOW + timedelta(minutes=59))
    assert not access.is_noted(found, NOW + timedelta(hours=1))
