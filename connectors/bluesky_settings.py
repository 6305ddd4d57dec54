"""What it takes to read Bluesky: an account, or nothing but the public stream."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.hosts import is_loopback

STREAM = "wss://jetstream.us-east.bsky.network/xrpc/network.bsky.jetstream.subscribeEvents"

_HANDLE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Settings(BaseModel):
    """One account, or none where only the public stream is to be read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    handle: str | None = Field(
        default=None,
        description="Our account's handle, such as brand.bsky.social; without one only the public stream is read",
        json_schema_extra={"where": "Shown under your name on your profile, without the @", "ask": True},
    )
    app_password: SecretStr | None = Field(
        default=None,
        description="Lets us read our mentions, search and answer",
        json_schema_extra={
            "where": "Settings, Privacy and security, App passwords: make one for Escucha alone",
            "needs": "handle",
        },
    )
    service: str = Field(
        default="https://bsky.social",
        description="The server that keeps the account; change it only if the account is not at Bluesky's own",
    )
    session_file: Path = Field(
        default=Path("bluesky-sessions.json"),
        description="Where sessions are kept across restarts, since only few logins a day are allowed; it is secret",
    )
    jetstream: str = Field(
        default=STREAM,
        description='Address of the public stream of all posts; "" to do without it and only search',
    )
    appview: str = Field(
        default="https://public.api.bsky.app",
        description="Where the handles of those whom the stream found are looked up when there is no account",
    )

    @field_validator("handle")
    @classmethod
    def _read_handle(cls, value: str | None) -> str | None:
        handle = (value or "").strip().removeprefix("@").lower()
        if handle and (len(handle) > 253 or not _HANDLE.fullmatch(handle)):
            raise ValueError("give the whole handle, such as brand.bsky.social")
        return handle or None

    @field_validator("app_password")
    @classmethod
    def _read_password(cls, value: SecretStr | None) -> SecretStr | None:
        password = value.get_secret_value().strip() if value else ""
        if not password.isprintable():
            raise ValueError("the password holds a character that none has; copy it again")
        return SecretStr(password) if password else None

    @field_validator("service", "appview")
    @classmethod
    def _read_address(cls, value: str) -> str:
        value = value.strip()
        parts = _parts(value if "://" in value else f"https://{value}")
        if parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("give the server's address, such as https://bsky.social")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError("the address must begin with https://, or the password would travel in the open")
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("jetstream")
    @classmethod
    def _read_stream(cls, value: str) -> str:
        value = value.strip()
        if not value:
            return ""
        parts = _parts(value)
        if parts.scheme not in ("ws", "wss") or parts.query or parts.fragment:
            raise ValueError(f"give the stream's address, such as {STREAM}")
        if parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
            raise ValueError("the address must begin with wss://")
        return value

    @model_validator(mode="after")
    def _go_together(self) -> Settings:
        if self.handle and not self.app_password:
            raise ValueError("app_password is missing beside handle (make one under Settings, App passwords)")
        if self.app_password and not self.handle:
            raise ValueError("handle is missing beside app_password")
        if not self.handle and not self.jetstream:
            raise ValueError("there is nothing to read: give handle, or leave jetstream as it is")
        return self


def _parts(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.username or parts.password:
        raise ValueError("this is no address")
    return parts
