"""Whether somebody on the line could read what goes to the database, or be it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

PROVEN = ("verify-full",)
ENCRYPTED = ("require", "verify-ca")


def weakness(url: str, environment: Mapping[str, str]) -> str:
    """One sentence on a line that anybody could stand in; empty for a file, a socket, this machine, or a proven one.

    `environment`: as libpq reads it (PGHOST, PGSSLMODE). Where libpq is told nothing it asks for encryption, takes
    none where there is none, and believes everybody (https://www.postgresql.org/docs/current/libpq-ssl.html).
    """
    if not url.startswith("postgresql"):
        return ""
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        named = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    hosts = (asked.get("host") or [named or environment.get("PGHOST", "")])[-1]
    far = [host for host in (_bare(each) for each in hosts.split(",")) if host and not _near(host)]
    mode = (asked.get("sslmode") or [environment.get("PGSSLMODE", "prefer")])[-1]
    if not far or mode in PROVEN:
        return ""
    if mode in ENCRYPTED:
        return f"The line to {far[0]} is encrypted, and nobody proves that it ends there (sslmode={mode})"
    return f"The line to {far[0]} may go without encryption, and nobody proves that it ends there (sslmode={mode})"


def _bare(place: str) -> str:
    """A host without its port."""
    return place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]


def _near(host: str) -> bool:
    if host.startswith(("/", "@")) or host.lower().startswith("%2f"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
