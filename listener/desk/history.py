"""A case as it is told: what they said, what we answered, what was noted and done, in one time line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from listener.store import Transaction, alerts_told, attachments, cases, inbox, mentions, steps
from listener.store.alerts_told import Fate
from listener.store.attachments import Image
from listener.store.cases import Case, Event
from listener.store.mentions import Mention
from listener.types import DraftState, Media, MentionState

Fates = Mapping[tuple[Any, ...], Sequence[Fate]]  # by clock, occasion and number of the step, and when it was done

TOLD_ELSEWHERE = {"mention", "first_response", "grew"}


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing in the life of a case. `kind` is `said`, `answered`, or an event's; `text` is in their or our words.

    `media` is what they showed, `images` what we did. Of what was said, `detail` has in `known` whether the account is
    known to be that of the case's person. Of a step that alerts somebody, `detail` has in `told` what came
    of each alert by now: `target`, `state` (`sent`, `failed`, `waiting`) and `reason`.
    """

    at: datetime
    kind: str
    by: str
    text: str = ""
    mention: int | None = None
    url: str | None = None
    gone: bool = False  # deleted by its author, so there is no text
    media: tuple[Media, ...] = ()
    images: tuple[Image, ...] = ()
    detail: dict[str, Any]


def of(tx: Transaction, case: Case, inside: Mapping[int, str], *, strangers: Collection[int] = ()) -> list[Happening]:
    """Everything that happened to the case, oldest first.

    `inside`: its mentions by number, and why each is in it. `strangers`: see `store.continuing.strangers`.
    """
    fates = _fates(tx, case)
    told = [_event(event, fates) for event in cases.events_of(tx, case) if not _is_told_elsewhere(event)]
    told += [
        _said(mention, inside[mention.id], known=mention.id not in strangers)
        for mention in mentions.several(tx, list(inside))
    ]
    told += [
        Happening(
            at=draft.sent_at,
            kind="answered",
            by=draft.decided_by or "",
            text=draft.text,
            mention=draft.mention_id,
            url=draft.posted_url,
            images=attachments.of_draft(tx, draft.id) if draft.images else (),
            detail={"network": draft.network, "draft": draft.id, "channel": draft.channel},
        )
        for draft in reversed(inbox.of_mentions(tx, list(inside)))
        if draft.state is DraftState.SENT and draft.sent_at
    ]
    return sorted(told, key=lambda happening: happening.at)


def _is_told_elsewhere(event: Event) -> bool:
    """What else stands in the time line says it: what was said and answered itself, a merge, a split."""
    went_along = event.kind == "mention_left" and bool({"merged", "split"} & event.detail.keys())
    return went_along or event.kind in TOLD_ELSEWHERE


def _said(mention: Mention, why: str, *, known: bool) -> Happening:
    return Happening(
        at=mention.posted_at,
        kind="said",
        by=f"@{mention.author.handle}",
        text=mention.text,
        mention=mention.id,
        url=mention.url,
        gone=mention.state is MentionState.GONE,
        media=mention.media,
        detail={
            "network": mention.network,
            "why": why,
            "content_warning": mention.content_warning,
            "known": known,
        },
    )


def _fates(tx: Transaction, case: Case) -> Fates:
    """What came of the alerts of each step that was done."""
    found = alerts_told.of_steps(tx, case.id)
    if not found:
        return {}
    return {
        (planned.step.clock, planned.step.occasion, planned.step.number, planned.done_at): found[planned.id]
        for planned in steps.of(tx, case.id)
        if planned.id in found
    }


def _event(event: Event, fates: Fates) -> Happening:
    detail = {name: value for name, value in event.detail.items() if name not in ("text", "note", "became")}
    if detail.get("alerts"):
        step = (detail.get("clock"), detail.get("occasion"), detail.get("step"), event.at)
        detail["told"] = [asdict(fate) for fate in fates.get(step, ())]
    text = str(event.detail.get("text") or event.detail.get("note") or "")
    return Happening(at=event.at, kind=event.kind, by=event.by, text=text, detail=detail)
