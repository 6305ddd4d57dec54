"""A CRM of any make, by webhooks both ways: it posts its customers to us, and we post to it how things stand here.

Both ways headers and signature are those of Standard Webhooks (https://www.standardwebhooks.com, version 1), as
`connectors.webhooks` says. What comes in is one record, or `{"records": [...], "deleted": ["C-7", ...]}`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.crm_settings import Sends
from connectors.hosts import is_loopback
from connectors.webhooks import Signed, signature
from listener.contract import Crm, Delivers, Receives
from listener.errors import AuthFailed, Mistake, Rejected
from listener.types import CrmDelivery, CrmEvent, CrmRecord

LEAST_KEY = 16  # bytes of a key that signs
TOLERANCE = timedelta(minutes=5)  # by so much an event's time may differ from ours
LONGEST_ID = 200
MOST_RECORDS = 1000  # in one event


class Settings(BaseModel):
    """What it needs to be told."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secret: SecretStr | None = Field(
        default=None,
        description="What signs both ways, in base64 (`openssl rand -base64 32`); while you change it, the new one and "
        "the old one with a space between them. Needed where something is signed",
    )
    proof: Literal["signature", "token"] = Field(
        default="signature",
        description="How it proves that it posts to us: it signs with `secret`, or, where it cannot sign, it shows a "
        "`token` of `escucha access add NAME --for crm:…`",
    )
    url: str | None = Field(default=None, description="The https address that news go to; without it none go out")
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) to trust there instead of the usual ones"
    )
    sends: Sends = Field(default=("cases",), description="What it hears of: `cases`, `customers`, or both")
    texts: bool = Field(default=False, description="Whether it gets what people wrote: titles and last words of cases")
    receives: bool = Field(default=True, description="Whether it may post customers to us")
    id: str = Field(default="", description="Its own key of a record; empty: what is the reference")
    changed: str = Field(default="", description="Its time of the last change; then an older event changes nothing")
    fields: dict[str, str] = Field(
        default={}, description='Which of its fields is what here, as in `{mail = "email"}`; empty: as an import reads'
    )

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("is no address; write it like https://crm.brand.example/escucha.")
        if parts.username is not None or parts.fragment:
            raise ValueError("holds a login or a #; an address has neither, `secret` proves that it is us.")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
            raise ValueError("must begin with https://; http is for this very machine only.")
        return value

    @model_validator(mode="after")
    def _does_something(self) -> Settings:
        if not self.url and not self.receives:
            raise ValueError("neither sends nor receives; write `url`, or leave `receives` out.")
        if self.secret is None and (self.url or self.proof == "signature"):
            raise ValueError("lacks `secret`, which signs what goes to it and what comes from it.")
        return self

    @property
    def takes(self) -> frozenset[str]:
        """What it is told of."""
        return frozenset(self.sends) if self.url else frozenset()

    @property
    def gives(self) -> str:
        """How customers come from it, for people; empty where they do not."""
        return "posts them" if self.receives else ""


def keys_of(secret: SecretStr | None) -> list[bytes]:
    """The keys in a secret; an empty one for each that is no base64."""
    keys: list[bytes] = []
    for word in (secret.get_secret_value() if secret else "").split():
        try:
            keys.append(base64.b64decode(word.removeprefix("whsec_"), validate=True))
        except (binascii.Error, ValueError):
            keys.append(b"")
    return keys


def join(settings: Settings) -> Crm:
    """The CRM with these settings. Asks nothing yet. Raises Mistake for a secret that cannot sign."""
    return Webhooks(settings)


class Webhooks(Crm, Receives, Delivers):
    """One system that speaks by webhooks."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.naming = settings.fields
        self._settings = settings
        self._keys = keys_of(settings.secret)
        self._now = now
        if (settings.secret and not self._keys) or any(len(key) < LEAST_KEY for key in self._keys):
            raise Mistake(
                f"The secret of a CRM must be a key of at least {LEAST_KEY} bytes in base64; make one with "
                "`openssl rand -base64 32`."
            )

    def check(self) -> str:
        """Posts it a test, which its receiver may drop."""
        if not self._settings.url:
            return "it only posts to us; nothing is asked"
        key = f"test-{uuid4().hex}"
        self._post(key, {"version": 1, "key": key, "kind": "test"})
        return f"{urlsplit(self._settings.url).hostname} took a test message, signed"

    def deliver(self, delivery: CrmDelivery) -> str:
        """One POST under the delivery's key."""
        self._post(delivery.key, delivery.fields)
        return ""

    def _post(self, key: str, fields: Mapping[str, Any]) -> None:
        if not self._settings.url:
            raise Rejected("the settings name no url that news could go to")
        Signed(self._settings.url, key=self._keys[0], ca_file=self._settings.ca_file, now=self._now).hand_over(
            key, fields
        )

    def receive(self, headers: Mapping[str, str], body: bytes, *, let_in: bool = False) -> CrmEvent:
        """What came, if it is signed with one of our keys and of now, or its token let it in."""
        if self._settings.proof == "token":
            return self._let_in(headers, body, let_in=let_in)
        event = headers.get("webhook-id", "")
        stamp = headers.get("webhook-timestamp", "")
        if not event or len(event) > LONGEST_ID or not event.isascii() or not event.isprintable():
            raise AuthFailed(f"The header webhook-id is missing, or is no id of at most {LONGEST_ID} characters.")
        if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:
            raise AuthFailed("The header webhook-timestamp is missing, or holds no seconds since 1970.")
        proofs = headers.get("webhook-signature", "").encode("utf-8", "surrogatepass").split()
        ours = [signature(key, event, stamp, body).encode() for key in self._keys]
        if not any([hmac.compare_digest(proof, one) for proof in proofs for one in ours]):
            raise AuthFailed("The header webhook-signature does not prove that this was signed with our secret.")
        if abs(self._now().timestamp() - int(stamp)) > TOLERANCE.total_seconds():
            raise AuthFailed("This was signed more than five minutes ago, or one of our clocks is wrong; sign it anew.")
        return CrmEvent(id=event, records=tuple(self._records(body)))

    def _let_in(self, headers: Mapping[str, str], body: bytes, *, let_in: bool) -> CrmEvent:
        """Who gives an event no id of its own may send it twice: then it is written twice, and changes nothing."""
        if not let_in:
            raise AuthFailed("The header Authorization shows no token that may post for this CRM.")
        event = headers.get("webhook-id", "") or f"unnamed-{uuid4().hex}"
        if len(event) > LONGEST_ID or not event.isascii() or not event.isprintable():
            raise Rejected(f"The header webhook-id is no id of at most {LONGEST_ID} characters.")
        return CrmEvent(id=event, records=tuple(self._records(body)))

    def _records(self, body: bytes) -> list[CrmRecord]:
        try:
            said = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise Rejected("The body is no JSON in UTF-8.") from None
        if not isinstance(said, dict):
            raise Rejected('The body is no JSON object; send one record, or {"records": [...]}.')
        if "records" not in said and "deleted" not in said:
            return [self._record(said)]
        records, deleted = said.get("records", []), said.get("deleted", [])
        if not isinstance(records, list) or not isinstance(deleted, list):
            raise Rejected('`records` and `deleted` are lists; send {"records": [...], "deleted": [...]}.')
        if len(records) + len(deleted) > MOST_RECORDS:
            raise Rejected(f"One event holds at most {MOST_RECORDS} records; send several events.")
        found = [self._record(each) for each in records]
        return [*found, *(CrmRecord(id=self._id(each), values={}, gone=True) for each in deleted)]

    def _record(self, said: Any) -> CrmRecord:
        if not isinstance(said, dict):
            raise Rejected("Something in `records` is no JSON object.")
        changed = said.get(self._settings.changed) if self._settings.changed else None
        return CrmRecord(id=self._id(said.get(self._key_of_records)), values=said, changed_at=_moment(changed))

    @property
    def _key_of_records(self) -> str:
        references = [theirs for theirs, ours in self.naming.items() if ours == "reference"]
        return self._settings.id or (references[0] if references else "reference")

    def _id(self, value: Any) -> str:
        text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
        if not text or len(text) > LONGEST_ID or not text.isprintable():
            raise Rejected(f"A record has no {self._key_of_records!r}, by which we would know it again.")
        return text


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _moment(value: Any) -> datetime | None:
    """A time in ISO 8601, or in seconds since 1970; without a zone it is UTC. None where it is neither."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
