"""What it takes to reach one Mastodon account."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.hosts import is_loopback
from listener.types import Visibility

_USUAL_PORTS = {"https": 443, "http": 80}
_LONGEST = 171  # of server and port: with an id of 128 behind it, all fits into the 300 characters that a store keeps


class Settings(BaseModel):
    """One account on one server, or none where only public hashtags are to be read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    instance: str = Field(
        description="Address of the server, such as https://mastodon.social",
        json_schema_extra={"where": "The part after the last @ of your account's full name, with https:// before it"},
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="Lets us read our mentions, search and answer; public hashtags usually need none",
        json_schema_extra={
            "where": "On your server: Preferences, Development, New application, with the scopes read, "
            "write:statuses and write:media; then copy “Your access token”"
        },
    )
    visibility: Visibility = Field(
        default=Visibility.UNLISTED,
        description="The widest visibility of our answers; an answer is never wider than the post it answers",
        json_schema_extra={"where": "Your choice; most servers ask automatic accounts to stay with unlisted"},
    )

    @field_validator("instance")
    @classmethod
    def _read_instance(cls, value: str) -> str:
        value = value.strip()
        if "://" not in value:
            value = f"https://{value}"
        try:
            parts, port = urlsplit(value), urlsplit(value).port
        except ValueError:
            raise ValueError("give the server's address, such as https://mastodon.social") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("give the server's address, such as https://mastodon.social")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("give the server's address alone, without a page on it")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("the address must begin with https://, or the token would travel in the open")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        if port and port != _USUAL_PORTS[parts.scheme]:
            host = f"{host}:{port}"
        if len(host) > _LONGEST:
            raise ValueError(f"the address is longer than {_LONGEST} characters")
        return f"{parts.scheme}://{host}"

    @field_validator("access_token")
    @classmethod
    def _read_token(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value else ""
        if not re.fullmatch(r"[!-~]*", token):
            raise ValueError("the token holds a blank or a character that no token has; copy it again")
        return SecretStr(token) if token else None
