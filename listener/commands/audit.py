"""`escucha audit`: who did what, and the proof that nobody changed the record of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands import output, when
from listener.commands.app import App, pass_app
from listener.errors import AlreadyDone, Mistake

if TYPE_CHECKING:
    from listener.store.audit import Entry
    from listener.store.verifying import Verdict

LIMIT = 50
ANCHOR_AT_MOST = 1_000_000  # bytes of a file in which an anchor is looked for


@click.group()
def audit() -> None:
    """The record of who did what: look at it, and prove that nobody changed it."""


@audit.command()
@click.option("--subject", default="", help="What it was done to, such as 'case ES-26-000001-8' or 'draft 7'.")
@click.option("--by", default="", help="Who did it.")
@click.option("--action", default="", help="What was done, or how that begins: case.resolved, or case.")
@click.option("--since", metavar="WHEN", help="Not before: 2026-11-01, 2026-11-01T09:30 or 2d.")
@click.option("--until", metavar="WHEN", help="Before.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=LIMIT, show_default=True, help="The newest so many."
)
@output.json_option
@pass_app
def show(
    app: App, *, subject: str, by: str, action: str, since: str | None, until: str | None, limit: int, as_json: bool
) -> None:
    """Who did what, oldest first."""
    from listener.store import auditing

    now = app.now()
    with app.store.read() as tx:
        found = auditing.listing(
            tx,
            subject=subject.strip(),
            by=by.strip(),
            action=action.strip(),
            since=when.past(since, now),
            until=when.past(until, now),
            limit=limit,
        )
    if as_json:
        output.print_json({"entries": [_as_plain(entry) for entry in found]})
        return
    for entry in found:
        head = (f"{entry.number:>6}", f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.by, entry.action, entry.subject)
        output.say("  ".join(output.clip(part, 60) for part in head))
        if told := _words(entry):
            output.block(told, indent=8, style="dim")
    if not found:
        output.say("Nothing of that kind is on record.")
    if len(found) == limit:
        output.say(f"The newest {limit}; older ones with --limit or --until.")


def _as_plain(entry: Entry) -> dict[str, object]:
    names = ("number", "at", "by", "action", "subject", "detail")
    return {name: getattr(entry, name) for name in names}


def _words(entry: Entry) -> str:
    return ", ".join(f"{name} {value}" for name, value in entry.detail.items() if value is not None)


@audit.command()
@click.option("--anchor", metavar="TEXT|FILE", help="What `escucha audit anchor` said earlier, or the file it is in.")
@output.json_option
@click.pass_context
@pass_app
def verify(app: App, ctx: click.Context, *, anchor: str | None, as_json: bool) -> None:
    """Prove that no entry was changed, removed, inserted or moved. Ends with 2 where one was, and names the first.

    That the newest entries were cut off shows only against an anchor that was kept elsewhere.
    """
    from listener.store import chain, verifying

    expected = verifying.anchor(_anchor_text(anchor)) if anchor else None
    key = app.store.audit_key
    with app.store.read() as tx:
        verdict = verifying.verify(tx, keys={chain.key_name(key): key} if key else {}, expected=expected)
    if as_json:
        output.print_json({"whole": verdict.fault is None, **output.plain(verdict)})
    elif verdict.fault:
        done = _DONE.get(verdict.fault.kind, verdict.fault.kind)
        output.say(f"Entry {verdict.fault.number} was {done}: {verdict.fault.text}.")
        output.say(f"The {verdict.checked} before it are as they were written.")
    else:
        _say_whole(verdict, has_key=bool(key), anchored=expected is not None)
    if verdict.fault:
        ctx.exit(2)


_DONE = {"truncated": "cut off, with all that followed", "emptied": "emptied"}


def _say_whole(verdict: Verdict, *, has_key: bool, anchored: bool) -> None:
    output.say(f"{output.counted(verdict.checked, 'entry').replace('entrys', 'entries')} checked: all is as written.")
    if verdict.pruned:
        output.say(f"Older ones, up to {verdict.pruned}, are kept no longer; the chain says where they ended.")
    if verdict.emptied:
        output.say(f"{verdict.emptied} keep no words, because they were erased; an entry says so of each.")
    if verdict.unknown_key:
        output.say(f"{verdict.unknown_key} are sealed with a key that is not here; only their order was checked.")
    if has_key and verdict.under_key < verdict.checked:
        output.say(f"{verdict.under_key} of them are sealed with the key.")
    elif not has_key and not anchored and not verdict.unknown_key:
        output.say("No key seals them; see docs/privacy.md for what that leaves open.")
    if anchored:
        fits = "The anchor fits." if verdict.anchored else "The anchor is older than what is kept; take a new one."
        output.say(fits)


def _anchor_text(given: str) -> str:
    if given.startswith("escucha-audit:"):
        return given
    try:
        with Path(given).open(encoding="utf-8") as file:
            return file.read(ANCHOR_AT_MOST)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise Mistake(f"{given!r} is neither an anchor nor a file that can be read ({error}).") from error


@audit.command()
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="Add it to this file's end.")
@output.json_option
@pass_app
def anchor(app: App, *, target: Path | None, as_json: bool) -> None:
    """Say where the record ends now, in one line to keep where nobody who can reach the database can change it.

    `escucha audit verify --anchor` shows later whether anything up to there is missing or was written anew.
    """
    from listener.store import verifying

    with app.store.read() as tx:
        head = verifying.head(tx)
    line = f"{app.now():%Y-%m-%dT%H:%M:%SZ} {head}"
    if target:
        try:
            with target.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise Mistake(f"{target} cannot be written ({error.strerror}); choose another file.") from error
    if as_json:
        output.print_json({"anchor": str(head), "number": head.number, "hash": head.hash, "file": target})
    else:
        output.say(f"Added to {target}: entry {head.number}." if target else line)


@audit.command()
@click.option("--reason", required=True, help="Why another key, for the record.")
@output.json_option
@pass_app
def rekey(app: App, *, reason: str, as_json: bool) -> None:
    """Seal what follows with the key in ESCUCHA_AUDIT__KEY, where another one did so far or is lost."""
    from listener.store import audit as record
    from listener.store import chain, verifying

    with app.store.write() as tx:
        was, now = chain.head_key(tx), chain.key_name(app.store.audit_key)
        if not now:
            raise Mistake("There is no key to seal with: set ESCUCHA_AUDIT__KEY, or ESCUCHA_AUDIT__KEY_FILE.")
        if was == now:
            raise AlreadyDone("The audit log is sealed with this key already; set ESCUCHA_AUDIT__KEY to a new one.")
        record.record(
            tx,
            at=app.now(),
            by=app.actor,
            action=verifying.REKEYED,
            subject="audit",
            was=was,
            now=now,
            reason=reason,
        )
        chain.rekey(tx)
    if as_json:
        output.print_json({"was": was, "now": now})
    else:
        output.say("The new key seals from here on. Keep the old one: what came before is verified with it.")
