"""The session that Salesforce's library speaks through, and its failures as our five errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from connectors import faults
from connectors.wire import Astray, Wire
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable

WHERE = "Salesforce"
OURS = ("salesforce.com", "force.com", "salesforce.mil", "cloudforce.com")  # whose servers its secrets may go to
USED_UP = 900.0  # seconds to wait where the calls of the day are used up and nobody says how long
LOGIN = "/services/oauth2/token"

# What the library raises by itself, and what it stumbles over in an answer that it did not expect.
STUMBLES = (
    requests.RequestException,
    HTTPError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)

_LIMITS = frozenset({"REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT"})
_LOGINS = frozenset({"INVALID_SESSION_ID", "INVALID_LOGIN", "INVALID_AUTH_HEADER", "API_DISABLED_FOR_ORG"})


class SalesforceWire(Wire):
    """Knows what was asked last, so that a failure can be told for what it is."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(hosts=[f".{each}" for each in OURS])
        self._secrets = secrets
        self._logging_in = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """One request, one answer."""
        self._logging_in = str(url).endswith(LOGIN)
        return super().request(method, url, *args, **kwargs)

    def told(self, error: BaseException, *, writing: bool, now: datetime) -> NetworkError:  # noqa: PLR0911 - a table
        """The error for what just happened. What was only asked to log in wrote nothing."""
        writing = writing and not self._logging_in
        answer = self.answer
        if isinstance(self.failure, Astray):  # a login, or a list's next page, named it
            return AuthFailed(f"{WHERE} names a server that is not {WHERE}'s; nothing was asked of it")
        if answer is None:
            return faults.of_failure(self.failure or error, where=WHERE, writing=writing)
        if type(error).__name__ == "SalesforceExpiredSession" and self._logging_in:  # new tokens are no good either
            return AuthFailed(f"{WHERE} gives us tokens and does not accept them")
        code, said = _reason(answer.body)
        if self._logging_in and code and answer.status < 500 and answer.status != 429:
            reason = faults.one_line(said or code, secrets=self._secrets)
            return AuthFailed(f"{WHERE} does not let us log in: “{reason}”")
        if answer.status == 300:
            return Rejected(f"{WHERE} has more than one record under that external id; mark its field as unique")
        if code == "REQUEST_LIMIT_EXCEEDED":
            wait = faults.seconds_to_wait(answer.headers, now=now) or USED_UP
            return RateLimited(f"{WHERE} has no API calls left for us today", retry_after=wait)
        if code in _LIMITS:
            return Unavailable(f"{WHERE} is busy ({code})")
        if code in _LOGINS:
            return AuthFailed(f"{WHERE} does not accept our credentials ({code})")
        if 200 <= answer.status < 300:
            unclear = OutcomeUnknown if writing else Unavailable
            return unclear(f"{WHERE} gave no usable answer ({answer.status})")
        return faults.of_status(
            answer.status,
            answer.headers,
            where=WHERE,
            writing=writing,
            now=now,
            said=f"{code}: {said}" if code else "",
            secrets=self._secrets,
        )


def _reason(body: bytes) -> tuple[str, str]:
    """Salesforce's own code and words in a refusal; empty where the answer is not of its API."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    first = said[0] if isinstance(said, list) and said else said
    if not isinstance(first, dict):
        return "", ""
    code = first.get("errorCode") or first.get("error")
    words = first.get("message") or first.get("error_description")
    return (code if isinstance(code, str) else ""), (words if isinstance(words, str) else "")
