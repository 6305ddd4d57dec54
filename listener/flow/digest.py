"""digest: what was heard is understood and decided, batch after batch. See `understand.py`, `decide.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from listener.desk import incident_meaning
from listener.flow.connections import Connections
from listener.flow.crossing import again
from listener.flow.decide import Company, decide
from listener.flow.money import Money
from listener.flow.reading import Reader
from listener.flow.ruling import Ruler
from listener.flow.suspecting import Stage, look_alone, whole_or_one_by_one
from listener.store import Store
from listener.store.suspects import Suspect

if TYPE_CHECKING:
    from listener.desk.shelving import Embed

BATCH = 250  # mentions understood or decided in one transaction; no more than `inhand.MOST`


class Digest:
    """The two stages of one process that need the model and the policy. `embed`: see `Pipeline`."""

    def __init__(
        self,
        store: Store,
        *,
        reader: Reader,
        ruler: Ruler,
        company: Company,
        connections: Connections,
        money: Money,
        embed: Callable[[], Embed | None],
        clock: Callable[[], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._reader = reader
        self._ruler = ruler
        self._company = company
        self._connections = connections
        self._money = money
        self._embed = embed
        self._clock = clock
        self._stopping = stopping
        self._seen_alone: list[Suspect] = []

    def understand(self, ids: Sequence[int] | None = None) -> int:
        """Reads one batch of new mentions, of those `ids` where given; gives how many moved on."""
        return self._whole_or_one_by_one("understand", lambda some: self._reader.understand(limit=BATCH, ids=some), ids)

    def decide(self, ids: Sequence[int] | None = None) -> int:
        """Decides one batch of understood mentions by the policy that rules; gives how many. `ids`: of these only."""
        return self._whole_or_one_by_one("decide", self._decide, ids)

    def look_alone(self) -> int:
        """Looks alone at each mention over which a process died; gives how many moved on."""
        stages = {"understand": self.understand, "decide": self.decide}
        return look_alone(self._store, stages, seen=self._seen_alone, clock=self._clock, stopping=self._stopping)

    def all(self) -> int:
        """Understands and decides until nothing is left or we stop; gives how many mentions were decided.

        While the model, which needs no Python, reads a batch, the one before it is decided.
        """
        decided = 0
        self.look_alone()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="understand") as ahead:
            while not self._stopping():
                reading = ahead.submit(self.understand)
                judged = self.decide()
                decided += judged
                if not reading.result() and not judged:
                    break
        return decided

    def _whole_or_one_by_one(self, stage: str, work: Stage, ids: Sequence[int] | None) -> int:
        return whole_or_one_by_one(self._store, stage, work, limit=BATCH, ids=ids, clock=self._clock)

    def _decide(self, ids: Sequence[int] | None = None) -> int:
        self._ruler.take_up()
        policy = self._ruler.policy
        if policy is None:
            return 0
        near = incident_meaning.awaiting(self._store, self._embed, limit=BATCH, ids=ids)
        return again(
            lambda: decide(
                self._store,
                policy,
                company=self._company,
                facts=self._connections.facts,
                limit=BATCH,
                now=self._clock(),
                broke=self._money.why_broke,
                near=near,
                ids=ids,
            )
        )
