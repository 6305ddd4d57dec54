"""What can be set, and what a person gets to hear about each key. docs/settings.md lists the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from listener import reach, references
from listener.config.targets import TELLING, Target
from listener.types import DATABASE_SECRETS, Mode

FILE_NAME = "escucha.toml"
PREFIX = "ESCUCHA_"
STAND_IN = "a-stand-in-for-a-secret-that-is-not-set"

PATTERNS = {  # what a field demands, and the same for people
    r"^[a-z]{2}$": "two lower-case letters for each language, such as es",
    r"^[a-z][a-z0-9+]*://": "an address such as sqlite:///escucha.db or postgresql://host/name",
    r"^[A-Z]{2,6}$": "two to six capital letters",
    r"^[a-z0-9][a-z0-9_-]*$": "lower-case letters, digits, - and _",
    r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$": "an address and a port, such as 127.0.0.1:9400",
    r"^https?://[^\s/@]+(/\S*)?$": "an address without a password, such as http://127.0.0.1:4318/v1/traces",
}
_LANGUAGE, _ADDRESS, _PREFIX, _NAME, _LISTEN, _COLLECTOR = PATTERNS

_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?")


def duration(text: object) -> timedelta:
    """`"90s"`, `"5m"`, `"1h30m"`, `"2d"` as a timedelta. Raises ValueError for anything else, zero included."""
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    try:
        value = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        value = timedelta(0)
    if not value:
        raise ValueError('is not a duration; write for example "60s", "5m" or "1h30m"')
    return value


def _words(value: object) -> object:
    """A list given in the environment: `a,b` or `["a", "b"]`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


def _country(code: str) -> str:
    if not reach.is_country(code.upper()):
        raise ValueError("is not a country's two letters, such as ES or MX")
    return code.upper()


Duration = Annotated[timedelta, BeforeValidator(duration)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Language = Annotated[str, Field(pattern=_LANGUAGE)]
Languages = Annotated[tuple[Language, ...], BeforeValidator(_words), Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Brand(_Section):
    name: str = Field(default="", description="The company's name as people write it")
    handles: Words = Field(default=(), description="Our own handles on every network, to recognise ourselves")
    languages: Languages = Field(default=("es", "en"), description="Languages we answer in, the preferred one first")
    terms: str = Field(
        default="",
        description="What to listen to on every network, as docs/terms.md says; a source reads it with "
        '`query = "brand"`, or as a part of its query with `{brand}`',
    )


class Database(_Section):
    url: str = Field(
        default="sqlite:///escucha.db",
        pattern=_ADDRESS,
        description="Where everything is kept; a relative SQLite path starts at the settings file's folder. "
        "A url with a password comes from the environment only",
    )
    connections: int = Field(
        default=20,
        ge=4,
        le=500,
        description="PostgreSQL: as many connections as one process may have at most; it keeps five open. Each account "
        "that it sends on takes one, and each stage that works at the moment",
    )


class PolicySettings(_Section):
    file: str = Field(
        default="",
        description="The policy file, relative to the settings file; empty: the default policy. It rules where none "
        "was ever activated",
    )
    mode: Mode | None = Field(
        default=None, description="`manual` or `auto` for every network, over what the policy says"
    )
    modes: dict[str, Mode] = Field(
        default={}, description='`manual` or `auto` by network, such as `{mastodon = "auto"}`'
    )


def _pattern(value: object) -> object:
    """The pattern of a reference; its letters may stand in it as `{prefix}`."""
    if isinstance(value, str):
        references.checked(value.replace("{prefix}", "ES"))
    return value


class Cases(_Section):
    prefix: str = Field(default="ES", pattern=_PREFIX, description="First letters of every case reference")
    reference: Annotated[str, BeforeValidator(_pattern)] = Field(
        default="{prefix}-{yy}-{number:06}-{check}",
        description="How references are written: `{yy}` or `{yyyy}`, `{number}` (`{number:06}`: with zeros) and "
        "`{check}`, each once, and capital letters or `- . / _`. References of before are found all the same",
    )
    reopen_days: int = Field(
        default=14,
        ge=0,
        le=3650,
        description="For so many days after its end a case is reopened by a follow-up; after that one opens a new case",
    )
    assign: Literal["auto", "manual"] = Field(
        default="auto",
        description="`auto`: once users are agents, an open case that nobody has is given to one of them "
        "(docs/routing.md); `manual`: people take and give them",
    )

    @property
    def pattern(self) -> str:
        """The reference's pattern with our letters in it."""
        return self.reference.replace("{prefix}", self.prefix)

    @property
    def reopen(self) -> timedelta:
        """How long after its end a case is reopened by a follow-up."""
        return timedelta(days=self.reopen_days)


class AuditSettings(_Section):
    key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="What seals the audit log, 16 characters or more; from the environment only. Without one, whoever "
        "can write to the database could write the log anew",
    )

    @property
    def sealing(self) -> bytes:
        """The key, "" where none is set."""
        return self.key.get_secret_value().encode() if self.key else b""


class Customers(_Section):
    country: Annotated[str, AfterValidator(_country)] = Field(
        default="", description="Two letters, such as `ES`: where phone numbers without a country code are dialled"
    )


class Knowledge(_Section):
    stale_days: int = Field(
        default=180,
        ge=1,
        le=3650,
        description="So many days after somebody last looked at an article it is to be looked at again",
    )

    @property
    def stale_after(self) -> timedelta:
        """How long an article stands without anybody looking at it."""
        return timedelta(days=self.stale_days)


class RetentionSettings(_Section):
    mentions: Duration | None = Field(
        default=None, description="Posts older than that are emptied as if deleted, but in open cases. Unset: for ever"
    )
    cases: Duration | None = Field(
        default=None, description="Cases that ended so long ago lose title, notes and details; times and states stay"
    )
    customers: Duration | None = Field(
        default=None,
        description="Customers of whom nothing was heard for so long, with nothing open, are erased as on request",
    )
    alerts: Duration | None = Field(default=None, description="Alerts that were settled so long ago lose their words")
    audit: Duration | None = Field(
        default=None, description="Entries of the audit log older than that go; the chain stays verifiable"
    )
    backups: Duration | None = Field(
        default=None, description="For how long you keep backups; `customer erase` says until when they hold a person"
    )

    @property
    def periods(self) -> dict[str, timedelta | None]:
        """How long each kind is kept; None: for ever."""
        kinds = ("mentions", "cases", "customers", "alerts", "audit")
        return {kind: getattr(self, kind) for kind in kinds}


class NoticeSettings(_Section):
    late: Duration = Field(
        default=timedelta(minutes=30),
        ge=timedelta(minutes=1),
        le=timedelta(days=1),
        description="By so much what is scheduled may go out late, when nothing ran or it was held; after that "
        "somebody is asked",
    )
    check_links: bool = Field(
        default=True, description="Whether the links in notices are followed, to see that they lead somewhere"
    )


class SourceSettings(_Section):
    name: str = Field(pattern=_NAME, description="What we call it: lower case, digits, `-`, `_`")
    account: str = Field(description="The account that reads it, one of `[accounts.…]`")
    query: str = Field(
        default="",
        description="What to read: `mentions`, a #hashtag, terms (docs/terms.md), or what else docs/networks.md says",
    )
    every: Duration = Field(
        default=timedelta(seconds=60), le=timedelta(days=1), description="How often to look; a day at most"
    )


class Budget(_Section):
    day: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="USD that the account may spend on one UTC day"
    )
    month: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="USD that the account may spend in one UTC month"
    )
    reading: float = Field(
        default=0.8,
        ge=0.05,
        le=0.95,
        description="The share of both that reading may use, 0.05 to 0.95, so that answers still go out",
    )


class ModelSettings(_Section):
    profile: Literal["full", "fast"] = Field(
        default="full", description="`fast` reads with half of the model's layers: twice as quick, a little less right"
    )
    folder: str = Field(
        default="models",
        min_length=1,
        description="Where imported models and learned areas are kept, relative to the settings file",
    )
    also: Words = Field(
        default=(), description="Imported models, by name; each speaks for the labels it knows, the last one last"
    )


LogFormat = Literal["auto", "lines", "json"]
LogLevel = Literal["debug", "info", "warning"]


class DaemonSettings(_Section):
    tick: Duration = Field(default=timedelta(seconds=1), description="How often the daemon looks for work that is due")
    log_format: LogFormat = Field(
        default="auto", description="`lines` for people, `json` for machines, `auto`: by terminal"
    )
    log_level: LogLevel = Field(default="info", description="`debug` also shows what people wrote")
    listen: str = Field(
        default="127.0.0.1:8425",
        pattern=_LISTEN,
        description="Where a CRM may post its customers to; what speaks TLS stands before it",
    )
    watch: str | None = Field(
        default=None,
        pattern=_LISTEN,
        description="Where `/metrics`, `/healthz` and `/readyz` are answered, such as `127.0.0.1:9425`; unset: nowhere",
    )
    traces: str | None = Field(
        default=None,
        pattern=_COLLECTOR,
        description="The collector that traces go to (OTLP over HTTP), such as `http://127.0.0.1:4318/v1/traces`; "
        "unset: none are made. What it wants to be shown stands in `OTEL_EXPORTER_OTLP_HEADERS`",
    )
    trace_share: float = Field(default=1.0, ge=0, le=1, description="Of how many mentions traces are made, 0 to 1")


SECTIONS: Mapping[str, type[BaseModel]] = {
    "brand": Brand,
    "database": Database,
    "policy": PolicySettings,
    "cases": Cases,
    "customers": Customers,
    "audit": AuditSettings,
    "retention": RetentionSettings,
    "knowledge": Knowledge,
    "notices": NoticeSettings,
    "sources": SourceSettings,
    "model": ModelSettings,
    "daemon": DaemonSettings,
}
OF_EVERY_ACCOUNT = {"budget": Budget}  # what an account of any network may have beside that network's own keys


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account of ours on one network; `settings` is that network's own model."""

    name: str
    network: str
    settings: BaseModel
    budget: Budget = field(default_factory=Budget)
    lacking: tuple[str, ...] = ()
    """What must be set before its network can be asked, one sentence each; `settings` holds stand-ins for it."""


@dataclass(frozen=True, kw_only=True)
class System:
    """One CRM; `settings` is the model of its kind."""

    name: str
    kind: str
    settings: BaseModel
    lacking: tuple[str, ...] = ()
    """As an account's."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that was set. `file` is None for the defaults that need no file.

    `notes` are sentences on what was set and serves nothing, for `escucha doctor`.
    """

    file: Path | None = None
    brand: Brand = field(default_factory=Brand)
    database: Database = field(default_factory=Database)
    policy: PolicySettings = field(default_factory=PolicySettings)
    cases: Cases = field(default_factory=Cases)
    customers: Customers = field(default_factory=Customers)
    audit: AuditSettings = field(default_factory=AuditSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    knowledge: Knowledge = field(default_factory=Knowledge)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    sources: tuple[SourceSettings, ...] = ()
    alerts: Mapping[str, Target] = field(default_factory=dict)
    crm: Mapping[str, System] = field(default_factory=dict)
    model: ModelSettings = field(default_factory=ModelSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self.file.parent if self.file else Path()

    @property
    def policy_file(self) -> Path | None:
        """The policy file as a full path; None: the default policy."""
        return self.folder / self.policy.file if self.policy.file else None

    @property
    def models(self) -> Path:
        """The folder of imported models and learned areas, as a full path."""
        return self.folder / self.model.folder

    def secrets(self) -> list[str]:
        """Every secret value, so that logs can mask them."""
        places: tuple[Account | System, ...] = (*self.accounts.values(), *self.crm.values())
        held = (value for place in places for value in dict(place.settings).values())
        values = [value.get_secret_value() for value in held if isinstance(value, SecretStr)]
        values += [value for target in self.alerts.values() for value in target.secrets()]
        for url in filter(None, (getattr(system.settings, "url", None) for system in self.crm.values())):
            parts = urlsplit(url)
            values += [text for text in (parts.path, parts.query) if len(text) >= TELLING]
        values += [self.audit.key.get_secret_value()] if self.audit.key else []
        return [value for value in (*values, *passwords_of(self.database.url)) if value and value != STAND_IN]


def passwords_of(url: str) -> list[str]:
    """The passwords inside a database url, wherever in it they stand, as they are written and as they are meant."""
    try:
        parts = urlsplit(url)
        asked = parse_qsl(parts.query)
        held = [parts.password or "", *(value for name, value in asked if name.lower() in DATABASE_SECRETS)]
        return [each for word in held if word for each in dict.fromkeys((word, unquote(word), quote_plus(word)))]
    except ValueError:
        return []


def is_secret(model: type[BaseModel], key: str) -> bool:
    """Whether `key` of a network's settings is a secret."""
    annotation = model.model_fields[key].annotation
    return annotation is SecretStr or SecretStr in get_args(annotation)


def env_name(*keys: str) -> str:
    """The environment variable that sets a key: `env_name("accounts", "care", "access_token")`."""
    return PREFIX + "__".join(keys).upper()
