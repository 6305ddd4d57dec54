"""A share of the mentions answered alone, the rest by a person; and how it grows.

    reply: {template: thanks, mode: {auto: 10%}}
    reply: {template: thanks, mode: {ramp: {from: 10%, to: 100%, over: 14d, starting: 2026-12-01}}}

Nobody throws a dice: `draw` reads a number off the network, the mention and the rule. The same mention falls on the
same side however often it is decided, and whoever is in at 10 % is in at 20 %.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from listener.types import Mode
from policies.amounts import spoken
from policies.blocks import Block
from policies.calendars import Day
from policies.fields import BRANCH, Span, refuse, sentences
from policies.words import shown

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%")
_ALMOST = re.compile(r"(?:auto)?\W{0,3}(?:for )?" + _PERCENT.pattern)  # a share without its braces


def _percent(value: object) -> float:
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError(f"`{shown(value)}` is no share; write it like 10%, from 0% to 100%")
    return float(match[1])


Percent = Annotated[float, BeforeValidator(sentences(_percent), json_schema_input_type=str)]


class InPercent(Block):
    """A block whose every number with a point is a share, in percent."""


class Ramp(InPercent):
    """A share that grows day and night, evenly, until it is there."""

    start: Percent | None = Field(default=None, alias="from", description="What it begins with; left out: `auto`.")
    to: Percent = Field(description="What it grows to.")
    over: Span = Field(description="How long that takes, like 14d.")
    starting: Day = Field(description="The day on which it begins to grow, like 2026-12-01.")


class Share(InPercent):
    """How many of the mentions are answered alone, in percent; the others wait for a person."""

    auto: Percent | None = Field(default=None, description="Like 10%.")
    ramp: Ramp | None = Field(default=None, description="Lets it grow by itself.")

    @model_validator(mode="after")
    def _fits_together(self) -> Share:
        ramp = self.ramp
        if ramp is None and self.auto in (0, 100):
            raise refuse(_no_share(self.auto))
        if self.auto is None and (ramp is None or ramp.start is None):
            raise refuse("nothing says how many are answered alone; write `auto: 10%`, or `from:` in the `ramp`")
        if ramp and ramp.start is not None and self.auto not in (None, ramp.start):
            raise refuse("`auto` and the ramp's `from` say different shares; keep one of them")
        if ramp and not 2000 <= ramp.starting.year <= 2200:
            raise refuse(f"a ramp cannot start in {ramp.starting.year}; write its first day, like 2026-12-01")
        if ramp and self.begins >= ramp.to:
            raise refuse("a ramp grows, and this one does not; raise `to`, or write `auto` alone")
        return self

    @property
    def begins(self) -> float:
        """The share before it grows, in percent."""
        written = self.ramp.start if self.ramp and self.ramp.start is not None else self.auto
        assert written is not None  # `_fits_together` refused all else
        return written

    def at(self, moment: datetime, zone: ZoneInfo) -> float:
        """The share then, in percent; a ramp starts at midnight in that zone."""
        if self.ramp is None:
            return self.begins
        starts = datetime.combine(self.ramp.starting, time(), zone).astimezone(UTC)
        gone = (moment - starts) / self.ramp.over
        return self.begins + (self.ramp.to - self.begins) * min(max(gone, 0.0), 1.0)

    def by_now(self, moment: datetime, zone: ZoneInfo) -> str:
        """`today 37%`, `today 100%, its ramp is over`; "" for a share that does not grow."""
        if self.ramp is None:
            return ""
        share = self.at(moment, zone)
        return f"today {percent(share)}{', its ramp is over' if share == self.ramp.to else ''}"

    def in_words(self) -> str:
        """`for 10% of its mentions, growing to 100% within 14d from 2026-12-01`."""
        words = f"for {percent(self.begins)} of its mentions"
        if self.ramp is None:
            return words
        return f"{words}, growing to {percent(self.ramp.to)} within {spoken(self.ramp.over)} from {self.ramp.starting}"

    def __str__(self) -> str:
        """`auto for 10% of its mentions`."""
        return f"auto {self.in_words()}"


def _no_share(all_or_nothing: float) -> str:
    what, mode = ("everything", Mode.AUTO) if all_or_nothing else ("nothing", Mode.MANUAL)
    return f"a share of {percent(all_or_nothing)} lets {what} go out alone and is none; write `mode: {mode}`"


def _mode(value: object) -> object:
    """What stands without braces is no share, though it may look like one."""
    if not isinstance(value, str) or "%" not in value:
        return value
    almost = _ALMOST.fullmatch(value.strip().casefold())
    share = float(almost[1]) if almost and float(almost[1]) <= 100 else 10.0
    if share in (0, 100):
        raise ValueError(_no_share(share))
    raise ValueError(f"`{shown(value)}` is no mode; a share stands in braces: `mode: {{auto: {percent(share)}}}`")


# How replies go out, wherever that may be said.
Sending = Annotated[
    Annotated[Mode, BeforeValidator(sentences(_mode), json_schema_input_type=Mode), Tag(BRANCH + "mode")]
    | Annotated[Share, Tag(BRANCH + "share")],
    Discriminator(lambda value: BRANCH + ("share" if isinstance(value, dict | Share) else "mode")),
]


def draw(network: str, mention_id: int, thing: str) -> float:
    """Where the mention falls for that rule, or whatever has a share: from 0 up to but not including 100.

    Always the same, evenly spread.
    """
    digest = hashlib.sha256(f"{network}\0{mention_id}\0{thing}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:6]) / 2**48 * 100


def percent(share: float) -> str:
    """`10%`, `12.5%`."""
    return f"{share:.2f}".rstrip("0").rstrip(".") + "%"
