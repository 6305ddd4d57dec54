"""`escucha customer export | erase | hold | release`: a person's right to know and to be forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands import looking, output
from listener.commands.app import App, pass_app
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.desk.erasing import Plan, Proof

FILES = (".toml", ".yaml", ".yml", ".csv", ".jsonl", ".json", ".txt", ".xlsx", ".db", ".npz", ".log", ".md", ".html")


@click.command()
@click.argument("ref")
@click.option("--reason", default="", help="Why, for the record: their request, the end of a contract.")
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@output.json_option
@click.pass_context
@pass_app
def erase(app: App, ctx: click.Context, *, ref: str, reason: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove a person everywhere, for good, and prove it by searching.

    REF is a customer's reference, or an account that is nobody's: mastodon:@ana@example.social. Gone are the record,
    links, what they wrote and what was made of it, our answers, notes, titles and details of their cases; rows of other
    people that name them are masked. A skeleton of numbers, times and states stays. Interrupted, it goes on when it is
    called again. Ends with 3 where something is left that only you can change, such as a file.
    """
    from listener.desk import erasing

    if dry_run:
        looking.at(app, [f"customer {ref.strip()}"], reason="erase --dry-run")
        with app.store.read() as tx:
            planned = erasing.plan(tx, ref)
        _say_plan(ref, planned, as_json)
        return
    if not reason.strip():
        raise Mistake("Say why, for the record: --reason 'asked for it by mail'. It must not name the person.")
    if not yes and not as_json:
        _confirm(ref)
    erasure = erasing.begin(app.store, ref, by=app.actor, reason=reason.strip()[:1000], now=app.now())
    proof = erasing.finish(app.store, erasure, files=_files(app), now=app.now())
    if as_json:
        output.print_json(proof)
    else:
        _say_proof(proof, kept=app.config.retention.backups, now=app.now())
    if proof.left:
        ctx.exit(3)


def _confirm(ref: str) -> None:
    import sys

    if not sys.stdin.isatty():
        raise Mistake("This cannot be undone: add --yes, after looking at --dry-run.")
    click.confirm(f"Erase {ref} everywhere? It cannot be undone.", abort=True)


def _files(app: App) -> list[Path]:
    """What lies beside the settings, and the models: where a person's words may have been put by hand."""
    folders = dict.fromkeys([app.config.folder.resolve(), app.config.models.resolve()])
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    named = [app.config.policy_file] if app.config.policy_file else []
    kept = [path for path in found if path.suffix.lower() in FILES and path.is_file() and not path.is_symlink()]
    return [path.resolve() for path in (*kept, *named) if path.is_file()]


def _say_plan(ref: str, planned: Plan, as_json: bool) -> None:
    if as_json:
        output.print_json(planned)
        return
    output.say(f"Erasing {ref} ({planned.name}) would empty or delete:")
    output.table(("table", "rows"), planned.rows.items(), empty="nothing")
    if planned.named_elsewhere:
        output.say()
        output.say("Rows of others that name them, and would be masked:")
        output.table(("table", "rows"), planned.named_elsewhere.items(), empty="")
    _say_places("You would have to look at these yourself:", planned.to_look_at)
    for reason in planned.held:
        output.say(f"It is refused while a hold stands: {reason}")
    output.say("Nothing was changed.")


def _say_proof(proof: Proof, *, kept: timedelta | None, now: datetime) -> None:
    from listener.commands.output import counted

    output.say(f"Erased (number {proof.erasure}). The proof, by a search after it:")
    output.fields(
        [
            ("looked for", f"{proof.sought} handles, addresses, numbers, names and sentences"),
            ("in", f"{counted(proof.tables, 'table')}, {counted(proof.rows, 'row')}, {proof.characters} characters"),
            ("and in", f"{counted(len(proof.files), 'file')}, byte by byte"),
            ("masked", f"{counted(proof.masked, 'row')} of others that named them" if proof.masked else ""),
            ("not theirs", f"{proof.said_by_others} sentences that others wrote too" if proof.said_by_others else ""),
            ("found", "nothing" if not proof.left else counted(len(proof.left), "place")),
        ]
    )
    _say_places("Still there, and yours to change:", proof.left)
    _say_places("Copies of the database made before hold them until you delete these:", proof.backups)
    if proof.backups and kept:
        output.say(f"You keep backups {output.spell(kept)}: the last of them is due on {now + kept:%Y-%m-%d}.")
    for note in proof.notes:
        output.say(note)


def _say_places(heading: str, places: tuple[object, ...]) -> None:
    if places:
        output.say()
        output.say(heading)
        output.table(("where", "what"), [(each.where, each.what) for each in places], empty="")  # type: ignore[attr-defined]


@click.command()
@click.argument("ref")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="A folder that is not there yet.")
@click.option("--language", default="", help="Of the page, es or en. [default: the customer's, else ours]")
@output.json_option
@pass_app
def export(app: App, *, ref: str, folder: Path, language: str, as_json: bool) -> None:
    """Write all that is held about a person into a folder, as files that they can read.

    REF is a customer's reference, or an account that is nobody's: mastodon:@ana@example.social. There is a page in
    their language, and each kind of thing as CSV and JSON. What other people wrote is not given away.
    """
    from listener.desk import dossier
    from listener.store import audit, persons

    settings = app.config.brand
    with app.store.read() as tx:
        known = persons.find(tx, ref)
        handed = dossier.hand_over(
            tx,
            known.person,
            folder,
            language=language or known.language or settings.languages[0],
            company=settings.name or "this company",
            now=app.now(),
        )
    with app.store.write() as tx:
        subject = f"customer {ref.strip()}" if known.person.customers else f"account {known.person.accounts[0]}"
        audit.record(tx, at=app.now(), by=app.actor, action="customer.exported", subject=subject)
    if as_json:
        output.print_json(handed)
        return
    output.table(
        ("what", "how many"), [(kind.replace("_", " "), count) for kind, count in handed.counts.items()], empty=""
    )
    output.say(f"Written to {handed.folder}: begin with {handed.folder / 'index.html'}. It is theirs; guard it.")


@click.command()
@click.argument("ref")
@click.option("--reason", required=True, help="The duty or claim that demands it.")
@output.json_option
@pass_app
def hold(app: App, *, ref: str, reason: str, as_json: bool) -> None:
    """Keep a customer from being erased, for a legal reason, until `customer release`."""
    from listener.commands.customer_plain import find
    from listener.store import holds

    with app.store.write() as tx:
        found = find(tx, ref)
        holds.put(tx, found, reason=reason.strip()[:1000], by=app.actor, now=app.now())
    if as_json:
        output.print_json({"customer": found.reference, "held": True})
    else:
        output.say(f"{found.reference} is not erased before: escucha customer release {found.reference} --reason …")


@click.command()
@click.argument("ref")
@click.option("--reason", required=True, help="Why it is over.")
@output.json_option
@pass_app
def release(app: App, *, ref: str, reason: str, as_json: bool) -> None:
    """End the hold on a customer: the record may be erased again."""
    from listener.commands.customer_plain import find
    from listener.store import holds

    with app.store.write() as tx:
        found = find(tx, ref)
        holds.end(tx, found, reason=reason.strip()[:1000], by=app.actor, now=app.now())
    if as_json:
        output.print_json({"customer": found.reference, "held": False})
    else:
        output.say(f"{found.reference} may be erased again.")
