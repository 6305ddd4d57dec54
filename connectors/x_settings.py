"""What it takes to reach X."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.hosts import is_loopback

API = "https://api.x.com"

_CONSOLE = "console.x.com, your project's app, “Keys and tokens”"
_OURS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_NAMES = (*_OURS, "bearer_token")


class Settings(BaseModel):
    """One account, by the app's four keys; or only reading, by the app's bearer token. Both together read best."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    consumer_key: SecretStr | None = Field(
        default=None,
        description="The app's API key; the four keys together read our mentions and write",
        json_schema_extra={"where": f"{_CONSOLE}: “Consumer Key”; the app needs the permission to read and write"},
    )
    consumer_secret: SecretStr | None = Field(
        default=None,
        description="The app's API key secret",
        json_schema_extra={"where": f"{_CONSOLE}: shown once, beside the consumer key", "needs": "consumer_key"},
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="Our account's access token for that app",
        json_schema_extra={
            "where": f"{_CONSOLE}: “Access Token”, generated after the permission was set",
            "needs": "consumer_key",
        },
    )
    access_token_secret: SecretStr | None = Field(
        default=None,
        description="Our account's access token secret",
        json_schema_extra={"where": f"{_CONSOLE}: shown once, beside the access token", "needs": "access_token"},
    )
    bearer_token: SecretStr | None = Field(
        default=None,
        description="Lets us search without an account, and count how many posts wait before we buy them",
        json_schema_extra={"where": f"{_CONSOLE}: “Bearer Token”"},
    )
    enterprise: bool = Field(
        default=False,
        description="Whether an Enterprise contract lifts the rule that only those who addressed us may be answered",
        json_schema_extra={"where": "Your contract with X; leave it out without one"},
    )
    most_per_look: int = Field(
        default=500,
        ge=100,
        le=10_000,
        description="How many posts one look of a search may buy (0.005 USD each); a larger flood is only sampled",
        json_schema_extra={"where": "Your choice: 500 posts are 2.50 USD"},
    )
    keep_days: int = Field(
        default=90,
        ge=1,
        le=90,
        description="For how many days a post is kept; each is looked up every 20 hours, up to 0.005 USD a day",
        json_schema_extra={"where": "Your choice: 1,000 kept posts cost up to 5 USD a day"},
    )
    included_billed: bool = Field(
        default=False,
        description="Whether authors, pictures and quoted posts that come along with a post are counted as paid for",
        json_schema_extra={"where": "Compare the Developer Console with `escucha status` after a day"},
    )
    api: str = Field(
        default=API,
        description="Where X's API is; anything else only makes sense in tests on this machine",
        json_schema_extra={"where": "Leave it out"},
    )

    @field_validator(*_NAMES)
    @classmethod
    def _read_secret(cls, value: SecretStr | None) -> SecretStr | None:
        secret = value.get_secret_value().strip() if value else ""
        if not re.fullmatch(r"[!-~]*", secret):
            raise ValueError("it holds a blank or a character that no key has; copy it again")
        return SecretStr(secret) if secret else None

    @field_validator("api")
    @classmethod
    def _read_api(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        parts = urlsplit(value)
        if value != API and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError(f"leave it out: our keys go to {API} and nowhere else")
        return value

    @model_validator(mode="after")
    def _read_all(self) -> Self:
        missing = [name for name in _OURS if getattr(self, name) is None]
        if 0 < len(missing) < len(_OURS):
            raise ValueError(f"an account needs all four keys; missing: {', '.join(missing)}")
        if missing and self.bearer_token is None:
            raise ValueError(f"X shows nothing without keys: give {', '.join(_OURS)}, or bearer_token to read only")
        return self

    @property
    def speaks(self) -> bool:
        """Whether there is an account, or only an app that reads."""
        return self.access_token is not None

    def secrets(self) -> list[str]:
        """Everything that no error may show."""
        return [value.get_secret_value() for name in _NAMES if (value := getattr(self, name)) is not None]
