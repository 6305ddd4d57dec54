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
        """As the server's address."""
        return self.server if "://" in self.server else f"https://{self.server}"

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
