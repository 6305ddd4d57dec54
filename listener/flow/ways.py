"""How each kind of thing goes out: where it is kept, how the network is asked to say it, and how it is looked for.

`act.py` sends by these, one like the other. None of them writes down an outcome by itself.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from listener import budget
from listener.contract import Deletes, Edits, Messages, Pins, Rechecks, Replies
from listener.desk import answer_runs
from listener.desk import cases as desk_cases
from listener.desk.purse import Purse
from listener.errors import Rejected
from listener.store import Store, Transaction, amendments, attachments, lives, looks, mentions, notices, outbox
from listener.store.amendments import Amendment
from listener.store.inbox import Draft
from listener.store.lives import Life
from listener.store.mentions import Mention
from listener.store.notices import Delivery
from listener.types import (
    AmendmentKind,
    Author,
    EditRequest,
    Finding,
    MessageRequest,
    Posted,
    PublishRequest,
    ReplyRequest,
    Sent,
)

CLOCK_SLACK = timedelta(minutes=10)  # how far a network's clock may be from ours when we look for a post of our own
STANDS = 30.0  # seconds for which a look at several posts at once counts
LOOKED_AT = {
    AmendmentKind.EDIT: "at the post itself: whether it says that now, word for word",
    AmendmentKind.DELETE: "at the post itself: whether it is gone",
    AmendmentKind.PIN: "at the post itself: whether it is pinned",
    AmendmentKind.UNPIN: "at the post itself: whether it is no longer pinned",
}


class Way(ABC):
    """How one kind of thing goes out: where it is kept (`box`), and how the network is asked."""

    box: Any  # listener.store.outbox, notices or amendments: the same verbs
    kind: str
    sort: Sent  # as its looks are kept
    once_is_as_twice = False  # whether to do it again does no harm
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

    @abstractmethod
    def asked(self, item: Any) -> str:
        """Where and by what `look` looks for it, as the rest of a sentence."""

    def lost(self, _tx: Transaction, _item: Any) -> Life | None:
        """The time of which the database knows nothing, where it may have gone out in it."""
        return None

    def look_for_any(self, item: Any, since: datetime) -> Sequence[Posted]:
        """What of ours is there in its stead, whatever its words."""
        found = self.look(item, since)
        return (found,) if found else ()

    def note(
        self,
        tx: Transaction,
        item: Any,
        found: Finding,
        now: datetime,
        since: datetime,
        *,
        asked: str | None = None,
        **more: Any,
    ) -> None:
        """Keeps what a look came to."""
        looks.keep(tx, self.sort, item.id, asked=asked or self.asked(item), found=found, at=now, since=since, **more)

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


class RepliesWay(Way):
    box = outbox
    kind = "reply"
    sort = Sent.REPLY

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

    def lost(self, tx: Transaction, item: Draft) -> Life | None:
        return lives.lost(tx, mentions.get(tx, item.mention_id).posted_at - CLOCK_SLACK)

    def look_for_any(self, item: Draft, since: datetime) -> Sequence[Posted]:
        if item.channel:
            return super().look_for_any(item, since)
        self.able(item)
        found: Sequence[Posted] = self.connector.find_replies(self.request(item), since)
        return found

    def asked(self, item: Draft) -> str:
        return str(self.connector.facts.finds.get("message" if item.channel else "reply", ""))

    def able(self, item: Draft) -> None:
        """Raises Rejected where the settings now give the account to a network that has no way to say it."""
        if not isinstance(self.connector, Messages if item.channel else Replies):
            raise Rejected(f"{self.account} cannot send that any more: its network has no way to")

    def after(self, _tx: Transaction, _item: Draft, _now: datetime) -> None:
        desk_cases.answered(_tx, _item.mention_id, _now)


class AnswersWay(RepliesWay):
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


class NoticesWay(Way):
    box = notices
    kind = "notice"
    sort = Sent.NOTICE

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

    def lost(self, tx: Transaction, item: Delivery) -> Life | None:
        return lives.lost(tx, notices.get(tx, item.notice_id).written_at)

    def asked(self, _item: Delivery) -> str:
        return str(self.connector.facts.finds.get("notice", ""))


class AmendmentsWay(Way):
    box = amendments
    kind = "amendment"
    sort = Sent.AMENDMENT
    once_is_as_twice = True

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

    def asked(self, item: Amendment) -> str:
        return LOOKED_AT[item.kind]

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


def _long_enough(way: Way, item: Any, settle_after: timedelta, now: datetime) -> bool:
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
