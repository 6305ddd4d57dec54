"""What was understood and decided about each revision of a mention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, bindparam, insert, select

from listener import situations
from listener.store import Transaction, bulk, upsert
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.types import Decision, Facts, Intent, Sentiment, Signal, Understanding

_READ = (
    "mention_id",
    "revision",
    "model_version",
    "language",
    "language_score",
    "sentiment",
    "sentiment_scores",
    "intents",
    "intent_scores",
    "signals",
    "signal_scores",
    "areas",
    "area_scores",
    "at",
)


def understood(tx: Transaction, mention: Mention, understanding: Understanding, now: datetime) -> None:
    """Keeps what the model made of this revision."""
    understood_all(tx, [(mention, understanding)], now)


def understood_all(tx: Transaction, read: Sequence[tuple[Mention, Understanding]], now: datetime) -> None:
    """Keeps what the model made of each of these, as they stand."""
    for version in dict.fromkeys(understanding.model_version for _, understanding in read):
        known = upsert(tx, t.model_versions).on_conflict_do_nothing()
        tx.execute(known, {"version": version, "first_used_at": now})
    rows = [
        (
            mention.id,
            mention.revision,
            understanding.model_version,
            understanding.language,
            understanding.language_score,
            understanding.sentiment,
            dict(understanding.sentiment_scores),
            [intent.value for intent in understanding.intents],
            dict(understanding.intent_scores),
            [signal.value for signal in understanding.signals],
            dict(understanding.signal_scores),
            list(understanding.areas),
            dict(understanding.area_scores),
            now,
        )
        for mention, understanding in read
    ]
    bulk.add(tx, t.understandings, _READ, rows, unless_there=True)


def understanding_of(tx: Transaction, mention_id: int) -> Understanding | None:
    """The newest understanding of the mention's present revision; None before there is one, or after deletion."""
    row = tx.execute(
        select(t.understandings)
        .join(t.mentions)
        .where(t.mentions.c.id == mention_id, t.understandings.c.revision == t.mentions.c.revision)
        .order_by(t.understandings.c.id.desc())
    ).first()
    return _understanding(row) if row is not None else None


def understandings_of(tx: Transaction, mention_ids: Sequence[int]) -> dict[int, Understanding]:
    """By mention, the same; only those that are understood as they stand."""
    rows = tx.execute(_readings(), {"mentions": list(mention_ids)})
    return {row.mention_id: _understanding(row) for row in rows}


@cache
def _readings() -> Select[Any]:
    read = t.understandings.c
    return (
        select(*(read[name] for name in _READ if name != "at"))
        .join(t.mentions)
        .where(t.mentions.c.id.in_(bindparam("mentions", expanding=True)), read.revision == t.mentions.c.revision)
        .order_by(read.id)
    )


def _understanding(row: Row[Any]) -> Understanding:
    return Understanding(
        model_version=row.model_version,
        language=row.language,
        language_score=row.language_score,
        sentiment=Sentiment(row.sentiment) if row.sentiment else None,
        sentiment_scores=row.sentiment_scores,
        intents=tuple(Intent(name) for name in row.intents),
        intent_scores=row.intent_scores,
        signals=tuple(Signal(name) for name in row.signals),
        signal_scores=row.signal_scores,
        areas=tuple(row.areas),
        area_scores=row.area_scores,
    )


def keep_facts(tx: Transaction, facts: Facts) -> str:
    """Keeps what is true of a network, once; gives its digest."""
    values = situations.kept_facts(facts)
    digest = situations.digest_of(values)
    tx.execute(upsert(tx, t.facts).on_conflict_do_nothing(), {"digest": digest, "facts": values})
    return digest


def decided(
    tx: Transaction,
    mention: Mention,
    decision: Decision,
    *,
    trace: dict[str, Any],
    facts: str | None = None,
    model_version: str,
    now: datetime,
) -> int:
    """Keeps a decision with its trace (`rules`, `guards`, `saw` and more); gives its id. `facts`: from `keep_facts`.

    A mention waits since it was heard, however often it is edited and decided again.
    """
    statement = insert(t.decisions).values(
        mention_id=mention.id,
        revision=mention.revision,
        policy_version=decision.policy_version,
        model_version=model_version,
        urgency=decision.urgency.value,
        needs_routing=decision.needs_routing,
        escalate_to=decision.escalate_to,
        ignored=decision.ignored,
        tags=list(decision.tags),
        alerts=[plan.target for plan in decision.alerts],
        saw=trace.get("saw"),
        facts=facts,
        fingerprint=situations.fingerprint(decision),
        trace={key: value for key, value in trace.items() if key != "saw"},
        at=now,
        score=decision.score,
        queue_at=mention.heard_at - decision.head_start,
    )
    return int(tx.execute(statement.returning(t.decisions.c.id)).scalar_one())


@dataclass(frozen=True, kw_only=True)
class StoredDecision:
    """A decision as it was kept; `trace` holds `rules`, `guards`, `contributions`, `route` and the `saw` values."""

    id: int
    revision: int
    policy_version: str
    model_version: str
    urgency: str
    needs_routing: bool
    escalate_to: str
    ignored: str
    tags: tuple[str, ...]
    alerts: tuple[str, ...]
    trace: dict[str, Any]
    at: datetime
    score: int


def decisions_of(tx: Transaction, mention_id: int) -> list[StoredDecision]:
    """Every decision about the mention, newest first: one per revision."""
    query = select(t.decisions).where(t.decisions.c.mention_id == mention_id).order_by(t.decisions.c.id.desc())
    return [
        StoredDecision(
            id=row.id,
            revision=row.revision,
            policy_version=row.policy_version,
            model_version=row.model_version,
            urgency=row.urgency,
            needs_routing=row.needs_routing,
            escalate_to=row.escalate_to,
            ignored=row.ignored,
            tags=tuple(row.tags),
            alerts=tuple(row.alerts),
            trace=row.trace if row.saw is None else {**row.trace, "saw": row.saw},
            at=row.at,
            score=row.score,
        )
        for row in tx.execute(query)
    ]
