"""Of what the lines of a list are made: names, short words from outside, how urgency looks."""

from __future__ import annotations

from listener.escapes import visible
from listener.types import IncidentView, Urgency

WIDEST = 100  # columns; longer lines are hard to read
MAX_LABEL = 400  # characters of a name, an address, a reason
STYLES = {Urgency.CRITICAL: "bold red", Urgency.HIGH: "yellow", Urgency.NORMAL: "", Urgency.LOW: "dim"}


def name_of(handle: str, network: str) -> str:
    """`@ana`; a mail address stays what it is."""
    handle = label(handle)
    return handle if network == "mail" else "@" + handle.removeprefix("@")


def in_one_line(incident: IncidentView) -> str:
    """`say “we are on it”; not: “in an hour”`; "" where agents are told nothing."""
    told = [f"say “{label(incident.say)}”"] if incident.say else []
    told += [f"not: {', '.join(f'“{label(phrase)}”' for phrase in incident.avoid)}"] if incident.avoid else []
    return "; ".join(told)


def label(text: str) -> str:
    """Something short from outside, in one line."""
    return visible(" ".join(str(text)[: MAX_LABEL + 1].split()))[:MAX_LABEL]
