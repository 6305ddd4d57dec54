"""The policy file as models: what may be written, and what it means.

Every key that people write is here, with the sentence that an editor shows when completing it. Short forms
(`reply: thanks`, `case: none`, one word where a list may stand) are turned into the long form before validation.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, field_validator, model_validator

from listener.types import CaseMode, Mode
from policies.alerts import Targets
from policies.asking import AskFor, blocks
from policies.blocks import Block
from policies.calendars import Calendar, Calendars, TimeZone, WeekdayList, day
from policies.contacts import contact
from policies.fields import (
    NONE,
    Age,
    Example,
    IncidentStates,
    Intents,
    Kinds,
    Language,
    Languages,
    LinkCodes,
    Name,
    NetworkName,
    Number,
    OnDuty,
    Phrases,
    Raise,
    Reference,
    Scores,
    Sentiments,
    Signals,
    Speakers,
    Text,
    Visibilities,
    Words,
    listed,
    refuse,
    sentences,
)
from policies.records import Fields
from policies.sample import MOST, Sample
from policies.schema_drafts import Guidelines, Template
from policies.schema_guard import Guard
from policies.schema_incidents import Incidents, Notices, Places
from policies.schema_levels import Escalation, ServiceLevels
from policies.schema_routing import Capacity, Checklist, Minutes, Points, Skills
from policies.shares import Sending

LEAST_EXAMPLES = 5


Blocks = Annotated["tuple[When, ...]", BeforeValidator(listed, json_schema_input_type="When | list[When]")]


class When(Block):
    """What must be true of a mention. All the lines of one block must hold; a list means "one of these"."""

    intents: Intents | None = Field(default=None, description="One of these is among what the mention wants.")
    main_intent: Intents | None = Field(default=None, description="One of these is what the mention wants most.")
    sentiment: Sentiments | None = Field(default=None, description="How it sounds.")
    signals: Signals | None = Field(
        default=None, description="One of these is seen in it: danger, law, press, leaving, frailty, irony, abuse."
    )
    areas: Words | None = Field(
        default=None, description="One of these areas of our own is what it is about; `areas:` teaches them."
    )
    confidence: Number | None = Field(
        default=None, description='How sure the model is of the main intent, like ">= 0.8".'
    )
    language: Languages | None = Field(default=None, description="The language it is written in, like es.")
    network: Words | None = Field(default=None, description="Where it was said.")
    source: Words | None = Field(default=None, description="Which of our sources found it.")
    kind: Kinds | None = Field(default=None, description="mention and reply address us; found was found by a search.")
    visibility: Visibilities | None = Field(default=None, description="How widely it can be seen.")
    age: Age | None = Field(default=None, description='How old it is, like "> 2d".')
    has_media: StrictBool | None = Field(default=None, description="Whether it has a picture, video or sound.")
    text_contains: Phrases | None = Field(
        default=None,
        alias="text.contains",
        description="One of these words or phrases is in it; `factur*` finds any ending.",
    )
    text_contains_all: Phrases | None = Field(
        default=None, alias="text.contains_all", description="All of these are in it."
    )
    author_handle: Words | None = Field(default=None, alias="author.handle", description="Who wrote it.")
    author_followers: Number | None = Field(default=None, alias="author.followers", description='Like ">= 10000".')
    author_bot: StrictBool | None = Field(
        default=None, alias="author.bot", description="Whether the account says it is automatic."
    )
    author_account_age_days: Number | None = Field(default=None, alias="author.account_age_days")
    author_mentions: Number | None = Field(
        default=None,
        alias="author.mentions_last_7_days",
        description="How often they wrote in a week, this time included.",
    )
    customer_known: StrictBool | None = Field(
        default=None, alias="customer.known", description="Whether the account has a record."
    )
    customer_tier: Words | None = Field(default=None, alias="customer.tier")
    customer_tags: Words | None = Field(
        default=None, alias="customer.tags", description="One of these is on the record."
    )
    customer_open_cases: Number | None = Field(default=None, alias="customer.open_cases")
    customer_consent: Words | None = Field(
        default=None,
        alias="customer.consent",
        description="They allow one of these: a purpose like marketing, or a channel with it like mail:marketing.",
    )
    customer_refused: Words | None = Field(
        default=None, alias="customer.refused", description="They took back one of these; in the same words."
    )
    customer_arrears: Number | None = Field(
        default=None, alias="customer.arrears", description='What they owe, where known, like "> 0".'
    )
    customer_arrears_days: Number | None = Field(
        default=None, alias="customer.arrears_days", description="For how many days they owe it, where known."
    )
    customer_tenure_days: Number | None = Field(
        default=None, alias="customer.tenure_days", description='How long they are a customer, like ">= 730".'
    )
    customer_contracts: Number | None = Field(
        default=None, alias="customer.contracts", description="How many contracts of theirs run now."
    )
    customer_products: Words | None = Field(
        default=None, alias="customer.products", description="They have one of these products."
    )
    thread_is_reply_to_us: StrictBool | None = Field(default=None, alias="thread.is_reply_to_us")
    thread_our_replies: Number | None = Field(
        default=None, alias="thread.our_replies", description="How often we spoke there."
    )
    case_exists: StrictBool | None = Field(
        default=None, alias="case.exists", description="Whether it belongs to an open case."
    )
    scores: Scores | None = Field(
        default=None, description='How sure the model is of single labels or areas, like `complaint: ">= 0.6"`.'
    )
    author_verified: StrictBool | None = Field(
        default=None, alias="author.verified", description="Whether the network has verified who they are, if it says."
    )
    author_new: StrictBool | None = Field(
        default=None, alias="author.new", description="Whether the account is less than 30 days old, where known."
    )
    author_unsolved_complaints: Number | None = Field(
        default=None,
        alias="author.unsolved_complaints",
        description="How many of their complaints ended unsolved: cases closed without having been resolved.",
    )
    customer_language: Languages | None = Field(
        default=None, alias="customer.language", description="The language on the record."
    )
    customer_fields: Fields | None = Field(
        default=None,
        alias="customer.fields",
        description='What was imported with the record, like `{plan: gold, arrears: "> 0", since: "< 2024-01-01"}`.',
    )
    thread_last_speaker: Speakers | None = Field(
        default=None,
        alias="thread.last_speaker",
        description="Who spoke there last before this: us, a colleague by hand, the author, another, nobody.",
    )
    code: LinkCodes | None = Field(
        default=None, description="What came of the one-time code in it: linked, wrong, expired, used, … or none."
    )
    thread_answered_by_colleague: StrictBool | None = Field(
        default=None,
        alias="thread.answered_by_colleague",
        description="Whether one of us, or of `guard: colleagues:`, answered it by hand on the network.",
    )
    time_within: Calendars | None = Field(
        default=None, alias="time.within", description="One of these calendars is open now."
    )
    time_outside: Calendars | None = Field(
        default=None, alias="time.outside", description="All of these calendars are closed now."
    )
    time_holiday: Calendars | None = Field(
        default=None, alias="time.holiday", description="One of these calendars has a public holiday today."
    )
    time_weekday: WeekdayList | None = Field(
        default=None, alias="time.weekday", description="The day of the week in the policy's time zone, like sat."
    )
    author_bot_likeness: Number | None = Field(
        default=None,
        alias="author.bot_likeness",
        description='How much the account behaves like a machine, from 0 to 1, like ">= 0.7".',
    )
    author_complaints: Number | None = Field(
        default=None,
        alias="author.complaints_last_30_days",
        description="How many complaints they wrote in 30 days, this one included.",
    )
    incident_active: StrictBool | None = Field(
        default=None, alias="incident.active", description="Whether something that hits many lasts now, wherever."
    )
    incident_here: StrictBool | None = Field(
        default=None, alias="incident.here", description="Whether it belongs to an incident that lasts."
    )
    incident_state: IncidentStates | None = Field(
        default=None,
        alias="incident.state",
        description="How far the incident is that it belongs to; resolved and closed are over.",
    )
    incident_number: Words | None = Field(
        default=None, alias="incident.number", description="Which incident it belongs to, like I3."
    )
    incident_title: Phrases | None = Field(
        default=None,
        alias="incident.title",
        description="One of these words or phrases is in the title of the incident that it belongs to.",
    )
    teams_on_duty: OnDuty | None = Field(
        default=None,
        alias="teams.on_duty",
        description='How many of these teams are on duty now, like `{technical: ">= 1"}`.',
    )
    terms: Words | None = Field(
        default=None, description="One of these terms of our queries found it: a word, a phrase, #tag or @handle."
    )
    all: Blocks = Field(default=(), description="All of these blocks hold.")
    any: Blocks = Field(default=(), description="At least one block holds.")
    none: Blocks = Field(default=(), description="None of these blocks holds.")

    @model_validator(mode="after")
    def _says_something(self) -> When:
        for key in self.model_fields_set:
            if getattr(self, key) in (None, ()):
                alias = type(self).model_fields[key].alias or key
                raise refuse(f"`{alias}` has nothing after it; write its value or remove the line")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether it is true of everything."""
        return not self.model_fields_set


def _reply(value: object) -> object:
    if isinstance(value, str):
        return {"template": value}
    return {"template": NONE} if value is False else value


def _case(value: object) -> object:
    if value is True:
        return {}
    if value is False:
        return {"team": NONE}
    return {"team": value} if isinstance(value, str) else value


class Reply(Block):
    """Which template answers. `mode: manual` keeps a person in front of this one even where replies go out alone."""

    template: Reference
    mode: Sending | None = Field(default=None, description="auto, manual, or a share: `{auto: 10%}`.")

    @property
    def is_silence(self) -> bool:
        """Whether it says, in so many words, that nothing is to be answered."""
        return self.template == NONE


class Case(Block):
    """Which case the mention becomes. Without a team: that of the area it is about, else the default team."""

    team: Reference | None = None
    urgency: Raise | None = None
    tags: Words | None = None
    skills: Skills | None = Field(default=None, description="What whoever works on it must know; they collect.")

    @property
    def is_none(self) -> bool:
        """Whether it says, in so many words, that no case is wanted."""
        return self.team == NONE

    @property
    def only_skills(self) -> bool:
        """Whether it leaves to later rules what else there is to say about the case."""
        return self.model_fields_set == {"skills"}


class Then(Block):
    """What a rule that matches does."""

    reply: Annotated[Reply | None, BeforeValidator(_reply, json_schema_input_type=str | Reply)] = Field(
        default=None, description="A template's name, or `none` to leave it unanswered."
    )
    case: Annotated[Case | None, BeforeValidator(_case, json_schema_input_type=str | bool | Case)] = Field(
        default=None, description="A team's name, or `none` for no case."
    )
    urgency: Raise | None = Field(default=None, description='At least this urgent; "+1" raises it by one step.')
    tags: Words | None = None
    escalate: Reference | None = Field(default=None, description="The team to call in as well.")
    ignore: Text | None = Field(
        default=None, min_length=1, description="Needs nothing at all; the reason, for the record."
    )
    person: StrictBool | None = Field(
        default=None, description="true: a person looks; nothing goes out alone, and what has no case waits for one."
    )
    ask_for: AskFor | None = Field(
        default=None, description="Data and the template that asks for it; the first that is missing is asked for."
    )
    alert: Targets | None = Field(
        default=None, description="Whom of us to tell, at once: names of `[alerts.…]` in the settings."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Then:
        if self.person is False:
            raise refuse("`person: false` changes nothing; remove it, no rule can take a mention from a person")
        if not self.model_fields_set or all(getattr(self, key) is None for key in self.model_fields_set):
            raise refuse(
                "`then` does nothing; say `reply`, `case`, `urgency`, `tags`, `escalate`, `ignore`, `person`, "
                "`ask_for` or `alert`"
            )
        if self.ignore is not None and self.model_fields_set & {"reply", "case", "escalate", "person", "ask_for"}:
            raise refuse(
                "`ignore` means that nothing is done; remove it, or remove `reply`, `case`, `escalate`, `person` and "
                "`ask_for`"
            )
        if self.ask_for and self.reply and self.reply.is_silence:
            raise refuse("`reply: none` says nothing and `ask_for` asks; remove one of the two")
        return self


class Rule(Block):
    """One rule. The first that matches ends the reading, unless it says `continue: true`."""

    name: Name
    because: Text = Field(default="", description="Why we do this; shown to whoever asks why.")
    when: When = Field(default=When(), description="Left out: always.")
    then: Then
    goes_on: StrictBool = Field(
        default=False, alias="continue", description="Adds what it says, and the next rules are read too."
    )
    shadow: StrictBool = Field(default=False, description="Only records what it would have done, and changes nothing.")

    @model_validator(mode="after")
    def _ends_when_ignoring(self) -> Rule:
        if self.goes_on and self.then.ignore is not None:
            raise refuse("a rule that ignores cannot `continue`; remove one of the two")
        return self


class Network(Block):
    """What is different on one network."""

    mode: Sending | None = Field(
        default=None, description="auto, manual, or a share: `{auto: 10%}`; in the place of the policy's own."
    )
    cases: CaseMode | None = None


class Area(Block):
    """Something that concerns us, by sentences that are about it."""

    because: Text = Field(default="", description="What belongs there, for colleagues.")
    examples: tuple[Example, ...] = Field(
        max_length=200,
        description="5 to 20 sentences as people write them, in any mix of languages; up to 200.",
        json_schema_extra={"minItems": LEAST_EXAMPLES},
    )
    team: Reference | None = Field(default=None, description="Whose it is, where no rule names a team.")
    skills: Skills | None = Field(default=None, description="What whoever works on its cases must know.")
    mode: Sending | None = Field(
        default=None, description="manual, or a share: `{auto: 10%}`, for what is about this more than about others."
    )

    @field_validator("examples")
    @classmethod
    def _are_enough(cls, examples: tuple[str, ...]) -> tuple[str, ...]:
        if len(examples) < LEAST_EXAMPLES:
            raise refuse(
                f"an area needs at least {LEAST_EXAMPLES} examples and this one has {len(examples)}; add sentences as "
                "people write them"
            )
        return examples


class Brand(Block):
    """Who is speaking."""

    name: Annotated[str, Field(max_length=60)] = ""
    signature: Annotated[str, Field(max_length=60)] = Field(default="", description="Ends every reply.")
    contacts: tuple[Annotated[str, Field(min_length=6, max_length=80), AfterValidator(sentences(contact))], ...] = (
        Field(default=(), description="Our own addresses, numbers and links, each whole, which replies may name.")
    )


class Team(Block):
    """Who works cases."""

    what: Text = ""
    languages: Languages | None = None
    skills: Skills | None = Field(default=None, description="What it can do; nothing said: nobody knows.")
    capacity: Capacity | None = Field(default=None, description="How many open and pending cases it can hold.")
    overflow: Reference | None = Field(default=None, description="The team that gets new cases while it is full.")
    mode: Sending | None = Field(
        default=None, description="manual, or a share: `{auto: 10%}`, for replies in its cases."
    )
    steps: Checklist | None = Field(
        default=None, description="What makes its cases complete: each step in order, with its weight."
    )


class Contribution(Block):
    """What makes a mention more urgent, or less, by so many points."""

    name: Name
    points: Points
    when: When

    @model_validator(mode="after")
    def _is_about_something(self) -> Contribution:
        if self.when.is_empty:
            raise refuse("`when` is true of everything, so these points move nothing; give it conditions")
        return self


class Score(Block):
    """What orders each queue: points for the urgency, plus all contributions that hold."""

    minutes_per_point: Minutes = Field(default=10, description="How long waiting is worth a point; 10 if left out.")
    contributions: tuple[Contribution, ...] = Field(
        default=(), max_length=50, description="All that hold add up, to 100 points in all, up or down."
    )


def _last_day(value: object) -> object:
    if value is None or type(value) is date:
        return value
    return day(value)


class Offer(Block):
    """What an agent may offer a customer, and to whom."""

    text: dict[Language, Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        min_length=1, max_length=50, description="What to say, by language."
    )
    because: Text = Field(default="", description="Why to them, for the agent.")
    when: When = Field(default=When(), description="Of the customer and the time alone: customer.…, time.…")
    until: Annotated[date | None, BeforeValidator(sentences(_last_day), json_schema_input_type=str)] = Field(
        default=None, description="The last day on which it may be offered, in the policy's time zone."
    )

    @field_validator("when")
    @classmethod
    def _of_a_customer(cls, when: When) -> When:
        for block in blocks(when):
            for key in sorted(block.model_fields_set - {"all", "any", "none"}):
                name = type(block).model_fields[key].alias or key
                if not name.startswith(("customer.", "time.")):
                    raise refuse(f"`{name}` is of a mention, and an offer is for a customer; use customer.… or time.…")
        return when


class PolicyFile(Block):
    """A response policy: what we answer, what we leave, who gets it and how soon."""

    name: Name
    description: Text = ""
    mode: Sending = Field(
        default=Mode.MANUAL,
        description="auto sends what passes every guard; manual asks a person first; a share, like `{auto: 10%}`, "
        "sends so many and asks for the others.",
    )
    cases: CaseMode = Field(
        default=CaseMode.EVERY, description="every: each mention becomes a case; routed: a person decides."
    )
    language: Language = Field(default="en", description="Answer in this one where a reply lacks the mention's own.")
    networks: dict[NetworkName, Network] = Field(default_factory=dict)
    brand: Brand = Brand()
    teams: dict[Name, Team] = Field(min_length=1)
    default_team: Reference
    service_levels: ServiceLevels = ServiceLevels()
    escalation: Escalation = Field(default=Escalation(), description="What happens when a promise is broken.")
    guard: Guard = Guard()
    guidelines: Guidelines = Field(default=Guidelines(), description="How replies should sound.")
    templates: dict[Name, Template] = Field(default_factory=dict)
    areas: dict[Name, Area] = Field(
        default_factory=dict,
        max_length=200,
        description="What concerns us besides the built-in intents; learned by `escucha model train`.",
    )
    rules: tuple[Rule, ...] = Field(max_length=500)
    offers: dict[Name, Offer] = Field(
        default_factory=dict,
        max_length=100,
        description="What an agent may offer to whom; shown beside the customer, never sent by itself.",
    )
    time_zone: TimeZone = Field(default="UTC", description="Whose days and hours count, like Europe/Madrid.")
    calendars: dict[Name, Calendar] = Field(
        default_factory=dict, max_length=50, description="Business hours, holidays and quiet hours by name."
    )
    score: Score = Field(default=Score(), description="What comes first in each queue.")
    places: Places = Field(
        default_factory=dict, description="Where our customers are, with the words by which people name each place."
    )
    incidents: Incidents = Field(default=Incidents(), description="What holds while something hits many at once.")
    notices: Notices = Field(default=Notices(), description="What we say to everybody.")
    tests: tuple[Sample, ...] = Field(
        default=(),
        max_length=MOST,
        description="Mentions with what the policy must make of them; they may stand in a file beside it as well.",
    )

    def cases_on(self, network: str, *, opens_case: bool = False) -> CaseMode:
        """Whether every mention there becomes a case, or a person routes.

        Where the network is one whose every mention opens a case (`Facts.opens_case`), only what the file says about
        that very network changes it.
        """
        own = self.networks.get(network)
        if own and own.cases:
            return own.cases
        return CaseMode.EVERY if opens_case else self.cases


def json_schema() -> dict[str, Any]:
    """The published JSON Schema, for editors that complete and check a policy while it is written."""
    schema = PolicyFile.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Escucha response policy"}
