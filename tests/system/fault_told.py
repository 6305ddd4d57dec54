"""Who is told beside the networks, behind a line that can break: our own people, and CRMs."""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from connectors import crm_salesforce, crm_webhook
from connectors.crm_salesforce_wire import SalesforceWire
from connectors.webhooks import Webhook
from connectors.wire import MEGABYTE
from listener.desk.crm_systems import System
from listener.flow.alert import Target
from tests.servers import salesforce
from tests.servers.line import Line, Trouble
from tests.servers.webhook import Receiver
from tests.system.fault_sites import HASTY, TELLING, Sandbox, Stage

KEY = base64.b64encode(b"k" * 32).decode()  # what the CRM's webhooks are signed with


class Told(Sandbox):
    """Who is no network; what people say is said in the sandbox."""

    runs_on = "sandbox"
    line: Line

    @abstractmethod
    def system(self) -> System:
        """The CRM, as the settings would name it."""

    @abstractmethod
    def taken(self) -> Collection[str]:
        """What it was told, each by the key that it knows it by."""

    def fail(self, stage: Stage, trouble: Trouble) -> None:
        self.line.fail(trouble, self.asks.get(stage, ""))

    def heal(self) -> None:
        self.line.heal()

    @property
    def failed(self) -> int:
        return self.line.failed


class Webhooks(Told):
    """Who is told by a signed POST: our own people, or a CRM. Each knows by its key what it got already.

    Their answer is the status alone: what comes along with a 2xx is nobody's trouble.
    """

    network = "webhook"
    stages = TELLING

    def __init__(self, folder: Path, receiver: Receiver, line: Line) -> None:
        super().__init__(folder)
        self.receiver, self.line = receiver, line

    @classmethod
    def knows(cls, _stage: Stage, trouble: Trouble) -> bool:
        return trouble not in (Trouble.GARBAGE, Trouble.HTML, Trouble.TYPES, Trouble.HUGE)

    def target(self) -> Target:
        """Our people, as the settings would name them."""
        return Target(reach=lambda: Webhook(self.line.url, ca_file=self.ca, patience=self.wait), hourly=60)

    def system(self) -> System:
        """The CRM, as the settings would name it."""
        given = crm_webhook.Settings(secret=SecretStr(KEY), url=self.line.url, ca_file=self.ca, sends=("cases",))
        return System(connect=lambda: crm_webhook.join(given), takes=given.takes)

    def taken(self) -> Collection[str]:
        return set(self.receiver.keys)


class Salesforce(Told):
    """The line is the proxy that leads to it, and holds its certificate. It knows each case by our reference."""

    network = "salesforce"
    stages = frozenset({Stage.DELIVER, Stage.PULL})
    asks: ClassVar = {Stage.DELIVER: "PATCH /services/data/", Stage.PULL: "GET /services/data/[^/]+/query"}

    def __init__(self, folder: Path, org: salesforce.Salesforce, line: Line) -> None:
        super().__init__(folder)
        self.org, self.line = org, line

    @classmethod
    def knows(cls, stage: Stage, trouble: Trouble) -> bool:
        return stage is Stage.PULL or trouble is not Trouble.TYPES  # of what is told a 2xx is a yes

    def system(self) -> System:
        given = crm_salesforce.Settings(
            domain=salesforce.DOMAIN,
            consumer_key=SecretStr(salesforce.KEY),
            consumer_secret=SecretStr(salesforce.SECRET),
            sends=("cases",),
            every=timedelta(seconds=30),
        )
        return System(
            connect=lambda: crm_salesforce.join(given), takes=given.takes, pulls=given.reads, every=given.every
        )

    def taken(self) -> Collection[str]:
        return set(self.org.rows["Case"])

    def arrives(self, name: str) -> str:
        """A new customer there, now; gives the id."""
        self.org.now = datetime.now(UTC)
        return self.org.contact(name)


class HastyWire(SalesforceWire):
    """The session of whoever waits no longer than a trouble needs that ends by our impatience."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(secrets)
        self._timeout, self._deadline, self._largest = (HASTY, HASTY), 2 * HASTY, MEGABYTE
