"""`escucha notice correct` and `follow-up`: other words for what is out, in its place or below it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from listener.commands import amend_screen, output
from listener.commands import notice_screen as screen
from listener.commands.app import App, pass_app
from listener.commands.notice_check import no_link_check
from listener.commands.notice_found import found_notice
from listener.errors import AlreadyDone, Mistake
from listener.types import AmendmentKind, AmendmentState, DeliveryState, FollowUp, NoticeState

if TYPE_CHECKING:
    from listener.commands.publishing import Left
    from listener.desk.amending import Correction
    from listener.store.amendments import Amendment
    from listener.store.notices import Notice

_texts = click.option("--text", "texts", multiple=True, metavar="LANGUAGE=TEXT", help="The text; repeat it.")
_variants = click.option("--variant", "variants", multiple=True, metavar="WHERE:LANGUAGE=TEXT", help="Another there.")
_accounts = click.option("--on", "accounts", multiple=True, metavar="ACCOUNT", help="Only there.")


@click.command()
@click.argument("number")
@_texts
@_variants
@_accounts
@click.option("--approve", is_flag=True, help="Let somebody else's correction go out.")
@click.option("--drop", is_flag=True, help="Take back what of a correction has not gone out.")
@no_link_check
@click.option("--yes", is_flag=True, help="Ask nothing.")
@output.json_option
@pass_app
def correct(
    app: App,
    *,
    number: str,
    texts: tuple[str, ...],
    variants: tuple[str, ...],
    accounts: tuple[str, ...],
    approve: bool,
    drop: bool,
    no_link_check: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a notice that is out say something else, wherever it is.

    Where the network can, the post itself is changed; elsewhere what changed goes out below it. What will happen on
    each account is shown first. Where the policy wants two people, somebody else lets it go out with --approve.
    A thread is corrected part by part, divided by a line --- like the first. Without any text it goes on with a
    correction that was stopped half-way.
    """
    from listener.commands import following

    found = found_notice(app, number)
    if drop:
        _drop(app, found, as_json)
    elif approve:
        _approve(app, found, yes, as_json)
    elif not texts and not variants:
        _go_on(app, found, as_json)
    else:
        _stop_if_half_out(app, found)
        plan = following.correction(app, found, texts, variants, accounts)
        if not no_link_check:
            following.stop_at_broken_links(app, plan)
        _correct(app, found, plan, yes=yes, as_json=as_json)


@click.command("follow-up")
@click.argument("number")
@_texts
@_variants
@_accounts
@click.option("--resolved", is_flag=True, help="It says that all is well again; es and en have words of their own.")
@click.option("--title", default="", help="For yourselves, to find it by.")
@output.json_option
@pass_app
def follow_up(
    app: App,
    *,
    number: str,
    texts: tuple[str, ...],
    variants: tuple[str, ...],
    accounts: tuple[str, ...],
    resolved: bool,
    title: str,
    as_json: bool,
) -> None:
    """Write a notice that goes out wherever another one is, below it.

    Where the network knows no threads it stands by itself, with the first one's address. It is previewed, approved and
    published like any other.
    """
    from listener.commands import following

    found = found_notice(app, number)
    kind = FollowUp.RESOLVED if resolved else FollowUp.NEWS
    made, followed = following.follow_up(app, found, texts, variants, accounts, kind=kind, title=title)
    if as_json:
        output.print_json(screen.as_json(made))
        return
    amend_screen.show_followed(followed)
    output.say(f"N{made.id} is written down, to follow N{found.id}: {screen.messages(made)}. Nothing goes out yet.")
    output.say(f"Somebody else: `escucha notice approve N{made.id}`; then `escucha notice publish N{made.id}`.")


def _correct(app: App, found: Notice, plan: Correction, *, yes: bool, as_json: bool) -> None:
    from listener.commands import following
    from listener.desk import amending
    from listener.store import amendments

    prices = following.prices(app, plan.followed)
    two = app.policy.notice_rules.two_people
    if not as_json:
        amend_screen.show_correction(plan, prices)
        for each in amending.unaddressed(found):
            output.complain(f"{amend_screen.lost(each)}.")
    if not plan.edits and not plan.followed:
        raise AlreadyDone(f"N{found.id} says that already wherever it is out.")
    if not two and not yes:
        if as_json or not sys.stdin.isatty():
            raise Mistake(f"This changes N{found.id} where it is out; say --yes once you have read it.")
        if not click.confirm(f"Correct N{found.id} like this?"):
            output.say(f"N{found.id} stays as it is.")
            return
    by, now = app.actor, app.now()
    with app.store.write() as tx:
        ordered = amendments.order(tx, found.id, plan.edits, proposed=two, by=by, now=now) if plan.edits else []
        follows = (
            following.draft(tx, found, plan.followed, FollowUp.CORRECTION, by=by, now=now) if plan.followed else None
        )
        if follows and not two:
            follows = following.let_go(tx, follows, by=by, now=now, two_people=False)
    if not two:
        _send(app, found, [follows] if follows else [], as_json, plan=plan, prices=prices)
        return
    if as_json:
        output.print_json(_told(found, ordered, [follows] if follows else [], plan=plan, prices=prices))
        return
    output.say(f"Nothing goes out yet. Somebody else: `escucha notice correct N{found.id} --approve`.")


def _approve(app: App, found: Notice, yes: bool, as_json: bool) -> None:
    from listener.commands import following
    from listener.store import amendments, notices

    with app.store.read() as tx:
        waiting = amendments.proposed(tx, found.id)
        follows = _corrections(notices.following(tx, found.id), NoticeState.DRAFT)
    if not waiting and not follows:
        raise AlreadyDone(f"No correction of N{found.id} waits to be approved.")
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise Mistake("Read it first, in a terminal and without --yes; or look at `escucha notice status --json`.")
        amend_screen.show_amendments(waiting)
        for each in follows:
            screen.show(app, each)
        if not click.confirm(f"Correct N{found.id} like this?"):
            output.say("It waits.")
            return
    with app.store.write() as tx:
        amendments.approve(tx, waiting, by=app.actor, now=app.now())
        follows = [following.let_go(tx, each, by=app.actor, now=app.now()) for each in follows]
    _send(app, found, follows, as_json)


def _drop(app: App, found: Notice, as_json: bool) -> None:
    from listener.store import amendments, notices

    with app.store.write() as tx:
        dropped = amendments.drop(tx, found.id, kind=AmendmentKind.EDIT, by=app.actor, now=app.now())
        for each in _corrections(notices.following(tx, found.id), NoticeState.DRAFT, NoticeState.PUBLISHING):
            notices.withdraw(tx, each, by=app.actor, now=app.now())
            dropped += sum(message.state is DeliveryState.WAITING for message in each.deliveries)
        found_now, follows = amendments.of_notice(tx, found.id), notices.following(tx, found.id)
    if not dropped:
        raise AlreadyDone(f"No correction of N{found.id} waits to go out.")
    if as_json:
        output.print_json(_told(found, found_now, _corrections(follows)))
    else:
        output.say(f"{output.counted(dropped, 'change')} of N{found.id} taken back; what is out stays out.")


def _go_on(app: App, found: Notice, as_json: bool) -> None:
    from listener.store import amendments, notices

    with app.store.read() as tx:
        open_ones = [each for each in amendments.of_notice(tx, found.id) if each.state in amendments.UNDECIDED]
        follows = _corrections(notices.following(tx, found.id), NoticeState.PUBLISHING)
    if not open_ones and not follows:
        raise Mistake("It says nothing yet; give the new text with --text 'es=…'.")
    _send(app, found, follows, as_json)


def _send(
    app: App,
    found: Notice,
    follows: Sequence[Notice],
    as_json: bool,
    *,
    plan: Correction | None = None,
    prices: Mapping[str, float] | None = None,
) -> None:
    """Does the edits, then publishes what goes out below; says what came of it."""
    from listener.commands import following
    from listener.store import notices

    every, left = amend_screen.do(app, found.id, quiet=as_json)
    missing = amend_screen.undone(every, left, quiet=as_json)
    told: list[Notice] = []
    for each in follows:
        held = following.publish(app, each, quiet=as_json)
        with app.store.read() as tx:
            now = notices.get(tx, each.id)
        told.append(now)
        for message in now.deliveries:
            if message.state is not DeliveryState.SENT:
                missing += 1
                if not as_json:
                    output.say(f"✗ {screen.where(message)}: {screen.why(message, held)}")
    if as_json:
        output.print_json(_told(found, every, told, left, plan=plan, prices=prices))
    elif not missing:
        output.say(f"N{found.id} is corrected.")
    if missing:
        raise output.SomeFailed(
            f"{output.counted(missing, 'change')} of N{found.id} not out; `escucha notice correct N{found.id}` goes on."
        )


def _stop_if_half_out(app: App, found: Notice) -> None:
    """Raises Mistake where the old text would still go out, or another correction waits."""
    from listener.store import amendments, notices

    if found.state is NoticeState.PUBLISHING:
        raise Mistake(
            f"N{found.id} is still going out with its old text; finish that with `escucha notice publish N{found.id}`, "
            f"or stop it with `escucha notice withdraw N{found.id}`, then correct it."
        )
    with app.store.read() as tx:
        waiting = amendments.proposed(tx, found.id)
        drafts = _corrections(notices.following(tx, found.id), NoticeState.DRAFT)
    by = [each.written_by for each in waiting] + [each.written_by for each in drafts]
    if by:
        raise Mistake(
            f"A correction of N{found.id} by {by[0]} waits already; somebody else lets it go out with --approve, or "
            "take it back with --drop."
        )


def _corrections(follows: Sequence[Notice], *states: NoticeState) -> list[Notice]:
    corrections = [each for each in follows if each.follows_as is FollowUp.CORRECTION]
    return [each for each in corrections if not states or each.state in states]


def _told(
    found: Notice,
    every: Sequence[Amendment],
    follows: Sequence[Notice],
    left: Mapping[str, Left] | None = None,
    *,
    plan: Correction | None = None,
    prices: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    edits = [each for each in every if each.kind is AmendmentKind.EDIT and each.state is not AmendmentState.DROPPED]
    told: dict[str, Any] = {
        "notice": f"N{found.id}",
        "amendments": [amend_screen.as_json(each, left) for each in edits],
        "follow_ups": [screen.as_json(each) for each in follows],
    }
    if plan is not None:
        told["same"] = [f"{each.account}/{each.language}" for each in plan.same]
        told["why_followed"] = {f"{each.variant.account}/{each.variant.language}": each.why for each in plan.followed}
        told["usd"] = round(sum((prices or {}).values()), 6)
    return told
