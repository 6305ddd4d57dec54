"""Mastodon's streams: where they are, and their events as pages.

`mentions` is heard on the account's own stream, a hashtag on the hashtag's; both need a token. No page moves a cursor:
what a server keeps back from its streams (direct messages of people whom the account does not follow, posts in
languages that it has switched off, what was said while nobody listened) the next poll reads. Ours is the protocol over
plain HTTP, which Mastodon and what is built from it speak; a server that offers nothing but websockets is polled.

Sources: docs.joinmastodon.org/methods/streaming and streaming/index.js of Mastodon 4.6, read November 2026: a comment
`:thump` every 15 seconds, one line of data an event, `delete` with the bare id, `data: undefined` where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from mastodon import Mastodon

from connectors.events import Event, Events
from connectors.hosts import is_loopback
from connectors.mastodon_posts import Unreadable, full_id, is_id, to_post
from connectors.plain import read_json
from listener.contract import BEAT
from listener.errors import NetworkError, RateLimited, Rejected, Unavailable
from listener.types import Page, Post, PostKind

MOST = 40  # events in one page

_NETLOC = re.compile(r"[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a stream waits, in seconds: between two signs of life of ours, and for one of the server's."""

    beat: float = BEAT
    silence: float = 40.0  # the server's heart beats every 15


def named_address(instance: Mapping[str, Any], version: int) -> object:
    """Where the server says that its streams are, in a document of API version 1 or 2; None where it does not say."""
    if version == 1:
        urls, name = instance.get("urls"), "streaming_api"
    else:
        configuration = instance.get("configuration")
        urls, name = configuration.get("urls") if isinstance(configuration, dict) else None, "streaming"
    return urls.get(name) if isinstance(urls, dict) else None


def streaming_address(named: object, own: str) -> str:
    """The address to open streams at: the one `named` by the server, or where it names none its `own`.

    Raises Rejected for one that our token must not be sent to. Only a server on this machine may do without TLS.
    """
    if not isinstance(named, str) or not named.strip():
        return own
    try:
        parts = urlsplit(named.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Rejected("The server names an address for its streams that is none") from None
    netloc = f"[{host}]" if ":" in host else host
    if parts.username or parts.password or not _NETLOC.fullmatch(netloc):
        raise Rejected("The server names an address for its streams that is none")
    secure = parts.scheme in ("https", "wss")
    at_home = parts.scheme in ("http", "ws") and is_loopback(host) and is_loopback(urlsplit(own).hostname or "")
    if not secure and not at_home:
        raise Rejected("The server names an address without TLS for its streams, and there our token does not go")
    return f"{'https' if secure else 'http'}://{netloc}{f':{port}' if port else ''}"


class Streaming:
    """Opens the streams of one account. `ask` and `api` are the connector's own way to ask the server at `instance`."""

    def __init__(
        self,
        ask: Callable[..., Any],
        api: Mastodon,
        *,
        instance: str,
        token: str,
        now: Callable[[], datetime],
        patience: Patience,
    ) -> None:
        self._ask = ask
        self._api = api
        self._instance = instance
        self._token = token
        self._now = now
        self._patience = patience

    def pages(self, tag: str, *, our_id: str, keeps: Callable[[Post], bool]) -> Iterator[Page]:
        """What is said with that hashtag, or where there is none, what addresses us; the first page when it is open."""
        address = self._address()
        with Events(
            f"{address}/api/v1/streaming/{'hashtag' if tag else 'user'}",
            params={"tag": tag} if tag else {},
            token=self._token,
            where=urlsplit(address).netloc,
            now=self._now,
            silence=self._patience.silence,
            proxies=not is_loopback(urlsplit(self._instance).hostname or ""),
        ) as events:
            host = urlsplit(self._instance).netloc
            yield Page(posts=(), cursor=None)
            while True:
                taken = events.take(wait=self._patience.beat, most=MOST)
                page = to_page(taken, tagged=bool(tag), host=host, our_id=our_id)
                yield replace(page, posts=tuple(filter(keeps, page.posts)))

    def _address(self) -> str:
        """Where the server says that its streams are; itself where it says nothing."""
        trouble: NetworkError | None = None
        for version, call in ((2, self._api.instance_v2), (1, self._api.instance_v1)):
            try:
                named = named_address(self._ask(call, want=dict), version)
            except NetworkError as error:
                trouble = error
                continue
            return streaming_address(named, self._instance)
        if isinstance(trouble, (RateLimited, Unavailable)):
            raise trouble
        return self._instance


def to_page(events: Iterable[Event], *, tagged: bool, host: str, our_id: str | None) -> Page:
    """What these events say, on the stream of a hashtag or on our own; `more` where one could not be read."""
    posts: list[Post] = []
    gone: list[str] = []
    more = False
    for event in events:
        try:
            if event.name == "delete":
                gone.append(full_id(host, _bare_id(event.data)))
            elif event.name in ("update", "notification", "status.update"):
                posts += _posts(event, tagged, host, our_id)
            elif event.name == "notifications_merged":
                more = True
        except (Unreadable, AttributeError):
            more = True
    return Page(posts=tuple(posts), cursor=None, gone=tuple(gone), more=more)


def _posts(event: Event, tagged: bool, host: str, our_id: str | None) -> list[Post]:
    """The post of one event, if it is what this stream is heard for."""
    if event.name == ("notification" if tagged else "update"):
        return []  # on our own, updates are of people we follow; what addresses us comes as a notification besides
    told = read_json(event.data.encode("utf-8", "replace"))
    if not isinstance(told, dict):
        raise Unreadable("no entity")
    if event.name == "notification":
        if told.get("type") != "mention":
            return []
        told = told.get("status")
        if not isinstance(told, dict):
            raise Unreadable("a mention without a status")
    post = to_post(told, host, our_id)
    return [post] if tagged or post.kind is not PostKind.FOUND else []


def _bare_id(data: str) -> str:
    found = data.strip().strip('"')
    if not is_id(found):
        raise Unreadable("no id")
    return found
