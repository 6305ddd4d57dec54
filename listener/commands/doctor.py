"""`escucha doctor`: looks at everything that must work, and says for each problem what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands import asking, crm_standing, database_line, lessons, output, telling, user_standing
from listener.commands.actor import DAEMON, system_user
from listener.commands.app import App, pass_app
from listener.errors import AuthFailed, ConfigProblem, EscuchaError, Mistake, RateLimited, Unavailable

if TYPE_CHECKING:
    from listener.config import Account, Config, SourceSettings
    from listener.contract import Connector
    from listener.store.alerts import Standing

ENOUGH = 200 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at. `ok` is None where it was skipped or is only said; `next_step` may be empty."""

    name: str
    ok: bool | None
    detail: str
    next_step: str = ""

    @property
    def network(self) -> bool:
        """Whether it is about one account, source, target or CRM, so that the others may well go on."""
        return self.name.startswith(("account ", "source ", "alert ", "crm "))


@click.command()
@click.option("--offline", is_flag=True, help="Do not ask the networks.")
@output.json_option
@click.pass_context
@pass_app
def doctor(app: App, ctx: click.Context, offline: bool, as_json: bool) -> None:
    """Check everything and say what to do.

    Ends with 0 when all is well, 3 when some accounts or sources do not work, 2 when Escucha itself could not run.
    """
    checks = []
    for check in examine(app, offline=offline):
        checks.append(check)
        if not as_json:
            _print(check)
    wrong = [check for check in checks if check.ok is False]
    if as_json:
        output.print_json({"ok": not wrong, "checks": checks})
    elif wrong:
        output.say(f"\n{len(wrong)} of {len(checks)} need you.")
    else:
        output.say("\nAll is well; start with `escucha run`.")
    if wrong:
        ctx.exit(3 if all(check.network for check in wrong) else 2)


def examine(app: App, *, offline: bool) -> Iterator[Check]:
    """Every check, as soon as its answer is there."""
    try:
        settings = app.config
    except ConfigProblem as error:
        for problem in error.problems:
            yield Check(name="settings", ok=False, detail=problem)
        yield _tried("model", lambda: f"version {app.classifier.version}")
        return
    app.actor = DAEMON  # it looks, whoever asks; who that is, is a check of its own
    yield Check(name="settings", ok=True, detail=f"{settings.file} is understood")
    for note in settings.notes:
        yield Check(name="settings", ok=None, detail=note)
    if not settings.sources:
        yield Check(
            name="sources", ok=False, detail="Nothing is listened to.", next_step="Add one: escucha source add NETWORK"
        )
    yield from _database(settings)
    yield _tried("model", lambda: f"version {_model_version(app)}")
    yield from _policy(app, settings)
    yield from _areas(app)
    for account in settings.accounts.values():
        sources_of_it = [source for source in settings.sources if source.account == account.name]
        yield from _account(app, account, sources_of_it, offline=offline)
    for network in dict.fromkeys(account.network for account in settings.accounts.values()):
        yield from _to_arrange(app, network)
    yield from _targets(app, settings)
    yield from _crms(app, settings, offline=offline)
    if _made(settings):
        yield from _money(app)
        yield from _users(app)
        yield from _erasures(app)


def _users(app: App) -> Iterator[Check]:
    """Who is here, and who no longer fits the policy; a policy that cannot be read has a check of its own."""
    try:
        if app.acting.stranger:
            yield Check(
                name="you",
                ok=None,
                detail=f"{app.acting.name} is no user here.",
                next_step=f"An admin: escucha user add NAME --os-user {system_user()}",
            )
    except Mistake as error:
        yield Check(name="you", ok=None, detail=str(error))
    except EscuchaError:
        return  # the database's own check says so
    with suppress(EscuchaError):
        for detail, step in user_standing.findings(app):
            yield Check(name="users", ok=None, detail=detail, next_step=step)


def _erasures(app: App) -> Iterator[Check]:
    """Whether a person is still being erased; the daemon goes on by itself."""
    from listener.store import erasures

    with suppress(EscuchaError):
        with app.store.read() as tx:
            begun = erasures.unfinished(tx)
        for each in begun:
            since = f"{each.begun_at:%Y-%m-%d %H:%M} UTC"
            step = "Ask for it again, or leave `escucha run` on for an hour; `escucha privacy erasures` lists them."
            yield Check(
                name="erasure", ok=False, detail=f"Number {each.id}, of {since}, was interrupted.", next_step=step
            )


def _model_version(app: App) -> str:
    """Of all that reads; learned areas that keep it from reading are left out, as they have a check of their own."""
    if not lessons.barred(app):
        return app.classifier.version
    from listener.model import imported

    settings = app.config_or_default
    return imported.join(app.reader(), settings.models, settings.model.also).version


def _policy(app: App, settings: Config) -> Iterator[Check]:
    """The settings' policy file, the policy that rules, and whether they are one."""
    from listener.commands import ruling_policy

    stored = None
    with suppress(EscuchaError):  # a database that cannot be read is told of by its own check
        stored = app.ruling() if app.has_database else None
    if stored is None:
        path = settings.policy_file or "the default policy"
        yield _tried("policy", lambda: f"{path}, version {app.written_policy.version}")
        return
    since = f"{stored.active_since:%Y-%m-%d %H:%M} UTC"
    yield _tried("policy", lambda: f"version {app.policy and stored.version} rules since {since}")
    if said := ruling_policy.differs(app, stored):
        yield Check(name="policy file", ok=None, detail=said)


def _areas(app: App) -> Iterator[Check]:
    """Whether the model reads by the areas that the policy has."""
    if behind := lessons.hint(app):
        yield Check(name="areas", ok=False if behind.stops_run else None, detail=behind.why)


def _tried(name: str, look: Callable[[], str], next_step: str = "") -> Check:
    """One check from something that raises when it is not well."""
    try:
        return Check(name=name, ok=True, detail=look())
    except EscuchaError as error:
        return Check(name=name, ok=False, detail=str(error), next_step=next_step or _advice(error))
    except Exception as error:  # noqa: BLE001  the other checks must still be made
        detail = f"It broke with {type(error).__name__}: {error}"
        return Check(name=name, ok=False, detail=detail, next_step="This is a bug; please report it.")


def _advice(error: EscuchaError) -> str:
    match error:
        case AuthFailed():
            return "Renew the credentials and set them in the environment."
        case RateLimited(retry_after=wait):
            return f"Wait {wait:.0f} seconds and try again." if wait else "Wait a while and try again."
        case Unavailable():
            return asking.UNREACHED
    return ""


def _database(settings: Config) -> Iterator[Check]:
    url = settings.database.url
    path = Path(url.partition(":///")[2]) if url.startswith("sqlite") else None
    if path and path.parent.is_dir() and not path.exists():
        if not os.access(path.parent, os.W_OK):
            step = "Let the user who runs Escucha write there."
            yield Check(name="database", ok=False, detail=f"{path.parent} cannot be written to.", next_step=step)
        elif shutil.disk_usage(path.parent).free < ENOUGH:
            yield Check(
                name="database", ok=False, detail=f"Less than 200 MB are free in {path.parent}.", next_step="Make room."
            )
        else:
            yield Check(name="database", ok=True, detail=f"{path} will be made when it is first needed")
        return
    from listener import store

    def look() -> str:
        opened = store.connect(url)
        try:
            found.extend(opened.problems())
            with opened.write():
                pass
        finally:
            opened.close()
        return str(path or "reached and writable")

    found: list[str] = []
    check = _tried("database", look)
    for problem in found:
        said, _, step = problem.partition(": ")
        yield Check(name="database", ok=False, detail=said, next_step=step)
    if not (found and check.ok):
        yield check
    if open_line := database_line.weakness(url, os.environ):
        step = "Where others share that network, add ?sslmode=verify-full&sslrootcert=FILE to database.url."
        yield Check(name="database", ok=None, detail=f"{open_line}.", next_step=step)


def _made(settings: Config) -> bool:
    """Whether there is a database already; looking at things must not make one."""
    url = settings.database.url
    return not url.startswith("sqlite") or Path(url.partition(":///")[2]).exists()


def _targets(app: App, settings: Config) -> Iterator[Check]:
    """Whom of us alerts reach, and whether they did lately; nothing is sent."""
    standings = _standings(app, settings)
    missing = telling.missing(app, standings)
    for each in missing:
        yield Check(name="policy", ok=False, detail=each.said, next_step=each.step)
    for name, target in settings.alerts.items():
        lacking = telling.unreachable(app, name)
        how = "by mail" if target.mail else "signed" if target.key else "not signed"
        detail = " ".join(lacking) or f"{target.place}, {how}; try it: escucha alert test {name}"
        yield Check(name=f"alert {name}", ok=not lacking, detail=detail)
    for standing in standings:
        for trouble in telling.troubles(app, [standing], app.now(), told=[each.target for each in missing]):
            yield Check(name=f"alert {standing.target}", ok=False, detail=trouble)


def _standings(app: App, settings: Config) -> list[Standing]:
    """How things stand with whom alerts go to; none where the database cannot be read, whose own check says so."""
    from listener.store import alerts

    if not _made(settings):
        return []
    try:
        with app.store.read() as tx:
            return alerts.standing(tx, app.now())
    except EscuchaError:
        return []


def _crms(app: App, settings: Config, *, offline: bool) -> Iterator[Check]:
    """Whether each CRM can be reached and lets us in, and how it stands with what it is to be told."""
    for name, each in settings.crm.items():
        if each.lacking:
            for sentence in each.lacking:
                yield Check(name=f"crm {name}", ok=False, detail=sentence)
            continue
        if offline:
            yield Check(name=f"crm {name}", ok=None, detail=f"{each.kind}: not asked")
        else:
            yield _tried(f"crm {name}", lambda name=name: app.join_crm(name).check())  # type: ignore[misc]
    if not settings.crm or not _made(settings):
        return
    with suppress(EscuchaError):  # the database's own check says so
        with app.store.read() as tx:
            standings = crm_standing.standings(app, tx)
        for standing in standings:
            for trouble in crm_standing.troubles(app, standing, app.now()):
                yield Check(name=f"crm {standing.system}", ok=False, detail=trouble)


def _money(app: App) -> Iterator[Check]:
    """What each account that costs money has spent, and the posts that nobody can look up again."""
    from listener.commands import money
    from listener.commands.running import unwatched
    from listener.store import mentions

    try:
        with app.store.read() as tx:
            standings = money.standings(app, tx)
            orphans = unwatched(app, mentions.unwatched(tx, list(app.config.accounts)))
    except EscuchaError:
        return  # the database's own check says so
    for standing in standings:
        stopped = money.trouble(app, standing)
        yield Check(
            name=f"account {standing.account} money",
            ok=stopped is None,
            detail=money.row(standing, app.now()),
            next_step=stopped or "",
        )
    for orphan in orphans:
        said, _, step = orphan.rpartition(": ")
        yield Check(name="account removed", ok=False, detail=f"{said}.", next_step=step)


def _account(app: App, account: Account, sources: list[SourceSettings], *, offline: bool) -> Iterator[Check]:
    name = f"account {account.name}"
    if account.lacking:
        for sentence in account.lacking:
            yield Check(name="secrets", ok=False, detail=sentence)
        return
    if offline:
        yield Check(name=name, ok=None, detail=f"{account.network}: not asked")
        return
    connector: Connector | None = None

    def connect() -> str:
        nonlocal connector
        connector = app.connector(account.name)
        me = connector.whoami()
        if me is not None:
            return f"{account.network}: we are {me.handle}"
        if sources:
            page = connector.poll(sources[0].query, None)
            return f"{account.network}: read without an account, {output.counted(len(page.posts), 'post')} just now"
        return f"{account.network}: read without an account"

    check = _named(_tried(name, connect), account)
    if connector is not None and _made(app.config):
        with suppress(EscuchaError):  # the database's own check says so
            app.purse(account.name).pay(connector)
    yield check
    if connector is None:
        return
    for source in sources:
        yield _named(_tried(f"source {source.name}", partial(connector.explain_query, source.query)), account)


def _to_arrange(app: App, network: str) -> Iterator[Check]:
    """What a person must arrange with that network, which no program can look up."""
    try:
        advice: tuple[str, ...] = getattr(app.connectors.load(network), "ADVICE", ())
    except EscuchaError:  # its accounts have said so already
        return
    if advice:
        yield Check(name=f"advice {network}", ok=None, detail=" ".join(advice))


def _named(check: Check, account: Account) -> Check:
    """The check, saying also which variable holds a secret that it finds missing."""
    where = "" if check.ok else asking.where_from(account.name, account.settings, check.detail)
    return replace(check, next_step=where) if where else check


def _print(check: Check) -> None:
    from rich.table import Table

    mark, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "dim")}[check.ok]
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=1)
    line.add_column(min_width=16)
    line.add_column(overflow="fold")
    line.add_row(output.flowing(mark, style), output.flowing(check.name, "bold"), output.flowing(check.detail))
    if check.next_step:
        line.add_row("", "", output.flowing(check.next_step))
    output.show(line)
