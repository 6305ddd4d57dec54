"""One request to X and its answer: tweepy's words, our session, the bill, and one of the five errors for any trouble.

tweepy 4.17 has no time-out, turns a strange header into an exception of Python's own, raises what `requests` raises and
asks api.twitter.com. So the session is ours, and the answers are read as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
import tweepy

from connectors import faults
from connectors.plain import read_json
from connectors.wire import Wire
from connectors.x_money import Meter
from connectors.x_posts import dicts
from connectors.x_refusals import of_answer
from connectors.x_settings import API, Settings
from listener.errors import OutcomeUnknown, Unavailable

_LIBRARYS_HOST = "https://api.twitter.com"
_NOT_FOR_THE_LIBRARY = ("x-rate-limit-reset",)
_KEYS = ("bearer_token", "consumer_key", "consumer_secret", "access_token", "access_token_secret")


class _Session:
    """What tweepy takes for its session: our wire, and the host that X's documents name."""

    def __init__(self, wire: Wire, api: str) -> None:
        self._wire = wire
        self._api = api

    def request(self, method: str, url: str, **more: Any) -> requests.Response:
        return self._wire.request(method, self._api + url.removeprefix(_LIBRARYS_HOST), **more)


class Asking:
    """`client` has the library's calls; `ask` makes one of them; `meter` knows what they cost."""

    def __init__(self, settings: Settings, *, wire: Wire | None, now: Callable[[], datetime]) -> None:
        self.meter = Meter(now)
        self._now = now
        self._secrets = settings.secrets()
        self._wire = wire or Wire(proxies=settings.api == API, hosts=[urlsplit(settings.api).hostname or ""])
        self._wire.hide(_NOT_FOR_THE_LIBRARY, show_body=b"{}")
        given = {name: getattr(settings, name) for name in _KEYS}
        keys = {name: value.get_secret_value() for name, value in given.items() if value is not None}
        self.client = tweepy.Client(**keys, return_type=requests.Response, wait_on_rate_limit=False)
        self.client.session = _Session(self._wire, settings.api)

    def ask(
        self,
        call: Callable[..., Any],
        *args: Any,
        writing: bool = False,
        price: str = "",
        task: str = "",
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The JSON of the answer as it came. Arguments that are None are left out.

        `price` names what a call costs whatever it returns; it is paid when X did it, and when nobody knows. `task`
        says what X was to do where it was neither to show nor to post something.
        """
        self._wire.prepare_call()
        failure: BaseException | None = None
        try:
            call(*args, **{name: value for name, value in kwargs.items() if value is not None})
        except Exception as error:  # whatever the library made of the answer, we look at the answer itself
            if self._wire.answer is None and self._wire.failure is None:
                raise  # nothing was asked: a bug
            failure = error
        answer = self._wire.answer
        if answer is None:
            lost = self._wire.failure or failure or RuntimeError("no answer")
            wrong = faults.of_failure(lost, where="X", writing=writing)
        else:
            body = read_json(answer.body)
            if 200 <= answer.status < 300 and isinstance(body, dict):
                self._pay(price)
                return body
            wrong = of_answer(answer, body, writing=writing, task=task, now=self._now(), secrets=self._secrets)
        if isinstance(wrong, OutcomeUnknown):
            self._pay(price)
        raise wrong from failure

    def pause(self) -> float | None:
        """How long to wait because the last request was the last one allowed."""
        return faults.pause_after(self._wire.answer.headers, now=self._now()) if self._wire.answer else None

    def ahead(self) -> timedelta:
        """How far our clock is ahead of X's, by its last answer."""
        last = self._wire.answer
        return faults.clock_ahead(last.headers, now=self._now()) if last else timedelta(0)

    def _pay(self, price: str) -> None:
        if price:
            self.meter.request(price)


def rows_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The list that an answer holds; empty where X says that it found nothing.

    Raises Unavailable for what is no such answer.
    """
    data = body.get("data")
    if isinstance(data, list) or (data is None and (body.keys() & {"meta", "errors"})):
        return dicts(body, "data")
    raise Unavailable("X answered something that is no list of posts")


def strangers_in(body: Mapping[str, Any]) -> int:
    """How many things in that list are no posts at all."""
    data = body.get("data")
    return sum(not isinstance(each, dict) for each in data) if isinstance(data, list) else 0


def token_after(body: Mapping[str, Any]) -> str | None:
    """What asks for the page after this one."""
    meta = body.get("meta")
    token = meta.get("next_token") if isinstance(meta, dict) else None
    return token if isinstance(token, str) and 0 < len(token) <= 500 else None


def number_of(body: Mapping[str, Any], name: str) -> int | None:
    """A number that the answer tells about itself."""
    meta = body.get("meta")
    number = meta.get(name) if isinstance(meta, dict) else None
    return number if type(number) is int and number >= 0 else None
