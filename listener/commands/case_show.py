"""`escucha case show`: one case with all that was said and done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from listener.commands import around, around_plain, attaching, case_assignment, case_clocks, case_told, looking
from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain, who
from listener.commands.drawing import STRANGER, media_line
from listener.commands.keys import incident_keys
from listener.commands.lines import in_one_line, label, name_of
from listener.commands.output import block, console, heading, json_option, pairs_of, print_json, say, show, styled

if TYPE_CHECKING:
    from rich.console import RenderableType

    from listener.desk.context import Context
    from listener.desk.history import Happening
    from listener.store.cases import Case
    from listener.types import IncidentView


FIRST, LAST = 2, 10  # things that happened which are told of a long story; --all tells the rest


@click.command("show")
@click.argument("ref", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="All that was said and done, however long the story is.")
@json_option
@pass_app
def show_(app: App, ref: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """One case: whose it is, its clocks, what is known around it, and what was said and done, in order."""
    from listener.desk import cases as desk
    from listener.desk import context, history, lasting
    from listener.store import cases, sight, steps

    now = app.now()
    with app.store.read() as tx:
        found = desk.find(tx, " ".join(ref), app.config.cases.pattern)  # as it was typed, with spaces too
        known = context.of_case(tx, found, now=now)
        told = history.of(tx, found, known.inside, strangers=known.strangers)
        planned = steps.of(tx, found.id)
        parts = [each for each in cases.parts(tx, found) if sight.sees(tx, each)]
        merged = cases.merged_in(tx, found)
        warned = steps.warned(tx, [found.id], now).get(found.id, ())
        incident = lasting.of_case(tx, found)
    if known.standing:
        looking.at(app, [f"customer {known.standing.customer.reference}"], reason=f"case {found.reference}")
    known = around.with_articles(app, around.seen_by(app, around.with_offers(app, known)))
    assignment = case_assignment.of(app, found)
    if as_json:
        plain = {
            **as_plain(found, now),
            "assignment": assignment,
            "warned": warned,
            "steps": case_clocks.as_plain(planned),
            "children": [each.reference for each in parts],
            "merged": [each.reference for each in merged],
            "incident": incident_keys(incident),
        }
        print_json({**plain, "timeline": told, "context": around_plain.as_plain(known, now)})
        return
    shown = told if everything or len(told) <= FIRST + LAST + 1 else [*told[:FIRST], *told[-LAST:]]
    rows = [
        *_during(incident),
        ("who has it", case_assignment.in_words(assignment)),
        *case_clocks.rows(app, found, planned, warned),
        *case_told.rows(found, parts, merged),
    ]
    heading(f"{found.reference}  {found.title}")
    outside = known.beside(found)
    around.beside(console(), lambda _: _facts(found, known, rows), outside, now=now, more=3 * len(shown))
    say()
    for number, happening in enumerate(shown):
        if len(shown) < len(told) and number == FIRST:
            show(styled(f"… {len(told) - len(shown)} more: escucha case show {found.reference} --all", "dim"))
        _print_happening(happening)


def _facts(case: Case, known: Context, clocks: list[tuple[str, str]]) -> RenderableType:
    whose = [who(case)]
    if known.standing:
        customer = known.standing.customer
        whose = [customer.name, customer.reference, customer.tier, customer.language]
    if case.handle and case.network:
        whose.append(f"{name_of(case.handle, case.network)} on {case.network}")
    return pairs_of(
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


def _during(incident: IncidentView | None) -> list[tuple[str, str]]:
    """What it is a part of, and while that lasts what agents say and what they do not."""
    if incident is None:
        return []
    told = in_one_line(incident) if incident.state.active else ""
    return [("incident", f"{incident.reference} {label(incident.title)}, {incident.state}"), ("now", told)]


def _print_happening(happening: Happening) -> None:
    at = f"{happening.at:%Y-%m-%d %H:%M}"
    match happening.kind:
        case "said":
            title = f"{at}  {happening.by} said on {happening.detail['network']} (M{happening.mention})"
            text = "(deleted by its author)" if happening.gone else happening.text
        case "answered":
            how = {"mail": "wrote a mail", "dm": "sent a direct message"}.get(happening.detail["channel"], "answered")
            title, text = f"{at}  we {how} (approved by {happening.by})", happening.text
        case _:
            title, text = f"{at}  {case_told.sentence(happening)}", happening.text
    show(styled(title, "bold" if happening.kind in ("said", "answered") else "dim"))
    if happening.kind == "said":
        show(styled(f"  in this case: {happening.detail['why']}", "dim"))
        if not happening.detail["known"]:
            show(styled(f"  {STRANGER}", "yellow"))
    if text:
        block(text)
    for item in happening.media:
        block(media_line(item).plain)
    for image in happening.images:
        block(f"with {attaching.line(image)}")
