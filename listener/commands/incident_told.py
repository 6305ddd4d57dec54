"""What happened to an incident, and how many it hits, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listener.commands.output import counted
from listener.types import AmendmentKind, FollowUp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from listener.store.attached import Numbers
    from listener.store.incident_facts import Amended, NoticeFacts
    from listener.store.incidents import Event

QUIET = frozenset({"case"})  # told elsewhere on the screen

_SENTENCES = {
    "opened": "opened by {by}",
    "described": "described anew by {by}",
    "update": "update by {by}",
    "owner": "{owner}'s from now on, said {by}",
    "state": "{state}, said {by}",
    "resolved": "resolved, said {by}",
    "reopened": "came back, said {by}: {state}",
    "closed": "closed by {by}",
    "dismissed": "dismissed by {by}",
    "attached": "{mentions} attached by {by}",
    "detached": "{mentions} detached by {by}",
    "gone_through": "what was said is gone through: {found} mentions by rule or meaning",
    "line": "what agents say, by {by}",
    "answers_proposed": "{answers} written by {by}, to be approved",
    "answers_approved": "{answers} may be said, said {by}",
    "answers_withdrawn": "{answers} withdrawn by {by}; replies stopped: {stopped}",
    "children": "{resolved} of its cases resolved by {by}",
}


_FOLLOWS = {FollowUp.CORRECTION: "a correction", FollowUp.RESOLVED: "that it is solved", FollowUp.NEWS: "news"}
_AMENDED = {
    AmendmentKind.EDIT: "corrected",
    AmendmentKind.DELETE: "deleted",
    AmendmentKind.PIN: "pinned",
    AmendmentKind.UNPIN: "unpinned",
}


class _Told(dict[str, Any]):
    """What an entry does not say is told as a gap."""

    def __missing__(self, key: str) -> str:
        return "?"


def sentence(event: Event) -> str:
    """One entry of the time line as a sentence."""
    known = _SENTENCES.get(event.kind)
    if known is None:
        return f"{event.kind.replace('_', ' ')} by {event.by}"
    detail = {name: ", ".join(map(str, value)) if isinstance(value, list) else value
              for name, value in event.detail.items()}  # fmt: skip
    return known.format_map(_Told(detail | {"by": event.by, "state": event.state.value}))


def notices(out: Iterable[NoticeFacts], amended: Iterable[Amended]) -> list[tuple[datetime, str]]:
    """What went out of its notices, and what was done to that later, as sentences with when; in no order."""
    told = []
    for notice in out:
        what = f"notice N{notice.number} “{notice.title}”"
        if notice.follows_as:
            what += f" ({_FOLLOWS[FollowUp(notice.follows_as)]})"
        told.append((notice.first_at, f"{what} went out on {_posts(notice)}"))
    for each in amended:
        told.append((each.at, f"notice N{each.number} {_AMENDED[each.kind]} by {each.by} on {_posts(each)}"))
    return told


def _posts(of: NoticeFacts | Amended) -> str:
    return f"{', '.join(of.networks)}: {counted(of.posts, 'post')}"


def numbers(numbers: Numbers) -> list[tuple[str, str]]:
    """How many it hits, as names and values."""
    heard = counted(numbers.mentions, "mention")
    if len(numbers.networks) > 1:
        heard += f" ({', '.join(f'{count} on {network}' for network, count in sorted(numbers.networks.items()))})"
    if numbers.gone:
        heard += f"; {numbers.gone} deleted by who wrote them"
    hows = ", ".join(f"{count} by {how}" for how, count in sorted(numbers.hows.items()))
    people = f"{numbers.people}, {numbers.customers} of them customers; {numbers.answered} answered"
    total = sum(numbers.cases.values())
    cases = ", ".join(f"{count} {state}" for state, count in numbers.cases.items() if count)
    return [
        ("mentions", heard),
        ("attached", hows),
        ("people", people if numbers.people else ""),
        ("cases", f"{total}: {cases}" if total else ""),
    ]
