"""Every network behind a line that can break: how to reach it, and which of its requests each stage makes.

A site is one network with people on it (the `World` of its conformance suite) and the `Line` that leads there.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from connectors import sandbox
from connectors.feed import Feed
from connectors.feed import Settings as FeedSettings
from connectors.mail import MailConnector
from connectors.mail_settings import Security
from connectors.mastodon import MastodonConnector
from connectors.mastodon import Settings as MastodonSettings
from connectors.mastodon_streaming import Patience
from connectors.reddit import PublishingRedditConnector
from connectors.reddit import Settings as RedditSettings
from connectors.reddit_wire import RedditWire
from connectors.wire import MEGABYTE, Wire
from connectors.x import XConnector
from listener.contract import Connector
from tests.connectors.conformance import World
from tests.connectors.test_bluesky import BlueskyWorld
from tests.connectors.test_bluesky import connected as bluesky_connected
from tests.connectors.test_feed import FeedWorld
from tests.connectors.test_mail import DATA_END, MailWorld, in_the_open
from tests.connectors.test_mastodon import MastodonWorld
from tests.connectors.test_reddit import RedditWorld, settings_for
from tests.connectors.test_sandbox import READS, WRITES, SandboxWorld
from tests.connectors.test_x import XWorld
from tests.connectors.test_x import settings as x_settings
from tests.servers import bluesky
from tests.servers.dovecot import Broken
from tests.servers.feed import FeedServer
from tests.servers.jetstream import JetstreamServer
from tests.servers.line import WAIT, Line, Trouble
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.servers.reddit import RedditServer
from tests.servers.x import XServer


class Stage(StrEnum):
    """What is under way when the trouble begins."""

    POLL = "poll"
    STREAM = "stream"
    RECHECK = "recheck"
    REPLY = "reply"
    PUBLISH = "publish"
    AMEND = "amend"
    ALERT = "alert"  # our own people are told
    DELIVER = "deliver"  # a CRM is told
    PULL = "pull"  # a CRM is asked for its customers


WRITING = frozenset({Stage.REPLY, Stage.PUBLISH, Stage.AMEND})
TELLING = frozenset({Stage.ALERT, Stage.DELIVER})
NETWORK = frozenset(Stage) - TELLING - {Stage.PULL}  # what there is on a network that has everything
WAITS = frozenset({Trouble.SILENT, Trouble.DRIP, Trouble.HUGE})  # troubles that end by our own impatience
PATIENT, HASTY = 20.0, 1.5  # seconds that a connector waits for an answer


class Site(ABC):
    """One network. `line` leads there; each of `asks` says which requests a stage stands and falls with."""

    network: ClassVar[str]
    stages: ClassVar[frozenset[Stage]]  # that there are
    troubles: ClassVar[frozenset[Trouble]] = frozenset(Trouble)  # that there can be
    runs_on: ClassVar[str] = ""  # the network of our account, where it is another one
    query: ClassVar[str] = "mentions"
    asks: ClassVar[dict[Stage, str]] = {}
    world: World
    line: Line
    wait = PATIENT
    ca: Path | None = None  # who vouches for it, where the line is behind TLS

    @abstractmethod
    def connector(self) -> Connector:
        """Our account there, by way of the line."""

    @classmethod
    def knows(cls, stage: Stage, trouble: Trouble) -> bool:
        """Whether there is such a trouble here. Of streams only mail's has a line behind TLS."""
        return trouble in cls.troubles and (trouble is not Trouble.STRANGER or stage is not Stage.STREAM)

    def fail(self, stage: Stage, trouble: Trouble) -> None:
        """From now on what that stage asks fails so. Whoever listens is thrown out."""
        self.line.fail(trouble, self.asks.get(stage, ""))
        if stage is Stage.STREAM:
            self.line.cut()

    def heal(self) -> None:
        """Everything goes through again."""
        self.line.heal()

    @property
    def failed(self) -> int:
        """How many requests have failed."""
        return self.line.failed

    def wire(self, kind: type[Wire] = Wire) -> Any:
        """A session for the line that is as patient as the trouble needs."""
        made = kind(
            connect_timeout=self.wait, read_timeout=self.wait, deadline=2 * self.wait, largest=MEGABYTE, proxies=False
        )
        made.verify = str(self.ca) if self.ca else True
        return made


class Mastodon(Site):
    network = "mastodon"
    stages = NETWORK
    asks: ClassVar = {
        Stage.STREAM: "GET /api/v1/streaming",
        Stage.RECHECK: r"GET /api/v1/statuses[?/]",
        **dict.fromkeys(WRITING, "(POST|PUT|DELETE) /api/v1/statuses"),
    }

    def __init__(self, server: MastodonServer, line: Line) -> None:
        self.line = line
        server.url, server.host = line.url, line.url.partition("//")[2]  # it names itself as it is reached
        server.streams.thump = 0.1
        self.world = MastodonWorld(server)

    def connector(self) -> Connector:
        settings = MastodonSettings(instance=self.line.url, access_token=SecretStr(TOKEN))
        return MastodonConnector(settings, wire=self.wire(), patience=Patience(beat=0.1, silence=10.0))


class X(Site):
    network = "x"
    stages = NETWORK - {Stage.STREAM}
    # Our keys go to X's own address, or to this machine without TLS: there is no line behind TLS.
    troubles = frozenset(Trouble) - {Trouble.STRANGER}
    asks: ClassVar = {
        Stage.RECHECK: r"GET /2/tweets\?",
        **dict.fromkeys(WRITING, "(POST|PUT|DELETE) /2/(tweets|users)"),
    }

    def __init__(self, server: XServer, line: Line) -> None:
        self.line, self.server = line, server
        server.url = line.url
        self.world = XWorld(server)

    def connector(self) -> Connector:
        return XConnector(x_settings(self.server), wire=self.wire())


class Reddit(Site):
    network = "reddit"
    stages = NETWORK - {Stage.STREAM}
    asks: ClassVar = {
        Stage.RECHECK: "GET /api/info",
        **dict.fromkeys(WRITING, "POST /api/(comment|submit|editusertext|del|set_subreddit_sticky)"),
    }

    def __init__(self, server: RedditServer, line: Line) -> None:
        self.line, self.server = line, server
        server.url = line.url
        self.world = RedditWorld(server)

    def connector(self) -> Connector:
        settings = RedditSettings.model_validate(settings_for(self.server))
        return PublishingRedditConnector(settings, wire=self.wire(RedditWire))


class FeedSite(Site):
    network = "feed"
    stages = frozenset({Stage.POLL})
    query = "all"

    def __init__(self, server: FeedServer, line: Line) -> None:
        self.line, self.server = line, server
        server.url = line.url
        self.world = FeedWorld(server)

    def connector(self) -> Connector:
        return Feed(FeedSettings(url=self.line.url), self.wire())


class Bluesky(Site):
    """The stream is heard on a server of its own."""

    network = "bluesky"
    stages = NETWORK
    asks: ClassVar = {
        Stage.RECHECK: "GET /xrpc/app.bsky.feed.getPosts",
        **dict.fromkeys(WRITING, "POST /xrpc/com.atproto.repo.(createRecord|putRecord|deleteRecord|applyWrites)"),
    }

    def __init__(self, network: bluesky.Network, line: Line, jetstream: JetstreamServer, heard: Line) -> None:
        self.line, self.heard = line, heard
        self.folder = Path(tempfile.mkdtemp())
        self.world: BlueskyWorld = BlueskyWorld(network, line, jetstream, self.folder)  # type: ignore[arg-type]
        self.people = network

    def query_for(self, stage: Stage) -> str:
        return self.world.query if stage is Stage.STREAM else self.query

    def connector(self) -> Connector:
        return bluesky_connected(
            self.world.brand,
            self.folder,
            service=self.line.url,
            jetstream=self.heard.url,
            appview=self.people.appview,
            wait=self.wait,
            silence=20.0,
        )

    def fail(self, stage: Stage, trouble: Trouble) -> None:
        if stage is Stage.STREAM:
            self.heard.fail(trouble)
            self.heard.cut()
        else:
            super().fail(stage, trouble)

    def heal(self) -> None:
        self.line.heal()
        self.heard.heal()

    @property
    def failed(self) -> int:
        return self.line.failed + self.heard.failed


class Mail(Site):
    """Two servers: one is read, one sends. What has no status here has words of its own."""

    network = "mail"
    stages = frozenset({Stage.POLL, Stage.STREAM, Stage.REPLY})
    refusals: ClassVar = {  # by trouble: (to whom reads, in answer to what), (to whom sends, in answer to what)
        Trouble.BUSY: ((" (AUTHENTICATE|LOGIN)", "NO [LIMIT] Too many logins"), ("^MAIL", "451 4.7.1 Too many")),
        Trouble.ERROR: ((" (AUTHENTICATE|LOGIN)", "NO [UNAVAILABLE] Trouble"), ("^MAIL", "421 4.3.0 Trouble")),
        Trouble.EXPIRED: ((" (AUTHENTICATE|LOGIN)", "NO [AUTHENTICATIONFAILED] No"), ("^AUTH", "535 5.7.8 No")),
        Trouble.FORBIDDEN: ((" (SELECT|EXAMINE)", "NO [NOPERM] Not yours"), ("^RCPT", "550 5.7.1 Not wanted")),
        Trouble.MISSING: ((" (SELECT|EXAMINE)", "NO [NONEXISTENT] No such"), ("^RCPT", "550 5.1.1 No such user")),
        Trouble.INVALID: ((" (SELECT|EXAMINE)", "BAD What?"), ("^MAIL", "501 5.5.4 What?")),
    }
    plain: ClassVar = frozenset(
        {Trouble.REFUSED, Trouble.SILENT, Trouble.DRIP, Trouble.RESET, Trouble.CUT, Trouble.HTML, Trouble.HUGE}
    )

    def __init__(self, world: MailWorld, reads: Line, sends: Line) -> None:
        self.world: MailWorld = world
        self.line, self.sends = reads, sends

    def connector(self) -> Connector:
        security = Security.TLS if self.ca else Security.NONE
        settings = in_the_open(
            self.world.dovecot,
            self.world.address,
            imap_port=self.line.port,
            smtp_port=self.sends.port,
            imap_security=security,
            smtp_security=security,
            **({"ca_file": self.ca} if self.ca else {}),
        )
        return MailConnector(settings, beat=0.5, reidle=1.0, patience=1.0)

    @classmethod
    def knows(cls, stage: Stage, trouble: Trouble) -> bool:
        if trouble is Trouble.GATEWAY:
            return stage is Stage.REPLY
        return trouble in cls.plain or trouble in cls.refusals or trouble is Trouble.STRANGER

    def fail(self, stage: Stage, trouble: Trouble) -> None:
        line, words = (self.sends, self.world.smtp) if stage is Stage.REPLY else (self.line, self.world.imap)
        if trouble in self.refusals:
            told = self.refusals[trouble][stage is Stage.REPLY]
            said = told[1] if stage is Stage.REPLY else "{tag} " + told[1]
            words.faults.append(Broken(told[0].encode(), said, times=10_000))
        elif stage is Stage.REPLY and trouble in (Trouble.GATEWAY, Trouble.RESET, Trouble.CUT):
            words.faults.append(Broken(DATA_END, passed=True, times=10_000))
        else:
            line.fail(trouble)
        if stage is Stage.STREAM:
            line.cut()

    def heal(self) -> None:
        self.world.heal()
        self.line.heal()
        self.sends.heal()

    @property
    def failed(self) -> int:
        spent = sum(10_000 - each.times for words in (self.world.imap, self.world.smtp) for each in words.faults)
        return self.line.failed + self.sends.failed + spent


class Sandbox(Site):
    """The network inside the process, whose faults are its own."""

    network = "sandbox"
    stages = NETWORK - {Stage.STREAM}
    faults: ClassVar = {
        Trouble.BUSY: sandbox.Fault.RATE_LIMITED,
        Trouble.BUSY_WAIT: sandbox.Fault.RATE_LIMITED,
        Trouble.ERROR: sandbox.Fault.UNAVAILABLE,
        Trouble.EXPIRED: sandbox.Fault.AUTH_FAILED,
        Trouble.INVALID: sandbox.Fault.REJECTED,
        Trouble.SILENT: sandbox.Fault.NEVER_ARRIVED,
        Trouble.RESET: sandbox.Fault.ANSWER_LOST,
    }
    asked: ClassVar = {Stage.POLL: ("poll",), Stage.RECHECK: ("recheck",)}

    def __init__(self, folder: Path) -> None:
        self.world: SandboxWorld = SandboxWorld(folder / "world.db")

    def connector(self) -> Connector:
        return self.world.connector()

    @classmethod
    def knows(cls, stage: Stage, trouble: Trouble) -> bool:
        if trouble in (Trouble.SILENT, Trouble.RESET):
            return stage in WRITING
        return trouble in cls.faults

    def fail(self, stage: Stage, trouble: Trouble) -> None:
        seconds = WAIT if trouble is Trouble.BUSY_WAIT else None
        for name in self.asked.get(stage, WRITES if stage in WRITING else READS):
            self.world.people.fail(name, self.faults[trouble], 10_000, seconds=seconds)

    def heal(self) -> None:
        self.world.heal()

    @property
    def failed(self) -> int:
        rows = self.world.people._link.execute("SELECT 10000 - times FROM faults").fetchall()
        return sum(int(each[0]) for each in rows)
