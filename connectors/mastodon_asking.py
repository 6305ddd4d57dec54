"""One question to a Mastodon server through Mastodon.py, and its answer as it came or as one of our five errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mastodon import Mastodon, MastodonError

from connectors import faults
from connectors.plain import read_json
from connectors.wire import Wire
from listener.errors import RateLimited, Rejected, Unavailable

# We read the answers ourselves. Mastodon.py would warn of a deprecated address that it chose itself, fail a call that
# succeeded when it cannot read the reset time, and spend half a second on turning a page into its own types.
_NOT_FOR_THE_LIBRARY = ("deprecation", "link", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


class _Library(Mastodon):
    """Mastodon.py without the question that it puts before every hashtag: the hashtag's own answer tells as much."""

    def timeline_is_available(self, *_: Any, **__: Any) -> bool:
        return True


class Asking:
    """One account's way to its server. `api` is the library, to be called through `ask` alone."""

    def __init__(self, *, instance: str, host: str, token: str | None, wire: Wire, now: Callable[[], datetime]) -> None:
        self._host = host
        self._token = token
        self._wire = wire
        self._now = now
        wire.hide(_NOT_FOR_THE_LIBRARY, show_body=b"{}")
        # Given a version, the library looks none up; "throw", because "wait" would sleep inside a call.
        self.api = _Library(
            api_base_url=instance,
            session=wire,
            mastodon_version="4.6.0",
            version_check_mode="created",
            ratelimit_method="throw",
            user_agent="Escucha",
        )
        self.api.access_token = token  # set here: the constructor takes a token for a file name first

    def ask(
        self,
        call: Callable[..., Any],
        *args: Any,
        want: type = list,
        writing: bool = False,
        missing: bool = False,
        extra: Mapping[str, str] | None = None,
        patience: float = 0.0,
        **kwargs: Any,
    ) -> Any:
        """One request through the library; the JSON of the answer as it came, a `want`.

        `missing`: a 404 or 410 in the API's own words gives None. `extra`, `patience`: see `Wire.prepare_call`. Any
        other trouble is one of the five errors, OutcomeUnknown only while `writing`.
        """
        self._wire.prepare_call(extra, patience=patience)
        failure: BaseException | None = None
        try:
            call(*args, **kwargs)
        except MastodonError as error:  # whatever it made of the answer, we look at the answer itself
            failure = error
        answer = self._wire.answer
        if answer is None:
            lost = self._wire.failure or failure or RuntimeError("no answer")
            raise faults.of_failure(lost, where=self._host, writing=writing) from failure
        body = read_json(answer.body)
        if 200 <= answer.status < 300 and isinstance(body, want):
            return body
        said = body.get("error") if isinstance(body, dict) else None
        said = said if isinstance(said, str) else ""
        if missing and said and answer.status in (404, 410):
            return None
        if writing and answer.status == 403:  # this post, or our account altogether?
            self._check_token()
        secrets = [self._token] if self._token else []
        raise faults.of_status(
            answer.status,
            answer.headers,
            where=self._host,
            writing=writing,
            now=self._now(),
            said=said,
            secrets=secrets,
        ) from failure

    def _check_token(self) -> None:
        try:
            self.ask(self.api.account_verify_credentials, want=dict)
        except (RateLimited, Unavailable, Rejected):
            return
