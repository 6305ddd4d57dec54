"""Mail: the shared suite against a real dovecot, over TLS and through faults, and what is special to a mailbox."""

from __future__ import annotations

import base64
import contextlib
import itertools
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient
from pydantic import SecretStr, ValidationError

import policies
from connectors import mail_reading, mail_wire
from connectors.mail import FACTS, MailConnector, Settings, connect
from connectors.mail_posts import Mail, to_post
from connectors.mail_sending import build_first, reachable
from connectors.mail_settings import Security
from connectors.mail_text import payload_of
from listener import store as stores
from listener.contract import Connector
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import Store, cases, customers, inbox, links, mentions, stats
from listener.store.customers import Edit
from listener.store.sources import Wanted
from listener.types import (
    Attachment,
    Author,
    DraftState,
    LinkBasis,
    MessageRequest,
    Page,
    Post,
    PostKind,
    ReplyRequest,
    Visibility,
)
from tests import databases
from tests.connectors.conformance import Conformance, Fault, Ours, World, read_all
from tests.listener.flow.world import AUTO, Keywords
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
    """People who write to one mailbox, whose provider keeps a copy of what it sends unless said otherwise."""

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

    def streaming(self) -> Connector:
        settings = in_the_open(self.dovecot, self.address, imap_port=self.imap.here, smtp_port=self.smtp.here)
        return MailConnector(settings, beat=0.5, reidle=1.0, patience=1.0)

    def silence_streams(self) -> None:
        self.imap.frozen = True

    def cut_streams(self) -> None:
        self.imap.cut()

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


# --- settings -------------------------------------------------------------------------------------------------------


def plain_settings(**more: Any) -> Settings:
    given: dict[str, Any] = {"address": "care@brand.example", "imap_host": "imap.brand.example"}
    return Settings(**given | more)


@pytest.mark.parametrize(
    "address", ["care", "Care <care@brand.example>", "a@b\r\nBcc: x", "care@", "@x", "ñ@x.example"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        plain_settings(address=address)


@pytest.mark.parametrize("host", ["", "imaps://imap.brand.example", "imap brand", "a/b", "a\r\nb"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        plain_settings(imap_host=host)


@pytest.mark.parametrize("which", ["imap", "smtp"])
def test_nothing_travels_in_the_open_but_on_this_machine(which: str) -> None:
    with pytest.raises(ValidationError, match="in the open"):
        plain_settings(**{f"{which}_host": "mail.brand.example", f"{which}_security": "none"})
    assert plain_settings(**{f"{which}_host": "127.0.0.1", f"{which}_security": "none"})


def test_a_bad_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        plain_settings(password=SecretStr("s3cret\npass"))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValidationError, match="not both"):
        plain_settings(password=SecretStr("a"), access_token=SecretStr("b"))


def test_an_unknown_setting_is_refused_and_every_setting_says_where_it_comes_from() -> None:
    with pytest.raises(ValidationError):
        plain_settings(pasword="x")
    for field in Settings.model_fields.values():
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["where"]


def test_connecting_asks_the_network_nothing() -> None:
    assert connect(plain_settings()).facts == FACTS
    assert FACTS.opens_case


def test_without_a_secret_nobody_is_asked() -> None:
    connector = connect(plain_settings(imap_host="nowhere.invalid", smtp_host="nowhere.invalid"))
    with pytest.raises(AuthFailed, match="password"):
        connector.poll("mentions", None)


# --- queries --------------------------------------------------------------------------------------------------------


def test_a_mailbox_is_read_as_a_whole_or_by_terms(dovecot: Dovecot, address: str) -> None:
    dovecot.put(address, written("No tengo señal", subject="Avería"), written("¿Horario?"))
    connector = connect(settings_for(dovecot, address))
    texts = [post.text for post in connector.poll("mentions", None).posts]
    assert texts == ["Avería\n\nNo tengo señal", "¿Horario?"]
    assert [post.text for post in connector.poll("averia OR factura", None).posts] == texts[:1]
    assert connector.poll("nada", None).posts == ()


def test_another_folder_can_be_read(dovecot: Dovecot, address: str) -> None:
    with dovecot.login(address) as client:
        client.create_folder("Ventas España")
    dovecot.put(address, written("¿Precio?"), folder="Ventas España")
    connector = connect(settings_for(dovecot, address))
    (post,) = connector.poll('in:"Ventas España"', None).posts
    assert post.text == "¿Precio?"
    assert connector.poll('in:"Ventas España" horario', None).posts == ()
    assert "Ventas España" in connector.explain_query('in:"Ventas España"')
    with pytest.raises(Rejected, match="no folder"):
        connector.poll("in:Nowhere", None)


@pytest.mark.parametrize("query", ["", "in:", 'in:"', 'in:"a\x00b"', "(sin cerrar"])
def test_a_query_that_makes_no_sense_is_a_mistake(query: str) -> None:
    connector = MailConnector(plain_settings())
    with pytest.raises(Mistake):
        connector.explain_query(query)
    with pytest.raises(Rejected):
        connector.poll(query, None)
    assert not connector.streams(query)


# --- the secure line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_both_servers_are_reached_behind_tls(dovecot: Dovecot, address: str, security: Security) -> None:
    ports = {Security.TLS: (dovecot.imaps, dovecot.submissions), Security.STARTTLS: (dovecot.imap, dovecot.submission)}
    imap, smtp = ports[security]
    connector = connect(
        settings_for(dovecot, address, imap_port=imap, smtp_port=smtp, imap_security=security, smtp_security=security)
    )
    assert connector.whoami() == Author(external_id=address, handle=address)
    dovecot.put(address, written("¿Horario?"))
    (post,) = connector.poll("mentions", None).posts
    assert isinstance(connector, MailConnector)
    connector.reply(request_to(post, key=f"over-{security}"))
    assert len(dovecot.read("ana@people.example")) >= 1


@pytest.mark.parametrize("trusted", ["usual", "another"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    dovecot: Dovecot, address: str, tmp_path: Path, trusted: str
) -> None:
    servers.certificate(tmp_path, host="localhost")
    ca_file = None if trusted == "usual" else tmp_path / "cert.pem"
    connector = MailConnector(settings_for(dovecot, address, ca_file=ca_file))
    with pytest.raises(Unavailable, match="secure"):
        connector.poll("mentions", None)
    with pytest.raises(Unavailable, match="secure"):
        connector.reply(a_request())


def test_a_certificate_for_another_host_is_refused(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    servers.certificate(tmp_path, host="mail.other.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def serve() -> None:
        for _ in range(2):
            with contextlib.suppress(OSError), listener.accept()[0] as client:
                context.wrap_socket(client, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port, ca_file = listener.getsockname()[1], tmp_path / "cert.pem"
        connector = MailConnector(settings_for(dovecot, address, imap_port=port, smtp_port=port, ca_file=ca_file))
        with pytest.raises(Unavailable, match="secure"):
            connector.poll("mentions", None)
        with pytest.raises(Unavailable, match="secure"):
            connector.reply(a_request())
        thread.join()


def test_certificates_that_cannot_be_read_are_a_persons_matter(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(AuthFailed, match="ca_file"):
            connect(settings_for(dovecot, address, ca_file=path)).poll("mentions", None)


def test_no_password_is_said_where_starttls_is_taken_away(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    imap, smtp = lines
    imap.faults.append(Broken(rb"STARTTLS", "{tag} BAD no such thing", times=99))
    smtp.faults.append(Broken(rb"STARTTLS", "454 4.7.0 no such thing", times=99))
    starttls = {"imap_security": "starttls", "smtp_security": "starttls"}
    connector = MailConnector(settings_for(dovecot, address, imap_port=imap.here, smtp_port=smtp.here, **starttls))
    with pytest.raises(Unavailable):
        connector.poll("mentions", None)
    with pytest.raises((Unavailable, RateLimited)):
        connector.reply(a_request())
    said = b"".join(imap.lines + smtp.lines)
    assert b"AUTH" not in said
    assert b"LOGIN" not in said


# --- logging in -----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_a_persons_matter_and_is_not_shown(dovecot: Dovecot, address: str) -> None:
    connector = MailConnector(settings_for(dovecot, address, password=SecretStr("wrong-s3cret-ñ")))
    for call in (connector.whoami, lambda: connector.poll("mentions", None), lambda: connector.reply(a_request())):
        with pytest.raises(AuthFailed) as caught:
            call()
        assert "wrong-s3cret" not in str(caught.value)


def test_doctor_hears_of_a_server_that_does_not_send_and_listening_goes_on(dovecot: Dovecot, address: str) -> None:
    (closed,) = servers.free_ports(1)
    connector = connect(settings_for(dovecot, address, smtp_port=closed))
    with pytest.raises(Unavailable):
        connector.whoami()
    assert connector.whoami() is not None


def scripted(*answers: bytes, greeting: bytes) -> tuple[socket.socket, list[bytes]]:
    """A server that says one thing after each line of its client; gives where it listens, and what it heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client, client.makefile("rb") as said, contextlib.suppress(OSError):
            client.sendall(greeting)
            for answer in answers:
                line = said.readline()
                heard.append(line)
                client.sendall(answer.replace(b"{tag}", line.split(b" ")[0].strip()))

    threading.Thread(target=serve, daemon=True).start()
    return listener, heard


def test_an_access_token_logs_in_at_both_servers(dovecot: Dovecot, address: str) -> None:
    token = {"password": None, "access_token": SecretStr("ya29.s3cret-token")}
    imap, heard = scripted(
        b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n{tag} OK done\r\n",
        b"+ \r\n",
        b"* BYE\r\n",
        greeting=b"* OK hello\r\n",
    )
    smtp, told = scripted(
        b"250-mx\r\n250 AUTH XOAUTH2\r\n",
        b"334 eyJzdGF0dXMiOiI0MDAifQ==\r\n",
        b"535 5.7.8 token expired\r\n",
        greeting=b"220 mx\r\n",
    )
    with imap, smtp:
        ports = {"imap_port": imap.getsockname()[1], "smtp_port": smtp.getsockname()[1]}
        connector = MailConnector(in_the_open(dovecot, address, **ports, **token))
        with pytest.raises((AuthFailed, Unavailable)):
            connector.poll("mentions", None)
        with pytest.raises(AuthFailed) as caught:
            connector.reply(a_request())
    wanted = f"user={address}\1auth=Bearer ya29.s3cret-token\1\1".encode()
    assert base64.b64decode(heard[2]) == wanted
    assert base64.b64decode(told[1].split(b" ")[2]) == wanted
    assert "s3cret" not in str(caught.value)


# --- reading on -----------------------------------------------------------------------------------------------------


def flags_of(dovecot: Dovecot, address: str, folder: str = "INBOX") -> list[set[bytes]]:
    with dovecot.login(address) as client:
        client.select_folder(folder, readonly=True)
        found = client.fetch(client.search("ALL"), ["FLAGS"])
        return [set(each[b"FLAGS"]) - {b"\\Recent"} for each in found.values()]


def test_mails_stay_unread_and_where_they_are(dovecot: Dovecot, address: str) -> None:
    dovecot.put(address, written("uno"), large())
    connector = connect(settings_for(dovecot, address))
    assert len(connector.poll("mentions", None).posts) == 2
    assert flags_of(dovecot, address) == [set(), set()]


def test_a_mailbox_that_is_numbered_anew_is_read_again_from_two_days_back(dovecot: Dovecot, address: str) -> None:
    old = written("viejo", at=datetime.now(UTC) - timedelta(days=9))
    dovecot.put(address, old, at=datetime.now(UTC) - timedelta(days=9))
    dovecot.put(address, written("de hoy"))
    connector = connect(settings_for(dovecot, address))
    posts, cursor = read_all(connector, "mentions", None)
    assert [post.text for post in posts] == ["de hoy"]
    again, after = read_all(connector, "mentions", {**cursor, "validity": 1})
    assert [post.external_id for post in again] == [post.external_id for post in posts]
    assert after["validity"] == cursor["validity"]
    dovecot.put(address, written("nuevo"))
    posts, _ = read_all(connector, "mentions", after)
    assert [post.text for post in posts] == ["nuevo"]


def test_what_was_there_long_before_us_is_left_alone(dovecot: Dovecot, address: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=30)
    dovecot.put(address, *(written(f"viejo {n}", at=long_ago) for n in range(5)), at=long_ago)
    connector = connect(settings_for(dovecot, address))
    posts, cursor = read_all(connector, "mentions", None)
    assert posts == []
    dovecot.put(address, written("nuevo"))
    posts, _ = read_all(connector, "mentions", cursor)
    assert [post.text for post in posts] == ["nuevo"]


def test_a_mail_that_shows_up_behind_later_ones_is_read(dovecot: Dovecot, address: str) -> None:
    connector = connect(settings_for(dovecot, address))
    _, cursor = read_all(connector, "mentions", None)
    dovecot.put(address, *(written(f"correo {n}") for n in range(6)))
    posts, after = read_all(connector, "mentions", cursor)
    not_yet_shown = {**after, "seen": [uid for uid in after["seen"] if uid != 4]}
    late, _ = read_all(connector, "mentions", not_yet_shown)
    assert [post.external_id for post in late] == [posts[3].external_id]


def large(*, first: str = "picture") -> bytes:
    """A mail of 3 MB whose words stand around a picture."""
    made = EmailMessage()
    made["From"], made["Subject"], made["Message-ID"] = "ana@people.example", "Foto", f"<big{next(_numbers)}@p.example>"
    made["Date"] = format_datetime(datetime.now(UTC))
    made.make_mixed()
    texts = EmailMessage()
    texts.set_content("No tengo señal")
    texts.add_alternative("<p>No tengo <b>señal</b></p>", subtype="html")
    made.add_attachment(b"\xff\xd8" * 1_500_000, maintype="image", subtype="jpeg", filename="foto año.jpg")
    made.attach(texts)
    return made.as_bytes()


def test_of_a_huge_mail_only_the_words_are_fetched(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    dovecot.put(address, large())
    imap, _ = lines
    (post,) = connect(in_the_open(dovecot, address, imap_port=imap.here)).poll("mentions", None).posts
    assert post.text == "Foto\n\nNo tengo señal"
    assert [media.alt for media in post.media] == ["foto año.jpg (image/jpeg)"]
    asked = b"".join(imap.lines)
    assert b"BODYSTRUCTURE" in asked
    assert b"BODY.PEEK[]" not in asked
    assert b"BODY.PEEK[1]" not in asked


def test_a_huge_text_is_read_from_its_beginning(dovecot: Dovecot, address: str) -> None:
    dovecot.put(address, written("Empieza aquí.\n" + "y sigue\n" * 200_000))
    (post,) = connect(settings_for(dovecot, address)).poll("mentions", None).posts
    assert post.text.startswith("Empieza aquí.")
    assert len(post.text) == FACTS.limit


def test_a_mail_that_cannot_be_read_is_told_of_and_holds_up_nobody(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    dovecot.put(address, written("uno"), written("dos"), b"\r\nsin cabecera", written("tres"))
    imap, _ = lines
    imap.faults.append(Broken(rb"FETCH 2 \(BODY", "{tag} NO [SERVERBUG] broken"))
    page = connect(in_the_open(dovecot, address, imap_port=imap.here)).poll("mentions", None)
    assert [post.text for post in page.posts] == ["uno", "tres"]
    assert page.gap is not None
    assert page.gap.startswith("2 mails")


def test_a_mail_that_breaks_every_conversation_is_passed_over_in_the_end(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    dovecot.put(address, written("uno"), written("dos"), written("tres"))
    imap, _ = lines
    imap.faults.append(Broken(rb"FETCH 2 \(BODY", "* 2 FETCH (" + "x" * 1_100_000, times=99))
    connector = connect(in_the_open(dovecot, address, imap_port=imap.here))
    for _ in range(3):
        with pytest.raises(Unavailable):
            connector.poll("mentions", None)
    page = connector.poll("mentions", None)
    assert [post.text for post in page.posts] == ["uno", "tres"]
    assert page.gap is not None


def test_a_mail_of_very_many_parts_is_read_in_bounds(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    part = "--x\r\nContent-Type: text/plain\r\n\r\n" + "parte\r\n" * 60_000
    head = "From: ana@people.example\r\nMessage-ID: <parts@x>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    dovecot.put(address, (head + part * 12 + "--x--\r\n").encode())
    imap, _ = lines
    (post,) = connect(in_the_open(dovecot, address, imap_port=imap.here)).poll("mentions", None).posts
    assert len(post.text) == FACTS.limit
    assert sum(b"BODY.PEEK[" in line for line in imap.lines) < 20


def test_a_server_that_gives_no_mail_at_all_is_no_reason_to_pass_over_them(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    dovecot.put(address, written("uno"), written("dos"))
    imap, _ = lines
    imap.faults.append(Broken(rb"FETCH \d+ \(BODY", "{tag} NO [SERVERBUG] broken", times=9))
    with pytest.raises(Unavailable):
        connect(in_the_open(dovecot, address, imap_port=imap.here)).poll("mentions", None)


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"\r\n",
        b"* BYE [UNAVAILABLE] later\r\n",
        b"* PREAUTH welcome\r\n",
        b"<html>" * 100,
        b"\xff\xfe\x00" * 100 + b"\r\n",
        b"* OK " + b"x" * 2_000_000,
        b"* OK [CAPABILITY IMAP4rev1] {99999999999}\r\n",
    ],
    ids=["closed", "blank", "bye", "preauth", "html", "bytes", "endless", "literal"],
)
def test_a_server_that_is_none_is_unavailable(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine], greeting: bytes
) -> None:
    imap, smtp = lines
    imap.greeting = smtp.greeting = greeting or b"\x00"
    connector = MailConnector(in_the_open(dovecot, address, imap_port=imap.here, smtp_port=smtp.here))
    with pytest.raises((Unavailable, RateLimited)):
        connector.poll("mentions", None)
    with pytest.raises((Unavailable, AuthFailed)):
        connector.reply(a_request())


def test_a_server_that_says_nothing_is_given_up(
    dovecot: Dovecot, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_wire, "CONNECT_TIMEOUT", 0.3)
    monkeypatch.setattr(mail_wire, "READ_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        connector = MailConnector(in_the_open(dovecot, address, imap_port=port, smtp_port=port))
        with pytest.raises(Unavailable):
            connector.poll("mentions", None)
        with pytest.raises(Unavailable):
            connector.reply(a_request())


def test_a_server_that_trickles_is_given_up(dovecot: Dovecot, address: str) -> None:
    stopped = threading.Event()

    def trickle(listener: socket.socket) -> None:
        with listener.accept()[0] as client:
            while not stopped.wait(0.05):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        settings = in_the_open(dovecot, address, imap_port=listener.getsockname()[1])
        with pytest.raises(Unavailable), mail_wire.reading(settings, deadline=0.5):
            pass
        stopped.set()
        thread.join()


# --- the stream -----------------------------------------------------------------------------------------------------


def first(pages: Iterator[Page], *, more: bool, most: int = 40) -> Page:
    """The next page that asks for a poll, or that asks for none."""
    for page in itertools.islice(pages, most):
        assert page.cursor is None
        assert page.posts == ()
        if page.more is more:
            return page
    pytest.fail("no such page came")


def test_a_mail_that_comes_wakes_the_poll(dovecot: Dovecot, address: str) -> None:
    connector = MailConnector(settings_for(dovecot, address), beat=0.2)
    assert connector.streams("mentions")
    pages = connector.stream("mentions", None)
    assert next(pages).more, "what came before we listened is read too"
    for n in range(3):
        first(pages, more=False)
        dovecot.deliver("ana@people.example", address, written(f"correo {n}", to=address))
        first(pages, more=True)
    assert len(connector.poll("mentions", None).posts) == 3
    pages.close()  # type: ignore[attr-defined]


def test_the_stream_says_that_it_is_there_and_listens_anew(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    imap, _ = lines
    connector = MailConnector(in_the_open(dovecot, address, imap_port=imap.here), beat=0.05, reidle=0.1)
    pages = connector.stream("mentions", None)
    assert [page.more for page in itertools.islice(pages, 20)] == [True] + [False] * 19
    pages.close()  # type: ignore[attr-defined]
    assert sum(b"IDLE" in line for line in imap.lines) > 2
    assert sum(b"DONE" in line for line in imap.lines) > 2


def test_a_server_without_idle_is_polled(dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]) -> None:
    imap, _ = lines
    imap.faults.append(Broken(rb"IDLE", "{tag} BAD unknown command", times=9))
    connector = MailConnector(in_the_open(dovecot, address, imap_port=imap.here))
    pages = connector.stream("mentions", None)
    next(pages)
    with pytest.raises((Unavailable, Rejected)):
        next(pages)


# --- answering ------------------------------------------------------------------------------------------------------


def a_request(**more: Any) -> ReplyRequest:
    given: dict[str, Any] = {
        "key": f"draft-{next(_numbers)}",
        "parent_id": "m1@people.example/abc",
        "parent_author": Author(external_id="ana@people.example", handle="ana@people.example"),
        "parent_visibility": Visibility.DIRECT,
        "text": "Lo miramos.",
        "language": "es",
    }
    return ReplyRequest(**given | more)


def request_to(post: Post, **more: Any) -> ReplyRequest:
    given: dict[str, Any] = {"parent_id": post.external_id, "parent_author": post.author, "parent_raw": post.raw}
    return a_request(**given | more)


def person() -> str:
    """The address of somebody with a mailbox of their own."""
    return f"ana{next(_numbers)}@people.example"


def test_a_conversation_goes_back_and_forth(dovecot: Dovecot, address: str) -> None:
    ana, connector = person(), MailConnector(settings_for(dovecot, address, name="Marca"))
    dovecot.deliver(ana, address, written("¿Hay avería?", sender=f"Ana <{ana}>", to=address, subject="Avería"))
    posts, cursor = read_all(connector, "mentions", None)
    posted = connector.reply(request_to(posts[0], text="Sí, la arreglamos.\n.\nGracias: ñ 🙏"))
    (received,) = dovecot.read(ana)
    assert payload_of(received).decode().replace("\r\n", "\n") == "Sí, la arreglamos.\n.\nGracias: ñ 🙏\n"
    assert received["Message-ID"] == f"<{posted.external_id}>"
    assert str(received["Subject"]) != ""
    answer = written(
        "Gracias\n\nEl lun, 16 nov 2026, Marca <care@brand.example> escribió:\n> Sí",
        sender=f"Ana <{ana}>",
        to=address,
        subject="Re: Avería",
        In_Reply_To=received["Message-ID"],
        References=f"{received['References']} {received['Message-ID']}",
    )
    dovecot.deliver(ana, address, answer)
    (post,), _ = read_all(connector, "mentions", cursor)
    assert post.text == "Gracias"
    assert post.parent_id == posted.external_id
    assert post.thread_id == posts[0].thread_id
    assert post.kind is PostKind.DIRECT


def test_a_copy_of_what_we_send_is_kept_once(dovecot: Dovecot, address: str) -> None:
    connector = MailConnector(settings_for(dovecot, address))
    connector.reply(a_request(parent_author=Author(external_id=(ana := person()), handle=ana)))
    assert len(dovecot.read(address, "Sent")) == 1
    dovecot.relay.files_sent.add(address)
    connector.reply(a_request(parent_author=Author(external_id=ana, handle=ana)))
    assert len(dovecot.read(address, "Sent")) == 2, "where the server keeps one, we add none"
    assert flags_of(dovecot, address, "Sent")[0] == {b"\\Seen"}


def test_what_is_sent_is_sent_even_if_no_copy_can_be_kept(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    imap, _ = lines
    imap.faults.append(Broken(rb"APPEND", "{tag} NO [OVERQUOTA] full", times=9))
    connector = MailConnector(in_the_open(dovecot, address, imap_port=imap.here))
    ana = person()
    assert connector.reply(a_request(parent_author=Author(external_id=ana, handle=ana))).external_id
    assert len(dovecot.read(ana)) == 1


def test_an_answer_that_somebody_answered_went_out(dovecot: Dovecot, address: str) -> None:
    connector = MailConnector(settings_for(dovecot, address))
    request = a_request()
    assert connector.find_reply(request, datetime.now(UTC)) is None
    own = f"{request.key}@brand.example"
    dovecot.put(address, written("Gracias", In_Reply_To=f"<{own}>"))
    found = connector.find_reply(request, datetime.now(UTC))
    assert found is not None
    assert found.external_id == own


def test_that_no_look_is_conclusive_is_told() -> None:
    assert FACTS.settle_after is None
    assert not FACTS.keyed_writes


@pytest.mark.parametrize(
    ("line", "answer", "error"),
    [
        (rb"^MAIL", "421 4.3.2 shutting down, try again later", RateLimited),
        (rb"^MAIL", "451 4.7.1 too many messages", RateLimited),
        (rb"^MAIL", "451 4.3.0 disk trouble", Unavailable),
        (rb"^MAIL", "550 5.4.5 Daily user sending limit exceeded", RateLimited),
        (rb"^MAIL", "553 5.7.60 Client does not have permissions to send as this sender", AuthFailed),
        (rb"^MAIL", "530 5.7.0 log in first", AuthFailed),
        (rb"^RCPT", "550 5.1.1 no such user", Rejected),
        (rb"^RCPT", "450 4.7.1 greylisted, try again later", RateLimited),
        (rb"^RCPT", "hello?", Unavailable),
        (rb"^DATA", "554 5.6.0 not like this", Rejected),
        (rb"^DATA", "", Unavailable),
        (rb"^AUTH", "454 4.7.0 temporary trouble", Unavailable),
        (rb"^AUTH", "535 5.7.8 wrong", AuthFailed),
        (rb"^EHLO", "", Unavailable),
        (rb"^Content-Type: text/plain", "", OutcomeUnknown),
        (DATA_END, "451 4.3.0 disk trouble", Unavailable),
        (DATA_END, "554 5.7.1 looks like spam", Rejected),
        (DATA_END, "hello?", OutcomeUnknown),
        (DATA_END, "354 go on", OutcomeUnknown),
        (DATA_END, "", OutcomeUnknown),
    ],
)
def test_a_refusal_is_told_apart_from_not_knowing(
    dovecot: Dovecot,
    address: str,
    lines: tuple[FaultyLine, FaultyLine],
    line: bytes,
    answer: str,
    error: type[Exception],
) -> None:
    imap, smtp = lines
    smtp.faults.append(Broken(line, answer, times=99))
    connector = MailConnector(in_the_open(dovecot, address, imap_port=imap.here, smtp_port=smtp.here))
    ana = person()
    with pytest.raises(error) as caught:
        connector.reply(a_request(parent_author=Author(external_id=ana, handle=ana)))
    assert type(caught.value) is error
    assert PASSWORD not in str(caught.value)
    assert dovecot.read(ana) == []


def test_an_answer_that_is_larger_than_the_server_takes_is_rejected_before_it_is_sent(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    _, smtp = lines
    smtp.faults.append(Broken(rb"^EHLO", "250-mx\r\n250-AUTH PLAIN\r\n250 SIZE 1000"))
    connector = MailConnector(in_the_open(dovecot, address, smtp_port=smtp.here))
    with pytest.raises(Rejected, match="1000"):
        connector.reply(a_request(text="x" * 5000))
    assert not any(said.startswith(b"MAIL") for said in smtp.lines)


def test_an_answer_carries_a_picture(dovecot: Dovecot, address: str) -> None:
    connector, ana = MailConnector(settings_for(dovecot, address)), person()
    picture = Attachment(name="mapa.png", content_type="image/png", data=bytes(range(256)) * 40, alt="Un mapa")
    connector.reply(a_request(parent_author=Author(external_id=ana, handle=ana), media=(picture,)))
    (received,) = dovecot.read(ana)
    _, attached = received.get_payload()  # type: ignore[misc]
    assert payload_of(attached) == picture.data


def test_a_mailbox_without_a_server_to_send_is_only_read(dovecot: Dovecot, address: str) -> None:
    connector = MailConnector(settings_for(dovecot, address, smtp_host=None))
    assert not connector.speaks
    assert connector.whoami() is not None
    with pytest.raises(AuthFailed, match="smtp_host"):
        connector.reply(a_request())


# --- from mail to case and answer -----------------------------------------------------------------------------------


ROUTED = AUTO.replace("cases: every", "cases: routed").replace(", case: {}", "").replace(" {{ case.reference }}", "")


def a_company(store: Store, connector: Connector) -> Pipeline:
    """A company whose policy routes by hand, so that only the mailbox itself opens cases."""
    pipeline = Pipeline(
        store,
        accounts={"care": "mail"},
        connect=lambda _: connector,
        network_facts=lambda _: FACTS,
        classifier=Keywords,
        policy=policies.load_text(ROUTED),
        company=Company(case_pattern="ES"),
    )
    every = timedelta(milliseconds=1)
    pipeline.start([Wanted(name="inbox", account="care", network="mail", query="mentions", every=every)], by="test")
    return pipeline


def drafts_in(store: Store, state: DraftState) -> list[inbox.Draft]:
    with store.read() as tx:
        return inbox.waiting(tx, states=(state,))


def test_every_mail_opens_a_case_and_only_people_are_answered(dovecot: Dovecot, address: str, tmp_path: Path) -> None:
    ana, beto = person(), person()
    away = {"Auto_Submitted": "auto-replied", "Subject": "Fuera de la oficina"}
    dovecot.deliver(ana, address, written("¿Horario?", sender=ana, to=address))
    dovecot.deliver(beto, address, written("Vuelvo el lunes", sender=beto, to=address, **away))
    shop = "news@shop.example"
    dovecot.deliver(shop, address, written("Oferta", sender=shop, to=address, List_Id="<n.shop>"))
    store = stores.open(databases.at(tmp_path))
    now = datetime.now(UTC)
    with store.write() as tx:
        record = {"name": "Ana", "email": ana, "phone": None, "language": "", "tier": "", "tags": [], "fields": {}}
        edits = [Edit(reference="C1", values=record, changed=())]
        customers.write(tx, added=edits, changed=[], by="test", now=now, source="test")
        told = [("mail", ana.upper(), customers.get(tx, "C1"))]
        links.expect(tx, told, basis=LinkBasis.SELF_DECLARED, evidence="", by="test", now=now)
    pipeline = a_company(store, MailConnector(settings_for(dovecot, address)))
    pipeline.once()
    pipeline.once()
    with store.read() as tx:
        heard = {mention.author.handle: mention for mention in mentions.recent(tx, limit=10)}
        assert stats.counts(tx).cases["open"] == 3
        case = cases.of_mention(tx, heard[ana].id)
        assert case is not None
        assert case.customer_reference == "C1"
    store.close()
    assert len(dovecot.read(ana)) == 1
    assert dovecot.read(beto) == []
    assert heard[beto].unanswerable == "automatic mail"
    assert heard[shop].author.bot


def test_a_mail_goes_on_with_the_case_of_its_thread_or_of_the_reference_it_quotes(
    dovecot: Dovecot, address: str, tmp_path: Path
) -> None:
    ana, from_work, from_home, beto = person(), person(), person(), person()
    begun = f"begun-{ana}"
    dovecot.deliver(ana, address, written("¿Horario?", sender=ana, to=address, message_id=begun))
    store = stores.open(databases.at(tmp_path))
    pipeline = a_company(store, MailConnector(settings_for(dovecot, address)))
    pipeline.once()
    with store.read() as tx:
        (case,) = cases.listing(tx)
    known = {"In_Reply_To": f"<{begun}>", "References": f"<{begun}>", "Subject": "Re: Hola"}
    dovecot.deliver(from_work, address, written("Les escribo desde el trabajo", sender=from_work, to=address, **known))
    quoting = {"Subject": f"Sobre {case.reference.lower()}"}
    dovecot.deliver(from_home, address, written("Y ahora desde mi casa", sender=from_home, to=address, **quoting))
    dovecot.deliver(beto, address, written("¿Cuánto cuesta?", sender=beto, to=address))
    pipeline.once()
    with store.read() as tx:
        whys = [why for _, why, _ in cases.mentions_in(tx, case)]
        assert stats.counts(tx).cases["open"] == 2, "what belongs to nothing opens a case of its own"
    store.close()
    stranger = ", from an account not known to be theirs, so it wakes and hurries nothing"
    bonds = [f"it quotes {case.reference}{stranger}", f"it stands in the same conversation{stranger}"]
    assert sorted(whys[1:]) == bonds


def test_only_an_answer_that_no_person_approved_calls_itself_automatic(
    dovecot: Dovecot, address: str, tmp_path: Path
) -> None:
    ana, beto = person(), person()
    dovecot.deliver(ana, address, written("¿Horario?", sender=ana, to=address))
    dovecot.deliver(beto, address, written("Muy mal servicio", sender=beto, to=address))
    store = stores.open(databases.at(tmp_path))
    pipeline = a_company(store, MailConnector(settings_for(dovecot, address)))
    pipeline.once()
    (complaint,) = drafts_in(store, DraftState.PROPOSED)
    with store.write() as tx:
        inbox.approve(tx, complaint, by="mod", now=datetime.now(UTC))
    pipeline.once()
    store.close()
    ((by_rule,), (by_hand,)) = dovecot.read(ana), dovecot.read(beto)
    assert by_rule["Auto-Submitted"] == "auto-replied"
    assert by_hand["Auto-Submitted"] is None


def test_an_answer_whose_fate_nobody_knows_waits_for_a_person(
    dovecot: Dovecot, address: str, tmp_path: Path, lines: tuple[FaultyLine, FaultyLine]
) -> None:
    ana = person()
    dovecot.deliver(ana, address, written("¿Horario?", sender=ana, to=address))
    _, smtp = lines
    smtp.faults.append(Broken(DATA_END, passed=True))
    store = stores.open(databases.at(tmp_path))
    pipeline = a_company(store, MailConnector(in_the_open(dovecot, address, smtp_port=smtp.here)))
    for _ in range(4):
        pipeline.once()
    (draft,) = drafts_in(store, DraftState.UNKNOWN)
    assert len(dovecot.read(ana)) == 1, "it went out, nobody can know, and it does not go out again"
    with store.write() as tx:
        inbox.settle_by_hand(tx, draft, was_sent=False, by="mod", now=datetime.now(UTC))
        wanted = inbox.retry(tx, inbox.get(tx, draft.id), by="mod", now=datetime.now(UTC))
        inbox.approve(tx, wanted, by="mod", now=datetime.now(UTC))
    for _ in range(2):
        pipeline.once()
    store.close()
    first_time, again = dovecot.read(ana)
    assert first_time["Message-ID"] == again["Message-ID"], "so that her mail program may show it once"


# --- a server that means no good ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_server_makes_of_its_answers_is_no_bug(
    dovecot: Dovecot, address: str, lines: tuple[FaultyLine, FaultyLine], seed: int
) -> None:
    dovecot.put(address, written("uno", subject="Avería"), large() if seed % 10 == 0 else written("dos"))
    chance = random.Random(seed)

    def spoiled(data: bytes) -> bytes:
        """One byte, number, blank or bracket of it is another; or a piece is missing, or comes twice."""
        if not data or chance.random() < 0.5:
            return data
        at = chance.randrange(len(data))
        to = min(len(data), at + chance.randrange(1, 30))
        return data[:at] + chance.choice([b"", b"\0", b")", b"(", b'"', b"{9}", b"NIL", data[at:to] * 2]) + data[to:]

    for line in lines:
        line.spoiled = spoiled
    imap, smtp = lines
    settings = in_the_open(dovecot, address, imap_port=imap.here, smtp_port=smtp.here)
    request = a_request(parent_author=Author(external_id="x@people.example", handle="x@people.example"))
    with pytest.MonkeyPatch.context() as hurry:
        hurry.setattr(mail_wire, "READ_TIMEOUT", 0.3)
        connector = MailConnector(settings)
        since = datetime.now(UTC)
        for ask in (
            connector.whoami,
            lambda: connector.poll("mentions", None),
            lambda: connector.find_reply(request, since),
            lambda: connector.reply(request),
            lambda: list(itertools.islice(connector.stream("mentions", None), 1)),
        ):
            with contextlib.suppress(NetworkError):
                ask()


@pytest.mark.parametrize(
    "to", ["no-reply@people.example", "care@brand.example", "not an address", "a@b\r\nBcc: x@y.example"]
)
def test_a_mail_of_our_own_goes_to_no_machine_nor_to_us(to: str) -> None:
    with pytest.raises(Rejected):
        reachable(to, plain_settings())


def test_a_mail_of_our_own_begins_a_conversation() -> None:
    request = MessageRequest(
        key="abc",
        to=Author(external_id="ana@people.example", handle="ana@people.example"),
        text="Hola:\n.\nSeguimos aquí.",
        subject="Tu caso ES-26-000001-9\r\nBcc: x@y.example",
        language="es",
    )
    written = message_from_bytes(build_first(request, plain_settings(), "ana@people.example", datetime.now(UTC)))
    assert written["To"] == "ana@people.example"
    assert written["Bcc"] is None
    assert written["In-Reply-To"] is None
    assert str(make_header(decode_header(written["Subject"]))) == "Tu caso ES-26-000001-9 Bcc: x@y.example"
    assert written["Message-ID"] == "<abc@brand.example>", "by which its answer is known"
    assert written["Auto-Submitted"] is None, "a person approved it"
