"""Doing what was ordered to a notice that is out: every account side by side, each as often as it is worth trying."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from listener.commands.app import App
from listener.commands.publishing import PATIENCE, SENDER_WAIT, SPEAKERS, TRIES, Left
from listener.contract import Connector
from listener.errors import EscuchaError
from listener.flow.act import Acted, act
from listener.store import amendments, switch
from listener.store.amendments import UNDECIDED, Amendment
from listener.types import AmendmentState

ENDED = (AmendmentState.DONE, AmendmentState.FAILED)


class Amending:
    """One run. `ended` hears of each change that ended, `waits` of each wait (account, how long, why)."""

    def __init__(
        self,
        app: App,
        notice_id: int,
        *,
        ended: Callable[[Amendment], None],
        waits: Callable[[str, timedelta, str], None],
    ) -> None:
        self._app = app
        self._notice_id = notice_id
        self._ended = ended
        self._waits = waits
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._told = {each.id for each in self._all() if each.state not in UNDECIDED}

    def run(self) -> dict[str, Left]:
        """Does what is missing; gives, by account, why something still is."""
        left: dict[str, Left] = {}
        speakers: dict[str, Connector] = {}
        for account in dict.fromkeys(each.account for each in self._all() if each.state in UNDECIDED):
            try:
                speakers[account] = self._app.connector(account)
            except EscuchaError as error:
                left[account] = Left(account=account, reason=str(error))
        with ThreadPoolExecutor(max_workers=SPEAKERS, thread_name_prefix="amend") as executor:
            runs = {account: executor.submit(self._account, account, each) for account, each in speakers.items()}
            try:
                for account, run in runs.items():
                    try:
                        ended = run.result()
                    except EscuchaError as error:
                        ended = Left(account=account, reason=str(error))
                    if ended:
                        left[account] = ended
            except BaseException:
                self._stop.set()  # what is being done is finished and written down; nothing new is begun
                raise
        return left

    def _account(self, account: str, connector: Connector) -> Left | None:
        tries = 0
        while True:
            acted = act(
                self._app.store,
                connector,
                account,
                clock=self._app.now,
                stopping=self._stop.is_set,
                wait=SENDER_WAIT,
                kinds=("amendment",),
                notice_id=self._notice_id,
                progress=lambda _item: self._tell(),
                purse=self._app.purse(account),
            )
            self._tell()
            mine = [each for each in self._all() if each.account == account and each.state in UNDECIDED]
            if not mine:
                return None
            now = self._app.now()
            tries = 0 if acted.sent or acted.settled else tries
            left = self._why(account, connector, mine, acted, now)
            pause = left.again_at - now if left.again_at else None
            if pause is None or pause > PATIENCE or tries == TRIES or self._stop.is_set():
                return left
            tries += 1
            if pause > timedelta(0):
                self._waits(account, pause, left.reason)
                self._stop.wait(pause.total_seconds())

    def _why(self, account: str, connector: Connector, mine: list[Amendment], acted: Acted, now: datetime) -> Left:
        if acted.busy:
            return Left(account=account, reason="another process is sending there", again_at=now)
        if acted.broke or acted.hold_until:
            reason = acted.broke or (acted.errors[-1] if acted.errors else "the network wants a rest")
            return Left(account=account, reason=reason, again_at=None if acted.broke else acted.hold_until)
        with self._app.store.read() as tx:
            if switch.is_paused(tx, mine[0].network, *mine[0].kinds):
                return Left(account=account, reason="sending is paused")
        unknown = [each for each in mine if each.state is AmendmentState.UNKNOWN]
        if unknown:
            settled = connector.facts.settle_after or timedelta(0)
            sure_at = max((each.unknown_since or now) + settled for each in unknown)
            return Left(account=account, reason="nobody knows yet whether it took effect", again_at=max(now, sure_at))
        if acted.sent:
            return Left(account=account, reason="its turn comes now", again_at=now)
        return Left(account=account, reason="what stands below it there was not taken away")

    def _all(self) -> list[Amendment]:
        with self._app.store.read() as tx:
            return amendments.of_notice(tx, self._notice_id)

    def _tell(self) -> None:
        with self._lock:
            for each in self._all():
                if each.state in ENDED and each.id not in self._told:
                    self._told.add(each.id)
                    self._ended(each)
