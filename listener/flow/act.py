"""act: send what was approved, once. Writes no text.

For each account, as its only sender:

    what a dead sender left | look for it on the network | claim one | say it | write down what came of it

`sending` is committed before the network is called. A write whose outcome is unknown is looked for and, unless the look
is conclusive, left to a person. Replies, notices, and what is done to notices that are out go the same way; the answers
of a run go last, and evenly.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from listener import budget, metrics, tracing
from listener.budget import Allowance, Use
from listener.contract import Connector, Deletes, Edits, Messages, Pins, Publishes, Rechecks, Replies
from listener.desk import answer_runs
from listener.desk import cases as desk_cases
from listener.desk.purse import Purse
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, Rejected
from listener.store import Store, Transaction, amendments, attachments, mentions, notices, outbox, switch
from listener.store.amendments import Amendment
from listener.store.inbox import Draft
from listener.store.mentions import Mention
from listener.store.notices import Delivery
from listener.types import AmendmentKind, Author, EditRequest, MessageRequest, Posted, PublishRequest, ReplyRequest

log = structlog.get_logger(__name__)

CLOCK_SLACK = timedelta(minutes=10)  # how far a network's clock may be from ours when we look for a post of our own
FIRST_LOOKS = timedelta(seconds=2)  # between the first looks for a post of ours
STANDS = 30.0  # seconds for which a look at several posts at once counts
UNCLEAR = 3  # writes in a row without a clear answer, after which a round ends
TROUBLED = timedelta(seconds=30)  # how long an account rests after the network was unavailable


@dataclass(kw_only=True)
class Acted:
    """What one round on one account did. `hold_until`: the network wants, or needs, a rest until then.

    `unclear`: so many in a row, the last ones, brought no clear answer; a few, and nothing more is sent in this round.
    `unsettled`: of so many writes nobody knows yet what became of them.
    `broke`: there is no money to send anything, and why; what is approved stays approved.
    """

    sent: int = 0
    failed: int = 0
    unknown: int = 0
    settled: int = 0
    busy: bool = False  # another process is this account's sender
    hold_until: datetime | None = None
    unclear: int = 0
    unsettled: int = 0
    broke: str | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def shaken(self) -> bool:
        """Whether so much is unclear that sending more would only make it worse."""
        return self.unclear >= UNCLEAR


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
    with store.sole_sender(account, wait=wait) as mine:
        if not mine:
            done.busy = True
            return done
        ways: list[_Way] = []
        if "amendment" in kinds:  # before all else: what is wrong there is being read
            ways.append(_AmendmentsWay(store, connector, account, purse, notice_id))
        if "reply" in kinds and isinstance(connector, (Replies, Messages)):
            ways.append(_RepliesWay(store, connector, account, purse))
        if "notice" in kinds and isinstance(connector, Publishes):
            ways.append(_NoticesWay(store, connector, account, purse, notice_id))
        if "answer" in kinds and isinstance(connector, Replies):
            ways.append(_AnswersWay(store, connector, account, purse))
        for way in ways:
            if way.kind != "answer" or len(ways) == 1:  # replies have settled those too
                _settle(way, clock, done)
            _send(way, clock, stopping, progress, done)
    return done


class _Way(ABC):
    """How one kind of thing goes out: where it is kept (`box`), and how the network is asked."""

    box: Any  # listener.store.outbox, notices or amendments: the same verbs
    kind: str
    comes_again = False  # whether more may be due once what was due is out

    def __init__(self, store: Store, connector: Any, account: str, purse: Purse) -> None:
        self.store = store
        self.connector = connector
        self.account = account
        self.purse = purse

    def pay(self) -> None:
        """Writes down what the last call has cost, failed or not."""
        self.purse.pay(self.connector)

    def due(self, tx: Transaction, now: datetime) -> list[Any]:
        found: list[Any] = self.box.sendable(tx, self.account, now)
        return found

    def gives_way(self, _now: datetime) -> bool:
        """Whether something else goes before the next of these."""
        return False

    def look_ahead(self, _items: Sequence[Any], _now: datetime) -> None:
        """Asks the network about several at once: how they stand `still_stands` need not ask then."""
        return

    def still_stands(self, _item: Any, _now: datetime) -> bool:
        """Whether what it answers is still there as it was; asks the network."""
        return True

    def claim(self, tx: Transaction, item: Any, now: datetime) -> bool:
        """Writes down that it is being sent; False where it must not be."""
        won: bool = self.box.claim(tx, item, now)
        return won

    def ended(self, _now: datetime) -> None:
        """What is to be done when nothing more is due."""
        return

    def about(self, _item: Any) -> dict[str, str]:
        """What every log line about it says."""
        return {}

    def since(self, _item: Any) -> dict[str, datetime | None]:
        """When it was decided and approved, for what is measured."""
        return {}

    @abstractmethod
    def say(self, item: Any) -> Posted:
        """Asks the network to post it, once."""

    @abstractmethod
    def look(self, item: Any, since: datetime) -> Posted | None:
        """Whether it is on the network already."""

    def conclusive(self, item: Any, now: datetime) -> bool:
        """Whether what a look does not find now is certainly not there."""
        settle_after = self.connector.facts.settle_after
        return settle_after is not None and _long_enough(self, item, settle_after, now)

    def holder(self, tx: Transaction, item: Any, found: Posted) -> outbox.Holder | None:
        """Whose that post is already, where another of ours is known to be it."""
        return outbox.holder(tx, item.network, found.external_id)

    def after(self, _tx: Transaction, _item: Any, _now: datetime) -> None:
        """What else changes when it is out."""
        return


class _RepliesWay(_Way):
    box = outbox
    kind = "reply"

    def request(self, draft: Draft) -> ReplyRequest:
        with self.store.read() as tx:
            mention = mentions.get(tx, draft.mention_id)
            raw = mentions.raw(tx, draft.mention_id)
            media = attachments.to_send(tx, draft_id=draft.id, language=draft.language) if draft.images else ()
        return ReplyRequest(
            key=draft.send_key,
            parent_id=mention.external_id,
            parent_author=mention.author,
            parent_visibility=mention.visibility,
            text=draft.text,
            language=draft.language,
            content_warning=mention.content_warning,
            parent_raw=raw,
            media=media,
            automatic=draft.automatic,
        )

    def message(self, draft: Draft) -> MessageRequest:
        """What goes to its author alone; it follows their post only on the network where that stands."""
        with self.store.read() as tx:
            mention = mentions.get(tx, draft.mention_id)
        there = mention.network == draft.network
        who = mention.author
        if draft.recipient:
            who = Author(external_id=draft.recipient, handle=draft.recipient)
        return MessageRequest(
            key=draft.send_key,
            to=who,
            text=draft.text,
            subject=draft.subject,
            language=draft.language,
            parent_id=mention.external_id if there else None,
            content_warning=mention.content_warning if there else "",
        )

    def about(self, item: Draft) -> dict[str, str]:
        with self.store.read() as tx:
            return {"correlation": mentions.get(tx, item.mention_id).correlation}

    def since(self, item: Draft) -> dict[str, datetime | None]:
        return {"decided_at": item.proposed_at, "approved_at": item.decided_at}

    def still_stands(self, item: Draft, now: datetime) -> bool:
        if not isinstance(self.connector, Rechecks):
            return True
        with self.store.read() as tx:
            mention = mentions.get(tx, item.mention_id)
        if mention.network != item.network:
            return True  # it stands elsewhere, and is looked up there in its turn
        return not self.changed([mention], now)

    def changed(self, looked_up: Sequence[Mention], now: datetime) -> set[int]:
        """The numbers of those that were edited or are gone, by asking the network for all of them at once."""
        turns = self.connector.facts.rechecks or budget.RECHECKS
        ids = [mention.external_id for mention in looked_up]
        answer = self.connector.recheck(ids)
        network = looked_up[0].network
        with self.store.write() as tx:
            saved = mentions.rechecked(tx, network=network, external_ids=ids, answer=answer, due=turns, now=now)
        return {*saved.edited, *saved.gone}

    def say(self, item: Draft) -> Posted:
        self.able(item)
        if item.channel:
            alone: Posted = self.connector.message(self.message(item))
            return alone
        posted: Posted = self.connector.reply(self.request(item))
        return posted

    def look(self, item: Draft, since: datetime) -> Posted | None:
        self.able(item)
        if item.channel:
            alone: Posted | None = self.connector.find_message(self.message(item), since)
            return alone
        found: Posted | None = self.connector.find_reply(self.request(item), since)
        return found

    def able(self, item: Draft) -> None:
        """Raises Rejected where the settings now give the account to a network that has no way to say it."""
        if not isinstance(self.connector, Messages if item.channel else Replies):
            raise Rejected(f"{self.account} cannot send that any more: its network has no way to")

    def after(self, _tx: Transaction, _item: Draft, _now: datetime) -> None:
        desk_cases.answered(_tx, _item.mention_id, _now)


class _AnswersWay(_RepliesWay):
    """The answers of runs: after everything else of the account, at their pace, looked up on the network together."""

    kind = "answer"
    comes_again = True

    def __init__(self, store: Store, connector: Any, account: str, purse: Purse) -> None:
        super().__init__(store, connector, account, purse)
        self.looked_at = -math.inf  # when those below were looked up, by a clock that nobody sets
        self.as_they_were: dict[int, bool] = {}  # by mention

    def due(self, tx: Transaction, now: datetime) -> list[Draft]:
        return answer_runs.due(tx, self.account, self.connector.facts.network, now)

    def gives_way(self, now: datetime) -> bool:
        with self.store.read() as tx:
            return outbox.anything_due(tx, self.account, now)

    def look_ahead(self, items: Sequence[Draft], now: datetime) -> None:
        self.as_they_were = {}
        if len(items) < 2 or not isinstance(self.connector, Rechecks):
            return
        with self.store.read() as tx:
            found = mentions.several(tx, [item.mention_id for item in items])
        changed = self.changed(found, now)
        self.looked_at = time.monotonic()
        self.as_they_were = {mention.id: mention.id not in changed for mention in found}

    def still_stands(self, item: Draft, now: datetime) -> bool:
        if time.monotonic() - self.looked_at < STANDS and item.mention_id in self.as_they_were:
            return self.as_they_were[item.mention_id]
        return super().still_stands(item, now)

    def claim(self, tx: Transaction, item: Draft, now: datetime) -> bool:
        return answer_runs.claim(tx, item, now)

    def ended(self, now: datetime) -> None:
        answer_runs.look_after(self.store, self.connector.facts.network, now)


class _NoticesWay(_Way):
    box = notices
    kind = "notice"

    def __init__(self, store: Store, connector: Any, account: str, purse: Purse, notice_id: int | None) -> None:
        super().__init__(store, connector, account, purse)
        self.notice_id = notice_id

    def due(self, tx: Transaction, now: datetime) -> list[Delivery]:
        return [item for item in super().due(tx, now) if self.notice_id in (None, item.notice_id)]

    def request(self, delivery: Delivery) -> PublishRequest:
        number, language = delivery.notice_id, delivery.language
        with self.store.read() as tx:
            return PublishRequest(
                key=delivery.send_key,
                text=delivery.text,
                language=language,
                media=attachments.to_send(tx, notice_id=number, language=language) if delivery.images else (),
                after=notices.after(tx, delivery),
            )

    def say(self, item: Delivery) -> Posted:
        posted: Posted = self.connector.publish(self.request(item))
        return posted

    def look(self, item: Delivery, since: datetime) -> Posted | None:
        found: Posted | None = self.connector.find_published(self.request(item), since)
        return found


class _AmendmentsWay(_Way):
    box = amendments
    kind = "amendment"

    def __init__(self, store: Store, connector: Any, account: str, purse: Purse, notice_id: int | None) -> None:
        super().__init__(store, connector, account, purse)
        self.notice_id = notice_id

    def due(self, tx: Transaction, now: datetime) -> list[Amendment]:
        return [item for item in super().due(tx, now) if self.notice_id in (None, item.notice_id)]

    def say(self, item: Amendment) -> Posted:
        there = self.able(item)
        match item.kind:
            case AmendmentKind.EDIT:
                self.connector.edit(self.request(item, there))
            case AmendmentKind.DELETE:
                self.connector.delete(there)
            case AmendmentKind.PIN:
                self.connector.pin(there)
            case AmendmentKind.UNPIN:
                self.connector.unpin(there)
        return Posted(external_id=there, url=item.posted_url)

    def look(self, item: Amendment, since: datetime) -> Posted | None:  # noqa: ARG002 - the post itself tells
        there = self.able(item)
        match item.kind:
            case AmendmentKind.EDIT:
                done = self.connector.is_edited(self.request(item, there))
            case AmendmentKind.DELETE:
                done = self.connector.is_deleted(there)
            case AmendmentKind.PIN:
                done = self.connector.is_pinned(there)
            case AmendmentKind.UNPIN:
                done = not self.connector.is_pinned(there)
        return Posted(external_id=there, url=item.posted_url) if done else None

    def conclusive(self, item: Amendment, now: datetime) -> bool:
        """Once what was sent has had its time to take effect; if it comes later still, twice is as once."""
        since, wait = item.unknown_since or now, self.connector.facts.settle_after or timedelta(0)
        return now >= since + wait or now < since

    def holder(self, _tx: Transaction, _item: Amendment, _found: Posted) -> None:
        """Nobody else's: it is the post that was meant."""
        return

    def since(self, item: Amendment) -> dict[str, datetime | None]:
        return {"approved_at": item.approved_at}

    def request(self, item: Amendment, there: str) -> EditRequest:
        return EditRequest(external_id=there, text=item.text, language=item.language)

    def able(self, item: Amendment) -> str:
        """The post's id there. Raises Rejected where the account's network has no way to do that to it."""
        needed = {AmendmentKind.EDIT: Edits, AmendmentKind.DELETE: Deletes}.get(item.kind, Pins)
        if item.posted_id is None or not isinstance(self.connector, needed):
            raise Rejected(f"{self.account} has no way to {item.kind} it: that is for you to do there by hand")
        return item.posted_id


def _settle(way: _Way, clock: Callable[[], datetime], done: Acted) -> None:
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
        with way.store.write() as tx:
            way.box.looked(tx, item, now)
        try:
            found = way.look(item, began - CLOCK_SLACK)
        except OutcomeUnknown as error:
            done.errors.append(str(error))
            continue
        except NetworkError as error:
            done.errors.append(str(error))
            done.hold_until = now + _rest(error)
            return
        finally:
            way.pay()
        conclusive = way.conclusive(item, now)
        with way.store.write() as tx:
            if found is not None and (holder := way.holder(tx, item, found)) is not None:
                # Another one is there with the same words. Which of the two it is, is certain only where that one's
                # own answer told its address; else both may be there.
                found, conclusive = None, conclusive and holder is outbox.Holder.TOLD
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


def _long_enough(way: _Way, item: Any, settle_after: timedelta, now: datetime) -> bool:
    """Whether nobody has known for so long that what cannot be found now is not there.

    Never once the clock was set back: what we look for may then be older than we think. That is left to a person.
    """
    began, since = item.sending_since, item.unknown_since
    if began is None or since is None:
        return False
    if min(now, since) < began - CLOCK_SLACK or now < since - CLOCK_SLACK:
        with way.store.write() as tx:
            way.box.doubt(tx, item)
        return False
    return bool(now >= since + settle_after)


def _time_to_look(began: datetime, looked_at: datetime | None, now: datetime) -> bool:
    """Whether to look again: at once, then after waits that double, from seconds up to the ceiling.

    Looking costs requests of the same allowance that listening lives on. Times that only a clock set back explains
    count as past.
    """
    if looked_at is None or now < looked_at:
        return True
    wait = min(max(looked_at - began, FIRST_LOOKS), budget.CEILING)
    return now - looked_at >= wait


def _send(
    way: _Way,
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
        if not found:
            way.ended(clock())
        ids = [item.id for item in due]
        if ids == before:  # there are none, or something holds these
            return
        before = ids
        if not _send_each(way, due, clock, done, stopping=stopping, progress=progress) or not way.comes_again:
            return


def _send_each(
    way: _Way,
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
        _rest_account(done, error, clock())
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
            _rest_account(done, error, clock())
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
                    why = done.errors[-1] if len(done.errors) > before else ""
                    what = {"network": item.network, "kind": way.kind, way.kind: item.id}
                    tracing.span("sent", about["correlation"], began=began, ended=clock(), about=what, error=why)
                way.pay()
                progress(item)
    return True


def _say(way: _Way, item: Any, clock: Callable[[], datetime], done: Acted) -> None:
    """The one place where something goes out. Whatever happens, its outcome is written down."""
    try:
        posted = way.say(item)
    except Rejected as error:
        _record(way.store, way.box.failed, item, str(error), clock())
        _count(way, item, "failed", error)
        done.failed += 1
        done.errors.append(str(error))
        log.warning("The network refused it.", action="refused", kind=way.kind, id=item.id, reason=str(error))
    except OutcomeUnknown as error:
        _record(way.store, way.box.unknown, item, str(error), clock())
        _count(way, item, "unknown", error)
        _unclear(done, str(error))
        # Once for each: what was tried before, and was not there, may come to this again and again.
        say = log.info if item.reason else log.warning
        say("Nobody knows yet whether it went out.", action="unknown", kind=way.kind, id=item.id, reason=str(error))
    except NetworkError as error:  # rate limited, unavailable, not authorised: nothing was written there
        _record(way.store, way.box.not_sent, item, str(error), clock())
        _count(way, item, "not_sent", error)
        _rest_account(done, error, clock())
    except Exception as error:
        _record(way.store, way.box.unknown, item, f"a bug in the connector: {type(error).__name__}", clock())
        _count(way, item, "unknown", error)
        _unclear(done, f"a bug in the connector: {type(error).__name__}")
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


def _unclear(done: Acted, reason: str) -> None:
    done.unknown += 1
    done.unclear += 1
    done.errors.append(reason)


def _count(way: _Way, item: Any, outcome: str, error: Exception) -> None:
    metrics.sent(item.network, way.kind, outcome)
    metrics.error(f"send {way.kind}", error)


def _record(store: Store, outcome: Callable[..., None], item: Any, reason: str, now: datetime) -> None:
    with store.write() as tx:
        outcome(tx, item, reason, now)


def _rest_account(done: Acted, error: NetworkError, now: datetime) -> None:
    done.hold_until = now + _rest(error)
    done.errors.append(str(error))


def _rest(error: NetworkError) -> timedelta:
    if error.retry_after:
        return budget.within_ceiling(error.retry_after)
    return 10 * TROUBLED if isinstance(error, AuthFailed) else TROUBLED
