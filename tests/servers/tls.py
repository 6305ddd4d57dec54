"""TLS for real: an authority of our own, certificates right and wrong, and a server that keeps what reaches it.

Names that end in `.test` mean this machine (`names_here`), so that nothing is treated as loopback.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Link = socket.socket


class Authority:
    """One that signs certificates; `file` is what a client trusts."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._made = 0
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._sign(self._name, self._key, names=(), days=30, ca=True).public_bytes(Encoding.PEM))

    def context(self, *names: str, days: int = 30, itself: bool = False) -> ssl.SSLContext:
        """A server's context with a certificate for those names; `itself`: signed by nobody but its own key."""
        self._made += 1
        key = ec.generate_private_key(ec.SECP256R1())
        called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._sign(called, key, names=names, days=days, by=key if itself else None)
        file = self._folder / f"cert-{self._made}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self,
        called: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        names: tuple[str, ...],
        days: int,
        ca: bool = False,
        by: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(called)
            .issuer_name(called if by else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            told = [x509.DNSName(name) for name in names]
            made = made.add_extension(x509.SubjectAlternativeName(told), critical=False)
        if ca:
            may = dict.fromkeys(
                ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
            )
            usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **may)
            made = made.add_extension(usage, critical=True)
        return made.sign(by or self._key, hashes.SHA256())


def outdated(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same, speaking nothing newer than TLS 1.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@dataclass
class Heard:
    """What reached a server: `clear` without encryption, `inside` of it."""

    clear: bytes = b""
    inside: bytes = b""


Talk = Callable[["Secure", Link], None]


class Secure:
    """The server. `talk(server, link)` has the conversation; with `at_once` it begins encrypted."""

    def __init__(self, context: ssl.SSLContext, talk: Talk, *, at_once: bool = True) -> None:
        self.context = context
        self.heard = Heard()
        self.handshakes = 0  # that were begun
        self._talk = talk
        self._at_once = at_once
        self._threads: list[threading.Thread] = []
        self._here = threading.local()

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in (self._thread, *self._threads):
            thread.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._socket.accept()
                link.settimeout(5)
                self._threads.append(threading.Thread(target=self._one, args=(link,), daemon=True))
                self._threads[-1].start()

    def _one(self, link: Link) -> None:
        with contextlib.ExitStack() as self._here.open, contextlib.suppress(OSError, ValueError):
            self._here.open.enter_context(link)
            self._talk(self, self.encrypted(link) if self._at_once else link)

    def encrypted(self, link: Link) -> ssl.SSLSocket:
        """The link after a handshake. Raises OSError where the other side wants none of it."""
        self.handshakes += 1
        return self._here.open.enter_context(self.context.wrap_socket(link, server_side=True))

    def line(self, link: Link) -> bytes:
        """One line that came; empty at the end."""
        came = b""
        while not came.endswith(b"\n") and (piece := link.recv(1)):
            came += piece
        self.keep(link, came)
        return came

    def keep(self, link: Link, came: bytes) -> None:
        """Writes down what came."""
        if isinstance(link, ssl.SSLSocket):
            self.heard.inside += came
        else:
            self.heard.clear += came


def http(*headers: str, status: str = "200 OK", body: bytes = b"{}") -> Talk:
    """Answers one request with that."""
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    answer = "\r\n".join((*lines, "Connection: close")).encode() + b"\r\n\r\n" + body

    def talk(server: Secure, link: Link) -> None:
        length = 0
        while (line := server.line(link)).strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        came = b""
        while len(came) < length and (piece := link.recv(65536)):
            came += piece
        server.keep(link, came)
        link.sendall(answer)

    return talk


def imap(starttls: str = "yes") -> Talk:
    """Greets, lets everybody in. `starttls`: `yes`, `no` (not offered), `refused`, `lies` (yes, and goes on bare)."""

    def talk(server: Secure, link: Link) -> None:
        able = "IMAP4rev1 AUTH=PLAIN" + ("" if starttls == "no" else " STARTTLS")
        link.sendall(f"* OK [CAPABILITY {able}] ready\r\n".encode())
        while line := server.line(link):
            tag, _, word = line.strip().partition(b" ")
            word = word.upper()
            if word.startswith(b"CAPABILITY"):
                link.sendall(f"* CAPABILITY {able}\r\n".encode())
            if word.startswith(b"STARTTLS") and starttls in ("no", "refused"):
                link.sendall(tag + b" NO not here\r\n")
                continue
            link.sendall(tag + b" OK done\r\n")
            if word.startswith(b"STARTTLS") and starttls == "yes":
                link = server.encrypted(link)

    return talk


def smtp(starttls: str = "yes") -> Talk:
    """The same for SMTP."""

    def talk(server: Secure, link: Link) -> None:
        link.sendall(b"220 mail.test\r\n")
        while line := server.line(link):
            word = line.strip().upper()
            if word.startswith(b"EHLO"):
                offer = "" if starttls == "no" else "250-STARTTLS\r\n"
                link.sendall(f"250-mail.test\r\n{offer}250 AUTH PLAIN\r\n".encode())
            elif word.startswith(b"STARTTLS"):
                if starttls in ("no", "refused"):
                    link.sendall(b"454 not now\r\n")
                    continue
                link.sendall(b"220 go on\r\n")
                if starttls == "yes":
                    link = server.encrypted(link)
            else:
                link.sendall(b"235 in\r\n" if word.startswith(b"AUTH") else b"250 fine\r\n")

    return talk


def names_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on `….test` means this machine, and no proxy is asked for anything."""
    ask = socket.getaddrinfo

    def here(host: Any, *args: Any, **more: Any) -> Any:
        return ask("127.0.0.1" if str(host).endswith(".test") else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
