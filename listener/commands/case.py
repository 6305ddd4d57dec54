"""`escucha case`: the work items, from the queue to their end."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import click
from rich.text import Text

from listener.commands import attaching, case_clocks, looking
from listener.commands.app import App, pass_app
from listener.commands.drawing import STYLES, WIDEST, media_line
from listener.commands.output import (
    SomeFailed,
    ago,
    block,
    clip,
    complain,
    console,
    fields,
    heading,
    json_option,
    print_json,
    say,
    show,
    styled,
)
from listener.errors import Mistake
from listener.types import CasePlan, CaseState, Clock, Urgency

if TYPE_CHECKING:
    from listener.desk.history import Happening
    from listener.store import Transaction
    from listener.store.cases import Case
    from listener.store.customers import Customer
    from listener.store.mentions import Mention

LIMIT = 50
LONGEST_NOTE = 10_000
LONGEST_NAME = 12  # columns of a team's or an agent's name in the queue


@click.group()
def case() -> None:
    """Cases: the queue, one case in full, and what people do with it.

    REF is a case's reference in any form: ES-26-000123-7, es26 123 7, 261237.
    """


# --- looking ---


@case.command("list")
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


def who(case: Case) -> str:
    """Whose case it is, as well as we know."""
    return case.customer_name or (f"@{case.handle}" if case.handle else "nobody known")


def as_plain(case: Case, now: datetime) -> dict[str, Any]:
    """A case for programs; these keys stay."""
    return {
        "reference": case.reference,
        "state": case.state,
        "urgency": case.urgency,
        "score": case.score,
        "queue_at": case.queue_at,
        "skills": case.skills,
        "title": case.title,
        "team": case.team,
        "agent": case.agent,
        "completeness": case.completeness,
        "tags": case.tags,
        "customer": case.customer_reference and {"reference": case.customer_reference, "name": case.customer_name},
        "account": case.handle and {"network": case.network, "handle": case.handle},
        "opened_at": case.opened_at,
        "opened_by": case.opened_by,
        "changed_at": case.changed_at,
        "first_response_due": case.first_response_due,
        "first_response_at": case.first_response_at,
        "first_response_overdue": case_clocks.is_late(case, Clock.FIRST_RESPONSE, now),
        "resolution_due": case.resolution_due,
        "resolved_at": case.resolved_at,
        "resolution_overdue": case_clocks.is_late(case, Clock.RESOLUTION, now),
        "promise": case.promise,
        "stands_still_since": case.stands_since,
        "asked": case.asked_at and {"team": case.asked_team, "by": case.asked_by, "at": case.asked_at},
    }


@case.command("show")
@click.argument("ref")
@json_option
@pass_app
def show_(app: App, ref: str, as_json: bool) -> None:
    """One case: whose it is, its clocks, and all that was said and done, in order."""
    from listener.desk import cases as desk
    from listener.desk import history
    from listener.store import customers, steps

    with app.store.read() as tx:
        found = desk.find(tx, ref, app.config.cases.prefix)
        customer = customers.by_id(tx, found.customer_id) if found.customer_id else None
        told = history.of(tx, found)
        planned = steps.of(tx, found.id)
        warned = steps.warned(tx, [found.id], app.now()).get(found.id, ())
    if customer:
        looking.at(app, [f"customer {customer.reference}"], reason=f"case {found.reference}")
    if as_json:
        plain = {**as_plain(found, app.now()), "warned": warned, "steps": case_clocks.as_plain(planned)}
        print_json({**plain, "timeline": told})
        return
    _print_case(found, customer, told, case_clocks.rows(app, found, planned, warned))


def _print_case(case: Case, customer: Customer | None, told: list[Happening], clocks: list[tuple[str, str]]) -> None:
    heading(f"{case.reference}  {case.title}")
    whose = [who(case)]
    if customer:
        whose = [customer.name, customer.reference, customer.tier, customer.language]
    if case.handle and case.network:
        whose.append(f"@{case.handle} on {case.network}")
    fields(
        [
            ("who", " · ".join(part for part in whose if part)),
            ("state", f"{case.state}, {case.completeness} % complete"),
            ("urgency", f"{case.urgency}, score {case.score}"),
            ("skills", case.skills),
            ("team", f"{case.team}, {case.agent}" if case.agent else f"{case.team}, nobody yet"),
            ("tags", case.tags),
            ("opened", f"{case.opened_at:%Y-%m-%d %H:%M} UTC by {case.opened_by}"),
            *clocks,
        ]
    )
    say()
    for happening in told:
        _print_happening(happening)


def _print_happening(happening: Happening) -> None:
    at = f"{happening.at:%Y-%m-%d %H:%M}"
    match happening.kind:
        case "said":
            title = f"{at}  {happening.by} said on {happening.detail['network']} (M{happening.mention})"
            text = "(deleted by its author)" if happening.gone else happening.text
        case "answered":
            title, text = f"{at}  we answered (approved by {happening.by})", happening.text
        case _:
            title, text = f"{at}  {_sentence(happening)}", happening.text
    show(styled(title, "bold" if happening.kind in ("said", "answered") else "dim"))
    if text:
        block(text)
    for item in happening.media:
        block(media_line(item).plain)
    for image in happening.images:
        block(f"with {attaching.line(image)}")


def _sentence(happening: Happening) -> str:
    detail, by = happening.detail, happening.by
    if timed := case_clocks.sentence(happening.kind, by, detail):
        return timed
    sentences = {
        "opened": f"opened by {by} for {detail.get('team')}, urgency {detail.get('urgency')}",
        "assigned": f"given to {detail.get('agent') or detail.get('team')} by {by}",
        "urgency": f"urgency raised from {detail.get('was')} to {detail.get('urgency')} by {by}",
        "customer": f"found to be customer {detail.get('customer')}'s, by {by}",
        "note": f"note by {by}" + (f", {detail['completeness']} % complete" if "completeness" in detail else ""),
    }
    why = f": {detail['why']}" if "why" in detail else ""
    return sentences.get(happening.kind, f"{happening.kind} by {by}{why}")


# --- doing ---


@case.command("open")
@click.argument("mentions", nargs=-1, required=True, metavar="M12 [M15 …]")
@click.option("--team", metavar="TEAM", help="Who is to work on it; its area's team or the default team otherwise.")
@click.option(
    "--urgency", type=click.Choice([level.value for level in Urgency]), help="The policy's own judgement otherwise."
)
@click.option("--title", metavar="TEXT", help="What it is about, in a few words of ours.")
@click.option("--new", "another", is_flag=True, help="A case of its own, though they have one open.")
@json_option
@pass_app
def open_(
    app: App,
    *,
    mentions: tuple[str, ...],
    team: str | None,
    urgency: str | None,
    title: str | None,
    another: bool,
    as_json: bool,
) -> None:
    """Route mentions by hand: each into its author's open case, or a new one.

    Where some of several cannot be routed, each is named, the rest are done, and the exit code is 3.
    """
    team = known_team(app, team)

    def one(mention: str) -> dict[str, Any]:
        number = _mention_number(mention)
        found, opened = _route(app, number, team=team, urgency=urgency, title=title, another=another)
        if not as_json:
            say(_routed(number, found, opened))
        return {**as_plain(found, app.now()), "opened": opened}

    names = list(dict.fromkeys(name.strip().upper() for name in mentions))
    if len(names) == 1:
        routed = one(names[0])
        if as_json:
            print_json(routed)
        return
    done, failed = [], []
    for name in names:
        try:
            done.append({"mention": name, **one(name)})
        except Mistake as error:
            complain(str(error))
            failed.append(clip(name, 20))
    if as_json:
        print_json({"cases": done, "failed": failed})
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(names)} not done: {', '.join(failed)}.")


def _routed(number: int, case: Case, opened: bool) -> str:
    if opened:
        return f"{case.reference} is open for {case.team}, urgency {case.urgency}: {clip(case.title, 60)}"
    return f"M{number} joins {case.reference}, which {who(case)} has open with {case.team} (--new opens another)."


def _route(
    app: App, number: int, *, team: str | None, urgency: str | None, title: str | None, another: bool
) -> tuple[Case, bool]:
    """Puts one mention into a case; gives it, and whether it was opened now."""
    from listener.desk import cases as desk
    from listener.store import mentions

    with app.store.write() as tx:
        heard = mentions.get(tx, number)
        return desk.route(
            tx,
            heard,
            prefix=app.config.cases.prefix,
            plan=_plan(app, tx, heard, team=team, urgency=urgency, title=title),
            another=another,
            by=app.actor,
            now=app.now(),
            moved=app.policy.promises.moved,
        )


def _mention_number(typed: str) -> int:
    """`M12`, `m12` or `12`. Raises Mistake for anything else."""
    found = re.fullmatch(r"\s*M?0*([0-9]{1,18})\s*", typed, re.IGNORECASE)
    if not found:
        raise Mistake(f"{typed[:40]!r} is no mention; they look like M12, see `escucha inbox`.")
    return int(found[1])


def known_team(app: App, team: str | None) -> str | None:
    """The team, if the policy has it. Raises Mistake."""
    teams = list(_policy_file(app).teams)
    if team is not None and team not in teams:
        raise Mistake(f"There is no team {team!r} in the policy; there are: {', '.join(teams)}.")
    return team


def _policy_file(app: App) -> Any:
    """What the policy says about teams and promises."""
    return cast("Any", app.policy).file


def _plan(
    app: App, tx: Transaction, mention: Mention, *, team: str | None, urgency: str | None, title: str | None
) -> CasePlan:
    """A case as the policy would open it, but for what the person says."""
    from listener.desk import customers
    from listener.store import decisions

    decided = next(iter(decisions.decisions_of(tx, mention.id)), None)
    understanding = decisions.understanding_of(tx, mention.id)
    level = Urgency(urgency or (decided.urgency if decided else Urgency.NORMAL))
    customer = customers.behind(tx, mention.account_id, mention.network, mention.author.handle, app.now())
    score = level.points + (decided.score - Urgency(decided.urgency).points if decided else 0)
    areas = understanding.areas if understanding else ()
    routes = cast("Any", app.policy)
    matter = understanding.intents[0].replace("_", " ") if understanding and understanding.intents else "mention"
    team = team or routes.team_for(areas)
    promise = app.policy.promises.promise(
        team=team, urgency=level, network=mention.network, tier=customer.tier if customer else "", now=app.now()
    )
    return CasePlan(
        team=team,
        urgency=level,
        title=_words(title, "title", 200) if title else f"{matter.capitalize()} on {mention.network}",
        tags=decided.tags if decided else (),
        promise=promise,
        skills=routes.skills_for(areas),
        score=score,
        minutes_per_point=routes.minutes_per_point,
    )


def _words(text: str, what: str, longest: int) -> str:
    """Text that a person typed. Raises Mistake when there is none, or too much."""
    plain = text.strip().encode("utf-8", "replace").decode().replace("\x00", "")
    if not plain or len(plain) > longest:
        raise Mistake(f"The {what} is empty." if not plain else f"The {what} is longer than {longest:,} characters.")
    return plain


@case.command("assign")
@click.argument("ref")
@click.option("--team", metavar="TEAM", help="The team that works on it from now on.")
@click.option("--agent", metavar="NAME", help="The person who does; without it, the team has it.")
@click.option("--take-over", is_flag=True, help="Even if somebody else has it.")
@json_option
@pass_app
def assign(app: App, *, ref: str, team: str | None, agent: str | None, take_over: bool, as_json: bool) -> None:
    """Give a case to a team, an agent, or both."""
    from listener.desk import cases as desk

    if not team and not agent:
        raise Mistake("Say to whom: --team, --agent, or both.")
    team = known_team(app, team)
    agent = _words(agent, "agent's name", 100) if agent else None
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.prefix)
        found = desk.assign(tx, found, team=team, agent=agent, by=app.actor, now=app.now(), take_over=take_over)
    _done(app, found, f"{found.reference} is {found.agent or found.team}'s now.", as_json)


@case.command("note")
@click.argument("ref")
@click.argument("text")
@click.option("--complete", type=click.IntRange(0, 100), help="How complete it is now, in percent.")
@json_option
@pass_app
def note(app: App, *, ref: str, text: str, complete: int | None, as_json: bool) -> None:
    """Write something down for whoever works on the case next."""
    from listener.desk import cases as desk

    words = _words(text, "note", LONGEST_NOTE)
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.prefix)
        desk.note(tx, found, words, by=app.actor, now=app.now(), completeness=complete)
        found = desk.find(tx, found.reference, app.config.cases.prefix)
    complete_now = "" if complete is None else f", {complete} % complete"
    _done(app, found, f"Noted in {found.reference}{complete_now}.", as_json)


def _move(app: App, ref: str, to: CaseState, text: str | None, as_json: bool) -> None:
    from listener.desk import cases as desk

    def moved(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
        """Reads the policy only where a clock runs on by it."""
        return app.policy.promises.moved(moment, calendar=calendar, since=since, until=until)

    words = _words(text, "note", LONGEST_NOTE) if text else ""
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.prefix)
        found = desk.move(tx, found, to, by=app.actor, now=app.now(), moved=moved, note=words)
    _done(app, found, f"{found.reference} is {found.state}.", as_json)


def _done(app: App, case: Case, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(as_plain(case, app.now()))
    else:
        say(sentence)


@case.command("pending")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="What we wait for.")
@json_option
@pass_app
def pending(app: App, ref: str, text: str | None, as_json: bool) -> None:
    """We wait for the customer; it opens again by itself when they write."""
    _move(app, ref, CaseState.PENDING, text, as_json)


@case.command("resolve")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="What solved it.")
@json_option
@pass_app
def resolve(app: App, ref: str, text: str | None, as_json: bool) -> None:
    """It is solved."""
    _move(app, ref, CaseState.RESOLVED, text, as_json)


@case.command("reopen")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="Why.")
@json_option
@pass_app
def reopen(app: App, ref: str, text: str | None, as_json: bool) -> None:
    """It is not solved after all, or we need not wait any longer."""
    _move(app, ref, CaseState.OPEN, text, as_json)


@case.command("ask-for-information")
@click.argument("ref")
@click.argument("text")
@click.option("--from", "team", metavar="TEAM", required=True, help="The team that should know.")
@json_option
@pass_app
def ask_for_information(app: App, *, ref: str, text: str, team: str, as_json: bool) -> None:
    """Ask another team for what you need to go on; the policy's steps begin until they answer.

    The case stays where it is, and its own clocks run on. `escucha case inform` answers.
    """
    from listener.desk import cases as desk
    from listener.desk import clocks

    words = _words(text, "question", LONGEST_NOTE)
    asked = known_team(app, team) or team
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.prefix)
        calendar = next((str(each["calendar"]) for each in found.promise.values()), "")
        chain = app.policy.promises.question(asked, calendar=calendar, now=app.now())
        found = clocks.ask(tx, found, team=asked, text=words, chain=chain, by=app.actor, now=app.now())
    _done(app, found, f"{found.reference} waits for {asked}; `escucha case inform {found.reference}` answers.", as_json)


@case.command("inform")
@click.argument("ref")
@click.argument("text")
@json_option
@pass_app
def inform(app: App, *, ref: str, text: str, as_json: bool) -> None:
    """Answer what the case was asking your team for, which ends the steps."""
    from listener.desk import cases as desk
    from listener.desk import clocks

    words = _words(text, "answer", LONGEST_NOTE)
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.prefix)
        asker = found.asked_by
        found = clocks.inform(tx, found, text=words, by=app.actor, now=app.now())
    _done(app, found, f"{found.reference} has its answer; {asker} can go on.", as_json)
