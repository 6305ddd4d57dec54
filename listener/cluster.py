"""The stages on many machines: jobs of Procrastinate, on the product's own PostgreSQL. No logic; see `pipeline.py`.

    poll | the sources that are due, each a job; one at a time for each account
    work | what was stored is read and decided: jobs made in the transaction that stores it, what addresses us first
    send | the accounts on which something waits, each a job; one at a time for each account

The functions are those that the embedded daemon calls, and the rows say what is to be done, as ever: a job only says
that there is something. So one that is lost costs time and nothing else (`sweep` finds its mentions, the next tick its
source or account), and one done twice changes nothing. Jobs of processes that died are given to others, and what is
done by a timer is done by one process for each duty (`store/loans.py`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector, schema
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status

from listener import budget
from listener.daemon import MOST_STREAMS, Turn
from listener.desk import answer_runs
from listener.errors import Away, Outage
from listener.flow.pipeline import Pipeline
from listener.flow.suspecting import suspect
from listener.log import logger
from listener.store import GONE, Store, Transaction, jobs, loans, references, rests, sources, suspects
from listener.store.numbers import Stock
from listener.types import Duty

log = logger(__name__)

AT_ONCE = {Duty.POLL: 8, Duty.WORK: 2, Duty.SEND: 8}  # jobs of one process; of work, one reads while another decides
JOB = 128  # mentions in one job
DIRECT = 10  # the priority of what addresses us; of what was only found it is 0
HEARTBEAT = 5.0  # seconds between two signs of life of a worker
DEAD = 20.0  # seconds without one, after which its jobs are given to others
SWEEP_EVERY = timedelta(seconds=15)
SWEPT = 4096  # mentions that one sweep finds
RENEW_EVERY = timedelta(seconds=5)  # of the loans, which last three times as long
DEADLY = 2  # processes that died of one job, after which what it carries is looked at one by one
BUSY = 20  # looks at what another process has in hand, before it is left to the sweep
LOOK_AGAIN = 0.1  # seconds between them
SHAKY, OFTEN = 60.0, 3  # seconds within which its engine breaks so often where something else is wrong
POLLING = 5.0  # seconds after which a worker looks for jobs of which it was not told

Guard = Callable[[str, Callable[[], Any]], None]


def prepare(store: Store) -> None:
    """Makes the queue's tables where they are not there, and drops those that other versions left behind."""
    with store.write() as tx:
        if jobs.make(tx, schema.SchemaManager.get_schema()):
            log.info("The queue's tables were made.", action="queue_made", schema=jobs.schema())
        for name in jobs.drop_left(tx):
            log.info("The queue of another version was dropped.", action="queue_dropped", schema=name)


class Cluster:
    """What one process does of the work that many share. Open it beside a `Daemon`, which ticks its `turns`."""

    def __init__(self, pipeline: Pipeline, duties: Collection[Duty], *, tick: timedelta) -> None:
        self.duties = frozenset(duties)
        self._pipeline = pipeline
        self._store = pipeline.store
        self._tick = tick
        self._name = ""
        self._guard: Guard = lambda _name, work: work()
        self._loans: set[str] = set()
        self._streams: list[str] = []  # that this process wants or has
        self._refused: set[str] = set()  # what others had when it last asked
        self._doing: Counter[str] = Counter()
        self._telling = threading.Lock()
        self._reading = threading.Lock()
        self._deciding = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._breaks: list[float] = []  # when the engine broke, by the monotonic clock, within `SHAKY`
        self._answers = True  # the database, when it was last asked for the engine
        self._carrier = App(connector=SyncPsycopgConnector())  # never opened: it uses the connections of transactions

    # --- beside the daemon --------------------------------------------------------------------------------------------

    def join(self, name: str, guard: Guard) -> None:
        """The daemon's name, and how it wants what is done to be guarded."""
        self._name, self._guard = name, guard

    def __enter__(self) -> Cluster:
        # What the engine has to say of single jobs is said here once for all.
        for noisy in ("procrastinate", "psycopg.pool"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
        self._store.carries = self.carry
        self._store.numbers = Stock(self._draw)
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Takes no more jobs, and waits for those in hand, which end soon: the pipeline was told to stop."""
        self._ended.set()
        if self._loop and self._task:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread:
            self._thread.join()
        self._store.carries = self._store.numbers = None
        with suppress(Outage), self._store.write(leaving=True) as tx:
            loans.leave(tx, holder=self._name)

    def turns(self) -> Mapping[str, Turn]:
        """What is done by a timer for the jobs: they are made, lost ones are found, and who does what is settled."""
        found = {
            "loans": Turn(every=RENEW_EVERY, work=self._renew),
            "resumed": Turn(every=self._tick, work=self._pipeline.notice_resumed),
            "dead": Turn(every=timedelta(seconds=HEARTBEAT), work=self._pipeline.look_for_the_dead),
        }
        if Duty.POLL in self.duties:
            found["plan polls"] = Turn(every=self._tick, work=self._plan_polls, duty=Duty.POLL)
        if Duty.SEND in self.duties:
            found["plan sends"] = Turn(every=self._tick, work=self._plan_sends, duty=Duty.SEND)
            # A run whose last answers were rejected has nothing left to send: no job comes that would end it.
            found["end runs"] = Turn(
                every=self._tick, work=lambda: answer_runs.end(self._store, self._pipeline.clock()), duty=Duty.SEND
            )
        if Duty.WORK in self.duties:
            found["sweep"] = Turn(every=SWEEP_EVERY, work=self.sweep, duty=Duty.WORK)
            found["look alone"] = Turn(every=self._tick, work=self._look_alone, duty=Duty.WORK)
        return found

    def leads(self, duty: Duty) -> bool:
        """Whether this process does what one process of that duty does for all."""
        return f"lead {duty}" in self._loans

    def listens(self, wanted: Sequence[str], running: Iterable[str]) -> list[str]:
        """Those of the wanted streams that are this process's to open: each has one process.

        It asks for no more than it may have open, and first for those that it did not ask for in vain just now.
        """
        held = [name.removeprefix("stream ") for name in self._loans if name.startswith("stream ")]
        ours = dict.fromkeys([*running, *held])
        hopeful = [name for name in wanted if f"stream {name}" not in self._refused]
        self._streams = list(dict.fromkeys([*ours, *hopeful, *wanted]))[: max(MOST_STREAMS, len(ours))]
        return [name for name in wanted if name in held]

    def doing(self) -> str:
        """What it has in hand, in words; names of sources and accounts, nothing of people."""
        with self._telling:
            return ", ".join(f"{words} ({times})" if times > 1 else words for words, times in self._doing.items())

    def _renew(self) -> None:
        names = [*(f"lead {duty}" for duty in self.duties), *(f"stream {name}" for name in self._streams)]
        try:
            with self._store.write() as tx:
                self._loans = loans.take(tx, names, holder=self._name)
                loans.forget(tx)
            self._refused = set(names) - self._loans
        except Outage:
            self._loans = set()
            raise

    # --- jobs are made ------------------------------------------------------------------------------------------------

    def carry(self, tx: Transaction, mention_ids: Sequence[int]) -> None:
        """Makes jobs for these mentions in `tx`: they are there when the mentions are, and not before."""
        direct = jobs.addressing(tx, mention_ids)
        link = jobs.enter(tx)
        first, then = ([each for each in mention_ids if (each in direct) is ours] for ours in (True, False))
        for ids, priority in ((first, DIRECT), (then, 0)):
            parts: list[dict[str, Any]] = [{"ids": ids[at : at + JOB]} for at in range(0, len(ids), JOB)]
            if not parts:
                continue
            job = self._carrier.configure_task("digest", queue=Duty.WORK, priority=priority, connection=link)
            with _outages():
                job.batch_defer(*parts)

    def sweep(self) -> int:
        """Makes jobs for what waits to be read or decided and no job carries; gives how many mentions."""
        with self._store.write() as tx:
            found = jobs.uncarried(tx, "digest", SWEPT)
            if found:
                self.carry(tx, found)
        if found:
            log.info("Found what no job carried.", action="swept", mentions=len(found))
        return len(found)

    def _plan_polls(self) -> None:
        with self._store.read() as tx:
            due = sources.due(tx, self._pipeline.clock(), lease=budget.POLL_LEASE)
            queued = jobs.queued(tx, Duty.POLL)
        wanted = [
            ("poll", f"poll {source.account}", f"poll {source.name}", {"source": source.name})
            for source in due
            if source.account in self._pipeline.accounts and f"poll {source.name}" not in queued
        ]
        self._make(Duty.POLL, wanted)

    def _plan_sends(self) -> None:
        now = self._pipeline.clock()
        with self._store.read() as tx:
            resting = {account for account, until in rests.until(tx).items() if now < until <= now + budget.CEILING}
            due = jobs.to_send(tx, now)
            queued = jobs.queued(tx, Duty.SEND)
        wanted = [
            ("act", f"act {account}", f"act {account}", {"account": account})
            for account in sorted((due & set(self._pipeline.accounts)) - resting)
            if f"act {account}" not in queued
        ]
        self._make(Duty.SEND, wanted)

    def _make(self, duty: Duty, wanted: Sequence[tuple[str, str, str, dict[str, Any]]]) -> None:
        """Jobs as (task, of which lock one runs at a time, of which name one waits, what with), all or none."""
        if not wanted:
            return
        with self._store.write() as tx:
            link = jobs.enter(tx)
            for task, lock, once, values in wanted:
                job = self._carrier.configure_task(task, queue=duty, lock=lock, queueing_lock=once, connection=link)
                with suppress(AlreadyEnqueued), _outages(), tx.begin_nested():
                    job.defer(**values)

    def _draw(self, year: int, how_many: int) -> range:
        with self._store.write() as tx:
            tx.exec_driver_sql("SET LOCAL lock_timeout = '2s'")  # whoever has it may wait for what we hold
            return references.draw(tx, year, how_many)

    # --- jobs are done ------------------------------------------------------------------------------------------------

    def _digest(self, ids: list[int], **_later: object) -> None:
        """Reads and decides these mentions. What another process has in hand is waited for, but not for long."""
        busy = 0
        while not self._pipeline.stopping():
            with self._reading:
                read = self._pipeline.understand(ids)
            with self._deciding:
                judged = self._pipeline.decide(ids)
            if read or judged:
                continue
            with self._store.read() as tx:
                left = jobs.waiting(tx, ids)
            busy += 1
            if not left or busy > BUSY:
                return
            self._ended.wait(LOOK_AGAIN)

    def _poll(self, source: str, **_later: object) -> None:
        for heard in self._pipeline.poll(source=source):
            if heard.more:  # the next page is due at once, and another job's: every source of the account has its turn
                self._plan_polls()

    def _act(self, account: str, **_later: object) -> None:
        now = self._pipeline.clock()
        with self._store.read() as tx:
            until = rests.until(tx).get(account)
        if until is None or not now < until <= now + budget.CEILING:
            self._pipeline.act(account=account)

    def _look_alone(self) -> None:
        with self._reading, self._deciding:
            self._pipeline.look_alone()

    @contextmanager
    def _in_hand(self, words: str) -> Iterator[None]:
        with self._telling:
            self._doing[words] += 1
        try:
            yield
        finally:
            with self._telling:
                self._doing[words] -= 1
                self._doing += Counter()  # drops what is none

    def _task_of(self, name: str, words: Callable[..., str], work: Callable[..., None]) -> Callable[..., None]:
        def task(**values: Any) -> None:
            with self._in_hand(words(**values)):
                what = values.get("source") or values.get("account") or ""
                self._guard(f"{name} {what}".strip(), partial(work, **values))

        return task

    # --- the engine ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        """Takes jobs until it is ended; begins anew, after a moment, where the database went away."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._loop.set_exception_handler(_unheard)
        hands = sum(AT_ONCE[duty] for duty in self.duties)
        self._loop.set_default_executor(ThreadPoolExecutor(hands, thread_name_prefix="job"))
        while not self._ended.is_set():
            try:
                await self._work_until_it_breaks()
            except asyncio.CancelledError:
                return
            except Exception as error:  # noqa: BLE001 - whatever it was: the jobs must be taken again
                reasons = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
                self._note(reasons[0])
            try:
                await asyncio.sleep(1)
                await self._until_it_answers()
            except asyncio.CancelledError:
                return

    def _note(self, error: BaseException) -> None:
        """Tells of it as of any stage, of what is no outage as of a bug.

        A cut connection alone is no news: that the database is away is told by whoever asks it.
        """

        def fail() -> None:
            if not _is_away(error):
                raise error
            # No Away: the database answers others, and that it does must not count as the engine working.
            raise Outage(f"The database gives no jobs: {_reason(error)}.") from error

        now = time.monotonic()
        self._breaks = [*(each for each in self._breaks if now - each < SHAKY), now]
        if len(self._breaks) >= OFTEN or not _is_away(error):
            self._guard("jobs", fail)

    async def _until_it_answers(self) -> None:
        """Waits for the database. Asked in vain, the engine would ask ever more seldom, and be late when it is back.

        Under a name of its own: that the database answers does not say that jobs are taken.
        """
        self._answers = False
        while not self._answers:
            await asyncio.to_thread(self._guard, "jobs asked", self._ask)
            await asyncio.sleep(0 if self._answers else 1)

    def _ask(self) -> None:
        with self._store.read():
            self._answers = True

    async def _work_until_it_breaks(self) -> None:
        app = self._engine()
        async with app.open_async(), asyncio.TaskGroup() as group:
            for duty in self.duties:
                group.create_task(self._keep_working(app, duty), name=f"work {duty}")
                group.create_task(self._take_over(app, duty), name=f"take over {duty}")
            group.create_task(self._works(), name="works")

    async def _works(self) -> None:
        await asyncio.sleep(1)
        self._guard("jobs", lambda: None)

    async def _keep_working(self, app: App, duty: Duty) -> None:
        await app.run_worker_async(
            queues=[duty],
            name=self._name,
            concurrency=AT_ONCE[duty],
            install_signal_handlers=False,
            fetch_job_polling_interval=POLLING,
            abort_job_polling_interval=3600.0,  # nobody aborts one
            delete_jobs="always",  # what came of it stands in the rows
            update_heartbeat_interval=HEARTBEAT,
            stalled_worker_timeout=DEAD,
        )
        raise ConnectorException("its connection was cut")  # a worker ends by itself only where it cannot go on

    async def _take_over(self, app: App, duty: Duty) -> None:
        """Gives the jobs of processes that died or hang to others."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            if not self.leads(duty):
                continue
            await app.job_manager.prune_stalled_workers(DEAD)
            for job in await app.job_manager.get_stalled_jobs(queue=duty, seconds_since_heartbeat=DEAD):
                if job.task_name == "digest" and job.attempts + 1 >= DEADLY:
                    # Its machine may be gone, and with it what its processes had in hand.
                    await asyncio.to_thread(self._suspect, job)
                with suppress(ConnectorException):  # it ended meanwhile
                    await _to_others(app, job)
                    log.warning("A job that its process lost goes to another.", action="taken_over", task=job.task_name)

    def _suspect(self, job: Job) -> None:
        ids, stages = job.task_kwargs["ids"], list(suspects.AWAITED)
        with suppress(Outage):  # then it is found the next time that it kills
            suspect(self._store, ids, stages=stages, now=self._pipeline.clock())  # type: ignore[arg-type]

    def _engine(self) -> App:
        _, where = self._store.url.get_dialect()().create_connect_args(self._store.url)  # also of several servers
        app = App(
            connector=PsycopgConnector(
                min_size=1,
                max_size=4,
                timeout=10.0,
                reconnect_timeout=30.0,
                configure=_at_home,
                kwargs={"connect_timeout": 10, "keepalives_idle": 30, **where},
            )
        )
        tasks: tuple[tuple[str, Callable[..., str], Callable[..., None]], ...] = (
            ("digest", lambda ids, **_: f"reads and decides {len(ids)} mentions", self._digest),
            ("poll", lambda source, **_: f"polls {source}", self._poll),
            ("act", lambda account, **_: f"sends on {account}", self._act),
        )
        for name, words, work in tasks:
            app.task(name=name, queue="default")(self._task_of(name, words, work))
        return app


def _is_away(error: BaseException) -> bool:
    """Whether it is the database that does not answer the engine, and no bug."""
    return isinstance(error, ConnectorException | psycopg.Error | OSError)


def _unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What befell a task of the engine that nobody waits for; that the database is away is told by its end."""
    error = context.get("exception")
    if error is None or not _is_away(error):
        loop.default_exception_handler(context)


@contextmanager
def _outages() -> Iterator[None]:
    """Raises Outage where the database takes no job: Away where nobody reaches it."""
    try:
        yield
    except ConnectorException as error:
        kind = Away if _is_cut(error.__cause__ or error) else Outage
        raise kind(f"The database took no job: {_reason(error)}.") from error


def _reason(error: BaseException) -> str:
    """What is behind it, in one line."""
    cause = error.__cause__ or error
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def _is_cut(error: BaseException) -> bool:
    """Whether the connection is gone; a server that answers and refuses is not away."""
    state = getattr(error, "sqlstate", None)
    lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError)
    return lost and (state is None or state.startswith(GONE))


async def _at_home(link: Any) -> None:
    """Leads a connection to the queue's tables, in a way that a pooler lets through."""
    await link.execute("SELECT set_config('search_path', %s, false)", (jobs.schema(),))
    await link.commit()


async def _to_others(app: App, job: Job) -> None:
    """Lets another process do it. Where the next job of the same waits already, that one does what there is to do, and
    would wait for ever for the one that nobody ends.
    """
    try:
        await app.job_manager.retry_job(job)
    except UniqueViolation:
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
