"""Decisions read again, page by page, with all that a situation is rebuilt from. Reads only.

A page begins after the last number of the one before it, so that it costs the same however many went before.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from pydantic_core import from_json
from sqlalchemy import Join, Row, Text, and_, cast, exists, func, select
from sqlalchemy.sql.elements import ColumnElement

from listener.store import Transaction
from listener.store import tables as t
from listener.types import Intent, MentionState, Sentiment, Signal, Understanding

Label = TypeVar("Label", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which decisions: those numbered `after` (left out) to `last`, made at or after `since`, on `network` if named.

    `every`: also those that a newer decision about the same mention took the place of, up to number `newest`.
    """

    after: int
    last: int
    newest: int
    since: datetime | None = None
    network: str | None = None
    every: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """One decision as it is kept. `text` is None where the words of that revision are not kept any more; `saw` and
    `fingerprint` where they were erased; `understanding` where what the model made of it is gone.
    """

    id: int
    mention_id: int
    revision: int
    policy_version: str
    model_version: str
    at: datetime
    saw: str | None
    facts: str | None
    fingerprint: str | None
    network: str
    account: str
    posted_at: datetime
    gone: bool
    text: str | None
    content_warning: str
    understanding: Understanding | None


def bounds(tx: Transaction, *, since: datetime | None) -> tuple[int, int]:
    """The numbers between which decisions made at or after `since` lie: (after, last); the same twice for none."""
    made = t.decisions.c
    query = select(func.min(made.id), func.max(made.id))
    first, last = tx.execute(query if since is None else query.where(made.at >= since)).one()
    return (int(first) - 1, int(last)) if first is not None else (0, 0)


def count(tx: Transaction, span: Span) -> int:
    """How many decisions lie in that span."""
    query = select(func.count()).select_from(_joined()).where(*_within(span))
    return int(tx.scalar(query) or 0)


def ends(tx: Transaction, span: Span, size: int) -> list[int]:
    """Numbers that cut the span into pieces of at most `size` decisions, each the last of its piece."""
    made = t.decisions.c
    last = span.after
    found: list[int] = []
    while True:
        query = select(made.id).where(made.id > last, made.id <= span.last).order_by(made.id)
        end = tx.scalar(query.offset(size - 1).limit(1))
        if end is None:
            return [*found, span.last] if last < span.last else found
        last = int(end)
        found.append(last)


def page(tx: Transaction, span: Span, *, size: int) -> list[Kept]:
    """The first `size` decisions of the span, by number."""
    made, said, before, read = t.decisions.c, t.mentions.c, t.revisions.c, t.understandings.c
    as_decided = and_(read.mention_id == made.mention_id, read.revision == made.revision)
    joined = (
        _joined()
        .join(t.sources, t.sources.c.id == said.source_id)
        .outerjoin(t.understandings, and_(as_decided, read.model_version == made.model_version))
        .outerjoin(t.revisions, and_(before.mention_id == made.mention_id, before.revision == made.revision))
    )
    query = (
        select(
            *(made.id, made.mention_id, made.revision, made.policy_version, made.model_version, made.at),
            *(cast(made.saw, Text).label("saw"), made.facts, made.fingerprint),
            *(said.network, t.sources.c.account, said.posted_at, said.state, said.revision.label("now_revision")),
            *(said.text, said.content_warning),
            *(before.text.label("former_text"), before.content_warning.label("former_warning")),
            *(read.language, read.language_score, read.sentiment),
            *(cast(read.sentiment_scores, Text), cast(read.intents, Text), cast(read.intent_scores, Text)),
            *(cast(read.signals, Text), cast(read.signal_scores, Text)),
            *(cast(read.areas, Text), cast(read.area_scores, Text)),
        )
        .select_from(joined)
        .where(*_within(span))
        .order_by(made.id)
        .limit(size)
    )
    return [_kept(row) for row in tx.execute(query)]


def answered(tx: Transaction, first: int, last: int) -> dict[int, datetime | None]:
    """By mention, of the decisions numbered `first` to `last`: when the case it was first put into was first answered.

    None where that was never answered; mentions that were put into none are left out.
    """
    made, of, case = t.decisions.c, t.case_mentions.c, t.cases.c
    query = (
        select(of.mention_id, case.first_response_at)
        .join(t.cases, case.id == of.case_id)
        .join(t.decisions, made.mention_id == of.mention_id)
        .where(made.id >= first, made.id <= last)
        .order_by(of.at.desc(), of.case_id.desc())
    )
    return {int(mention): moment for mention, moment in tx.execute(query)}  # the earliest comes last, and stays


def facts_of(tx: Transaction, digest: str) -> dict[str, Any] | None:
    """What was kept under that digest; None where nothing is."""
    found = tx.scalar(select(t.facts.c.facts).where(t.facts.c.digest == digest))
    return dict(found) if found is not None else None


def _joined() -> Join:
    return t.decisions.join(t.mentions, t.mentions.c.id == t.decisions.c.mention_id)


def _within(span: Span) -> Sequence[ColumnElement[bool]]:
    made = t.decisions.c
    where: list[ColumnElement[bool]] = [made.id > span.after, made.id <= span.last]
    if span.since is not None:
        where.append(made.at >= span.since)
    if span.network is not None:
        where.append(t.mentions.c.network == span.network)
    if not span.every:
        newer = t.decisions.alias("newer")
        same = (newer.c.mention_id == made.mention_id, newer.c.id > made.id, newer.c.id <= span.newest)
        where.append(~exists().where(*same))
    return where


@lru_cache(maxsize=1_000)
def _labels(kind: type[Label], listed: str) -> tuple[Label, ...]:
    """The labels in a JSON list. Raises ValueError for one that this version does not know."""
    return tuple(kind(name) for name in from_json(listed))


@lru_cache(maxsize=1_000)
def _names(listed: str) -> tuple[str, ...]:
    return tuple(from_json(listed))


def _kept(row: Row[Any]) -> Kept:
    # fmt: off
    (number, mention_id, revision, policy_version, model_version, at, saw, facts, fingerprint,
     network, account, posted_at, state, now_revision, text, warning, former_text, former_warning,
     language, language_score, sentiment, sentiment_scores, intents, intent_scores,
     signals, signal_scores, areas, area_scores) = tuple(row)
    # fmt: on
    if revision != now_revision:
        text, warning = former_text, former_warning or ""
    understanding = None
    if language is not None:
        with suppress(ValueError):  # a label of another version of Escucha: nobody can tell what it would be now
            understanding = Understanding(
                model_version=model_version,
                language=language,
                language_score=language_score,
                sentiment=Sentiment(sentiment) if sentiment else None,
                sentiment_scores=from_json(sentiment_scores),
                intents=_labels(Intent, intents),
                intent_scores=from_json(intent_scores),
                signals=_labels(Signal, signals),
                signal_scores=from_json(signal_scores),
                areas=_names(areas),
                area_scores=from_json(area_scores),
            )
    return Kept(
        number,
        mention_id,
        revision,
        policy_version,
        model_version,
        at,
        saw,
        facts,
        fingerprint,
        network,
        account,
        posted_at,
        state == MentionState.GONE.value,
        text,
        warning,
        understanding,
    )


def newest(tx: Transaction, span: Span, limit: int) -> Span:
    """The span of its newest `limit` decisions (1 or more)."""
    made = t.decisions.c
    query = select(made.id).select_from(_joined()).where(*_within(span)).order_by(made.id.desc())
    first = tx.scalar(query.offset(limit).limit(1))
    return span if first is None else replace(span, after=int(first))


def rest(span: Span, after: int) -> Span:
    """What of the span comes after that number."""
    return replace(span, after=after)
