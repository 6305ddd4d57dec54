"""Salesforce, by simple-salesforce: its Contacts or Accounts come in, our cases go out as its Cases.

- In: SOQL over SystemModstamp and Id, page by page from where the last page ended, deleted records too (queryAll). What
  was saved in the last minutes is read again, as a record may show only when its transaction ends.
- Out: an upsert by an external id field that holds our reference, so telling it twice makes one Case.
- Login: OAuth 2.0 client credentials, or username and password, at the domain of the settings; an expired token is
  renewed by the library, three times at most.

REST API: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors import faults
from connectors.crm_salesforce_wire import STUMBLES, SalesforceWire
from connectors.crm_settings import Sends
from listener.contract import Crm, Delivers, Pulls
from listener.errors import AuthFailed, Mistake, Unavailable
from listener.types import CrmDelivery, CrmPage, CrmRecord, Cursor

PAGE = 2000  # records asked for at once, the most that Salesforce gives
OVERLAP = timedelta(minutes=15)  # what was saved within it is read again
NAMINGS: Mapping[str, Mapping[str, str]] = {
    "Contact": {"Id": "reference", "Name": "name", "Email": "email", "Phone": "phone"},
    "Account": {"Id": "reference", "Name": "name", "Phone": "phone"},
}
CASE = ("reference", "state", "urgency", "team", "network", "title", "said", "opened_at", "resolved_at")
CUSTOMER = ("name", "email", "phone", "language", "tier")

_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}(\.[A-Za-z][A-Za-z0-9_]{0,79}){0,4}")
_ID = re.compile(r"[A-Za-z0-9]{15,18}")
_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,3}")


class Settings(BaseModel):
    """What it needs to be told."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    domain: str = Field(description="What stands before `.salesforce.com` in its address, such as `brand.my`")
    consumer_key: SecretStr = Field(description="The key of the connected app")
    consumer_secret: SecretStr = Field(description="The secret of the connected app")
    username: str | None = Field(default=None, description="A user, where the app may not log in as itself")
    password: SecretStr | None = Field(default=None, description="That user's password")
    records: str = Field(
        default="Contact", description="What customers are there: `Contact`, `Account`, or one of yours"
    )
    fields: dict[str, str] = Field(
        default={}, description="Which of its fields is what here; empty: Id, Name, Email and Phone as they are called"
    )
    reads: bool = Field(default=True, description="Whether its customers are read")
    every: Annotated[timedelta, Field(ge=timedelta(seconds=10), le=timedelta(hours=6))] = Field(
        default=timedelta(minutes=5), description="How often they are; six hours at most"
    )
    sends: Sends = Field(
        default=(), description="What it is told: `cases`, `customers` (of those that came from it), or both"
    )
    texts: bool = Field(default=False, description="Whether it gets what people wrote: titles and last words of cases")
    case_key: str = Field(
        default="Escucha_Reference__c",
        description="The field of its Case that holds our reference: an external id, unique",
    )
    case_fields: dict[str, str] = Field(
        default={"state": "Status", "urgency": "Priority"},
        description="Which of our words goes into which field of its Case",
    )
    states: dict[str, str] = Field(
        default={"open": "New", "pending": "Working", "resolved": "Closed", "closed": "Closed"},
        description="What our states are called there",
    )
    urgencies: dict[str, str] = Field(
        default={"low": "Low", "normal": "Medium", "high": "High", "critical": "High"},
        description="What our urgencies are called there",
    )
    customer_fields: dict[str, str] = Field(
        default={"email": "Email", "phone": "Phone"},
        description="Which of a customer's words goes into which of its fields",
    )

    @field_validator("every", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        found = (
            re.fullmatch(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", value) if isinstance(value, str) else None
        )
        if found is None:
            if isinstance(value, str):
                raise ValueError('is not a duration; write for example "60s", "5m" or "1h".')
            return value
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)

    @field_validator("domain")
    @classmethod
    def _bare(cls, value: str) -> str:
        bare = value.strip().removeprefix("https://").rstrip("/").removesuffix(".salesforce.com")
        if not _DOMAIN.fullmatch(bare) or bare in ("login", "test"):
            raise ValueError("is no domain of yours; write what stands before .salesforce.com, such as brand.my.")
        return bare

    @field_validator("records", "case_key")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _FIELD.fullmatch(value) or "." in value:
            raise ValueError("is no name that Salesforce gives; copy its API name, such as Contact or Ours__c.")
        return value

    @field_validator("fields")
    @classmethod
    def _paths(cls, value: dict[str, str]) -> dict[str, str]:
        return cls._are_fields(value, value)

    @field_validator("case_fields")
    @classmethod
    def _of_a_case(cls, value: dict[str, str]) -> dict[str, str]:
        return cls._are_fields(cls._are_ours(value, CASE), value.values())

    @field_validator("customer_fields")
    @classmethod
    def _of_a_customer(cls, value: dict[str, str]) -> dict[str, str]:
        return cls._are_fields(cls._are_ours(value, CUSTOMER), value.values())

    @staticmethod
    def _are_ours(value: dict[str, str], ours: tuple[str, ...]) -> dict[str, str]:
        if wrong := [name for name in value if name not in ours]:
            raise ValueError(f"has {wrong[0]!r}, which is no word of ours; there are: {', '.join(ours)}.")
        return value

    @staticmethod
    def _are_fields(value: dict[str, str], names: Any) -> dict[str, str]:
        if wrong := [name for name in names if not _FIELD.fullmatch(name)]:
            raise ValueError(
                f"has {wrong[0]!r}, which is no field of Salesforce; copy its API name, such as Legajo__c."
            )
        return value

    @model_validator(mode="after")
    def _does_something(self) -> Settings:
        if not self.reads and not self.sends:
            raise ValueError("neither reads nor sends; write `sends`, or leave `reads` out.")
        if (self.username is None) != (self.password is None):
            raise ValueError("has one of `username` and `password`; it needs both, or neither.")
        return self

    @property
    def takes(self) -> frozenset[str]:
        """What it is told of."""
        return frozenset(self.sends)

    @property
    def gives(self) -> str:
        """How customers come from it, for people; empty where they do not."""
        return f"its {self.records}s are read" if self.reads else ""


def join(settings: Settings) -> Crm:
    """Salesforce with these settings. Asks nothing yet. Raises Mistake where the library is not installed."""
    try:
        import simple_salesforce  # noqa: F401
    except ModuleNotFoundError as error:
        raise Mistake("Salesforce needs its library: pip install '.[salesforce]' in Escucha's folder.") from error
    return SalesforceCrm(settings)


class SalesforceCrm(Crm, Pulls, Delivers):
    """One organisation. Logs in when it is first asked; one thread at a time."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.naming = settings.fields or NAMINGS.get(settings.records, {"Id": "reference", "Name": "name"})
        self._settings = settings
        self._now = now
        secrets = [settings.consumer_key, settings.consumer_secret, *([settings.password] if settings.password else [])]
        self._wire = SalesforceWire([each.get_secret_value() for each in secrets])
        self._client: Any = None

    # --- asking ---

    def _ask(self, ask: Callable[[Any], Any], *, writing: bool = False) -> Any:
        """What the library gives, or one of the five errors."""
        from simple_salesforce.exceptions import SalesforceError

        try:
            return ask(self._salesforce())
        except (SalesforceError, *STUMBLES) as error:
            told = self._wire.told(error, writing=writing, now=self._now())
            if isinstance(told, AuthFailed):
                self._client = None
            raise told from error

    def _salesforce(self) -> Any:
        if self._client is None:
            from simple_salesforce.api import Salesforce

            # It would print the app's key where a user has not approved the app; we say that in our words.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"simple_salesforce\.login")
            read = self._settings
            user: Any = (
                {"username": read.username, "password": read.password.get_secret_value()} if read.password else {}
            )
            client = Salesforce(
                domain=read.domain,
                consumer_key=read.consumer_key.get_secret_value(),
                consumer_secret=read.consumer_secret.get_secret_value(),
                session=self._wire,
                object_pairs_hook=dict,
                **user,
            )
            self._client = client
        return self._client

    @property
    def allowance(self) -> str:
        """How many calls of the last 24 hours are used, as its last answer said."""
        usage = (getattr(self._client, "api_usage", None) or {}).get("api-usage")
        return f"{usage.used:,} of {usage.total:,} API calls used in 24 hours" if usage else ""

    def check(self) -> str:
        """Counts its customers, and looks whether its Case knows our reference."""
        read = self._settings
        counted = self._ask(lambda client: client.query(f"SELECT COUNT() FROM {read.records}"))  # noqa: S608
        total = counted.get("totalSize") if isinstance(counted, dict) else None
        said = [f"{read.domain}.salesforce.com lets us in", f"it has {total} {read.records} records for us"]
        if "cases" in read.sends:
            described = self._ask(lambda client: client.restful("sobjects/Case/describe"))
            fields = described.get("fields") if isinstance(described, dict) else None
            listed = [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []
            key = next((each for each in listed if each.get("name") == read.case_key), None)
            if key is None or not key.get("externalId"):
                raise Mistake(
                    f"Its Case has no external id {read.case_key}: let an administrator make that field (text, unique, "
                    "external id), or name another in case_key."
                )
            said.append(f"its Case has the external id {read.case_key}")
        return ", ".join([*said, *([self.allowance] if self.allowance else [])])

    # --- in ---

    def pull(self, cursor: Cursor | None) -> CrmPage:
        """The next records by SystemModstamp and Id; the cursor says where the page ended and when the round began."""
        at = dict(cursor or {})
        began = _moment(at.get("began")) or self._now()
        found = self._ask(lambda client: client.query(self._soql(at), include_deleted=True))
        rows = found.get("records") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise Unavailable("Salesforce gave no usable answer")
        records = [_record(row) for row in rows]
        last = records[-1] if records else None
        stamp = last.changed_at if last else _moment(at.get("stamp"))
        if last and (len(records) >= PAGE or not found.get("done", True)):
            on = {"stamp": _written(last.changed_at), "id": last.id, "began": _written(began)}
            return CrmPage(records=tuple(records), cursor=on, more=True)
        horizon = began - OVERLAP
        if stamp is None or stamp > horizon:
            return CrmPage(records=tuple(records), cursor={"stamp": _written(horizon), "id": ""})
        return CrmPage(
            records=tuple(records), cursor={"stamp": _written(stamp), "id": last.id if last else at.get("id")}
        )

    def _soql(self, at: Mapping[str, Any]) -> str:
        """The query for the page after that place. Every name in it was checked when the settings were read."""
        fields = dict.fromkeys(["Id", "SystemModstamp", "IsDeleted", *self.naming])
        stamp, number = _written(_moment(at.get("stamp"))), str(at.get("id") or "")
        where = ""
        if stamp and _ID.fullmatch(number):
            where = f" WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{number}')"
        elif stamp:
            where = f" WHERE SystemModstamp >= {stamp}"
        asked = f"SELECT {', '.join(fields)} FROM {self._settings.records}{where}"  # noqa: S608
        return f"{asked} ORDER BY SystemModstamp ASC, Id ASC LIMIT {PAGE}"

    # --- out ---

    def deliver(self, delivery: CrmDelivery) -> str:
        """An upsert of its Case, or an update of the customer it gave us. The same twice changes nothing."""
        said = delivery.fields
        case, customer = said.get("case"), said.get("customer")
        if said.get("kind") == "case" and isinstance(case, Mapping):
            path = f"sobjects/Case/{self._settings.case_key}/{quote(str(case['reference']), safe='')}"
            return self._put(path, self._case(case))
        if said.get("kind") == "customer" and isinstance(customer, Mapping):
            number = str(customer.get("id") or "")
            if not _ID.fullmatch(number):
                return f"it has no {self._settings.records} of theirs, so nothing was told"
            given = {theirs: customer.get(ours) for ours, theirs in self._settings.customer_fields.items()}
            return self._put(f"sobjects/{self._settings.records}/{number}", given)
        return "there is nothing of it any more, so nothing was told"

    def _put(self, path: str, fields: Mapping[str, Any]) -> str:
        body = json.dumps(fields)
        self._ask(lambda client: client.restful(path, method="PATCH", data=body), writing=True)
        return ""

    def _case(self, case: Mapping[str, Any]) -> dict[str, Any]:
        read = self._settings
        words = {**case, "state": read.states.get(str(case.get("state"))) or case.get("state")}
        words["urgency"] = read.urgencies.get(str(case.get("urgency"))) or case.get("urgency")
        fields: dict[str, Any] = {"Subject": faults.one_line(f"Escucha {case['reference']}", limit=255)}
        fields |= {theirs: words.get(ours) for ours, theirs in read.case_fields.items() if ours in words}
        if read.texts and case.get("title"):
            fields["Subject"] = faults.one_line(str(case["title"]), limit=255)
        whose = case.get("customer")
        number = str(whose.get("id") or "") if isinstance(whose, Mapping) else ""
        if _ID.fullmatch(number) and read.records in ("Contact", "Account"):
            fields[f"{read.records}Id"] = number
        return fields


def _record(row: Any) -> CrmRecord:
    """One row. Raises Unavailable for what is none."""
    number = row.get("Id") if isinstance(row, dict) else None
    if not isinstance(number, str) or not _ID.fullmatch(number):
        raise Unavailable("Salesforce gave a record without an id")
    stamp = _moment(row.get("SystemModstamp"))
    if stamp is None:
        raise Unavailable("Salesforce gave a record without the time of its last change")
    gone = row.get("IsDeleted") is True
    return CrmRecord(id=number, values={} if gone else row, gone=gone, changed_at=stamp)


def _moment(value: Any) -> datetime | None:
    """`2026-05-04T12:00:00.000+0000` as a moment; None where it is none."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _written(moment: datetime | None) -> str:
    """As SOQL writes it; empty for none."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z" if moment else ""
