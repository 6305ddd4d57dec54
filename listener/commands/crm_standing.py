"""How it stands with each CRM: for `status`, `doctor`, `crm list` and `run`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from listener.commands import output
from listener.commands.app import App
from listener.errors import ConfigProblem, Mistake

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.crm_out import Backlog
    from listener.store.crm_ways import Way

LISTED = 20  # records that cannot be used, where they are listed
LATE = timedelta(minutes=10)  # a delivery goes out within seconds; later something is in its way


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One CRM of the settings, or one that something waits for although they name it no more (`kind` is empty)."""

    system: str
    kind: str
    takes: tuple[str, ...]
    gives: str
    into: Way | None
    out: Way | None
    backlog: Backlog
    records: int
    gone: int


def demand(app: App, *names: str) -> None:
    """Raises ConfigProblem or Mistake where one of those CRMs, or any, cannot be joined; nothing is asked of it."""
    from listener.desk import crm_records

    asked = names or tuple(app.config.crm)
    problems = [sentence for name in asked for sentence in app.config.crm[name].lacking]
    if problems:
        raise ConfigProblem(problems)
    for name in asked:
        naming = app.crm(name).connect().naming
        try:
            crm_records.check(naming)
        except Mistake as mistake:
            raise Mistake(f"crm.{name}.fields: {mistake}") from mistake


def standings(app: App, tx: Transaction) -> list[Standing]:
    """One for each CRM, by name."""
    from listener.store import crm_in, crm_out, crm_ways
    from listener.store.crm_out import Backlog

    ways = {(way.system, way.way): way for way in crm_ways.listing(tx)}
    backlogs, counts = crm_out.backlogs(tx), crm_in.counts(tx)
    systems = app.config.crm
    found = []
    for name in sorted({*systems, *backlogs}):
        settings: Any = systems[name].settings if name in systems else None
        records, gone = counts.get(name, (0, 0))
        found.append(
            Standing(
                system=name,
                kind=systems[name].kind if name in systems else "",
                takes=tuple(sorted(settings.takes)) if settings else (),
                gives=settings.gives if settings else "",
                into=ways.get((name, crm_ways.IN)),
                out=ways.get((name, crm_ways.OUT)),
                backlog=backlogs.get(name, Backlog()),
                records=records,
                gone=gone,
            )
        )
    return found


def troubles(app: App, standing: Standing, now: datetime) -> list[str]:
    """What a person should act on, a sentence each."""
    name, backlog, out, into = standing.system, standing.backlog, standing.out, standing.into
    deliveries = output.counted(backlog.waiting, "delivery").replace("deliverys", "deliveries")
    found = []
    if backlog.waiting and not standing.takes:
        found.append(
            f"{deliveries} for the CRM {name}, which by {app.config_path} takes nothing: name it there again, or let "
            f"them be."
        )
    elif out and out.failures and out.failing_since:
        since = output.spell(now - out.failing_since)
        waits = f", {backlog.waiting} wait" if backlog.waiting else ""
        found.append(
            f"Telling the CRM {name} has been failing for {since}{waits}: {(out.last_error or '').rstrip('.')}. Try "
            f"`escucha crm check {name}`."
        )
    elif backlog.oldest and now - backlog.oldest > LATE:
        found.append(
            f"{deliveries} for the CRM {name} should have gone out since {output.spell(now - backlog.oldest)}."
        )
    if backlog.given_up:
        were = "was" if backlog.given_up == 1 else "were"
        given_up = output.counted(backlog.given_up, "delivery").replace("deliverys", "deliveries")
        found.append(
            f"{given_up} to the CRM {name} {were} given up: `escucha crm deliveries --failed`, then `escucha crm retry "
            f"{name}`."
        )
    if into and into.failures and into.failing_since:
        since = output.spell(now - into.failing_since)
        found.append(
            f"What the CRM {name} has cannot be read for {since}: {(into.last_error or '').rstrip('.')}. Try `escucha "
            f"crm check {name}`."
        )
    if into and into.problems:
        (record, why), *_ = problems(standing, 1)
        found.append(
            f"{output.counted(len(into.problems), 'record')} of the CRM {name} cannot be used, such as {record}: "
            f"{why.rstrip('.')}. Mend them there; `escucha crm list` names more."
        )
    return found


def problems(standing: Standing, most: int) -> list[tuple[str, str]]:
    """The records that cannot be used and why, as many as `most`."""
    return list(islice((standing.into.problems if standing.into else {}).items(), most))


def row(standing: Standing, now: datetime) -> str:
    """One line for `status`."""
    parts = []
    if standing.gives:
        heard = output.ago(standing.into.succeeded_at, now) if standing.into and standing.into.succeeded_at else "never"
        gone = f", {standing.gone} deleted there" if standing.gone else ""
        parts.append(f"{output.counted(standing.records, 'record')}{gone}, last heard {heard}")
    if standing.takes:
        told = output.ago(standing.out.succeeded_at, now) if standing.out and standing.out.succeeded_at else "never"
        parts.append(f"{standing.backlog.waiting} to be told, last told {told}")
    allowance = next((way.allowance for way in (standing.into, standing.out) if way and way.allowance), "")
    return "; ".join([*parts, *([allowance] if allowance else [])])


def of_customer(tx: Transaction, customer_id: int, now: datetime) -> list[tuple[str, str]]:
    """Which record they are in which CRM, and whether it was deleted there; one row for each, for people."""
    from listener.store import crm_in

    return [
        (
            f"in {system}",
            f"{known.record}{f', deleted there {output.ago(known.gone_at, now)}' if known.gone_at else ''}",
        )
        for system, known in crm_in.of_customer(tx, customer_id)
    ]


def of_customer_plain(tx: Transaction, customer_id: int) -> list[dict[str, Any]]:
    """The same for programs; these keys stay."""
    from listener.store import crm_in

    return [
        {"crm": system, "record": known.record, "deleted_there": known.gone_at}
        for system, known in crm_in.of_customer(tx, customer_id)
    ]


def as_json(standing: Standing) -> dict[str, Any]:
    """For programs; these keys stay."""
    into, out = standing.into, standing.out
    return {
        "crm": standing.system,
        "system": standing.kind or None,
        "takes": standing.takes,
        "gives": standing.gives or None,
        "records": standing.records,
        "deleted_there": standing.gone,
        "waiting": standing.backlog.waiting,
        "oldest_waiting": standing.backlog.oldest,
        "given_up": standing.backlog.given_up,
        "last_told": out.succeeded_at if out else None,
        "last_heard": into.succeeded_at if into else None,
        "problems": into.problems if into else {},
        "telling_fails_since": out.failing_since if out else None,
        "telling_error": out.last_error if out else None,
        "reading_fails_since": into.failing_since if into else None,
        "reading_error": into.last_error if into else None,
        "allowance": next((way.allowance for way in (into, out) if way and way.allowance), None),
    }
