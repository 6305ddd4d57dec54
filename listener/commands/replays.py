"""`escucha policy replay` and `diff --replay`: what a policy would have done with the mentions that are stored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from listener.commands import output, private
from listener.commands.app import App, pass_app
from listener.commands.replay_told import Told, of_one, of_two
from listener.errors import Mistake

F = TypeVar("F", bound=Callable[..., Any])

MINUTES = click.FloatRange(0, 10_000)
READ = 12  # mentions shown on a screen; --json and --html have more
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def window_options(command: F) -> F:
    """Adds what says which part of the history (`since`, `network`, `limit`, `every`, `workers`) and what is told of it
    (`html`, `minutes_per_reply`, `minutes_per_case`).
    """
    for option in reversed(
        (
            click.option("--since", metavar="30d", help="What was decided since then: 12h, 30d, 4w, or 2026-03-01."),
            click.option("--network", help="Only this network."),
            click.option("--limit", type=click.IntRange(min=1), help="Only so many, the newest."),
            click.option("--every", is_flag=True, help="Decisions replaced by a later one too; else a mention once."),
            click.option("--workers", type=click.IntRange(1, 64), help="Processes; as many as help if left out."),
            click.option("--html", "page", type=click.Path(path_type=Path), help="Write the report as one page."),
            click.option("--minutes-per-reply", type=MINUTES, help="A person's minutes for each reply to review."),
            click.option("--minutes-per-case", type=MINUTES, help="A person's minutes for each case opened."),
        )
    ):
        command = option(command)
    return command


@click.command()
@click.argument("policy", metavar="FILE|VERSION|active")
@window_options
@output.json_option
@pass_app
def replay(
    app: App,
    /,
    policy: str,
    *,
    page: Path | None,
    as_json: bool,
    minutes_per_reply: float | None,
    minutes_per_case: float | None,
    **window: Any,
) -> None:
    """What a policy would have done with the mentions that are stored. Sends nothing, writes nothing.

    Each is decided again as it was: its text, what the model made of it and what was known then. What has been erased
    since is counted by what is missing.
    """
    from listener.commands import choosing, replaying

    chosen, found = choosing.choose(app, policy)
    taken = _window(app, **window)
    report = {**_taken(app, taken), **replaying.replayed(app, chosen, taken)}
    _add_minutes(report, minutes_per_reply, minutes_per_case)
    name = _called(cast(Any, found).file.name)
    tell(report, of_one(report, name=name, about=_about(report)), page=page, as_json=as_json)


def replayed(
    app: App,
    old: str,
    new: str,
    *,
    page: Path | None,
    changes: Path | None,
    as_json: bool,
    beside: Mapping[str, Any],
    minutes_per_reply: float | None,
    minutes_per_case: float | None,
    **window: Any,
) -> None:
    """Compares two policies, each a file, `active` or a version, over the history, and says it.

    `window`: `since`, `network`, `limit`, `every` and `workers`, as `window_options` gives them. `beside`: what the
    JSON holds besides: `a` and `b` with the `title` of each policy, and their `differences`. `changes`: a file for
    every mention that changes.
    """
    from listener.commands import choosing, replaying

    (one, _), (other, _) = choosing.choose(app, old), choosing.choose(app, new)
    taken = _window(app, **window)
    if changes is None:
        found = replaying.compared(app, one, other, taken)
    else:
        with private.written(changes) as file:
            found = replaying.compared(app, one, other, taken, lambda some: file.writelines(map(_line, some)))
    report = {**_taken(app, taken), **found}
    for side in (report["old"], report["new"]):
        _add_minutes(side, minutes_per_reply, minutes_per_case)
    told = of_two(
        report,
        old=_called(beside["a"]["title"]),
        new=_called(beside["b"]["title"]),
        about=_about(report),
        changes=[each.sentence for each in beside["differences"]],
    )
    tell({**beside, **report}, told, page=page, as_json=as_json)
    if changes is not None and not as_json:
        output.say(f"Every mention that changes is in {changes}; it quotes people, so mind whom you send it to.")


def _called(name: str) -> str:
    """A policy by the name that it gives itself."""
    return f"“{' '.join(name.split())}”"


def _taken(app: App, window: Any) -> dict[str, Any]:
    """When the report is made, and which part of the history it is about, for JSON; times in UTC."""
    since = output.plain(window.since) if window.since else None
    chosen = {"network": window.network, "limit": window.limit, "every": window.every}
    return {"made_at": output.plain(app.now()), "since": since, **chosen}


def _about(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same in words."""
    since = f"what was decided since {_minute(report['since'])}" if report["since"] else "all that is kept"
    where = f", on {report['network']} only" if report["network"] else ""
    most = f", the newest {report['limit']:,}" if report["limit"] else ""
    each = "; each decision counts" if report["every"] else "; each mention counts once, as it was last decided"
    return [("over", f"{since}{where}{most}{each}"), ("made", _minute(report["made_at"]))]


def _minute(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


def _line(change: Mapping[str, Any]) -> str:
    return json.dumps(change) + "\n"


def _add_minutes(report: dict[str, Any], per_reply: float | None, per_case: float | None) -> None:
    """Adds to each team's work the minutes it would take, None where nobody said how long anything takes."""
    said = per_reply is not None or per_case is not None
    for work in report["work"].values():
        minutes = work["replies_to_review"] * (per_reply or 0) + work["cases_opened"] * (per_case or 0)
        work["minutes"] = round(minutes, 1) if said else None


def tell(report: dict[str, Any], told: Told, *, page: Path | None, as_json: bool) -> None:
    """The report on the screen or as JSON, and as a page where one is wanted."""
    if page is not None:
        from listener.commands import replay_page

        replay_page.write(told, page)
    if as_json:
        output.print_json(report)
        return
    _show(told)
    if page is not None:
        output.say()
        output.say(f"The page is in {page}; it quotes people, so mind whom you send it to.")


def _show(told: Told) -> None:
    output.heading(told.title)
    output.fields(told.about)
    for sentence in told.sentences:
        output.block(sentence, indent=0)
    for part in told.parts:
        output.say()
        output.heading(part.title)
        output.table(part.headers, part.rows, empty="", wide=part.wide)
    if told.examples:
        output.say()
        output.heading("To be read")
    for example in told.examples[:READ]:
        output.say()
        output.heading(example.title)
        output.block(example.said, style="dim")
        if example.why:
            output.block(example.why)
        output.fields(example.texts)
    if len(told.examples) > READ:
        output.say()
        output.say(f"{len(told.examples) - READ} more: --json or --html FILE.")


def _window(
    app: App, *, since: str | None, network: str | None, limit: int | None, every: bool, workers: int | None
) -> Any:
    from listener.commands.replaying import Window

    return Window(
        since=moment(since, app.now()) if since is not None else None,
        network=network,
        limit=limit,
        every=every,
        workers=workers,
    )


def moment(text: str, now: datetime) -> datetime:
    """`30d` before now, or the beginning of a day in UTC. Raises Mistake."""
    if span := re.fullmatch(r"(\d{1,4})([hdw])", text.strip().casefold()):
        return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Mistake(f"{output.clip(text, 40)!r} is no time; write it like 12h, 30d, 4w or 2026-03-01.") from None
