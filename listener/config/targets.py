"""Whom of us an alert reaches, and how: the sections `[alerts.NAME]`."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LEAST_KEY = 16  # bytes of a key that signs
TELLING = 16  # characters of an address's path from which on it may be a secret
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _addresses(value: object) -> object:
    """One, or several with commas between them, as the environment gives them."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


class Target(BaseModel):
    """One target: a webhook, or people by mail."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    webhook: str | None = Field(
        default=None,
        description="The https address that alerts are sent to; may come from the environment, if it holds a token",
    )
    secret: SecretStr | None = Field(
        default=None,
        description="What signs them, in base64 (`openssl rand -base64 32`); from the environment only",
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) to trust instead of the usual ones, for a webhook of your own"
    )
    mail: Annotated[tuple[str, ...], BeforeValidator(_addresses)] = Field(
        default=(), max_length=20, description="The addresses of people to write to, instead of a webhook"
    )
    account: str | None = Field(
        default=None, description="The account on the network `mail` that sends them, one of `[accounts.…]`"
    )
    hourly: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="So many messages an hour go out one by one; what comes beyond is gathered every few minutes",
    )

    @field_validator("webhook")
    @classmethod
    def _reachable(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("is no address; write it like https://hooks.brand.example/escucha.")
        if parts.username is not None or parts.fragment:
            raise ValueError("holds a login or a #; an address has neither, sign with `secret` instead.")
        if parts.scheme != "https" and not (parts.scheme == "http" and _here(host)):
            raise ValueError("must begin with https://; http is for this very machine only.")
        return value

    @field_validator("secret")
    @classmethod
    def _signs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(key_of(value)) < LEAST_KEY:
            raise ValueError(
                f"is no key of at least {LEAST_KEY} bytes in base64; make one with `openssl rand -base64 32`."
            )
        return value

    @field_validator("mail")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not _ADDRESS.fullmatch(address) or len(address) > 254:
                raise ValueError("holds something that is no mail address; write them like ana@brand.example.")
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _one_way(self) -> Target:
        if self.webhook and self.mail:
            raise ValueError("has `webhook` and `mail`; make two targets of it, a rule may name both.")
        if self.mail and not self.account:
            raise ValueError("lacks `account`: the account on the network `mail` that sends.")
        if not self.mail and self.account:
            raise ValueError("has `account` and no `mail`; add the addresses, or remove `account`.")
        if self.mail and (self.secret or self.ca_file):
            raise ValueError("has `secret` or `ca_file`, which are for a webhook; remove them.")
        return self

    @property
    def key(self) -> bytes | None:
        """What signs; None where nothing does."""
        return key_of(self.secret) if self.secret else None

    @property
    def place(self) -> str:
        """Where it goes, for people; of a webhook's address only the host, for the rest may be secret."""
        if self.mail:
            return ", ".join(self.mail)
        return urlsplit(self.webhook).hostname or "" if self.webhook else ""

    def secrets(self) -> list[str]:
        """What must not be shown: the key, and the address's path where it may hold a token."""
        found = [self.secret.get_secret_value()] if self.secret else []
        if self.webhook:
            parts = urlsplit(self.webhook)
            found += [text for text in (parts.path, parts.query) if len(text) >= TELLING]
        return found


def key_of(secret: SecretStr) -> bytes:
    """The bytes of a key written in base64, `whsec_` before it or not; none where it is no base64."""
    try:
        return base64.b64decode(secret.get_secret_value().strip().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
