"""`escucha mention`: what could not be handled, and trying it again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from listener.commands import inbox_words, output
from listener.commands.app import App, pass_app
from listener.errors import AlreadyDone, EscuchaError, Mistake, NetworkError, NotFound

LIMIT = 100


@click.group()
def mention() -> None:
    """What could not be handled: list it, try it again, say that you saw to it.

    M12 is a mention that a stage broke on. G3 is a post that could not be read or stored: only its address is known.
    """


@mention.command("set-aside")
@click.option("--network", help="Only this network.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=LIMIT, show_default=True, help="At most so many.")
@output.json_option
@pass_app
def set_aside(app: App, network: str | None, limit: int, as_json: bool) -> None:
    """What could not be handled, and why; everything else goes on."""
    from listener.store import garbled, waiting

    inbox_words.check_network(app, network)
    with app.store.read() as tx:
        broken = waiting.set_aside(tx, network=network, limit=limit)
        unread = garbled.listing(tx, network=network, limit=limit)
        totals = waiting.how_many_set_aside(tx, network=network), garbled.how_many(tx, network=network)
    if as_json:
        output.print_json(
            {
                "mentions": [
                    {
                        "mention": f"M{each.mention_id}",
                        "network": each.network,
                        "handle": each.handle,
                        "text": each.text,
                        "url": each.url,
                        "posted_at": each.posted_at,
                        "why": each.why,
                    }
                    for each in broken
                ],
                "posts": [
                    {
                        "post": f"G{each.id}",
                        "network": each.network,
                        "source": each.source,
                        "external_id": each.external_id,
                        "why": each.reason,
                        "first_at": each.first_at,
                        "last_at": each.last_at,
                        "times": each.times,
                    }
                    for each in unread
                ],
                "totals": {"mentions": totals[0], "posts": totals[1]},
            }
        )
        return
    now = app.now()
    if not broken and not unread:
        output.say("Nothing is set aside.")
        return
    if broken:
        output.heading("Mentions that a stage broke on")
        rows = [[f"M{each.mention_id}", each.network, output.ago(each.posted_at, now), each.why] for each in broken]
        output.table(["mention", "network", "posted", "why"], rows, empty="", wide="why")
    if unread:
        output.heading("Posts that could not be read; look at them there")
        kept = [[f"G{each.id}", each.source, each.external_id, each.times, each.reason] for each in unread]
        output.table(["post", "source", "id there", "times", "why"], kept, empty="", wide="why")
    shown = len(broken) + len(unread)
    if sum(totals) > shown:
        output.say(f"{shown} of {sum(totals)} shown; --limit shows more.")
    output.say("\nescucha mention retry M12 G3 tries again; escucha mention leave G3 takes a post off this list.")


@mention.command()
@click.argument("what", nargs=-1, metavar="[M12 G3 …]")
@click.option("--all", "everything", is_flag=True, help="All that is set aside.")
@pass_app
def retry(app: App, what: tuple[str, ...], everything: bool) -> None:
    """Try what was set aside once more: a mention from where it stopped, a post by asking its network for it.

    A mention over which the process died is looked at alone.
    """
    if everything == bool(what):
        raise Mistake("Say what to try again, such as M12 or G3, or --all.")
    _each(_all(app) if everything else what, lambda kind, number: _retry(app, kind, number))


@mention.command()
@click.argument("posts", nargs=-1, required=True, metavar="G3 [G4 …]")
@pass_app
def leave(app: App, posts: tuple[str, ...]) -> None:
    """Say that you saw to posts that could not be read: they are listed no more."""

    def one(kind: str, number: int) -> None:
        from listener.store import garbled

        if kind != "G":
            raise Mistake(f"M{number} is a mention; escucha mention retry M{number} tries it again.")
        with app.store.write() as tx:
            garbled.leave(tx, number, by=app.actor, now=app.now())
        output.say(f"G{number} is listed no more.")

    _each(posts, one)


def _all(app: App) -> list[str]:
    from listener.store import garbled, waiting

    with app.store.read() as tx:
        found = [f"M{each.mention_id}" for each in waiting.set_aside(tx)]
        return [*found, *(f"G{each.id}" for each in garbled.listing(tx))]


def _retry(app: App, kind: str, number: int) -> None:
    if kind == "M":
        _retry_mention(app, number)
    else:
        _retry_post(app, number)


def _retry_mention(app: App, number: int) -> None:
    from listener.store import mentions, suspects

    with app.store.write() as tx:
        found = mentions.get(tx, number)
        if not suspects.retry(tx, [number], by=app.actor, now=app.now()):
            raise AlreadyDone(f"M{number} is not set aside ({found.state}); see `escucha show M{number}`.")
        app.store.carry(tx, [number])
    output.say(f"M{number} is tried again by the daemon.")


def _retry_post(app: App, number: int) -> None:
    from listener.contract import Rechecks
    from listener.store import garbled, mentions

    with app.store.read() as tx:
        kept = garbled.get(tx, number)
    if kept.account not in app.config.accounts:
        raise Mistake(f"{app.config_path} no longer names the account {kept.account}, through which G{number} came.")
    connector = app.connector(kept.account)
    if not isinstance(connector, Rechecks):
        raise Mistake(
            f"{kept.network} cannot be asked for one post; look at G{number} there ({kept.external_id}), then: "
            f"escucha mention leave G{number}"
        )
    try:
        answer = connector.recheck([kept.external_id])
    except NetworkError:
        raise
    except Exception as error:  # what could not be read before may break its reader again
        raise Mistake(f"G{number} still cannot be read ({type(error).__name__}); look at it there.") from error
    finally:
        app.purse(kept.account).pay(connector)
    if kept.external_id in answer.gone:
        with app.store.write() as tx:
            garbled.leave(tx, number, by=app.actor, now=app.now())
        output.say(f"G{number} is gone from {kept.network}, so it is listed no more.")
        return
    posts = [post for post in answer.present if post.external_id == kept.external_id]
    if not posts:
        raise Mistake(f"G{number} still cannot be read; look at it there ({kept.external_id}).")
    with app.store.write() as tx:
        saved = mentions.save(tx, source_id=kept.source_id, network=kept.network, posts=posts, now=app.now())
        garbled.heard(tx, kept.network, [kept.external_id])
        app.store.carry(tx, saved.new)
    output.say(f"G{number} can be read now: it is {', '.join(f'M{each}' for each in saved.new) or 'known already'}.")


def _each(typed: Sequence[str], do: Callable[[str, int], Any]) -> None:
    """Does it to each. One alone is a mistake that ends it; among several, each is named and the rest go on."""
    names = list(dict.fromkeys(name.strip().upper() for name in typed))
    failed = []
    for name in names:
        try:
            match = re.fullmatch(r"([MG])(\d{1,15})", name)
            if match is None:
                raise NotFound(f"{output.clip(name, 20)} is neither a mention such as M12 nor a post such as G3.")
            do(match[1], int(match[2]))
        except EscuchaError as error:
            if len(names) == 1:
                raise
            output.complain(str(error))
            failed.append(output.clip(name, 20))
    if not names:
        output.say("Nothing is set aside.")
    if failed:
        raise output.SomeFailed(f"{len(failed)} of {len(names)} not done: {', '.join(failed)}.")
