"""What it takes to reach Reddit with one account, or to read it without one."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.hosts import is_loopback

FOOTER = 300  # characters

_NAME = re.compile(r"[A-Za-z0-9_-]{2,24}")
_APPS = "On reddit.com/prefs/apps, after Reddit has approved your use of its API"


class Settings(BaseModel):
    """One registered app, and the account in whose name it reads and writes, if any."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    client_id: str = Field(
        description="The id of your registered app",
        json_schema_extra={"where": f"{_APPS}: the letters under the app's name"},
    )
    client_secret: SecretStr = Field(
        description="The secret of your registered app",
        json_schema_extra={"where": f"{_APPS}: the line “secret”"},
    )
    username: str | None = Field(
        default=None,
        description="The account that is listened for and that answers",
        json_schema_extra={
            "where": "Its name without u/; leave it out to read subreddits and search without one",
            "ask": True,
        },
    )
    developer: str | None = Field(
        default=None,
        description="The Reddit name of whoever answers for the app, told to Reddit with every request; "
        "the account's own by default",
        json_schema_extra={
            "where": "Your own Reddit name; needed only where the app reads without an account",
            "ask": True,
            "unless": "username",
        },
    )
    password: SecretStr | None = Field(
        default=None,
        description="The account's password, for an app of the type “script”",
        json_schema_extra={
            "where": "The account must be one of the app's developers, without two-factor login",
            "needs": "username",
        },
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        description="Instead of a password: what the account granted to an app of the type “web app”",
        json_schema_extra={
            "where": "From Reddit's login with duration=permanent and the scopes identity, read, privatemessages, "
            "history, submit and edit; modposts too, where notices are pinned in a subreddit that you moderate",
            "needs": "username",
            "unless": "password",
        },
    )
    subreddit: str | None = Field(
        default=None,
        description="Where notices are published; without it this account publishes none",
        json_schema_extra={"where": "Its name without r/; best your company's own"},
    )
    footer: str = Field(
        default="",
        max_length=FOOTER,
        description="What stands below every answer and notice, such as “I am the support bot of …”",
        json_schema_extra={"where": "Your choice; Reddit wants bots to say so, here or in the account's profile"},
    )
    keep_days: int = Field(
        default=90,
        ge=1,
        le=90,
        description="For how many days a post is kept; each is looked up once a day, so that what is deleted goes here",
        json_schema_extra={"where": "Your choice; Reddit recommends to keep little, and deletes nothing for you"},
    )
    oauth_url: str = Field(
        default="https://oauth.reddit.com",
        description="Where Reddit's API is",
        json_schema_extra={"where": "Leave it as it is, except to try things out against a server of your own"},
    )
    reddit_url: str = Field(
        default="https://www.reddit.com",
        description="Where Reddit itself is, and its login",
        json_schema_extra={"where": "Leave it as it is, except to try things out against a server of your own"},
    )

    @field_validator("client_id")
    @classmethod
    def _read_client_id(cls, value: str) -> str:
        value = value.strip()
        if not re.fullmatch(r"[!-9;-~]{1,100}", value):
            raise ValueError("this is no app's id; copy it again")
        return value

    @field_validator("client_secret")
    @classmethod
    def _read_client_secret(cls, value: SecretStr) -> SecretStr:
        secret = _secret(value)
        if secret is None:
            raise ValueError("it is empty; an app of the type “installed” has none and cannot be used here")
        return secret

    @field_validator("password", "refresh_token")
    @classmethod
    def _read_secret(cls, value: SecretStr | None) -> SecretStr | None:
        return _secret(value)

    @field_validator("username", "developer")
    @classmethod
    def _read_user(cls, value: str | None) -> str | None:
        return _name(value, "u/")

    @field_validator("subreddit")
    @classmethod
    def _read_subreddit(cls, value: str | None) -> str | None:
        return _name(value, "r/")

    @field_validator("footer")
    @classmethod
    def _read_footer(cls, value: str) -> str:
        return value.replace("\r\n", "\n").strip()

    @field_validator("oauth_url", "reddit_url")
    @classmethod
    def _read_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value.strip())
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https") or parts.username or parts.password:
            raise ValueError("give an address such as https://oauth.reddit.com")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("give the address alone, without a page on it")
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError("the address must begin with https://, or passwords would travel in the open")
        bare = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{bare}:{port}" if port else f"{parts.scheme}://{bare}"

    @model_validator(mode="after")
    def _read_together(self) -> Settings:
        if self.password and self.refresh_token:
            raise ValueError("password and refresh_token: give one of them, not both")
        if (self.password or self.refresh_token) and not self.username:
            raise ValueError("username is missing: the name of the account that the secret belongs to")
        if self.username is None and self.developer is None:
            raise ValueError("developer is missing: without an account, Reddit wants to know who answers for the app")
        return self

    @property
    def speaks(self) -> bool:
        """Whether an account and its secret are there."""
        return bool(self.username and (self.password or self.refresh_token))


def _secret(value: SecretStr | None) -> SecretStr | None:
    secret = value.get_secret_value().strip("\r\n") if value else ""
    if not secret.isprintable():
        raise ValueError("the secret holds a character that none has; copy it again")
    return SecretStr(secret) if secret else None


def _name(value: str | None, prefix: str) -> str | None:
    bare = (value or "").strip().removeprefix("/").removeprefix(prefix)
    if not bare:
        return None
    if not _NAME.fullmatch(bare):
        raise ValueError(f"give the name alone, with or without {prefix}")
    return bare
