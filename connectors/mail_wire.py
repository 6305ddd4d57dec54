"""Connections to a mail server that cannot hang, drown or be seen through: IMAPClient and smtplib, kept within bounds.

Both libraries wait for as long as a server trickles, and read as much as it sends. Here every conversation has a
deadline, after which its socket is shut, and a most that it may bring. Certificates are verified, and where STARTTLS is
wanted nothing is said before it is there.
"""

from __future__ import annotations

import base64
import imaplib
import os
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import imapclient
from imapclient import IMAPClient, SocketTimeout

from connectors import faults
from connectors.mail_settings import IMAP_PORTS, SMTP_PORTS, Security, Settings
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected, Unavailable

MEGABYTE = 1024 * 1024
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
DEADLINE = 120.0  # for one conversation, however slow the server
LARGEST = 64 * MEGABYTE  # of one conversation

_SLOW_DOWN = ("LIMIT", "OVERQUOTA", "INUSE")
_NO_ENTRY = ("AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN", "NOPERM")
_BUSY_WORDS = ("too many", "rate limit", "throttl", "try again later", "bandwidth")


class TooMuch(OSError):
    """The server sends more than a conversation may bring."""


class _Imap4(imaplib.IMAP4):
    """imaplib's own client, on a socket that is encrypted from the start or not, with a count of what comes."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext | None, guard: Guard, largest: int) -> None:
        self._context = context
        self._guard = guard
        self._left = largest
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002  the library gives none
        return _connected(self.host, self.port, context=self._context, guard=self._guard)

    def read(self, size: int) -> bytes:
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        try:
            line = super().readline()
        except imaplib.IMAP4.error as error:  # too long: what follows is in the middle of it, so nothing more is read
            raise self.abort("a line without end") from error
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooMuch("the server sends more than a conversation may bring")


class Imap(IMAPClient):  # type: ignore[misc]
    """An IMAPClient within bounds. `largest`: the most bytes that this connection may bring."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext | None, guard: Guard, largest: int) -> None:
        self._guard = guard
        self._largest = largest
        timeout = SocketTimeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
        super().__init__(host, port, ssl=context is not None, ssl_context=context, timeout=timeout)
        self._imap.debug = 0  # the library would keep what it says, passwords too, for its own log
        self.normalise_times = False

    def _create_IMAP4(self) -> _Imap4:
        return _Imap4(self.host, self.port, context=self.ssl_context, guard=self._guard, largest=self._largest)

    def listen(self, seconds: float) -> None:
        """Begins to idle, once the server says that it is ready."""
        with Guard(seconds) as guard:
            guard.watch(self._imap.sock)
            self.idle()

    def settle(self, seconds: float) -> list[Any]:
        """Ends the idling; what the server said until now, as the library reads it. Raises where the line is dead."""
        with Guard(seconds) as guard:
            guard.watch(self._imap.sock)
            return [*self.idle_done()[1], *self.noop()[1]]

    def waits(self, seconds: float) -> bool:
        """Whether the server says something within that time, while it idles."""
        sock, file = self._imap.sock, self._imap.file
        with suppress(AttributeError):
            if sock.pending():
                return True
        sock.setblocking(False)
        try:
            if file.peek(1):
                return True
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            sock.settimeout(READ_TIMEOUT)
        return bool(self._poll_socket(sock, seconds))


def _connected(host: str, port: int, *, context: ssl.SSLContext | None, guard: Guard) -> socket.socket:
    sock = socket.create_connection((host, port), CONNECT_TIMEOUT)
    try:
        guard.watch(sock)
        sock.settimeout(READ_TIMEOUT)
        if context is None:
            return sock
        return context.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


class Guard:
    """Shuts connections when their time is up, whatever waits for them.

    It holds each by a second handle, which stays good when a library wraps its own in TLS.
    """

    def __init__(self, seconds: float) -> None:
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, sock: socket.socket) -> None:
        """Shuts this one too."""
        self._sockets.append(socket.socket(fileno=os.dup(sock.fileno())))

    def rest(self) -> None:
        """Lets everything go on as long as it likes."""
        self._timer.cancel()
        for sock in self._sockets:
            sock.close()

    def _end(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Guard:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()


def trust(settings: Settings) -> ssl.SSLContext:
    """The certificates that count. Raises AuthFailed where our own file of them cannot be read."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise AuthFailed(f"The certificates in {settings.ca_file} cannot be read; mend ca_file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def reading(settings: Settings, *, deadline: float | None = DEADLINE, largest: int = LARGEST) -> Iterator[Imap]:
    """A mailbox server, logged in. Whatever goes wrong in it comes out as one of the five errors.

    `deadline`: seconds for the whole conversation; None for a stream, of which only the opening has one.
    """
    where = settings.imap_host
    if not settings.secret:
        raise AuthFailed(f"{where} shows a mailbox only to its owner: password or access_token is missing")
    guard = Guard(deadline if deadline is not None else DEADLINE)
    client: Imap | None = None
    try:
        with guard:
            client = _open_imap(settings, guard, largest)
            if deadline is None:
                guard.rest()
            yield client
            if deadline is not None:
                with suppress(imaplib.IMAP4.error, OSError):
                    client.logout()
                    client = None
    except NetworkError:
        raise
    except (imaplib.IMAP4.error, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise of_imap(error, settings) from error  # a library that reads hostile answers stumbles in many ways
    finally:
        if client is not None:
            _close(client)


def _open_imap(settings: Settings, guard: Guard, largest: int) -> Imap:
    context = trust(settings)
    at_once = settings.imap_security is Security.TLS
    port = settings.imap_port or IMAP_PORTS[settings.imap_security]
    client = Imap(settings.imap_host, port, context=context if at_once else None, guard=guard, largest=largest)
    try:
        if settings.imap_security is Security.STARTTLS:
            client.starttls(context)
        _log_in(client, settings)
    except BaseException:
        _close(client)
        raise
    return client


def _log_in(client: Imap, settings: Settings) -> None:
    try:
        if settings.access_token:
            client.oauth2_login(settings.login, settings.secret)
        elif client.has_capability("AUTH=PLAIN") or not (settings.login + settings.secret).isascii():
            client.plain_login(settings.login, settings.secret)
        else:
            client.login(settings.login, settings.secret)
    except imapclient.exceptions.LoginError as error:
        trouble = of_imap(error.__context__ or error, settings)
        if isinstance(trouble, RateLimited) or isinstance(error.__context__, imaplib.IMAP4.abort):
            raise trouble from error
        if "UNAVAILABLE" in str(error).upper():
            raise trouble from error
        said = _said(error, settings)
        raise AuthFailed(f"{settings.imap_host} does not let {settings.login} in: “{said}”") from error


def _close(client: Imap) -> None:
    with suppress(OSError, imaplib.IMAP4.error, ValueError):
        client._imap.shutdown()


def of_imap(error: BaseException, settings: Settings) -> NetworkError:
    """What an IMAP conversation died of, told by the response codes of RFC 5530 where the server gave one."""
    where, said = settings.imap_host, str(error)
    if isinstance(error, OSError) and not isinstance(error, TooMuch):
        return faults.of_failure(error, where=where, writing=False)
    shown = _said(error, settings)
    upper = said.upper()
    if any(f"[{code}]" in upper for code in _SLOW_DOWN) or any(word in said.lower() for word in _BUSY_WORDS):
        return RateLimited(f"{where} asks us to slow down: “{shown}”")
    if any(f"[{code}]" in upper for code in _NO_ENTRY):
        return AuthFailed(f"{where} does not let {settings.login} do this: “{shown}”")
    if isinstance(error, imaplib.IMAP4.abort) or not isinstance(error, imaplib.IMAP4.error):
        return Unavailable(f"{where} broke off, or says something that is not IMAP: “{shown}”")
    return Unavailable(f"{where} gave no usable answer: “{shown}”")


def _said(error: BaseException, settings: Settings) -> str:
    return faults.one_line(str(error), limit=160, secrets=secrets(settings))


def secrets(settings: Settings) -> list[str]:
    """Whatever must never be shown: the secret, and the forms in which it travels."""
    secret = settings.secret
    if not secret:
        return []
    plain = f"\0{settings.login}\0{secret}".encode()
    oauth = f"user={settings.login}\1auth=Bearer {secret}\1\1".encode()
    return [secret, *(base64.b64encode(form).decode() for form in (plain, oauth, secret.encode()))]


# --- sending --------------------------------------------------------------------------------------------------------


class _Lines:
    """A file to read lines from that ends when it has brought enough."""

    def __init__(self, file: Any, most: int) -> None:
        self._file = file
        self._left = most

    def readline(self, size: int = -1) -> bytes:
        line = cast(bytes, self._file.readline(size))
        self._left -= len(line)
        if self._left < 0:
            raise TooMuch("the server sends more than a conversation may bring")
        return line

    def close(self) -> None:
        self._file.close()


class Smtp(smtplib.SMTP):
    """smtplib's client within bounds, encrypted from the start or not."""

    def __init__(self, *, context: ssl.SSLContext | None, guard: Guard) -> None:
        self._context = context
        self._guard = guard
        self._lines: _Lines | None = None
        # Who we are is no secret, but our machine's own name is nobody's business.
        super().__init__(timeout=READ_TIMEOUT, local_hostname="[127.0.0.1]")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = _connected(host, port, context=self._context, guard=self._guard)
        sock.settimeout(timeout)
        self._host = host
        return sock

    @property
    def file(self) -> Any:
        """What the server says, counted."""
        return self._lines

    @file.setter
    def file(self, file: Any) -> None:
        self._lines = _Lines(file, MEGABYTE) if file is not None else None


@contextmanager
def sending(settings: Settings, *, deadline: float = DEADLINE) -> Iterator[Smtp]:
    """The server that sends, logged in. Nothing has been handed over when this raises."""
    where = cast(str, settings.smtp_host)
    if not settings.secret:
        raise AuthFailed(f"{where} takes mail only from those it knows: password or access_token is missing")
    context = trust(settings)
    with Guard(deadline) as guard:
        client = Smtp(context=context if settings.smtp_security is Security.TLS else None, guard=guard)
        try:
            try:
                _open_smtp(client, settings, context)
            except (smtplib.SMTPException, OSError, ValueError) as error:
                raise of_smtp(error, settings) from error
            yield client
        finally:
            client.close()


def _open_smtp(client: Smtp, settings: Settings, context: ssl.SSLContext) -> None:
    host = cast(str, settings.smtp_host)
    code, said = client.connect(host, settings.smtp_port or SMTP_PORTS[settings.smtp_security])
    if code != 220:
        raise smtplib.SMTPResponseException(code, said)
    client.ehlo_or_helo_if_needed()
    if settings.smtp_security is Security.STARTTLS:
        client.starttls(context=context)
        client.ehlo_or_helo_if_needed()
    if settings.access_token:
        token = f"user={settings.login}\1auth=Bearer {settings.secret}\1\1".encode()
        code, said = client.docmd("AUTH", "XOAUTH2 " + base64.b64encode(token).decode())
        if code == 334:  # the reason of a refusal, which wants to be acknowledged
            code, said = client.docmd("")
        if code not in (235, 503):
            raise smtplib.SMTPAuthenticationError(code, said)
    elif "PLAIN" in client.esmtp_features.get("auth", "").upper().split():  # the library's own takes ASCII alone
        plain = base64.b64encode(f"\0{settings.login}\0{settings.secret}".encode()).decode()
        code, said = client.docmd("AUTH", f"PLAIN {plain}")
        if code not in (235, 503):
            raise smtplib.SMTPAuthenticationError(code, said)
    elif client.has_extn("auth"):
        client.login(settings.login, settings.secret, initial_response_ok=True)
    else:
        raise smtplib.SMTPNotSupportedError("the server offers no way to log in")


def of_smtp(error: BaseException, settings: Settings) -> NetworkError:
    """What went wrong before anything was handed over."""
    where = cast(str, settings.smtp_host)
    if isinstance(error, smtplib.SMTPResponseException):
        return of_reply(error.smtp_code, error.smtp_error, settings, login=True)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        shown = faults.one_line(str(error), limit=160, secrets=secrets(settings))
        return AuthFailed(f"{where} cannot do what the settings ask for: “{shown}”")
    if isinstance(error, OSError) and not isinstance(error, (smtplib.SMTPException, TooMuch)):
        return faults.of_failure(error, where=where, writing=False)
    return Unavailable(f"{where} broke off, or says something that is not SMTP; nothing was sent")


def of_reply(code: int, said: bytes | str, settings: Settings, *, login: bool = False) -> NetworkError:
    """What an SMTP reply that is no success means (RFC 5321, RFC 3463). `login`: nothing was said about a mail yet.

    5xx refuses for good; 4xx, and a sending allowance that is used up, only for now; what is wrong with our own login
    or address, a person must mend.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    shown = faults.one_line(text, limit=200, secrets=secrets(settings))
    answer, where = f"({code}): “{shown}”", cast(str, settings.smtp_host)
    low = text.lower()
    if "5.4.5" in text or any(word in low for word in (*_BUSY_WORDS[:3], "sending limit", "quota exceeded")):
        return RateLimited(f"{where} asks us to slow down {answer}", retry_after=3600.0 if code >= 500 else None)
    if code in (530, 534, 535, 538) or "5.7.60" in text or "sendasdenied" in low:
        return AuthFailed(f"{where} does not let {settings.login} send {answer}")
    if login and 500 <= code < 600:
        return AuthFailed(f"{where} does not let us in {answer}")
    if 500 <= code < 600:
        return Rejected(f"{where} refuses this {answer}")
    if 400 <= code < 500:
        slow = code in (421, 450, 451, 452) and ("4.7." in text or "4.3.2" in text or "later" in low)
        kind = RateLimited if slow else Unavailable
        return kind(f"{where} does not take this now {answer}")
    return Unavailable(f"{where} gave no usable answer {answer}")
