"""Timers, signals and liveness around the pipeline; no logic.

APScheduler only ticks: when a source is due stands in its row, so a restart forgets nothing. A stream has a thread of
its own for as long as it is open, at most `MOST_STREAMS` of them; sources beyond that are polled only.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType
from typing import Any, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from listener import inhand, metrics
from listener.contract import BEAT
from listener.errors import Away, LeftBehind, Outage
from listener.flow.pipeline import Pipeline
from listener.log import logger
from listener.store import daemons, lives
from listener.store.clock import Clock
from listener.types import Duty
from listener.watching import Health

log = logger(__name__)

RECHECK_EVERY = timedelta(seconds=60)
SPOT_EVERY = timedelta(seconds=60)
RETAIN_EVERY = timedelta(minutes=10)  # a bounded part each time: what is due today is gone today
ALIVE_EVERY = timedelta(seconds=5)
STANDARD_ERROR = 2  # its file, which takes a word without a lock
LOOK_EVERY = 0.2  # seconds between two looks whether to stop
MOST_STREAMS = 32  # open at once in one process
HANGS = 60.0  # seconds after which a loop that comes round five times a second hangs
ENDLESS = 900.0  # seconds for which the model or the policy may look at the same mentions before the process hangs
SILENT = 30.0  # seconds for which the database may take no sign of life before it counts as away
NO_MEMORY = "This machine has no memory left for it."
UNBORN = 8.0  # seconds after which a thread that has not begun never will
JUMP = 2.0  # seconds by which the clock may drift between two looks before it has jumped


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What is done every so often. `duty`: whose it is where processes share the work, done by one of them for all;
    None: everybody's. `carried`: where they share it, jobs carry it instead.
    """

    every: timedelta
    work: Callable[[], Any]
    duty: Duty | None = None
    carried: bool = False


class Crew(Protocol):
    """What a process knows of the others that it shares the work with; see `cluster.py`."""

    duties: frozenset[Duty]

    def join(self, name: str, guard: Callable[[str, Callable[[], Any]], None]) -> None:
        """Hands over the process's name, and how what is done is guarded."""

    def turns(self) -> Mapping[str, Turn]:
        """What is to be done besides."""

    def leads(self, duty: Duty) -> bool:
        """Whether this process does what one process of that duty does for all."""

    def listens(self, wanted: Sequence[str], running: Iterable[str]) -> list[str]:
        """The streams that are this process's."""

    def doing(self) -> str:
        """What is in hand."""


class Daemon:
    """One running process: ticks the stages until it is told to stop."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        tick: timedelta,
        version: str,
        beside: Sequence[AbstractContextManager[object]] = (),
        crew: Crew | None = None,
    ) -> None:
        """`beside`: what is open as long as it runs; `health` may be asked by it.

        `crew`: with whom it shares the work; None: it does all of it.
        """
        self._pipeline = pipeline
        self._beside = beside
        self._tick = tick
        self._version = version
        self._started_at = pipeline.clock()
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._looked = time.monotonic()  # when the loop below last came round
        self._wrote: float | None = None  # when the database last took that we live
        self._ended = False
        self._stopped = threading.Event()
        self._trouble: dict[str, str] = {}  # what stands in a stage's way, by stage
        self._away = ""  # that the database is away, in the words that whoever met it first had for it
        self._telling = threading.Lock()
        self._unborn: dict[threading.Thread, float] = {}  # threads that did not begin, since when
        self._streams: dict[str, threading.Thread] = {}
        self._left: list[threading.Thread] = []  # that hang in a stream
        self._left_behind: LeftBehind | None = None
        self._crew = crew
        if crew:
            crew.join(self.name, self._guarded)

    def run(self, *, handle_signals: bool = True) -> None:
        """Ticks until `stop` or a signal; then finishes what is in hand and leaves nothing half-done.

        Raises LeftBehind, after that, where the tables became too new for this version.
        """
        with ExitStack() as stack:
            for each in self._beside:
                stack.enter_context(each)
            self._run(handle_signals=handle_signals)
        if self._left_behind:
            raise self._left_behind

    def _run(self, *, handle_signals: bool) -> None:
        # A stage that outlasts its tick is no news: the next tick finds it still at work and leaves it alone.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        if handle_signals:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._on_signal)
        self._take_over()
        scheduler = self._scheduler()
        scheduler.start()
        notify("READY=1")
        log.info("Listening.", action="started", daemon=self.name, accounts=len(self._pipeline.accounts))
        drift, fed = time.time() - time.monotonic(), 0.0
        try:
            while not self._stopped.wait(LOOK_EVERY):
                self._looked = time.monotonic()
                if abs(time.time() - time.monotonic() - drift) > JUMP:
                    drift = time.time() - time.monotonic()
                    self._clock_jumped(scheduler)
                if time.monotonic() - fed > ALIVE_EVERY.total_seconds() and inhand.longest() < ENDLESS:
                    fed = time.monotonic()
                    self._look_for_the_unborn()
                    notify("WATCHDOG=1")
        finally:
            self._ended = True
            notify("STOPPING=1")
            self._pipeline.stop()
            scheduler.shutdown(wait=True)  # what is being sent is finished and written down
            self._leave_streams()
            self._farewell()
            inhand.stop()
            log.info("Stopped; nothing is half-done.", action="stopped", daemon=self.name)

    def _take_over(self) -> None:
        """Learns what processes that died here had in hand; a database that is away stops no start."""
        try:
            self._pipeline.take_over(self.name)
        except Outage as error:
            log.error("A stage waits.", action="stage_down", stage="take over", reason=str(error))

    def health(self) -> Health:
        """How this process is, for whoever watches it. Asks nobody: what the last signs of life met is known."""
        now = time.monotonic()
        hangs = "" if now - self._looked < HANGS else f"its loop has not come round for {now - self._looked:.0f} s"
        if not hangs and (looks := inhand.longest()) > ENDLESS:
            hangs = f"it has looked at one mention for {looks:.0f} s"
        if self._ended or self._stopped.is_set():
            waits = "it stops"
        elif self._wrote is None:
            waits = self._trouble.get("alive", "it starts")
        elif now - self._wrote > SILENT:
            waits = self._trouble.get("alive", f"the database has taken nothing for {now - self._wrote:.0f} s")
        else:
            waits = self._trouble.get("alive", "")
        return Health(hangs=hangs, waits=waits, hurts=[*filter(None, [self._pipeline.ruler.trouble]), *self._hurts()])

    def _hurts(self) -> list[str]:
        """What it does without, in sentences; why nothing is decided stands apart."""
        told = dict(self._trouble)
        waits = told.pop("alive", "")  # that stands apart, and what meets the same is no news
        alike: dict[str, list[str]] = {}
        for name, why in told.items():
            if why != waits:
                alike.setdefault(why, []).append(name)
        broken = [
            f"The stage {names[0]} breaks ({why}); the rest goes on, see the log."
            if len(names) == 1
            else f"The stages {', '.join(names)} break ({why}); the rest goes on, see the log."
            for why, names in alike.items()
        ]
        clock = self._pipeline.clock.trouble if isinstance(self._pipeline.clock, Clock) else ""
        return [*filter(None, [self._pipeline.reader.trouble, clock]), *broken]

    def _scheduler(self) -> BackgroundScheduler:
        """One job for each stage; where it waits for a network one for each account, so that none waits for another."""
        turns = self._shared(self._turns())
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(turns))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        for name, turn in turns.items():
            scheduler.add_job(
                self._guarded,
                "interval",
                args=(name, turn.work),
                seconds=turn.every.total_seconds(),
                id=name,
                next_run_time=datetime.now(UTC),  # the scheduler goes by this machine's clock
            )
        return scheduler

    def _turns(self) -> dict[str, Turn]:
        pipeline, tick = self._pipeline, self._tick
        turns = {
            "alive": Turn(every=ALIVE_EVERY, work=self._alive),
            "streams": Turn(every=tick, work=self._open_streams, duty=Duty.POLL),
            "digest": Turn(every=tick, work=pipeline.digest, duty=Duty.WORK, carried=True),
            "forget": Turn(every=RECHECK_EVERY, work=pipeline.forget, duty=Duty.WORK),
            "compare": Turn(every=RECHECK_EVERY, work=pipeline.compare, duty=Duty.WORK),
            "retain": Turn(every=RETAIN_EVERY, work=pipeline.retain, duty=Duty.WORK),
            "spot": Turn(every=SPOT_EVERY, work=pipeline.spot, duty=Duty.WORK),
            "watch": Turn(every=tick, work=pipeline.watch, duty=Duty.WORK),
            "assign": Turn(every=tick, work=pipeline.assign, duty=Duty.WORK),
            "incidents": Turn(every=tick, work=pipeline.gather, duty=Duty.WORK),
            "release": Turn(every=tick, work=pipeline.release, duty=Duty.SEND),
            "alerts": Turn(every=RECHECK_EVERY, work=pipeline.strand_alerts, duty=Duty.SEND),
        }
        for account in pipeline.accounts:
            poll, act, recheck = (
                partial(each, account=account) for each in (pipeline.poll, pipeline.act, pipeline.recheck)
            )
            turns[f"poll {account}"] = Turn(every=tick, work=poll, duty=Duty.POLL, carried=True)
            turns[f"act {account}"] = Turn(every=tick, work=act, duty=Duty.SEND, carried=True)
            turns[f"recheck {account}"] = Turn(every=RECHECK_EVERY, work=recheck, duty=Duty.POLL)
        for target in pipeline.targets:
            turns[f"alert {target}"] = Turn(every=tick, work=partial(pipeline.alert, target=target), duty=Duty.SEND)
        for system in pipeline.systems:
            turns[f"tell {system}"] = Turn(every=tick, work=partial(pipeline.deliver, system=system), duty=Duty.SEND)
            turns[f"ask {system}"] = Turn(every=tick, work=partial(pipeline.pull, system=system), duty=Duty.POLL)
        if pipeline.systems:
            turns["forget crms"] = Turn(every=RECHECK_EVERY, work=pipeline.forget_crms, duty=Duty.SEND)
        return turns

    def _shared(self, turns: Mapping[str, Turn]) -> dict[str, Turn]:
        """Of these, with a crew, its own: what one process does for all waits until that is this one."""
        crew = self._crew
        if crew is None:
            return dict(turns)
        ours = {
            name: turn
            for name, turn in turns.items()
            if turn.duty is None or (turn.duty in crew.duties and not turn.carried)
        }
        everybodys = {"streams"}  # each stream has one process, and each process some of them

        def led(turn: Turn) -> Callable[[], Any]:
            return lambda: turn.work() if turn.duty is None or crew.leads(turn.duty) else None

        return {
            name: turn if name in everybodys else replace(turn, work=led(turn))
            for name, turn in {**ours, **crew.turns()}.items()
        }

    def _clock_jumped(self, scheduler: BackgroundScheduler) -> None:
        """The scheduler plans by the wall clock; one that was set back must not make it wait for the old time."""
        log.warning("The clock jumped.", action="clock_jump")
        for job in scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Asks `run` to end."""
        self._pipeline.stop()
        self._stopped.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # Only flags are set here: a handler that logs or locks could meet itself in the middle of either.
        if not self._stopped.is_set() and os.isatty(STANDARD_ERROR):
            with suppress(OSError):
                os.write(STANDARD_ERROR, "\rStopping …\n".encode())  # over the terminal's ^C
        self.stop()

    def _look_for_the_unborn(self) -> None:
        """A thread that died for lack of memory before it began leaves whoever began it waiting for ever.

        So nothing can be ended in order: this process ends as a kill would, to be started again.
        """
        now = time.monotonic()
        there = [thread for thread in threading.enumerate() if thread.ident is None]
        self._unborn = {thread: self._unborn.get(thread, now) for thread in there}
        if any(now - since > UNBORN for since in self._unborn.values()):
            log.critical("No memory is left; ends, to be started again. Nothing is lost.", action="no_memory")
            os._exit(1)

    def _guarded(self, name: str, work: Callable[[], Any]) -> None:
        """One tick of one stage. What stands in its way is logged once going down and once coming back.

        A database that is away, a full disk, or a lack of memory stands in the way of many: that is said once for all.
        """
        started = time.perf_counter()
        try:
            work()
        except LeftBehind as error:
            self._leave(error)
        except (Outage, MemoryError) as error:
            metrics.error(name.split(maxsplit=1)[0], error)
            reason = str(error) if isinstance(error, Outage) else NO_MEMORY
            self._waits(name, reason, away=isinstance(error, Away))
        except Exception as bug:
            metrics.error(name.split(maxsplit=1)[0], bug)
            if self._trouble.get(name) != repr(bug):
                log.exception("A stage broke; it goes on at the next tick.", action="stage_bug", stage=name)
            self._trouble[name] = repr(bug)
        else:
            self._works(name)
        finally:
            if not name.startswith("stream "):  # which lasts as long as it is open
                metrics.turn(name.split(maxsplit=1)[0], time.perf_counter() - started)

    def _leave(self, error: LeftBehind) -> None:
        """Stops for good: no stage may write any more."""
        with self._telling:
            said, self._left_behind = self._left_behind, error
        if said is None:
            log.critical("Another version is needed; stops.", action="left_behind", reason=str(error))
            self.stop()

    def _waits(self, name: str, reason: str, *, away: bool) -> None:
        with self._telling:
            if away:  # a server that ends and begins has ever other words for it
                self._away = reason = self._away if self._away in self._trouble.values() else reason
            known = reason in self._trouble.values()
            self._trouble[name] = reason
        if not known:
            log.error("A stage waits, and others that meet the same.", action="stage_down", stage=name, reason=reason)

    def _works(self, name: str) -> None:
        """The stage ran. Where it is the sign that we live, so may all that met what it met, and the streams.

        They would say so late: some run every ten minutes, and a stream lasts as long as it is open.
        """
        with self._telling:
            reason = self._trouble.pop(name, None)
            gone = {reason} if reason else set()
            if name == "alive":
                same = (reason, self._away)
                met = {each for each, why in self._trouble.items() if why in same or each.startswith("stream ")}
                gone |= {self._trouble.pop(each) for each in met}
            over = gone - set(self._trouble.values())
        for each in sorted(over):
            log.info("The stage works again, and all that met the same.", action="stage_up", stage=name, reason=each)

    def _open_streams(self) -> None:
        """A thread for each stream that should be open and is not."""
        self._streams = {name: thread for name, thread in self._streams.items() if thread.is_alive()}
        self._left = [thread for thread in self._left if thread.is_alive()]
        self._left += [self._streams.pop(name) for name in self._pipeline.give_up_streams() if name in self._streams]
        wanted = self._pipeline.streams()
        if self._crew:
            wanted = self._crew.listens(wanted, self._streams)
        for name in wanted:
            if name in self._streams or len(self._streams) + len(self._left) >= MOST_STREAMS:
                continue
            work = partial(self._guarded, f"stream {name}", partial(self._pipeline.stream, name))
            thread = threading.Thread(target=work, name=f"stream {name}", daemon=True)
            self._streams[name] = thread
            thread.start()
        metrics.streams(len(self._streams))

    def _leave_streams(self) -> None:
        """Each stream ends at its next beat. One that does not is left behind: nothing it brings is half stored."""
        until = time.monotonic() + BEAT
        for thread in self._streams.values():
            thread.join(max(0.0, until - time.monotonic()))

    def _alive(self) -> None:
        policy = self._pipeline.ruler.policy
        if isinstance(self._pipeline.clock, Clock):
            self._pipeline.clock.look()
        lives.recognise(self._pipeline.store, self._pipeline.clock())  # a sign of life counts as known
        with self._pipeline.store.write() as tx:
            daemons.alive(
                tx,
                name=self.name,
                version=self._version,
                started_at=self._started_at,
                now=self._pipeline.clock(),
                policy=policy.version if policy else "",
                trouble=self._pipeline.ruler.trouble,
                hurts=self._hurts(),
                reads=self._pipeline.reader.reads,
                roles=sorted(self._crew.duties) if self._crew else (),
                doing=self._crew.doing() if self._crew else "",
            )
        self._wrote = time.monotonic()

    def _farewell(self) -> None:
        try:
            with self._pipeline.store.write(leaving=True) as tx:
                daemons.gone(tx, self.name, self._pipeline.clock())
        except Outage as error:
            log.warning("Could not sign off.", action="stage_down", stage="alive", reason=str(error))


def notify(state: str) -> None:
    """Tells systemd how we are (sd_notify(3)); silent where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.sendto(state.encode(), address)
    except OSError as error:
        log.debug("systemd did not listen.", action="notify", reason=str(error))
