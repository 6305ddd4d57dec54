"""`escucha source add`: asks for what a network needs, tries it, and only then writes the settings file.

network's settings | ask | the file as it would be | check | connect and poll once | write
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from listener.commands import output, settings_file
from listener.commands.app import App, pass_app
from listener.commands.setup import source_name
from listener.errors import ConfigProblem, EscuchaError, Mistake, NetworkError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from listener.config import Config, SourceSettings


@click.command()
@click.argument("network")
@click.option("--account", help="An account of the settings, or the name of a new one. [default: the network's name]")
@click.option("--query", help="What to listen to, in that network's own words, such as '#brand'.")
@click.option("--name", help="What to call it. [default: from the query]")
@click.option("--every", default="60s", show_default=True, help="How often to look.")
@click.option("--set", "given", multiple=True, metavar="KEY=VALUE", help="A setting of a new account; repeatable.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--no-try", "untried", is_flag=True, help="Write it without asking the network.")
@pass_app
def add(
    app: App,
    *,
    network: str,
    account: str | None,
    query: str | None,
    name: str | None,
    every: str,
    given: tuple[str, ...],
    yes: bool,
    untried: bool,
) -> None:
    """Listen to something new on NETWORK, after trying it.

    Secrets are never written: they come from the environment, and are asked for, hidden, just to try.
    """
    from listener import config

    model = app.settings_of(network)
    before = settings_file.read(app.config_path)
    account = account or network
    secrets = [key for key in model.model_fields if config.is_secret(model, key)]
    settings = None
    if not _has_account(before, account):
        chosen = _chosen(given, model, secrets, account)
        _ask_settings(model, chosen, secrets, account, ask=not yes)
        settings = {"network": network, **chosen}
    elif given:
        raise Mistake(
            f"The account {account} is there already; change it in {app.config_path}, or choose another name."
        )
    if query is None:
        query = "" if yes else click.prompt("What to listen to, such as #brand", type=str)
    name = name or source_name(query.strip())
    entry = {"name": name, "account": account, "query": query.strip(), "every": every}
    after = settings_file.with_source(before, account=account, account_settings=settings, source=entry)
    planned = config.check(after, app.config_path, networks=app.connectors.available(), settings_of=app.settings_of)
    _hide(planned)
    source = next(each for each in planned.sources if each.name == name)
    if planned.accounts[account].network != network:
        raise Mistake(f"The account {account} is on {planned.accounts[account].network}; name another with --account.")
    if not untried:
        _try(app, planned, source)
    if settings_file.read(app.config_path) != before:
        raise Mistake(f"{app.config_path} was changed meanwhile; nothing was written, call the command again.")
    settings_file.write(app.config_path, after)
    output.say(
        f"Wrote {app.config_path}: {name} listens to {source.query or network} every {output.spell(source.every)}."
    )
    _say_secrets(planned, account, secrets)


def _has_account(text: str, account: str) -> bool:
    import tomllib

    try:
        accounts = tomllib.loads(text).get("accounts", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblem([f"The settings file is not TOML ({error}); mend it first."]) from error
    return isinstance(accounts, dict) and account in accounts


def _chosen(given: Iterable[str], model: type[BaseModel], secrets: list[str], account: str) -> dict[str, Any]:
    """What `--set` says, refusing what must not be written."""
    from listener import config

    chosen: dict[str, Any] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals:
            raise Mistake(f"--set {pair!r} has no value; write --set KEY=VALUE.")
        if key in secrets:
            raise Mistake(f"{key} is a secret; set {config.env_name('accounts', account, key)} instead of --set.")
        if key not in model.model_fields:
            known = ", ".join(each for each in model.model_fields if each not in secrets)
            raise Mistake(f"{key} is no setting of this network; it has: {known}.")
        chosen[key] = value.strip()
    return chosen


def _ask_settings(
    model: type[BaseModel], chosen: dict[str, Any], secrets: list[str], account: str, *, ask: bool
) -> None:
    """Asks for what is still missing; a secret goes into this process's environment, and nowhere else."""
    from listener import config

    for key, field in model.model_fields.items():
        variable = config.env_name("accounts", account, key)
        if key in chosen or variable in os.environ or f"{variable}_FILE" in os.environ:
            continue
        secret = key in secrets
        if not ask or not (secret or field.is_required()):
            continue
        output.say(field.description or key)
        extra = field.json_schema_extra
        where = extra.get("where") if isinstance(extra, dict) else None
        if where:
            output.say(f"  Where: {where}")
        if secret:
            optional = not field.is_required()
            value = click.prompt(
                f"{key} (hidden{', empty for none' if optional else ''})",
                hide_input=True,
                default="" if optional else None,
                show_default=False,
            )
            if value:
                os.environ[variable] = value
        else:
            chosen[key] = click.prompt(key, type=str).strip()


def _hide(planned: Config) -> None:
    from listener import log

    log.start(form=planned.daemon.log_format, level=planned.daemon.log_level)
    log.hide(planned.secrets())


def _try(app: App, planned: Config, source: SourceSettings) -> None:
    """Connects, asks who we are, and polls once. Raises what went wrong, saying that nothing was written."""
    account = planned.accounts[source.account]
    try:
        connector = app.connect(account.network, account.settings)
        me = connector.whoami()
        output.say(f"✓ Connected as {me.handle}" if me else "✓ Connected, reading without an account")
        output.say(f"✓ {connector.explain_query(source.query)}")
        page = connector.poll(source.query, None)
    except EscuchaError as error:
        hint = " Or write it anyway with --no-try." if isinstance(error, NetworkError) else ""
        output.complain(f"Nothing was written.{hint}")
        raise
    newest = max(page.posts, key=lambda post: post.posted_at, default=None)
    if newest is None:
        output.say("✓ Polled once; nothing to hear just now")
        return
    heard = output.counted(len(page.posts), "post") + (" and more" if page.more else "")
    output.say(f"✓ Heard {heard}; the newest, {output.ago(newest.posted_at, app.now())}:")
    output.block(f"{newest.author.handle}: {output.clip(newest.text, 160)}", indent=4)


def _say_secrets(planned: Config, account: str, secrets: list[str]) -> None:
    """Which variables the daemon will need, without their values."""
    from listener import config

    settings: Mapping[str, Any] = dict(planned.accounts[account].settings)
    needed = [key for key in secrets if settings.get(key) is not None]
    if needed:
        output.say("The file holds no secrets. Whatever runs Escucha must set:")
        for key in needed:
            variable = config.env_name("accounts", account, key)
            output.say(f"  {variable}   or {variable}_FILE with the path of a file that holds it")
