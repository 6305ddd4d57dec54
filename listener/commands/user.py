"""`escucha user`: who works here, what they may do and are good at, and when they are not there."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

from listener.commands import permitted, user_access
from listener.commands.actor import problem_of, system_user
from listener.commands.app import App, pass_app
from listener.commands.output import clip, fields, heading, json_option, print_json, say, table
from listener.errors import Mistake
from listener.escapes import visible
from listener.types import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from listener.store.users import Absence, Profile, User

LONGEST = 100  # characters of a team, a skill, a name on the machine
MOST = 50  # teams, skills or languages
NOTHING = "none"  # takes away what stands there
_MIXED = ("LATIN", "CYRILLIC", "GREEK")  # whose letters look alike


@click.group()
def user() -> None:
    """Users: who works here, and what they may do.

    Before the first one is added, everybody may do everything. From then on, who acts is known by their name on this
    machine, or by a token in ESCUCHA_TOKEN (or a file that ESCUCHA_TOKEN_FILE names).
    """


for each in user_access.COMMANDS:
    user.add_command(each)


def _profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    more = [
        click.option(
            "--role",
            "roles",
            multiple=True,
            type=click.Choice([role.value for role in Role]),
            help="What they do; may be repeated.",
        ),
        click.option("--team", "teams", multiple=True, metavar="TEAM", help="A team of the policy; may be repeated."),
        click.option("--skill", "skills", multiple=True, metavar="SKILL", help="What they know; may be repeated."),
        click.option(
            "--language", "languages", multiple=True, metavar="es", help="What they answer in; may be repeated."
        ),
        click.option("--capacity", metavar="N|none", help="How many live cases they can have at once."),
        click.option(
            "--duty",
            metavar="CALENDAR|HOURS",
            help='A calendar of the policy, or hours: "mon-fri 09:00-17:00 Europe/Madrid"; none: always.',
        ),
        click.option("--os-user", metavar="NAME", help="Their name on this machine; none: only a token shows them."),
    ]
    for option in reversed(more):
        command = option(command)
    return command


@user.command("add")
@click.argument("name")
@_profile_options
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
    profile = _profile(app, said, None)
    with app.store.write() as tx:
        added = users.add(tx, checked_name(name), profile, by=app.actor, now=app.now())
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
@_profile_options
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
    with app.store.read() as tx:
        profile = _profile(app, said, users.get(tx, name))
    with app.store.write() as tx:
        became, changed = users.change(tx, name, profile, by=app.actor, now=app.now())
    if as_json:
        print_json(as_plain(became, (), app.now()) | {"changed": changed})
        return
    say(f"{became.name}: {', '.join(_words(key, became) for key in changed)}." if changed else "Nothing changed.")


def _words(key: str, user_: User) -> str:
    value = getattr(user_, key)
    shown = ", ".join(str(part) for part in value) if isinstance(value, tuple) else value
    return f"{key.replace('os_user', 'name here')} {shown if shown not in (None, '') else 'none'}"


def checked_name(name: str) -> str:
    """The name as it will be kept. Raises Mistake for one that could be taken for another's."""
    from listener.store import users

    plain = " ".join(unicodedata.normalize("NFC", name).split())
    problem = problem_of(plain)
    scripts = [{kind for letter in word for kind in _MIXED if unicodedata.name(letter, "").startswith(kind)}
               for word in re.findall(r"\w+", plain)]  # fmt: skip
    if not problem and any(len(kinds) > 1 for kinds in scripts):
        problem = "mixes letters that look alike, of several scripts; write it in one"
    if not problem and len(users.folded(plain)) > LONGEST:
        problem = "is too long when written out"
    if problem:
        raise Mistake(f"{visible(name)[:80]!r} {problem}.")
    return plain


def _profile(app: App, said: dict[str, Any], was: User | None) -> Profile:
    """What is to be true of them, of what was given and what stands there. Raises Mistake."""
    from listener.store.users import PROFILE, Profile

    before = {key: getattr(was, key) for key in PROFILE} if was else {}
    given: dict[str, Any] = {}
    if said["roles"]:
        given["roles"] = tuple(role for role in Role if role.value in said["roles"])
    if said["teams"]:
        given["teams"] = _teams(app, _list(said["teams"], "team"))
    if said["skills"]:
        given["skills"] = tuple(dict.fromkeys(skill.casefold() for skill in _list(said["skills"], "skill")))
    if said["languages"]:
        given["languages"] = _languages(_list(said["languages"], "language"))
    if said["capacity"] is not None:
        given["capacity"] = _capacity(said["capacity"])
    if said["duty"] is not None:
        given["duty"] = _duty(app, said["duty"])
    if said["os_user"] is not None:
        given["os_user"] = _os_user(said["os_user"])
    return Profile(**{"roles": (Role.AGENT,), **before, **given})


def _list(values: Sequence[str], what: str) -> tuple[str, ...]:
    """Each once, without blanks; `none` alone gives nothing. Raises Mistake."""
    parts = list(dict.fromkeys(part for value in values for part in (p.strip() for p in value.split(",")) if part))
    if parts == [NOTHING]:
        return ()
    if len(parts) > MOST:
        raise Mistake(f"More than {MOST} are too many for --{what}.")
    for part in parts:
        if len(part) > LONGEST or visible(part) != part:
            raise Mistake(f"{clip(part, 60)!r} is no {what}: it is too long, or holds characters that nobody can see.")
    return tuple(parts)


def _teams(app: App, names: tuple[str, ...]) -> tuple[str, ...]:
    from listener.commands.case_typed import known_team

    for name in names:
        known_team(app, name)
    return names


def _languages(codes: tuple[str, ...]) -> tuple[str, ...]:
    for code in codes:
        if not re.fullmatch("[a-z]{2}", code.lower()):
            raise Mistake(f"{clip(code, 20)!r} is no language; use two letters, such as es.")
    return tuple(dict.fromkeys(code.lower() for code in codes))


def _capacity(text: str) -> int | None:
    if text.strip().casefold() == NOTHING:
        return None
    if not re.fullmatch("[0-9]{1,4}", text.strip()):
        raise Mistake(f"{clip(text, 20)!r} is no number of cases; give 0 to 9999, or none for no limit.")
    return int(text)


def _duty(app: App, text: str) -> str:
    from listener.desk import duty

    if text.strip().casefold() == NOTHING:
        return ""
    read = duty.read(text)
    if isinstance(read, str) and read:
        calendars = list(getattr(app.policy, "file").calendars)  # noqa: B009
        if read not in calendars:
            there = f"there are: {', '.join(calendars)}" if calendars else "it has none"
            raise Mistake(f"There is no calendar {read!r} in the policy, {there}; hours are written {duty.EXAMPLE}.")
    return " ".join(text.split())


def _os_user(text: str) -> str | None:
    if text.strip().casefold() == NOTHING:
        return None
    plain = text.strip()
    if not plain or len(plain) > LONGEST or visible(plain) != plain or any(c.isspace() or c == ":" for c in plain):
        raise Mistake(f"{clip(text, 40)!r} is no name on a machine.")
    return plain


# --- looking ---


@user.command("list")
@click.option("--all", "everybody", is_flag=True, help="Also those who are disabled.")
@click.option("--team", metavar="TEAM", help="Only this team's.")
@json_option
@pass_app
def list_(app: App, *, everybody: bool, team: str | None, as_json: bool) -> None:
    """Who works here."""
    from listener.store import users

    now = app.now()
    with app.store.read() as tx:
        found = [each for each in users.listing(tx, disabled=everybody) if team is None or team in each.teams]
        away = users.absent(tx, now)
    if as_json:
        print_json({"users": [as_plain(each, (), now) | {"away": each.id in away} for each in found]})
        return
    rows = [
        (
            each.name,
            ", ".join(each.roles),
            ", ".join(each.teams),
            ", ".join(each.skills),
            ", ".join(each.languages),
            "disabled" if not each.enabled else "away" if each.id in away else "",
        )
        for each in found
    ]
    empty = "Nobody was added yet, so everybody may do everything; `escucha user add NAME --role admin` begins."
    table(("name", "roles", "teams", "skills", "languages", "now"), rows, empty=empty, wide="teams")


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
    """They may do nothing any more, from this moment on."""
    from listener.store import users

    with app.store.write() as tx:
        found = users.disable(tx, name, by=app.actor, now=app.now())
    _said(
        app, found, f"{found.name} may do nothing any more; `escucha user enable {found.name}` takes it back.", as_json
    )


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
    """You, or somebody else, are not there: now, or at a later time."""
    from listener.store import users

    now = app.now()
    begins = _moment(since, end=False) if since else now
    ends = _moment(until, end=True) if until else None
    if ends is not None and ends <= max(begins, now):
        raise Mistake("--until must lie after --from, and after now.")
    with app.store.write() as tx:
        found = users.get(tx, user_access.whose(app, name, others=permitted.SUPERVISOR))
        users.away(tx, found, since=begins, until=ends, reason=reason.strip()[:200], by=app.actor, now=now)
    how_long = f"until {ends:%Y-%m-%d %H:%M} UTC" if ends else f"until `escucha user back {found.name}`"
    begin = "" if begins <= now else f" from {begins:%Y-%m-%d %H:%M} UTC"
    _said(app, found, f"{found.name} is away{begin} {how_long}.", as_json)


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
