"""Passwords: kept as argon2id, the same answer to whatever is wrong, and ever slower after too many tries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from listener import store as stores
from listener.desk import passwords
from listener.errors import Mistake
from listener.store import Store, tables, users
from listener.store.users import Profile
from listener.types import Role
from tests import databases

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
WORDS = "cuatro palabras sin sentido"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Ana has a password, Luis none."""
    opened = stores.open(databases.at(tmp_path))
    with opened.write() as tx:
        ana = users.add(tx, "ana", Profile(roles=(Role.ADMIN,), os_user="ana"), by="ana", now=NOW)
        users.add(tx, "luis", Profile(roles=(Role.ADMIN,), os_user="luis"), by="ana", now=NOW)
        users.set_password(tx, ana, passwords.hashed(passwords.check(WORDS, "ana")), by="ana", now=NOW)
    yield opened
    opened.close()


def test_the_right_one_opens_and_only_its_hash_is_kept(store: Store) -> None:
    assert passwords.sign_in(store, "ANA", WORDS, NOW).name == "ana"
    with store.read() as tx:
        (kept,) = [row.password for row in tx.execute(select(tables.users)) if row.password]
    assert kept.startswith("$argon2id$v=19$")
    assert WORDS not in kept


@pytest.mark.parametrize(("name", "words"), [("ana", WORDS + "x"), ("ana", ""), ("luis", WORDS), ("nobody", WORDS)])
def test_whatever_is_wrong_sounds_the_same(store: Store, name: str, words: str) -> None:
    with pytest.raises(Mistake) as raised:
        passwords.sign_in(store, name, words, NOW)
    assert str(raised.value) == passwords.WRONG


def test_whoever_left_does_not_get_in(store: Store) -> None:
    with store.write() as tx:
        users.disable(tx, "ana", by="luis", now=NOW)
    with pytest.raises(Mistake) as raised:
        passwords.sign_in(store, "ana", WORDS, NOW)
    assert str(raised.value) == passwords.WRONG


def test_forms_of_one_letter_are_one(store: Store) -> None:
    with store.write() as tx:
        composed = passwords.check("contraseña muy larga", "luis")
        users.set_password(tx, users.get(tx, "luis"), passwords.hashed(composed), by="luis", now=NOW)
    assert passwords.sign_in(store, "luis", "contrasen\u0303a muy larga", NOW).name == "luis"


def test_after_a_few_wrong_ones_even_the_right_one_must_wait(store: Store) -> None:
    for _ in range(passwords.FREE_FAILURES):
        with pytest.raises(Mistake, match="not the password"):
            passwords.sign_in(store, "ana", "falsa", NOW)
    with pytest.raises(Mistake, match="try again in 1 min"):
        passwords.sign_in(store, "ana", WORDS, NOW)
    assert passwords.sign_in(store, "ana", WORDS, NOW + timedelta(minutes=1)).name == "ana"
    with pytest.raises(Mistake, match="not the password"):  # the count began anew
        passwords.sign_in(store, "ana", "falsa", NOW + timedelta(minutes=1))


def test_many_at_once_try_no_more_than_one_by_one(store: Store) -> None:
    said: list[str] = []

    def guess() -> None:
        try:
            passwords.sign_in(store, "ana", "falsa", NOW)
        except Mistake as mistake:
            said.append(str(mistake))

    threads = [threading.Thread(target=guess) for _ in range(passwords.FREE_FAILURES + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert said.count(passwords.WRONG) == passwords.FREE_FAILURES
    assert len(said) == passwords.FREE_FAILURES + 4


def test_waiting_grows_to_an_hour_and_no_further() -> None:
    waits = [passwords.wait(failures, NOW, NOW) for failures in range(40)]
    assert waits[: passwords.FREE_FAILURES] == [timedelta(0)] * passwords.FREE_FAILURES
    assert waits[5:8] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=1)


@pytest.mark.parametrize(
    "words", ["corta", "x" * 11, "aaaaaaaaaaaaaaaa", "Ana Ruiz y más palabras", "ababababababab", "é" * 1001]
)
def test_what_would_be_guessed_is_refused(words: str) -> None:
    with pytest.raises(Mistake):
        passwords.check(words, "ana ruiz")


def test_a_name_of_two_letters_stands_in_many_a_good_password() -> None:
    assert passwords.check("limones azules en flor", "Li")
    with pytest.raises(Mistake, match="guessed"):
        passwords.check("limones de luisa en flor", "luis")
