"""ingest: store a page with its cursor, in one transaction, be it polled or overheard; or what stood in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from listener import budget, garbage, metrics, tracing
from listener.correlation import correlation
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected
from listener.log import logger
from listener.store import Store, Transaction, erasing, garbled, identities, mentions, sources, streams
from listener.store.mentions import Saved
from listener.store.sources import Source
from listener.types import Author, Page

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What one poll changed here. `more`: the network has another page waiting. `waits`: why it was not asked."""

    source: str
    saved: Saved
    more: bool = False
    error: str | None = None
    waits: str | None = None


def ingest(
    store: Store,
    source: Source,
    page: Page,
    *,
    me: Author | None,
    now: datetime,
    slower: float = 1.0,
    pressed: float = 1.0,
) -> Ingested:
    """Stores what a poll brought, and who we are there. The cursor moves only together with the mentions it covers.

    `slower`: by how much the account's money slows its sources down; `pressed`: by how much what waits to be read slows
    this one down.
    """
    with garbage.put_off(), store.write() as tx:
        if me:
            identities.remember(tx, account=source.account, network=source.network, me=me, now=now)
        saved = _keep(store, tx, source, page, now)
        more = page.more or sources.hastened(tx, source)
        next_poll_at = budget.next_poll(now, every=source.every, more=more, retry_after=page.retry_after, slower=slower)
        if pressed > 1:
            next_poll_at = max(next_poll_at, budget.pressed_poll(now, every=source.every, ratio=pressed))
        # A wait for money is looked at anew before each poll, so none need be trusted for longer than any other.
        next_poll_at = min(next_poll_at, now + max(source.every, budget.CEILING))
        sources.succeeded(
            tx, source, cursor=page.cursor, next_poll_at=next_poll_at, new_mentions=len(saved.new), now=now
        )
    if source.failures:
        log.info("The source works again.", action="source_up", source=source.name, since=source.failing_since)
    _tell(source, page, saved, way="poll", now=now)
    return Ingested(source=source.name, saved=saved, more=page.more)


def overhear(store: Store, source: Source, page: Page, *, now: datetime) -> Source:
    """Stores what a stream brought; gives the source with the cursor that its row has now.

    Its polls go on as they were planned, unless the stream says that more is waiting.
    """
    with store.write() as tx:
        saved = _keep(store, tx, source, page, now)
        cursor = streams.heard(tx, source, cursor=page.cursor, new_mentions=len(saved.new))
        if page.more:
            streams.hasten(tx, source, now=now, apart=budget.HASTE)
    _tell(source, page, saved, way="stream", now=now)
    return replace(source, cursor=cursor)


def _keep(store: Store, tx: Transaction, source: Source, page: Page, now: datetime) -> Saved:
    saved = mentions.save(tx, source_id=source.id, network=source.network, posts=page.posts, now=now)
    store.carry(tx, [*saved.new, *saved.edited])
    gone = erasing.erase(tx, network=source.network, external_ids=page.gone, now=now)
    if page.garbled:
        new = garbled.keep(tx, source_id=source.id, network=source.network, posts=page.garbled, now=now)
        for external_id in new:
            log.warning(
                "A post could not be read, and is shown as set aside.",
                action="garbled",
                source=source.name,
                correlation=correlation(source.network, external_id),
            )
    if saved.new:
        garbled.heard(tx, source.network, saved.heard[: len(saved.new)])
    if page.gap:
        sources.gap(tx, source, page.gap, now)
    return replace(saved, gone=gone)


def _tell(source: Source, page: Page, saved: Saved, *, way: str, now: datetime) -> None:
    posted = {post.external_id: post.posted_at for post in page.posts} if saved.new else {}
    metrics.stored(
        source.network,
        way=way,
        posted=[posted.get(external_id, now) for external_id in saved.heard[: len(saved.new)]],
        edited=len(saved.edited),
        gone=len(saved.gone),
        repeated=saved.repeated,
        old=source.succeeded_at is None,
        now=now,
    )
    if tracing.on():
        for number, external_id in zip(saved.new, saved.heard, strict=False):
            began, about = posted.get(external_id, now), correlation(source.network, external_id)
            values = {"network": source.network, "source": source.name, "mention": number}
            tracing.span("heard", about, began=began, ended=now, about=values)
    if page.gap:
        log.warning("The network skipped something.", action="gap", source=source.name, reason=page.gap)
    if saved.new or saved.edited or saved.gone:
        log.info(
            "Heard.",
            action="heard",
            source=source.name,
            new=len(saved.new),
            edited=len(saved.edited),
            gone=len(saved.gone),
            mentions=[*saved.new, *saved.edited],
            correlations=[correlation(source.network, each) for each in saved.heard],
        )


def mend(error: Exception) -> str:
    """What a person does about a source that was paused for it."""
    if isinstance(error, AuthFailed):
        return "put the new token in place (restart the daemon if it stands in the environment)"
    return "mend the source's query in the settings (or what the network says) and restart the daemon"


def failed(store: Store, source: Source, error: Exception, now: datetime) -> Ingested:
    """Stores what stood in a poll's way, and when to try again; the cursor stays where it was."""
    # Rejected: the query itself is refused, so asking again would only annoy; a person must look, as with credentials.
    pause = isinstance(error, AuthFailed | Rejected)
    wait = error.retry_after if isinstance(error, NetworkError) else None
    said = str(error) if isinstance(error, NetworkError) else f"a bug in the connector: {type(error).__name__}"
    retry_at = budget.back_off(now, failures=source.failures + 1, every=source.every, retry_after=wait)
    with store.write() as tx:
        told = isinstance(error, RateLimited) or wait is not None
        if not told and sources.hastened(tx, source):
            retry_at = min(retry_at, now + budget.HASTE)
        sources.failed(tx, source, error=said, next_poll_at=retry_at, now=now, pause=pause, told=told)
    if pause:
        log.error(
            "The source is paused until a person acts.",
            action="source_paused",
            source=source.name,
            reason=said,
            next_step=f"{mend(error)}, then: escucha source resume {source.name}",
        )
    elif not source.failures:
        log.warning("The source fails.", action="source_down", source=source.name, reason=said, retry_at=retry_at)
    return Ingested(source=source.name, saved=Saved(), error=said)
