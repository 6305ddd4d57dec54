"""`escucha user`: who works here, what they may do and are good at, and when they are not there."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

from listener.commands import permitted, user_access, user_profile
from listener.commands.actor import system_user
from listener.commands.app import App, pass_app
from listener.commands.output import clip, fields, heading, json_option, print_json, say, table
from listener.errors import Mistake
from listener.types import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from listener.store.cases import Case
    from listener.store.users import Absence, User

SAID = 5  # cases that are named one by one


@click.group()
def user() -> None:
    """Users: who works here, and what they may do.

    Before the first one is added, everybody may do everything. From then on, who acts is known by their name on this
    machine, or by a token in ESCUCHA_TOKEN (or a file that ESCUCHA_TOKEN_FILE names).
    """


for each in user_access.COMMANDS:
    user.add_command(each)


@user.command("add")
@click.argument("name")
@user_profile.profile_options
@json_option
@pass_app
def add(app: App, /, name: str, as_json: bool, **said: Any) -> None:
    """Add somebody, an agent where no role is given.

    The first one must be an admin, and is whoever types this, unless --os-user names another.
    """
    from listener.store import users

    with app.store.read() as tx:
        first = not users.there_are(tx)
    if first and said["os_user"] is None:
        said["os_user"] = system_user()
    profile = user_profile.profile(app, said, None)
    with app.store.write() as tx:
        added = users.add(tx, user_profile.checked_name(name), profile, by=app.actor, now=app.now())
    if as_json:
        print_json(as_plain(added, (), app.now()))
        return
    known = (
        f"known here as {added.os_user}" if added.os_user else f"give them a token: `escucha user token {added.name}`"
    )
    say(f"{added.name} is {', '.join(added.roles)}; {known}.")
    if first:
        say("From now on only users may act, each what their roles allow (docs/users.md).")


@user.command("edit")
@click.argument("name")
@user_profile.profile_options
@json_option
@pass_app
def edit(app: App, /, name: str, as_json: bool, **said: Any) -> None:
    """Change what is said of somebody; what you give takes the place of all that stood there, `none` empties it.

    Roles and the name on this machine are for admins, the rest for supervisors too.
    """
    from listener.store import users

    if not any(value not in (None, ()) for value in said.values()):
        raise Mistake("Say what is to change: --role, --team, --skill, --language, --capacity, --duty or --os-user.")
    user_ = app.acting.user
    if user_ is not None and (said["roles"] or said["os_user"] is not None) and Role.ADMIN not in user_.roles:
        raise Mistake("Only an admin changes roles and names on this machine.")
    with app.store.write() as tx:
        was = users.by_id(tx, users.get(tx, name).id, lock=True)  # what is not said stays as it is by now
        profile = user_profile.profile(app, said, was)
        became, changed = users.change(tx, name, profile, by=app.actor, now=app.now())
    if as_json:
        print_json(as_plain(became, (), app.now()) | {"changed": changed})
        return
    say(f"{became.name}: {', '.join(_words(key, became) for key in changed)}." if changed else "Nothing changed.")


def _words(key: str, user_: User) -> str:
    value = getattr(user_, key)
    shown = ", ".join(str(part) for part in value) if isinstance(value, tuple) else value
    return f"{key.replace('os_user', 'name here')} {shown if shown not in (None, '') else 'none'}"


# --- looking ---


@user.command("list")
@click.option("--all", "everybody", is_flag=True, help="Also those who are disabled.")
@click.option("--team", metavar="TEAM", help="Only this team's.")
@json_option
@pass_app
def list_(app: App, *, everybody: bool, team: str | None, as_json: bool) -> None:
    """Who works here."""
    from listener.store import assigned, users

    now = app.now()
    with app.store.read() as tx:
        found = [each for each in users.listing(tx, disabled=everybody) if team is None or team in each.teams]
        away, load = users.absent(tx, now), assigned.load(tx)
    if as_json:
        more = {each.id: {"away": each.id in away, "live_cases": load.get(each.name, 0)} for each in found}
        print_json({"users": [as_plain(each, (), now) | more[each.id] for each in found]})
        return
    rows = [
        (
            each.name,
            ", ".join(each.roles),
            ", ".join(each.teams),
            ", ".join(each.skills),
            ", ".join(each.languages),
            f"{load.get(each.name, 0)}" + (f" of {each.capacity}" if each.capacity is not None else ""),
            "disabled" if not each.enabled else "away" if each.id in away else "",
        )
        for each in found
    ]
    empty = "Nobody was added yet, so everybody may do everything; `escucha user add NAME --role admin` begins."
    table(("name", "roles", "teams", "skills", "languages", "cases", "now"), rows, empty=empty, wide="teams")


@user.command("show")
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """One user in full."""
    _show(app, name, as_json)


@user.command("me")
@json_option
@pass_app
def me(app: App, as_json: bool) -> None:
    """Who you are here, and what you may do."""
    acting = app.acting
    if acting.user is None:
        if as_json:
            print_json({"name": acting.name, "user": None})
        else:
            say(f"You act as {acting.name}. Nobody was added yet, so everybody may do everything.")
        return
    _show(app, acting.user.name, as_json)


def _show(app: App, name: str, as_json: bool) -> None:
    from listener.store import users

    now = app.now()
    with app.store.read() as tx:
        found = users.get(tx, name)
        away = users.absences(tx, found, now)
    if as_json:
        print_json(as_plain(found, away, now))
        return
    heading(found.name)
    may = [path for path, roles in permitted.PERMITTED.items() if permitted.may(found, roles)]
    fields(
        [
            ("roles", found.roles),
            ("may", f"{len(may)} of {len(permitted.PERMITTED)} commands"),
            ("teams", found.teams),
            ("skills", found.skills),
            ("languages", found.languages),
            ("capacity", "no limit" if found.capacity is None else f"{found.capacity} live cases"),
            ("duty", found.duty or "always"),
            ("known here as", found.os_user or "nobody; a token shows them"),
            ("password", found.has_password),
            ("disabled", found.disabled_at),
            *(("away", _away(each, now)) for each in away),
        ]
    )


def _away(absence: Absence, now: datetime) -> str:
    since = "now" if absence.since <= now else f"from {absence.since:%Y-%m-%d %H:%M} UTC"
    until = f"until {absence.until:%Y-%m-%d %H:%M} UTC" if absence.until else "until they are back"
    return f"{since}, {until}" + (f": {absence.reason}" if absence.reason else "")


def as_plain(found: User, away: Sequence[Absence], now: datetime) -> dict[str, Any]:
    """A user for programs; these keys stay."""
    kept = {name: value for name, value in vars(found).items() if name != "id"}
    return kept | {
        "enabled": found.enabled,
        "away": any(each.since <= now for each in away),
        "absences": [vars(each) for each in away],
    }


# --- being there ---


@user.command("disable")
@click.argument("name")
@json_option
@pass_app
def disable(app: App, name: str, as_json: bool) -> None:
    """They may do nothing any more, from this moment on; the cases that they have are their teams' again."""
    from listener.desk import handing
    from listener.store import users

    with app.store.write() as tx:
        found = users.disable(tx, name, by=app.actor, now=app.now())
        given = handing.leave(tx, found, why=f"{found.name} works here no more", by=app.actor, now=app.now())
    back_again = f"`escucha user enable {found.name}` takes it back."
    _said(app, found, f"{found.name} may do nothing any more; {back_again}{_their_teams(given)}", as_json)


def _their_teams(given: Sequence[Case]) -> str:
    """Which cases changed hands, the first few by name."""
    if not given:
        return ""
    named = ", ".join(case.reference for case in given[:SAID])
    return f" Their teams have again: {named}{f' and {len(given) - SAID} more' if len(given) > SAID else ''}."


@user.command("enable")
@click.argument("name")
@json_option
@pass_app
def enable(app: App, name: str, as_json: bool) -> None:
    """They may act again."""
    from listener.store import users

    with app.store.write() as tx:
        found = users.enable(tx, name, by=app.actor, now=app.now())
    _said(app, found, f"{found.name} may act again.", as_json)


@user.command("away")
@click.argument("name", required=False)
@click.option("--from", "since", metavar="2026-12-24[T09:00]", help="Since when, in UTC; now otherwise.")
@click.option("--until", metavar="2026-12-31[T09:00]", help="Until when, in UTC, a day to its end.")
@click.option("--reason", default="", metavar="TEXT", help="Why, in a word or two; no illness needs to be named.")
@json_option
@pass_app
def away(app: App, *, name: str | None, since: str | None, until: str | None, reason: str, as_json: bool) -> None:
    """You, or somebody else, are not there: now, or at a later time.

    Where cases are assigned by themselves and it takes more than two hours, open ones go to others.
    """
    from listener.desk import handing
    from listener.store import users

    now = app.now()
    begins = _moment(since, end=False) if since else now
    ends = _moment(until, end=True) if until else None
    if ends is not None and ends <= max(begins, now):
        raise Mistake("--until must lie after --from, and after now.")
    with app.store.write() as tx:
        found = users.get(tx, user_access.whose(app, name, others=permitted.SUPERVISOR))
        found = users.by_id(tx, found.id, lock=True)
        users.away(tx, found, since=begins, until=ends, reason=reason.strip()[:200], by=app.actor, now=now)
        goes = app.config.cases.assign == "auto" and handing.longer(users.absences(tx, found, now), now)
        why = f"{found.name} is away"
        given = handing.leave(tx, found, why=why, by=app.actor, now=now, only_open=True) if goes else []
    how_long = f"until {ends:%Y-%m-%d %H:%M} UTC" if ends else f"until `escucha user back {found.name}`"
    begin = "" if begins <= now else f" from {begins:%Y-%m-%d %H:%M} UTC"
    _said(app, found, f"{found.name} is away{begin} {how_long}.{_their_teams(given)}", as_json)


@user.command("back")
@click.argument("name", required=False)
@json_option
@pass_app
def back(app: App, *, name: str | None, as_json: bool) -> None:
    """You, or somebody else, are there again."""
    from listener.store import users

    with app.store.write() as tx:
        found = users.get(tx, user_access.whose(app, name, others=permitted.SUPERVISOR))
        users.back(tx, found, by=app.actor, now=app.now())
    _said(app, found, f"{found.name} is back.", as_json)


def _said(app: App, found: User, sentence: str, as_json: bool) -> None:
    from listener.store import users

    if not as_json:
        say(sentence)
        return
    with app.store.read() as tx:
        print_json(as_plain(found, users.absences(tx, found, app.now()), app.now()))


def _moment(text: str, *, end: bool) -> datetime:
    """A day, or a moment, in UTC; of a day its beginning, or its end. Raises Mistake."""
    try:
        read = datetime.fromisoformat(text.strip())
        if len(text.strip()) <= len("2026-12-24"):
            read = datetime.combine(read.date(), time(0)) + timedelta(days=1 if end else 0)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Mistake(
            f"{clip(text, 40)!r} is no day or moment; write it like 2026-12-24 or 2026-12-24T09:00."
        ) from None
