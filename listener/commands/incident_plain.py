"""An incident as words and as JSON, for every command that names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listener.commands.output import print_json, say

if TYPE_CHECKING:
    from listener.store.attached import Attachment
    from listener.store.incident_facts import Amended, NoticeFacts
    from listener.store.incidents import Event, Incident

_ELSEWHERE = ("became",)  # what `escucha db check` reads


def as_plain(incident: Incident) -> dict[str, Any]:
    """An incident for programs; these keys stay."""
    return {
        "incident": incident.reference,
        "title": incident.title,
        "state": incident.state,
        "active": incident.lasts,
        "owner": incident.owner,
        "opened_by": incident.opened_by,
        "opened_at": incident.opened_at,
        "began_at": incident.began_at,
        "ended_at": incident.ended_at,
        "case": incident.case_reference,
        "affected": incident.affected,
        "meaning": incident.meaning.splitlines(),
        "say": incident.say,
        "avoid": incident.avoid,
        "holds_replies": incident.holds_replies,
        "holds_cheer": incident.holds_cheer,
        "gone_through": incident.swept_to is None,
    }


def event_plain(event: Event) -> dict[str, Any]:
    """One entry of the time line for programs."""
    detail = {name: value for name, value in event.detail.items() if name not in _ELSEWHERE}
    return {
        "at": event.at,
        "by": event.by,
        "kind": event.kind,
        "state": event.state,
        "text": event.text,
        **({"public": detail.pop("public")} if "public" in detail else {}),
        "detail": detail,
    }


def notice_plain(notice: NoticeFacts) -> dict[str, Any]:
    """What of a notice is out, for programs."""
    return {
        "notice": f"N{notice.number}",
        "title": notice.title,
        "first_at": notice.first_at,
        "last_at": notice.last_at,
        "posts": notice.posts,
        "networks": notice.networks,
        "follows_as": notice.follows_as or None,
    }


def amended_plain(amended: Amended) -> dict[str, Any]:
    """What was done to a notice after it went out, for programs."""
    return {
        "notice": f"N{amended.number}",
        "kind": amended.kind,
        "at": amended.at,
        "by": amended.by,
        "posts": amended.posts,
        "networks": amended.networks,
    }


def attachment_plain(attachment: Attachment) -> dict[str, Any]:
    """Why a mention is of an incident, for programs."""
    return {
        "mention": f"M{attachment.mention_id}",
        "how": attachment.how,
        "why": attachment.why,
        "score": attachment.score,
        "at": attachment.at,
        "by": attachment.by,
    }


def done(incident: Incident, sentence: str, as_json: bool, **more: Any) -> None:
    """Says what was done, or gives the incident as it is then with `more`."""
    if as_json:
        print_json({**as_plain(incident), **more})
    else:
        say(sentence)
