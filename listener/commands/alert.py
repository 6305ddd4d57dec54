"""`escucha alert`: what our own people were told, whether it reaches them, and trying again what did not."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from listener.commands import output
from listener.commands.app import App, pass_app
from listener.errors import Mistake, NotFound
from listener.types import AlertState, Urgency

if TYPE_CHECKING:
    from datetime import datetime

    from rich.text import Text

    from listener.store import Transaction
    from listener.store.alerts import Alert
    from listener.store.alerts_told import Pace

LIMIT = 50
LONGEST_NAME = 20  # columns of a target's name in the list


@click.group()
def alert() -> None:
    """Messages to our own people, by webhook or mail: list them, test a target, send again."""


@alert.command("list")
@click.option("--to", "target", metavar="NAME", help="Only this target's.")
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--digest", type=click.IntRange(1), metavar="ID", help="Only those that this digest tells.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="How many at most.")
@output.json_option
@pass_app
def list_(app: App, *, target: str | None, failed: bool, digest: int | None, limit: int, as_json: bool) -> None:
    """What was to be told, the newest first, and what came of it."""
    from listener.store import alerts

    states = (AlertState.FAILED,) if failed else tuple(AlertState)
    now = app.now()
    with app.store.read() as tx:
        found = alerts.listing(tx, states=states, target=target, digest_id=digest, limit=limit + 1)
        listed = found[:limit]
        paces = _paces(app, tx, listed, now)
    if as_json:
        output.print_json({"alerts": [_told(each, paces) for each in listed], "more": len(found) > limit})
        return
    if not listed:
        output.say("Nothing was given up." if failed else "Nobody was to be told anything.")
        return
    _print(listed, paces, now)
    if len(found) > limit:
        output.say(f"There are more; see them with --limit {limit * 4}.")


@alert.command()
@click.argument("name")
@output.json_option
@pass_app
def test(app: App, name: str, as_json: bool) -> None:
    """Send one message to the target NAME now, and say what came of it.

    It stands in no list and is not tried again.
    """
    from listener.flow.alert import compose
    from listener.store.alerts import Alert

    target = app.targets.get(name)
    if target is None:
        names = ", ".join(app.targets) or "none"
        raise NotFound(f"There is no target {name!r} in {app.config_path}; there is: {names}.")
    now = app.now()
    made = Alert.of_a_test(name, by=app.actor, send_key=uuid4().hex, now=now)
    reach = target.reach()
    began = time.monotonic()
    remark = reach.alert(compose(made, to=target.to))
    took = time.monotonic() - began
    settings = app.config.alerts[name]
    place = settings.place
    if as_json:
        output.print_json({"target": name, "place": place, "seconds": round(took, 3), "remark": remark or None})
        return
    signed = "" if settings.mail else ", signed" if settings.key else ", not signed: there is no secret"
    output.say(f"{name}: delivered to {place} in {took:.1f} s{signed}.")
    if remark:
        output.say(remark)


@alert.command()
@click.option("--to", "target", metavar="NAME", help="Only this target's.")
@output.json_option
@pass_app
def retry(app: App, target: str | None, as_json: bool) -> None:
    """Try again now: what was given up, and what waits for a target that rests.

    A running daemon sends it; each goes under the key that it had.
    """
    from listener.store import alerts

    if target is not None and target not in app.config.alerts:
        raise Mistake(f"There is no target {target!r} in {app.config_path}; nothing could be sent to it.")
    with app.store.write() as tx:
        again = alerts.retry(tx, by=app.actor, now=app.now(), target=target)
    if as_json:
        output.print_json({"again": again})
        return
    output.say(f"{output.counted(len(again), 'alert')} that had been given up will be sent again; no target rests.")


# --- how they stand --------------------------------------------------------------------------------------------------


def _paces(app: App, tx: Transaction, listed: list[Alert], now: datetime) -> dict[str, Pace]:
    """What holds back the targets that something listed waits for, by name; none for one that the settings lack."""
    from listener import budget
    from listener.store import alerts_told

    names = {each.target for each in listed if each.state is AlertState.WAITING and each.target in app.config.alerts}
    hourly = {name: app.config.alerts[name].hourly for name in sorted(names)}
    return {
        name: alerts_told.pace(tx, name, hourly=most, longest_rest=budget.CEILING, now=now)
        for name, most in hourly.items()
    }


def _print(listed: list[Alert], paces: dict[str, Pace], now: datetime) -> None:
    """Two lines an alert: how it stands; what it is about, and why nobody was told."""
    from rich.text import Text

    headers = [output.styled(header, "bold") for header in ("ID", "TO", "STATE", "MADE", "TRIES", "CASE")]
    rows = [headers, *(_cells(each, now) for each in listed)]
    columns = [list(column) for column in zip(*rows, strict=True) if any(cell.plain for cell in column[1:])]
    for column in columns[:-1]:
        room = max(cell.cell_len for cell in column) + 2
        for cell in column:
            cell.pad_right(room - cell.cell_len)
    for number, cells in enumerate(zip(*columns, strict=True)):
        output.show(Text.assemble(*cells))
        if number:
            each = listed[number - 1]
            told = (each.subject.removeprefix(f"{each.case}: "), _why_not(each, paces, now))
            output.block("; ".join(part for part in told if part), indent=4)


def _cells(alert: Alert, now: datetime) -> list[Text]:
    state = f"in digest {alert.digest_id}" if alert.state is AlertState.GATHERED else alert.state.value
    return [
        output.styled(alert.id, "bold"),
        output.styled(output.clip(alert.target, LONGEST_NAME)),
        output.styled(state, "bold red" if alert.state is AlertState.FAILED else ""),
        output.styled(output.ago(alert.made_at, now)),
        output.styled(alert.attempts or ""),
        output.styled(alert.case),
    ]


def _why_not(alert: Alert, paces: dict[str, Pace], now: datetime) -> str:
    """Why the last try came to nothing, and until when it waits."""
    if alert.state is not AlertState.WAITING:
        return alert.reason
    reason = f"{alert.reason.rstrip('.')}; " if alert.reason else ""
    return reason + _waits(alert, paces, now)


def _waits(alert: Alert, paces: dict[str, Pace], now: datetime) -> str:
    from listener.store import alerts, alerts_told

    held = paces.get(alert.target)
    if held is None:
        return "the settings name no such target"
    at = alerts_told.goes_at(alert, held)
    when = f", {output.ago(at, now)}" if at > now else ""
    if at == held.rests_until:
        return f"{alert.target} rests, next try {output.ago(at, now)}"
    holds = held.full_for(alert)
    critical = alert.urgency == Urgency.CRITICAL
    if held.gathers and not alert.attempts and alert.kind != alerts.DIGEST and (holds or not critical):
        return f"in the next digest{when}"
    if at == holds:
        return f"{alert.target} has had its messages of this hour, next try {output.ago(at, now)}"
    return f"next try {output.ago(at, now)}" if at > now else "goes out when a daemon runs"


def _told(alert: Alert, paces: dict[str, Pace]) -> dict[str, Any]:
    """One alert with stable keys; `next_try_at` is null where none is to come."""
    from listener.store import alerts_told

    told = {("key" if key == "send_key" else key): value for key, value in asdict(alert).items()}
    held = paces.get(alert.target)
    waits = alert.state is AlertState.WAITING and held is not None
    return {**told, "next_try_at": alerts_told.goes_at(alert, held) if waits and held else None}
