"""`escucha customer suggestions|accept|refuse`: accounts and records that may be one person's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from listener.commands import looking
from listener.commands.app import App, pass_app
from listener.commands.customer_plain import find
from listener.commands.output import block, json_option, plain, print_json, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from listener.store.suggestions import Suggestion

LIMIT = 50


@click.command("suggestions")
@click.argument("ref", required=False)
@click.option("--all", "all_", is_flag=True, help="Also those that somebody decided about.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="How many at most.")
@json_option
@pass_app
def suggestions_(app: App, *, ref: str | None, all_: bool, limit: int, as_json: bool) -> None:
    """Who may be whom, with what speaks for it, strongest first; with REF, of that customer only."""
    from listener.store import suggestions

    with app.store.read() as tx:
        whose = find(tx, ref).id if ref else None
        found = suggestions.waiting(tx, customer_id=whose, all_=all_, limit=limit)
        total = suggestions.count(tx)
    looking.at(app, [f"customer {each.customer}" for each in found], reason="suggestions")
    found = looking.masked_suggestions(app, found)
    if as_json:
        print_json({"suggestions": [as_plain(each) for each in found], "waiting": total})
        return
    print_them(found)
    if not found:
        say("Nothing is suggested.")
    elif any(each.state == "waiting" for each in found):
        say("\nescucha customer accept N · customer refuse N")
    if not ref and total > len(found):
        say(f"{total - len(found)} more; see them with --limit {total}.")


def print_them(found: Sequence[Suggestion]) -> None:
    """The suggestions, each with its reasons under it."""
    for each in found:
        standing = f"{each.strength}" if each.state == "waiting" else f"{each.state} by {each.decided_by}"
        say(f"{each.id:>3}  {each.customer} may be {who(each)} ({standing})")
        for reason in each.reasons:
            block(reason.text, indent=5, style="dim")


def who(suggestion: Suggestion) -> str:
    """The account, or the other record."""
    if suggestion.handle is None:
        return f"customer {suggestion.other}"
    return f"@{suggestion.handle.removeprefix('@')} on {suggestion.network}"


def as_plain(suggestion: Suggestion) -> dict[str, Any]:
    """A suggestion for programs; these keys stay."""
    values: dict[str, Any] = plain(suggestion)
    return {"number": values.pop("id")} | {name: value for name, value in values.items() if name != "account_id"}


@click.command("accept")
@click.argument("number", metavar="N", type=click.IntRange(1))
@json_option
@pass_app
def accept(app: App, *, number: int, as_json: bool) -> None:
    """Say that a suggestion is right: the account is linked, or the two records are merged.

    The reasons are kept as the link's evidence (public_evidence). Both can be taken back.
    """
    from listener.desk import suggestions

    with app.store.write() as tx:
        done, customer = suggestions.accept(
            tx, number, linkable=lambda name: app.facts(name).linkable, by=app.actor, now=app.now()
        )
    if as_json:
        print_json({"customer": customer.reference} | as_plain(done) | {"state": "accepted"})
    elif done.handle is None:
        say(f"{done.other} is {customer.reference} from now on. To take it back: escucha customer unmerge {done.other}")
    else:
        say(f"{who(done)} is {customer.reference}'s ({customer.name}), now.")


@click.command("refuse")
@click.argument("numbers", metavar="N…", type=click.IntRange(1), nargs=-1)
@json_option
@pass_app
def refuse(app: App, *, numbers: tuple[int, ...], as_json: bool) -> None:
    """Say that suggestions are wrong: the two are not suggested again."""
    from listener.desk import suggestions

    if not numbers:
        raise Mistake("Say which: their numbers stand in `escucha customer suggestions`.")
    with app.store.write() as tx:
        done = [suggestions.refuse(tx, number, by=app.actor, now=app.now()) for number in dict.fromkeys(numbers)]
    if as_json:
        print_json({"refused": [each.id for each in done]})
        return
    for each in done:
        say(f"{who(each)} is not {each.customer}, and is not suggested again.")
