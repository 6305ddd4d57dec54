"""`escucha incident report`: what came of an incident, on the screen, as Markdown and as a page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.output import block, console, fields, heading, json_option, print_json, say, show, styled, table
from listener.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from listener.commands.incident_report_told import Told
    from listener.insight.before_after import Estimate
    from listener.insight.incident_report import Facts, Report
    from listener.store import Transaction
    from listener.store.incident_facts import Said

_QUOTED = click.IntRange(0, 100)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("report")
@click.argument("number", metavar="I3")
@click.option("--markdown", "markdown", type=_FILE, metavar="FILE.md", help="Write it as Markdown.")
@click.option("--html", "page", type=_FILE, metavar="FILE.html", help="Write it as a page with drawings.")
@click.option("--quotes", type=_QUOTED, default=0, metavar="COUNT", help="Quote so many public mentions.")
@click.option("--names", is_flag=True, help="Leave names and addresses in what is quoted.")
@json_option
@pass_app
def report(
    app: App, *, number: str, markdown: Path | None, page: Path | None, quotes: int, names: bool, as_json: bool
) -> None:
    """What came of an incident: time line, volume, sentiment, reach, answers, cost, before and after each notice.

    It can be asked for while the incident lasts, too. Nobody is named in it, and nobody quoted unless you say --quotes.
    """
    from listener.commands import incident_report_page as pages
    from listener.commands import private
    from listener.commands.incident_report_told import told
    from listener.desk import incidents as desk
    from listener.insight import incident_report as insight

    _check_names(markdown, page)
    now = app.now()
    with app.store.read() as tx:
        facts = _facts(app, tx, desk.number(number), now)
        quoted = _quoted(tx, facts, quotes)
    made = insight.report(facts, now)
    words = told(made, quotes=quoted, names=names)
    for path, write in ((markdown, pages.markdown), (page, pages.page)):
        if path is not None:
            with private.written(path) as file:
                file.write(write(words, made))
    if as_json:
        print_json(_plain(made, quoted))
    elif markdown or page:
        say(f"Written: {', '.join(str(path) for path in (markdown, page) if path)}. Only you may read it.")
    else:
        _print(words, made)


def _check_names(markdown: Path | None, page: Path | None) -> None:
    for path, endings, what in ((markdown, (".md", ".markdown"), "Markdown"), (page, (".html", ".htm"), "A page")):
        if path is not None and path.suffix.casefold() not in endings:
            raise Mistake(f"{what} is written to a file whose name ends in {endings[0]}; {path} does not.")


def _facts(app: App, tx: Transaction, number: int, now: datetime) -> Facts:
    from listener.desk import places
    from listener.insight import incident_report as insight
    from listener.store import incident_facts, incidents

    incident = incidents.get(tx, number)
    events = incidents.events_of(tx, incident.id)
    since, until, _ = insight.lasted(incident, now)
    begin, end = insight.span(since, until, now)
    known = app.policy.places
    heard = incident_facts.mentions(tx, incident, texts=True)
    return insight.Facts(
        incident=incident,
        events=tuple(events),
        mentions=tuple(heard),
        around=tuple(incident_facts.around(tx, begin, end, incident.affected.get("networks", ()))),
        answers=tuple(incident_facts.answers(tx, incident)),
        cases=tuple(incident_facts.cases(tx, incident)),
        notices=tuple(incident_facts.published(tx, incident)),
        amended=tuple(incident_facts.amended(tx, incident)),
        spent=tuple(incident_facts.spent(tx, since, until)),
        switched=tuple(incident_facts.switched(tx, since, until)),
        places={said.id: named for said in heard if (named := places.named(said.text, known))},
    )


def _quoted(tx: Transaction, facts: Facts, wanted: int) -> list[Said]:
    """So many of the public mentions whose words whoever asks may read, from the beginning to the end alike."""
    from listener.store import attached

    if not wanted:
        return []
    public = [said for said in facts.mentions if said.public and said.text.strip()]
    readable = attached.open_to_read(tx, [said.id for said in public])
    found = [said for said in public if said.id in readable]
    if len(found) <= wanted:
        return found
    return [found[int(place * len(found) / wanted)] for place in range(wanted)]


# --- for people ----------------------------------------------------------------------------------------------------


def _print(words: Told, made: Report) -> None:
    from listener.commands import incident_report_charts as charts

    heading(words.title)
    fields(words.about)
    say()
    for sentence in words.summary:
        block(f"• {sentence}", indent=0)
    for section in words.sections:
        say()
        heading(section.title)
        for sentence in section.sentences:
            block(sentence, indent=0, style="dim")
        for line in charts.letters(section.plot, made, console().width) if section.plot else ():
            show(styled(line) if line.strip() else "")
        if section.wide == "what":
            fields([(str(when), what) for when, what in section.rows])
        elif section.wide == "change":
            fields([_compared(row) for row in section.rows])
        elif section.rows:
            table(section.headers, section.rows, empty="", wide=section.wide)


def _compared(row: tuple[Any, ...]) -> tuple[str, str]:
    """One comparison in two columns: there is no room for six."""
    notice, what, earlier, before, after, change = row
    counts = " → ".join(str(each) for each in (earlier, before, after) if each != "")
    return notice, f"{what}: {counts}{f'; {change}' if change else ''}"


# --- for programs --------------------------------------------------------------------------------------------------


def _plain(made: Report, quoted: Sequence[Said]) -> dict[str, Any]:
    """The keys that docs/incidents.md promises. Lengths of time are seconds."""
    from listener.commands import incident_plain

    facts, answered, reach = made.facts, made.answered, made.reach
    return {
        **incident_plain.as_plain(facts.incident),
        "as_of": made.now,
        "since": made.since,
        "until": made.until,
        "over": made.over,
        "timeline": [incident_plain.event_plain(event) for event in facts.events],
        "pauses": facts.switched,
        "volume": {"step": _seconds(made.step), "steps": made.bars},
        "networks": made.networks,
        "areas": made.areas,
        "places": made.places,
        "sentiment": made.phases,
        "reach": reach,
        "answers": {
            "mentions": answered.mentions,
            "answered": answered.answered,
            "people": answered.people,
            "people_answered": answered.people_answered,
            "by": {by: answered.by.get(by, 0) for by in ("rule", "run", "person")},
            "median": _seconds(answered.median),
            "ninetieth": _seconds(answered.ninetieth),
            "cases_within_promise": answered.within,
            "cases_late": answered.late,
            "cases_running": answered.running,
        },
        "notices": [_change(made, notice.number) for notice in facts.notices],
        "amended": [incident_plain.amended_plain(each) for each in facts.amended],
        "cases": {
            "parts": made.cases.parts,
            "opened": made.cases.opened,
            "resolved": made.cases.resolved,
            "reopened": made.cases.reopened,
            "median": _seconds(made.cases.median),
        },
        "cost": {
            "usd": made.usd,
            "calls": [
                {"account": account, "call": charge.call, "units": charge.units, "usd": charge.usd}
                for account, charge in facts.spent
            ],
        },
        "quotes": [{"mention": f"M{said.id}", "at": said.at, "network": said.network} for said in quoted],
    }


def _change(made: Report, number: int) -> dict[str, Any]:
    from listener.commands import incident_plain

    notice = next(each for each in made.facts.notices if each.number == number)
    found: dict[str, Any] = {**incident_plain.notice_plain(notice), "compared": None}
    for change in made.changes:
        if change.notice.number == number:
            found["compared"] = {
                "length": _seconds(change.length),
                "people_earlier": change.earlier,
                "people_before": change.before,
                "people_after": change.after,
                "people_change": _estimate(change.rate),
                "negative_before": change.negative_before,
                "negative_after": change.negative_after,
                "negative_change": _estimate(change.negative),
                "complaints_before": change.complaints_before,
                "complaints_after": change.complaints_after,
                "complaints_change": _estimate(change.complaints),
            }
    return found


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    """The change with its 95 % interval; `high` is null where there is no end to it."""
    from math import isinf

    if estimate is None:
        return None
    high = None if isinf(estimate.high) else round(estimate.high, 4)
    return {"change": round(estimate.value, 4), "low": round(estimate.low, 4), "high": high, "sure": estimate.sure}


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())
