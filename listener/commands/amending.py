"""Doing what was ordered to a notice that is out: every account side by side, each as often as it is worth trying."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from listener.commands.app import App
from listener.commands.publishing import Left, in_rounds, side_by_side
from listener.contract import Connector
from listener.errors import EscuchaError
from listener.flow.outcomes import Acted
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
        return left | side_by_side(speakers, self._account, self._stop)

    def _account(self, account: str, connector: Connector) -> Left | None:
        def mine() -> list[Amendment]:
            self._tell()
            return [each for each in self._all() if each.account == account and each.state in UNDECIDED]

        return in_rounds(
            self._app,
            connector,
            account,
            kind="amendment",
            notice_id=self._notice_id,
            stop=self._stop,
            progress=lambda _item: self._tell(),
            mine=mine,
            why=partial(self._why, connector),
            waits=self._waits,
        )

    def _why(self, connector: Connector, mine: Sequence[Amendment], acted: Acted, now: datetime, _first: bool) -> Left:
        account = mine[0].account
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
