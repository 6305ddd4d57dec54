"""What the commands about cases have in common: words that people type, teams of the policy, how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from listener.commands.app import App
from listener.commands.case_plain import as_plain
from listener.commands.output import print_json, say
from listener.errors import Mistake
from listener.types import Item

if TYPE_CHECKING:
    from listener.store.cases import Case

LONGEST_NOTE = 10_000


def known_team(app: App, team: str | None) -> str | None:
    """The team, if the policy has it. Raises Mistake."""
    teams = list(policy_file(app).teams)
    if team is not None and team not in teams:
        raise Mistake(f"There is no team {team!r} in the policy; there are: {', '.join(teams)}.")
    return team


def steps_of(app: App, team: str) -> tuple[Item, ...]:
    """What makes the cases of that team complete, by the policy."""
    found: tuple[Item, ...] = cast("Any", app.policy).checklist_of(team)
    return found


def policy_file(app: App) -> Any:
    """What the policy says about teams and promises."""
    return cast("Any", app.policy).file


def typed(text: str, what: str, longest: int) -> str:
    """Text that a person typed. Raises Mistake when there is none, or too much."""
    plain = text.strip().encode("utf-8", "replace").decode().replace("\x00", "")
    if not plain or len(plain) > longest:
        raise Mistake(f"The {what} is empty." if not plain else f"The {what} is longer than {longest:,} characters.")
    return plain


def done(app: App, case: Case, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(as_plain(case, app.now()))
    else:
        say(sentence)
