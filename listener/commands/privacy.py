"""`escucha privacy`: what is kept for how long, what goes, and who was erased."""

from __future__ import annotations

import click

from listener.commands import output
from listener.commands.app import App, pass_app
from listener.commands.output import spell

LIMIT = 50


@click.group()
def privacy() -> None:
    """How long things are kept, what goes when, and who was erased."""


@privacy.command()
@output.json_option
@pass_app
def preview(app: App, as_json: bool) -> None:
    """What is too old by the settings' [retention], and would go now; changes nothing."""
    from listener.desk import retaining

    with app.store.read() as tx:
        found = retaining.preview(tx, app.config.retention.periods, app.now())
    if as_json:
        output.print_json({"kinds": found})
        return
    rows = [
        (each.kind, spell(each.period) if each.period else "for ever", each.count, f"{each.oldest or '':.10}")
        for each in found
    ]
    output.table(("what", "is kept", "would go", "oldest"), rows, empty="")
    if not any(each.period for each in found):
        output.say("Nothing is ever too old: set periods under [retention], see docs/privacy.md.")
    elif any(each.count for each in found):
        output.say("`escucha run` lets them go, a part every ten minutes; now: escucha privacy run")


@privacy.command()
@output.json_option
@pass_app
def run(app: App, as_json: bool) -> None:
    """Let go what is too old now, instead of waiting for `escucha run` to do so."""
    from listener.desk import retaining

    total: dict[str, int] = {}
    while gone := retaining.retain(app.store, app.config.retention.periods, now=app.now(), stopping=lambda: False):
        total = {kind: total.get(kind, 0) + gone.get(kind, 0) for kind in {*total, *gone}}
        if set(gone) <= {"customers"}:
            break
    if as_json:
        output.print_json({"gone": total})
    else:
        output.table(("what", "gone"), sorted(total.items()), empty="Nothing was too old.")


@privacy.command()
@click.option("--limit", type=click.IntRange(1, 100_000), default=LIMIT, show_default=True, help="The newest so many.")
@output.json_option
@pass_app
def erasures(app: App, limit: int, as_json: bool) -> None:
    """Who was erased: number, when, by whom and why; and what is not finished yet."""
    from listener.store import erasures as store

    with app.store.read() as tx:
        found = store.listing(tx, limit)
    if as_json:
        names = ("id", "begun_at", "done_at", "by", "reason", "proof")
        output.print_json({"erasures": [{name: getattr(each, name) for name in names} for each in found]})
        return
    rows = [
        (each.id, each.begun_at, "done" if each.done_at else "not finished: call it again", each.by, each.reason)
        for each in found
    ]
    output.table(("", "when", "state", "by", "why"), rows, empty="Nobody was erased.", wide="why")
