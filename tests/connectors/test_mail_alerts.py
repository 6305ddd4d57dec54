"""Alerts by mail to a real SMTP server on loopback: whom they reach, what they hold, and when to try again."""

from __future__ import annotations

import email
from collections.abc import Iterator
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from connectors import mail_alerts
from connectors.mail import MailConnector
from connectors.mail_settings import Security, Settings
from listener.contract import Alerts
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected, Unavailable
from listener.types import AlertMessage
from tests.servers.dovecot import free_ports


class Office:
    """The company's own mail server."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.mails: list[tuple[list[str], bytes]] = []
        self.refused: dict[str, str] = {}
        self.after_the_dot = "250 2.0.0 taken"
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            auth_require_tls=False,
            authenticator=lambda *_: AuthResult(success=True),
        )

    def __enter__(self) -> Office:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, envelope.original_content))
        if not self.after_the_dot:
            server.transport.close()
        return self.after_the_dot

    def settings(self, **more: Any) -> Settings:
        given: dict[str, Any] = {
            "address": "care@brand.example",
            "name": "Brand Care",
            "imap_host": "127.0.0.1",
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_security": Security.NONE,
            "password": SecretStr("s3cret"),
        }
        return Settings(**given | more)


@pytest.fixture
def office() -> Iterator[Office]:
    with Office() as running:
        yield running


def message(
    subject: str = "M1 on x: danger, critical", *to: str, text: str = "line 1\nlínea 2\n.\nend"
) -> AlertMessage:
    people = to or ("ana@brand.example", "luis@brand.example")
    return AlertMessage(key="abc123", subject=subject, text=text, fields={}, to=people)


def test_all_of_a_target_get_one_mail_with_the_keys_id(office: Office) -> None:
    connector = MailConnector(office.settings())
    assert isinstance(connector, Alerts)
    assert [connector.alert(message()) for _ in range(2)] == ["", ""]
    (to, raw), (_, again) = office.mails
    assert to == ["ana@brand.example", "luis@brand.example"]
    mail = email.message_from_bytes(raw, policy=default)
    assert mail["From"] == "Brand Care <care@brand.example>"
    assert mail["To"] == "ana@brand.example, luis@brand.example"
    assert mail["Subject"] == "[Escucha] M1 on x: danger, critical"
    assert mail["Message-ID"] == "<alert-abc123@brand.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == ["line 1", "línea 2", ".", "end"]
    assert email.message_from_bytes(again)["Message-ID"] == mail["Message-ID"]


@pytest.mark.parametrize(
    "subject",
    [
        "one\r\nBcc: boss@other.example\r\n\r\nbody",
        "=?utf-8?q?=0d=0aBcc:_boss@other.example?=",
        "año \u2028Bcc: x\x00\x1b[2J \udcff",
        "ñ" * 5000,
    ],
)
def test_a_subject_stays_one_header(office: Office, subject: str) -> None:
    MailConnector(office.settings()).alert(message(subject, text=subject))
    mail = email.message_from_bytes(office.mails[0][1], policy=default)
    assert (
        set(mail.keys())
        == {
            *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
            *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
        }
        or "X-Peer" in mail
    )
    assert "Bcc" not in mail
    assert office.mails[0][0] == ["ana@brand.example", "luis@brand.example"]
    assert all(len(line) <= 998 for line in office.mails[0][1].splitlines())


def test_who_is_refused_while_others_take_it_is_remarked(office: Office) -> None:
    office.refused["luis@brand.example"] = "550 5.1.1 No such user here"
    assert MailConnector(office.settings()).alert(message()) == (
        "127.0.0.1 refuses this (550): “5.1.1 No such user here”"
    )
    assert office.mails[0][0] == ["ana@brand.example"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("550 5.1.1 No such user here", Rejected),
        ("451 4.3.0 not now", Unavailable),
        ("451 4.7.1 greylisted, try later", RateLimited),
    ],
)
def test_where_nobody_takes_it(office: Office, said: str, error: type[NetworkError]) -> None:
    office.refused = dict.fromkeys(("ana@brand.example", "luis@brand.example"), said)
    with pytest.raises(error):
        MailConnector(office.settings()).alert(message())
    assert office.mails == []


def test_what_broke_off_after_the_whole_mail_is_sent_again(office: Office) -> None:
    office.after_the_dot = ""
    with pytest.raises(Unavailable, match="broke off before it said whether it took it"):
        MailConnector(office.settings()).alert(message())
    assert len(office.mails) == 1


def test_an_account_that_only_reads_and_a_server_that_is_away(office: Office) -> None:
    with pytest.raises(AuthFailed, match="smtp_host is missing"):
        MailConnector(office.settings(smtp_host=None)).alert(message())
    (closed,) = free_ports(1)
    with pytest.raises(Unavailable, match="nothing listens there"):
        mail_alerts.send(office.settings(smtp_port=closed), message(), MailConnector(office.settings())._now())
