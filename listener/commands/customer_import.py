"""`escucha customer import`: a file of customers into the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands.app import App, pass_app
from listener.commands.customer_plain import BASES, basis_help
from listener.commands.output import SomeFailed, clip, complain, json_option, print_json, say
from listener.types import LinkBasis

if TYPE_CHECKING:
    from listener.desk.import_task import Finding
    from listener.desk.importing import Import

SAID_AT_MOST = 100  # problems on the screen; all of them stand in the file of rejected lines
KEPT_AT_MOST = 10_000  # problems and changes in --json
CHANGES_AT_MOST = 20  # customers named by a dry run


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen; store and write nothing.")
@click.option("--mapping", type=click.Path(path_type=Path), metavar="FILE", help="Which column is what; TOML.")
@click.option("--ask", is_flag=True, help="Ask which column is what.")
@click.option("--sheet", default="", metavar="NAME", help="Of a workbook.")
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
def import_(
    app: App,
    *,
    file: Path,
    dry_run: bool,
    mapping: Path | None,
    ask: bool,
    sheet: str,
    basis: str,
    evidence: str | None,
    as_json: bool,
) -> None:
    """Add and update customers from a CSV file, a workbook (.xlsx), or a file with a JSON object a line.

    Columns: reference and name, then any of email, phone, language, tier, tags, since, products, arrears, contract, …
    and accounts by network (mastodon, x, … or account:NETWORK). Spanish names do as well. Every other column is kept as
    a further field. --mapping names them otherwise; --ask asks, and can write such a file.

    The reference says who is who: the same file may be imported again and again. Lines that cannot be used are
    reported and written to FILE.rejected.csv, for repair; the others are imported. Exit code 3 tells that there were.
    """
    from functools import cache

    from listener.commands import customer_asking
    from listener.desk import import_task, importing
    from listener.desk import mapping as mappings
    from listener.desk.columns import AS_IT_IS
    from listener.store import field_types

    networks = list(app.connectors.available())
    reading = mappings.load(mapping, networks=networks) if mapping else AS_IT_IS
    reading = replace(reading, sheet=sheet) if sheet else reading
    if ask:
        reading = customer_asking.asked(importing.opened(file, networks=networks, reading=reading), networks, reading)
    said: list[Finding] = []
    task = import_task.Task(
        basis=LinkBasis(basis),
        evidence=evidence or f"imported from {file.name}",
        linkable=cache(lambda network: app.facts(network).linkable),
        by=app.actor,
        now=app.now(),
        write=not dry_run,
    )
    with app.store.read() as tx:
        types = field_types.all_of_them(tx)
    running = importing.begin(
        file,
        networks=networks,
        task=task,
        report=_keeper(said) if as_json else _teller(None if dry_run else SAID_AT_MOST),
        reading=reading,
        types=types,
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
        one = tally.rejected + tally.not_linked == 1
        stand, them = ("it stands", "it") if one else ("they stand", "them")
        path = running.rejects.path
        where = f"; {stand} in {path}: mend {them} there and import that file" if path else ""
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
    if tally.columns:
        named = ", ".join(f"{name} ({count})" for name, count in tally.columns.most_common())
        say(f"Columns that {'would change' if dry_run else 'changed'}: {named}.")
    if dry_run:
        for reference, names in tally.changes[:CHANGES_AT_MOST]:
            say(f"  {clip(reference, 30)}: {clip(', '.join(names), 45)}")
        if tally.changed > CHANGES_AT_MOST:
            say(f"  … and {tally.changed - CHANGES_AT_MOST} more; --json names {KEPT_AT_MOST} of them.")
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
            "columns": dict(tally.columns),
            "changes": [{"customer": reference, "columns": names} for reference, names in tally.changes],
            "links": {"made": tally.linked, "expected": tally.expected, "refused": tally.not_linked},
            "rejected_file": running.rejects.path,
            "notes": [*running.sheet.notes, *running.layout.notes],
            "problems": said,
            "problems_left_out": running.found - len(said),
        }
    )
