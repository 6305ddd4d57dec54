"""act: send what was approved, once. Writes no text.

For each account, as its only sender:

    what a dead sender left | look for it on the network | claim one | say it | write down what came of it

`sending` is committed before the network is called. A write whose outcome is unknown is looked for and, unless the look
is conclusive, left to a person; each look is kept as the proof. What was once of unknown outcome is looked for a last
time before it is said again. Replies, notices, and what is done to notices that are out go the same way; the answers of
a run go last, and evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog

from listener import budget, metrics, tracing
from listener.budget import Allowance, Use
from listener.contract import Connector, Messages, Publishes, Replies
from listener.desk.purse import Purse
from listener.errors import NetworkError, OutcomeUnknown, Rejected
from listener.flow.before import ripe, said_before
from listener.flow.outcomes import Acted, count, note, record, rest, rest_account, unclear
from listener.flow.ways import CLOCK_SLACK, AmendmentsWay, AnswersWay, NoticesWay, RepliesWay, Way
from listener.log import logger
from listener.store import Store, lives, outbox, switch, underway
from listener.store.amendments import Amendment
from listener.store.inbox import Draft
from listener.store.notices import Delivery
from listener.types import Finding, Posted

log = logger(__name__)


def act(
    store: Store,
    connector: Connector,
    account: str,
    *,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
    wait: float = 0,
    kinds: tuple[str, ...] = ("amendment", "reply", "notice", "answer"),
    notice_id: int | None = None,
    progress: Callable[[Amendment | Delivery | Draft], None] = lambda _item: None,
    purse: Purse | None = None,
) -> Acted:
    """Settles and sends for one account until nothing is due, the network asks for a rest, or `stopping()`.

    Waits up to `wait` seconds for another sender of the account to finish. `purse`: the account's money; without one
    there is no limit.
    """
    purse = purse or Purse(store, account, Allowance(), clock)
    done = Acted()
    lives.recognise(store, clock())
    _testify(store, account)
    with store.sole_sender(account, wait=wait) as mine:
        if not mine:
            done.busy = True
            return done
        ways: list[Way] = []
        if "amendment" in kinds:  # before all else: what is wrong there is being read
            ways.append(AmendmentsWay(store, connector, account, purse, notice_id))
        if "reply" in kinds and isinstance(connector, (Replies, Messages)):
            ways.append(RepliesWay(store, connector, account, purse))
        if "notice" in kinds and isinstance(connector, Publishes):
            ways.append(NoticesWay(store, connector, account, purse, notice_id))
        if "answer" in kinds and isinstance(connector, Replies):
            ways.append(AnswersWay(store, connector, account, purse))
        for way in ways:
            if way.kind != "answer" or len(ways) == 1:  # replies have settled those too
                _settle(way, clock, done)
            _send(way, clock, stopping, progress, done)
    return done


def _testify(store: Store, account: str) -> None:
    """Says which senders of this machine have ended, where another that took over cannot know it (PostgreSQL)."""
    if store.is_sqlite:
        return
    with store.read() as tx:
        ended = underway.ended_here(tx, account)
    if ended:
        with store.write() as tx:
            underway.testify(tx, ended)


def _settle(way: Way, clock: Callable[[], datetime], done: Acted) -> None:
    """Finds out what became of writes whose outcome nobody knows."""
    with way.store.read() as tx:
        suspects = bool(way.box.unsettled(tx, way.account)) or way.box.sending(tx, way.account)
    if not suspects:
        return
    with way.store.write() as tx:
        way.box.abandoned(tx, way.account, clock())
    with way.store.read() as tx:
        unsettled = way.box.unsettled(tx, way.account)
    done.unsettled += len(unsettled)
    for item in unsettled:
        now = clock()
        began = item.sending_since or now
        if not _time_to_look(began, item.looked_at, now):
            continue
        if broke := way.purse.refusal(Use.SENDING):
            done.broke = broke
            return
        since = began - CLOCK_SLACK
        with way.store.write() as tx:
            way.box.looked(tx, item, now)
        try:
            found = way.look(item, since)
        except OutcomeUnknown as error:
            done.errors.append(str(error))
            note(way, item, Finding.UNCLEAR, now, since, detail=str(error))
            continue
        except NetworkError as error:
            done.errors.append(str(error))
            done.hold_until = now + rest(error)
            note(way, item, Finding.UNREACHED, now, since, detail=str(error))
            return
        finally:
            way.pay()
        conclusive, there = way.conclusive(item, now), found
        with way.store.write() as tx:
            if found is not None and (holder := way.holder(tx, item, found)) is not None:
                # Another one is there with the same words. Which of the two it is, is certain only where that one's
                # own answer told its address; else both may be there.
                found, conclusive = None, conclusive and holder is outbox.Holder.TOLD
            way.note(tx, item, _finding(there, found, conclusive=conclusive), now, since, posted=there)
            if found is None and not conclusive:
                continue
            if found is not None:
                way.box.sent(tx, item, found, now)
                way.after(tx, item, now)
            else:
                way.box.not_sent(tx, item, "looked for it on the network: it is not there", now)
        done.settled += 1
        metrics.sent(item.network, way.kind, "settled")
        about = way.about(item)
        log.info(
            "An unknown outcome is settled.", action="settled", kind=way.kind, id=item.id, found=bool(found), **about
        )


def _finding(there: Posted | None, ours: Posted | None, *, conclusive: bool) -> Finding:
    """What a look came to that found `there`, of which `ours` is what was looked for."""
    if ours is not None:
        return Finding.THERE
    if conclusive:
        return Finding.MISSING
    return Finding.TAKEN if there is not None else Finding.NOT_FOUND


def _time_to_look(began: datetime, looked_at: datetime | None, now: datetime) -> bool:
    """Whether to look again: at once, then ever less often. Times that only a clock set back explains count as past."""
    if looked_at is None or now < looked_at:
        return True
    return now - looked_at >= budget.until_next_look(began, looked_at)


def _send(
    way: Way,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool],
    progress: Callable[[Any], None],
    done: Acted,
) -> None:
    before: list[int] = []
    while not (done.hold_until or done.shaken or stopping()):
        with way.store.read() as tx:
            stops = switch.pauses(tx)
            found = way.due(tx, clock())
            due = [item for item in found if not any(stop.holds(item.network, item.kinds) for stop in stops)]
            due = ripe(way, tx, due, clock())
        if not found:
            way.ended(clock())
        ids = [item.id for item in due]
        if ids == before:  # there are none, or something holds these
            return
        before = ids
        if not _send_each(way, due, clock, done, stopping=stopping, progress=progress) or not way.comes_again:
            return


def _send_each(
    way: Way,
    due: Sequence[Any],
    clock: Callable[[], datetime],
    done: Acted,
    *,
    stopping: Callable[[], bool],
    progress: Callable[[Any], None],
) -> bool:
    """Sends these one by one; False where something ended it before the last."""
    try:
        way.look_ahead(due, clock())
    except NetworkError as error:
        rest_account(done, error, clock())
        return False
    finally:
        way.pay()
    for item in due:
        if stopping() or done.hold_until or done.shaken or way.gives_way(clock()):
            return False
        with way.store.read() as tx:
            if switch.is_paused(tx, item.network, *item.kinds):
                continue  # paused meanwhile; `claim` asks once more, in the statement that claims
        done.broke = way.purse.refusal(Use.SENDING)
        if done.broke:
            return False
        try:
            if not way.still_stands(item, clock()):
                continue
        except NetworkError as error:
            rest_account(done, error, clock())
            return False
        finally:
            way.pay()
        if not way.store.keeps_its_place(way.account):
            return False  # somebody else may be the sender by now
        about = way.about(item)
        with structlog.contextvars.bound_contextvars(**about):
            with way.store.write() as tx:
                claimed = way.claim(tx, item, clock())
            if claimed:
                began, before = clock(), len(done.errors)
                _say(way, item, clock, done)
                if tracing.on() and about:
                    why = done.kind if len(done.errors) > before else ""
                    what = {"network": item.network, "kind": way.kind, way.kind: item.id}
                    tracing.span("sent", about["correlation"], began=began, ended=clock(), about=what, error=why)
                way.pay()
                progress(item)
    return True


def _say(way: Way, item: Any, clock: Callable[[], datetime], done: Acted) -> None:
    """The one place where something goes out. Whatever happens, its outcome is written down."""
    if said_before(way, item, clock, done):
        return
    try:
        posted = way.say(item)
    except Rejected as error:
        record(way.store, way.box.failed, item, str(error), clock())
        count(way, item, "failed", error)
        done.failed += 1
        done.errors.append(str(error))
        done.kind = type(error).__name__
        log.warning("The network refused it.", action="refused", kind=way.kind, id=item.id, reason=str(error))
    except OutcomeUnknown as error:
        record(way.store, way.box.unknown, item, str(error), clock())
        count(way, item, "unknown", error)
        unclear(done, str(error), type(error).__name__)
        # Once for each: what was tried before, and was not there, may come to this again and again.
        say = log.info if item.reason else log.warning
        say("Nobody knows yet whether it went out.", action="unknown", kind=way.kind, id=item.id, reason=str(error))
    except NetworkError as error:  # rate limited, unavailable, not authorised: nothing was written there
        record(way.store, way.box.not_sent, item, str(error), clock())
        count(way, item, "not_sent", error)
        rest_account(done, error, clock())
    except Exception as error:
        record(way.store, way.box.unknown, item, f"a bug in the connector: {type(error).__name__}", clock())
        count(way, item, "unknown", error)
        unclear(done, f"a bug in the connector: {type(error).__name__}", type(error).__name__)
        log.exception("A connector broke while writing.", action="send_bug", kind=way.kind, id=item.id)
    else:
        now = clock()
        with way.store.write() as tx:
            way.box.sent(tx, item, posted, now)
            way.after(tx, item, now)
        metrics.sent(item.network, way.kind, "sent", now=now, **way.since(item))
        done.sent += 1
        done.unclear = 0
        log.info("Sent.", action="sent", kind=way.kind, id=item.id, url=posted.url)
