"""`escucha init` writes the settings file; `escucha config show` tells how it was understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlsplit

import click

from listener.commands import asking, hashtag, output, settings_file
from listener.commands.app import App, pass_app
from listener.errors import Mistake
from listener.types import DATABASE_SECRETS

if TYPE_CHECKING:
    from pydantic import BaseModel

    from listener.config import Config

TEMPLATE = """\
# What Escucha listens to and how it works. Every key: docs/settings.md; check it with: escucha doctor
# Secrets do not belong here. They come from the environment, such as ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN.

[brand]
name = {brand}
# Our own handles on every network, so that we do not answer ourselves.
handles = []
# Languages we answer in, the preferred one first.
languages = [{languages}]

[database]
# One file beside this one; teams use postgresql://host/escucha.
url = "sqlite:///escucha.db"

[policy]
# Without a file the default policy rules: it proposes, and a person approves every answer.
# With one: escucha policy activate policy.yaml --because "…" makes it rule, now and after each change.
# file = "policy.yaml"
# mode = "manual"

[cases]
# First letters of every case reference, as in {prefix}-26-000123-7.
prefix = "{prefix}"

# One table for each account. Public hashtags need no login, only the server.
[accounts.public]
network = {network}
instance = {instance}

# One table for each thing to listen to; add more with: escucha source add NETWORK
[[sources]]
name = {name}
account = "public"
query = {query}
every = "60s"
"""


@click.command()
@click.option("--brand", help="The company's name.")
@click.option("--listen", help="What to listen to, such as '#brand@mastodon.social'.")
@click.option("--language", help="The language most people write to you in: es, en, …")
@click.option("--yes", is_flag=True, help="Ask nothing; take what is given and sensible defaults.")
@click.option("--force", is_flag=True, help="Replace a settings file that is there.")
@pass_app
def init(app: App, *, brand: str | None, listen: str | None, language: str | None, yes: bool, force: bool) -> None:
    """Write a settings file, asking a few questions."""
    path = app.config_path
    if path.exists() and not force:
        raise Mistake(
            f"{path} is there already; add to it with `escucha source add NETWORK`, or replace it with --force."
        )
    if not path.resolve().parent.is_dir():
        raise Mistake(f"There is no folder {path.resolve().parent}; make it first.")
    if brand is None:
        brand = "" if yes else asking.ask("The company's name, as people write it", asking.named("its name"))
    brand = brand.strip()
    suggested = hashtag.of_brand(brand)
    if listen is None:
        listen = str(suggested) if yes else _ask_hashtag(suggested)
    wanted = hashtag.read(listen)
    if language is None:
        language = "es" if yes else asking.ask("The language most people write to you in", _language, default="es")
    text = filled(brand=brand, wanted=wanted, language=_language(language))
    settings_file.write(path, text)
    output.say(f"Wrote {path}: it listens to {wanted}, and sends nothing without your approval.")
    output.say()
    output.say("Next:")
    output.say(f"  escucha try '{wanted}'    hear it now, storing nothing")
    output.say("  escucha doctor    check that everything works")
    output.say("  escucha run       start listening")


def filled(*, brand: str, wanted: hashtag.Hashtag, language: str) -> str:
    """A settings file for one hashtag."""
    languages = [language, "en" if language != "en" else "es"]
    letters = "".join(letter for letter in brand.upper() if "A" <= letter <= "Z")[:2]
    return TEMPLATE.format(
        brand=settings_file.quoted(brand),
        languages=", ".join(settings_file.quoted(each) for each in languages),
        prefix=letters if len(letters) == 2 else "ES",
        network=settings_file.quoted(hashtag.NETWORK),
        instance=settings_file.quoted(wanted.instance),
        name=settings_file.quoted(source_name(wanted.query)),
        query=settings_file.quoted(wanted.query),
    )


def source_name(query: str) -> str:
    """A name for what is listened to: `#Marca` becomes `tag-marca`."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in query.lower()).strip("-")
    return ("tag-" if query.startswith("#") else "") + (letters[:40].rstrip("-") or "listen")


def _ask_hashtag(suggested: hashtag.Hashtag) -> str:
    def read(answer: str) -> str:
        return str(hashtag.read(answer))

    return asking.ask("A hashtag to listen to, and where", read, default=str(suggested))


def _language(text: str) -> str:
    text = text.strip().lower()
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise Mistake(f"{text!r} is no language code; use two letters, such as es, en or pt.")
    return text


@click.group()
def config() -> None:
    """Show the settings as they are understood."""


@config.command()
@output.json_option
@pass_app
def show(app: App, as_json: bool) -> None:
    """The settings after file, environment and defaults, with secrets masked."""
    told = shown(app.config)
    if as_json:
        output.print_json(told)
        return
    output.say(f"From {told.pop('file')} and the environment:")
    accounts, alerts, sources = told.pop("accounts"), told.pop("alerts"), told.pop("sources")
    crms = told.pop("crm")
    sections = [*told.items(), *((f"accounts.{name}", values) for name, values in accounts.items())]
    sections += [(f"alerts.{name}", values) for name, values in alerts.items()]
    sections += [(f"crm.{name}", values) for name, values in crms.items()]
    for section, values in [*sections, *(("sources", source) for source in sources)]:
        output.say()
        output.heading(f"[{section}]")
        output.fields(values.items())


SHOWN = ("brand", "database", "policy", "cases", "audit", "retention", "daemon")  # sections of which each key is told


def _host_alone(settings: BaseModel) -> dict[str, str]:
    """Of an address that news go to only the host, for the rest may be secret."""
    url = getattr(settings, "url", None)
    return {"url": urlsplit(url).hostname or ""} if url else {}


def shown(settings: Config) -> dict[str, Any]:
    """Everything that is set, by section; secrets are masked when they are printed."""
    told: dict[str, Any] = {
        "file": str(settings.file),
        **{
            name: dict(getattr(settings, name))
            for name in ("brand", "database", "policy", "cases", "audit", "retention", "daemon")
        },
        "accounts": {
            account.name: {
                "network": account.network,
                **dict(account.settings),
                **({"budget": set_of_it} if (set_of_it := account.budget.model_dump(exclude_unset=True)) else {}),
            }
            for account in settings.accounts.values()
        },
        "alerts": {
            name: {**target.model_dump(exclude_defaults=True), **({"webhook": target.place} if target.webhook else {})}
            for name, target in settings.alerts.items()
        },
        "crm": {
            name: {"system": each.kind, **each.settings.model_dump(exclude_defaults=True), **_host_alone(each.settings)}
            for name, each in settings.crm.items()
        },
        "sources": [dict(source) for source in settings.sources],
    }
    told["database"]["url"] = masked_url(settings.database.url)
    told["policy"]["file"] = str(settings.policy_file or "")
    return told


def masked_url(url: str) -> str:
    """The address without its password, wherever in it that stands."""
    try:
        parts = urlsplit(url)
        if parts.query:
            url = url.replace(parts.query, "&".join(map(_masked_part, parts.query.split("&"))))
        if not parts.password:
            return url
        host = parts.netloc.rpartition("@")[2]
        return urlsplit(url)._replace(netloc=f"{parts.username}:{output.MASK}@{host}").geturl()
    except ValueError:
        return output.MASK


def _masked_part(part: str) -> str:
    """`name=value` of a query, as it may be shown."""
    name = part.partition("=")[0]
    return f"{name}={output.MASK}" if unquote_plus(name).lower() in DATABASE_SECRETS else part
