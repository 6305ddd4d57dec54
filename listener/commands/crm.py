"""`escucha crm`: the systems where customers are kept elsewhere, what they give and what they are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from listener.commands import crm_standing, output
from listener.commands.app import App, pass_app
from listener.errors import Mistake
from listener.types import AlertState

if TYPE_CHECKING:
    from listener.flow.pull import Pulled
    from listener.store.crm_out import Delivery

LIMIT = 50


@click.group()
def crm() -> None:
    """Where else customers are kept: what such systems give, and what they are told."""


@crm.command("list")
@output.json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """Every CRM of the settings, and how it stands."""
    now = app.now()
    with app.store.read() as tx:
        found = crm_standing.standings(app, tx)
    if as_json:
        output.print_json({"crms": [crm_standing.as_json(each) for each in found]})
        return
    if not found:
        output.say(f"{app.config_path} names no CRM; docs/crm.md shows how one is written there.")
    for each in found:
        output.heading(f"{each.system}  {each.kind or 'not in the settings'}")
        output.fields(
            [
                ("gives", each.gives or "nothing"),
                ("takes", each.takes or "nothing"),
                ("stands", crm_standing.row(each, now)),
            ]
        )
        for trouble in crm_standing.troubles(app, each, now):
            output.block(f"• {trouble}", style="yellow")
        for record, why in crm_standing.problems(each, crm_standing.LISTED):
            output.block(f"{record}: {why}", indent=4)


@crm.command()
@click.argument("name")
@output.json_option
@pass_app
def check(app: App, name: str, as_json: bool) -> None:
    """Ask the CRM NAME something that changes nothing there, and say what came of it."""
    system = app.crm(name)
    began = time.monotonic()
    said = system.connect().check()
    took = time.monotonic() - began
    if as_json:
        output.print_json({"crm": name, "said": said, "seconds": round(took, 3)})
        return
    output.say(f"{name}: {said} ({took:.1f} s).")


@crm.command()
@click.argument("name", required=False)
@output.json_option
@pass_app
def push(app: App, name: str | None, as_json: bool) -> None:
    """Tell the CRMs, or only NAME, now what waits for them, also those that rest.

    A running daemon does so by itself.
    """
    from listener.flow.deliver import deliver

    systems = {name: app.crm(name)} if name else app.systems
    crm_standing.demand(app, *systems)
    done = [deliver(app.store, each, system, clock=app.now, at_once=True) for each, system in systems.items()]
    if as_json:
        output.print_json({"crms": [{"crm": each.system, "sent": each.sent, "failed": each.failed} for each in done]})
    else:
        for each in done:
            why = f", {each.failed} failed: {each.why}" if each.failed else ""
            output.say(f"{each.system}: {each.sent} delivered{why}")
        if not done:
            output.say(f"{app.config_path} names no CRM.")
    if any(each.failed for each in done):
        raise output.SomeFailed("Not everything arrived; see `escucha crm deliveries`.")


@crm.command()
@click.argument("name", required=False)
@output.json_option
@pass_app
def pull(app: App, name: str | None, as_json: bool) -> None:
    """Ask the CRMs, or only NAME, now which of their customers changed.

    A running daemon does so by itself. What cannot be used is told and left out.
    """
    from listener.flow.pull import pull as ask

    systems = {name: app.crm(name)} if name else {each: it for each, it in app.systems.items() if it.pulls}
    if name and not systems[name].pulls:
        raise Mistake(f"The CRM {name} is not asked for its customers; it posts them by itself, or gives none.")
    crm_standing.demand(app, *systems)
    done = [ask(app.store, each, it, by=app.actor, clock=app.now, at_once=True) for each, it in systems.items()]
    if as_json:
        output.print_json(
            {
                "crms": [
                    {
                        "crm": each.system,
                        **each.taken.counts(),
                        "problems": each.taken.problems,
                        "error": each.why or None,
                    }
                    for each in done
                ]
            }
        )
    else:
        for each in done:
            _tell_pulled(each)
        if not done:
            output.say(f"{app.config_path} names no CRM that is asked for its customers.")
    if any(each.why or each.taken.unusable for each in done):
        raise output.SomeFailed("Not everything could be read; see `escucha crm list`.")


def _tell_pulled(done: Pulled) -> None:
    taken = ", ".join(f"{number} {what}" for what, number in done.taken.counts().items() if number)
    busy = "; another process is reading it now" if done.busy else ""
    output.say(f"{done.system}: {taken or 'nothing new'}{busy}{f'; {done.why}' if done.why else ''}")
    for record, why in done.taken.problems.items():
        output.complain(f"{record}: {why}")


@crm.command()
@click.argument("name", required=False)
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="How many at most.")
@output.json_option
@pass_app
def deliveries(app: App, *, name: str | None, failed: bool, limit: int, as_json: bool) -> None:
    """What the CRMs, or only NAME, were to be told, the newest first, and what came of it."""
    from listener.store import crm_out

    states = (AlertState.FAILED,) if failed else tuple(AlertState)
    now = app.now()
    with app.store.read() as tx:
        found = crm_out.listing(tx, system=name, states=states, limit=limit + 1)
    listed = found[:limit]
    if as_json:
        output.print_json({"deliveries": [_told(each) for each in listed], "more": len(found) > limit})
        return
    rows = [
        (each.id, each.system, each.subject, each.kind, each.state, output.ago(each.made_at, now), _why(each))
        for each in listed
    ]
    empty = "Nothing was given up." if failed else "No CRM was to be told anything."
    output.table(("ID", "CRM", "about", "what", "state", "made", "why"), rows, empty=empty, wide="why")
    if len(found) > limit:
        output.say(f"There are more; see them with --limit {limit * 4}.")


def _why(delivery: Delivery) -> str:
    return delivery.reason if delivery.state in (AlertState.WAITING, AlertState.FAILED) else ""


def _told(delivery: Delivery) -> dict[str, Any]:
    """One delivery with stable keys."""
    return {
        "id": delivery.id,
        "crm": delivery.system,
        "about": delivery.subject,
        "what": delivery.kind,
        "key": delivery.send_key,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "made_at": delivery.made_at,
        "next_try_at": delivery.next_try_at if delivery.state is AlertState.WAITING else None,
        "settled_at": delivery.settled_at,
        "reason": delivery.reason or None,
    }


@crm.command()
@click.argument("name", required=False)
@output.json_option
@pass_app
def retry(app: App, name: str | None, as_json: bool) -> None:
    """Deliver again what was given up, to all CRMs or only NAME, under the keys that it had.

    A running daemon sends it. What something newer of the same case or customer was delivered after stays as it is.
    """
    from listener.store import crm_out

    if name is not None:
        app.crm(name)
    with app.store.write() as tx:
        again = crm_out.retry(tx, by=app.actor, now=app.now(), system=name)
    if as_json:
        output.print_json({"again": [each.id for each in again]})
        return
    was = "delivery that was" if len(again) == 1 else "deliveries that were"
    output.say(f"{len(again)} {was} given up will be tried again; no CRM rests.")
