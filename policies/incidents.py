"""What a policy does while something hits many at once.

A mention that belongs to an incident gets, where its rules would answer at all, the incident's approved answer in the
place of their template: in one of its variants, which take turns as a template's wordings do. Praise is answered as
ever. Whatever else would go out alone meanwhile is held for a person: `stops.incident`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from listener.types import IncidentView, Intent, Mode, Understanding
from policies.document import Location
from policies.words import fold, found, phrase_pattern

if TYPE_CHECKING:
    from policies.guard import Guarded


def answers(incident: IncidentView, understanding: Understanding) -> bool:
    """Whether its answer is said to what was understood so."""
    praised = understanding.intents[:1] == (Intent.PRAISE,)
    return incident.state.active and bool(incident.answers) and not praised


def holding(incidents: Sequence[IncidentView], *, but: int) -> tuple[IncidentView, ...]:
    """Those that hold a reply back, of which it is no answer; `but`: the number of the one whose answer it is, or 0."""
    return () if but else tuple(each for each in incidents if each.state.active and each.holds_replies)


def not_to_be_said(text: str, incidents: Sequence[IncidentView]) -> tuple[str, ...]:
    """What a text says that agents were told not to say while these last, as the start of a sentence each."""
    return tuple(
        f"the reply says “{said}”, which nobody should say while {each.reference} lasts"
        for each in incidents
        if each.state.active and (said := avoided(text, each.avoid))
    )


def avoided(text: str, phrases: tuple[str, ...]) -> str:
    """What of these phrases a text says, as folded words; "" where it says none."""
    pattern = _pattern(phrases)
    return found(pattern, fold(text)) if pattern else ""


@lru_cache(maxsize=256)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    fit = [phrase for phrase in phrases if not avoidable(phrase)]
    return phrase_pattern(fit) if fit else None


def avoidable(phrase: str) -> str:
    """Why a phrase cannot be looked for in replies, as a sentence; "" where it can."""
    try:
        phrase_pattern([phrase])
    except ValueError as error:
        return str(error)
    return ""


def in_vain(policy: Guarded) -> Iterator[tuple[Location, str]]:
    """What `incidents:` says for nothing."""
    networks = {"", *policy.file.networks, *policy.overrides}
    if policy.incident_rules.mode is Mode.AUTO and all(policy.mode_on(each) is Mode.MANUAL for each in networks):
        yield (
            ("incidents", "mode"),
            "`mode: auto` lets no answer of an incident out alone, for the policy and its networks leave every reply "
            "to a person; say `mode: auto` there too, or `manual` here",
        )


def dangers(old: Guarded | None, new: Guarded) -> Iterator[str]:
    """What of `incidents:` deserves a second look, where it is new."""
    was, rules = old.incident_rules if old else None, new.incident_rules
    if rules.mode is Mode.AUTO and (was is None or was.mode is not Mode.AUTO) and not list(in_vain(new)):
        yield "An incident's approved answers may go out alone."
    if not rules.hold_replies and (was is None or was.hold_replies):
        yield "While an incident lasts, other replies may go on going out alone."
    if not rules.two_people and (was is None or was.two_people):
        yield "One person alone may write an incident's answer and approve it."
