"""`escucha model examples`: corrections wait here until somebody has looked at them."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from listener.commands.app import App, pass_app
from listener.commands.keyboard import Keyboard, leaving_on_signals
from listener.commands.output import (
    SomeFailed,
    block,
    clip,
    complain,
    console,
    counted,
    flowing,
    json_option,
    print_json,
    say,
    show,
)
from listener.desk.spreadsheet import neutralise
from listener.errors import Mistake
from listener.store import corrections
from listener.store.corrections import Correction

KINDS = ("intents", "sentiment", "signals", "areas")
NONE = "none"
KEYS = "a accept   d drop   s skip   q quit"


@click.command()
@click.option("--accept", multiple=True, metavar="3,4", help="Those are right; may be repeated.")
@click.option("--drop", multiple=True, metavar="5", help="Those are not; may be repeated.")
@click.option("--each", is_flag=True, help="Go through them one by one, one key for each, on a terminal.")
@click.option("--list", "listed", is_flag=True, help="List the accepted ones instead, with who and when.")
@click.option(
    "--export", type=click.Path(path_type=Path), metavar="FILE", help="Write the accepted ones as CSV: text, label."
)
@click.option("--what", type=click.Choice(KINDS), help="Which labels to list or export.")
@json_option
@pass_app
def examples(
    app: App,
    *,
    accept: tuple[str, ...],
    drop: tuple[str, ...],
    each: bool,
    listed: bool,
    export: Path | None,
    what: str | None,
    as_json: bool,
) -> None:
    """Look at corrections before anything is learned from them.

    Lists those that wait. `escucha model train` learns from accepted areas; `escucha model eval FILE` measures by what
    was exported.
    """
    if sum([export is not None, bool(accept or drop), each, as_json or listed]) > 1:
        raise Mistake("--accept and --drop, --each, --export and --list or --json are for one call each; say one.")
    if what and export is None and not listed:
        raise Mistake("--what says which labels to list or export: --list, or a file with --export mine.csv")
    if export is not None:
        _export(app, export, what)
        return
    if accept or drop:
        _decide(app, _numbers(accept), _numbers(drop))
        return
    if listed:
        _list(app, what, as_json=as_json)
        return
    with app.store.read() as tx:
        waiting, outdated = corrections.waiting(tx), corrections.outdated(tx)
    if as_json:
        print_json({"waiting": [_plain(one) for one in waiting], "outdated": outdated})
        return
    if each and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Mistake("--each asks on a terminal; without one, use --accept and --drop with numbers.")
    if each and waiting:
        _one_by_one(app, waiting)
        return
    for correction in waiting:
        _print(correction)
    if waiting:
        numbers = ",".join(str(one.id) for one in waiting[:3])
        say(f"Right ones: escucha model examples --accept {numbers}   wrong ones: --drop   one by one: --each")
    else:
        say("No correction waits for a look; `escucha model correct M12 --area NAME` makes one.")
    if outdated:
        say(_lapsed(outdated))


def _list(app: App, what: str | None, *, as_json: bool) -> None:
    """The accepted ones, oldest first: what is learned from and measured by."""
    with app.store.read() as tx:
        kinds = (what,) if what else KINDS
        accepted = sorted((one for kind in kinds for one in corrections.accepted(tx, kind)), key=lambda one: one.id)
        outdated = corrections.outdated(tx)
    if as_json:
        told = [_plain(one) | {"accepted_by": one.looked_by, "accepted_at": one.looked_at} for one in accepted]
        print_json({"accepted": told, "outdated": outdated})
        return
    for one in accepted:
        show(flowing(_line(one), "bold"))
        block(f"said by {one.by} {_day(one.at)}, accepted by {one.looked_by} {_day(one.looked_at)} (UTC)")
        block(clip(one.text, console().width - 4), style="dim")
        say()
    if accepted:
        say(f"{counted(len(accepted), 'correction')}; to replace one, correct it again: escucha model correct M12")
    else:
        say("No correction was accepted yet; look at what waits: escucha model examples")
    if outdated:
        say(_lapsed(outdated))


def _lapsed(outdated: int) -> str:
    return f"{counted(outdated, 'correction')} of mentions that were edited since; they count no more."


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _print(correction: Correction) -> None:
    show(flowing(f"{_line(correction)}  by {correction.by}", "bold"))
    block(clip(correction.text, 1000))
    say()


def _line(correction: Correction) -> str:
    return f"{correction.id}  M{correction.mention_id}  {correction.what}: {_change(correction)}"


def _change(correction: Correction) -> str:
    return f"{', '.join(correction.was) or NONE} → {', '.join(correction.becomes) or NONE}"


def _decide(app: App, accept: Sequence[int], drop: Sequence[int]) -> None:
    both = sorted(set(accept) & set(drop))
    if both:
        raise Mistake(f"Correction {both[0]} cannot be both accepted and dropped; leave it in one list.")
    failed = []
    for number, right in [*((number, True) for number in accept), *((number, False) for number in drop)]:
        try:
            _look(app, number, accept=right)
        except Mistake as error:
            if len(accept) + len(drop) == 1:
                raise
            complain(str(error))
            failed.append(number)
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(accept) + len(drop)} not done: {', '.join(map(str, failed))}.")
    if accept:
        _next_step(app)


def _look(app: App, number: int, *, accept: bool) -> None:
    with app.store.write() as tx:
        correction = corrections.get(tx, number)
        corrections.look(tx, correction, accept=accept, by=app.actor, now=app.now())
    say(f"{'Accepted' if accept else 'Dropped'} {number}: {correction.what} {_change(correction)}")
    block(clip(correction.text, 400))


def _one_by_one(app: App, waiting: Sequence[Correction]) -> None:
    """One key for each, as in `review`; any other key does nothing."""
    accepted = 0
    with leaving_on_signals(), Keyboard() as keyboard, suppress(KeyboardInterrupt, EOFError):
        for place, correction in enumerate(waiting, start=1):
            say(f"{place} of {len(waiting)}")
            _print(correction)
            say(KEYS)
            key = ""
            while key not in ("a", "d", "s", "q"):
                key = keyboard.press()
            if key == "q":
                break
            if key == "s":
                say("Skipped.\n")
                continue
            try:
                with app.store.write() as tx:
                    corrections.look(
                        tx, corrections.get(tx, correction.id), accept=key == "a", by=app.actor, now=app.now()
                    )
                say("Accepted.\n" if key == "a" else "Dropped.\n")
                accepted += key == "a"
            except Mistake as error:  # a colleague was first, or it was edited meanwhile
                complain(str(error))
    if accepted:
        _next_step(app)


def _next_step(app: App) -> None:
    with app.store.read() as tx:
        areas = corrections.accepted(tx, "areas")
    if areas:
        say(f"{counted(len(areas), 'area correction')} will be learned from: escucha model train")


def _export(app: App, path: Path, what: str | None) -> None:
    """Raises Mistake where several kinds were accepted and none is named, or the file is there already."""
    with app.store.read() as tx:
        found = {kind: corrections.accepted(tx, kind) for kind in KINDS}
    there = [kind for kind in KINDS if found[kind]]
    if what is None and len(there) > 1:
        raise Mistake(f"Accepted are {', '.join(there)}; name one of them: --what {there[0]}")
    kind = what or (there[0] if there else "")
    if not found.get(kind):
        raise Mistake("Nothing of that was accepted yet; look at what waits: escucha model examples")
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(["text", "label"])
            sheet.writerows([neutralise(one.text), "|".join(one.becomes) or NONE] for one in found[kind])
    except FileExistsError:
        raise Mistake(f"{path} is there already; name another file.") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be written ({error.strerror}).") from error
    step = f"escucha model eval {path} --head {kind}"
    say(f"{counted(len(found[kind]), 'text')} with {kind} in {path}; measure by it: {step}")
    if kind == "areas":
        say("The areas are taught with these very texts, so that on new ones they will do less well.")
    say("It holds what people wrote: who deletes their post cannot delete this file, so delete it after use.")


def _numbers(typed: Sequence[str]) -> list[int]:
    parts = [part for text in typed for part in re.split(r"[,\s]+", text.strip()) if part]
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,18}", part):
            raise Mistake(
                f"{clip(part, 40)} is no number of a correction; they look like 3, see `escucha model examples`."
            )
    return list(dict.fromkeys(map(int, parts)))


def _plain(correction: Correction) -> dict[str, Any]:
    return {
        "number": correction.id,
        "mention": f"M{correction.mention_id}",
        "what": correction.what,
        "was": correction.was,
        "becomes": correction.becomes,
        "by": correction.by,
        "at": correction.at,
        "text": correction.text,
    }
