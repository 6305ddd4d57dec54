"""A test of a policy as people write it: a mention made up for it, and what is expected of the policy.

What a mention is said to hold bears the names that `when` uses: `author.followers`, `customer.tier`. They are taken
from the types that a policy sees, so that whatever a rule may look at, a test may say. What is left out is ordinary: a
public mention of ten minutes ago, neutral, in the policy's language, by somebody we know nothing about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictBool, create_model, field_validator, model_validator
from pydantic import Field as Key

from listener.types import (
    Answerable,
    Facts,
    IncidentState,
    IncidentView,
    Intent,
    LinkCode,
    Mode,
    PostKind,
    Sentiment,
    Signal,
    Situation,
    Understanding,
    Urgency,
    Visibility,
)
from policies.amounts import duration
from policies.fields import (
    NONE,
    Language,
    Name,
    NetworkName,
    Points,
    Reference,
    Span,
    Text,
    Wordings,
    Words,
    listed,
    refuse,
    sentences,
)
from policies.templates import VARIABLES
from policies.words import shown

MOST = 1000  # tests in one file
LONGEST = 20_000  # characters of one made-up mention
_NOW = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)  # a Wednesday at noon, in UTC
_FIRST_YEAR, _LAST_YEAR = 1970, 2200  # so that no age or calendar leads out of what a date can be
_READ = ("intents", "sentiment", "signals", "areas", "confidence")  # said by the test, or else by the model
_SET_HERE = {"mention_id", "revision", "url", "posted_at", "understanding", "facts", "incident", "incidents"}
_BLANKS: dict[str, Any] = {
    "author.handle": "someone",
    "customer.reference": "C-1",
    "customer.name": "",
    "case.reference": VARIABLES["case.reference"],
    "incident.number": 1,
    "incident.state": IncidentState.INVESTIGATING,
}


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _moment(value: object) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        if moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"`{shown(value)}` is no moment with a time zone, from {_FIRST_YEAR} to {_LAST_YEAR}; write it like "
            "2026-03-01T09:30Z or 2026-03-01T09:30+01:00"
        ) from None


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"`{shown(value)}` is no confidence; write a number from 0 to 1, like 0.9")
    return float(value)


# Some of a set, maybe none, where one alone may stand by itself.
_Wants = Annotated[tuple[Intent, ...], BeforeValidator(listed, json_schema_input_type=Intent | list[Intent])]
_Shows = Annotated[tuple[Signal, ...], BeforeValidator(listed, json_schema_input_type=Signal | list[Signal])]
_About = Annotated[tuple[Reference, ...], BeforeValidator(listed, json_schema_input_type=str | list[str])]
_Feels = Annotated[
    Sentiment | None,
    BeforeValidator(lambda value: None if value == NONE else value, json_schema_input_type=Sentiment | Literal["none"]),
]


_Promised = Annotated[
    timedelta | Literal["none"] | None,
    BeforeValidator(
        sentences(lambda value: value if value in (None, NONE) or isinstance(value, timedelta) else duration(value)),
        json_schema_input_type=str,
    ),
]
_Moment = Annotated[datetime, BeforeValidator(sentences(_moment), json_schema_input_type=str)]


class _Said(_Block):
    text: Annotated[str, Key(max_length=LONGEST)]
    content_warning: Text = ""
    network: NetworkName = "mastodon"
    source: Reference = "test"
    kind: PostKind = PostKind.MENTION
    visibility: Visibility = Visibility.PUBLIC
    has_media: StrictBool = False
    unanswerable: Text = ""
    paused: StrictBool = False
    code: LinkCode = Key(default=LinkCode.NONE, description="What came of the one-time code in it.")
    now: Annotated[datetime, BeforeValidator(sentences(_moment), json_schema_input_type=str)] = Key(
        default=_NOW, description="The moment of the decision, with its time zone."
    )
    age: Span = Key(default=timedelta(minutes=10), description="How old it is at that moment, like 10m.")
    language: Language | None = Key(default=None, description="Left out: the policy's, or what the model reads.")
    intents: _Wants = Key(default=(), description="What it wants, the strongest first.")
    sentiment: _Feels = Key(default=Sentiment.NEUTRAL, description="How it sounds; `none`: the model does not know.")
    signals: _Shows = ()
    areas: _About = ()
    confidence: Annotated[float, BeforeValidator(sentences(_share), json_schema_input_type=float)] | None = Key(
        default=None, description="How sure the model is of the strongest intent; 0.99 if left out."
    )
    customer_known: StrictBool | None = Key(default=None, alias="customer.known")
    incident_here: StrictBool | None = Key(
        default=None, alias="incident.here", description="false: the incident lasts, and the mention is no part of it."
    )
    incident_since: _Moment | None = Key(
        default=None, alias="incident.since", description="When it began; an hour before `now` if left out."
    )
    incident_answers: dict[Language, Wordings] | None = Key(
        default=None, alias="incident.answers", description="Its approved answers by language."
    )

    @property
    def is_read_by_the_model(self) -> bool:
        """Whether it says nothing of what the model would, so that the model is asked."""
        return not self.model_fields_set.intersection(_READ)

    def facts(self) -> dict[str, Any]:
        """What it says about author, customer, thread, case, sends and incident, by dotted name."""
        found = ((field.alias, getattr(self, name)) for name, field in type(self).model_fields.items())
        return {alias: value for alias, value in found if alias and "." in alias and value is not None}

    @model_validator(mode="after")
    def _agrees(self) -> _Said:
        if self.customer_known is False and any(
            name.startswith("customer.") for name in self.facts().keys() - {"customer.known"}
        ):
            raise refuse("`customer.known: false` has no tier, tags or cases; remove the one or the others")
        return self


def _views() -> dict[str, tuple[Any, bool]]:
    """The parts of a situation that are types of their own, and whether there may be none of it."""
    found = {}
    for name, hint in get_type_hints(Situation).items():
        kinds = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
        if kinds and name not in _SET_HERE:
            found[name] = (kinds[0], type(None) in get_args(hint))
    return found


def _incident(given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The incident that the mention of a test belongs to, and all that last: at most the one it speaks of."""
    inside = {name: value for name, value in given.items() if name.startswith("incident.")}
    if not inside:
        return {}
    here = inside.pop("incident.here", True)
    one = _seen("incident", IncidentView, {"incident.since": now - timedelta(hours=1), **inside}, optional=False)
    return {"incident": one if here else None, "incidents": (one,) if one.state.active else ()}


def _typed(hint: Any) -> Any:
    if bool in (hint, *get_args(hint)):
        return StrictBool | None if type(None) in get_args(hint) else StrictBool
    return Annotated[hint, BeforeValidator(listed)] if get_origin(hint) is tuple else hint


def _keys() -> dict[str, Any]:
    """A key for everything that a policy may look at and `_Said` does not name."""
    keys: dict[str, Any] = {}
    views = _views()
    for name, hint in get_type_hints(Situation).items():
        if name not in views and name not in _SET_HERE and name not in _Said.model_fields:
            keys[name] = (_typed(hint) | None, None)
    kinds = {view: kind for view, (kind, _) in views.items()} | {"incident": IncidentView}
    for view, kind in kinds.items():
        for name, hint in get_type_hints(kind).items():
            if f"{view}_{name}" in _Said.model_fields:
                continue
            keys.setdefault(f"{view}_{name}", (_typed(hint) | None, Key(default=None, alias=f"{view}.{name}")))
    return keys


if TYPE_CHECKING:

    class Said(_Said):
        """The mention of a test."""

else:
    Said = create_model("Said", __base__=_Said, __doc__="The mention of a test.", **_keys())


class Expected(_Block):
    """What the policy must make of it; what is left out may be anything."""

    rule: Words | None = Key(default=None, description="These rules match; `none`: no rule does.")
    reply: Reference | None = Key(
        default=None, description="The template, `incident I1` for that incident's answer, or `none` for no reply."
    )
    mode: Mode | None = Key(default=None, description="Whether the reply would go out alone, guards included.")
    kept_by: Words | None = Key(
        default=None,
        description="These leave the reply to a person: settings, policy, network, team, area, incident, template, "
        "rule; `none`: none of them does.",
    )
    team: Reference | None = Key(default=None, description="Whose case it becomes, or `none` for no case.")
    urgency: Urgency | None = None
    tags: Words | None = Key(default=None, description="These are among the tags; `none`: there is no tag.")
    guard: Words | None = Key(default=None, description="These guards stop the reply; `none`: no guard does.")
    escalate: Reference | None = Key(default=None, description="The team that is called in, or `none`.")
    ignored: StrictBool | None = Key(default=None, description="Whether nothing at all is done.")
    first_response: _Promised = Key(default=None, description="The span that is promised, like 30m; `none`: nothing.")
    resolution: _Promised = Key(default=None, description="The span that is promised, like 4h; `none`: nothing.")
    first_response_due: _Moment | None = Key(default=None, description="By when, like 2026-03-02T10:00+01:00.")
    resolution_due: _Moment | None = None
    alert: Words | None = Key(default=None, description="These targets are told; `none`: nobody is.")
    score: Points | None = Key(default=None, description='The points that order the queue, like ">= 50" or "< 0".')
    skills: Words | None = Key(default=None, description="These are among what is asked for; `none`: nothing is.")

    @field_validator("rule", "kept_by", "tags", "guard", "alert", "skills")
    @classmethod
    def _none_stands_alone(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names and NONE in names and len(names) > 1:
            raise refuse("`none` stands alone; remove it, or the others")
        return names

    @model_validator(mode="after")
    def _expects_something(self) -> Expected:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise refuse("`expect` expects nothing; say `rule`, `reply`, `mode`, `team`, `urgency`, `tags` or `guard`")
        return self


def _alone(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


class Sample(_Block):
    """A mention with what the policy must make of it; `escucha policy check` tries it."""

    name: Name
    because: Text = Key(default="", description="Why it matters, for colleagues.")
    mention: Annotated[Said, BeforeValidator(_alone, json_schema_input_type=str | Said)]
    expect: Expected


class Samples(_Block):
    """A file of tests beside a policy."""

    tests: tuple[Sample, ...] = Key(max_length=MOST)


# --- as a situation --------------------------------------------------------------------------------------------------


def understood(said: Said, language: str) -> Understanding:
    """What the test says that the model would, its strongest intent the surest; `language`: where it names none."""
    sure = 0.99 if said.confidence is None else said.confidence
    return Understanding(
        model_version="test",
        language=said.language or language,
        language_score=1.0,
        sentiment=said.sentiment,
        sentiment_scores={said.sentiment.value: 0.99} if said.sentiment else {},
        intents=said.intents,
        intent_scores={intent.value: max(0.0, sure - 0.01 * place) for place, intent in enumerate(said.intents)},
        signals=said.signals,
        signal_scores={signal.value: 0.99 for signal in said.signals},
        areas=said.areas,
        area_scores=dict.fromkeys(said.areas, 0.99),
    )


def situation(said: Said, understanding: Understanding, facts: Facts | None) -> Situation:
    """The mention as a policy sees it. `facts`: of its network; None: one that takes anything of 500 characters."""
    if said.language is not None:
        understanding = replace(understanding, language=said.language)
    given = said.facts()
    if said.kind is PostKind.REPLY:
        given.setdefault("thread.is_reply_to_us", True)
    plain = {each.name for each in fields(Situation)} - _SET_HERE - _views().keys()
    values = {name: value for name in plain if (value := getattr(said, name)) is not None}
    return Situation(
        mention_id=1,
        revision=1,
        url=None,
        posted_at=said.now - said.age,
        understanding=understanding,
        facts=facts or _anywhere(said.network),
        **values,
        **{view: _seen(view, kind, given, optional=optional) for view, (kind, optional) in _views().items()},
        **_incident(given, said.now),
    )


def _seen(view: str, kind: Callable[..., Any], given: dict[str, Any], *, optional: bool) -> Any:
    inside = {name.partition(".")[2]: value for name, value in given.items() if name.startswith(f"{view}.")}
    if optional and (not inside or inside.get("known") is False):
        return None
    known: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]
    blank = {
        each.name: _BLANKS.get(f"{view}.{each.name}", "")
        for each in known
        if each.default is MISSING and each.default_factory is MISSING
    }
    return kind(**(blank | {name: value for name, value in inside.items() if name != "known"}))


def _anywhere(network: str) -> Facts:
    return Facts(
        network=network,
        limit=500,
        count=len,
        address=lambda text, handle: f"@{handle} {text}",
        answerable=Answerable.ANYONE,
        linkable=True,
        direct_messages=True,
        keyed_writes=True,
        deletions_visible=True,
        settle_after=None,
    )


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A test with the place it stands at: `problem(key, sentence)` gives `file:line: sentence`."""

    sample: Sample
    problem: Callable[[str, str], str]
