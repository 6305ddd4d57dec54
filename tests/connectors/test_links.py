"""Links: what comes of following one, and that nothing of our own network is ever asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connectors import links
from listener.types import LinkCheck, LinkState


def anybody(_address: object) -> bool:
    return True


class Site:
    """A web site on loopback; `came` holds each request's path and headers."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, dict[str, str]]] = {}
        self.came: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self.wait = 0.0


@contextmanager
def serving(context: SSLContext | None = None) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.came.append((self.path, dict(self.headers)))
            time.sleep(site.wait)
            status, headers = site.pages.get(self.path, (200, {}))
            with suppress(OSError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"x" * 100)

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def check(url: str, **more: Any) -> tuple[LinkState, str]:
    found = links.check(url, allowed=anybody, **more)
    assert found.url == url
    return found.state, found.detail


def test_a_page_that_is_there_is_fine_and_learns_nothing_of_us(site: Site) -> None:
    assert check(f"{site.url}/corte?a=1&b=%C3%B1#calles") == (LinkState.FINE, "")
    ((path, headers),) = site.came
    assert path == "/corte?a=1&b=%C3%B1"
    assert headers["Host"] == site.url.removeprefix("http://")
    assert {"Cookie", "Authorization", "Referer"}.isdisjoint(headers)


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (404, LinkState.BROKEN, "is not there (404)"),
        (410, LinkState.BROKEN, "is not there (410)"),
        (401, LinkState.BROKEN, "asks for a password"),
        (403, LinkState.DOUBTFUL, "does not answer programs (403)"),
        (500, LinkState.DOUBTFUL, "is in trouble just now (500)"),
        (304, LinkState.DOUBTFUL, "answers 304"),
    ],
)
def test_what_a_site_answers_is_said(site: Site, status: int, state: LinkState, words: str) -> None:
    site.pages["/a"] = status, {}
    found, detail = check(f"{site.url}/a")
    assert found is state
    assert words in detail


def test_redirects_are_followed_and_where_they_end_is_said(site: Site) -> None:
    site.pages["/a"] = 301, {"Location": "/b"}
    site.pages["/b"] = 308, {"Location": "c/d"}
    assert check(f"{site.url}/a") == (LinkState.FINE, "")
    site.pages["/old"] = 302, {"Location": "/"}
    assert check(f"{site.url}/old") == (LinkState.DOUBTFUL, f"leads to the front page: {site.url}/")
    site.pages["/away"] = 302, {"Location": site.url.replace("127.0.0.1", "localhost") + "/x"}
    state, detail = check(f"{site.url}/away")
    assert (state, detail.partition(":")[0]) == (LinkState.DOUBTFUL, "leads elsewhere")
    site.pages["/gone"] = 302, {"Location": "/nowhere"}
    site.pages["/nowhere"] = 404, {}
    assert check(f"{site.url}/gone") == (
        LinkState.BROKEN,
        f"leads on to {site.url}/nowhere, and that is not there (404)",
    )


def test_circles_end(site: Site) -> None:
    site.pages["/a"] = 302, {"Location": "/a"}
    state, detail = check(f"{site.url}/a")
    assert state is LinkState.BROKEN
    assert "leads in circles" in detail
    assert len(site.came) == links.HOPS + 1


@pytest.mark.parametrize(
    "there", ["file:///etc/passwd", "ftp://a.example/x", "gopher://127.0.0.1/", "javascript:alert(1)"]
)
def test_only_the_web_is_followed(site: Site, there: str) -> None:
    site.pages["/a"] = 302, {"Location": there}
    state, detail = check(f"{site.url}/a")
    assert state is LinkState.BROKEN
    assert "is no web address" in detail


@pytest.mark.parametrize("there", ["http://[::1", "//[", "http://[v1.x"])
def test_a_page_that_leads_to_nonsense_is_broken_and_stops_no_other_check(site: Site, there: str) -> None:
    site.pages["/a"] = 302, {"Location": there}
    assert check(f"{site.url}/a") == (LinkState.BROKEN, "leads to what is no address that can be followed")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "168.63.129.16",
        "192.0.0.192",
        "[fec0::1]",
        "224.0.0.1",
        "255.255.255.255",
        "2130706433",
        "0x7f.1",
        "127.1",
    ],
)
def test_no_machine_of_ours_is_ever_asked(site: Site, host: str) -> None:
    port = site.url.rpartition(":")[2]
    found = links.check(f"http://{host}:{port}/admin")
    assert found.state is LinkState.BROKEN, found
    assert site.came == []


def test_a_redirect_to_a_machine_of_ours_is_not_followed(site: Site) -> None:
    with serving() as inner:
        site.pages["/a"] = 302, {"Location": inner.url.replace("127.0.0.1", "127.0.0.2")}
        outside = ip_address("127.0.0.1")
        found = links.check(f"{site.url}/a", allowed=lambda address: address == outside)
        assert found.state is LinkState.BROKEN
        assert "within a network of our own" in found.detail
        assert inner.came == []


def test_a_name_is_looked_up_once_and_that_very_address_is_called(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers otherwise a moment later must not lead us to a machine of ours."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, *args: Any, **more: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *args, **more)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.3"
        return real(address, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    first = ip_address("127.0.0.1")
    url = site.url.replace("127.0.0.1", "rebind.example")
    assert links.check(f"{url}/a", allowed=lambda address: address == first).state is LinkState.FINE
    assert asked == ["rebind.example"]
    assert site.came[0][1]["Host"].startswith("rebind.example:")


def test_a_name_of_which_one_address_is_ours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(2, 1, 6, "", ("93.184.215.14", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: both)
    found = links.check("http://mixed.example/")
    assert found.state is LinkState.BROKEN
    assert found.detail == "is an address within a network of our own, which readers cannot reach"


def test_silence_and_trickling_are_given_up(site: Site) -> None:
    site.wait = 5
    began = time.monotonic()
    state, detail = check(f"{site.url}/a", patience=0.3)
    assert (state, detail) == (LinkState.DOUBTFUL, "does not answer in time")
    assert time.monotonic() - began < 2


def test_what_never_ends_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PATIENCE", 0.1)
    hang = threading.Event()

    def slow(url: str) -> LinkCheck:
        if "slow" in url:
            hang.wait(20)
        return LinkCheck(url=url, state=LinkState.FINE)

    monkeypatch.setattr(links, "check", slow)
    began = time.monotonic()
    found = links.check_all(["http://slow.example", "http://quick.example", "http://slow.example"])
    hang.set()
    assert [each.state for each in found] == [LinkState.DOUBTFUL, LinkState.FINE, LinkState.DOUBTFUL]
    assert time.monotonic() - began < 5


def certificate(folder: Path, name: str, days: int) -> tuple[Path, Path]:
    """One of its own making for that address, good for so many days from the day before yesterday on; and its key."""
    secret = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, key


@pytest.mark.parametrize(
    ("days", "name", "trusted", "words"),
    [
        (2, "127.0.0.1", True, ""),
        (-1, "127.0.0.1", True, "has run out"),
        (2, "127.0.0.9", True, "is for another name"),
        (2, "127.0.0.1", False, "is of its own making"),
    ],
)
def test_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, name: str, trusted: bool, words: str
) -> None:
    cert, key = certificate(tmp_path, name, days)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    else:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with serving(context) as site:
        state, detail = check(f"{site.url}/a")
        if not words:
            assert (state, detail) == (LinkState.FINE, "")
            return
        assert state is LinkState.BROKEN
        assert detail == f"has a certificate that {words}"
        assert site.came == []


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "http://a:99999/", "http://a@b.example/", "http://.../", "http://x y"]
)
def test_no_link_is_a_bug(url: str) -> None:
    assert links.check(url).state in (LinkState.BROKEN, LinkState.DOUBTFUL)


def test_a_site_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(error: int) -> Callable[..., Any]:
        def look(*_args: Any, **_more: Any) -> Any:
            raise socket.gaierror(error, "no")

        return look

    monkeypatch.setattr(socket, "getaddrinfo", refused(socket.EAI_NONAME))
    assert links.check("https://nope.example/").detail == "names a site that does not exist (nope.example)"
    monkeypatch.setattr(socket, "getaddrinfo", refused(socket.EAI_AGAIN))
    assert links.check("https://nope.example/").state is LinkState.DOUBTFUL
