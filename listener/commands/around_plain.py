"""A person's context for programs: the keys that `show --json` and `case show --json` share, see docs/context.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from listener.commands import suggested
from listener.commands.case_plain import as_plain as case_plain
from listener.commands.customer_plain import as_plain as customer_plain
from listener.commands.customer_show import standing_plain
from listener.commands.customer_suggestions import as_plain as may_be_plain
from listener.commands.keys import draft_keys
from listener.desk.context import Context
from listener.store.lately import Passed


def as_plain(context: Context, now: datetime) -> dict[str, Any]:
    """These keys stay; what is not known is null or empty."""
    stands = context.standing
    negative, known = context.lately_negative
    return {
        "customer": customer_plain(stands.customer) | standing_plain(stands) if stands else None,
        "accounts": [
            {
                "network": each.network,
                "handle": each.handle,
                "basis": each.basis,
                "first_seen_at": each.first_seen_at,
            }
            for each in context.accounts
        ],
        "may_be": [may_be_plain(each) for each in context.may_be],
        "open": [case_plain(each, now) for each in context.open],
        "more_open": context.more_open,
        "lately": [_passed(each) for each in context.passed],
        "moods": [
            {"mention": f"M{each.mention}", "at": each.at, "value": round(each.value, 4), "sentiment": each.sentiment}
            for each in context.moods
        ],
        "lately_negative": {"negative": negative, "of": known},
        "suggested": [draft_keys(each) for each in context.suggested],
        "articles": suggested.keys(context.articles),
        "offers": [{"name": each.name, "text": each.text, "because": each.because} for each in context.offers],
        "alike": [
            {
                "case": each.reference,
                "title": each.title,
                "resolved_at": each.resolved_at,
                "solution": each.solution or None,
            }
            for each in context.alike
        ],
    }


def _passed(each: Passed) -> dict[str, Any]:
    letter = "M" if each.kind == "said" else "D"
    return {
        "at": each.at,
        "kind": each.kind,
        "network": each.network or None,
        "by": each.by or None,
        "what": f"{letter}{each.number}" if each.number is not None else each.case,
        "text": each.text,
        "deleted": each.gone,
        "detail": each.detail,
    }
