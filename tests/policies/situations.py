"""Situations to decide about, with everything ordinary unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from listener.types import (
    Answerable,
    AuthorView,
    CaseView,
    CustomerView,
    Facts,
    Intent,
    PostKind,
    SendsView,
    Sentiment,
    Situation,
    ThreadView,
    Understanding,
    Visibility,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

FACTS = Facts(
    network="mastodon",
    limit=280,
    count=len,
    address=lambda text, handle: f"@{handle} {text}",
    answerable=Answerable.ANYONE,
    linkable=True,
    direct_messages=True,
    keyed_writes=True,
    deletions_visible=True,
    settle_after=timedelta(minutes=1),
)


def understanding(
    *intents: Intent | str,
    sentiment: Sentiment | str | None = "neutral",
    language: str = "es",
    score: float = 0.95,
) -> Understanding:
    """What a model would say, the first intent strongest."""
    named = tuple(Intent(intent) for intent in intents)
    return Understanding(
        model_version="test",
        language=language,
        language_score=0.99,
        sentiment=Sentiment(sentiment) if sentiment else None,
        sentiment_scores={sentiment: 0.9} if sentiment else {},
        intents=named,
        intent_scores={intent.value: score - 0.05 * place for place, intent in enumerate(named)},
    )


def situation(text: str = "Hola", *intents: str, **changes: Any) -> Situation:
    """One ordinary mention, with fields replaced: `sentiment`, `language`, `score`, any field, or `author__bot`."""
    read = {key: changes.pop(key) for key in ("sentiment", "language", "score") if key in changes}
    base = Situation(
        now=NOW,
        mention_id=1,
        revision=1,
        network="mastodon",
        source="brand-mentions",
        kind=PostKind.MENTION,
        visibility=Visibility.PUBLIC,
        text=text,
        content_warning="",
        url=None,
        posted_at=NOW - timedelta(minutes=10),
        has_media=False,
        understanding=understanding(*intents, **read),
        author=AuthorView(handle="ana", display_name="Ana García", followers=120),
        customer=None,
        thread=ThreadView(),
        case=CaseView(reference="ES-26-000123-7"),
        sends=SendsView(),
        facts=FACTS,
    )
    for key, value in changes.items():
        outer, _, inner = key.partition("__")
        base = replace(base, **{outer: replace(getattr(base, outer), **{inner: value}) if inner else value})
    return base


GOLD = CustomerView(reference="C-1", name="Ana García", tier="gold")
