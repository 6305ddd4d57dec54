"""Policies over the history that is stored: the run itself, in one process or several.

Nothing is sent and nothing is written: the decisions are made again in memory and counted.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from listener import situations
from listener.commands.app import App
from listener.commands.choosing import Chosen, Loads
from listener.errors import EscuchaError
from listener.flow import replay
from listener.flow.replay import Past
from listener.store import connect, replaying
from listener.store.replaying import Span
from listener.types import Facts

PIECE = 10_000  # decisions that one process takes at a time
WORTH_SHARING = 30_000  # decisions; below, other processes take longer to begin than they save

Changes = Callable[[Sequence[Mapping[str, Any]]], object]  # takes some mentions that come out otherwise, in order


@dataclass(frozen=True, kw_only=True)
class Window:
    """Which part of the history. `every`: also decisions that a newer one about the same mention replaced."""

    since: datetime | None = None
    network: str | None = None
    limit: int | None = None
    every: bool = False
    workers: int | None = None  # None: as many as help


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a process needs to know."""

    url: str
    connectors: str  # the name of the module
    policies: str
    config_path: Path
    chosen: tuple[Chosen, ...]  # one, or two to compare
    every: bool  # whether each mention that changes is told


# --- the run ---------------------------------------------------------------------------------------------------------


def replayed(app: App, policy: Chosen, window: Window) -> dict[str, Any]:
    """What that policy would have done, as `policies.replay` reports it."""
    return cast("dict[str, Any]", _run(app, (policy,), window).report())


def compared(app: App, old: Chosen, new: Chosen, window: Window, changes: Changes | None = None) -> dict[str, Any]:
    """Where two policies part, as `policies.replay` reports it. `changes` is given each mention that changes."""
    return cast("dict[str, Any]", _run(app, (old, new), window, changes).report())


def _run(app: App, chosen: tuple[Chosen, ...], window: Window, changes: Changes | None = None) -> Any:
    span = replay.whole(app.store, since=window.since, network=window.network, limit=window.limit, every=window.every)
    with app.store.read() as tx:
        total = replaying.count(tx, span)
    workers = window.workers or (cores() if total >= WORTH_SHARING else 1)
    with _progress(total) as advance:
        if workers == 1:
            return _Runner(app, chosen, changes).run(span, advance)
        return _shared(app, chosen, span, workers=workers, advance=advance, changes=changes)


def cores() -> int:
    """How many processors this process may use, at least 1; not every system tells which of all they are."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shared(
    app: App,
    chosen: tuple[Chosen, ...],
    span: Span,
    *,
    workers: int,
    advance: Callable[[int], None],
    changes: Changes | None,
) -> Any:
    job = _Job(
        url=app.store.url.render_as_string(hide_password=False),
        connectors=cast(ModuleType, app.connectors).__name__,
        policies=cast(ModuleType, app.policies).__name__,
        config_path=app.config_path,
        chosen=chosen,
        every=changes is not None,
    )
    with app.store.read() as tx:
        ends = replaying.ends(tx, span, PIECE)
    pieces = [replace(span, after=after, last=last) for after, last in zip([span.after, *ends], ends, strict=False)]
    whole = _Runner(app, chosen).tally
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(job,)) as pool:
        # In order, so that examples are the same however many work.
        for seen, tally, changed in pool.map(_piece, pieces):
            whole.merge(tally)
            if changes is not None:
                changes(changed)
            advance(seen)
    return whole


class _Runner:
    """Policies that are ready to decide what is read for them."""

    def __init__(self, app: App, chosen: tuple[Chosen, ...], changes: Changes | None = None) -> None:
        self._app = app
        self._changes = changes
        self._offered = cast(Loads, app.policies)
        self._loaded = [each.load(self._offered) for each in chosen]
        self._new_tally()

    def _new_tally(self) -> None:
        makers = self._offered.replay
        self._doing = (
            makers.Replay(*self._loaded)
            if len(self._loaded) == 1
            else makers.Comparison(*self._loaded, every=self._changes is not None)
        )

    @property
    def tally(self) -> Any:
        return self._doing.tally

    def run(self, span: Span, advance: Callable[[int], None]) -> Any:
        """The tally of that span."""
        self._new_tally()
        seen = 0
        for past in replay.past(self._app.store, span, networks=ways(self._app)):
            self._add(past)
            seen += 1
            if seen % replay.PAGE == 0:
                advance(replay.PAGE)
                self._hand_over()
        advance(seen % replay.PAGE)
        self._hand_over()
        return self.tally

    def _hand_over(self) -> None:
        if self._changes is not None:
            self._changes(self._doing.changes)
            self._doing.changes = []

    def _add(self, past: Past) -> None:
        if past.situation is None:
            self.tally.lose(str(past.lost))
            return
        decision = self._doing.add(
            past.mention_id, past.situation, had_case=past.had_case, answered_at=past.answered_at
        )
        if decision is not None and past.policy_version == self._loaded[0].version and past.fingerprint:
            same = situations.fingerprint(decision) == past.fingerprint
            self.tally.compare_with_the_past(past.decision_id, same)


def ways(app: App) -> Callable[[str, str], list[Facts]]:
    """How a network computes, by our account there and in general: what `replay.past` asks for."""

    def of(network: str, account: str) -> list[Facts]:
        found = []
        with suppress(EscuchaError):
            found.append(app.unasked(account).facts)
        with suppress(EscuchaError, ImportError):
            found.append(app.facts(network))
        return [facts for facts in found if facts.network == network]

    return of


# --- in another process ----------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Here:
    """What this process works with, once `_begin` has run."""

    runners: list[_Runner] = field(default_factory=list)
    changes: list[Mapping[str, Any]] = field(default_factory=list)  # of the piece at hand


_here = _Here()


def _begin(job: _Job) -> None:
    connectors, offered = (importlib.import_module(name) for name in (job.connectors, job.policies))
    app = App(connectors=cast(Any, connectors), policies=cast(Any, offered), config_path=job.config_path)
    app.__dict__["store"] = connect(job.url)
    gc.freeze()  # what is loaded by now stays, and need not be looked through again and again
    _here.runners = [_Runner(app, job.chosen, _here.changes.extend if job.every else None)]


def _piece(span: Span) -> tuple[int, Any, list[Mapping[str, Any]]]:
    _here.changes.clear()
    seen: list[int] = []
    tally = _here.runners[0].run(span, seen.append)
    return sum(seen), tally, list(_here.changes)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _many: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True))
    with bar:
        task = bar.add_task("", total=total)
        yield lambda many: bar.advance(task, many)
