"""`escucha case list`: the queue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from listener.commands import case_clocks, screenful, when
from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain, who
from listener.commands.lines import STYLES, WIDEST
from listener.commands.output import ago, clip, console, json_option, print_json, say, show, styled
from listener.errors import Mistake
from listener.types import CaseState, Clock

if TYPE_CHECKING:
    from listener.store.cases import Case

LIMIT = 50
MOST_ASLEEP = 100  # snoozed cases that are counted
LONGEST_NAME = 12  # columns of a team's or an agent's name in the queue
BESIDES = 3  # lines of the queue that are no case: the headings, how many more there are, how many are snoozed
LEAST_TITLE = 8  # columns; a title that has less room than this says nothing


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
@click.option("--mine", is_flag=True, help="Only those that you have.")
@click.option("--watched", is_flag=True, help="Only those that you watch.")
@click.option("--tag", metavar="TAG", help="Only those with this tag.")
@click.option("--due-before", metavar="WHEN", help="Only those due before 2026-11-01, 2026-11-01T09:30 (UTC) or 2d.")
@click.option("--snoozed", is_flag=True, help="Only those that are snoozed; the others leave them out.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--late", "late", is_flag=True, help="Only those past what was promised, or close to it.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    help=f"How many at most; else {LIMIT}, or what a terminal shows at once.",
)
@json_option
@pass_app
def list_(
    app: App,
    *,
    team: str | None,
    agent: str | None,
    states: tuple[str, ...],
    skill: str | None,
    mine: bool,
    watched: bool,
    tag: str | None,
    due_before: str | None,
    snoozed: bool,
    everything: bool,
    late: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """What is to be done, by score and by how long it has waited.

    The policy says what gives points, and how much waiting one of them is worth; `escucha explain REF` lists them.
    """
    from listener.store import cases, steps

    if states and everything:
        raise Mistake("Give --state or --all, not both.")
    if mine and agent:
        raise Mistake("Give --mine or --agent, not both.")
    now = app.now()
    before = when.to_come(due_before, now) if due_before else None
    hides = not (snoozed or everything or late or watched)
    wanted = [CaseState(state) for state in states] or (list(CaseState) if everything else list(cases.LIVE))
    most = limit or LIMIT
    room = None if limit or as_json else screenful.room()
    with app.store.read() as tx:
        asked = skill.strip().casefold() if skill is not None else None
        found = cases.listing(
            tx,
            states=wanted,
            team=team,
            agent=app.actor if mine else agent,
            skill=asked,
            limit=most + 1,
            late_at=now if late else None,
            tag=tag.strip() if tag is not None else None,
            watcher=app.actor if watched else None,
            due_before=before,
            awake_at=now if hides else None,
            asleep_at=now if snoozed else None,
        )
        listed = found[: _fitting(room, most)]
        words = cases.last_words(tx, listed)
        warned = steps.warned(tx, [each.id for each in listed], now)
        asleep = len(cases.listing(tx, states=wanted, team=team, asleep_at=now, limit=MOST_ASLEEP)) if hides else 0
    if as_json:
        plain = [{**as_plain(each, now), "warned": warned.get(each.id, ())} for each in listed]
        print_json({"cases": plain, "more": len(found) > most})
        return
    if late and not listed:
        say("No case is late, and none soon will be.")
        return
    if snoozed and not listed:
        say("No case is snoozed.")
        return
    _print_queue(listed, words, now, warned)
    if len(found) > most:
        shown = "There are more" if len(listed) == most else f"{len(listed)} of more than {most} shown"
        say(f"{shown}; see them with --limit {most * 4}.")
    elif len(found) > len(listed):
        say(f"{len(listed)} of {len(found)} shown; --limit {len(found)} shows all of them.")
    if asleep:
        say(f"{asleep if asleep < MOST_ASLEEP else f'{asleep} or more'} snoozed; --snoozed shows them.")


def _fitting(room: int | None, most: int) -> int:
    """How many cases are shown, two lines each, where a terminal keeps `room` lines in sight; `most` elsewhere."""
    return most if room is None else min(most, max(1, (room - BESIDES) // 2))


def _print_queue(
    listed: list[Case], words: dict[int, str], now: datetime, warned: dict[int, tuple[Clock, ...]]
) -> None:
    """Two lines a case: how it stands; whose it is and what they last said."""
    if not listed:
        say("No such case waits; --all shows those that are over.")
        return
    width = min(console().width, WIDEST)
    several = len({each.network for each in listed}) > 1
    headers = [
        styled(header, "bold")
        for header in ("CASE", "URGENCY", "SCORE", "STATE", "TEAM", "AGENT", "ANSWER", "DUE", "ABOUT")
    ]
    rows = [headers, *(_cells(each, now, warned.get(each.id, ())) for each in listed)]
    columns = [list(column) for column in zip(*rows, strict=True) if any(cell.plain for cell in column[1:])]
    for column in columns[:-1]:
        room = max(cell.cell_len for cell in column) + 2
        for cell in column:
            cell.pad_right(room - cell.cell_len)
    if width - sum(column[0].cell_len for column in columns[:-1]) < LEAST_TITLE:
        columns = columns[:-1]  # what they said stands below
    for number, cells in enumerate(zip(*columns, strict=True)):
        line = Text.assemble(*cells, no_wrap=True, overflow="ellipsis")
        line.truncate(width, overflow="ellipsis")
        show(line)
        if number:
            show(_said(listed[number - 1], words, width, several=several))


def _cells(case: Case, now: datetime, warned: tuple[Clock, ...]) -> list[Text]:
    return [
        styled(case.reference, "bold"),
        styled(case.urgency, STYLES[case.urgency]),
        styled(f"{case.score:>5}"),
        styled(_state(case)),
        styled(clip(case.team, LONGEST_NAME)),
        styled(clip(case.agent or "", LONGEST_NAME)),
        _due(case, now, warned),
        _own_due(case, now),
        styled(clip(case.title.removesuffix(f" on {case.network}"), WIDEST)),
    ]


def _state(case: Case) -> str:
    if case.merged_into is not None:
        return "merged"
    return f"{case.state} {case.completeness}%" if case.completeness else case.state


def _own_due(case: Case, now: datetime) -> Text:
    """When a person said that it is due, and until when it is snoozed."""
    if case.snoozed_until is not None and case.snoozed_until > now:
        return styled(f"back {ago(case.snoozed_until, now)}", "dim")
    if case.due_at is None or case.state not in (CaseState.OPEN, CaseState.PENDING):
        return styled("")
    late = case.due_at < now
    return styled(
        f"LATE {ago(case.due_at, now).removesuffix(' ago')}" if late else ago(case.due_at, now), "bold red" * late
    )


def _said(case: Case, words: dict[int, str], width: int, *, several: bool) -> Text:
    """Whose it is and what they last said; where the cases are of several networks, on which."""
    line = styled("    " + clip(who(case), 24) + (f" on {clip(case.network, 10)}" if several and case.network else ""))
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
