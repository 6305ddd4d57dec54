"""What is open beside a process that runs, for those who watch it: metrics, and traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from listener.commands.app import App

if TYPE_CHECKING:
    from listener.watching import Health, Watch


def beside(
    app: App, *, version: str, health: Callable[[], Health], roles: str = "all"
) -> list[AbstractContextManager[object]]:
    """What the settings ask for, to be open as long as the process runs. `roles`: what it does, as metrics name it."""
    settings = app.config.daemon
    found: list[AbstractContextManager[object]] = []
    if settings.watch:
        found.append(_watch(app, settings.watch, version=version, health=health, roles=roles))
    if settings.traces:
        found.append(_traced(app, settings.traces, version=version, roles=roles))
    return found


def _watch(app: App, listen: str, *, version: str, health: Callable[[], Health], roles: str) -> Watch:
    from listener.watching import Watch

    limits = app.allowances.items()
    budgets = {(name, period): getattr(each, period) for name, each in limits for period in ("day", "month")}
    return Watch(
        listen,
        store=app.store,
        health=health,
        clock=app.now,
        version=version,
        roles=roles,
        budgets={key: usd for key, usd in budgets.items() if usd is not None},
    )


@contextmanager
def _traced(app: App, collector: str, *, version: str, roles: str) -> Iterator[None]:
    from listener import tracing

    tracing.start(collector, version=version, roles=roles, share=app.config.daemon.trace_share)
    try:
        yield
    finally:
        tracing.stop()
