"""A case as words and as JSON, for every command that names one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from listener.commands import case_clocks
from listener.types import Clock

if TYPE_CHECKING:
    from listener.store.cases import Case


def who(case: Case) -> str:
    """Whose case it is, as well as we know."""
    return case.customer_name or (f"@{case.handle}" if case.handle else "nobody known")


def as_plain(case: Case, now: datetime) -> dict[str, Any]:
    """A case for programs; these keys stay."""
    return {
        "reference": case.reference,
        "state": case.state,
        "urgency": case.urgency,
        "score": case.score,
        "queue_at": case.queue_at,
        "skills": case.skills,
        "title": case.title,
        "team": case.team,
        "agent": case.agent,
        "completeness": case.completeness,
        "tags": case.tags,
        "customer": case.customer_reference and {"reference": case.customer_reference, "name": case.customer_name},
        "account": case.handle and {"network": case.network, "handle": case.handle},
        "opened_at": case.opened_at,
        "opened_by": case.opened_by,
        "changed_at": case.changed_at,
        "first_response_due": case.first_response_due,
        "first_response_at": case.first_response_at,
        "first_response_overdue": case_clocks.is_late(case, Clock.FIRST_RESPONSE, now),
        "resolution_due": case.resolution_due,
        "resolved_at": case.resolved_at,
        "resolution_overdue": case_clocks.is_late(case, Clock.RESOLUTION, now),
        "promise": case.promise,
        "stands_still_since": case.stands_since,
        "snoozed_until": case.snoozed_until,
        "due_at": case.due_at,
        "watchers": case.watchers,
        "checklist": [asdict(item) for item in case.checklist],
        "missing": [item.name for item in case.checklist if not item.done],
        "parent": case.parent_reference,
        "merged_into": case.merged_reference,
        "asked": case.asked_at and {"team": case.asked_team, "by": case.asked_by, "at": case.asked_at},
    }
