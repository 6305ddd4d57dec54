"""What is done to a delivery after it went out: its text is changed, it is taken back, pinned or unpinned.

Each is a row of its own, and goes out by the verbs of `outbox.py`: whoever sends for the account goes on with it. Those
of one delivery go in order, one at a time; of a thread the last part is deleted first. To repeat one does no harm, so
one of unknown outcome that a look does not find is simply tried again. What a delivery said before stays in `before`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, insert, or_, select, update

from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, audit, looks, senders, switch, users
from listener.store import tables as t
from listener.store.notices import Delivery
from listener.types import AMENDMENT_MOVES, AmendmentKind, AmendmentState, Finding, Posted, SendKind, Sent

UNDECIDED = (AmendmentState.WAITING, AmendmentState.SENDING, AmendmentState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """One change of one delivery that is out. Of an edit, `before` is what it said and `text` what it shall say."""

    id: int
    delivery_id: int
    notice_id: int
    account: str
    network: str
    language: str
    part: int
    posted_id: str | None
    posted_url: str | None
    kind: AmendmentKind
    before: str
    text: str
    length: int
    state: AmendmentState
    written_by: str
    written_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    sending_since: datetime | None
    unknown_since: datetime | None
    looked_at: datetime | None
    done_at: datetime | None
    reason: str | None

    @property
    def kinds(self) -> tuple[SendKind, ...]:
        """What it is of what can be stopped apart."""
        return (SendKind.AMENDMENT,)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change as it is planned; `text` and `length`, as the network counts it, of an edit only."""

    delivery: Delivery
    kind: AmendmentKind
    text: str = ""
    length: int = 0


def order(
    tx: Transaction, notice_id: int, changes: Sequence[Change], *, proposed: bool = False, by: str, now: datetime
) -> list[Amendment]:
    """Writes changes down, to go out at once; where `proposed`, once somebody else approves them.

    What was refused before, or waits and would be undone by these, is dropped; what waits just so already goes on.
    """
    state = AmendmentState.PROPOSED if proposed else AmendmentState.WAITING
    for change in changes:
        waiting = _of(tx, t.amendments.c.delivery_id == change.delivery.id)
        if any((each.kind, each.text) == (change.kind, change.text) and each.state in UNDECIDED for each in waiting):
            continue
        _drop(tx, [each for each in waiting if _gives_way(each, change.kind)], f"{by} wants something else", by, now)
        edit = change.kind is AmendmentKind.EDIT
        tx.execute(
            insert(t.amendments).values(
                delivery_id=change.delivery.id,
                kind=change.kind.value,
                before=change.delivery.text if edit else "",
                text=change.text,
                length=change.length,
                state=state.value,
                written_by=by,
                written_at=now,
            )
        )
    kinds = sorted({change.kind.value for change in changes})
    action = "notice.proposed" if proposed else "notice.amended"
    _note(tx, notice_id, action, by, now, kinds=kinds, deliveries=[change.delivery.id for change in changes])
    return of_notice(tx, notice_id)


def _gives_way(there: Amendment, kind: AmendmentKind) -> bool:
    """Whether what is there makes room for a new one of that kind."""
    if there.state not in (AmendmentState.PROPOSED, AmendmentState.WAITING, AmendmentState.FAILED):
        return False
    pins = {AmendmentKind.PIN, AmendmentKind.UNPIN}
    return kind is AmendmentKind.DELETE or there.kind is kind or {there.kind, kind} <= pins


def of_notice(tx: Transaction, notice_id: int) -> list[Amendment]:
    """Everything that was done, or shall be, to what is out of a notice, in order."""
    return _of(tx, t.deliveries.c.notice_id == notice_id)


def proposed(tx: Transaction, notice_id: int) -> list[Amendment]:
    """The corrections that wait for somebody else's approval."""
    return [each for each in of_notice(tx, notice_id) if each.state is AmendmentState.PROPOSED]


def approve(tx: Transaction, waiting: Sequence[Amendment], *, by: str, now: datetime) -> None:
    """Lets exactly these go out. A second person must do it: raises Mistake for the writer, AlreadyDone when late."""
    for each in waiting:
        if users.same_person(by, each.written_by):
            raise Mistake(
                f"The correction of N{each.notice_id} was written by {each.written_by}: somebody else must approve it."
            )
    ids = [each.id for each in waiting]
    where = (t.amendments.c.id.in_(ids), t.amendments.c.state == AmendmentState.PROPOSED.value)
    values = {"state": AmendmentState.WAITING.value, "approved_by": by, "approved_at": now}
    if tx.execute(update(t.amendments).where(*where).values(**values)).rowcount != len(ids):
        raise AlreadyDone("The correction has changed since you saw it; look again.")
    for number in sorted({each.notice_id for each in waiting}):
        _note(tx, number, "notice.correction_approved", by, now, amendments=ids)


def drop(
    tx: Transaction,
    notice_id: int,
    *,
    kind: AmendmentKind | None = None,
    only: Sequence[int] | None = None,
    by: str,
    now: datetime,
) -> int:
    """Takes back what has not gone out, and lets be what was refused; gives how many. `kind`, `only`: just these."""
    left = (AmendmentState.PROPOSED, AmendmentState.WAITING, AmendmentState.FAILED)
    found = [each for each in of_notice(tx, notice_id) if each.state in left and kind in (None, each.kind)]
    found = [each for each in found if only is None or each.id in only]
    return _drop(tx, found, f"taken back by {by}", by, now)


def _drop(tx: Transaction, found: Iterable[Amendment], reason: str, by: str, now: datetime) -> int:
    dropped = 0
    for each in found:
        where = (t.amendments.c.id == each.id, t.amendments.c.state == each.state.value)
        values = {"state": AmendmentState.DROPPED.value, "reason": reason}
        if tx.execute(update(t.amendments).where(*where).values(**values)).rowcount:
            dropped += 1
            _note(tx, each.notice_id, "amendment.dropped", by, now, amendment=each.id)
    return dropped


def settle_by_hand(tx: Transaction, amendment: Amendment, *, was_done: bool, by: str, now: datetime) -> None:
    """A person looked at the post and says whether that took effect; where not, it counts as refused.

    Raises AlreadyDone where its outcome is known.
    """
    values: dict[str, Any] = {"state": AmendmentState.FAILED.value, "reason": f"it did not take effect, says {by}"}
    if was_done:
        at = amendment.sending_since
        values = {"state": AmendmentState.DONE.value, "done_at": at, "reason": f"settled by {by}"}
    where = (t.amendments.c.id == amendment.id, t.amendments.c.state == AmendmentState.UNKNOWN.value)
    if not tx.execute(update(t.amendments).where(*where).values(**values)).rowcount:
        raise AlreadyDone(f"Whether N{amendment.notice_id} was changed on {amendment.account} is known already.")
    what = {"amendment": amendment.id, "kind": amendment.kind.value, "account": amendment.account}
    _note(tx, amendment.notice_id, "amendment.settled", by, now, **what, was_done=was_done)
    found = Finding.THERE if was_done else Finding.MISSING
    looks.keep(tx, Sent.AMENDMENT, amendment.id, asked=looks.BY_EYE, found=found, at=now, by=by)
    if was_done and amendment.kind is AmendmentKind.EDIT:
        _says(tx, amendment)


# --- what the sender does: the verbs of outbox.py -------------------------------------------------------------------


def sendable(tx: Transaction, account: str, _now: datetime) -> list[Amendment]:
    """What may go out now, in order; not what must wait for another first."""
    return _of(tx, t.deliveries.c.account == account, t.amendments.c.state == AmendmentState.WAITING.value, ~_behind())


def _behind() -> ColumnElement[bool]:
    """Whether another one goes first: of the same delivery an earlier one, of a thread the deletion of what follows."""
    other, there, mine, here = t.amendments.alias(), t.deliveries.alias(), t.amendments.c, t.deliveries.c
    undecided = other.c.state.in_([state.value for state in UNDECIDED])
    delete = AmendmentKind.DELETE.value
    earlier = and_(other.c.delivery_id == mine.delivery_id, other.c.id < mine.id, undecided)
    follows = and_(
        mine.kind == delete,
        other.c.kind == delete,
        there.c.notice_id == here.notice_id,
        there.c.account == here.account,
        there.c.language == here.language,
        there.c.part > here.part,
        or_(undecided, other.c.state == AmendmentState.FAILED.value),
    )
    joined = select(other.c.id).select_from(other.join(there, there.c.id == other.c.delivery_id))
    return joined.where(or_(earlier, follows)).correlate(t.amendments, t.deliveries).exists()


def claim(tx: Transaction, amendment: Amendment, now: datetime) -> bool:
    """Writes `sending`, if it still waits, nothing goes before it and no switch holds it.

    This must be committed before the network is called.
    """
    if amendment.posted_id is None:
        _outcome(tx, amendment, AmendmentState.FAILED, now, reason="nobody knows its address there; do it by hand")
        return False
    if not any(each.id == amendment.id for each in sendable(tx, amendment.account, now)):
        return False
    where = (t.amendments.c.id == amendment.id, t.amendments.c.state == AmendmentState.WAITING.value)
    values = {"state": AmendmentState.SENDING.value, "sending_since": now, "sender": senders.me()}
    values |= {"unknown_since": None, "looked_at": None, "reason": None}
    held = switch.held(tx, amendment.network, *amendment.kinds)
    won = tx.execute(update(t.amendments).where(*where, ~held).values(**values)).rowcount
    if won:
        _note(tx, amendment.notice_id, "amendment.sending", "daemon", now, amendment=amendment.id)
    return bool(won)


def sending(tx: Transaction, account: str) -> bool:
    """Whether anything says `sending`."""
    return bool(_of(tx, t.deliveries.c.account == account, t.amendments.c.state == AmendmentState.SENDING.value))


def waiting(tx: Transaction) -> list[Amendment]:
    """Everything that would go out."""
    return _of(tx, t.amendments.c.state == AmendmentState.WAITING.value)


def several(tx: Transaction, numbers: Sequence[int]) -> list[Amendment]:
    """Those changes."""
    return _of(tx, t.amendments.c.id.in_(numbers))


def in_doubt(tx: Transaction) -> list[Amendment]:
    """Everything of which nobody knows whether it took effect, the longest unknown first."""
    return _of(tx, t.amendments.c.state == AmendmentState.UNKNOWN.value)


def unknown_of(tx: Transaction, delivery_ids: Sequence[int]) -> Amendment | None:
    """The first one of those deliveries of which nobody knows whether it took effect."""
    return next((each for each in in_doubt(tx) if each.delivery_id in delivery_ids), None)


def abandoned(tx: Transaction, account: str, now: datetime) -> int:
    """Turns what a dead sender left behind into `unknown`. Call it only as the account's sole sender."""
    where = (t.deliveries.c.account == account, t.amendments.c.state == AmendmentState.SENDING.value)
    left = [(_amendment(row), row.sender) for row in tx.execute(_joined().where(*where).order_by(t.amendments.c.id))]
    for each, sender in left:
        unknown(tx, each, senders.epitaph(sender), now)
    return len(left)


def unsettled(tx: Transaction, account: str) -> list[Amendment]:
    """Those of which nobody knows yet whether they took effect."""
    return _of(tx, t.deliveries.c.account == account, t.amendments.c.state == AmendmentState.UNKNOWN.value)


def looked(tx: Transaction, amendment: Amendment, now: datetime) -> None:
    """Remembers that the network was asked about it."""
    tx.execute(update(t.amendments).where(t.amendments.c.id == amendment.id).values(looked_at=now))


def sent(tx: Transaction, amendment: Amendment, _posted: Posted, now: datetime) -> None:
    """The network has done it; of an edit, the delivery says the new text from now on."""
    if _outcome(tx, amendment, AmendmentState.DONE, now, reason=None, done_at=now) and (
        amendment.kind is AmendmentKind.EDIT
    ):
        _says(tx, amendment)


def _says(tx: Transaction, amendment: Amendment) -> None:
    """The delivery says the new text from now on."""
    says = {"text": amendment.text, "length": amendment.length}
    tx.execute(update(t.deliveries).where(t.deliveries.c.id == amendment.delivery_id).values(**says))


def failed(tx: Transaction, amendment: Amendment, reason: str, now: datetime) -> None:
    """The network refused it."""
    _outcome(tx, amendment, AmendmentState.FAILED, now, reason=reason)


def unknown(tx: Transaction, amendment: Amendment, reason: str, now: datetime) -> None:
    """It may or may not have taken effect; the post is looked at before anything else happens to it."""
    _outcome(tx, amendment, AmendmentState.UNKNOWN, now, reason=reason, unknown_since=now)


def not_sent(tx: Transaction, amendment: Amendment, reason: str, now: datetime) -> None:
    """It certainly did not take effect: it waits again."""
    _outcome(tx, amendment, AmendmentState.WAITING, now, reason=reason)


def _outcome(tx: Transaction, amendment: Amendment, to: AmendmentState, now: datetime, **values: Any) -> bool:
    before = [state.value for state, steps in AMENDMENT_MOVES.items() if to in steps or state is to]
    where = (t.amendments.c.id == amendment.id, t.amendments.c.state.in_(before))
    changed = tx.execute(update(t.amendments).where(*where).values(state=to.value, **values)).rowcount
    if changed:
        what = {"amendment": amendment.id, "kind": amendment.kind.value, "account": amendment.account}
        _note(tx, amendment.notice_id, f"amendment.{to}", "daemon", now, **what, reason=values.get("reason"))
    return bool(changed)


def _note(tx: Transaction, notice_id: int, action: str, by: str, now: datetime, **detail: Any) -> None:
    audit.record(tx, at=now, by=by, action=action, subject=f"notice {notice_id}", **detail)


def _of(tx: Transaction, *where: ColumnElement[bool]) -> list[Amendment]:
    return [_amendment(row) for row in tx.execute(_joined().where(*where).order_by(t.amendments.c.id))]


def _joined() -> Select[Any]:
    of_delivery = ("notice_id", "account", "network", "language", "part", "posted_id", "posted_url")
    columns = [t.deliveries.c[name] for name in of_delivery]
    return select(t.amendments, *columns).join(t.deliveries, t.deliveries.c.id == t.amendments.c.delivery_id)


def _amendment(row: Row[Any]) -> Amendment:
    values = {name: getattr(row, name) for name in Amendment.__dataclass_fields__}
    return Amendment(**values | {"kind": AmendmentKind(row.kind), "state": AmendmentState(row.state)})
