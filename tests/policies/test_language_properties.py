"""Whatever is written with every condition and action there is, about whatever situation."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from listener.types import (
    CustomerView,
    Decision,
    IncidentState,
    IncidentView,
    Intent,
    LinkCode,
    PostKind,
    RuleOutcome,
    Sentiment,
    Signal,
    Situation,
    Speaker,
    TeamsView,
    Visibility,
)
from policies.calendars import WEEKDAYS
from policies.schema import Then, When
from tests.policies.situations import NOW
from tests.policies.test_properties import actions, keepers, situations, teams, texts

CALENDARS = ["office", "night", "always"]

number = st.sampled_from([">= 1", "< 5", "> 0.5", "3", "<= 10%", ">= 2k"])
calendars = st.lists(st.sampled_from(CALENDARS), min_size=1, max_size=2, unique=True)
word = st.sampled_from(["gold", "x", "mastodon", "ana"])

KEYS: dict[str, st.SearchStrategy[Any]] = {
    "intents": st.sampled_from([*Intent]),
    "main_intent": st.sampled_from([*Intent]),
    "sentiment": st.sampled_from([*Sentiment]),
    "signals": st.lists(st.sampled_from([*Signal]), min_size=1, max_size=2),
    "areas": st.just("roaming"),
    "confidence": number,
    "language": st.sampled_from(["es", "en"]),
    "network": word,
    "source": word,
    "kind": st.sampled_from([*PostKind]),
    "visibility": st.sampled_from([*Visibility]),
    "age": st.sampled_from(["> 1h", "< 2d"]),
    "has_media": st.booleans(),
    "text.contains": st.sampled_from(["factur*", "gracias", "🙄"]),
    "text.contains_all": st.sampled_from(["factur*", "gracias"]),
    "author.handle": word,
    "author.followers": number,
    "author.bot": st.booleans(),
    "author.account_age_days": number,
    "author.mentions_last_7_days": number,
    "customer.known": st.booleans(),
    "customer.tier": word,
    "customer.tags": word,
    "customer.open_cases": number,
    "customer.consent": st.sampled_from(["marketing", ["mail:marketing", "care"]]),
    "customer.refused": st.sampled_from(["marketing", ["mail:marketing", "care"]]),
    "customer.arrears": number,
    "customer.arrears_days": number,
    "customer.tenure_days": number,
    "customer.contracts": number,
    "customer.products": word,
    "thread.is_reply_to_us": st.booleans(),
    "thread.our_replies": number,
    "case.exists": st.booleans(),
    "scores": st.dictionaries(
        st.sampled_from([*Intent, *Sentiment, *Signal, "roaming"]), number, min_size=1, max_size=3
    ),
    "author.verified": st.booleans(),
    "author.new": st.booleans(),
    "author.unsolved_complaints": number,
    "author.bot_likeness": st.sampled_from([">= 0.7", "< 0.3", "0.4"]),
    "author.complaints_last_30_days": number,
    "terms": st.sampled_from(["iberia", ["#iberia", "iberia express"]]),
    "customer.language": st.sampled_from(["es", "en"]),
    "customer.fields": st.dictionaries(
        st.sampled_from(["plan", "Arrears", "since"]),
        st.sampled_from(["gold", ["gold", "x"], "> 3", "< 2024-01-01", "= -2,5", True, 7]),
        min_size=1,
    ),
    "thread.last_speaker": st.sampled_from([*Speaker]),
    "code": st.sampled_from([*LinkCode]),
    "thread.answered_by_colleague": st.booleans(),
    "incident.active": st.booleans(),
    "incident.here": st.booleans(),
    "incident.state": st.sampled_from([*IncidentState]),
    "incident.number": st.sampled_from(["I1", ["I2", "i3"]]),
    "incident.title": st.sampled_from(["corte*", ["outage", "caída"]]),
    "teams.on_duty": st.dictionaries(st.sampled_from(["care", "boss"]), number, min_size=1),
    "time.within": calendars,
    "time.outside": calendars,
    "time.holiday": calendars,
    "time.weekday": st.sampled_from([*WEEKDAYS, "mon-fri", "sat, sun", "daily"]),
}
shares = st.integers(1, 99).map(lambda share: f"{share}%")
modes = st.one_of(
    st.sampled_from(["auto", "manual"]),
    st.fixed_dictionaries({"auto": shares}),
    st.just({"auto": "5%", "ramp": {"to": "80%", "over": "7d", "starting": "2026-11-18"}}),
)
every_when = st.recursive(
    st.fixed_dictionaries({}, optional=KEYS).map(lambda block: dict(list(block.items())[:4])),
    lambda inner: st.fixed_dictionaries({}, optional={"any": st.lists(inner, min_size=1, max_size=2), "none": inner}),
    max_leaves=4,
).filter(bool)
every_then = st.one_of(
    actions,
    st.fixed_dictionaries(
        {"tags": st.just("t")},
        optional={
            "reply": st.fixed_dictionaries({"template": st.sampled_from(["hello", "maybe"])}, optional={"mode": modes}),
            "person": st.just(True),
            "ask_for": st.dictionaries(
                st.sampled_from(["customer", "customer.tier", "customer.fields.plan"]), st.just("private"), min_size=1
            ),
        },
    ),
)


@st.composite
def files(draw: st.DrawFn, *, shadow: bool = False) -> dict[str, Any]:
    """A valid policy that may use every word; where `shadow`, at least one rule of it is in the shadow."""
    data: dict[str, Any] = json.loads(draw(texts()))
    data["time_zone"] = draw(st.sampled_from(["UTC", "Europe/Madrid", "America/Montevideo"]))
    data["calendars"] = {
        "office": {"hours": {"mon-fri": ["09:00-14:00", "16:00-19:00"]}, "holidays": "AR", "closed": ["2026-11-20"]},
        "night": {"time_zone": "Asia/Tokyo", "hours": {"daily": "22:00-08:00"}},
        "always": {"hours": {"daily": "00:00-24:00"}},
    }
    data["service_levels"] = draw(
        st.fixed_dictionaries(
            {"low": st.just({"first_response": "3h"})},
            optional={
                "calendar": st.sampled_from([*CALENDARS, "none"]),
                "warn": st.sampled_from(["80%", "10m", "none"]),
                "only": st.just([{"tier": "gold", "team": "boss", "first_response": "1h", "calendar": "night"}]),
            },
        )
    )
    steps = st.sampled_from([{"alert": "ops"}, [{"alert": "a"}, {"after": "2h", "team": "boss", "urgency": "+1"}]])
    data["escalation"] = draw(st.fixed_dictionaries({}, optional={"on_breach": steps, "on_warning": steps}))
    examples = [f"sin datos en el viaje {place}" for place in "abcde"]
    data["areas"] = {"roaming": {"examples": examples, **draw(keepers)}}
    if draw(st.booleans()):
        data["areas"]["roaming"] |= {"team": draw(teams), "skills": ["roaming"]}
    parts = data["score"]["contributions"]
    for place in range(draw(st.integers(0, 3))):
        parts.append({"name": f"more {place}", "points": draw(st.sampled_from([-7, 90])), "when": draw(every_when)})
    for place in range(draw(st.integers(1, 4))):
        then = draw(every_then)
        rule = {"name": f"more {place}", "when": draw(every_when), "then": then}
        if "ignore" not in then and draw(st.booleans()):
            rule["continue"] = True
        if draw(st.booleans()) or (shadow and place == 0):
            rule["shadow"] = True
        data["rules"].insert(draw(st.integers(0, len(data["rules"]))), rule)
    return data


@st.composite
def incidents(draw: st.DrawFn) -> IncidentView:
    """An incident with any answers, some of which are no template at all."""
    wordings = st.sampled_from(
        ["Lo sabemos. {{ case.reference }}", "Hola {{ author.name }}", "{{ nothing }}", "{% x", ""]
    )
    return IncidentView(
        number=draw(st.integers(1, 3)),
        title=draw(st.sampled_from(["Corte en Vic", "Outage", ""])),
        state=draw(st.sampled_from(IncidentState)),
        since=NOW,
        answers=draw(
            st.dictionaries(st.sampled_from(["es", "en", "de"]), st.lists(wordings, max_size=3).map(tuple), max_size=2)
        ),
        avoid=draw(st.sampled_from([(), ("en una hora", "a*b"), ("*",)])),
        holds_replies=draw(st.booleans()),
    )


@st.composite
def everything(draw: st.DrawFn) -> Situation:
    """A situation in which everything may be known, at any time."""
    seen = draw(situations())
    now = NOW + timedelta(minutes=draw(st.integers(-10_000_000, 40_000_000)))
    fields = st.dictionaries(
        st.sampled_from(["plan", "arrears", "since", "x"]),
        st.one_of(
            st.none(), st.text(max_size=12), st.sampled_from(["gold", "7", "2019-03-01"]), st.floats(), st.booleans()
        ),
    )
    customer = CustomerView(reference="C", name="A", tier=draw(st.sampled_from(["", "gold"])), fields=draw(fields))
    scores = draw(st.dictionaries(st.sampled_from([*Signal]), st.floats(0, 1)))
    return replace(
        seen,
        now=now,
        incident=draw(st.none() | incidents()),
        incidents=tuple(draw(st.lists(incidents(), max_size=2))),
        teams=TeamsView(on_duty=draw(st.none() | st.dictionaries(teams, st.integers(0, 3)))),
        terms=draw(st.sampled_from([(), ("iberia",), ('"iberia express"', "#iberia")])),
        same_text_by_others=draw(st.integers(0, 9)),
        code=draw(st.sampled_from(LinkCode)),
        posted_at=now - timedelta(minutes=draw(st.integers(0, 6000))),
        customer=draw(st.sampled_from([None, customer])),
        understanding=replace(
            seen.understanding,
            signals=tuple(scores),
            signal_scores=scores,
            areas=draw(st.sampled_from([(), ("roaming",), ("an area of old", "Roaming"), ("Roaming", "x")])),
        ),
        author=replace(
            seen.author,
            verified=draw(st.none() | st.booleans()),
            account_age_days=draw(st.none() | st.integers(0, 9999)),
            unsolved_complaints=draw(st.integers(0, 5)),
            complaints_last_30_days=draw(st.integers(0, 5)),
        ),
        thread=replace(
            seen.thread, last_speaker=draw(st.sampled_from(Speaker)), answered_by_colleague=draw(st.booleans())
        ),
    )


def loaded(data: dict[str, Any]) -> policies.Guarded:
    return policies.load_text(json.dumps(data, ensure_ascii=False), "any.yaml")


def outcome(decision: Decision) -> Decision:
    """The decision without its name and without how it came about."""
    return replace(decision, policy_version="", rules=())


def test_every_condition_and_action_is_drawn() -> None:
    blocks = {"all", "any", "none"}
    assert set(KEYS) == {field.alias or name for name, field in When.model_fields.items()} - blocks
    assert set(Then.model_fields) == {"reply", "case", "urgency", "tags", "escalate", "ignore", "person", "ask_for"} | {
        "alert"
    }


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(), st.lists(everything(), min_size=1, max_size=5))
def test_any_policy_decides_about_anything_and_always_the_same(data: dict[str, Any], seen: list[Situation]) -> None:
    policy, again = loaded(data), loaded(data)
    for one in seen:
        decision = policy.decide(one)
        assert decision == policy.decide(one) == again.decide(one)
        assert len(decision.rules) == len(data["rules"])
        for rule, trace in zip(data["rules"], decision.rules, strict=True):
            assert (trace.outcome is RuleOutcome.FAILED) == bool(trace.condition)
            assert trace.outcome is not (RuleOutcome.MATCHED if rule.get("shadow") else RuleOutcome.SHADOW)
            assert len(trace.saw) + len(trace.wanted) < 2000


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(shadow=True), st.lists(everything(), min_size=1, max_size=5))
def test_the_shadow_changes_no_decision(data: dict[str, Any], seen: list[Situation]) -> None:
    lit = {**data, "rules": [rule for rule in data["rules"] if not rule.get("shadow")]}
    for one in seen:
        with_it, without = loaded(data).decide(one), loaded(lit).decide(one)
        assert outcome(with_it) == outcome(without)
        names = {rule["name"] for rule in lit["rules"]}
        assert tuple(trace for trace in with_it.rules if trace.rule in names) == without.rules
