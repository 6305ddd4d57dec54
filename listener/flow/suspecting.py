"""suspecting: what kills or breaks a stage is found one by one, and set aside; the rest goes on.

a process died        | what it had in hand waits apart, and is looked at alone
a job killed twice    | so does what it carries, where nothing is left of those processes
a process died twice in a row over a source | it is polled, or its stream opened, ever more seldom
a batch broke         | each of it is tried alone
a page would not be stored | each of its posts is tried alone
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from listener import budget, inhand, metrics
from listener.correlation import correlation
from listener.errors import EscuchaError
from listener.log import logger
from listener.store import Store, mentions, sources, streams, suspects
from listener.store.mentions import Mention
from listener.store.sources import Source
from listener.store.suspects import Suspect
from listener.types import Garbled, Page

log = logger(__name__)

DIED = "the process died while it was being read"
PATIENCE = 10  # failures in a row after which a page of which no post can be stored is set aside whole
PATIENCE_ALONE = 3  # the same for a page of one post

Stage = Callable[[Sequence[int] | None], int]  # one batch of a stage, of these mentions where given; how many moved on


class _TriedError(Exception):
    """It can be stored; what was written to find out is undone."""


def look_for_the_dead(store: Store, *, name: str = "", now: datetime) -> int:
    """What processes of this machine that died had in hand is suspected; gives how many mentions.

    `name`: this process's, where it begins to keep what it has in hand itself.
    """
    path, of, found = store.path, store.mark, 0
    folder = path.parent if path else Path(os.environ.get("STATE_DIRECTORY") or tempfile.gettempdir())
    for left in inhand.start(folder, name, of=of) if name else inhand.left(folder, of=of):
        if left.stage == "poll":
            _polled_to_death(store, left.mentions, now)
        elif left.stage == "stream":
            _heard_to_death(store, left.mentions, now)
        else:
            found += suspect(store, left.mentions, stages=[left.stage], now=now)
    return found


def suspect(store: Store, mention_ids: Sequence[int], *, stages: Sequence[str], now: datetime) -> int:
    """A process died with these in hand at one of these stages; gives how many of them still wait for it."""
    found = 0
    for stage in stages:
        with store.write() as tx:
            numbers = suspects.died(tx, stage, mention_ids, now=now)
        found += len(numbers)
        if numbers:
            log.warning(
                "A process died with these in hand; each is looked at alone now.",
                action="suspects",
                stage=stage,
                mentions=numbers,
            )
    return found


def _polled_to_death(store: Store, source_ids: Sequence[int], now: datetime) -> None:
    """Whichever of them it was: each is asked again, and the one over which processes die in a row ever more seldom."""
    with store.write() as tx:
        for source in [each for each in sources.list_all(tx) if each.id in source_ids]:
            failures = source.failures + 1
            again = now if failures == 1 else budget.back_off(now, failures=failures, every=source.every)
            sources.failed(tx, source, error=DIED, next_poll_at=again, now=now)
            log.warning(
                "A process died while it read a source.", action="polled_to_death", source=source.name, retry_at=again
            )


def _heard_to_death(store: Store, source_ids: Sequence[int], now: datetime) -> None:
    """Whichever of them it was: each is opened again, and where processes die in a row ever later; polls go on."""
    with store.write() as tx:
        for source in [each for each in sources.list_all(tx) if each.id in source_ids]:
            deaths = source.stream_deaths + 1
            again = now if deaths == 1 else budget.reopen(now, failures=deaths, refused=False)
            streams.died(tx, source, error=DIED, rests_until=again, now=now)
            log.warning(
                "A process died while it heard a stream.", action="heard_to_death", source=source.name, retry_at=again
            )


def look_alone(
    store: Store,
    stages: Mapping[str, Stage],
    *,
    seen: list[Suspect],
    clock: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> int:
    """Looks at each mention over which a process died, alone; gives how many moved on.

    `seen` is the process's own: what it looked at and lived, while a database that is away keeps that from being
    written down. What raises meanwhile is no death.
    """
    moved = 0
    while not stopping():
        _settle(store, seen, clock())
        with store.read() as tx:
            waits = suspects.is_due(tx, now=clock())
        if not waits:
            break
        with store.write() as tx:
            suspect = suspects.next_one(tx, now=clock())
        if suspect is None:
            break
        try:
            moved += stages[suspect.stage]([suspect.mention_id])
        finally:
            seen.append(suspect)
            _settle(store, seen, clock())
    return moved


def _settle(store: Store, seen: list[Suspect], now: datetime) -> None:
    if seen:
        with store.write() as tx:
            for suspect in seen:
                suspects.survived(tx, suspect, now=now)
        seen.clear()


def whole_or_one_by_one(
    store: Store, stage: str, work: Stage, *, limit: int, ids: Sequence[int] | None, clock: Callable[[], datetime]
) -> int:
    """What `work` moves on of a batch, which is tried mention by mention where it breaks. See `one_by_one`."""
    try:
        return work(ids)
    except EscuchaError:
        raise
    except Exception as error:
        log.exception("A batch broke; trying one by one.", action=f"{stage}_bug")
        metrics.error(stage, error)
    return one_by_one(store, stage, work, limit=limit, ids=ids, clock=clock)


def one_by_one(
    store: Store, stage: str, work: Stage, *, limit: int, ids: Sequence[int] | None, clock: Callable[[], datetime]
) -> int:
    """The batch of which something broke, mention by mention; what breaks alone is set aside. Gives how many moved on.

    Raises what is no mention's fault: EscuchaError, and what each of several breaks with.
    """
    with store.read() as tx:
        batch = mentions.awaiting(tx, suspects.AWAITED[stage], limit, ids=ids)
    moved = 0
    broken: list[tuple[Mention, Exception]] = []
    for mention in batch:
        try:
            moved += work([mention.id])
        except EscuchaError:
            raise
        except Exception as error:
            log.exception(
                "A mention breaks a stage.",
                action="breaks",
                stage=stage,
                mention=mention.id,
                correlation=mention.correlation,
            )
            broken.append((mention, error))
    if len(broken) == len(batch) > 1:
        raise broken[0][1]  # that is no mention's fault: all of them wait
    for mention, bug in broken:
        reason = f"a bug: {type(bug).__name__}"
        with store.write() as tx:
            mentions.trouble(tx, mention, stage=stage, reason=reason, now=clock())
        log.warning(
            "A mention was set aside.",
            action="set_aside",
            stage=stage,
            mention=mention.id,
            correlation=mention.correlation,
        )
        metrics.set_aside(stage)
    return moved


def storable(store: Store, source: Source, page: Page, *, now: datetime) -> Page:
    """The page without those of its posts that cannot be stored: each was tried alone, and nothing is stored yet.

    Raises EscuchaError, or RuntimeError where none can be: what is no post's fault, until the source has failed many
    times in a row.
    """
    fine, broken = [], list(page.garbled)
    for post in page.posts:
        try:
            with store.write() as tx:
                mentions.save(tx, source_id=source.id, network=source.network, posts=[post], now=now)
                raise _TriedError
        except _TriedError:
            fine.append(post)
        except EscuchaError:
            raise
        except Exception as error:
            log.exception(
                "A post was set aside.",
                action="set_aside",
                stage="ingest",
                source=source.name,
                correlation=correlation(source.network, post.external_id),
            )
            metrics.set_aside("ingest")
            broken.append(Garbled(external_id=post.external_id, reason=f"it cannot be stored ({type(error).__name__})"))
    if not fine and source.failures < (PATIENCE if len(page.posts) > 1 else PATIENCE_ALONE):
        raise RuntimeError("no post of the page can be stored")  # most likely no post's fault: it comes again, whole
    return replace(page, posts=tuple(fine), garbled=tuple(broken))
