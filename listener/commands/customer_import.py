"""`escucha customer import`: a file of customers into the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands.app import App, pass_app
from listener.commands.customer_plain import BASES, basis_help
from listener.commands.output import SomeFailed, complain, json_option, print_json, say
from listener.types import LinkBasis

if TYPE_CHECKING:
    from listener.desk.importing import Finding, Import

SAID_AT_MOST = 100  # problems on the screen; all of them stand in the file of rejected lines
KEPT_AT_MOST = 10_000  # problems in --json


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen; store and write nothing.")
@click.option(
    "--basis",
    type=click.Choice(BASES),
    default=LinkBasis.PUBLIC_EVIDENCE.value,
    show_default=True,
    help=f"For accounts in the file. {basis_help}",
)
@click.option("--evidence", metavar="TEXT", help="For accounts in the file: where it can be checked.")
@json_option
@pass_app
def import_(app: App, *, file: Path, dry_run: bool, basis: str, evidence: str | None, as_json: bool) -> None:
    """Add and update customers from a spreadsheet saved as CSV.

    Columns: reference and name, then any of email, phone, language, tier, tags, and accounts by network (mastodon, x, …
    or account:NETWORK). Spanish names do as well. Every other column is kept as a further field.

    The reference says who is who: the same file may be imported again and again. Lines that cannot be used are
    reported and written to FILE.rejected.csv, for repair; the others are imported. Exit code 3 tells that there were.
    """
    from functools import cache

    from listener.desk import importing

    said: list[Finding] = []
    task = importing.Task(
        basis=LinkBasis(basis),
        evidence=evidence or f"imported from {file.name}",
        linkable=cache(lambda network: app.facts(network).linkable),
        by=app.actor,
        now=app.now(),
        write=not dry_run,
    )
    running = importing.begin(
        file,
        networks=list(app.connectors.available()),
        task=task,
        report=_keeper(said) if as_json else _teller(None if dry_run else SAID_AT_MOST),
    )
    for sentence in () if as_json else (*running.sheet.notes, *running.layout.notes):
        complain(sentence)
    with _progress(running.sheet.size, shown=not as_json) as move_on:
        running.run(app.store, move_on)
    if as_json:
        _print_import_json(running, said, dry_run)
    else:
        _print_import(running, dry_run)
    tally = running.tally
    if tally.rejected or tally.not_linked:
        where = f"; they stand in {running.rejects.path}: mend them there and import it" if running.rejects.path else ""
        counts = [(tally.rejected, "line"), (tally.not_linked, "link")]
        bad = " and ".join(f"{count} {what}{'s' * (count > 1)}" for count, what in counts if count)
        raise SomeFailed(f"{bad} of {file.name} cannot be used as written{where}.")


def _keeper(said: list[Finding]) -> Callable[[Finding], None]:
    def keep(finding: Finding) -> None:
        if len(said) < KEPT_AT_MOST:
            said.append(finding)

    return keep


def _teller(limit: int | None) -> Callable[[Finding], None]:
    """Says findings on standard error as they come, `limit` of them at most."""
    told = 0

    def tell(finding: Finding) -> None:
        nonlocal told
        told += 1
        if limit is None or told <= limit:
            complain(f"line {finding.line}: {finding.text}")
        elif told == limit + 1:
            complain("There is more to say; every rejected line stands in the file below.")

    return tell


@contextmanager
def _progress(size: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda _done: None
        return
    with Progress(
        BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as progress:
        bar = progress.add_task("", total=size)
        yield lambda done: progress.update(bar, completed=done)


def _print_import(running: Import, dry_run: bool) -> None:
    tally = running.tally
    would = "would be " if dry_run else ""
    parts = [
        f"{tally.added} {would}added",
        f"{tally.changed} {would}changed",
        f"{tally.unchanged} unchanged",
        f"{tally.repeated} repeated" if tally.repeated else "",
        f"{tally.rejected} rejected" if tally.rejected else "",
    ]
    lines = "1 line" if tally.read == 1 else f"{tally.read} lines"
    say(f"{lines} read: {', '.join(part for part in parts if part)}.")
    if tally.linked or tally.expected:
        say(f"Accounts: {tally.linked} {would}linked, {tally.expected} {would}linked as soon as they are heard.")
    if dry_run:
        say("Nothing was stored.")


def _print_import_json(running: Import, said: list[Finding], dry_run: bool) -> None:
    tally = running.tally
    print_json(
        {
            "file": running.sheet.path,
            "encoding": running.sheet.encoding,
            "delimiter": running.sheet.delimiter,
            "dry_run": dry_run,
            "read": tally.read,
            "added": tally.added,
            "changed": tally.changed,
            "unchanged": tally.unchanged,
            "repeated": tally.repeated,
            "rejected": tally.rejected,
            "links": {"made": tally.linked, "expected": tally.expected, "refused": tally.not_linked},
            "rejected_file": running.rejects.path,
            "notes": [*running.sheet.notes, *running.layout.notes],
            "problems": said,
            "problems_left_out": running.found - len(said),
        }
    )
