"""Which incident a mention is of, and was of, for `explain`: why, since when, and who undid it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from listener.commands import incident_plain

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.attached import Attachment
    from listener.store.incidents import Incident


@dataclass(frozen=True, kw_only=True)
class Told:
    """That the mention is of an incident, or was."""

    attachment: Attachment
    incident: Incident


def of(tx: Transaction, mention_id: int) -> tuple[Told, ...]:
    """All that the mention was ever of, oldest first."""
    from listener.store import attached, incidents

    return tuple(
        Told(attachment=each, incident=incidents.by_id(tx, each.incident_id))
        for each in attached.history_of(tx, mention_id)
    )


def sentences(told: Sequence[Told]) -> list[str]:
    """One sentence each."""
    return [_sentence(each.attachment, each.incident) for each in told]


def _sentence(attachment: Attachment, incident: Incident) -> str:
    because = f": {attachment.why}" if attachment.why else ""
    how = attachment.how.value
    named = f"{incident.reference}, {incident.title}, {incident.state}"
    if attachment.undone_at is None:
        return f"It is of {named}, by {how}{because}."
    who = "it fitted no more" if attachment.undone_by == "daemon" else f"{attachment.undone_by} took it off"
    return f"It was of {named}, by {how}{because}; {who} at {attachment.undone_at:%Y-%m-%d %H:%M} UTC."


def plain(told: Sequence[Told]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "incident": each.incident.reference,
            "title": each.incident.title,
            "state": each.incident.state,
            **incident_plain.attachment_plain(each.attachment),
            "undone_at": each.attachment.undone_at,
            "undone_by": each.attachment.undone_by,
        }
        for each in told
    ]
