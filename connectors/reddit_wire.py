"""praw with its own will taken away: it signs in and signs requests, each goes out once, and nothing ever sleeps.

Left alone, prawcore repeats every request on a time-out or a 5xx (a POST too), sleeps before requests as the headers
say, and fails on headers and bodies it does not expect. So it gets a session that shows it none of those, and a
strategy that never repeats; what Reddit said we read from the wire.
"""

from __future__ import annotations

import configparser
import sys
import threading
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, cast

import praw
import requests
from praw.config import Config
from prawcore.auth import Authorizer
from prawcore.sessions import RetryStrategy
from pydantic import SecretStr

from connectors import faults
from connectors.plain import read_json
from connectors.reddit_refusals import WHERE, of_answer, of_login
from connectors.reddit_settings import Settings
from connectors.wire import Answer, Wire
from listener.errors import AuthFailed, Unavailable

_LOGIN = "/api/v1/access_token"
_RENEW_BEFORE = 120.0  # seconds before its end that a token is no longer used
_LONGEST_TOKEN = 86_400.0
_NOT_FOR_THE_LIBRARY = (
    *("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-used"),
    *("retry-after", "www-authenticate", "content-length"),
)


class RedditWire(Wire):
    """The session beneath praw: of Reddit's answers it shows the library only whether they came, and the tokens."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """One request, one answer."""
        response = super().request(method, url, *args, **kwargs)
        response.encoding = "utf-8"  # or requests would guess, for minutes where the answer is large
        if not str(url).endswith(_LOGIN):
            response._content = b"{}"
        return response


class _Once(RetryStrategy):
    """Tries a request once."""

    def _sleep_seconds(self) -> float | None:
        return None

    def consume_available_retry(self) -> _Once:
        return self

    def should_retry_on_failure(self) -> bool:
        return False


class _Library(praw.Reddit):
    """praw for one login. Everything is given to it, and the only praw.ini that it reads is the one inside its package:
    other bots' files and variables on this machine have no say, and a broken file stops nobody.
    """

    def __init__(self, settings: Settings, wire: Wire, *, ours: bool) -> None:
        if Config.CONFIG is None:
            Config.CONFIG = configparser.ConfigParser(interpolation=None)
            Config.CONFIG.read_string(files("praw").joinpath("praw.ini").read_text(encoding="utf-8"))
        super().__init__(
            "DEFAULT",
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            username=settings.username if ours else None,
            password=_shown(settings.password) if ours else None,
            refresh_token=_shown(settings.refresh_token) if ours else None,
            redirect_uri=None,
            user_agent=user_agent(settings),
            oauth_url=settings.oauth_url,
            reddit_url=settings.reddit_url,
            check_for_updates=False,
            check_for_async=False,
            ratelimit_seconds=-1,
            requestor_kwargs={"session": wire},
        )
        assert self._core is not None
        self._core._retry_strategy_class = _Once
        self.authorizer: Authorizer = cast(Authorizer, self._core.authorizer)


class Login:
    """One way in: as our account (`ours`), or as a stranger who only has the app. Knows when its token ends."""

    def __init__(self, settings: Settings, wire: Wire, *, ours: bool, now: Any = None) -> None:
        self._wire = wire
        self._now = now or (lambda: datetime.now(UTC))
        self._library = _Library(settings, wire, ours=ours)
        wire.hide(_NOT_FOR_THE_LIBRARY)
        self._ends = 0.0  # of the token, on the clock that only goes forward
        self._one_at_a_time = threading.RLock()  # the library's token is shared, and a refusal takes it away
        secrets = (settings.client_secret, settings.password, settings.refresh_token)
        self._secrets = [shown for secret in secrets if (shown := _shown(secret))]

    def get(self, path: str, **params: str | int) -> dict[str, Any] | list[Any]:
        """Reddit's JSON at that path. Renews a token that is refused, once. Raises one of the five errors."""
        with self._one_at_a_time:
            self.sign_in()
            answer = self._once("GET", path, writing=False, params=params)
            if answer.status == 401:
                self._ends = 0.0
                self.sign_in()
                answer = self._once("GET", path, writing=False, params=params)
        return self._read(answer, writing=False)

    def post(self, path: str, **data: str | bool) -> dict[str, Any]:
        """Reddit's JSON to something that we write, asked for once whatever comes of it."""
        with self._one_at_a_time:
            self.sign_in()
            answer = self._once("POST", path, writing=True, data=data)
        if answer.status == 401:  # nothing was written: is it the token, or our account altogether?
            self._ends = 0.0
            self.get("api/v1/me")
            raise Unavailable("Reddit's token ended early; there is a new one now, and nothing was written meanwhile")
        read = self._read(answer, writing=True)
        return read if isinstance(read, dict) else {}

    def secrets(self) -> list[str]:
        """What no error may show."""
        token = self._library.authorizer.access_token
        return [*self._secrets, *([token] if token else [])]

    def sign_in(self) -> None:
        """A token that is good for some minutes yet."""
        if time.monotonic() < self._ends - _RENEW_BEFORE:
            return
        self._wire.prepare_call()
        began, failure = time.monotonic(), None
        try:
            self._library.authorizer.refresh()
        except Exception as error:  # noqa: BLE001  whatever it made of the answer, we look at the answer itself
            failure = error
        if failure is None and self._library.authorizer.access_token:
            body = read_json(self._wire.answer.body) if self._wire.answer else None
            lasts = body.get("expires_in") if isinstance(body, dict) else None
            self._ends = began + (min(lasts, _LONGEST_TOKEN) if isinstance(lasts, int | float) else 0.0)
            return
        answer = self._answer(failure, writing=False)
        raise of_login(
            answer.status, answer.headers, read_json(answer.body), now=self._now(), secrets=self._secrets
        ) from failure

    def _once(self, method: str, path: str, *, writing: bool, **what: Any) -> Answer:
        self._wire.prepare_call()
        failure: BaseException | None = None
        try:
            self._library.request(method=method, path=path, **what)
        except Exception as error:  # noqa: BLE001  as above
            failure = error
        return self._answer(failure, writing=writing)

    def _answer(self, failure: BaseException | None, *, writing: bool) -> Answer:
        """What came back; one of our errors when nothing did."""
        if self._wire.answer is not None:
            return self._wire.answer
        if self._wire.failure is None:
            raise failure or RuntimeError("praw asked nothing")
        raise faults.of_failure(self._wire.failure, where=WHERE, writing=writing) from self._wire.failure

    def _read(self, answer: Answer, *, writing: bool) -> dict[str, Any] | list[Any]:
        body = read_json(answer.body)
        if 200 <= answer.status < 300 and isinstance(body, dict | list):
            return body
        raise of_answer(answer.status, answer.headers, body, writing=writing, now=self._now(), secrets=self.secrets())


def user_agent(settings: Settings) -> str:
    """Who asks, as Reddit wants it: platform, app, version, and who answers for it."""
    try:
        ours = version("escucha")
    except PackageNotFoundError:
        ours = "0"
    return f"{sys.platform}:escucha:{ours} (by /u/{settings.developer or settings.username})"


def needs_account() -> AuthFailed:
    """For what only an account may do."""
    return AuthFailed("This needs an account on Reddit: username and password, or refresh_token, are missing")


def _shown(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
