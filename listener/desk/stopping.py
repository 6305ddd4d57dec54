"""The stop: scopes are held, and what was being said at that moment is waited for.

    commit the pauses | wait for the claims that began before | wait for the end of what says `sending`

From the commit on nothing more is claimed (see `store/switch.py`), and nothing is said that was not claimed before:
what is left is what was under way at that moment. It ends when its sender wrote down what came of it, or died. A
process that is suspended does neither; then the wait ends at its bound, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from listener.errors import Outage
from listener.store import Store, senders, switch, underway
from listener.store.switch import Pause
from listener.store.underway import Underway
from listener.types import SendKind

LOOK_EVERY = 0.05  # seconds between two looks whether it has ended
PROBE_EVERY = 0.5  # seconds between two looks whether its sender lives

LONGEST_CALL = timedelta(minutes=15)  # every connector gives up sooner


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What is to be held or let go. None: every network, every kind."""

    network: str | None = None
    kind: SendKind | None = None

    @property
    def name(self) -> str:
        """As it is called in `status` and the audit log."""
        return switch.scope_of(self.network, self.kind)

    def is_of(self, pause: Pause) -> bool:
        """Whether that pause holds exactly this."""
        return pause.scope == self.name


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What a stop came to. Nothing goes out any more where `left` is empty and `claiming` is 0.

    `known`: the scopes that were held before, by name. `waited`: what was under way at that moment; `left`: what of it
    had not ended when the wait was over; `claiming`: how many claims had not.
    """

    known: dict[str, Pause]
    waited: tuple[Underway, ...]
    left: tuple[Underway, ...]
    claiming: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything that was under way has ended."""
        return not self.left and not self.claiming


def stop(
    store: Store,
    scopes: Sequence[Scope],
    *,
    by: str,
    reason: str,
    now: datetime,
    wait: float,
    tell: Callable[[Sequence[Underway]], None] = lambda _left: None,
) -> Stopped:
    """Holds the scopes, then waits up to `wait` seconds until nothing in them is being said any more.

    `tell` is called with what is waited for, whenever that changed.
    """
    ends = time.monotonic() + wait
    known: dict[str, Pause] = {}
    with store.write() as tx:
        for scope in scopes:
            before = switch.pause(tx, network=scope.network, kind=scope.kind, by=by, reason=reason, now=now)
            if before:
                known[scope.name] = before
        stops = [pause for pause in switch.pauses(tx) if any(scope.is_of(pause) for scope in scopes)]
    claiming = store.claims_underway()
    while claiming and (claiming := claiming & store.claims_underway()):
        if time.monotonic() > ends:
            return Stopped(known=known, waited=(), left=_saying(store, stops), claiming=len(claiming))
        time.sleep(LOOK_EVERY)
    waited = left = _saying(store, stops)
    told: tuple[Underway, ...] = ()
    probed = 0.0
    while left:
        if time.monotonic() - probed > PROBE_EVERY:
            left, probed = _of_the_living(store, left, now), time.monotonic()
        if left != told:
            tell(left)
            told = left
        if not left or time.monotonic() > ends:
            break
        time.sleep(LOOK_EVERY)
        with store.read() as tx:
            left = tuple(underway.still(tx, left, died_is_an_end=store.is_sqlite))
    return Stopped(known=known, waited=waited, left=left)


def _saying(store: Store, stops: Sequence[Pause]) -> tuple[Underway, ...]:
    with store.read() as tx:
        return tuple(underway.sending(tx, stops, died_is_an_end=store.is_sqlite))


def _of_the_living(store: Store, left: tuple[Underway, ...], now: datetime) -> tuple[Underway, ...]:
    """What is left without that whose sender is certainly dead.

    On this machine that is plain to see. On SQLite the operating system keeps an account's sender besides, and gives
    its place away only when it died. On PostgreSQL the server does, and a sender that merely lost the server may still
    speak: where it ran on another machine, and nobody there has said that it ended, it counts as dead only when it has
    had the time that no call takes.
    """
    left = tuple(item for item in left if not senders.is_dead(item.sender))
    free = set()
    for account in {item.account for item in left}:
        try:
            with store.sole_sender(account) as ours:
                free |= {account} if ours else set()
        except Outage:
            continue  # we may not look, so we do not know
    return tuple(item for item in left if _may_speak(item, free, now, on_sqlite=store.is_sqlite))


def _may_speak(item: Underway, free: Collection[str], now: datetime, *, on_sqlite: bool) -> bool:
    if item.account not in free and not item.taken:
        return True
    return not on_sqlite and now - (item.since or now) <= LONGEST_CALL
