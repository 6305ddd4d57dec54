"""`#tag@server`: the shortest way to name something to listen to, on the network that anybody may read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from listener.errors import Mistake

NETWORK = "mastodon"  # public hashtags there need no account
SERVER = "mastodon.social"

_HASHTAG = re.compile(r"[#＃]?(\w+)(?:@(https?://[^\s/]+|[^\s/@]+))?")


@dataclass(frozen=True, kw_only=True)
class Hashtag:
    """A hashtag on one server."""

    tag: str
    server: str = SERVER

    @property
    def query(self) -> str:
        """As a source's query."""
        return f"#{self.tag}"

    @property
    def instance(self) -> str:
        """As the server's address; a server on this very machine is asked without TLS."""
        if "://" in self.server:
            return self.server
        host = self.server.partition(":")[0]
        return f"http://{self.server}" if host in ("localhost", "127.0.0.1") else f"https://{self.server}"

    def __str__(self) -> str:
        return f"#{self.tag}@{self.server}"


def read(text: str) -> Hashtag:
    """The hashtag in `#tag@server` or `#tag`. Raises Mistake."""
    match = _HASHTAG.fullmatch(text.strip())
    if match is None or match[1].isdigit():
        raise Mistake(f"{text!r} is no hashtag on a server; write it like '#brand@{SERVER}', in quotes.")
    return Hashtag(tag=match[1], server=(match[2] or SERVER).lower())


def of_brand(brand: str) -> Hashtag:
    """The hashtag a brand's name suggests, or `#brand`."""
    tag = re.sub(r"\W", "", brand).lower()
    return Hashtag(tag=tag if tag and not tag.isdigit() else "brand")
