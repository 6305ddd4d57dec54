"""What one mention costs from the network to the database, beside what the network's own library costs.

    python -m benchmarks.poll_to_stored [NETWORK …] [--posts 400] [--rounds 7]

A local server that speaks the network's protocol runs in a process of its own. In turns, this process reads the same
posts with the client library alone, as its manual shows (bare), and through poll and ingest into an SQLite file (ours).
Counted is this process's CPU time, per post; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import statistics
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import structlog

from listener import store as stores
from listener.contract import Connector
from listener.flow.ingest import ingest
from listener.flow.poll import poll
from listener.store import Store, sources
from listener.store.sources import Wanted
from listener.types import Cursor

SENTENCES = (
    "@marca otra vez sin fibra en el barrio, ¿alguien más? #telecom",
    "Honestly the new plan is fine, thanks for asking #telecom",
    "Llevo tres días esperando una respuesta de #telecom y nada 😡 https://example.com/foro/123",
    "#telecom how do I change the name on my bill?",
)


class Bench(ABC):
    """One network: its server, its library and our connector."""

    name: ClassVar[str]
    query: ClassVar[str]

    @abstractmethod
    def server(self) -> AbstractContextManager[Any]:
        """A fresh local server; runs in the other process."""

    @abstractmethod
    def fill(self, server: Any, text: str, number: int) -> None:
        """Somebody says `text` there."""

    def filled(self, _server: Any) -> None:
        """Everybody has said what they had to say: waits until it can be read."""
        return

    def where(self, server: Any) -> str:
        """What `connector` and `bare` need to know of the server."""
        return str(server.url)

    @abstractmethod
    def connector(self, url: str) -> Connector:
        """Ours."""

    @abstractmethod
    def bare(self, url: str) -> Callable[[], int]:
        """The library alone, made ready: reads every post and gives how many it saw."""


class Mastodon(Bench):
    name = "mastodon"
    query = "#telecom"

    def server(self) -> AbstractContextManager[Any]:
        from tests.servers.mastodon import MastodonServer

        return MastodonServer()

    def fill(self, server: Any, text: str, number: int) -> None:
        server.person(f"p{number % 50}").post(text)

    def connector(self, url: str) -> Connector:
        from pydantic import SecretStr

        from connectors.mastodon import Settings, connect
        from tests.servers.mastodon import TOKEN

        return connect(Settings(instance=url, access_token=SecretStr(TOKEN)))

    def bare(self, url: str) -> Callable[[], int]:
        import mastodon

        from tests.servers.mastodon import TOKEN

        api = mastodon.Mastodon(
            api_base_url=url, access_token=TOKEN, mastodon_version="4.6.0", version_check_mode="created"
        )

        def read() -> int:
            seen, page = 0, api.timeline_hashtag("telecom", min_id="0", limit=40)
            while page:
                seen += len(page)
                page = api.timeline_hashtag("telecom", min_id=page[0]["id"], limit=40)
            return seen

        return read


class Reddit(Bench):
    name = "reddit"
    query = "r/telecom telecom"

    def server(self) -> AbstractContextManager[Any]:
        from tests.servers.reddit import RedditServer

        return RedditServer(reset="311")  # praw stumbles over a fraction

    def fill(self, server: Any, text: str, number: int) -> None:
        if number == 0:
            server.first = server.submit("p0", "telecom", text)
        else:
            server.comment(f"p{number % 50}", server.first, text)

    def connector(self, url: str) -> Connector:
        from connectors.reddit import Settings, connect

        return connect(Settings.model_validate(self._keys() | {"oauth_url": url, "reddit_url": url}))

    def bare(self, url: str) -> Callable[[], int]:
        import praw

        api = praw.Reddit(
            **self._keys(),
            oauth_url=url,
            reddit_url=url,
            user_agent="linux:bench:1 (by /u/p0)",
            check_for_updates=False,
        )
        api.user.me()

        def read() -> int:
            place = api.subreddit("telecom")
            return sum(1 for listing in (place.comments, place.new) for _ in listing(limit=None))

        return read

    def _keys(self) -> dict[str, str]:
        from tests.servers.reddit import BRAND, CLIENT_ID, CLIENT_SECRET, PASSWORD

        return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": BRAND, "password": PASSWORD}


class X(Bench):
    name = "x"
    query = "telecom"

    def server(self) -> AbstractContextManager[Any]:
        from tests.servers.x import XServer

        return XServer()

    def fill(self, server: Any, text: str, number: int) -> None:
        server.person(f"p{number % 50}").post(text)

    def connector(self, url: str) -> Connector:
        from connectors.x import Settings, connect
        from tests.servers.x import KEYS

        return connect(Settings.model_validate(KEYS | {"api": url}))

    def bare(self, url: str) -> Callable[[], int]:
        import requests
        import tweepy

        from connectors.x_posts import EXPANSIONS, MEDIA_FIELDS, TWEET_FIELDS, USER_FIELDS
        from tests.servers.x import KEYS

        class Here(requests.Session):
            def request(self, method: Any, address: Any, *rest: Any, **more: Any) -> requests.Response:
                return super().request(method, address.replace("https://api.twitter.com", url), *rest, **more)

        client = tweepy.Client(**KEYS)
        client.session = Here()
        fields = {
            "tweet_fields": TWEET_FIELDS,
            "user_fields": USER_FIELDS,
            "media_fields": MEDIA_FIELDS,
            "expansions": EXPANSIONS,
        }

        def read() -> int:
            pages = tweepy.Paginator(
                client.search_recent_tweets, "telecom -is:retweet", max_results=100, user_auth=True, **fields
            )
            return sum(len(page.data or ()) for page in pages)

        return read


class Bluesky(Bench):
    name = "bluesky"
    query = "telecom"

    def server(self) -> AbstractContextManager[Any]:
        from tests.servers.bluesky import running

        return running()

    def where(self, server: Any) -> str:
        brand = server.person("marca")
        return json.dumps([server.pds, brand.handle, brand.password])

    def fill(self, server: Any, text: str, number: int) -> None:
        server.somebody(f"p{number % 20}-").post(text)

    def filled(self, server: Any) -> None:
        server.settle()

    def connector(self, url: str) -> Connector:
        from pydantic import SecretStr

        from connectors.bluesky import Settings, connect

        service, handle, password = json.loads(url)
        file = Path(tempfile.mkdtemp()) / "sessions.json"
        return connect(
            Settings(service=service, handle=handle, app_password=SecretStr(password), jetstream="", session_file=file)
        )

    def bare(self, url: str) -> Callable[[], int]:
        import atproto

        service, handle, password = json.loads(url)
        client = atproto.Client(base_url=f"{service}/xrpc")
        client.login(handle, password)

        def read() -> int:
            seen, cursor = 0, None
            while True:
                found = client.app.bsky.feed.search_posts(
                    {"q": "telecom", "sort": "latest", "limit": 100, "cursor": cursor}
                )
                seen, cursor = seen + len(found.posts), found.cursor
                if not cursor:
                    return seen

        return read


class Mail(Bench):
    name = "mail"
    query = "mentions"

    def server(self) -> AbstractContextManager[Any]:
        from tests.servers.dovecot import server

        return server()

    def where(self, server: Any) -> str:
        return f"{server.imap} {server.submission}"

    def fill(self, server: Any, text: str, number: int) -> None:
        head = f"From: P{number} <p{number % 50}@people.example>\nTo: care@brand.example\nSubject: Consulta {number}\n"
        head += f"Message-ID: <m{number}@people.example>\nDate: {formatdate()}\n"
        kind = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
        server.put("care@brand.example", f"{head}{kind}\n{text}\n".replace("\n", "\r\n").encode())

    def connector(self, url: str) -> Connector:
        from pydantic import SecretStr

        from connectors.mail import Settings, connect
        from connectors.mail_settings import Security
        from tests.servers.dovecot import PASSWORD

        return connect(
            Settings(
                address="care@brand.example",
                password=SecretStr(PASSWORD),
                imap_host="127.0.0.1",
                imap_port=int(url.split(maxsplit=1)[0]),
                imap_security=Security.NONE,
                smtp_host="127.0.0.1",
                smtp_port=int(url.split()[1]),
                smtp_security=Security.NONE,
            )
        )

    def bare(self, url: str) -> Callable[[], int]:
        import email
        import email.policy

        from imapclient import IMAPClient

        from tests.servers.dovecot import PASSWORD

        def read() -> int:
            with IMAPClient("127.0.0.1", port=int(url.split(maxsplit=1)[0]), ssl=False) as client:
                client.login("care@brand.example", PASSWORD)
                client.select_folder("INBOX", readonly=True)
                uids, seen = client.search("ALL"), 0
                for start in range(0, len(uids), 50):
                    for found in client.fetch(uids[start : start + 50], ["BODY.PEEK[]"]).values():
                        mail = email.message_from_bytes(found[b"BODY[]"], policy=email.policy.default)
                        seen += bool(mail["From"] and mail["Subject"] and mail.get_content())
            return seen

        return read


class Feed(Bench):
    name = "feed"
    query = "all"

    def server(self) -> AbstractContextManager[Any]:
        from tests.servers.feed import FeedServer

        return FeedServer(window=500)

    def fill(self, server: Any, text: str, number: int) -> None:
        server.add(f"{text} {number}", author=f"p{number % 50}")

    def connector(self, url: str) -> Connector:
        from connectors.feed import Settings, connect

        return connect(Settings(url=url))

    def bare(self, url: str) -> Callable[[], int]:
        import feedparser
        import requests

        return lambda: len(feedparser.parse(requests.get(url, timeout=30).content).entries)


ALL: tuple[Bench, ...] = (Mastodon(), Reddit(), X(), Bluesky(), Mail(), Feed())
BENCHES = {bench.name: bench for bench in ALL}


def serve(bench: Bench, posts: int, line: Connection) -> None:
    """The other process: starts empty, fills up when told so, and ends when told so."""
    with bench.server() as server:
        line.send(bench.where(server))
        line.recv()
        for number in range(posts):
            bench.fill(server, f"{SENTENCES[number % len(SENTENCES)]} {number}", number)
        bench.filled(server)
        line.send("filled")
        line.recv()


def measure(bench: Bench, *, posts: int, rounds: int) -> tuple[float, float]:
    """Microseconds of CPU per post: bare, ours."""
    ours_end, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(bench, posts, theirs), daemon=True)
    process.start()
    url = ours_end.recv()
    connector = bench.connector(url)
    connector.whoami()
    start = connector.poll(bench.query, None).cursor
    ours_end.send("fill")
    ours_end.recv()
    bare = bench.bare(url)
    costs: tuple[list[float], list[float]] = ([], [])
    for round_number in range(rounds + 1):
        with database(bench, start) as store:
            for which, work in enumerate((bare, partial(through, bench, connector, store, posts))):
                began = time.process_time()
                seen = work()
                cost = (time.process_time() - began) / posts * 1e6
                if seen < posts:
                    raise SystemExit(f"{bench.name}: saw {seen} of {posts} posts; the comparison would not be fair.")
                if round_number:  # the first round warms up
                    costs[which].append(cost)
    ours_end.send("end")
    process.join(10)
    return statistics.median(costs[0]), statistics.median(costs[1])


@contextmanager
def database(bench: Bench, start: Cursor | None) -> Iterator[Store]:
    """An empty database that knows the source, and where it is to go on."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        store = stores.open(f"sqlite:///{Path(folder) / 'bench.db'}")
        with store.write() as tx:
            wanted = Wanted(
                name="bench", account="bench", network=bench.name, query=bench.query, every=timedelta(minutes=1)
            )
            sources.sync(tx, [wanted], now)
            made = sources.get(tx, "bench")
            sources.succeeded(tx, made, cursor=start, next_poll_at=now, new_mentions=0, now=now)
        yield store
        store.close()


def through(bench: Bench, connector: Connector, store: Store, posts: int) -> int:
    """Polls and stores until everything is in the database; gives how many mentions are there."""
    for _ in range(posts):
        with store.read() as tx:
            source = sources.get(tx, "bench")
        polled = poll(source, connector)
        if polled.page is None:
            raise SystemExit(f"{bench.name}: {polled.error}")
        if not ingest(store, source, polled.page, me=polled.me, now=datetime.now(UTC)).more:
            break
    with store.read() as tx:
        return sources.get(tx, "bench").mentions_total


def main() -> None:
    """Prints one line for each network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.poll_to_stored")
    parser.add_argument("networks", nargs="*", choices=[*BENCHES, []], default=[])
    parser.add_argument("--posts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(f"{'network':<10} {'bare µs':>9} {'ours µs':>9} {'ratio':>6}   CPU per post, median of {asked.rounds} rounds")
    for name in asked.networks or BENCHES:
        bare, ours = measure(BENCHES[name], posts=asked.posts, rounds=asked.rounds)
        print(f"{name:<10} {bare:>9.0f} {ours:>9.0f} {ours / bare:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
