"""understand: let the classifier read a batch of new mentions. Knows nothing of the policy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import structlog

from listener import metrics
from listener.contract import Classifier
from listener.store import Store, decisions, mentions
from listener.store.mentions import Mention
from listener.types import MentionState, Understanding

log = structlog.get_logger(__name__)


def understand(
    store: Store, classifier: Classifier, *, limit: int, now: datetime, ids: Sequence[int] | None = None
) -> int:
    """Reads up to `limit` new mentions, `ids` of them only where given; gives how many moved on.

    A mention that breaks the classifier is set aside alone; one that was edited meanwhile is read again next time.
    """
    with store.read() as tx:
        batch = mentions.awaiting(tx, MentionState.NEW, limit, ids=ids)
    if not batch:
        return 0
    started = time.perf_counter()
    understandings = _classify(classifier, batch)
    metrics.model(len(batch), time.perf_counter() - started)
    moved = []
    with store.write() as tx:
        for mention, understanding in zip(batch, understandings, strict=True):
            if understanding is None:
                reason = "the model cannot read it"
                mentions.trouble(tx, mention, stage="understand", reason=reason, now=now)
            elif mentions.advance(tx, mention, MentionState.UNDERSTOOD):
                decisions.understood(tx, mention, understanding, now)
                moved.append(mention)
    if moved:
        log.info(
            "Read.",
            action="understood",
            mentions=[mention.id for mention in moved],
            correlations=[mention.correlation for mention in moved],
        )
    return len(moved)


def what_to_read(text: str, content_warning: str) -> str:
    """What the model is given: a content warning is part of what was said."""
    return f"{content_warning}\n{text}" if content_warning else text


def _classify(classifier: Classifier, batch: Sequence[Mention]) -> list[Understanding | None]:
    texts = [what_to_read(mention.text, mention.content_warning) for mention in batch]
    try:
        return list(classifier.classify(texts))
    except Exception:
        log.exception("The classifier broke on a batch; trying one by one.", action="understand_bug", size=len(batch))
    one_by_one: list[Understanding | None] = []
    for mention, text in zip(batch, texts, strict=True):
        try:
            one_by_one.extend(classifier.classify([text]))
        except Exception:
            log.exception(
                "A mention was set aside.",
                action="set_aside",
                stage="understand",
                mention=mention.id,
                correlation=mention.correlation,
            )
            metrics.set_aside("understand")
            one_by_one.append(None)
    return one_by_one
