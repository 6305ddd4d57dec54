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
from listener.types import AlertState

if TYPE_CHECKING:
    from listener.store.alerts import Alert

LIMIT = 50


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
    with app.store.read() as tx:
        found = alerts.listing(tx, states=states, target=target, digest_id=digest, limit=limit + 1)
    listed = found[:limit]
    if as_json:
        output.print_json({"alerts": [_told(each) for each in listed], "more": len(found) > limit})
        return
    now = app.now()
    output.table(
        ["id", "when", "to", "what", "case", "state", "tries", "why not"],
        [
            (
                each.id,
                output.ago(each.made_at, now),
                each.target,
                each.subject,
                each.case,
                _state(each),
                each.attempts or "",
                each.reason,
            )
            for each in listed
        ],
        empty="Nothing was given up." if failed else "Nobody was to be told anything.",
        wide="what",
    )
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


def _state(alert: Alert) -> Any:
    if alert.state is AlertState.GATHERED:
        return f"in digest {alert.digest_id}"
    return output.styled(alert.state.value, "bold red" if alert.state is AlertState.FAILED else "")


def _told(alert: Alert) -> dict[str, Any]:
    """One alert with stable keys."""
    return {("key" if key == "send_key" else key): value for key, value in asdict(alert).items()}
