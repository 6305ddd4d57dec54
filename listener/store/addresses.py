"""Which addresses of pages and pictures are kept: whoever posts to a feed or runs a server can write anything. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from listener.escapes import visible

MAX_ADDRESS = 2000  # characters; browsers and chat programs follow no longer one everywhere
# What RFC 3986 and 3987 let stand in no address. Chat programs read `<address|words>` as a link that shows the words.
_WHOLE = re.compile(r"https?://[^\s<>\"\\^`{|}]+", re.IGNORECASE)


def kept(address: str | None) -> str | None:
    """The address where it is a clean one of the web; None for anything else.

    That is http or https with a host, without a name and password before it, which make `https://bank.example@evil.example`
    look like another place, without anything that nobody sees, and at most `MAX_ADDRESS` characters long.
    """
    if not address or len(address) > MAX_ADDRESS or not _WHOLE.fullmatch(address) or visible(address) != address:
        return None
    try:
        parts = urlsplit(address)
        clean = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        return None
    return address if clean else None
