"""`escucha user token|tokens|revoke|password|sign-in`: how somebody shows who they are."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from listener.commands import permitted
from listener.commands.app import App, pass_app
from listener.commands.output import complain, json_option, print_json, say, table
from listener.errors import Mistake
from listener.escapes import visible

if TYPE_CHECKING:
    from listener.store.tokens import Token

LONGEST = 100  # characters of a label


def whose(app: App, name: str | None, *, others: frozenset[str]) -> str:
    """The user that is meant: whoever acts, where none is named. Raises Mistake for another one, but for `others`."""
    from listener.store import users

    acting = app.acting.user
    if name is None:
        if acting is None:
            raise Mistake("Say whom you mean: nobody knows you as a user here.")
        return acting.name
    if acting is not None and not users.same_person(name, acting.name) and not permitted.may(acting, others):
        raise Mistake(f"You may say that of yourself alone, {acting.name}; for others ask an admin.")
    return name


@click.command("token")
@click.argument("name", required=False)
@click.option("--label", default="", metavar="TEXT", help="What it is for, such as laptop.")
@click.option("--days", type=click.IntRange(1, 3650), help="It runs out after so many days; never otherwise.")
@click.option(
    "--only",
    multiple=True,
    metavar="COMMAND",
    help="It is for this command alone, or this group of commands, such as 'case list'; may be repeated.",
)
@json_option
@pass_app
def token(app: App, *, name: str | None, label: str, days: int | None, only: tuple[str, ...], as_json: bool) -> None:
    """Make a token for yourself, or as an admin for somebody else. It is shown this once."""
    from listener.store import tokens, users

    plain = " ".join(label.split())
    if len(plain) > LONGEST or visible(plain) != plain:
        raise Mistake(f"The label is longer than {LONGEST} characters, or holds some that nobody can see.")
    now, commands = app.now(), permitted.checked_only(only) if only else None
    with app.store.write() as tx:
        owner = users.get(tx, whose(app, name, others=permitted.ADMIN))
        expires_at = now + timedelta(days=days) if days else None
        made, words = tokens.issue(tx, owner, label=plain, expires_at=expires_at, by=app.actor, now=now, only=commands)
    if as_json:
        print_json({"user": owner.name, "token": words, **_plain(made)})
        return
    say(words)
    complain(f"That is {owner.name}'s token {made.id}, shown this once: put it into ESCUCHA_TOKEN, or into a file "
             "that ESCUCHA_TOKEN_FILE names.")  # fmt: skip


@click.command("tokens")
@click.argument("name", required=False)
@json_option
@pass_app
def tokens_(app: App, *, name: str | None, as_json: bool) -> None:
    """Which tokens you have, or as an admin somebody else; never their words."""
    from listener.store import tokens, users

    with app.store.read() as tx:
        owner = users.get(tx, whose(app, name, others=permitted.ADMIN))
        found = tokens.of(tx, owner)
    if as_json:
        print_json({"user": owner.name, "tokens": [_plain(each) for each in found]})
        return
    rows = [
        (
            each.id,
            each.label,
            "all" if each.only is None else ", ".join(each.only),
            each.made_at,
            each.expires_at or "never",
            each.revoked_at,
        )
        for each in found
    ]
    table(
        ("token", "label", "for", "made", "runs out", "taken back"),
        rows,
        empty=f"{owner.name} has no token.",
        wide="label",
    )


def _plain(made: Token) -> dict[str, object]:
    return {
        "number": made.id,
        "label": made.label,
        "only": made.only,
        "made_at": made.made_at,
        "expires_at": made.expires_at,
        "revoked_at": made.revoked_at,
    }


@click.command("revoke")
@click.argument("number", type=click.IntRange(1, 10**15))
@json_option
@pass_app
def revoke(app: App, *, number: int, as_json: bool) -> None:
    """Take a token back, at once: yours, or as an admin anybody's."""
    from listener.store import tokens

    with app.store.write() as tx:
        whose(app, tokens.owner_of(tx, number).name, others=permitted.ADMIN)
        owner = tokens.revoke(tx, number, by=app.actor, now=app.now())
    if as_json:
        print_json({"user": owner.name, "number": number})
    else:
        say(f"{owner.name}'s token {number} opens nothing any more.")


@click.command("password")
@click.argument("name", required=False)
@click.option("--stdin", "piped", is_flag=True, help="Read it from standard input, one line, instead of asking.")
@pass_app
def password(app: App, *, name: str | None, piped: bool) -> None:
    """Set your password, or as an admin somebody else's; the web asks for it."""
    from listener.desk import passwords
    from listener.store import users

    with app.store.read() as tx:
        owner = users.get(tx, whose(app, name, others=permitted.ADMIN))
    words = _line() if piped else click.prompt("New password", hide_input=True, confirmation_prompt="Once more")
    hashed = passwords.hashed(passwords.check(words, owner.name))
    with app.store.write() as tx:
        users.set_password(tx, owner, hashed, by=app.actor, now=app.now())
    say(f"{owner.name} has a new password.")


@click.command("sign-in")
@click.argument("name")
@click.option("--stdin", "piped", is_flag=True, help="Read the password from standard input, one line.")
@json_option
@pass_app
def sign_in(app: App, *, name: str, piped: bool, as_json: bool) -> None:
    """Check a password as the web does; it changes nothing of who acts here."""
    from listener.desk import passwords

    words = _line() if piped else click.prompt("Password", hide_input=True)
    found = passwords.sign_in(app.store, name, words, app.now())
    if as_json:
        print_json({"user": found.name, "roles": found.roles})
    else:
        say(f"That is {found.name}'s password.")


def _line() -> str:
    return sys.stdin.readline().rstrip("\r\n")


COMMANDS = (token, tokens_, revoke, password, sign_in)
