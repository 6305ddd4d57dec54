"""understand: let the classifier read a batch of new mentions. Knows nothing of the policy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from listener import garbage, inhand, metrics, tracing
from listener.contract import Classifier
from listener.errors import NoModel
from listener.log import logger
from listener.store import Store, decisions, mentions
from listener.store.mentions import Mention
from listener.types import MentionState, Understanding

log = logger(__name__)

PLAIN = "Hola"  # what every model can read that can read anything


def understand(
    store: Store, classifier: Classifier, *, limit: int, now: datetime, ids: Sequence[int] | None = None
) -> int:
    """Reads up to `limit` new mentions, `ids` of them only where given; gives how many moved on.

    A mention that breaks the classifier is set aside alone; one that was edited meanwhile is read again next time.
    Raises NoModel where it breaks on anything.
    """
    with store.read() as tx:
        batch = mentions.awaiting(tx, MentionState.NEW, limit, ids=ids)
    if not batch:
        return 0
    return keep(store, batch, read(classifier, batch), now=now)


def keep(store: Store, batch: Sequence[Mention], read: Sequence[Understanding | None], *, now: datetime) -> int:
    """Writes down what was read in these mentions; gives how many moved on. See `understand`."""
    whole = [(mention, found) for mention, found in zip(batch, read, strict=True) if found is not None]
    with garbage.put_off(), store.write() as tx:
        for mention, found in zip(batch, read, strict=True):
            if found is None:
                reason = "the model cannot read it"
                mentions.trouble(tx, mention, stage="understand", reason=reason, now=now)
        numbers = mentions.advance_all(tx, [mention for mention, _ in whole], MentionState.UNDERSTOOD)
        moved = [each for each in whole if each[0].id in numbers]
        decisions.understood_all(tx, moved, now)
    if tracing.on():
        ended = datetime.now(UTC)
        for mention, found in moved:
            about = {"mention": mention.id, "model": found.model_version, "language": found.language}
            tracing.span("read", mention.correlation, began=now, ended=max(now, ended), about=about)
    if moved:
        log.info(
            "Read.",
            action="understood",
            mentions=[mention.id for mention, _ in moved],
            correlations=[mention.correlation for mention, _ in moved],
        )
    return len(moved)


def what_to_read(text: str, content_warning: str) -> str:
    """What the model is given: a content warning is part of what was said."""
    return f"{content_warning}\n{text}" if content_warning else text


def read(classifier: Classifier, batch: Sequence[Mention]) -> list[Understanding | None]:
    """What the model makes of each of them; None of one that breaks it. Touches no database.

    Raises NoModel where it breaks on anything.
    """
    started = time.perf_counter()
    inhand.take("understand", [mention.id for mention in batch])
    try:
        found = _classify(classifier, batch)
    finally:
        inhand.drop()
    metrics.model(len(batch), time.perf_counter() - started)
    return found


def _classify(classifier: Classifier, batch: Sequence[Mention]) -> list[Understanding | None]:
    texts = [what_to_read(mention.text, mention.content_warning) for mention in batch]
    try:
        return list(classifier.classify(texts))
    except Exception:
        log.exception("The classifier broke on a batch; trying one by one.", action="understand_bug", size=len(batch))
    _check(classifier)
    one_by_one: list[Understanding | None] = []
    for mention, text in zip(batch, texts, strict=True):
        inhand.take("understand", [mention.id])
        try:
            one_by_one.extend(classifier.classify([text]))
        except Exception:
            _check(classifier)  # that it broke is this text's fault only while it reads others
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


def _check(classifier: Classifier) -> None:
    """Raises NoModel where the model cannot read even the plainest text."""
    try:
        classifier.classify([PLAIN])
    except Exception as error:  # onnxruntime raises what it likes, and memory may be short
        raise NoModel(f"{type(error).__name__} at whatever it reads: {' '.join(str(error).split())[:300]}") from error
