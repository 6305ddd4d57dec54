"""How accounts are called: their handles as they are compared. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit


def fold(handle: str) -> str:
    """A handle as it is compared: without the leading @ and without capitals."""
    return handle.strip().removeprefix("@").lower()  # not casefold: `faß.example` is not `fass.example`


def names(handle: str, url: str | None) -> tuple[str, ...]:
    """The handles, folded, by which an account may be known.

    A Mastodon server calls its own people `ana`, everybody else calls them `ana@host`; their page tells the host.
    """
    own = fold(handle)
    if not url or "@" in own:
        return (own,)
    try:
        host = urlsplit(url).hostname
    except ValueError:  # the network said something that is no address
        return (own,)
    return (own, f"{own}@{host}") if host else (own,)
