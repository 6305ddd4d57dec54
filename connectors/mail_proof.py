"""Whether it is proven that a mail was sent by whoever its From names. Pure.

Anybody can write any From. What proves one is DMARC (RFC 7489): the domain's own signature or its own servers. We do
not see the connection, so we do not check that ourselves: our own mail server does, and writes what it found into the
header Authentication-Results (RFC 8601). Anybody can write that header too, so only those under the name of that very
server count, which the settings give (`checked_by`); of them the topmost, for a server writes its own above what came
in. Without the name nothing is proven.
"""

from __future__ import annotations

import re
from email.message import Message

from connectors.mail_text import headers

LONGEST = 5_000  # characters of such a header that are read
MOST = 10  # such headers that are read, from the top: a sender may write thousands

_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*+\)")


def sender_is_proven(message: Message, address: str, checked_by: str) -> bool:
    """Whether the server of that name found that the mail is from the domain of `address`, which its From names."""
    domain = address.rpartition("@")[2].lower()
    if not checked_by or not domain or len(headers(message, "From")) != 1:
        return False
    for value in headers(message, "Authentication-Results")[:MOST]:
        parts = _plain(value).split(";")
        if parts[0].split(" ")[0] == checked_by.lower():
            return any(_passes(part, domain) for part in parts[1:])
    return False


def _plain(value: str) -> str:
    """The header in small letters, without comments and spare spaces; "" where a comment never ends."""
    value = value[:LONGEST]
    for _ in range(5):  # comments within comments
        bare = _COMMENT.sub(" ", value)
        if bare == value:
            break
        value = bare
    return "" if set(value) & set("()") else " ".join(value.lower().split())


def _passes(part: str, domain: str) -> bool:
    """Whether that is DMARC's pass for the domain."""
    words = part.split()
    if not words or words[0] != "dmarc=pass":
        return False
    named = [word.partition("=")[2].strip('"') for word in words if word.startswith("header.from=")]
    return named == [domain]
