"""Whether a link in what we are about to say leads anywhere. No network: nobody is listened to here.

    check("https://marca.example/corte") -> LinkCheck(state=fine | doubtful | broken, detail="…")

A link is fetched as a reader's browser would, by name, and almost nothing of the page is read. Only http and https,
`HOPS` redirects at most; of every address on the way, each that its name stands for must be a public one, and it is
that very address that is called, so that no name can mean another machine a moment later. No proxy is asked, for it
would look names up itself. Nothing of ours is sent along, no cookie kept.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError, SSLError
from urllib3.util import Timeout

from listener.types import LinkCheck, LinkState

HOPS = 5
PATIENCE = 6.0  # seconds for one link, redirects and all
SLOW = 3.0  # from then on it is said that readers will wait
AT_ONCE = 8
LONGEST = 2000  # characters of a link
PORTS = (80, 443, 8080, 8443)
WEARS = "Mozilla/5.0 (compatible; Escucha link check)"  # some sites answer no stranger program
_ODD = (  # not public, whatever Python's table says; the last two carry an IPv4 address within
    ip_network("100.64.0.0/10"),
    ip_network("168.63.129.16/32"),  # Azure's own services, from each of its machines
    ip_network("192.0.0.0/24"),  # Oracle's, among others
    ip_network("192.88.99.0/24"),
    ip_network("fec0::/10"),  # networks of one's own, as they were once numbered
    ip_network("3fff::/20"),
    ip_network("64:ff9b::/96"),
    ip_network("2002::/16"),
)

Address = IPv4Address | IPv6Address


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could mean that machine."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_public(mapped)
    odd = any(address.version == each.version and address in each for each in _ODD)
    return address.is_global and not (address.is_multicast or address.is_reserved or odd)


def check_all(urls: Sequence[str]) -> list[LinkCheck]:
    """What came of each link, in their order; together hardly slower than the slowest."""
    found: dict[str, LinkCheck] = {}
    waiting = SimpleQueue[str]()
    for url in dict.fromkeys(urls):
        waiting.put(url)

    def work() -> None:
        with suppress(Empty):
            while True:
                url = waiting.get_nowait()
                found[url] = check(url)

    rounds = -(-waiting.qsize() // AT_ONCE)
    # Daemon threads: one that hangs in a name server or a trickling answer is left behind, not waited for.
    workers = [Thread(target=work, name="links", daemon=True) for _ in range(min(AT_ONCE, waiting.qsize()))]
    for worker in workers:
        worker.start()
    ends = time.monotonic() + rounds * PATIENCE + 1
    for worker in workers:
        worker.join(max(0.0, ends - time.monotonic()))
    late = "does not answer in time"
    return [found.get(url) or LinkCheck(url=url, state=LinkState.DOUBTFUL, detail=late) for url in urls]


def check(url: str, *, allowed: Callable[[Address], bool] | None = None, patience: float = PATIENCE) -> LinkCheck:
    """What comes of following that link. `allowed`: which machines may be called; else public ones, on web ports."""
    began = time.monotonic()
    try:
        last = _follow(url, allowed, began + patience)
    except _Ended as ended:
        return LinkCheck(url=url, state=ended.state, detail=ended.detail)
    took = time.monotonic() - began
    said = [
        each for each in (_elsewhere(url, last), f"answers slowly, after {took:.0f} s" if took > SLOW else "") if each
    ]
    return LinkCheck(url=url, state=LinkState.DOUBTFUL if said else LinkState.FINE, detail="; ".join(said))


class _Ended(Exception):
    """It goes no further; `detail` says why, for people."""

    def __init__(self, state: LinkState, detail: str) -> None:
        super().__init__(detail)
        self.state, self.detail = state, detail


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str | None


def _follow(url: str, allowed: Callable[[Address], bool] | None, ends: float) -> str:
    """Where the link ends, after its redirects. Raises _Ended where it does not end well."""
    here, after = url, ""
    for _ in range(HOPS + 1):
        parts = _parts(here, after)
        address = _address(parts, allowed or is_public, after)
        if parts.port not in (None, *PORTS) and allowed is None:
            raise _Ended(LinkState.DOUBTFUL, f"{after}goes to port {parts.port}, which is not looked at")
        answer = _ask(parts, address, ends, after)
        if answer.location is None:
            return _judged(answer.status, here, after)
        try:
            here = urljoin(here, answer.location)
        except ValueError:
            raise _Ended(LinkState.BROKEN, f"{after}leads to what is no address that can be followed") from None
        after = f"leads on to {here[:200]}, and that "
    raise _Ended(LinkState.BROKEN, f"leads in circles: {HOPS} redirects and no end")


def _parts(url: str, after: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host = _host(parts) if parts.port != 0 else ""  # reading a port may fail too
    except ValueError:
        raise _Ended(LinkState.BROKEN, f"{after}is no address that can be followed") from None
    if parts.scheme not in ("http", "https"):
        raise _Ended(LinkState.BROKEN, f"{after}is no web address ({parts.scheme or 'nothing'})")
    if not host or len(url) > LONGEST or parts.username or parts.password:
        raise _Ended(LinkState.BROKEN, f"{after}is no address that can be followed")
    return parts


def _address(parts: SplitResult, allowed: Callable[[Address], bool], after: str) -> str:
    """The machine that the name stands for. All that it stands for must be allowed."""
    host = _host(parts)
    try:
        found = socket.getaddrinfo(host, parts.port or _port(parts), type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            raise _Ended(LinkState.BROKEN, f"{after}names a site that does not exist ({host})") from None
        raise _Ended(LinkState.DOUBTFUL, f"{after}could not be looked up just now") from None
    except (OSError, UnicodeError):
        raise _Ended(LinkState.BROKEN, f"{after}is no address that can be followed") from None
    addresses = [str(sockaddr[0]).partition("%")[0] for *_rest, sockaddr in found]
    if not addresses or not all(allowed(ip_address(each)) for each in addresses):
        raise _Ended(LinkState.BROKEN, f"{after}is an address within a network of our own, which readers cannot reach")
    return min(addresses, key=lambda each: ":" in each)


def _ask(parts: SplitResult, address: str, ends: float, after: str) -> _Answer:
    left = ends - time.monotonic()
    if left <= 0:
        raise _Ended(LinkState.DOUBTFUL, f"{after}does not answer in time")
    host = _host(parts)
    port = parts.port or _port(parts)
    options: dict[str, Any] = {"timeout": Timeout(total=left), "maxsize": 1, "retries": False}
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        options |= {"server_hostname": host, "assert_hostname": host}
        options["ca_certs"] = os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
        pool = urllib3.HTTPSConnectionPool(address, port, **options)
    else:
        pool = urllib3.HTTPConnectionPool(address, port, **options)
    named = f"[{host}]" if ":" in host else host
    headers = {
        "Host": named if port == _port(parts) else f"{named}:{port}",
        "User-Agent": WEARS,
        "Accept": "text/html,*/*;q=0.8",
        "Connection": "close",
    }
    try:
        with pool:
            target = urllib3.util.Url(path=parts.path or "/", query=parts.query or None).url
            answer = pool.urlopen("GET", target, headers=headers, redirect=False, preload_content=False)
            moved = answer.status in (301, 302, 303, 307, 308)
            answer.close()
            return _Answer(answer.status, answer.headers.get("Location") if moved else None)
    except SSLError as error:
        raise _Ended(LinkState.BROKEN, f"{after}{_certificate(error)}") from None
    except urllib3.exceptions.NewConnectionError:
        raise _Ended(LinkState.DOUBTFUL, f"{after}does not answer (the connection is refused)") from None
    except (HTTPError, OSError, ValueError) as error:
        slow = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)
        raise _Ended(LinkState.DOUBTFUL, f"{after}{'does not answer in time' if slow else 'breaks off'}") from None


def _judged(status: int, url: str, after: str) -> str:
    """The address again where it is there."""
    if status in (404, 410):
        raise _Ended(LinkState.BROKEN, f"{after}is not there ({status})")
    if status in (401, 407):
        raise _Ended(LinkState.BROKEN, f"{after}asks for a password ({status})")
    if status in (403, 405, 406, 429, 451, 503):
        raise _Ended(LinkState.DOUBTFUL, f"{after}does not answer programs ({status}); look at it yourself")
    if status >= 500:
        raise _Ended(LinkState.DOUBTFUL, f"{after}is in trouble just now ({status})")
    if not 200 <= status < 300:
        raise _Ended(LinkState.DOUBTFUL, f"{after}answers {status}")
    return url


def _certificate(error: SSLError) -> str:
    inner = error.args[0] if error.args else None
    if isinstance(inner, ssl.SSLCertVerificationError):
        reasons = {10: "has run out", 18: "is of its own making", 20: "is of nobody known", 62: "is for another name"}
        return f"has a certificate that {reasons.get(inner.verify_code, 'is not to be trusted')}"
    if isinstance(inner, ValueError):  # urllib3's own word for it
        return "has a certificate that is for another name"
    return "speaks no TLS that can be trusted"


def _elsewhere(url: str, last: str) -> str:
    """What a reader should know of where a link ends."""
    first, end = urlsplit(url), urlsplit(last)
    if first.scheme == "https" and end.scheme == "http":
        return f"leads to a page without encryption: {last[:200]}"
    one, other = (each.hostname or "" for each in (first, end))
    if one.removeprefix("www.") != other.removeprefix("www.") and not other.endswith(f".{one.removeprefix('www.')}"):
        return f"leads elsewhere: {last[:200]}"
    if first.path.strip("/") and not end.path.strip("/"):
        return f"leads to the front page: {last[:200]}"
    return ""


def _host(parts: SplitResult) -> str:
    """Its name as name servers and certificates have it. Raises ValueError (UnicodeError is one)."""
    return (parts.hostname or "").encode("idna").decode()


def _port(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80
