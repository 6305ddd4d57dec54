"""`escucha source add`: asks for what a network needs, tries it, and only then writes the settings file.

network's settings | ask | the file as it would be | check | connect and poll once | write
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from listener.commands import asking, output, settings_file
from listener.commands.app import App, pass_app
from listener.commands.setup import source_name
from listener.errors import ConfigProblem, EscuchaError, Mistake, NetworkError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from listener.config import Config, SourceSettings

MENTIONS = "mentions"  # what addresses our account, on every network that has it


class _WithKeys(click.Command):
    """A command whose help also lists the settings of the network that it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[__name__] = list(args)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        app = ctx.find_object(App)
        there = app.connectors.available() if app else ()
        network = next((word for word in ctx.meta.get(__name__, ()) if word in there), None)
        if app and network:
            with formatter.section(f"Settings of {network}"):
                formatter.write_dl(_keys(app.settings_of(network)))
        elif there:
            with formatter.section("Networks"):
                formatter.write_text(f"{', '.join(there)}. With one of them, --help also lists its settings.")


def _keys(model: type[BaseModel]) -> list[tuple[str, str]]:
    """Each setting, what it means, and how it is given."""
    from listener import config

    told = []
    for key, field in model.model_fields.items():
        kind = "secret, from the environment" if config.is_secret(model, key) else "--set"
        need = "required" if field.is_required() else "may be left out"
        told.append((key, f"{field.description or ''} ({kind}; {need})".strip()))
    return told


@click.command(cls=_WithKeys)
@click.argument("network")
@click.option(
    "--account", help="An account of the settings, or the name of a new one. [default: the one of that network]"
)
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
    accounts, sources = _there(before)
    account = _account(accounts, network, account, given, ask=not yes)
    secrets = [key for key in model.model_fields if config.is_secret(model, key)]
    settings = None
    if account not in accounts:
        chosen = _chosen(given, model, secrets, account)
        _ask_settings(model, list(model.model_fields), chosen, secrets, account, ask=not yes)
        settings = {"network": network, **chosen}
    elif given:
        raise Mistake(
            f"The account {account} is there already; change it in {app.config_path}, or choose another name."
        )
    elif accounts[account] == network:
        _ask_settings(model, secrets, _written(before, account), secrets, account, ask=not yes)
    else:
        raise Mistake(f"The account {account} is on {accounts[account]}; name another with --account.")
    kinds = str(getattr(app.connectors.load(network), "QUERIES", ""))
    if query is None:
        query = "" if yes else _ask_query(kinds, ours=any(_is_set(account, key) for key in secrets))
    query = _query(kinds, query)
    name = name or _free_name(sources, account, source_name(query))
    _refuse_twice(sources, name=name, account=account, query=query)
    entry = {"name": name, "account": account, "query": query, "every": every}
    after = settings_file.with_source(before, account=account, account_settings=settings, source=entry)
    unwritten: list[config.KeyPath] = [("sources", len(sources))]
    unwritten += [("accounts", account)] if settings is not None else []
    planned = config.check(
        after,
        app.config_path,
        networks=app.connectors.available(),
        settings_of=app.settings_of,
        crms=app.connectors.crms(),
        unwritten=unwritten,
    )
    _hide(planned)
    source = next(each for each in planned.sources if each.name == name)
    if not untried:
        _try(app, planned, source)
    if settings_file.read(app.config_path) != before:
        raise Mistake(f"{app.config_path} was changed meanwhile; nothing was written, call the command again.")
    settings_file.write(app.config_path, after)
    output.say(
        f"Wrote {app.config_path}: {name} listens to {source.query or network} every {output.spell(source.every)}."
    )
    _say_secrets(planned, account, secrets)


def _there(text: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The accounts of the file with their networks, and its sources."""
    import tomllib

    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblem([f"The settings file is not TOML ({error}); mend it first."]) from error
    accounts, sources = written.get("accounts"), written.get("sources")
    return (
        {name: str(each.get("network", "")) for name, each in accounts.items() if isinstance(each, dict)}
        if isinstance(accounts, dict)
        else {},
        [each for each in sources if isinstance(each, dict)] if isinstance(sources, list) else [],
    )


def _written(text: str, account: str) -> dict[str, Any]:
    """What the file says of an account that is there."""
    import tomllib

    return dict(tomllib.loads(text)["accounts"][account])


def _account(accounts: Mapping[str, str], network: str, named: str | None, given: Iterable[str], *, ask: bool) -> str:
    """Which account listens: the one that was named, else the one there is on that network, else a new one.

    What `--set` says is for a new account.
    """
    if named is not None:
        close = difflib.get_close_matches(named, accounts, n=1)
        if named not in accounts and close and not given:
            raise Mistake(
                f"There is no account {named!r}; did you mean {close[0]}? A new one needs its settings with --set."
            )
        return named
    there = [] if given else [name for name, its_network in accounts.items() if its_network == network]
    if len(there) < 2:
        return there[0] if there else network
    if not ask:
        raise Mistake(f"There are several accounts on {network}; name one with --account: {', '.join(there)}.")

    def read(answer: str) -> str:
        if answer.strip() not in there:
            raise Mistake(f"Choose one of: {', '.join(there)}.")
        return answer.strip()

    return asking.ask(f"Which account ({', '.join(there)})", read, default=there[0])


def _ask_query(kinds: str, *, ours: bool) -> str:
    """What to listen to; with an account of our own, whatever addresses it is the likeliest."""
    question = f"What to listen to: {kinds}" if kinds else "What to listen to, such as #brand"
    return asking.ask(
        question, lambda answer: _query(kinds, answer), default=MENTIONS if ours and MENTIONS in kinds else None
    )


def _query(kinds: str, query: str) -> str:
    """The query without blanks around it. Raises Mistake for what nearly is `mentions`, and would be searched for."""
    query = query.strip()
    if (
        MENTIONS in kinds
        and query.lower() != MENTIONS
        and difflib.get_close_matches(query.lower(), [MENTIONS], cutoff=0.8)
    ):
        raise Mistake(f"{query!r} would be searched for as a word; did you mean {MENTIONS}?")
    return query


def _free_name(sources: Iterable[Mapping[str, Any]], account: str, name: str) -> str:
    """That name, or with the account before it where a source of another account has it."""
    taken = any(each.get("name") == name and each.get("account") != account for each in sources)
    return f"{account.replace('_', '-')}-{name}" if taken else name


def _refuse_twice(sources: Iterable[Mapping[str, Any]], *, name: str, account: str, query: str) -> None:
    for each in sources:
        if each.get("name") != name:
            continue
        if (each.get("account"), each.get("query")) == (account, query):
            raise Mistake(f"{query or name} is listened to already, by the source {name}.")
        raise Mistake(
            f"There is a source {name} already, which listens to {each.get('query')} on {each.get('account')}; "
            "give this one another name with --name."
        )


def _is_set(account: str, key: str) -> bool:
    """Whether the environment holds that setting, or the file that has it."""
    from listener import config

    variable = config.env_name("accounts", account, key)
    return bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))


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
    model: type[BaseModel],
    keys: Iterable[str],
    chosen: dict[str, Any],
    secrets: list[str],
    account: str,
    *,
    ask: bool,
) -> None:
    """Asks for what is still missing; a secret goes into this process's environment, and nowhere else.

    A network marks in a field's `json_schema_extra` what it wants asked although it may be left out (`ask`, and what
    an `empty` answer means), and what is asked only beside (`needs`) or without (`unless`) another setting.
    """
    from listener import config

    def is_given(key: str) -> bool:
        return bool(chosen.get(key)) or _is_set(account, key)

    for key in keys:
        field = model.model_fields[key]
        variable = config.env_name("accounts", account, key)
        if key in chosen or variable in os.environ or f"{variable}_FILE" in os.environ:
            continue
        secret, extra = key in secrets, field.json_schema_extra
        hints: dict[str, Any] = dict(extra) if isinstance(extra, dict) else {}
        if not ask or not (secret or field.is_required() or hints.get("ask")):
            continue
        other, instead = hints.get("needs"), hints.get("unless")
        if (other and not is_given(other)) or (instead and is_given(instead)):
            continue
        output.say(field.description or key)
        if "where" in hints:
            output.say(f"  Where: {hints['where']}")
        if secret:
            optional = not field.is_required()
            value = asking.ask(
                f"{key} (hidden, just to try{'; empty for none' if optional else ''})",
                asking.fitting(model, key),
                hide_input=True,
                default="" if optional else None,
                show_default=False,
            )
            if value:
                os.environ[variable] = value
        elif field.is_required():
            chosen[key] = asking.ask(key, asking.fitting(model, key))
        else:
            empty = hints.get("empty", "none")
            value = asking.ask(
                f"{key} (empty for {empty})", asking.fitting(model, key, or_empty=True), default="", show_default=False
            )
            if value:
                chosen[key] = value


def _hide(planned: Config) -> None:
    from listener import log

    log.start(form=planned.daemon.log_format, level=planned.daemon.log_level)
    log.hide(planned.secrets())


def _try(app: App, planned: Config, source: SourceSettings) -> None:
    """Connects, asks who we are, and polls once. Raises what went wrong, saying that nothing was written."""
    account = planned.accounts[source.account]
    if account.lacking:
        raise ConfigProblem([*account.lacking, "Nothing was written; or write it without trying with --no-try."])
    try:
        connector = app.connect(account.network, account.settings)
        me = connector.whoami()
        if me:
            output.say(f"✓ Connected as {me.handle}")
        output.say(f"✓ {connector.explain_query(source.query)}")
        page = connector.poll(source.query, None)
    except EscuchaError as error:
        told = asking.completed(error, source.account, account.settings)
        hint = "; or write it anyway with --no-try" if isinstance(error, NetworkError) else ""
        told.args = (f"{told} Nothing was written: mend that and call the command again{hint}.",)
        raise told from None
    if not me:
        output.say("✓ Connected, reading without an account")
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
