"""Every network of the fault matrix, opened as a cell needs it, and the cells that there are."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

from connectors import bluesky_wire, crm_salesforce, crm_webhook, mail, mail_sending, mail_wire
from connectors.webhooks import Signed
from tests.connectors.test_mail import MailWorld
from tests.servers import bluesky, dovecot, salesforce
from tests.servers.dovecot import FaultyLine
from tests.servers.feed import FeedServer
from tests.servers.jetstream import JetstreamServer
from tests.servers.line import Line, Papers, Trouble
from tests.servers.mastodon import MastodonServer
from tests.servers.reddit import RedditServer
from tests.servers.webhook import Receiver
from tests.servers.x import XServer
from tests.system.fault_sites import (
    HASTY,
    PATIENT,
    WAITS,
    Bluesky,
    FeedSite,
    Mail,
    Mastodon,
    Reddit,
    Sandbox,
    Site,
    Stage,
    X,
)
from tests.system.fault_told import HastyWire, Salesforce, Webhooks

SITES: dict[str, type[Site]] = {
    each.network: each for each in (Bluesky, FeedSite, Mail, Mastodon, Reddit, Salesforce, Sandbox, Webhooks, X)
}


def cells() -> list[tuple[str, Stage, Trouble]]:
    """Every network, stage and trouble that go together, in that order."""
    return [
        (name, stage, trouble)
        for name, site in SITES.items()
        for stage in Stage
        if stage in site.stages
        for trouble in Trouble
        if site.knows(stage, trouble)
    ]


class Networks:
    """Opens sites. The servers that take their time to start are started once, when they are first needed."""

    def __init__(self, stack: ExitStack, folder: Path, papers: Callable[[], Papers]) -> None:
        self._stack, self._folder, self._papers = stack, folder, papers
        self._bluesky: bluesky.Network | None = None
        self._dovecot: dovecot.Dovecot | None = None
        self._numbers = 0

    @contextmanager
    def site(self, network: str, trouble: Trouble) -> Iterator[Site]:
        """That network with nobody's posts on it yet, behind TLS where the trouble is one of certificates."""
        self._numbers += 1
        tls = self._papers() if trouble is Trouble.STRANGER else None
        with ExitStack() as stack:
            site = self._sites()[network](stack, tls)
            site.ca = tls.ca if tls else None
            site.wait = HASTY if trouble in WAITS else PATIENT
            if site.wait == HASTY and network == "mail":
                for name, seconds in (("CONNECT_TIMEOUT", HASTY), ("READ_TIMEOUT", HASTY), ("DEADLINE", 2 * HASTY)):
                    stack.enter_context(mock.patch.object(mail_wire, name, seconds))
                reads, sends = (partial(each, deadline=2 * HASTY) for each in (mail_wire.reading, mail_wire.sending))
                stack.enter_context(mock.patch.object(mail, "reading", reads))
                stack.enter_context(mock.patch.object(mail, "sending", sends))
                stack.enter_context(mock.patch.object(mail_sending, "sending", sends))
            if site.wait == HASTY and network == "webhook":
                hasty = partial(Signed, patience=HASTY)
                stack.enter_context(mock.patch.object(crm_webhook, "Signed", hasty))
            if site.wait == HASTY and network == "salesforce":
                stack.enter_context(mock.patch.object(crm_salesforce, "SalesforceWire", HastyWire))
            yield site

    def _sites(self) -> dict[str, Callable[[ExitStack, Papers | None], Site]]:
        return {
            "bluesky": self._open_bluesky,
            "feed": self._open_feed,
            "mail": self._open_mail,
            "mastodon": self._open_mastodon,
            "reddit": self._open_reddit,
            "salesforce": self._open_salesforce,
            "sandbox": lambda _stack, _tls: Sandbox(self._new_folder()),
            "webhook": self._open_webhook,
            "x": self._open_x,
        }

    def _new_folder(self) -> Path:
        folder = self._folder / f"site{self._numbers}"
        folder.mkdir()
        return folder

    def _open_mastodon(self, stack: ExitStack, tls: Papers | None) -> Site:
        server = stack.enter_context(MastodonServer())
        return Mastodon(server, stack.enter_context(Line(server.url, tls=tls)))

    def _open_x(self, stack: ExitStack, tls: Papers | None) -> Site:
        server = stack.enter_context(XServer())
        return X(server, stack.enter_context(Line(server.url, tls=tls)))

    def _open_reddit(self, stack: ExitStack, tls: Papers | None) -> Site:
        server = stack.enter_context(RedditServer())
        return Reddit(server, stack.enter_context(Line(server.url, tls=tls)))

    def _open_feed(self, stack: ExitStack, tls: Papers | None) -> Site:
        server = stack.enter_context(FeedServer())
        return FeedSite(server, stack.enter_context(Line(server.url, tls=tls)))

    def _open_webhook(self, stack: ExitStack, tls: Papers | None) -> Site:
        receiver = stack.enter_context(Receiver())
        return Webhooks(self._new_folder(), receiver, stack.enter_context(Line(receiver.url, tls=tls)))

    def _open_salesforce(self, stack: ExitStack, _tls: Papers | None) -> Site:
        folder, papers = self._new_folder(), self._papers()
        org = stack.enter_context(salesforce.Salesforce(folder))
        line = stack.enter_context(Line(org.environment["HTTPS_PROXY"], tls=papers, tunnel=True))
        way = f"http://127.0.0.1:{line.port}"
        environment = {**org.environment, "HTTPS_PROXY": way, "https_proxy": way, "REQUESTS_CA_BUNDLE": str(papers.ca)}
        stack.enter_context(mock.patch.dict(os.environ, environment))
        return Salesforce(folder, org, line)

    def _open_bluesky(self, stack: ExitStack, tls: Papers | None) -> Site:
        if self._bluesky is None:
            self._bluesky = self._stack.enter_context(bluesky.running())
        if tls:
            ours = ssl.create_default_context(cafile=str(tls.ca))
            stack.enter_context(mock.patch.object(bluesky_wire, "_tls", return_value=ours))
        jetstream = stack.enter_context(JetstreamServer())
        line = stack.enter_context(Line(self._bluesky.pds, tls=tls))
        return Bluesky(self._bluesky, line, jetstream, stack.enter_context(Line(jetstream.url)))

    def _open_mail(self, stack: ExitStack, tls: Papers | None) -> Site:
        if self._dovecot is None:
            self._dovecot = self._stack.enter_context(dovecot.server())
        server, address = self._dovecot, f"site{self._numbers}@brand.example"
        client = stack.enter_context(server.login(address))
        words = stack.enter_context(FaultyLine(server.imap)), stack.enter_context(FaultyLine(server.submission))
        reads, sends = (
            stack.enter_context(Line(f"tcp://127.0.0.1:{each.here}", tls=tls, plain=True)) for each in words
        )
        return Mail(MailWorld(server, address, client, words), reads, sends)
