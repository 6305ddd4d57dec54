"""`escucha case continue`: a conversation goes on by mail, direct message, phone or chat, and brings its history."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from listener import reach
from listener.commands import looking
from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain
from listener.commands.case_typed import LONGEST_NOTE, typed
from listener.commands.keys import draft_keys
from listener.commands.output import block, fields, heading, json_option, plain, print_json, say
from listener.errors import Mistake
from listener.types import CallOutcome, Channel

if TYPE_CHECKING:
    from listener.desk.continuing import Call, Continued, Start, Way
    from listener.store import Transaction
    from listener.store.cases import Case

WRITTEN = (Channel.MAIL, Channel.DM)
LONGEST_CALL = 24 * 60  # minutes


@click.command("continue")
@click.argument("ref")
@click.option(
    "--by",
    "channel",
    required=True,
    type=click.Choice([channel.value for channel in Channel]),
    help="Where it goes on; chat stands for video too.",
)
@click.option("--to", metavar="ADDRESS", help="The mail address or phone number that they gave you.")
@click.option("--say", "more", metavar="TEXT", help="What the mail or message says beside what was said so far.")
@click.option("--account", metavar="NAME", help="Our account that writes, where there are several mailboxes.")
@click.option("--no-offer", is_flag=True, help="Say nothing of it where they wrote in public.")
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in CallOutcome]),
    help="What came of a call or chat; without it, what to know is shown first.",
)
@click.option("--note", metavar="TEXT", help="What was said in the call or chat.")
@click.option("--began", metavar="TIME", help="When it began, in UTC: 10:15, or 2026-11-23 10:15; now otherwise.")
@click.option("--minutes", type=click.IntRange(0, LONGEST_CALL), help="How long it took.")
@json_option
@pass_app
def continue_(
    app: App,
    *,
    ref: str,
    channel: str,
    to: str | None,
    more: str | None,
    account: str | None,
    no_offer: bool,
    outcome: str | None,
    note: str | None,
    began: str | None,
    minutes: int | None,
    as_json: bool,
) -> None:
    """Go on with a case elsewhere; the customer repeats nothing.

    Mails and direct messages carry what was said so far, and are drafts like any reply: look at them, approve them.
    The answer to them joins the case. Where they wrote in public, a draft there says that we go on in private.

    For a phone call or a chat, what to know is shown; afterwards write down what came of it with --outcome.
    """
    by = Channel(channel)
    about_calls = [
        name
        for name, given in (("--outcome", outcome), ("--note", note), ("--began", began), ("--minutes", minutes))
        if given is not None
    ]
    if by in WRITTEN and about_calls:
        raise Mistake(f"{about_calls[0]} is for calls and chats; a {by} is a draft, which `escucha approve` lets go.")
    if by not in WRITTEN and outcome is None and about_calls:
        raise Mistake(f"Say with --outcome what came of it; {about_calls[0]} alone would be lost.")
    if by not in WRITTEN and more is not None:
        raise Mistake("--say is for mails and direct messages; --note holds what was said in a call.")
    if outcome is not None:
        made = _call(app, by, CallOutcome(outcome), note=note, began=began, minutes=minutes)
        _write_down(app, ref, made, as_json)
    elif by in WRITTEN:
        _write(app, ref, by, to=to, more=more, account=account, no_offer=no_offer, as_json=as_json)
    else:
        _prepare(app, ref, by, to=to, account=account, no_offer=no_offer, as_json=as_json)


# --- mails and messages ---


def _write(
    app: App,
    ref: str,
    channel: Channel,
    *,
    to: str | None,
    more: str | None,
    account: str | None,
    no_offer: bool,
    as_json: bool,
) -> None:
    from listener.desk import cases as desk
    from listener.desk import continuing

    if channel is Channel.DM and to is not None:
        raise Mistake("A direct message goes to the account that wrote; --to is for mail and phone.")
    said = typed(more, "text", LONGEST_NOTE) if more is not None else ""
    with app.store.read() as tx:
        begun = continuing.start(tx, desk.find(tx, ref, app.config.cases.pattern))
        address = _address(tx, begun, to) if channel is Channel.MAIL else ""
    way = _mailbox(app, begun, account) if channel is Channel.MAIL else _there(app, begun)
    offer_by = None if no_offer else _there(app, begun, must_speak=False)
    with app.store.write() as tx:
        begun = continuing.start(tx, desk.find(tx, begun.case.reference, app.config.cases.pattern))
        made = continuing.write(
            tx,
            begun,
            channel,
            way=way,
            to=address,
            offer_by=offer_by,
            more=said,
            policy=app.policy,
            by=app.actor,
            now=app.now(),
        )
    if as_json:
        print_json({**as_plain(begun.case, app.now()), **_drafts(made)})
    else:
        _tell(begun.case, channel, made)


def _address(tx: Transaction, begun: Start, given: str | None) -> str:
    from listener.desk import continuing
    from listener.desk.checks import check_email

    address = check_email(given.strip()) if given is not None else ""
    if address is None:
        raise Mistake("The address is empty.")
    return continuing.where(tx, begun, reach.MAIL, address)


def _there(app: App, begun: Start, *, must_speak: bool = True) -> Way:
    """The account that they wrote to. Raises Mistake where it may not write and must."""
    from listener.desk.continuing import Way

    name = begun.mention.account
    if must_speak and not app.unasked(name).speaks:
        raise Mistake(app.why_mute(name))
    return Way(account=name, facts=app.facts(begun.mention.network))


def _mailbox(app: App, begun: Start, wanted: str | None) -> Way:
    """Our mailbox that writes: the named one, the one they wrote to, or the only one. Raises Mistake."""
    from listener.desk.continuing import Way

    ours = [name for name, account in app.config.accounts.items() if account.network == "mail"]
    if wanted is not None and wanted not in ours:
        raise Mistake(f"{wanted!r} is no mailbox in {app.config_path}; there is: {', '.join(ours) or 'none'}.")
    name = wanted or (begun.mention.account if begun.mention.account in ours else "")
    if not name and len(ours) != 1:
        raise Mistake(
            f"There is no mailbox in {app.config_path}; docs/networks.md says how to add one."
            if not ours
            else f"Say which mailbox writes, with --account: {', '.join(ours)}."
        )
    name = name or ours[0]
    if not app.unasked(name).speaks:
        raise Mistake(app.why_mute(name))
    address = getattr(app.config.accounts[name].settings, "address", "")
    return Way(account=name, facts=app.facts("mail"), address=str(address))


def _tell(case: Case, channel: Channel, made: Continued) -> None:
    if made.alone:
        what = f"a mail to {made.alone.recipient}" if channel is Channel.MAIL else "a direct message to them alone"
        say(f"D{made.alone.id} is {what}, with what was said so far in {case.reference}.")
    if made.offer:
        asks = "" if made.alone else ", and asks them to write to us"
        say(f"D{made.offer.id} says in public that we go on in private{asks}.")
    elif made.no_offer:
        say(f"Nothing is said in public: {made.no_offer}.")
    drafts = " ".join(f"D{draft.id}" for draft in (made.alone, made.offer) if draft)
    if drafts:
        say(f"Look at them and let them go: escucha approve {drafts}")


def _drafts(made: Continued) -> dict[str, Any]:
    return {
        "draft": draft_keys(made.alone) if made.alone else None,
        "offer": draft_keys(made.offer) if made.offer else None,
        "no_offer": made.no_offer or None,
    }


# --- calls and chats ---


def _prepare(
    app: App, ref: str, channel: Channel, *, to: str | None, account: str | None, no_offer: bool, as_json: bool
) -> None:
    """Shows what to know before a call, and drafts what asks them for a number where nobody has one."""
    from listener.desk import cases as desk
    from listener.desk import continuing
    from listener.desk.checks import check_phone

    given = check_phone(to.strip()) if to is not None else ""
    with app.store.read() as tx:
        begun = continuing.start(tx, desk.find(tx, ref, app.config.cases.pattern))
        number = continuing.where(tx, begun, reach.PHONE, given or "") or None
    recap, case = begun.recap(), begun.case
    if case.customer_reference:
        looking.at(app, [f"customer {case.customer_reference}"], reason=f"case {case.reference}")
    made = None
    if channel is Channel.PHONE and number is None and not no_offer:
        made = _ask(app, case, channel, account)
    if as_json:
        known = {"phone": number, "language": begun.language, "recap": recap.text}
        print_json({**as_plain(case, app.now()), **known, **_drafts(made or continuing.Continued())})
        return
    whose = begun.customer.name if begun.customer else f"@{begun.mention.author.handle} on {begun.mention.network}"
    heading(f"{case.reference}  {case.title}")
    fields(
        [
            ("who", whose),
            (
                "phone",
                (number or "none that may be used is known; ask for it in private") if channel is Channel.PHONE else "",
            ),
            ("speaks", begun.language),
        ]
    )
    if recap.text:
        say("\nWhat was said so far, to be read out:")
        block(recap.text)
    if made and made.offer:
        say(f"\nD{made.offer.id} asks them for a number in private; escucha approve D{made.offer.id} lets it go.")
    outcomes = "|".join(CallOutcome)
    say(f"\nAfterwards, with --outcome {outcomes}:")
    say(f"  escucha case continue {case.reference} --by {channel} --outcome {CallOutcome.REACHED}")


def _ask(app: App, case: Case, channel: Channel, account: str | None) -> Continued:
    from listener.desk import continuing

    with app.store.write() as tx:
        begun = continuing.start(tx, case)
        try:
            mailbox = _mailbox(app, begun, account).address
        except Mistake:
            if account is not None:
                raise
            mailbox = ""  # nobody can be asked to write to where nobody reads
        way = _there(app, begun, must_speak=False)
        by, now = app.actor, app.now()
        return continuing.ask(tx, begun, channel, mailbox=mailbox, way=way, policy=app.policy, by=by, now=now)


def _call(
    app: App, channel: Channel, outcome: CallOutcome, *, note: str | None, began: str | None, minutes: int | None
) -> Call:
    from listener.desk.continuing import Call

    now = app.now()
    return Call(
        channel=channel,
        outcome=outcome,
        at=_moment(began, now) if began is not None else now - timedelta(minutes=minutes or 0),
        minutes=minutes,
        note=typed(note, "note", LONGEST_NOTE) if note is not None else "",
    )


def _moment(text: str, now: datetime) -> datetime:
    """`10:15` of today or `2026-11-23 10:15`, in UTC. Raises Mistake."""
    day = now.astimezone(UTC).strftime("%Y-%m-%d")
    whole = f"{day} {text.strip()}" if re.fullmatch(r"\s*\d{1,2}:\d{2}\s*", text) else text.strip()
    try:
        moment = datetime.strptime(whole.replace("T", " ")[:40], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise Mistake(f"{text[:40]!r} is no time; write it as 10:15 or {day} 10:15, in UTC.") from error
    if moment > now + timedelta(minutes=1):
        raise Mistake(f"{moment:%Y-%m-%d %H:%M} UTC is still to come; write down a call after it.")
    return moment


def _write_down(app: App, ref: str, made: Call, as_json: bool) -> None:
    from listener.desk import cases as desk
    from listener.desk import continuing
    from listener.store import continuing as store

    def moved(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
        """Reads the policy only where a clock runs on by it."""
        return app.policy.promises.moved(moment, calendar=calendar, since=since, until=until)

    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        number = store.newest(tx, found)
        found = continuing.call(tx, found, made, mention_id=number, by=app.actor, now=app.now(), moved=moved)
    if as_json:
        print_json({**as_plain(found, app.now()), "call": plain(made)})
        return
    say(
        f"{_what(made.channel.value, made.outcome.value)} is written down in {found.reference}, which is {found.state}."
    )


def _what(channel: str, outcome: str) -> str:
    kind = "A call" if channel == Channel.PHONE else "A chat"
    came = {"reached": "that reached them", "no_answer": "without an answer", "call_back": "that is to be repeated"}
    return f"{kind} {came.get(outcome, 'that solved it')}"


def sentence(kind: str, by: str, detail: dict[str, Any]) -> str | None:
    """What a case's event says of going on elsewhere; None for any other."""
    if kind == "call":
        began = datetime.fromisoformat(str(detail["began"])) if detail.get("began") else None
        when = f", {began:%H:%M} UTC" if began else ""
        long = f", {detail['minutes']} min" if detail.get("minutes") is not None else ""
        what = _what(str(detail.get("channel")), str(detail.get("outcome")))
        return f"{what[0].lower()}{what[1:]}{when}{long}, by {by}"
    if kind == "continued":
        drafts = ", ".join(f"D{number}" for number in (detail.get("draft"), detail.get("offer")) if number)
        names = {"mail": "by mail", "dm": "by direct message", "phone": "by phone", "chat": "by chat"}
        return f"continued {names.get(str(detail.get('channel')), '')} by {by} ({drafts})"
    return None
