"""Doors: who of other programs may come in, by the token that they show. `METRICS` opens what is measured.

Door(store, METRICS, clock).opens(headers.get("Authorization", ""))
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from listener.errors import Mistake, Outage
from listener.log import logger
from listener.store import Store, access
from listener.store.tokens import digest

log = logger(__name__)

METRICS = "metrics"
CRM = "crm:"  # and the CRM's name: posting for it
REMEMBERED = timedelta(minutes=10)  # a yes counts for so long while the database is away
LONGEST = 200  # characters of a token
PATIENCE = 1.0  # seconds that a stranger waits for those before them
_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)
_CRM = re.compile(r"crm:[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def checked_scope(said: str) -> str:
    """The scope that a person wrote. Raises Mistake for one that opens nothing."""
    scope = said.strip().lower()
    if scope != METRICS and (len(scope) > 100 or not _CRM.fullmatch(scope)):
        raise Mistake(f"{said[:40]!r} opens nothing; write metrics, or crm: and the name of a CRM, such as crm:erp.")
    return scope


def shown(authorization: str) -> str:
    """The token in a header `Authorization: Bearer …`; empty where there is none."""
    match = _BEARER.fullmatch(authorization.strip())
    return match[1] if match and len(match[1]) <= LONGEST else ""


class Door:
    """One door. Asks the database each time, so that a token that was taken back opens nothing from then on.

    Strangers are asked after one at a time: however many come, they take one connection, and nobody who was let in
    before waits for them.
    """

    def __init__(self, store: Store, scope: str, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._scope = scope
        self._clock = clock
        self._opened: dict[str, datetime] = {}  # by digest: when it last opened
        self._lock = threading.Lock()
        self._strangers = threading.Lock()

    def opens(self, authorization: str) -> bool:
        """Whether that header shows a token for this door.

        Raises Outage where nobody can say, for what it did not open a few minutes ago: the database is away, or too
        many strangers ask.
        """
        words = shown(authorization)
        if not words:
            return False
        key, now = digest(words), self._clock()
        with self._lock:
            before = self._opened.get(key)
        try:
            found = self._find_stranger(words, now) if before is None else find(self._store, words, self._scope, now)
        except Outage:
            if before is not None and now - before < REMEMBERED:
                return True
            raise
        with self._lock:
            self._opened.pop(key, None)
            if found:
                self._opened[key] = now
        return found

    def _find_stranger(self, words: str, now: datetime) -> bool:
        if not self._strangers.acquire(timeout=PATIENCE):
            raise Outage("Too many who were never let in ask at once.")
        try:
            return find(self._store, words, self._scope, now)
        finally:
            self._strangers.release()


def find(store: Store, words: str, scope: str, now: datetime) -> bool:
    """Whether that token opens that scope now; writes down that it did. Raises Outage."""
    with store.read() as tx:
        found = access.find(tx, words, scope, now)
    if found is None:
        return False
    if not access.is_noted(found, now):
        try:
            with store.write() as tx:
                access.note_use(tx, found, now)
        except Outage as error:  # a full disk closes no door
            log.debug("That an access was used is not noted.", action="access_use", reason=str(error))
    return True
