"""What `inbox` and `review` say alike: of a network that is not here, and of what does not wait."""

from __future__ import annotations

from difflib import get_close_matches

from listener.commands.app import App
from listener.commands.output import clip
from listener.errors import Mistake
from listener.store import stats, waiting
from listener.store.waiting import Undrafted
from listener.types import Urgency

GRAVE = (Urgency.CRITICAL, Urgency.HIGH)


def check_network(app: App, name: str | None) -> None:
    """Raises Mistake for a network that no account is on and nothing was ever heard on."""
    if name is None:
        return
    with app.store.read() as tx:
        known = sorted(waiting.networks(tx) | {account.network for account in app.config.accounts.values()})
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there is: {', '.join(known) or 'none'}."
        raise Mistake(f"There is no network {clip(name, 40)!r} here; {hint}")


def nothing_waits(elsewhere: int) -> str:
    """The sentence for an empty inbox; `elsewhere`: so many wait that a filter leaves out."""
    return f"No draft waits here; {stats.told(elsewhere)} elsewhere." if elsewhere else "No draft waits for a person."


def no_reply_proposed(found: Undrafted) -> str:
    """`37 heard, no reply proposed (3 high): escucha inbox --all`; empty where there is none.

    Where there is a long history: `37 of the last 1,000 heard, no reply …`.
    """
    grave = [f"{many} {urgency}" for urgency in GRAVE if (many := found.by_urgency.get(urgency, 0))]
    how_grave = f" ({', '.join(grave)})" if grave else ""
    heard = f"{found.total:,} of the last {found.among:,} heard" if found.among else f"{found.total:,} heard"
    return f"{heard}, no reply proposed{how_grave}: escucha inbox --all" if found.total else ""
