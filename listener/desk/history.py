"""A case as it is told: what they said, what we answered, what was noted and done, in one time line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from listener.store import Transaction, attachments, cases, inbox, mentions
from listener.store.attachments import Image
from listener.store.cases import Case, Event
from listener.types import DraftState, Media, MentionState

TOLD_ELSEWHERE = {"mention", "first_response"}  # the mention and the reply stand in the time line themselves


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing in the life of a case. `kind` is `said`, `answered`, or an event's; `text` is in their or our words.

    `media` is what they showed, `images` what we did.
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


def of(tx: Transaction, case: Case) -> list[Happening]:
    """Everything that happened to the case, oldest first."""
    told = [_event(event) for event in cases.events_of(tx, case) if event.kind not in TOLD_ELSEWHERE]
    for number, why, _ in cases.mentions_in(tx, case):
        mention = mentions.get(tx, number)
        told.append(
            Happening(
                at=mention.posted_at,
                kind="said",
                by=f"@{mention.author.handle}",
                text=mention.text,
                mention=number,
                url=mention.url,
                gone=mention.state is MentionState.GONE,
                media=mention.media,
                detail={"network": mention.network, "why": why, "content_warning": mention.content_warning},
            )
        )
        told += [
            Happening(
                at=draft.sent_at,
                kind="answered",
                by=draft.decided_by or "",
                text=draft.text,
                mention=number,
                url=draft.posted_url,
                images=attachments.of_draft(tx, draft.id),
                detail={"network": draft.network, "draft": draft.id},
            )
            for draft in inbox.of_mention(tx, number)
            if draft.state is DraftState.SENT and draft.sent_at
        ]
    return sorted(told, key=lambda happening: happening.at)


def _event(event: Event) -> Happening:
    detail = {name: value for name, value in event.detail.items() if name not in ("text", "note")}
    text = str(event.detail.get("text") or event.detail.get("note") or "")
    return Happening(at=event.at, kind=event.kind, by=event.by, text=text, detail=detail)
