"""Signed POSTs to an address of the settings: alerts, and news to a CRM. No network: nobody is listened to here.

Headers and signature are those of Standard Webhooks (https://www.standardwebhooks.com, version 1): `webhook-id` is the
message's key, `webhook-timestamp` the Unix time of this attempt, `webhook-signature` is `v1,` and the base64 of the
HMAC-SHA256 over `id.timestamp.body`. The key is sent as `Idempotency-Key` too.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from connectors import faults
from connectors.wire import Wire, time_left
from listener.contract import Alerts
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected, Unavailable
from listener.types import AlertMessage

LARGEST = 16 * 1024  # bytes of an answer that are read, lest its sender break off; none of it is told to anybody


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and what proves that the body is from us."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class _Post(Wire):
    """Takes the status for the answer: what comes behind it may be cut short, endless or ill-made."""

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        with suppress(HTTPError, OSError, ValueError):
            while len(body) < LARGEST and time_left() > 0 and (piece := response.raw.read1(4096)):
                body += piece
        return bytes(body)


class Signed:
    """One address to post to. Follows no redirect, keeps no cookie, logs in nowhere, waits 28 seconds at most."""

    def __init__(
        self,
        url: str,
        *,
        key: bytes | None = None,
        ca_file: Path | None = None,
        now: Callable[[], datetime] | None = None,
        patience: float = 20.0,
    ) -> None:
        """`patience`: seconds that the receiver may be silent."""
        self._url = url
        self._where = urlsplit(url).hostname or "the webhook"
        self._key = key
        self._trusted: str | bool = str(ca_file) if ca_file else True
        self._now = now or (lambda: datetime.now(UTC))
        self._patience = patience

    def hand_over(self, key: str, fields: Mapping[str, Any]) -> None:
        """One POST under that key. Any 2xx is a yes, whatever comes with it."""
        body = json.dumps(fields).encode()
        now = self._now()
        timestamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Escucha",
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": timestamp,
        }
        if self._key:
            headers["webhook-signature"] = signature(self._key, key, timestamp, body)
        status, answered = self._post(body, headers)
        if not 200 <= status < 300:
            raise self._refusal(status, answered, now)

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer. Raises Unavailable where no status came."""
        host = urlsplit(self._url).hostname or ""
        with _Post(read_timeout=self._patience, deadline=self._patience + 8.0, hosts=[host]) as wire:
            try:
                found = wire.request("POST", self._url, data=body, headers=headers, verify=self._trusted)
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                raise faults.of_failure(error, where=self._where, writing=False) from error
            return found.status_code, dict(found.headers)

    def _refusal(self, status: int, headers: dict[str, str], now: datetime) -> NetworkError:
        """In our words alone: a receiver may repeat our address, of which every part may be the secret."""
        reason = f"{self._where} answered {status}"
        wait = faults.seconds_to_wait(headers, now=now)
        if status == 429 or (status == 503 and wait is not None):
            return RateLimited(reason, retry_after=wait)
        if status in (401, 403, 407):
            return AuthFailed(reason)
        if status in (408, 425) or status >= 500:
            return Unavailable(reason)
        if 300 <= status < 400:
            return Rejected(f"{self._where} sends us elsewhere ({status}), which is not followed")
        return Rejected(reason)


class Webhook(Signed, Alerts):
    """An address that alerts go to."""

    def alert(self, message: AlertMessage) -> str:
        """One POST of what programs get of it, which chat programs show as well."""
        self.hand_over(message.key, message.fields)
        return ""
