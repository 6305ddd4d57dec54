"""`escucha case list`: the queue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from listener.commands import case_clocks
from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain, who
from listener.commands.drawing import STYLES, WIDEST
from listener.commands.output import ago, clip, console, json_option, print_json, say, show, styled
from listener.errors import Mistake
from listener.types import CaseState, Clock

if TYPE_CHECKING:
    from listener.store.cases import Case

LIMIT = 50
LONGEST_NAME = 12  # columns of a team's or an agent's name in the queue


@click.command("list")
@click.option("--team", metavar="TEAM", help="Only this team's.")
@click.option("--agent", metavar="NAME", help="Only this agent's.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in CaseState]),
    help="Only these; may be repeated.",
)
@click.option("--skill", metavar="SKILL", help="Only those that ask for this skill.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--late", "late", is_flag=True, help="Only those past what was promised, or close to it.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="How many at most.")
@json_option
@pass_app
def list_(
    app: App,
    *,
    team: str | None,
    agent: str | None,
    states: tuple[str, ...],
    skill: str | None,
    everything: bool,
    late: bool,
    limit: int,
    as_json: bool,
) -> None:
    """What is to be done, by score and by how long it has waited.

    The policy says what gives points, and how much waiting one of them is worth; `escucha explain REF` lists them.
    """
    from listener.store import cases, steps

    if states and everything:
        raise Mistake("Give --state or --all, not both.")
    now = app.now()
    wanted = [CaseState(state) for state in states] or (list(CaseState) if everything else list(cases.LIVE))
    with app.store.read() as tx:
        asked = skill.strip().casefold() if skill is not None else None
        found = cases.listing(
            tx, states=wanted, team=team, agent=agent, skill=asked, limit=limit + 1, late_at=now if late else None
        )
        listed = found[:limit]
        words = cases.last_words(tx, listed)
        warned = steps.warned(tx, [each.id for each in listed], now)
    if as_json:
        plain = [{**as_plain(each, now), "warned": warned.get(each.id, ())} for each in listed]
        print_json({"cases": plain, "more": len(found) > limit})
        return
    if late and not listed:
        say("No case is late, and none soon will be.")
        return
    _print_queue(listed, words, now, warned)
    if len(found) > limit:
        say(f"There are more; see them with --limit {limit * 4}.")


def _print_queue(
    listed: list[Case], words: dict[int, str], now: datetime, warned: dict[int, tuple[Clock, ...]]
) -> None:
    """Two lines a case: how it stands; whose it is and what they last said."""
    if not listed:
        say("No case waits; --all shows those that are over.")
        return
    width = min(console().width, WIDEST)
    headers = [
        styled(header, "bold") for header in ("CASE", "URGENCY", "SCORE", "STATE", "TEAM", "AGENT", "ANSWER", "ABOUT")
    ]
    rows = [headers, *(_cells(each, now, warned.get(each.id, ())) for each in listed)]
    columns = [list(column) for column in zip(*rows, strict=True) if any(cell.plain for cell in column[1:])]
    for column in columns[:-1]:
        room = max(cell.cell_len for cell in column) + 2
        for cell in column:
            cell.pad_right(room - cell.cell_len)
    for number, cells in enumerate(zip(*columns, strict=True)):
        line = Text.assemble(*cells, no_wrap=True, overflow="ellipsis")
        line.truncate(width, overflow="ellipsis")
        show(line)
        if number:
            show(_said(listed[number - 1], words, width))


def _cells(case: Case, now: datetime, warned: tuple[Clock, ...]) -> list[Text]:
    return [
        styled(case.reference, "bold"),
        styled(case.urgency, STYLES[case.urgency]),
        styled(f"{case.score:>5}"),
        styled(f"{case.state} {case.completeness}%" if case.completeness else case.state),
        styled(clip(case.team, LONGEST_NAME)),
        styled(clip(case.agent or "", LONGEST_NAME)),
        _due(case, now, warned),
        styled(clip(case.title, WIDEST)),
    ]


def _said(case: Case, words: dict[int, str], width: int) -> Text:
    line = styled("    " + clip(who(case), 24))
    if said := words.get(case.id):
        line.append(": ")
        line.append(clip(said[:2000], width - line.cell_len), "dim")
    return line


def _due(case: Case, now: datetime, warned: tuple[Clock, ...]) -> Text:
    """When the first answer is due; once it is given, only whether the solution is late or soon will be."""
    if case.first_response_at is None:
        if case.first_response_due is None or case.state not in (CaseState.OPEN, CaseState.PENDING):
            return styled("")
        when = ago(case.first_response_due, now)
        if case_clocks.is_late(case, Clock.FIRST_RESPONSE, now):
            return styled(f"LATE {when.removesuffix(' ago')}", "bold red")
        return styled(when, "yellow" if Clock.FIRST_RESPONSE in warned else "")
    when = ago(case.resolution_due, now)
    if case_clocks.is_late(case, Clock.RESOLUTION, now):
        return styled(f"answered, solution LATE {when.removesuffix(' ago')}", "bold red")
    return styled(f"answered, solution {when}", "yellow") if Clock.RESOLUTION in warned else styled("answered")
