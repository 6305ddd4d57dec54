"""`escucha notice publish`, and what there is to do while it goes out: withdraw, retry, settle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from listener.commands import notice_check, output
from listener.commands import notice_screen as screen
from listener.commands.app import App, pass_app
from listener.commands.notice_check import no_link_check
from listener.commands.notice_found import found_notice, notice_in
from listener.errors import AlreadyDone, Mistake
from listener.types import DeliveryState, NoticeKind, NoticeState

if TYPE_CHECKING:
    from listener.store.notices import Notice


@click.command()
@click.argument("number")
@click.option("--anyway", is_flag=True, help="Although a link is broken, the money does not reach, or cheer is held.")
@no_link_check
@output.json_option
@pass_app
def publish(app: App, number: str, anyway: bool, no_link_check: bool, as_json: bool) -> None:
    """Send an approved notice to every account, and go on with what is missing.

    Safe to stop and to run again: each message goes out once. Short waits that a network asks for are waited out. A
    time that it has does not matter then.
    """
    from listener.commands.publishing import Publication
    from listener.store import notices

    found = found_notice(app, number)
    if found.state is NoticeState.DRAFT:
        raise Mistake(
            f"N{found.id} is not approved yet; somebody else does that: `escucha notice approve N{found.id}`."
        )
    if found.state is NoticeState.WITHDRAWN:
        raise Mistake(f"N{found.id} was withdrawn; write a new one with `escucha notice draft`.")
    _stop_if_paused(app, found)
    if found.state is not NoticeState.PUBLISHED:
        found = _look_first(app, found, check=not no_link_check, anyway=anyway)
    found = _begin(app, found)
    log_only_warnings(app)
    watcher = screen.Watcher(found, quiet=as_json)
    try:
        with watcher:
            left = Publication(app, found, settled=watcher.settled, waits=watcher.waits).run()
    except KeyboardInterrupt:
        output.complain(f"N{found.id} is half out; `escucha notice publish N{found.id}` goes on, and so does a daemon.")
        raise
    with app.store.read() as tx:
        found = notices.get(tx, found.id)
    missing = [each for each in found.deliveries if each.state is not DeliveryState.SENT]
    if as_json:
        output.print_json(screen.as_json(found, left))
    else:
        for each in missing:
            output.say(f"✗ {screen.where(each)}: {screen.why(each, left)}")
        if not missing:
            output.say(f"N{found.id} is out: {screen.messages(found)}.")
    if missing:
        raise output.SomeFailed(
            f"{len(missing)} of {len(found.deliveries)} messages of N{found.id} are not out; "
            f"`escucha notice publish N{found.id}` goes on with what is missing."
        )


@click.command()
@click.argument("number")
@output.json_option
@pass_app
def withdraw(app: App, number: str, as_json: bool) -> None:
    """Stop whatever of a notice has not gone out yet."""
    from listener.store import notices

    with app.store.write() as tx:
        found = notices.withdraw(tx, notice_in(tx, number), by=app.actor, now=app.now())
    if as_json:
        output.print_json(screen.as_json(found))
        return
    output.say(f"N{found.id} is withdrawn.")
    out = False
    for each in found.deliveries:
        if each.state is not DeliveryState.WAITING and each.state is not DeliveryState.FAILED:
            place = each.posted_url or each.reason or each.state
            output.say(f"Out, or on its way, all the same: {screen.where(each)}: {place}.")
            out = True
    if out:
        output.say(f"To take that back too: `escucha notice delete N{found.id}`.")


@click.command()
@click.argument("number")
@output.json_option
@pass_app
def retry(app: App, number: str, as_json: bool) -> None:
    """Put what a network refused in line again."""
    from listener.store import notices

    with app.store.write() as tx:
        found = notice_in(tx, number)
        count = notices.retry(tx, found, by=app.actor, now=app.now())
        found = notices.get(tx, found.id)
    if as_json:
        output.print_json(screen.as_json(found))
    elif count:
        output.say(f"{count} of N{found.id} in line again: `escucha notice publish N{found.id}` sends now.")
    else:
        output.say(f"Nothing of N{found.id} was refused while going out; it is {found.state}.")


@click.command()
@click.argument("number")
@click.argument("where", metavar="ACCOUNT[/LANGUAGE]")
@click.option("--there/--not-there", "was_sent", required=True, default=None, help="What you saw on the network.")
@output.json_option
@pass_app
def settle(app: App, number: str, where: str, was_sent: bool, as_json: bool) -> None:
    """Say whether a message of unknown outcome is on the network, or a change of one took effect, having looked there.

    `escucha inbox --unknown` tells what Escucha itself found there.
    """
    from listener.store import amendments, notices

    account, _, language = where.partition("/")
    with app.store.write() as tx:
        found = notice_in(tx, number)
        meant = [each for each in found.deliveries if each.account == account and language in ("", each.language)]
        unknown = [each for each in meant if each.state is DeliveryState.UNKNOWN]
        if not meant:
            places = ", ".join(f"{each.account}/{each.language}" for each in found.deliveries)
            raise Mistake(f"N{found.id} does not go to {where}; it goes to {places}.")
        if len(unknown) > 1:
            raise Mistake(f"{len(unknown)} messages on {account} are unknown; name the language, as in {account}/es.")
        change = None if unknown else amendments.unknown_of(tx, [each.id for each in meant])
        if change is not None:
            amendments.settle_by_hand(tx, change, was_done=was_sent, by=app.actor, now=app.now())
        else:
            notices.settle_by_hand(tx, (unknown or meant)[0], was_sent=was_sent, by=app.actor, now=app.now())
        found = notices.get(tx, found.id)
    if as_json:
        output.print_json(screen.as_json(found))
    elif change is not None:
        became = "took effect" if was_sent else "did not take effect; its command tries it once more"
        output.say(f"Noted: the change of N{found.id} on {account} {became}.")
    elif was_sent:
        output.say(f"Noted: it is there. {screen.out(found)} of N{found.id} out.")
    else:
        output.say(f"Noted: it is not there. `escucha notice retry N{found.id}` puts it in line again.")


def _look_first(app: App, found: Notice, *, check: bool, anyway: bool) -> Notice:
    """The notice with its links as they are now. Raises Mistake where something is in its way, unless `anyway`."""
    from listener.desk import clearance
    from listener.store import incident_holds

    found = notice_check.with_links(app, found, check=check)
    prices = notice_check.prices(app, found)
    costs = clearance.costs(found, prices)
    left = notice_check.money(app, costs)
    why = clearance.obstacles(found, prices, left, follows_links=app.config.notices.check_links)
    if found.kind is NoticeKind.CHEER:
        with app.store.read() as tx:
            why += [held] if (held := incident_holds.why_no_cheer(tx)) else []
    if why and not anyway:
        raise Mistake(
            f"N{found.id} stays {found.state}: {'; '.join(why)}. Mend that, or let it go out like this with --anyway."
        )
    notice_check.warn_of_links(found)
    if costs:
        output.complain(f"It costs {notice_check.cost_lines(costs, left)}.".replace("\n", "; "))
    return found


def _begin(app: App, found: Notice) -> Notice:
    """The notice, going out from now on whatever its time was. Raises Mistake, or AlreadyDone once withdrawn."""
    from listener.store import notices

    if found.state not in (NoticeState.APPROVED, NoticeState.PUBLISHING):
        return found
    begin = notices.publish if found.state is NoticeState.APPROVED else notices.go_on
    try:
        with app.store.write() as tx:
            return begin(tx, found, by=app.actor, now=app.now())
    except AlreadyDone:
        found = found_notice(app, f"N{found.id}")
        if found.state is NoticeState.WITHDRAWN:
            raise
        return found


def _stop_if_paused(app: App, found: Notice) -> None:
    """Raises Mistake when nothing of what is missing may go out now; the notice stays as it is."""
    from listener.store import switch

    missing = [each for each in found.deliveries if each.state is DeliveryState.WAITING]
    with app.store.read() as tx:
        if missing and all(switch.is_paused(tx, each.network, *each.kinds) for each in missing):
            holds = "; ".join(
                f"{each.scope}, by {each.by}{f': {each.reason}' if each.reason else ''}" for each in switch.pauses(tx)
            )
            raise Mistake(
                f"Sending is paused ({holds}), so N{found.id} stays {found.state}; `escucha resume` lifts that."
            )


def log_only_warnings(app: App) -> None:
    """Each message has a line of its own here; the log need not say the same."""
    from listener import log

    wanted = app.config.daemon
    log.start(form=wanted.log_format, level="warning" if wanted.log_level == "info" else wanted.log_level)
