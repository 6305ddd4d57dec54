"""`escucha source`: what is listened to. The settings file names the sources; the database knows how they fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands import asking, checking, output
from listener.commands.adding import add
from listener.commands.app import App, pass_app
from listener.errors import AlreadyDone, EscuchaError, NetworkError, NotFound

if TYPE_CHECKING:
    from listener.config import SourceSettings
    from listener.store.sources import Source

RECENT = timedelta(days=7)


@click.group()
def source() -> None:
    """What is listened to: add, list, check, poll, pause, resume."""


source.add_command(add)


@source.command("list")
@output.json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """Every source, and how it fares."""
    known = _known(app)
    told = [_told(app, each, known.get(each.name)) for each in app.config.sources]
    if as_json:
        output.print_json(told)
        return
    now = app.now()
    output.table(
        ["name", "network", "query", "every", "last heard", "first here", "state"],
        [
            (
                each["name"],
                each["network"],
                each["query"],
                each["every"],
                output.ago(each["succeeded_at"], now) or "never",
                each["mentions"],
                output.styled(each["state"], "" if each["state"] in ("well", "new") else "bold red"),
            )
            for each in told
        ],
        empty="Nothing is listened to yet; add something with `escucha source add NETWORK`.",
        wide="query",
    )


@source.command()
@click.argument("what", metavar="[NAME]", required=False)
@click.option("--network", metavar="NAME", help="Check a query for this network, although no source asks for it yet.")
@click.option("--query", help="That query.")
@click.option("--text", "texts", multiple=True, help="Tell whether a post that says this would be kept; repeatable.")
@click.option("--author", default="", help="Who says so.")
@click.option("--language", help="In which language the network says that it is, such as es.")
@click.option(
    "--try",
    "file",
    type=click.Path(path_type=Path),
    help="The same for each text of a file: .txt with one a line, .csv, .tsv or .tab with a column `text`, .jsonl or "
    ".json with a key `text`.",
)
@output.json_option
@pass_app
def check(
    app: App,
    *,
    what: str | None,
    network: str | None,
    query: str | None,
    texts: tuple[str, ...],
    author: str,
    language: str | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """What a source hears, what of that is kept, and how its last polls went; without a name, of every source.

    No network is asked. With --network and --query: what a source with that query would hear; most networks can only
    tell for an account that the settings have.
    """
    tried = checking.read_texts(app, texts, file, author)
    if network is not None or query is not None:
        if network is None or query is None or what is not None:
            raise click.UsageError("Give a source's name, or both --network and --query.")
        query = checking.with_brand(app, query)
        told = {"network": network, "query": query}
        told |= checking.understood(checking.connected(app, network), query, tried, language)
        _show_checked(app, told, as_json=as_json)
        return
    known = _known(app)
    if what is not None:
        _show_checked(app, _checked(app, _wanted(app, what), known, tried, language), as_json=as_json)
        return
    found, wrong = list[dict[str, Any]](), 0
    for each in app.config.sources:
        try:
            found.append(_checked(app, each, known, tried, language))
        except EscuchaError as error:
            wrong += 1
            found.append(_told(app, each, known.get(each.name)) | {"problem": str(error)})
    if as_json:
        output.print_json(found)
    for one in [] if as_json else found:
        output.heading(one["name"])
        _show_checked(app, one, as_json=False)
        output.say()
    if not found and not as_json:
        output.say("Nothing is listened to yet; add something with `escucha source add NETWORK`.")
    if wrong:
        raise output.SomeFailed(f"{output.counted(wrong, 'source')} cannot be listened to as it is.")


@source.command()
@click.argument("name")
@output.json_option
@pass_app
def poll(app: App, name: str, as_json: bool) -> None:
    """Poll one source now and store what it brings, even while it is paused."""
    from listener.store import sources

    wanted = _wanted(app, name)
    app.demand_secrets(wanted.account)
    with app.store.write() as tx:
        sources.sync(tx, app.wanted, app.now())
    polled = app.pipeline.poll([name])
    if not polled:
        raise AlreadyDone(f"{name} is being polled by another process right now; look again in a minute.")
    (done,) = polled
    if done.waits:
        raise AlreadyDone(f"{name} was not asked: {done.waits}.")
    if done.error is not None:
        settings = app.config.accounts[wanted.account].settings
        raise asking.completed(NetworkError(done.error), wanted.account, settings)
    saved = done.saved
    told = {
        "source": name,
        "new": len(saved.new),
        "edited": len(saved.edited),
        "repeated": saved.repeated,
        "gone": len(saved.gone),
        "more": done.more,
    }
    if as_json:
        output.print_json(told)
        return
    counts = ", ".join(f"{told[key]} {key}" for key in ("new", "edited", "repeated", "gone"))
    output.say(f"{name}: {counts}." + (" More is waiting: poll again, or `escucha run`." if done.more else ""))


@source.command()
@click.argument("name")
@click.option("--reason", default="", help="Why, for the others.")
@pass_app
def pause(app: App, name: str, reason: str) -> None:
    """Stop polling one source; what it brought stays."""
    from listener.store import sources

    _wanted(app, name)
    with app.store.write() as tx:
        sources.sync(tx, app.wanted, app.now())
        sources.pause(tx, name, by=app.actor, reason=reason, now=app.now())
    output.say(f"{name} rests; wake it with `escucha source resume {name}`.")


@source.command()
@click.argument("name")
@pass_app
def resume(app: App, name: str) -> None:
    """Poll a paused source again, at once."""
    from listener.store import sources

    _wanted(app, name)
    with app.store.write() as tx:
        sources.sync(tx, app.wanted, app.now())
        sources.resume(tx, name, by=app.actor, now=app.now())
    output.say(f"{name} is polled again.")


def _wanted(app: App, name: str) -> SourceSettings:
    import difflib

    named = {each.name: each for each in app.config.sources}
    if name in named:
        return named[name]
    close = difflib.get_close_matches(name, named, n=1)
    hint = f"did you mean {close[0]}?" if close else "see `escucha source list`."
    raise NotFound(f"There is no source {name!r}; {hint}")


def _checked(
    app: App, wanted: SourceSettings, known: Mapping[str, Source], tried: Sequence[checking.Said], language: str | None
) -> dict[str, Any]:
    """Everything that can be told of a source without asking its network."""
    try:
        connector = app.unasked(wanted.account)
        understood = checking.understood(connector, wanted.query, tried, language)
    except EscuchaError as error:
        raise asking.completed(error, wanted.account, app.config.accounts[wanted.account].settings) from None
    return _told(app, wanted, known.get(wanted.name)) | understood | {"gaps": _gaps(app, wanted.name)}


def _show_checked(app: App, told: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(told)
        return
    now, shown = app.now(), dict(told)
    gaps, tried = shown.pop("gaps", ()), shown.pop("tried", ())
    for key in ("polled_at", "succeeded_at", "failing_since", "next_poll_at"):
        if key in shown:
            shown[key] = output.ago(shown[key], now)
    terms = shown.pop("terms", "")
    if terms is None:
        shown["matched here"] = "nothing: whatever comes is kept"
    elif terms not in shown.get("hears", ""):
        shown["matched here"] = terms
    output.fields((key.removesuffix("_at").replace("_", " "), value) for key, value in shown.items())
    checking.show_tried(tried)
    if gaps:
        output.say()
        output.heading("The network skipped something:")
        output.table(["when", "why"], [(output.ago(gap["at"], now), gap["reason"]) for gap in gaps], empty="")


def _known(app: App) -> dict[str, Source]:
    """How the sources fare, by name; a source that was never polled is missing."""
    from listener.store import sources

    with app.store.read() as tx:
        return {each.name: each for each in sources.list_all(tx)}


def _gaps(app: App, name: str) -> list[dict[str, Any]]:
    from listener.store import sources

    with app.store.read() as tx:
        found = sources.gaps(tx, app.now() - RECENT)
    return [{"at": at, "reason": reason} for source_name, at, reason in found if source_name == name]


def _told(app: App, wanted: SourceSettings, known: Source | None) -> dict[str, Any]:
    """One source as `--json` shows it."""
    return {
        "name": wanted.name,
        "account": wanted.account,
        "network": app.config.accounts[wanted.account].network,
        "query": wanted.query,
        "every": wanted.every,
        "state": known.health(app.now()) if known else "new",
        "polled_at": known.polled_at if known else None,
        "succeeded_at": known.succeeded_at if known else None,
        "next_poll_at": known.next_poll_at if known else None,
        "failing_since": known.failing_since if known else None,
        "failures": known.failures if known else 0,
        "last_error": known.last_error if known else None,
        "paused": known.paused if known else None,
        "mentions": known.mentions_total if known else 0,
    }
