"""Lives that correct a notice and end with kill -9 at a chosen instant: `python -m tests.system.mortal_amending`.

Speaks the lines of `tests.system.mortal`. A life is `folder`, `accounts` (settings by account, with `network`),
`die_at`, `later`, and `corrects` (whether it goes on to correct the notice that it published).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import connectors
import policies
from listener import log
from listener import store as stores
from listener.desk import amending, notice_pages
from listener.desk.notices import Outlet
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import Store, amendments, notices
from listener.store.notices import Variant
from listener.types import FollowUp, NoticeState
from tests import databases
from tests.listener.flow.world import AUTO, Keywords
from tests.system.mortal import Instants, prepare, watch, watch_writes

SAID = {"es": "Corte en Lleida hasta las 17 h.", "en": "Outage in Lleida until 5 pm."}
RIGHT = {"es": "Corte en Lleida hasta las 18 h.", "en": "Outage in Lleida until 6 pm."}


def live(life: dict[str, Any]) -> Instants:
    """One process's life: what is due is done, and marketing goes on from wherever it stands."""
    store = stores.open(databases.at(life["folder"]))
    instants = Instants(life["die_at"])
    networks = {name: given["network"] for name, given in life["accounts"].items()}
    made: dict[str, Any] = {}
    for name, given in life["accounts"].items():
        module = connectors.load(given["network"])
        rest = {key: value for key, value in given.items() if key != "network"}
        made[name] = module.connect(module.Settings.model_validate(rest))
    first, *others = made.values()
    watch(store, first, instants)
    for connector in others:
        watch_writes(connector, instants)

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=life["later"])

    pipeline = Pipeline(
        store,
        accounts=networks,
        connect=lambda account: made[account],
        network_facts=lambda network: connectors.load(network).FACTS,
        classifier=Keywords,
        policy=policies.load_text(AUTO),
        company=Company(case_pattern="ES"),
        clock=clock,
    )
    pipeline.start([], by="test")
    outlets = [Outlet(account=name, facts=connector.facts) for name, connector in made.items()]
    for _ in range(3):
        announce(store, outlets, clock())
        if life["corrects"]:
            correct(store, outlets, clock())
        pipeline.act()
    store.close()
    return instants


def announce(store: Store, outlets: list[Outlet], now: datetime) -> None:
    """Publishes the notice, once."""
    with store.read() as tx:
        if notices.listing(tx):
            return
    variants = [
        Variant(
            account=outlet.account,
            network=outlet.facts.network,
            language=language,
            text=text,
            length=outlet.facts.count(text),
            limit=outlet.facts.limit,
        )
        for outlet in outlets
        for language, text in SAID.items()
    ]
    with store.write() as tx:
        made = notices.draft(tx, title="Corte", variants=variants, by="marta", now=now)
        notices.publish(tx, notices.approve(tx, made, by="luis", now=now), by="luis", now=now)


def correct(store: Store, outlets: list[Outlet], now: datetime) -> None:
    """Corrects it, once: what the command does in its one transaction."""
    with store.read() as tx:
        notice = notices.get(tx, 1)
        if notice.state is not NoticeState.PUBLISHED or amendments.of_notice(tx, 1):
            return
        there = amending.out(notice, [])
    written = notice_pages.from_options("", [f"{language}={text}" for language, text in RIGHT.items()], (), ())
    plan = amending.correct(notice, there, written, outlets)
    with store.write() as tx:
        amendments.order(tx, 1, plan.edits, by="marta", now=now)
        variants = [each.variant for each in plan.followed]
        follows = (1, FollowUp.CORRECTION)
        below = notices.draft(tx, title="Corte", variants=variants, follows=follows, by="marta", now=now)
        notices.publish(tx, notices.approve(tx, below, by="luis", now=now), by="luis", now=now)


def main() -> None:
    """Lives as many lives as are asked for."""
    log.start(form="json", level="warning")
    prepare()
    for line in sys.stdin:
        life = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            instants = live(life)
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
    for network in ("mastodon", "x"):
        connectors.load(network)  # once, for all lives
    main()
