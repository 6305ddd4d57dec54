"""Timers, signals and liveness around the pipeline; no logic.

APScheduler only ticks: when a source is due stands in its row, so a restart forgets nothing.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from listener.errors import Outage
from listener.flow.pipeline import Pipeline
from listener.store import daemons

log = structlog.get_logger(__name__)

RECHECK_EVERY = timedelta(seconds=60)
ALIVE_EVERY = timedelta(seconds=5)


class Daemon:
    """One running process: ticks the stages until it is told to stop."""

    def __init__(self, pipeline: Pipeline, *, tick: timedelta, version: str) -> None:
        self._pipeline = pipeline
        self._tick = tick
        self._version = version
        self._started_at = pipeline.clock()
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._stopped = threading.Event()
        self._trouble: dict[str, str] = {}

    def run(self, *, handle_signals: bool = True, until: Callable[[], bool] = lambda: False) -> None:
        """Ticks until `stop`, a signal, or `until()`; then finishes what is in hand and leaves nothing half-done."""
        # A stage that outlasts its tick is no news: the next tick finds it still at work and leaves it alone.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        if handle_signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._on_signal)
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        for stage in ("poll", "digest", "act"):
            self._every(scheduler, stage, self._tick, getattr(self._pipeline, stage))
        self._every(scheduler, "recheck", RECHECK_EVERY, self._pipeline.recheck)
        self._every(scheduler, "alive", ALIVE_EVERY, self._alive)
        self._alive()
        scheduler.start()
        notify("READY=1")
        log.info("Listening.", action="started", daemon=self.name, accounts=len(self._pipeline.accounts))
        try:
            while not self._stopped.wait(0.2) and not until():
                pass
        finally:
            notify("STOPPING=1")
            self._pipeline.stop()
            scheduler.shutdown(wait=True)  # what is being sent is finished and written down
            self._farewell()
            log.info("Stopped; nothing is half-done.", action="stopped", daemon=self.name)

    def stop(self) -> None:
        """Asks `run` to end."""
        self._pipeline.stop()
        self._stopped.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # Only flags are set here: a handler that logs or locks could meet itself in the middle of either.
        self.stop()

    def _every(self, scheduler: BackgroundScheduler, name: str, every: timedelta, work: Callable[[], Any]) -> None:
        scheduler.add_job(
            self._guarded,
            "interval",
            args=(name, work),
            seconds=every.total_seconds(),
            id=name,
            next_run_time=self._pipeline.clock(),
        )

    def _guarded(self, name: str, work: Callable[[], Any]) -> None:
        """One tick of one stage. A database that is away is logged once going down and once coming back."""
        try:
            work()
        except Outage as error:
            if self._trouble.get(name) != str(error):
                log.error("A stage waits.", action="stage_down", stage=name, reason=str(error))
            self._trouble[name] = str(error)
        except Exception:
            log.exception("A stage broke; it goes on at the next tick.", action="stage_bug", stage=name)
        else:
            if self._trouble.pop(name, None):
                log.info("The stage works again.", action="stage_up", stage=name)

    def _alive(self) -> None:
        with self._pipeline.store.write() as tx:
            daemons.alive(
                tx, name=self.name, version=self._version, started_at=self._started_at, now=self._pipeline.clock()
            )
        notify("WATCHDOG=1")

    def _farewell(self) -> None:
        try:
            with self._pipeline.store.write() as tx:
                daemons.gone(tx, self.name)
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
