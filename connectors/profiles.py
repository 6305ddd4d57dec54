"""What a profile names by which a person may be recognised: addresses of mail, sites, phone numbers. Pure.

Of a profile's words nothing else is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from listener.types import Contact, ContactKind

MOST = 10  # of one profile
LONGEST = 20_000  # characters of a profile that are read

_MAIL = re.compile(r"(?<![\w.+@-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}(?![\w@])", re.IGNORECASE)
_SITE = re.compile(
    r"(?<![\w@./:-])(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})(?![\w@.-]*@)(/[^\s<>\"'()]*)?", re.IGNORECASE
)
_PHONE = re.compile(r"(?<![\w+])\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}(?![0-9])")


def contacts_in(text: str, *, proven: bool = False) -> list[Contact]:
    """The addresses, sites and numbers (with their country code) that stand in a profile's text, each once."""
    text = text[:LONGEST]
    mails = [match.group().lower() for match in _MAIL.finditer(text)]
    bare = _MAIL.sub(" ", text)
    sites = [site for match in _SITE.finditer(bare) if (site := site_of(match.group()))]
    phones = ["+" + re.sub(r"\D", "", match.group()) for match in _PHONE.finditer(bare)]
    found = [(ContactKind.MAIL, each) for each in mails]
    found += [(ContactKind.SITE, each) for each in sites]
    found += [(ContactKind.PHONE, each) for each in phones]
    return [Contact(kind=kind, value=value, proven=proven) for kind, value in dict.fromkeys(found)][:MOST]


def site_of(address: str) -> str:
    """The site of an address as it is compared, such as `example.org/ana`: no scheme, no www; "" where it is none."""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host = (parts.hostname or "").lower().removeprefix("www.").rstrip(".")
    except ValueError:
        return ""
    return f"{host}{parts.path.rstrip('/')}" if "." in host else ""


def together(*found: Iterable[Contact]) -> tuple[Contact, ...]:
    """All of them, each once; one that the network has proven counts as proven."""
    merged: dict[tuple[ContactKind, str], Contact] = {}
    for contacts in found:
        for each in contacts:
            known = merged.get((each.kind, each.value))
            if known is None or each.proven:
                merged[each.kind, each.value] = each
    return tuple(merged.values())[:MOST]
