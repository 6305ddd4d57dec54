"""`inbox`: what waits for a person, by score and by how long it has waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from rich.text import Text

from listener.commands import inbox_words, money, pausing
from listener.commands.app import App, pass_app
from listener.commands.keys import draft_keys, incident_keys, media_keys
from listener.commands.lines import STYLES, WIDEST, in_one_line, label, name_of
from listener.commands.output import clip, console, heading, json_option, print_json, say, show, spell
from listener.desk import lasting
from listener.errors import Mistake
from listener.store import policies, stats, switch, waiting
from listener.store.waiting import Heard, Undrafted, Waiting
from listener.types import DraftState, IncidentView, Media, SendKind, Urgency

LIMIT = 20
MOST = 1000  # mentions without a draft, where no limit is given


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything `inbox` says. `total` counts the drafts in `drafts` without the limit, `totals` the other lists."""

    drafts: Sequence[Waiting]
    total: int
    limit: int | None
    to_route: Sequence[Heard]
    failed: Sequence[Waiting]
    unknown: Sequence[Waiting]
    set_aside: Sequence[Heard]
    undrafted: Sequence[Heard]
    unproposed: Undrafted
    totals: Mapping[str, int]
    elsewhere: int  # drafts that would wait without the filters
    policy: str | None
    pauses: Sequence[switch.Pause]
    broke: Sequence[str]  # why answers on an account wait for money
    lasting: Sequence[IncidentView]  # what hits many now


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
    help=f"At most so many in each list; {LIMIT} where nothing is said, and with --all every draft.",
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
    else:
        _print(listing, app.now(), waiting_only=chosen == (DraftState.PROPOSED,))


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


# --- for people ------------------------------------------------------------------------------------------------------


def _print(listing: Listing, now: datetime, *, waiting_only: bool) -> None:
    width = min(console().width, WIDEST)
    for pause in listing.pauses:
        what = f"Sending of {pausing.WORDS[SendKind(pause.kind)]}" if pause.kind else "Sending"
        what += f" on {pause.network}" if pause.network else ""
        why = f": {pause.reason}" if pause.reason else ""
        show(Text(clip(f"{what} is paused by {pause.by}{why}", width), style="yellow"))
    for why in listing.broke:
        show(Text(f"What is approved waits: {label(why)}", style="yellow"))
    for each in listing.lasting:
        lasts = f"{each.reference} {label(each.title)} is {each.state}: escucha incident show {each.reference}"
        show(Text(clip(lasts, width), style="cyan"))
        if told := in_one_line(each):
            show(Text(f"  {told}", style="bold cyan", overflow="fold"))
    for waits in listing.drafts:
        show(*_lines(waits, now, width))
    if not listing.drafts:
        say(inbox_words.nothing_waits(listing.elsewhere) if waiting_only else "There is no such draft.")
    elif left := stats.left_out(listing.total, len(listing.drafts), listing.limit):
        say(f"\n{left}; --limit shows more.")
    totals = listing.totals
    _heard("These need a team (escucha case open M…)", listing.to_route, totals["to_route"], now, width)
    doubt = "Nobody knows whether these went out (escucha inbox --unknown, escucha settle D…)"
    _outcomes(doubt, listing.unknown, totals["unknown"], now, width)
    _outcomes("The network refused these (escucha retry D…)", listing.failed, totals["failed"], now, width)
    _heard("These could not be handled (escucha mention retry M…)", listing.set_aside, totals["set_aside"], now, width)
    _heard("Heard, and no reply proposed", listing.undrafted, totals["without_draft"], now, width, apart=True)
    if waiting_only and (line := inbox_words.no_reply_proposed(listing.unproposed)):
        say(f"\n{line}")
    if listing.drafts and waiting_only:
        say("\nescucha review goes through them one by one; escucha show D… shows one.")


def _lines(waits: Waiting, now: datetime, width: int) -> tuple[Text, Text]:
    """One draft in two lines: whose and how urgent; what they said, and what we would say."""
    draft = waits.draft
    urgency = list(Urgency)[draft.urgency_rank]
    state = "" if draft.state is DraftState.PROPOSED else f" · {draft.state}"
    first = Text(no_wrap=True, overflow="ellipsis")
    first.append(f"{'D' + str(draft.id):<7}", "bold")
    first.append(f"{urgency:<10}", STYLES[urgency])
    first.append(f"{_age(waits.posted_at, now):<9}{clip(draft.network, 10):<11}")
    first.append(clip(name_of(waits.handle, draft.network), 28))
    if waits.customer_reference:
        first.append(" · " + clip(waits.customer_tier or "customer", 20), "cyan")
    first.append(state, "yellow")
    first.truncate(width, overflow="ellipsis")
    half = (width - 7 - 3) // 2
    said = "(deleted by its author)" if waits.gone else _marked(waits.mention_text, waits.mention_media)
    second = Text(" " * 7, no_wrap=True, overflow="ellipsis")
    second.append(clip(said, half), "dim")
    second.append(" → ", "dim")
    with_picture = "[picture] " if draft.images == 1 else f"[{draft.images} pictures] " if draft.images else ""
    alone = f"[{draft.channel}] " if draft.channel else ""
    second.append(clip(alone + with_picture + draft.text[:2000] or "(erased)", half))
    second.truncate(width, overflow="ellipsis")
    return first, second


def _marked(text: str, media: Sequence[Media]) -> str:
    """What they said, led by a mark for what they showed: `[image]`, `[video +2]`."""
    if not media:
        return text[:2000]
    more = f" +{len(media) - 1}" if len(media) > 1 else ""
    return f"[{label(media[0].kind)[:12]}{more}] {text[:2000]}"


def _heard(title: str, listed: Sequence[Heard], total: int, now: datetime, width: int, *, apart: bool = False) -> None:
    """One mention a line; `apart`: why it stands here on a line of its own."""
    if not listed:
        return
    say()
    heading(title)
    for heard in listed:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{'M' + str(heard.mention_id):<7}", "bold")
        line.append(f"{heard.urgency or '':<10}", STYLES[heard.urgency] if heard.urgency else "")
        line.append(f"{_age(heard.posted_at, now):<9}{clip(heard.network, 10):<11}")
        line.append(clip(name_of(heard.handle, heard.network), 20) + "  ")
        why = f" ({clip(heard.why[:500], 40)})" if heard.why and not apart else ""
        line.append(
            clip(_marked(heard.text, heard.media) or "(deleted)", max(width - line.cell_len - len(why), 12)), "dim"
        )
        line.append(why, "dim")
        line.truncate(width, overflow="ellipsis")
        show(line)
        if apart and heard.why:
            show(Text(f"{' ' * 7}({clip(heard.why[:500], width - 9)})", style="dim"))
    _left_out(len(listed), total)


def _outcomes(title: str, listed: Sequence[Waiting], total: int, now: datetime, width: int) -> None:
    if not listed:
        return
    say()
    heading(title)
    for waits in listed:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{'D' + str(waits.draft.id):<7}", "bold")
        since = waits.draft.sending_since or waits.draft.proposed_at
        line.append(f"{_age(since, now):<9}{clip(waits.draft.network, 10):<11}")
        line.append(clip(name_of(waits.handle, waits.draft.network), 20) + "  ")
        line.append(clip((waits.draft.reason or waits.draft.text)[:500], max(width - line.cell_len, 12)), "dim")
        show(line)
    _left_out(len(listed), total)


def _left_out(shown: int, total: int) -> None:
    if total > shown:
        say(f"{shown:,} of {stats.told(total)} shown.")


def _age(moment: datetime, now: datetime) -> str:
    return spell(max(now - moment, timedelta(0)))


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
