"""What it takes to reach one mailbox: read it by IMAP, answer by SMTP."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.hosts import is_loopback

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # of a domain name (RFC 1035, 2.3.1)
ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:]{2,45}")


class Security(StrEnum):
    """How a connection is kept from other eyes."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"  # asked for, and insisted on
    NONE = "none"  # in the open; this very machine only


IMAP_PORTS = {Security.TLS: 993, Security.STARTTLS: 143, Security.NONE: 143}
SMTP_PORTS = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}


class Settings(BaseModel):
    """One mailbox. Without `smtp_host` it is only read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    address: str = Field(
        description="Our address, such as care@brand.example: what is read, and what answers come from",
        json_schema_extra={"where": "The address your customers write to"},
    )
    name: str = Field(
        default="",
        max_length=100,
        description="The name before the address in our answers",
        json_schema_extra={"where": "Your choice, such as Brand Customer Care"},
    )
    imap_host: str = Field(
        description="The server the mailbox is read from, such as imap.brand.example",
        json_schema_extra={"where": "Your mail provider's help page for mail programs, under IMAP"},
    )
    imap_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port; left out: 993, or 143 with starttls",
        json_schema_extra={"where": "The same page; leave it out if it says 993"},
    )
    imap_security: Security = Field(
        default=Security.TLS,
        description="tls, starttls, or none (on this very machine only)",
        json_schema_extra={"where": "The same page: SSL/TLS is tls"},
    )
    smtp_host: str | None = Field(
        default=None,
        description="The server that sends our answers; left out: the mailbox is only read",
        json_schema_extra={"where": "The same page, under SMTP or outgoing mail", "ask": True, "empty": "only read"},
    )
    smtp_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port; left out: 465, or 587 with starttls",
        json_schema_extra={"where": "The same page; leave it out if it says 465"},
    )
    smtp_security: Security = Field(
        default=Security.TLS,
        description="tls, starttls, or none (on this very machine only)",
        json_schema_extra={"where": "The same page: port 465 is tls, port 587 is starttls"},
    )
    username: str | None = Field(
        default=None,
        description="The name to log in with, at both servers; left out: the address",
        json_schema_extra={"where": "The same page; usually the address itself"},
    )
    password: SecretStr | None = Field(
        default=None,
        description="The mailbox's password, or better an app password",
        json_schema_extra={"where": "Your mail provider, under security: app passwords"},
    )
    access_token: SecretStr | None = Field(
        default=None,
        description="An OAuth 2 access token to log in with (XOAUTH2) instead of a password",
        json_schema_extra={"where": "Your own program that renews it; give its file with _FILE", "unless": "password"},
    )
    checked_by: str = Field(
        default="",
        max_length=253,
        description="The name under which your own mail server writes `Authentication-Results` into each mail; left "
        "out: nothing proves who sent one",
        json_schema_extra={"where": "The first word of that header in any mail you got"},
    )
    sent_folder: str | None = Field(
        default=None,
        description="The folder where copies of our answers are kept; left out: the one the server marks as such",
        json_schema_extra={"where": "Your mail program's list of folders"},
    )
    ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) to trust instead of the usual ones, for servers with one of your own",
        json_schema_extra={"where": "Whoever runs your mail server"},
    )

    @field_validator("address")
    @classmethod
    def _read_address(cls, value: str) -> str:
        value = value.strip()
        if not ADDRESS.fullmatch(value):
            raise ValueError("give the mail address alone, such as care@brand.example")
        local, _, domain = value.rpartition("@")
        return f"{local}@{domain.lower()}"

    @field_validator("name", "username", "sent_folder", "checked_by")
    @classmethod
    def _read_line(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError("give it on one line, without control characters")
        return value.strip() if value else value

    @field_validator("imap_host", "smtp_host")
    @classmethod
    def _read_host(cls, value: str | None) -> str | None:
        value = value.strip().lower() if value else value
        if value is not None and not _HOST.fullmatch(value):
            raise ValueError("give the server's name alone, such as imap.brand.example")
        return value

    @field_validator("password", "access_token")
    @classmethod
    def _read_secret(cls, value: SecretStr | None) -> SecretStr | None:
        secret = value.get_secret_value().strip() if value else ""
        if not secret.isprintable():
            raise ValueError("the secret holds a control character; copy it again")
        return SecretStr(secret) if secret else None

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        for host, security in ((self.imap_host, self.imap_security), (self.smtp_host, self.smtp_security)):
            if security is Security.NONE and host and not is_loopback(host):
                raise ValueError("none is for this very machine only, or the password would travel in the open")
        if self.password and self.access_token:
            raise ValueError("give a password or an access token, not both")
        return self

    @property
    def login(self) -> str:
        """The name to log in with."""
        return self.username or self.address

    @property
    def secret(self) -> str:
        """The password or token; empty where there is none yet."""
        given = self.password or self.access_token
        return given.get_secret_value() if given else ""
