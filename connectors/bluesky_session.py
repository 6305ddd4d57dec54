"""Sessions with a Bluesky server, kept in a file across restarts and shared by every process that reads it.

A server allows few logins (some ten a day were seen), so a session is made once, kept, and renewed with its refresh
token. That token is for one use: of two processes that renew at once, the second must find what the first one got. So
whoever renews holds the file's lock and reads the file again first. A file that cannot be read as what it should be is
mended by one new login. A refused login is not tried again for an hour, whoever asks.

The file holds one entry per account, readable by its owner alone (mode 0600), and is replaced as a whole.

Sources: docs.bsky.app/docs/advanced-guides/rate-limits, atproto.com/specs/xrpc (April 2026); the server's answers, as
the reference implementation gives them: 400 ExpiredToken and InvalidToken, 401 AuthenticationRequired,
AccountTakedown, AuthFactorTokenRequired.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from listener.errors import AuthFailed, Unavailable

_LOCK_PATIENCE = 60.0  # seconds; longer than the two calls that a holder may make
_ASK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Session:
    """Who we are there, and the tokens that prove it."""

    did: str
    handle: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Sessions:
    """The session of one account at one server.

    `login()` and `renew(refresh_token)` ask the server; `renew` gives None where the server knows that token no more.
    """

    def __init__(
        self,
        path: Path,
        *,
        account: str,
        login: Callable[[], Session],
        renew: Callable[[str], Session | None],
        now: Callable[[], datetime],
    ) -> None:
        self._path = path
        self._account = account
        self._login = login
        self._renew = renew
        self._now = now
        self._current: Session | None = None
        self._refused: tuple[datetime, str] | None = None

    @property
    def known(self) -> Session | None:
        """The session last used, without asking anybody."""
        return self._current

    def get(self) -> Session:
        """The session there is; a new one only where there is none. Whether it still holds, the server says."""
        self._current = self._current or self._read() or self.replace(None)
        return self._current

    def replace(self, stale: Session | None) -> Session:
        """A session other than this one, which holds no more: what another process got, a renewed or a new one."""
        with self._locked():
            kept = self._read()
            if kept and (stale is None or kept.access != stale.access):
                self._current = kept
                return kept
            session = self._renew(kept.refresh) if kept else None
            if session is None:
                session = self._log_in()
            self._write(session)
        self._current = session
        return session

    def _log_in(self) -> Session:
        now = self._now()
        if self._refused and timedelta(0) <= now - self._refused[0] < _ASK_AGAIN:
            raise AuthFailed(self._refused[1])
        try:
            session = self._login()
        except AuthFailed as refused:
            self._refused = (now, str(refused))
            raise
        self._refused = None
        return session

    # --- the file ---

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock", timeout=_LOCK_PATIENCE, mode=0o600):
                yield
        except Timeout as error:
            raise Unavailable("Another process has been renewing the Bluesky session for too long") from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise AuthFailed(
                f"The Bluesky session cannot be kept: {why}; make session_file a place to write"
            ) from error

    def _entries(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _read(self) -> Session | None:
        try:
            entry = self._entries().get(self._account)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise AuthFailed(f"The Bluesky session cannot be read: {why}; look at session_file") from error
        return read_session(entry)

    def _write(self, session: Session) -> None:
        entries = {**self._entries(), self._account: asdict(session)}
        # A temporary file is made for its owner alone, and so is what replaces the old one.
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entries, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def read_session(entry: object) -> Session | None:
    """A session from the file's entry; None where it is none."""
    if not isinstance(entry, dict):
        return None
    values = {name: entry.get(name) for name in ("did", "handle", "access", "refresh")}
    fit = all(isinstance(each, str) and each and each.isprintable() and each.isascii() for each in values.values())
    return Session(**values) if fit else None  # type: ignore[arg-type]
