"""Passwords: kept as argon2id (RFC 9106), tried a few times in a row and then ever more slowly."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import datetime, timedelta
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from listener.errors import Mistake
from listener.store import Store, users
from listener.store.users import User

SHORTEST, LONGEST = 12, 1000  # characters
FREE_FAILURES = 5  # in a row, before one must wait
LONGEST_WAIT = timedelta(hours=1)
WRONG = "That is not the password of anybody who may sign in under that name."

_hasher = PasswordHasher()  # the library's settings, which follow RFC 9106


def check(words: str, name: str) -> str:
    """The password as it is kept and compared. Raises Mistake for one that would be guessed."""
    plain = unicodedata.normalize("NFKC", words)
    if len(plain) < SHORTEST:
        raise Mistake(f"The password has fewer than {SHORTEST} characters; a few words in a row make a good one.")
    if len(plain) > LONGEST:
        raise Mistake(f"The password has more than {LONGEST} characters.")
    known = users.folded(name)  # one of two letters stands in many a good password
    if (len(known) > 3 and known in users.folded(plain)) or len(set(plain)) < 5:
        raise Mistake("That password would be guessed: it holds the name, or hardly any different characters.")
    return plain


def hashed(words: str) -> str:
    """What is kept of a checked password."""
    return _hasher.hash(words.encode("utf-8", "surrogatepass"))


def wait(failures: int, failed_at: datetime | None, now: datetime) -> timedelta:
    """How long nobody may try again: nothing at first, then a minute, doubling, an hour at most."""
    if failures < FREE_FAILURES or failed_at is None:
        return timedelta(0)
    span = min(timedelta(minutes=2 ** min(failures - FREE_FAILURES, 10)), LONGEST_WAIT)
    return max(timedelta(0), failed_at + span - now)


def sign_in(store: Store, name: str, words: str, now: datetime) -> User:
    """Whose name and password these are. Raises Mistake, the same for a wrong name, a wrong password and who left.

    The attempt counts as failed until it succeeds: trying many at once wins nothing.
    """
    with store.write() as tx:
        tried = users.attempt(tx, name)
        if tried:
            still = wait(tried.failures, tried.failed_at, now)
            if still:
                minutes = -(-int(still.total_seconds()) // 60)
                raise Mistake(f"Too many wrong passwords for that name; try again in {minutes} min.")
            users.attempted(tx, tried.user, now=now)
    kept = tried.hashed if tried and tried.hashed else _nobodys()
    plain = unicodedata.normalize("NFKC", words)[: LONGEST + 1]
    right = _fits(kept, plain)  # also where there is nobody, so that the time it takes tells nothing
    if not (right and tried and tried.hashed and tried.user.enabled):
        raise Mistake(WRONG)
    again = hashed(plain) if _hasher.check_needs_rehash(kept) else None
    with store.write() as tx:
        found = users.by_id(tx, tried.user.id, lock=True)
        if not found.enabled:
            raise Mistake(WRONG)
        users.signed_in(tx, found, rehashed=again, now=now)
    return found


def _fits(kept: str, words: str) -> bool:
    try:
        return _hasher.verify(kept, words.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher.hash(secrets.token_bytes(16))
