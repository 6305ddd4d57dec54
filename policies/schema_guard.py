"""The hard stops as they may be written: what a policy file says under `guard:`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, field_validator

from policies.blocks import Block
from policies.fields import NetworkName, Phrases, Reference, Span, Words, refuse


class RiskTeams(Block):
    """Who is called when words of danger appear; the default team where none is named."""

    self_harm: Reference | None = None
    violence: Reference | None = None
    health: Reference | None = None
    minors: Reference | None = None
    legal_threat: Reference | None = None
    press: Reference | None = None


class RiskWords(Block):
    """Further words of danger; the built-in ones always count."""

    self_harm: Phrases = ()
    violence: Phrases = ()
    health: Phrases = ()
    minors: Phrases = ()
    legal_threat: Phrases = ()
    press: Phrases = ()


class Guard(Block):
    """The hard stops. They may be made stricter here, never looser than the limits shown."""

    min_confidence: float = Field(default=0.6, ge=0.5, le=1, description="Less sure than this: a person looks.")
    max_age: Span = Field(default=timedelta(days=2), description="Older than this: a person looks. At most 7d.")
    per_author_per_day: int = Field(default=3, ge=0, le=5, description="Replies to one author in 24 hours.")
    per_thread: int = Field(default=2, ge=0, le=5, description="Replies in one conversation.")
    per_hour: int = Field(default=30, ge=0, le=120, description="Replies in one hour on one network.")
    per_day: int = Field(default=200, ge=0, le=1000, description="Replies in 24 hours on one network.")
    per_rule_per_day: int = Field(
        default=100, ge=0, le=500, description="Replies in 24 hours that one rule asked for, on one network."
    )
    per_wording_per_day: int = Field(
        default=20, ge=0, le=100, description="To how many people the same wording goes in 24 hours, on one network."
    )
    colleagues: dict[NetworkName, Words] = Field(
        default_factory=dict,
        description="Who works with us, by network: handles as that network writes them; `*@acme.example` is everybody "
        "there. Their posts are not answered.",
    )
    risk_teams: RiskTeams = RiskTeams()
    risk_words: RiskWords = RiskWords()

    @field_validator("max_age")
    @classmethod
    def _not_longer_than_a_week(cls, span: timedelta) -> timedelta:
        if span > timedelta(days=7):
            raise refuse("`max_age` can be 7d at most; lower it")
        return span
