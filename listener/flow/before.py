"""What may have been said before, so that the network is looked at before it is said.

That is what was once of unknown outcome: a network may take a write long after its answer was lost, and a person who
looked may have missed it. And it is whatever may have gone out in a time of which the database knows nothing
(`store/lives.py`): then anything of ours counts that answers the same post, for nobody knows what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from listener import metrics
from listener.errors import NetworkError, OutcomeUnknown, Rejected
from listener.flow.outcomes import Acted, count, note, record, rest_account, unclear
from listener.flow.ways import CLOCK_SLACK, Way
from listener.log import logger
from listener.store import Transaction, lives, looks
from listener.types import Finding, Posted

log = logger(__name__)

ANYTHING = "for anything of ours in its place, from a time of which the database knows nothing"
MAYBE = "it may have gone out in a time of which the database knows nothing, and no look can prove that it did not"


@dataclass(frozen=True, kw_only=True)
class _Doubt:
    """Why to look. `anything`: whatever it says; `trusted`: a person says that it is not there."""

    since: datetime
    anything: bool
    trusted: bool

    @property
    def asked(self) -> str | None:
        return ANYTHING if self.anything else None


def ripe(way: Way, tx: Transaction, due: Sequence[Any], now: datetime) -> list[Any]:
    """Those of them of which a look can prove by now that they did not go out in a time that was lost."""
    wait = way.connector.facts.settle_after
    young = lives.lost(tx, now - wait) if wait is not None else None
    if young is None or young.began_at > now:
        return list(due)
    return [item for item in due if way.lost(tx, item) is None]


def said_before(way: Way, item: Any, clock: Callable[[], datetime], done: Acted) -> bool:
    """Whether it must not be said now: it is there after all, or nobody can tell.

    Where a person says that it is not there, a look that cannot tell changes nothing.
    """
    doubt = _doubt(way, item)
    if doubt is None:
        return False
    now = clock()
    try:
        found = _look(way, item, doubt)
    except OutcomeUnknown as error:
        if not doubt.trusted:
            note(way, item, Finding.UNCLEAR, now, doubt.since, detail=str(error), asked=doubt.asked)
            _leave(way, item, str(error), now, done)
        return not doubt.trusted
    except Rejected:
        return False  # it can be neither looked for nor said, which saying it tells
    except NetworkError as error:
        note(way, item, Finding.UNREACHED, now, doubt.since, detail=str(error), asked=doubt.asked)
        record(way.store, way.box.not_sent, item, str(error), now)
        count(way, item, "not_sent", error)
        rest_account(done, error, now)
        return True
    if any(_is_there(way, item, doubt, each, now) for each in found):
        done.settled += 1
        metrics.sent(item.network, way.kind, "settled")
        log.info("It was there before it was said again.", action="settled", kind=way.kind, id=item.id, found=True)
        return True
    unproven = doubt.anything and not doubt.trusted and way.connector.facts.settle_after is None
    if unproven:
        note(way, item, Finding.NOT_FOUND, now, doubt.since, detail=MAYBE, asked=doubt.asked)
        _leave(way, item, MAYBE, now, done)
    return unproven


def _doubt(way: Way, item: Any) -> _Doubt | None:
    with way.store.read() as tx:
        last = None if way.once_is_as_twice else looks.last(tx, way.sort, item.id)
        since = looks.earliest(tx, way.sort, item.id) if last else None
        lost = way.lost(tx, item)
    by_eye = last is not None and last.by != looks.DAEMON
    if lost is not None:
        before = lost.known_until - CLOCK_SLACK
        since = min(since, before) if since else before
        by_eye = last is not None and by_eye and last.at >= lost.began_at
    return _Doubt(since=since, anything=lost is not None, trusted=by_eye) if since else None


def _look(way: Way, item: Any, doubt: _Doubt) -> Sequence[Posted]:
    if doubt.anything:
        return way.look_for_any(item, doubt.since)
    found = way.look(item, doubt.since)
    return (found,) if found else ()


def _leave(way: Way, item: Any, why: str, now: datetime, done: Acted) -> None:
    """It is of unknown outcome, for a person or later looks."""
    record(way.store, way.box.unknown, item, why, now)
    count(way, item, "unknown", OutcomeUnknown(why))
    unclear(done, why, OutcomeUnknown.__name__)


def _is_there(way: Way, item: Any, doubt: _Doubt, found: Posted, now: datetime) -> bool:
    """Writes down that it is out, unless what was found is another of ours; whether it is."""
    with way.store.write() as tx:
        if way.holder(tx, item, found) is not None:
            return False
        way.note(tx, item, Finding.THERE, now, doubt.since, posted=found, asked=doubt.asked)
        way.box.sent(tx, item, found, now)
        way.after(tx, item, now)
    return True
