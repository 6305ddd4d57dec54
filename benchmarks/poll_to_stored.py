"""What one mention costs from the network to the database, beside what the network's own library costs.

    python -m benchmarks.poll_to_stored [NETWORK …] [--posts 400] [--rounds 7]

A local server that speaks the network's protocol runs in a process of its own. In turns, this process reads the same
posts with the client library alone, as its manual shows (bare), and through poll and ingest into an SQLite file (ours).
Counted is this process's CPU time, per post; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import statistics
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import structlog

from listener import store as stores
from listener.contract import Connector
from listener.flow.ingest import ingest
from listener.flow.poll import poll
from listener.store import sources
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


BENCHES: dict[str, Bench] = {bench.name: bench for bench in (Mastodon(),)}


def serve(bench: Bench, posts: int, line: Connection) -> None:
    """The other process: starts empty, fills up when told so, and ends when told so."""
    with bench.server() as server:
        line.send(server.url)
        line.recv()
        for number in range(posts):
            bench.fill(server, f"{SENTENCES[number % len(SENTENCES)]} {number}", number)
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
        for which, work in enumerate((bare, lambda: through(bench, connector, start, posts))):
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


def through(bench: Bench, connector: Connector, start: Cursor | None, posts: int) -> int:
    """Polls and stores until everything is in a fresh database; gives how many mentions are there."""
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
        for _ in range(posts):
            with store.read() as tx:
                source = sources.get(tx, "bench")
            polled = poll(source, connector)
            if polled.page is None:
                raise SystemExit(f"{bench.name}: {polled.error}")
            if not ingest(store, source, polled.page, me=polled.me, now=datetime.now(UTC)).more:
                break
        with store.read() as tx:
            total = sources.get(tx, "bench").mentions_total
        store.close()
    return total


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
