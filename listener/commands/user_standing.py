"""What of users no longer fits the policy: for `escucha doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from listener.commands.case_typed import policy_file
from listener.types import Role

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.store.users import User


def findings(app: App) -> Iterator[tuple[str, str]]:
    """What is wrong with somebody, in a sentence, and the next step. Raises PolicyProblem or Outage."""
    from listener.desk import duty
    from listener.store import users

    with app.store.read() as tx:
        everybody = users.listing(tx)
    if not everybody:
        return
    file = policy_file(app)
    for user in everybody:
        edit = f"escucha user edit '{user.name}'"
        for team in user.teams:
            if team not in file.teams:
                there = ", ".join(file.teams)
                yield f"{user.name} is of the team {team}, which the policy does not have.", f"{edit} --team ({there})"
        calendar = duty.read(user.duty)
        if isinstance(calendar, str) and calendar and calendar not in file.calendars:
            said = (
                f"{user.name} is on duty by the calendar {calendar}, which the policy does not have: always, for now."
            )
            yield said, f"{edit} --duty …"
    if app.config.cases.assign == "auto":
        yield from _teams_of_nobody(list(file.teams), everybody)


def _teams_of_nobody(teams: list[str], everybody: list[User]) -> Iterator[tuple[str, str]]:
    agents = [user for user in everybody if Role.AGENT in user.roles]
    manned = {team for user in agents for team in user.teams}
    if agents and (empty := [team for team in teams if team not in manned]):
        yield (
            f"No agent is of the team {', '.join(empty)}: its cases wait for whoever takes them.",
            ("escucha user edit NAME --team …"),
        )
