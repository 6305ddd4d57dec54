"""Lives that end with kill -9 at a chosen instant: `python -m tests.system.mortal`. Knows no network.

Reads one life a line as JSON, forks a child that lives it, and answers with one JSON line: whether it died, how many
instants it had, and at which of them the network was about to be asked to write (`writes`). An instant is just before
and just after every commit, and just before and just after the network is asked to write.

A life is `folder` (where the store is), `network` (a module in `connectors/`), `settings` (for that module's
`Settings`), `query` (what to listen to), `die_at` (an instant, null: none), `later` (seconds that the clock is ahead),
`publishes` (whether marketing says something too) and `connect` (empty, or `package.module:function` that makes the
connector from the settings, where settings alone do not lead to a server on loopback).

What a test needs to do so is in `tests/system/kill.py`: one small class per network.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

import connectors
import policies
from connectors.sandbox import World
from listener import log
from listener import store as stores
from listener.contract import Connector
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import Store, inbox, notices
from listener.store.notices import Variant
from listener.store.sources import Wanted
from listener.types import DraftState, NoticeState
from tests import databases, made_once
from tests.listener.flow.world import AUTO, Keywords

NOTICE = "Aviso: hubo un error en las facturas y lo estamos corrigiendo."


class Instants:
    """Counts instants and dies at the chosen one, as from a power cut."""

    def __init__(self, die_at: int | None) -> None:
        self.passed = 0
        self.die_at = die_at
        self.writes: list[int] = []

    def __call__(self, *_: Any) -> None:
        if self.passed == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


def watch(store: Store, connector: Any, instants: Instants) -> None:
    """Makes every commit of the store and every write on the network an instant."""
    event.listen(store._engine, "commit", instants)
    write = store.write

    @contextmanager
    def watched() -> Iterator[Any]:
        with write() as tx:
            yield tx
        instants()

    store.write = watched  # type: ignore[method-assign]
    watch_writes(connector, instants)


def watch_writes(connector: Any, instants: Instants) -> None:
    for name in ("reply", "publish", "edit", "delete", "pin", "unpin"):
        if hasattr(connector, name):
            setattr(connector, name, around(getattr(connector, name), instants))


def around(call: Any, instants: Instants) -> Any:
    def watched(*arguments: Any) -> Any:
        instants.writes.append(instants.passed)
        instants()
        answer = call(*arguments)
        instants()
        return answer

    return watched


def maker(life: dict[str, Any]) -> Callable[[], Connector]:
    """What makes the connector of that life. Imports its library, so that only the first life pays for it."""
    network = connectors.load(life["network"])
    settings = network.Settings.model_validate(life["settings"])
    module, _, name = (life["connect"] or f"connectors.{life['network']}:connect").partition(":")
    connect = getattr(importlib.import_module(module), name)
    return lambda: connect(settings)


def live(life: dict[str, Any], make: Callable[[], Connector]) -> Instants:
    """One process's life: everything due is done, a moderator approves, marketing publishes."""
    folder, network = Path(life["folder"]), life["network"]
    store = stores.open(databases.at(folder))
    connector = make()
    instants = Instants(life["die_at"])
    watch(store, connector, instants)

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=life["later"])

    pipeline = Pipeline(
        store,
        accounts={"care": network},
        connect=lambda _: connector,
        network_facts=lambda _: connectors.load(network).FACTS,
        classifier=Keywords,
        policy=policies.load_text(AUTO),
        company=Company(case_pattern="ES", own_handles=frozenset({"@oficial@sandbox.example"})),
        clock=clock,
    )
    wanted = Wanted(
        name="mentions", account="care", network=network, query=life["query"], every=timedelta(milliseconds=1)
    )
    pipeline.start([wanted], by="test")
    for _ in range(3):
        pipeline.once()
        moderate(store, clock())
        if life["publishes"]:
            announce(store, network, clock())
        pipeline.act()
    store.close()
    return instants


def moderate(store: Store, now: datetime) -> None:
    """Approves whatever waits."""
    with store.read() as tx:
        waiting = inbox.waiting(tx, states=(DraftState.PROPOSED,))
    for draft in waiting:
        with store.write() as tx:
            inbox.approve(tx, draft, by="mod", now=now)


def announce(store: Store, network: str, now: datetime) -> None:
    """Brings one notice on its way, from wherever it stands."""
    with store.read() as tx:
        known = notices.listing(tx)
    if not known:
        variant = Variant(account="care", network=network, language="es", text=NOTICE, length=len(NOTICE), limit=500)
        with store.write() as tx:
            notices.draft(tx, title="Facturas", variants=[variant], by="ana", now=now)
    elif known[0].state is NoticeState.DRAFT:
        with store.write() as tx:
            notices.approve(tx, known[0], by="beto", now=now)
    elif known[0].state is NoticeState.APPROVED:
        with store.write() as tx:
            notices.publish(tx, known[0], by="beto", now=now)


def prepare() -> None:
    """Makes once what every fork would make again: a life on the network inside the process compiles its statements."""
    made_once.share()
    if databases.on_postgres():
        return
    with TemporaryDirectory() as folder:
        settings = {"world": f"{folder}/world.db"}
        life = {"folder": folder, "network": "sandbox", "settings": settings, "connect": "", "query": "mentions"}
        make = maker(life)
        with closing(World(Path(settings["world"]))) as world:
            world.person("ana")
            world.post("ana", "@marca ¿horario?")
        live(life | {"publishes": True, "die_at": None, "later": 0}, make)


def main() -> None:
    """Lives as many lives as are asked for."""
    log.start(form="json", level="warning")
    prepare()
    for line in sys.stdin:
        life = json.loads(line)
        make = maker(life)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            instants = live(life, make)
            os.write(writer, json.dumps({"instants": instants.passed, "writes": instants.writes}).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            told = json.loads(answer.read() or b"{}")
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        failed = not died and os.waitstatus_to_exitcode(status) != 0
        print(json.dumps({"died": died, "failed": failed, "instants": None, "writes": []} | told), flush=True)


if __name__ == "__main__":
    main()
