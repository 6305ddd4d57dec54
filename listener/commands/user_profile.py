"""What is said of somebody who works here, as it is typed: roles, teams, skills, languages, room, duty, their name."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import click

from listener.commands.actor import problem_of
from listener.commands.app import App
from listener.commands.output import clip
from listener.errors import Mistake
from listener.escapes import visible
from listener.types import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from listener.store.users import Profile, User

LONGEST = 100  # characters of a team, a skill, a name on the machine
MOST = 50  # teams, skills or languages
NOTHING = "none"  # takes away what stands there
_MIXED = ("LATIN", "CYRILLIC", "GREEK")  # whose letters look alike


def profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def profile(app: App, said: dict[str, Any], was: User | None) -> Profile:
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
