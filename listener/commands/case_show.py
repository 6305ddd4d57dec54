"""`escucha case show`: one case with all that was said and done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from listener.commands import attaching, case_assignment, case_clocks, case_continue, looking
from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain, who
from listener.commands.drawing import media_line
from listener.commands.output import block, fields, heading, json_option, print_json, say, show, styled

if TYPE_CHECKING:
    from listener.desk.history import Happening
    from listener.store.cases import Case
    from listener.store.customers import Customer


@click.command("show")
@click.argument("ref")
@json_option
@pass_app
def show_(app: App, ref: str, as_json: bool) -> None:
    """One case: whose it is, its clocks, and all that was said and done, in order."""
    from listener.desk import cases as desk
    from listener.desk import history
    from listener.store import customers, steps

    with app.store.read() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        customer = customers.by_id(tx, found.customer_id) if found.customer_id else None
        told = history.of(tx, found)
        planned = steps.of(tx, found.id)
        warned = steps.warned(tx, [found.id], app.now()).get(found.id, ())
    if customer:
        looking.at(app, [f"customer {customer.reference}"], reason=f"case {found.reference}")
    assignment = case_assignment.of(app, found)
    if as_json:
        plain = {
            **as_plain(found, app.now()),
            "assignment": assignment,
            "warned": warned,
            "steps": case_clocks.as_plain(planned),
        }
        print_json({**plain, "timeline": told})
        return
    rows = [("who has it", case_assignment.in_words(assignment)), *case_clocks.rows(app, found, planned, warned)]
    _print_case(found, customer, told, rows)


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
            how = {"mail": "wrote a mail", "dm": "sent a direct message"}.get(happening.detail["channel"], "answered")
            title, text = f"{at}  we {how} (approved by {happening.by})", happening.text
        case _:
            title, text = f"{at}  {_sentence(happening)}", happening.text
    show(styled(title, "bold" if happening.kind in ("said", "answered") else "dim"))
    if happening.kind == "said":
        show(styled(f"  in this case: {happening.detail['why']}", "dim"))
    if text:
        block(text)
    for item in happening.media:
        block(media_line(item).plain)
    for image in happening.images:
        block(f"with {attaching.line(image)}")


def _sentence(happening: Happening) -> str:
    detail, by = happening.detail, happening.by
    moved = case_continue.sentence(happening.kind, by, detail)
    if timed := moved or case_clocks.sentence(happening.kind, by, detail):
        return timed
    sentences = {
        "opened": f"opened by {by} for {detail.get('team')}, urgency {detail.get('urgency')}",
        "assigned": case_assignment.sentence(by, detail),
        "urgency": f"urgency raised from {detail.get('was')} to {detail.get('urgency')} by {by}",
        "customer": f"found to be customer {detail.get('customer')}'s, by {by}",
        "note": f"note by {by}" + (f", {detail['completeness']} % complete" if "completeness" in detail else ""),
    }
    why = f": {detail['why']}" if "why" in detail else ""
    return sentences.get(happening.kind, f"{happening.kind} by {by}{why}")
