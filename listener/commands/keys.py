"""What `--json` says about a draft, a mention, a case: the keys that several commands share, see docs/moderators.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from listener.types import IncidentView, Media, Understanding, Urgency

if TYPE_CHECKING:
    from listener.store.cases import Case
    from listener.store.decisions import StoredDecision
    from listener.store.inbox import Draft
    from listener.store.made_from import MadeFrom
    from listener.store.mentions import Mention


def draft_keys(draft: Draft) -> dict[str, Any]:
    """A draft as every listing gives it to programs."""
    return {
        "draft": f"D{draft.id}",
        "mention": f"M{draft.mention_id}",
        "state": draft.state,
        "urgency": list(Urgency)[draft.urgency_rank],
        "score": draft.score,
        "network": draft.network,
        "account": draft.account,
        "channel": draft.channel or None,
        "recipient": draft.recipient or None,
        "subject": draft.subject or None,
        "case": draft.case_reference,
        "text": draft.text,
        "language": draft.language,
        "template": draft.template,
        "length": draft.length,
        "length_limit": draft.length_limit,
        "policy_version": draft.policy_version,
        "edit": draft.edit,
        "proposed_at": draft.proposed_at,
        "decided_by": draft.decided_by,
        "decided_at": draft.decided_at,
        "automatic": draft.automatic,
        "reason": draft.reason,
        "sent_at": draft.sent_at,
        "posted_url": draft.posted_url,
        "images": draft.images,
    }


def made_from_keys(made: MadeFrom | None) -> dict[str, Any] | None:
    """The article that a draft's words were taken from; `outdated`: why they may no longer be true, else null."""
    if made is None:
        return None
    taken = {"version": made.name, "language": made.language, "by": made.by, "at": made.at}
    return {**taken, "outdated": made.outdated or None}


def incident_keys(incident: IncidentView | None) -> dict[str, Any] | None:
    """An incident that lasts, or that something belongs to, with what agents say and what they do not."""
    if incident is None:
        return None
    return {
        "incident": incident.reference,
        "title": incident.title,
        "state": incident.state,
        "active": incident.state.active,
        "began_at": incident.since,
        "say": incident.say,
        "avoid": list(incident.avoid),
    }


def mention_keys(mention: Mention) -> dict[str, Any]:
    """A mention with its author."""
    author = mention.author
    return {
        "mention": f"M{mention.id}",
        "state": mention.state,
        "revision": mention.revision,
        "network": mention.network,
        "source": mention.source,
        "external_id": mention.external_id,
        "correlation": mention.correlation,
        "kind": mention.kind,
        "visibility": mention.visibility,
        "author": {
            "handle": author.handle,
            "display_name": author.display_name,
            "url": author.url,
            "followers": author.followers,
            "bot": author.bot,
            "opted_out": author.opted_out,
            "left_alone_at": mention.left_alone_at,
        },
        "text": mention.text,
        "content_warning": mention.content_warning,
        "quoted": mention.quoted,
        "unanswerable": mention.unanswerable,
        "media": media_keys(mention.media),
        "url": mention.url,
        "posted_at": mention.posted_at,
        "edited_at": mention.edited_at,
        "heard_at": mention.heard_at,
        "deleted_at": mention.gone_at,
        "trouble": mention.trouble,
    }


def media_keys(media: Iterable[Media]) -> list[dict[str, str]]:
    """The pictures, videos and sounds on a mention; `alt` is empty where its author described none."""
    return [{"kind": item.kind, "url": item.url, "alt": item.alt} for item in media]


def understanding_keys(found: Understanding | None) -> dict[str, Any] | None:
    """What the model made of it, scores from 0 to 1."""
    if found is None:
        return None
    return {
        "model_version": found.model_version,
        "language": found.language,
        "language_score": found.language_score,
        "sentiment": found.sentiment,
        "sentiment_scores": dict(found.sentiment_scores),
        "intents": list(found.intents),
        "intent_scores": dict(found.intent_scores),
        "signals": list(found.signals),
        "signal_scores": dict(found.signal_scores),
        "areas": list(found.areas),
        "area_scores": dict(found.area_scores),
    }


def decision_keys(decision: StoredDecision | None) -> dict[str, Any] | None:
    """What the policy said, without its trace."""
    if decision is None:
        return None
    return {
        "policy_version": decision.policy_version,
        "revision": decision.revision,
        "urgency": decision.urgency,
        "score": decision.score,
        "needs_routing": decision.needs_routing,
        "escalate_to": decision.escalate_to,
        "alerts": list(decision.alerts),
        "ignored": decision.ignored,
        "tags": list(decision.tags),
        "at": decision.at,
    }


def case_keys(case: Case | None) -> dict[str, Any] | None:
    """The case it is in."""
    if case is None:
        return None
    return {
        "case": case.reference,
        "state": case.state,
        "team": case.team,
        "agent": case.agent,
        "urgency": case.urgency,
        "score": case.score,
        "skills": case.skills,
        "first_response_due": case.first_response_due,
        "first_response_at": case.first_response_at,
    }
