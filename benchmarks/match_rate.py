"""How many events of a public stream go through parsing, matching and storing in a second, beside bare JSON parsing.

    python -m benchmarks.match_rate [--events 20000] [--terms 1000] [--rounds 7]

The events are made up, in the shape and about the size of Jetstream's: posts in six languages and four scripts with
hashtags, mentions, links, emoji and pictures, some deletions; one in a hundred names a brand. In turns, this process
takes the same events through

    bare     `json.loads` alone
    matched  the connector's own way: the event read and checked, its text made, its terms matched
    stored   the same, and what was meant written to an SQLite file, a page for every thousand events

Counted is this process's CPU time, so on one core; the ratios are those of the medians.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from connectors.bluesky_listening import Ear
from listener import store as stores
from listener.flow.ingest import ingest
from listener.store import Store, sources
from listener.store.sources import Wanted
from listener.terms import Terms, parse

PAGE = 1000  # events
START = 1_780_000_000_000_000  # unix microseconds

SAID = {
    "en": "honestly the train was late again and nobody told us anything so we waited two hours in the cold",
    "es": "el técnico llegó mañana dijo y ya van tres días sin conexión además nadie contesta qué vergüenza",
    "pt": "não acredito que cancelaram o voo outra vez ninguém avisou e agora estamos presos sem informação",
    "de": "schon wieder fällt der zug aus und niemand weiß warum wir stehen hier seit einer stunde auf dem bahnsteig",
    "ja": "今日 は 電車 が 遅れて 会社 に 間に合わなかった 本当に 困る 明日 は 早く 出よう と 思う",
    "ru": "сегодня опять не работает интернет и никто не отвечает по телефону уже третий день жду мастера дома",
}
SHARES = {"en": 45, "es": 12, "pt": 12, "de": 8, "ja": 18, "ru": 5}
TAGS = ("news", "MondayMotivation", "photography", "DragonAge", "新刊", "Politik", "bskyart", "fotos2026")
SYLLABLES = ("ba", "cor", "del", "fi", "gam", "lu", "mar", "nor", "pel", "ri", "sol", "ter", "vi", "zan")


def brands(count: int, chance: random.Random) -> list[str]:
    """That many names of three syllables and more."""
    names: set[str] = set()
    while len(names) < count:
        names.add("".join(chance.choices(SYLLABLES, k=chance.choice((3, 4)))))
    return sorted(names)


def terms_of(names: Sequence[str]) -> Terms:
    """What is looked for: each brand in four forms, without what is not meant."""
    return parse(" OR ".join(f'(({name} OR #{name} OR "{name} app") -jobs -empleo)' for name in names))


def events_of(names: Sequence[str], count: int, chance: random.Random) -> list[bytes]:
    """Messages as they come from the stream."""
    return [json.dumps(_event(number, names, chance), ensure_ascii=False).encode() for number in range(count)]


def _event(number: int, names: Sequence[str], chance: random.Random) -> dict[str, Any]:
    key, cid = f"3m{number:011x}", f"bafyrei{chance.getrandbits(256):052x}"
    commit: dict[str, Any] = {"rev": key, "collection": "app.bsky.feed.post", "rkey": key}
    if chance.random() < 0.04:
        commit["operation"] = "delete"
    else:
        commit |= {"operation": "create", "cid": cid, "record": _record(names, chance)}
    return {"did": _did(chance), "time_us": START + number * 20_000, "kind": "commit", "commit": commit}


def _record(names: Sequence[str], chance: random.Random) -> dict[str, Any]:
    language = chance.choices(list(SHARES), weights=list(SHARES.values()))[0]
    words = chance.choices(SAID[language].split(), k=chance.randint(4, 36))
    if chance.random() < 0.01:
        name = chance.choice(names)
        words.insert(chance.randrange(len(words)), chance.choice((name, name.title(), f"#{name}", f"{name} app")))
    text = ("" if language == "ja" else " ").join(words)
    facets: list[dict[str, Any]] = []
    if chance.random() < 0.12:
        text += " " + " ".join(f"#{tag}" for tag in chance.sample(TAGS, k=chance.randint(1, 3)))
    if chance.random() < 0.25:
        text += chance.choice((" 😂", "!! 🔥🔥", " ❤️", " — “sure”", "…"))
    if chance.random() < 0.06:
        text = f"@user{chance.randrange(999)}.bsky.social {text}"
    if chance.random() < 0.15:
        shown, start = "example.com/news/2026...", len(text.encode()) + 1
        text += f" {shown}"
        link = {"$type": "app.bsky.richtext.facet#link", "uri": f"https://example.com/news/2026/11/{chance.random()}"}
        facets.append({"index": {"byteStart": start, "byteEnd": start + len(shown)}, "features": [link]})
    record: dict[str, Any] = {"$type": "app.bsky.feed.post", "createdAt": "2026-11-22T06:00:00.000Z", "text": text}
    if chance.random() < 0.9:
        record["langs"] = [language]
    if facets:
        record["facets"] = facets
    if chance.random() < 0.5:
        record["reply"] = {"root": _reference(chance), "parent": _reference(chance)}
    if chance.random() < 0.25:
        record["embed"] = {"$type": "app.bsky.embed.images", "images": [_image(chance)]}
    return record


def _did(chance: random.Random) -> str:
    return "did:plc:" + "".join(chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=24))


def _reference(chance: random.Random) -> dict[str, str]:
    uri = f"at://{_did(chance)}/app.bsky.feed.post/3m{chance.getrandbits(44):011x}"
    return {"cid": f"bafyrei{chance.getrandbits(256):052x}", "uri": uri}


def _image(chance: random.Random) -> dict[str, Any]:
    blob = {"$type": "blob", "ref": {"$link": f"bafkrei{chance.getrandbits(256):052x}"}, "mimeType": "image/jpeg"}
    return {"alt": "a picture", "aspectRatio": {"height": 1500, "width": 2000}, "image": blob | {"size": 812345}}


# --- the three ways ---


def bare(events: Sequence[bytes]) -> int:
    """Parses the JSON of each."""
    for event in events:
        json.loads(event)
    return 0


def matched(ear: Ear, events: Sequence[bytes]) -> int:
    """Gives how many were meant."""
    for event in events:
        ear.hear(event, now_us=START * 2)
    return ear.waiting


def stored(ear: Ear, store: Store, events: Sequence[bytes]) -> int:
    """Gives how many mentions are in the database in the end."""
    for start in range(0, len(events), PAGE):
        for event in events[start : start + PAGE]:
            ear.hear(event, now_us=START * 2)
        with store.read() as tx:
            source = sources.get(tx, "bench")
        ingest(store, source, ear.page(), me=None, now=datetime.now(UTC))
    with store.read() as tx:
        return sources.get(tx, "bench").mentions_total


def ear_for(terms: Terms) -> Ear:
    """What listens to a stream; made once, when the stream is opened."""
    return Ear(terms, our_did=None, profiles=_profiles, cursor=None)


def _profiles(dids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """Who they are, as a server would say without delay."""
    return {did: {"did": did, "handle": f"{did[8:16]}.example.com"} for did in dids}


@contextmanager
def database() -> Iterator[Store]:
    """An empty database that knows the source."""
    with tempfile.TemporaryDirectory() as folder:
        store = stores.open(f"sqlite:///{Path(folder) / 'bench.db'}")
        with store.write() as tx:
            every = timedelta(minutes=1)
            wanted = Wanted(name="bench", account="bench", network="bluesky", query="bench", every=every)
            sources.sync(tx, [wanted], datetime.now(UTC))
        yield store
        store.close()


def measure(events: Sequence[bytes], terms: Terms, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of CPU by way and round, and how many events were meant. All ways in each round; the first warms up."""
    spent: dict[str, list[float]] = {"bare": [], "matched": [], "stored": []}
    meant = matched(ear_for(terms), events)
    for number in range(rounds + 1):
        with database() as store:
            ways: dict[str, Callable[[Sequence[bytes]], int]] = {
                "bare": bare,
                "matched": partial(matched, ear_for(terms)),
                "stored": partial(stored, ear_for(terms), store),
            }
            for name, way in ways.items():
                began = time.process_time()
                seen = way(events)
                took = time.process_time() - began
                if seen not in (0, meant):
                    raise SystemExit(f"{name}: {seen} events meant instead of {meant}; the comparison is not fair.")
                if number:
                    spent[name].append(took)
    return spent, meant


def main() -> None:
    """Prints one line for each way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.match_rate")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--terms", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    chance = random.Random(3)
    names = brands(asked.terms, chance)
    events, terms = events_of(names, asked.events, chance), terms_of(names)
    spent, meant = measure(events, terms, asked.rounds)
    size = statistics.mean(map(len, events))
    print(f"{len(events):,} events of {size:.0f} bytes, {meant} meant by {asked.terms:,} terms; {asked.rounds} rounds")
    print(f"{'':<8} {'events/s':>9} {'µs each':>8}  of the bare rate (lowest and highest round)")
    for name, seconds in spent.items():
        each = statistics.median(seconds) / len(events)
        shares = [one / other for one, other in zip(spent["bare"], seconds, strict=True)]
        share = statistics.median(spent["bare"]) / statistics.median(seconds)
        print(f"{name:<8} {1 / each:>9,.0f} {each * 1e6:>8.1f}  {share:.2f} ({min(shares):.2f}-{max(shares):.2f})")


if __name__ == "__main__":
    main()
