"""`escucha access`: which other programs may come in, and for what."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from listener.commands.app import App, pass_app
from listener.commands.output import complain, json_option, print_json, say, table
from listener.errors import Mistake
from listener.escapes import visible

if TYPE_CHECKING:
    from datetime import datetime

    from listener.store.access import Access

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


@click.group()
def access() -> None:
    """Access: which other programs may come in, and for what, each by a token of its own.

    A program shows its token as `Authorization: Bearer …`. Users' tokens are another thing: `escucha user token`.
    """


@access.command("add")
@click.argument("name")
@click.option("--for", "scopes", multiple=True, required=True, metavar="SCOPE",
              help="What it is for: metrics, or crm:NAME; may be repeated.")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3650), help="It runs out after so many days; never otherwise.")
@json_option
@pass_app
def add(app: App, *, name: str, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Let a program in. Its token is shown this once."""
    from listener.desk import doors
    from listener.store import access as accesses

    if not _NAME.fullmatch(name):
        raise Mistake(f"{visible(name)[:40]!r} is no name for it; use lower-case letters, digits, - and _, 50 at most.")
    wanted = sorted({doors.checked_scope(each) for each in scopes})
    for scope in wanted:
        _demand_a_door(app, scope)
    now = app.now()
    expires_at = now + timedelta(days=days) if days else None
    with app.store.write() as tx:
        made, words = accesses.issue(tx, name, wanted, expires_at=expires_at, by=app.actor, now=now)
    if as_json:
        print_json({"token": words, **_plain(made, now)})
        return
    say(words)
    complain(f"That is the token of {made.name}, access {made.id}, for {' and '.join(made.scopes)}, shown this once; "
             "it goes into the header `Authorization: Bearer …`.")  # fmt: skip


def _demand_a_door(app: App, scope: str) -> None:
    """Raises Mistake for a CRM that is not there, or that takes no tokens."""
    _, _, name = scope.partition(":")
    if not name:
        return
    system = app.config.crm.get(name)
    if system is None:
        names = ", ".join(app.config.crm) or "none"
        raise Mistake(f"There is no CRM {name!r} in {app.config_path}; there is: {names}.")
    if getattr(system.settings, "proof", "") != "token":
        raise Mistake(
            f'The CRM {name} shows no token when it posts; write `proof = "token"` into [crm.{name}] first, where its '
            "system cannot sign (docs/crm.md)."
        )


@access.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were taken back or have run out.")
@json_option
@pass_app
def list_(app: App, *, everything: bool, as_json: bool) -> None:
    """Which programs may come in; never their tokens."""
    from listener.store import access as accesses

    now = app.now()
    with app.store.read() as tx:
        found = [each for each in accesses.listing(tx) if everything or each.live(now)]
    if as_json:
        print_json({"accesses": [_plain(each, now) for each in found]})
        return
    rows = [
        (
            each.id,
            each.name,
            ", ".join(each.scopes),
            each.made_by,
            _day(each.used_at),
            "taken back" if each.revoked_at else "has run out" if not each.live(now) else _day(each.expires_at),
        )
        for each in found
    ]
    empty = "No other program may come in; `escucha access add NAME --for metrics` lets one."
    table(("access", "name", "for", "made by", "last used", "runs out"), rows, empty=empty, wide="for")


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "never"


@access.command("revoke")
@click.argument("number", type=click.IntRange(1, 10**15))
@json_option
@pass_app
def revoke(app: App, *, number: int, as_json: bool) -> None:
    """Take an access back, at once."""
    from listener.store import access as accesses

    now = app.now()
    with app.store.write() as tx:
        gone = accesses.revoke(tx, number, by=app.actor, now=now)
    if as_json:
        print_json(_plain(gone, now))
    else:
        say(f"{gone.name} ({gone.id}) opens nothing any more.")


def _plain(found: Access, now: datetime) -> dict[str, object]:
    """An access for programs; these keys stay."""
    return {
        "number": found.id,
        "name": found.name,
        "scopes": found.scopes,
        "live": found.live(now),
        "made_by": found.made_by,
        "made_at": found.made_at,
        "expires_at": found.expires_at,
        "revoked_at": found.revoked_at,
        "used_at": found.used_at,
    }
