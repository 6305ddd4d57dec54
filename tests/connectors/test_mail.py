"""Mail: the shared suite against a real dovecot, over TLS and through faults, and what is special to a mailbox."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import pytest
from imapclient import IMAPClient
from pydantic import SecretStr

from connectors import mail_reading
from connectors.mail import MailConnector, Settings
from connectors.mail_posts import Mail, to_post
from connectors.mail_settings import Security
from connectors.mail_text import payload_of
from listener.contract import Connector
from tests.connectors.conformance import Conformance, Fault, Ours, World
from tests.servers import dovecot as servers
from tests.servers.dovecot import PASSWORD, Broken, Dovecot, FaultyLine

DATA_END = rb"^\.\r?\n$"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with servers.server() as running:
        yield running


@pytest.fixture
def address() -> str:
    """A mailbox that no other test has."""
    return f"care{next(_numbers)}@brand.example"


def settings_for(dovecot: Dovecot, address: str, **more: Any) -> Settings:
    """As most companies have it: TLS from the first byte, at both servers."""
    given: dict[str, Any] = {
        "address": address,
        "imap_host": "localhost",
        "imap_port": dovecot.imaps,
        "smtp_host": "localhost",
        "smtp_port": dovecot.submissions,
        "password": SecretStr(PASSWORD),
        "ca_file": dovecot.ca_file,
    }
    return Settings(**given | more)


def in_the_open(dovecot: Dovecot, address: str, **more: Any) -> Settings:
    """Without TLS, so that a test can stand in between."""
    given: dict[str, Any] = {
        "imap_host": "127.0.0.1",
        "imap_port": dovecot.imap,
        "imap_security": Security.NONE,
        "smtp_host": "127.0.0.1",
        "smtp_port": dovecot.submission,
        "smtp_security": Security.NONE,
    }
    return settings_for(dovecot, address, **given | more)


def written(
    text: str,
    *,
    sender: str = "Ana Pérez <ana@people.example>",
    to: str = "care@brand.example",
    subject: str = "",
    message_id: str = "",
    at: datetime | None = None,
    **headers: str,
) -> bytes:
    """A mail as somebody's program would write it."""
    made = EmailMessage()
    made["From"], made["To"] = sender, to
    if subject:
        made["Subject"] = subject
    made["Date"] = format_datetime(at or datetime.now(UTC))
    made["Message-ID"] = f"<{message_id or f'm{next(_numbers)}@people.example'}>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text, charset="utf-8")
    return made.as_bytes()


class MailWorld(World):
    """People who write to one mailbox, whose provider keeps a copy of what it sends unless a test says otherwise."""

    module = "connectors.mail"
    query = "mentions"
    bad_query = "in:"
    page_size = mail_reading.PAGE
    lateness = timedelta(days=1)
    secret = PASSWORD

    def __init__(
        self,
        dovecot: Dovecot,
        address: str,
        client: IMAPClient,
        lines: tuple[FaultyLine, FaultyLine],
        *,
        keeps_copies: bool = True,
    ) -> None:
        """`client` is logged in to the mailbox; the lines lead to IMAP and to submission."""
        self.dovecot, self.address, self._client = dovecot, address, client
        self.imap, self.smtp = lines
        self.people = f"people{next(_numbers)}.example"
        self._ids: dict[str, str] = {}  # message id -> external id
        if keeps_copies:
            dovecot.relay.files_sent.add(address)

    def connector(self) -> Connector:
        settings = in_the_open(self.dovecot, self.address, imap_port=self.imap.here, smtp_port=self.smtp.here)
        return MailConnector(settings)

    def post(
        self, who: str, text: str, *, reply_to: str | None = None, to_us: bool = False, late: timedelta = timedelta(0)
    ) -> str:
        made = EmailMessage()
        sender = f"{who}@{self.people}"
        message_id = f"m{next(_numbers)}@{self.people}"
        made["From"], made["To"] = f"{who} <{sender}>", self.address
        made["Date"] = format_datetime(datetime.now(UTC) - late)
        made["Message-ID"] = f"<{message_id}>"
        if reply_to:
            made["In-Reply-To"] = f"<{reply_to}>"
        made.set_content(text, charset="utf-8", cte="base64")
        data = made.as_bytes()
        self._client.append("INBOX", data)
        post = to_post(Mail(uid=1, data=data, size=1, arrived_at=datetime.now(UTC)), ours=self.address, folder="INBOX")
        self._ids[message_id] = post.external_id
        return post.external_id

    def edit(self, external_id: str, text: str) -> None:
        raise NotImplementedError

    def delete(self, external_id: str) -> None:
        """Its author is gone, mailbox and all, and so is the mail."""
        message_id = external_id.partition("/")[0]
        self.dovecot.remove(self.address, message_id)
        self.dovecot.relay.closed.update(f"{who}@{self.people}" for who in ("ana", "berta"))

    def ours(self) -> list[Ours]:
        found = []
        for who in ("ana", "berta", "beto", "carla", "mallory"):
            for message in self.dovecot.read(f"{who}@{self.people}"):
                parent = str(message["In-Reply-To"]).strip("<>")
                text = payload_of(message).decode().replace("\r\n", "\n").removesuffix("\n")
                found.append(
                    Ours(
                        external_id=str(message["Message-ID"]).strip("<>"),
                        parent_id=self._ids.get(parent, parent),
                        text=text,
                    )
                )
        return found

    def fail(self, fault: Fault, *, writes: bool = False, times: int = 1) -> None:
        if writes:
            self.smtp.faults.append(
                {
                    Fault.RATE_LIMITED: Broken(rb"^MAIL", "451 4.7.1 Too many messages, try again later", times=times),
                    Fault.AUTH_FAILED: Broken(rb"^AUTH", "535 5.7.8 Authentication failed", times=times),
                    Fault.REJECTED: Broken(rb"^RCPT", "550 5.7.1 Not wanted here", times=times),
                    Fault.LOST_BEFORE: Broken(DATA_END, times=times),
                    Fault.LOST_AFTER: Broken(DATA_END, passed=True, times=times),
                }[fault]
            )
            return
        if fault is Fault.GARBAGE:
            self.imap.greeting = b"HTTP/1.1 200 OK\r\n\r\n<html>Welcome</html>\r\n"
            return
        answers = {
            Fault.RATE_LIMITED: "NO [LIMIT] Too many logins",
            Fault.UNAVAILABLE: "NO [UNAVAILABLE] Temporary trouble",
            Fault.AUTH_FAILED: "NO [AUTHENTICATIONFAILED] Wrong name or password",
        }
        self.imap.faults.append(Broken(rb" (AUTHENTICATE|LOGIN)", "{tag} " + answers[fault], times=times))

    def heal(self) -> None:
        self.imap.heal()
        self.smtp.heal()

    @property
    def our_id(self) -> str:
        return self.address


@pytest.fixture
def lines(dovecot: Dovecot) -> Iterator[tuple[FaultyLine, FaultyLine]]:
    with FaultyLine(dovecot.imap) as imap, FaultyLine(dovecot.submission) as smtp:
        yield imap, smtp


class TestMail(Conformance):
    @pytest.fixture
    def world(self, dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]) -> Iterator[World]:
        with dovecot.login(address) as client:
            yield MailWorld(dovecot, address, client, lines)
