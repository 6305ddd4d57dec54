"""Publishing a notice from the command line: every account side by side, each as often as it is worth trying now.

What is out is in the database before anything else happens, so a run that is killed leaves only what is missing to the
next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from listener.commands.app import App
from listener.contract import Connector, Publishes
from listener.errors import EscuchaError
from listener.flow.act import act
from listener.flow.outcomes import Acted
from listener.store import Store, notices, switch
from listener.store.notices import Delivery, Notice
from listener.types import DeliveryState

PATIENCE = timedelta(seconds=60)  # the longest wait for a network while somebody sits in front of it
TRIES = 2  # waits in a row that bring nothing before we leave it
SPEAKERS = 8  # accounts at once
SENDER_WAIT = 10  # seconds for another process to finish what it sends on an account
FIRST_LOOK = timedelta(seconds=2)  # after a write of unknown outcome

ENDED = (DeliveryState.SENT, DeliveryState.FAILED)
UNDECIDED = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Left:
    """Why something of one account is not out, and from when it is worth trying again (None: nobody knows)."""

    account: str
    reason: str
    again_at: datetime | None = None


def side_by_side(
    speakers: Mapping[str, Connector], one: Callable[[str, Connector], Left | None], stop: threading.Event
) -> dict[str, Left]:
    """Lets `one` do what is missing on each account, all at once; gives why something still is, by account.

    Where it is broken off, `stop` is set: what is being sent is finished and written down, and nothing new is begun.
    """
    left: dict[str, Left] = {}
    with ThreadPoolExecutor(max_workers=SPEAKERS, thread_name_prefix="send") as executor:
        runs = {account: executor.submit(one, account, each) for account, each in speakers.items()}
        try:
            for account, run in runs.items():
                try:
                    ended = run.result()
                except EscuchaError as error:
                    ended = Left(account=account, reason=str(error))
                if ended:
                    left[account] = ended
        except BaseException:
            stop.set()
            for run in runs.values():
                run.cancel()
            raise
    return left


def in_rounds(
    app: App,
    connector: Connector,
    account: str,
    *,
    kind: str,
    notice_id: int,
    stop: threading.Event,
    progress: Callable[[Any], None],
    mine: Callable[[], Sequence[Any]],
    why: Callable[..., Left],
    waits: Callable[[str, timedelta, str], None],
) -> Left | None:
    """Sends what is `mine`, and waits where a short wait may help, until nothing is undecided or it is no use.

    `why(mine, acted, now, first)`: why something is left; `first`: nothing was waited for since something went out.
    """
    tries = 0
    while True:
        acted = act(
            app.store,
            connector,
            account,
            clock=app.now,
            stopping=stop.is_set,
            wait=SENDER_WAIT,
            kinds=(kind,),
            notice_id=notice_id,
            progress=progress,
            purse=app.purse(account),
        )
        waiting = mine()
        if not waiting:
            return None
        now = app.now()
        tries = 0 if acted.sent or acted.settled else tries
        left = why(waiting, acted, now, not tries)
        pause = left.again_at - now if left.again_at else None
        if pause is None or pause > PATIENCE or tries == TRIES or stop.is_set():
            return left
        tries += 1
        if pause > timedelta(0):
            waits(account, pause, left.reason)
            stop.wait(pause.total_seconds())


class Publication:
    """One run of `notice publish`.

    `settled` hears of each delivery that ended, `waits` of each wait (account, how long, why); from any thread.
    """

    def __init__(
        self,
        app: App,
        notice: Notice,
        *,
        settled: Callable[[Delivery], None],
        waits: Callable[[str, timedelta, str], None],
    ) -> None:
        self._app = app
        self._store: Store = app.store
        self._notice_id = notice.id
        self._settled = settled
        self._waits = waits
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._told = {each.id for each in notice.deliveries if each.state in ENDED}
        self._accounts = list(dict.fromkeys(each.account for each in notice.deliveries if each.state in UNDECIDED))

    def run(self) -> dict[str, Left]:
        """Publishes what is missing; gives, by account, why something still is."""
        left: dict[str, Left] = {}
        speakers: dict[str, Connector] = {}
        for account in self._accounts:
            try:
                connector = self._app.connector(account)
            except EscuchaError as error:
                left[account] = Left(account=account, reason=str(error))
                continue
            if isinstance(connector, Publishes):
                speakers[account] = connector
            else:
                left[account] = Left(account=account, reason=f"{connector.facts.network} cannot speak to everybody")
        left |= side_by_side(speakers, self._account, self._stop)
        with self._store.write() as tx:
            notices.finish(tx, self._notice_id, self._app.now())
        return left

    def _account(self, account: str, connector: Connector) -> Left | None:
        def mine() -> list[Delivery]:
            return [each for each in self._look() if each.account == account and each.state in UNDECIDED]

        return in_rounds(
            self._app,
            connector,
            account,
            kind="notice",
            notice_id=self._notice_id,
            stop=self._stop,
            progress=self._tried,
            mine=mine,
            why=partial(self._why, connector),
            waits=self._waits,
        )

    def _why(self, connector: Connector, mine: Sequence[Delivery], acted: Acted, now: datetime, first: bool) -> Left:
        account = mine[0].account
        if acted.busy:
            return Left(account=account, reason="another process is sending there", again_at=now)
        if acted.broke or acted.hold_until:
            reason = acted.broke or (acted.errors[-1] if acted.errors else "the network wants a rest")
            return Left(account=account, reason=reason, again_at=None if acted.broke else acted.hold_until)
        unknown = [each for each in mine if each.state is DeliveryState.UNKNOWN]
        if unknown:
            reason = "nobody knows yet whether it is out"
            settle_after = connector.facts.settle_after
            if settle_after is None:
                return Left(account=account, reason=reason, again_at=now if first else None)
            sure_at = max((each.unknown_since or now) + settle_after for each in unknown)
            return Left(
                account=account, reason=reason, again_at=max(now, min(sure_at, now + FIRST_LOOK) if first else sure_at)
            )
        if all(each.behind for each in mine):
            return Left(account=account, reason="the part before it was refused")
        with self._store.read() as tx:
            paused = switch.is_paused(tx, mine[0].network, *mine[0].kinds)
            state = notices.get(tx, self._notice_id).state
        return Left(account=account, reason="sending is paused" if paused else f"the notice is {state}")

    def _tried(self, _item: object) -> None:
        self._look()

    def _look(self) -> tuple[Delivery, ...]:
        """The deliveries as they are now; tells of those that ended since the last look."""
        with self._store.read() as tx:
            deliveries = notices.get(tx, self._notice_id).deliveries
        with self._lock:
            for each in deliveries:
                if each.state in ENDED and each.id not in self._told:
                    self._told.add(each.id)
                    self._settled(each)
        return deliveries
