"""reading: the model, and what becomes of it. Where it cannot read, people do, until it can.

it cannot be loaded, or breaks on whatever it is given | it is left alone for a while, then loaded anew
meanwhile                                              | what addresses us goes to people, the rest waits
it reads again                                         | what nobody took up is read after all
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from listener import budget, metrics
from listener.contract import Classifier
from listener.errors import EscuchaError, NoModel, Outage
from listener.flow.understand import PLAIN, understand
from listener.log import logger
from listener.store import Store, daemons, mentions, unread
from listener.store.mentions import Mention

log = logger(__name__)

REST = timedelta(seconds=15)  # doubled for the first rest of a model that failed, and again for each further one
LONGEST_REST = timedelta(minutes=5)  # a look at some files costs nobody anything
GRACE = timedelta(minutes=1)  # for so long what addresses us waits for the model before people get it
LOOK_EVERY = timedelta(minutes=1)  # between two looks for what people got and nobody took up


class Reader:
    """The model of one process. `trouble` says why nothing is read, in a sentence; empty while it reads."""

    def __init__(
        self,
        store: Store,
        load: Callable[[], Classifier],
        *,
        clock: Callable[[], datetime],
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """`load()` gives the model, loaded anew after `forget()`."""
        self._store = store
        self._load = load
        self._forget = forget
        self._clock = clock
        self._model: Classifier | None = None
        self._failures = 0
        self._until: datetime | None = None
        self._looked: datetime | None = None
        self._said = ""
        self.trouble = ""

    @property
    def reads(self) -> bool:
        """Whether the model is here and reads."""
        return self._model is not None and not self.trouble

    def model(self) -> Classifier | None:
        """The model; None while it is left alone, or cannot be loaded."""
        now = self._clock()
        if self._until is not None and now < self._until <= now + budget.CEILING:
            return None
        if self._model is None:
            try:
                self._model = self._load()
                if self._failures:
                    self._model.classify([PLAIN])
            except Outage:
                raise
            except Exception as error:  # noqa: BLE001 - onnxruntime raises what it likes, and memory may be short
                self.failed(error)
                return None
            self._works()
        return self._model

    def failed(self, error: Exception) -> None:
        """Leaves the model alone for a while, longer each time in a row; said once for each reason."""
        metrics.error("understand", error)
        self._failures += 1
        self._model = None
        self._forget()
        now = self._clock()
        self._until = min(budget.back_off(now, failures=self._failures, every=REST), now + LONGEST_REST)
        said = str(error) if isinstance(error, EscuchaError) else f"{type(error).__name__}: {error}"
        self.trouble = f"The model cannot read, so what addresses us goes to people unread, and the rest waits: {said}"
        metrics.ready(model=False)
        if said != self._said:
            log.error("The model cannot read; people do.", action="model_down", reason=said, retry_at=self._until)
        self._said = said

    def _works(self) -> None:
        if self._failures:
            log.info("The model reads again.", action="model_up")
        self._failures, self._until, self.trouble, self._said = 0, None, "", ""
        metrics.ready(model=True)

    def understand(self, *, limit: int, ids: Sequence[int] | None = None) -> int:
        """Reads one batch of new mentions, of those `ids` where given; gives how many moved on, read or not."""
        model = self.model()
        if model is None:
            return self._hand_over(limit=limit, ids=ids)
        self._take_back(limit=limit)
        try:
            return understand(self._store, model, limit=limit, now=self._clock(), ids=ids)
        except NoModel as error:
            self.failed(error)
            return 0

    def _hand_over(self, *, limit: int, ids: Sequence[int] | None) -> int:
        """Lets people have what addresses us and has waited long enough, where no other process can read it."""
        now = self._clock()
        with self._store.write() as tx:
            if daemons.anybody_reads(tx, now):
                return 0
            handed = unread.hand_over(tx, heard_before=now - GRACE, limit=limit, ids=ids, now=now)
        if handed:
            log.warning("Nobody could read these; people are to.", action="unread", **_named(handed))
        return len(handed)

    def _take_back(self, *, limit: int) -> None:
        """What people got unread, and nobody has taken up, is read now."""
        now = self._clock()
        if self._looked is not None and self._looked <= now < self._looked + LOOK_EVERY:
            return
        with self._store.read() as tx:
            found = unread.untouched(tx, limit=limit)
        if len(found) < limit:
            self._looked = now
        if found:
            with self._store.write() as tx:
                found = unread.untouched(tx, limit=limit)
                taken = mentions.several(tx, found)
                unread.take_back(tx, found, now=now)
                self._store.carry(tx, found)
            log.info("What people got unread is read now.", action="reread", **_named(taken))


def _named(those: Sequence[Mention]) -> dict[str, list[Any]]:
    """What a log line says of several mentions."""
    return {"mentions": [each.id for each in those], "correlations": [each.correlation for each in those]}
