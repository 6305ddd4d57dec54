"""Weeks of decided mentions, written straight into the database: what was said before a test of spikes begins."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select

from listener.store import Store, copies
from listener.store import tables as t

WEEK_LONG = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Word:
    """One post, as it was understood."""

    at: datetime
    who: str
    text: str = ""
    areas: Sequence[str] = ()
    intents: Sequence[str] = ("complaint",)
    sentiment: str = "negative"


def usual(
    since: datetime, until: datetime, *, hourly: float = 6.0, seed: int = 7, areas: Sequence[str] = ("billing", "app")
) -> Iterator[Word]:
    """A quiet company: more by day than by night, somebody new each time."""
    chance = random.Random(seed)
    at, number = since, 0
    while True:
        busy = 0.3 + 1.4 * (8 <= at.hour < 22)
        at += timedelta(hours=chance.expovariate(hourly * busy))
        if at >= until:
            return
        number += 1
        intents = chance.choice([["complaint"], ["question"], ["praise"], ["request"], ["question"]])
        yield Word(
            at=at,
            who=f"usual-{seed}-{number}",
            text=f"usual words about nothing in particular number {seed} {number}",
            areas=[chance.choice(areas)] if chance.random() < 0.7 else [],
            intents=intents,
            sentiment="neutral",
        )


@dataclass
class Writer:
    """Writes what was heard and decided into a database, as the stages leave it."""

    store: Store
    network: str = "sandbox"
    source: str = "source-0"
    _accounts: dict[str, int] = field(default_factory=dict)

    def write(self, words: Iterable[Word], *, heard_at: datetime | None = None) -> list[int]:
        """Gives the mentions' numbers."""
        listed = sorted(words, key=lambda word: word.at)
        if not listed:
            return []
        with self.store.write() as tx:
            source = tx.scalar(select(t.sources.c.id).where(t.sources.c.name == self.source))
            assert source is not None, "there is no such source"
            new = sorted({word.who for word in listed} - self._accounts.keys())
            first = int(tx.scalar(select(func.max(t.accounts.c.id))) or 0) + 1
            self._accounts |= {who: first + place for place, who in enumerate(new)}
            tx.execute(insert(t.accounts), [self._account(who, listed[0].at) for who in new]) if new else None
            number = int(tx.scalar(select(func.max(t.mentions.c.id))) or 0)
            rows = [
                self._mention(number + place, word, source, heard_at or word.at) for place, word in enumerate(listed, 1)
            ]
            tx.execute(insert(t.mentions), rows)
            ids = [row["id"] for row in rows]
            tx.execute(insert(t.understandings), [_read(*pair) for pair in zip(ids, listed, strict=True)])
            decided = zip(ids, listed, strict=True)
            tx.execute(insert(t.decisions), [_decided(number, heard_at or word.at) for number, word in decided])
            if tx.dialect.name == "postgresql":  # what comes after by itself gets the next numbers
                for name in ("accounts", "mentions"):
                    tx.exec_driver_sql(
                        f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"
                    )
        return ids

    def _account(self, who: str, now: datetime) -> Mapping[str, object]:
        return {
            "id": self._accounts[who], "network": self.network, "external_id": f"x-{who}", "handle": who,
            "folded": who, "display_name": who, "bot": False, "opted_out": False, "first_seen_at": now,
        }  # fmt: skip

    def _mention(self, number: int, word: Word, source: int, heard_at: datetime) -> dict[str, object]:
        return {
            "id": number, "network": self.network, "external_id": f"p-{self.network}-{number}", "source_id": source,
            "account_id": self._accounts[word.who], "state": "decided", "revision": 1, "kind": "mention",
            "visibility": "public", "text": word.text, "content_warning": "", "quoted": "", "unanswerable": "",
            "media": [], "raw": {}, "posted_at": word.at, "heard_at": heard_at, "checked_at": heard_at, "terms": [],
            "copy_key": copies.copy_key(word.text), "thread_id": f"p-{self.network}-{number}",
        }  # fmt: skip


def _read(number: int, word: Word) -> Mapping[str, object]:
    return {
        "mention_id": number, "revision": 1, "model_version": "keywords-1", "language": "es", "language_score": 1.0,
        "sentiment": word.sentiment, "sentiment_scores": {}, "intents": list(word.intents), "intent_scores": {},
        "signals": [], "signal_scores": {}, "areas": list(word.areas), "area_scores": {}, "at": word.at,
    }  # fmt: skip


def _decided(number: int, at: datetime) -> Mapping[str, object]:
    return {
        "mention_id": number, "revision": 1, "policy_version": "p", "model_version": "keywords-1", "urgency": "normal",
        "needs_routing": False, "escalate_to": "", "ignored": "", "tags": [], "alerts": [], "trace": {}, "at": at,
        "queue_at": at,
    }  # fmt: skip
