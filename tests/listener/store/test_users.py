"""Users: one person however a name is written, never without an admin, and right also where two are at it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Store, audit, tables, tokens, users
from listener.store.users import Profile, User
from listener.types import Role
from tests.at_once import at_once

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
ADMIN = Profile(roles=(Role.ADMIN,), os_user="ana")
AGENT = Profile(roles=(Role.AGENT,), teams=("care",), skills=("roaming",), languages=("es",), capacity=3)


def added(store: Store, name: str, profile: Profile = AGENT) -> User:
    with store.write() as tx:
        return users.add(tx, name, profile, by="ana", now=NOW)


def test_a_user_is_read_as_they_were_written(store: Store) -> None:
    added(store, "ana", ADMIN)
    luis = added(store, "Luis  Peña")
    with store.read() as tx:
        assert users.get(tx, "LUIS PEÑA") == luis
        assert [each.name for each in users.listing(tx)] == ["ana", "Luis  Peña"]
    kept = (luis.roles, luis.teams, luis.skills, luis.languages, luis.capacity)
    assert kept == ((Role.AGENT,), ("care",), ("roaming",), ("es",), 3)


@pytest.mark.parametrize("name", ["ANA", "ａｎａ", " ana "])
def test_a_name_is_one_person_however_it_is_written(store: Store, name: str) -> None:
    added(store, "ana", ADMIN)
    with pytest.raises(AlreadyDone, match="There is a user ana already"):
        added(store, name)


def test_a_name_on_the_machine_is_one_persons(store: Store) -> None:
    added(store, "ana", ADMIN)
    with pytest.raises(AlreadyDone, match="ana on this machine is ana"):
        added(store, "luis", ADMIN)
    added(store, "luis")
    with store.write() as tx, pytest.raises(AlreadyDone, match="ana on this machine is ana"):
        users.change(tx, "luis", ADMIN, by="ana", now=NOW)


@pytest.mark.parametrize("profile", [AGENT, Profile(roles=(Role.ADMIN,)), Profile(roles=(Role.AGENT,), os_user="ana")])
def test_the_first_user_is_an_admin_whom_the_machine_knows(store: Store, profile: Profile) -> None:
    with pytest.raises(Mistake, match="first user must be an admin"):
        added(store, "ana", profile)
    with store.read() as tx:
        assert not users.there_are(tx)


@pytest.mark.parametrize(
    "to",
    [
        pytest.param(Profile(roles=(Role.SUPERVISOR,), os_user="ana"), id="another role"),
        pytest.param(Profile(roles=(Role.ADMIN,)), id="unknown to the machine"),
        pytest.param(None, id="disabled"),
    ],
)
def test_the_last_admin_stays(store: Store, to: Profile | None) -> None:
    added(store, "ana", ADMIN)
    added(store, "luis")

    def go() -> None:
        with store.write() as tx:
            if to is None:
                users.disable(tx, "ana", by="ana", now=NOW)
            else:
                users.change(tx, "ana", to, by="ana", now=NOW)

    with pytest.raises(Mistake, match="no admin who can act"):
        go()
    added(store, "marta", Profile(roles=(Role.ADMIN,)))  # nobody could tell that it is her
    with pytest.raises(Mistake, match="no admin who can act"):
        go()
    with store.write() as tx:
        token, _ = tokens.issue(tx, users.get(tx, "marta"), label="", expires_at=None, by="ana", now=NOW)
    go()
    with store.write() as tx, pytest.raises(Mistake, match="no admin who can act"):
        tokens.revoke(tx, token.id, by="ana", now=NOW)


def test_two_admins_cannot_disable_each_other_at_once(store: Store) -> None:
    added(store, "ana", ADMIN)
    added(store, "marta", Profile(roles=(Role.ADMIN,), os_user="marta"))

    def disabling(name: str) -> Callable[[], User]:
        def go() -> User:
            with store.write() as tx:
                return users.disable(tx, name, by="x", now=NOW)

        return go

    came = at_once(disabling("ana"), disabling("marta"))
    assert sorted(type(each).__name__ for each in came) == ["Mistake", "User"]
    with store.read() as tx:
        assert len(users.listing(tx)) == 1


def test_two_that_add_the_same_user_at_once_add_one(store: Store) -> None:
    added(store, "ana", ADMIN)
    came = at_once(*(lambda: added(store, "Luis"), lambda: added(store, "luis")))
    assert sorted(type(each).__name__ for each in came) == ["AlreadyDone", "User"]
    with store.read() as tx:
        assert len(users.listing(tx)) == 2
        assert len([entry for entry in audit.about(tx, "user Luis", "user luis")]) == 1


def test_what_changed_stands_in_the_audit_log_and_nothing_where_nothing_did(store: Store) -> None:
    added(store, "ana", ADMIN)
    added(store, "luis")
    with store.write() as tx:
        _, changed = users.change(tx, "luis", AGENT, by="ana", now=NOW)
        assert changed == ()
        became, changed = users.change(tx, "LUIS", Profile(roles=(Role.AGENT, Role.MODERATOR)), by="ana", now=NOW)
    assert set(changed) == {"roles", "teams", "skills", "languages", "capacity"}
    assert became.roles == (Role.AGENT, Role.MODERATOR)
    with store.read() as tx:
        actions = [entry.action for entry in audit.about(tx, "user luis")]
    assert actions == ["user.added", "user.changed"]


def test_whoever_left_comes_back(store: Store) -> None:
    added(store, "ana", ADMIN)
    added(store, "luis")
    with store.write() as tx:
        assert not users.disable(tx, "luis", by="ana", now=NOW).enabled
        assert [each.name for each in users.listing(tx)] == ["ana"]
    with store.write() as tx, pytest.raises(AlreadyDone):
        users.disable(tx, "luis", by="ana", now=NOW)
    with store.write() as tx:
        assert users.enable(tx, "luis", by="ana", now=NOW).enabled
    with store.write() as tx, pytest.raises(NotFound):
        users.disable(tx, "nobody", by="ana", now=NOW)


def test_an_absence_holds_from_its_beginning_to_its_end(store: Store) -> None:
    added(store, "ana", ADMIN)
    luis = added(store, "luis")
    begins, ends = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    with store.write() as tx:
        users.away(tx, luis, since=begins, until=ends, reason="", by="ana", now=NOW)
    with store.read() as tx:
        told = [bool(users.absent(tx, at)) for at in (NOW, begins, ends - timedelta(seconds=1), ends)]
    assert told == [False, True, True, False]
    with store.write() as tx:
        users.back(tx, luis, by="ana", now=begins)
        assert users.absent(tx, begins) == frozenset()
        with pytest.raises(AlreadyDone):
            users.back(tx, luis, by="ana", now=begins)


def test_a_token_is_kept_as_its_digest_and_holds_until_it_is_taken_back_or_runs_out(store: Store) -> None:
    added(store, "ana", ADMIN)
    luis = added(store, "luis")
    with store.write() as tx:
        lasting, words = tokens.issue(tx, luis, label="laptop", expires_at=None, by="ana", now=NOW)
        _, short = tokens.issue(tx, luis, label="", expires_at=NOW + timedelta(days=1), by="ana", now=NOW)
        kept = tx.execute(select(tables.user_tokens)).all()
        assert words not in str(kept)
        assert kept[0].digest == hashlib.sha256(words.encode()).hexdigest()
        assert words not in str(audit.about(tx, "user luis"))
        assert tokens.owner(tx, words, NOW) == (luis, lasting)
        assert tokens.owner(tx, words.upper(), NOW) is None
        assert tokens.owner(tx, short, NOW + timedelta(hours=23)) is not None
        assert tokens.owner(tx, short, NOW + timedelta(days=1)) is None
        assert not tokens.holds(tx, 99, NOW)
    with store.write() as tx:
        tokens.revoke(tx, lasting.id, by="ana", now=NOW)
        assert tokens.owner(tx, words, NOW) is None
        with pytest.raises(AlreadyDone):
            tokens.revoke(tx, lasting.id, by="ana", now=NOW)
