"""`escucha customer`: the company's records of people, and the accounts that are theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands import customer_links, customer_merging
from listener.commands.app import App, pass_app
from listener.commands.customer_typed import BASES, basis_help, find
from listener.commands.output import (
    SomeFailed,
    clip,
    complain,
    fields,
    heading,
    json_option,
    plain,
    print_json,
    say,
    styled,
    table,
)
from listener.errors import AlreadyDone, Mistake
from listener.types import LinkBasis

if TYPE_CHECKING:
    from listener.desk.importing import Finding, Import
    from listener.store.customers import Customer
    from listener.store.links import Link

LIMIT = 50
LAST_MENTIONS = 5
SAID_AT_MOST = 100  # problems on the screen; all of them stand in the file of rejected lines
KEPT_AT_MOST = 10_000  # problems in --json


@click.group()
def customer() -> None:
    """Customers and the accounts that are theirs."""


# --- bringing them in ---


@customer.command("import")
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


@customer.command("add")
@click.argument("ref")
@click.option("--name", required=True, help="The person's or company's name.")
@click.option("--email", default="", help="An address.")
@click.option("--phone", default="", help="A number, as it is dialled.")
@click.option("--language", default="", help="Two letters, such as es.")
@click.option("--tier", default="", help="How the company ranks them.")
@click.option("--tags", default="", help="Words between commas.")
@json_option
@pass_app
def add(app: App, /, *, ref: str, as_json: bool, **columns: str) -> None:
    """Add one customer."""
    from listener.desk import people
    from listener.store import customers

    layout = people.Layout(columns=(("reference", ""), *((column, "") for column in columns)))
    person = people.read(layout, [ref, *columns.values()])
    if isinstance(person, str):
        raise Mistake(f"Not added: {person}.")
    with app.store.write() as tx:
        if customers.known(tx, [person.reference]):
            raise AlreadyDone(f"There is a customer {person.reference!r} already; see `escucha customer show`.")
        edit = people.merged(person, None)
        customers.write(tx, added=[edit], changed=[], by=app.actor, now=app.now(), source="command line")
        added = customers.get(tx, person.reference)
    if as_json:
        print_json(as_plain(added))
    else:
        say(f"{added.reference} is {added.name}. Their accounts: `escucha customer link {added.reference} NETWORK @…`")


# --- looking ---


@customer.command("list")
@click.option("--search", default="", metavar="WORDS", help="In reference, name, e-mail, phone and tier.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=LIMIT, show_default=True, help="How many at most.")
@json_option
@pass_app
def list_(app: App, *, search: str, limit: int, as_json: bool) -> None:
    """Every customer, or those that the words are found in."""
    from listener.store import customers

    with app.store.read() as tx:
        found = customers.listing(tx, search=search, limit=limit)
        total = customers.count(tx, search=search)
    if as_json:
        print_json({"customers": [as_plain(each) for each in found], "total": total})
        return
    rows = [(each.reference, each.name, each.tier, each.language, each.email or each.phone) for each in found]
    empty = "Nobody is found." if search else "There is no customer yet; `escucha customer import` brings them in."
    table(("reference", "name", "tier", "language", "reached by"), rows, empty=empty, wide="name")
    if total > len(found):
        say(f"{total - len(found)} more; see them with --limit {total}.")


def as_plain(customer: Customer) -> dict[str, Any]:
    """A customer for programs; these keys stay."""
    return {name: value for name, value in plain(customer).items() if name != "id"}


@customer.command("show")
@click.argument("ref")
@json_option
@pass_app
def show(app: App, *, ref: str, as_json: bool) -> None:
    """One customer: record, accounts, cases, and what they said last."""
    from listener.commands.case_plain import as_plain as case_plain
    from listener.store import cases, customers, links, mentions
    from listener.types import CaseState

    with app.store.read() as tx:
        found = find(tx, ref)
        theirs = links.of(tx, found)
        open_or_not = cases.listing(tx, states=list(CaseState), customer_id=found.id)
        said = [mentions.get(tx, number) for number in customers.recent_mentions(tx, found, LAST_MENTIONS)]
    now = app.now()
    if as_json:
        last = [{"mention": each.id, "network": each.network, "at": each.posted_at, "text": each.text} for each in said]
        print_json(
            as_plain(found)
            | {
                "links": [_link_plain(link) for link in theirs],
                "cases": [case_plain(case, now) for case in open_or_not],
                "mentions": last,
            }
        )
        return
    heading(f"{found.reference}  {found.name}")
    fields(
        [
            ("e-mail", found.email),
            ("phone", found.phone),
            ("language", found.language),
            ("tier", found.tier),
            ("tags", found.tags),
            *((styled(name).plain, value) for name, value in found.fields.items()),
        ]
    )
    say()
    table(
        ("network", "account", "heard", "how we know", "evidence"),
        [
            (
                link.network,
                f"@{link.handle}",
                "not yet" if link.account_id is None else "yes",
                link.basis,
                f"{link.linked_by}: {link.evidence}" if link.evidence else link.linked_by,
            )
            for link in theirs
        ],
        empty=f"No account is linked; `escucha customer link {found.reference} NETWORK @…`.",
        wide="evidence",
    )
    say()
    table(
        ("case", "state", "urgency", "title"),
        [(case.reference, case.state, case.urgency, case.title) for case in open_or_not],
        empty="No case.",
        wide="title",
    )
    if said:
        say()
        table(
            ("mention", "network", "when", "text"),
            [(f"M{each.id}", each.network, each.posted_at, clip(each.text, 200)) for each in said],
            empty="",
            wide="text",
        )


def _link_plain(link: Link) -> dict[str, Any]:
    values: dict[str, Any] = plain(link)
    return {name: value for name, value in values.items() if name != "account_id"} | {
        "heard": link.account_id is not None
    }


for command in (
    customer_links.link,
    customer_links.unlink,
    customer_links.relink,
    customer_merging.merge,
    customer_merging.unmerge,
):
    customer.add_command(command)
