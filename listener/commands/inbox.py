"""`inbox`: what waits for a person, by score and by how long it has waited."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from listener.commands import inbox_screen, inbox_words, money, screenful
from listener.commands.app import App, pass_app
from listener.commands.inbox_screen import Listing
from listener.commands.keys import draft_keys, incident_keys, media_keys
from listener.commands.lines import WIDEST
from listener.commands.output import console, json_option, print_json, show
from listener.desk import lasting
from listener.errors import Mistake
from listener.store import policies, switch, waiting
from listener.store.waiting import Heard, Waiting
from listener.types import DraftState

LIMIT = 20
MOST = 1000  # mentions without a draft, where no limit is given


@click.command()
@click.option("--network", help="Only this network.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in DraftState]),
    help="Drafts in this state instead of those that wait; may be repeated.",
)
@click.option("--mine", is_flag=True, help="Only drafts whose case is assigned to me.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    help=f"At most so many in each list; else {LIMIT}, or what a terminal shows at once, and with --all every draft.",
)
@click.option("--all", "everything", is_flag=True, help="Every draft ever made, and mentions without one.")
@click.option("--unknown", "in_doubt", is_flag=True, help="What may or may not be out, and what looking for it found.")
@json_option
@pass_app
def inbox(  # noqa: PLR0917
    app: App,
    network: str | None,
    states: tuple[str, ...],
    mine: bool,
    limit: int | None,
    everything: bool,
    in_doubt: bool,
    as_json: bool,
) -> None:
    """What waits for a person, by score and by how long it has waited."""
    if in_doubt:
        from listener.commands import unknown

        if states or mine or everything:
            raise Mistake("--unknown shows replies, notices and changes of them; give it with --network or --limit.")
        inbox_words.check_network(app, network)
        unknown.listing(app, network=network, limit=limit, as_json=as_json)
        return
    chosen = tuple(map(DraftState, states)) or (tuple(DraftState) if everything else (DraftState.PROPOSED,))
    listing = _read(
        app,
        network=network,
        states=chosen,
        agent=app.actor if mine else None,
        limit=limit or (None if everything else LIMIT),
        besides=not states and not mine,
        undrafted=everything,
    )
    if as_json:
        print_json(_plain(listing, app.now()))
        return
    show(
        *inbox_screen.drawn(
            listing,
            app.now(),
            waiting_only=chosen == (DraftState.PROPOSED,),
            width=min(console().width, WIDEST),
            room=None if limit or everything else screenful.room(),
        )
    )


def _read(
    app: App,
    *,
    network: str | None,
    states: tuple[DraftState, ...],
    agent: str | None,
    limit: int | None,
    besides: bool,
    undrafted: bool,
) -> Listing:
    inbox_words.check_network(app, network)
    with app.store.read() as tx:
        apart = besides and not undrafted  # with --all they stand among the drafts
        unproposed = waiting.how_many_undrafted(tx, network=network)
        return Listing(
            drafts=waiting.drafts(tx, states=states, network=network, agent=agent, limit=limit),
            total=waiting.count(tx, states=states, network=network, agent=agent),
            limit=limit,
            to_route=waiting.to_route(tx, network=network, limit=limit) if besides else (),
            failed=waiting.drafts(tx, states=(DraftState.FAILED,), network=network, limit=limit) if apart else (),
            unknown=waiting.drafts(tx, states=(DraftState.UNKNOWN,), network=network, limit=limit) if apart else (),
            set_aside=waiting.set_aside(tx, network=network, limit=limit) if besides else (),
            undrafted=waiting.undrafted(tx, network=network, limit=limit or MOST) if undrafted else (),
            unproposed=unproposed,
            totals={
                "to_route": waiting.how_many_to_route(tx, network=network) if besides else 0,
                "unknown": waiting.count(tx, states=(DraftState.UNKNOWN,), network=network) if apart else 0,
                "failed": waiting.count(tx, states=(DraftState.FAILED,), network=network) if apart else 0,
                "set_aside": waiting.how_many_set_aside(tx, network=network) if besides else 0,
                "without_draft": unproposed.total,
            },
            elsewhere=waiting.count(tx) if network or agent else 0,
            policy=policies.active(tx),
            pauses=switch.pauses(tx),
            lasting=lasting.read(tx).views,
            broke=tuple(filter(None, (money.why_broke(app, name) for name in app.config.accounts))),
        )


# --- for programs ----------------------------------------------------------------------------------------------------


def _plain(listing: Listing, now: datetime) -> dict[str, Any]:
    """The keys that docs/moderators.md promises."""
    return {
        "total": listing.total,
        "totals": dict(listing.totals),
        "policy": listing.policy,
        "paused": [pause.scope for pause in listing.pauses],
        "incidents": [incident_keys(each) for each in listing.lasting],
        "drafts": [_draft(waits, now) for waits in listing.drafts],
        "to_route": [_mention(heard) for heard in listing.to_route],
        "unknown": [_draft(waits, now) for waits in listing.unknown],
        "failed": [_draft(waits, now) for waits in listing.failed],
        "set_aside": [_mention(heard) for heard in listing.set_aside],
        "without_draft": [_mention(heard) for heard in listing.undrafted],
    }


def _draft(waits: Waiting, now: datetime) -> dict[str, Any]:
    draft = waits.draft
    customer = {
        "reference": waits.customer_reference,
        "name": waits.customer_name,
        "tier": waits.customer_tier,
    }
    return draft_keys(draft) | {
        "age_seconds": int(max(now - waits.posted_at, timedelta(0)).total_seconds()),
        "posted_at": waits.posted_at,
        "author": {"handle": waits.handle, "display_name": waits.display_name},
        "customer": customer if waits.customer_reference else None,
        "mention_text": waits.mention_text,
        "mention_media": media_keys(waits.mention_media),
        "mention_url": waits.mention_url,
        "mention_deleted": waits.gone,
    }


def _mention(heard: Heard) -> dict[str, Any]:
    return {
        "mention": f"M{heard.mention_id}",
        "network": heard.network,
        "author": {"handle": heard.handle, "display_name": heard.display_name},
        "text": heard.text,
        "media": media_keys(heard.media),
        "url": heard.url,
        "posted_at": heard.posted_at,
        "urgency": heard.urgency,
        "score": heard.score,
        "why": heard.why,
    }
