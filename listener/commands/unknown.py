"""`inbox --unknown`: what may or may not be on its network, what was found by looking, and what there is to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from listener import budget
from listener.commands import money
from listener.commands.app import App
from listener.commands.lines import label, name_of
from listener.commands.output import ago, clip, console, counted, fields, heading, print_json, say, show, spell
from listener.errors import Mistake
from listener.store import Transaction, looks, stats, unknowns
from listener.store.inbox import Draft
from listener.store.looks import Look
from listener.store.unknowns import Awaited, Unknown
from listener.types import Finding, Sent

LATE_AFTER = timedelta(minutes=5)  # a look comes within seconds of its time; later something is in its way
NEVER = "no look there can prove that it is not"
WANTED = {
    "edit": "shall say instead",
    "delete": "shall be gone",
    "pin": "shall be pinned",
    "unpin": "shall no longer be pinned",
}


def listing(app: App, *, network: str | None, limit: int | None, as_json: bool) -> None:
    """Prints all of it, for people or for programs."""
    with app.store.read() as tx:
        found = unknowns.listing(tx, network=network, limit=limit)
        total = unknowns.count(tx, network=network)
    certain = {each.name + each.way: certain_at(app, each) for each in found}
    if as_json:
        print_json({"total": total, "unknown": [_plain(each, certain[each.name + each.way]) for each in found]})
        return
    if not found:
        say("Of everything that was sent it is known whether it is there.")
        return
    heading("Nobody knows whether these went out. Nothing of them is said again before that is known.")
    for each in found:
        _print(each, certain[each.name + each.way], app.now())
    if total > len(found):
        say(f"\n{len(found)} of {stats.told(total)} shown; --limit shows more.")


def certain_at(app: App, item: Unknown) -> datetime | None:
    """From when on a look that does not find it proves that it is not there; None: never."""
    try:
        after = app.facts(item.network).settle_after
    except Mistake:
        return None  # there is no such network any more
    if item.what is Sent.AMENDMENT:
        after = after or timedelta(0)
    return item.unknown_since + after if after is not None and item.unknown_since else None


def _print(item: Unknown, certain: datetime | None, now: datetime) -> None:
    say()
    first = Text(no_wrap=True, overflow="ellipsis")
    first.append(f"{item.name:<7} ", "bold")
    first.append(f"{spell(now - (item.sending_since or now)):<9}{clip(item.network, 10):<11}")
    first.append(name_of(item.to, item.network) if item.to else label(item.account))
    first.truncate(console().width, overflow="ellipsis")
    show(first)
    fields(
        [
            (WANTED.get(item.way, "says"), clip(item.text[:2000], 300)),
            ("answers" if item.what is Sent.REPLY else "the post", label(item.answers or "")),
            ("why", clip(item.reason[:500], 300)),
            ("looked", _looked(item.looks, now)),
            ("found", in_words(item.looks[-1]) if item.looks else ""),
            ("certain", f"from {certain:%Y-%m-%d %H:%M:%S} UTC on, where it is not found" if certain else NEVER),
            ("next look", _next(item, now)),
            ("or look there,", f"then `{settles(item)}`"),
        ]
    )


def _looked(found: Sequence[Look], now: datetime) -> str:
    if not found:
        return "not yet"
    times = sum(each.times for each in found)
    return f"{counted(times, 'time')}, the last {ago(found[-1].at, now)}: {found[-1].asked}"


def _next(item: Unknown, now: datetime) -> str:
    at = next_look(item)
    return f"by itself at {at:%H:%M:%S} UTC" if at and at > now else "by itself at once, where the daemon runs"


def next_look(item: Unknown | Awaited) -> datetime | None:
    """When it is looked for again by itself, in UTC; None: at once."""
    if item.sending_since is None or item.looked_at is None:
        return None
    return item.looked_at + budget.until_next_look(item.sending_since, item.looked_at)


def overdue(app: App, awaited: Sequence[Awaited], resting: Mapping[str, datetime], now: datetime) -> list[str]:
    """A sentence for each account on which sends of unknown outcome should long have been looked for, and why not.

    `resting`: until when nothing is sent on an account.
    """
    return [
        f"{counted(len(since), 'send')} of unknown outcome on the account {account} (`escucha inbox --unknown`) should "
        f"have been looked for {ago(min(since), now)}: {_why_not(app, account, resting.get(account), now)}."
        for account, since in sorted(_late(awaited, now).items())
    ]


def how_many_late(awaited: Sequence[Awaited], now: datetime) -> int:
    """Of how many of them `overdue` tells; changes of what is out are counted elsewhere."""
    sends = [each for each in awaited if each.what is not Sent.AMENDMENT]
    return sum(map(len, _late(sends, now).values()))


def _late(awaited: Sequence[Awaited], now: datetime) -> dict[str, list[datetime]]:
    """By account, since when each was to be looked for that should have been long ago."""
    late: dict[str, list[datetime]] = {}
    for each in awaited:
        due = next_look(each) or each.sending_since
        if due is not None and now - due > LATE_AFTER:
            late.setdefault(each.account, []).append(due)
    return late


def _why_not(app: App, account: str, rests_until: datetime | None, now: datetime) -> str:
    if account not in app.config.accounts:
        return f"{app.config_path} no longer names it; name it there again, or settle them by hand"
    if not app.unasked(account).speaks:
        return app.why_mute(account).rstrip(".")
    if broke := money.why_broke(app, account):
        return broke.rstrip(".")
    if rests_until is not None and now < rests_until <= now + budget.CEILING:
        return f"the network wants, or needs, a rest until {rests_until:%H:%M:%S} UTC"
    return "no daemon that sends does so; see its log"


def in_words(look: Look) -> str:
    """What a look found, for people."""
    where = f" at {label(look.posted_url)}" if look.posted_url else ""
    match look.found:
        case Finding.THERE:
            return f"it is there{where}" if look.by == looks.DAEMON else f"it is there, says {look.by}"
        case Finding.MISSING:
            return "it is not there" if look.by == looks.DAEMON else f"it is not there, says {look.by}"
        case Finding.NOT_FOUND:
            return "nothing of it"
        case Finding.TAKEN:
            return f"the same words{where}, which are another one of ours"
        case Finding.UNCLEAR:
            return f"nothing that tells: {label(look.detail)}"
        case Finding.UNREACHED:
            return f"nothing, it could not be asked: {label(look.detail)}"


def settles(item: Unknown) -> str:
    """The command by which a person settles it."""
    if item.what is Sent.REPLY:
        return f"escucha settle {item.name} --sent` or `--not-sent"
    return f"escucha notice settle {item.name} --there` or `--not-there"


def of_draft(tx: Transaction, draft: Draft | None) -> tuple[Look, ...]:
    """Every look for that reply; asks the database only where it has been sent at least once."""
    return looks.of(tx, Sent.REPLY, draft.id) if draft and draft.sending_since else ()


def last_in_words(found: Sequence[Look]) -> str:
    """What looking has come to, in a line; "" where nobody ever looked."""
    return f"{found[-1].at:%Y-%m-%d %H:%M:%S} UTC, {found[-1].asked}: {in_words(found[-1])}" if found else ""


def keys(found: Sequence[Look]) -> list[dict[str, Any]]:
    """Looks as `--json` gives them; docs/moderators.md lists the keys."""
    return [{name: value for name, value in asdict(look).items() if name != "posted_id"} for look in found]


def _plain(item: Unknown, certain: datetime | None) -> Mapping[str, Any]:
    return {
        "send": item.name,
        "what": item.what,
        "way": item.way,
        "network": item.network,
        "account": item.account,
        "to": item.to or None,
        "text": item.text,
        "answers": item.answers,
        "sending_since": item.sending_since,
        "reason": item.reason,
        "certain_at": certain,
        "next_look_at": next_look(item),
        "looks": keys(item.looks),
    }
