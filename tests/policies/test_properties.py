"""What holds for any valid policy and any situation."""

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
    Answerable,
    AuthorView,
    CaseMode,
    CaseView,
    CustomerView,
    Intent,
    Mode,
    PostKind,
    RuleOutcome,
    SendsView,
    Sentiment,
    Situation,
    TeamsView,
    ThreadView,
    Urgency,
    Visibility,
)
from tests.policies.situations import FACTS, NOW, situation, understanding

TEAMS = ["care", "boss", "legal"]
NETWORKS = ["mastodon", "x", "mail"]
WORDS = ["factura", "abogado", "kill you", "gracias", "señal", "4111 1111 1111 1111", "🙄"]

teams = st.sampled_from(TEAMS)
names = st.text(max_size=60)
small = st.integers(0, 6)

conditions = st.fixed_dictionaries(
    {},
    optional={
        "intents": st.lists(st.sampled_from([i.value for i in Intent]), min_size=1, max_size=3),
        "sentiment": st.sampled_from([s.value for s in Sentiment]),
        "language": st.sampled_from(["es", "en", "de"]),
        "kind": st.sampled_from([k.value for k in PostKind]),
        "text.contains": st.sampled_from(["factur*", "gracias", "🙄"]),
        "author.followers": st.sampled_from([">= 10", "< 5", "100"]),
        "author.bot": st.booleans(),
        "customer.tier": st.just("gold"),
        "confidence": st.just(">= 0.7"),
        "age": st.just("> 1h"),
    },
)
whens = st.recursive(
    conditions,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "any": st.lists(inner, min_size=1, max_size=2),
            "none": inner,
            "all": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=4,
)
actions = st.one_of(
    st.fixed_dictionaries({"ignore": st.just("no matter")}),
    st.fixed_dictionaries(
        {"tags": st.just("t")},
        optional={
            "reply": st.sampled_from(["hello", "maybe", "private", "none", {"template": "hello", "mode": "manual"}]),
            "case": teams | st.sampled_from(["none", {}, {"skills": ["Lua"]}, {"team": "boss", "skills": "sql"}]),
            "urgency": st.sampled_from([*Urgency, "+1"]),
            "escalate": teams,
            "alert": st.sampled_from(["ops", ["ops", "press_desk"]]),
        },
    ),
)


sendings = st.sampled_from(
    ["auto", "manual", {"auto": "50%"}, {"auto": "5%", "ramp": {"to": "80%", "over": "7d", "starting": "2026-11-18"}}]
)
keepers = st.fixed_dictionaries({}, optional={"mode": sendings})


@st.composite
def scores(draw: st.DrawFn) -> dict[str, Any]:
    """What may stand under `score:`."""
    points = st.integers(-100, 100).filter(bool)
    parts = draw(st.lists(st.tuples(points, whens.filter(bool)), max_size=4))
    contributions = [{"name": f"part {n}", "points": worth, "when": when} for n, (worth, when) in enumerate(parts)]
    return {"minutes_per_point": draw(st.integers(1, 60)), "contributions": contributions}


@st.composite
def rooms(draw: st.DrawFn) -> dict[str, Any]:
    """The teams, with room and skills; whoever overflows does so to one further on."""
    made: dict[str, Any] = {}
    for place, team in enumerate(TEAMS):
        room = {"capacity": draw(st.integers(1, 3))} if draw(st.booleans()) else {}
        if room and TEAMS[place + 1 :] and draw(st.booleans()):
            room["overflow"] = draw(st.sampled_from(TEAMS[place + 1 :]))
        made[team] = room | draw(st.sampled_from([{}, {"skills": ["lua"]}]))
    return made


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A valid policy, as JSON, which is YAML."""
    rules = []
    for number in range(draw(st.integers(0, 4))):
        then = draw(actions)
        goes_on = draw(st.booleans()) and "ignore" not in then
        rules.append({"name": f"rule {number}", "when": draw(whens) or {"language": "es"}, "then": then})
        rules[-1] |= {"continue": True} if goes_on else {}
    data = {
        "name": "any",
        "mode": draw(sendings),
        "cases": draw(st.sampled_from(CaseMode)),
        "language": "es",
        "networks": {"x": {"mode": draw(sendings), "cases": draw(st.sampled_from(CaseMode))}},
        "teams": {team: room | draw(keepers) for team, room in draw(rooms()).items()},
        "score": draw(scores()),
        "default_team": draw(teams),
        "brand": {"name": "Acme", "signature": draw(st.sampled_from(["", "^A"]))},
        "guard": {
            "per_hour": draw(st.integers(0, 120)),
            "per_day": draw(st.integers(0, 1000)),
            "per_rule_per_day": draw(st.integers(0, 500)),
            "per_wording_per_day": draw(st.integers(0, 100)),
            "min_confidence": draw(st.sampled_from([0.5, 0.9, 1])),
        },
        "guidelines": {"greet_by_name": {"hold": draw(st.booleans())}, "no_promises": draw(st.booleans())},
        "templates": {
            "hello": {"es": ["Hola {{ author.name }}", "Hola"], "en": "Hi {{ author.first_name }}"},
            "maybe": {"es": "Caso{% if case.reference %} {{ case.reference }}{% endif %}", **draw(keepers)},
            "private": {"es": "A {% if customer.known %}{{ customer.name }}{% else %}ti{% endif %}"},
        },
        "rules": rules,
    }
    return json.dumps(data, ensure_ascii=False)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    intents = draw(st.lists(st.sampled_from(Intent), max_size=3, unique=True))
    facts = replace(FACTS, limit=draw(st.sampled_from([10, 280])), answerable=draw(st.sampled_from(Answerable)))
    customer = CustomerView(
        reference="C", name=draw(names), tier=draw(st.sampled_from(["", "gold"])), open_cases=draw(small)
    )
    return replace(
        situation(draw(st.lists(st.sampled_from(WORDS) | st.text(max_size=30), max_size=4).map(" ".join))),
        mention_id=draw(st.integers(0, 2**40)),
        source=draw(st.sampled_from(["brand-mentions", "x"])),
        content_warning=draw(st.sampled_from(["", "gracias", "salud: voy a matarme"])),
        url=draw(st.sampled_from([None, "https://example.social/@ana/1"])),
        has_media=draw(st.booleans()),
        unanswerable=draw(st.sampled_from(["", "", "", "the thread is locked"])),
        network=draw(st.sampled_from(NETWORKS)),
        kind=draw(st.sampled_from(PostKind)),
        visibility=draw(st.sampled_from(Visibility)),
        posted_at=NOW - timedelta(minutes=draw(st.integers(-60, 6000))),
        understanding=understanding(
            *intents,
            sentiment=draw(st.none() | st.sampled_from(Sentiment)),
            language=draw(st.sampled_from(["es", "en", "de", "und", "", "es-AR"])),
            score=draw(st.floats(0, 1)),
        ),
        author=AuthorView(
            handle=draw(names),
            display_name=draw(names),
            followers=draw(st.none() | st.integers(0, 10**7)),
            bot=draw(st.booleans()),
            opted_out=draw(st.booleans()),
            is_us=draw(st.booleans()),
            same_text_last_day=draw(small),
            quick_replies_last_day=draw(small),
            mentions_last_10_minutes=draw(st.integers(1, 20)),
        ),
        customer=draw(st.none() | st.just(customer)),
        thread=ThreadView(
            our_replies=draw(small), answered=draw(st.booleans()), repliers=tuple(draw(st.lists(names, max_size=2)))
        ),
        case=CaseView(
            reference=draw(st.sampled_from(["", "ES-26-000123-7"])),
            exists=draw(st.booleans()),
            team=draw(st.sampled_from(["", "care", "a team of old"])),
            urgency=draw(st.sampled_from(Urgency)),
        ),
        sends=SendsView(
            to_author_last_day=draw(small),
            in_thread=draw(small),
            last_hour=draw(st.integers(0, 130)),
            automatic_to_author_last_day=draw(st.integers(0, 2)),
            last_day=draw(st.integers(0, 1100)),
            by_rule_last_day=draw(st.dictionaries(st.sampled_from(["rule 0", "rule 1", "?"]), st.integers(0, 600))),
            wordings_before=tuple(draw(st.lists(st.text("0123456789abcdef", min_size=12, max_size=12), max_size=2))),
        ),
        facts=facts,
        teams=TeamsView(live_cases=draw(st.dictionaries(teams, st.integers(0, 4)))),
        paused=draw(st.booleans()),
        stranger=draw(st.booleans()),
        broke=draw(st.sampled_from(["", "the money is spent"])),
    )


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), st.lists(situations(), min_size=1, max_size=5), st.none() | st.sampled_from(Mode))
def test_what_always_holds(text: str, seen: list[Situation], mode: Mode | None) -> None:
    policy = policies.load_text(text, "any.yaml", mode=mode)
    again = policies.load_text(text, "any.yaml", mode=mode)
    for one in seen:
        decision = policy.decide(one)
        assert decision == policy.decide(one) == again.decide(one), "the same situation, the same decision"
        stopped = [trace for trace in decision.guards if trace.holds or trace.forbids]
        assert all(trace.reason for trace in stopped)
        assert all(not (trace.holds and trace.forbids) for trace in decision.guards)
        assert len(decision.guards) == 29
        assert decision.policy_version == policy.version
        if any(trace.forbids for trace in decision.guards):
            assert decision.reply is None, "nothing is drafted when it is forbidden"
        if decision.reply:
            assert decision.reply.text.strip()
            assert decision.reply.limit == one.facts.limit
            if decision.reply.mode is Mode.AUTO:
                assert not stopped, "auto only if every guard lets it pass"
                assert policy.mode_on(one.network) is not Mode.MANUAL
                assert {trace.mode for trace in decision.modes} == {Mode.AUTO}
                assert decision.reply.length <= decision.reply.limit
                assert decision.reply.alone_until == one.posted_at + policy.file.guard.max_age
                assert policy.review(decision.reply.text, one.facts, one.author.handle, visibility=one.visibility) == ()
        if decision.ignored:
            assert (decision.reply, decision.case, decision.needs_routing) == (None, None, False)
        if decision.needs_routing:
            assert decision.case is None
        assert decision.score == sum(part.points for part in decision.contributions)
        assert decision.contributions[0].points == decision.urgency.points
        assert abs(decision.score - decision.urgency.points) <= 100
        if decision.case:
            assert (decision.case.score, decision.case.head_start) == (decision.score, decision.head_start)
            assert decision.case.because
        outcomes = [trace.outcome for trace in decision.rules]
        assert len(outcomes) == len(policy.file.rules)
        reached = [outcome is not RuleOutcome.NOT_REACHED for outcome in outcomes]
        assert reached == sorted(reached, reverse=True), "what is not reached stands at the end"
        for trace in decision.rules:
            assert (trace.outcome is RuleOutcome.FAILED) == bool(trace.condition)


RISKY = st.sampled_from(["mi abogado", "quiero morirme", "soy periodista", "os voy a quemar", "soy menor"])


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), situations(), RISKY)
def test_danger_always_reaches_a_person(text: str, seen: Situation, risk: str) -> None:
    seen = replace(seen, text=f"{seen.text} {risk} !", author=replace(seen.author, bot=False, is_us=False))
    decision = policies.load_text(text, "any.yaml", mode=Mode.AUTO).decide(seen)
    assert decision.escalate_to
    assert decision.urgency is Urgency.CRITICAL
    assert decision.case is not None
    assert decision.reply is None or decision.reply.mode is Mode.MANUAL


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(situations())
def test_the_policies_that_come_with_escucha_never_break_a_promise(seen: Situation) -> None:
    for policy in SHIPPED:
        decision = policy.decide(seen)
        if decision.reply and "ES-26-000123-7" in decision.reply.text:
            assert decision.case is not None, "a reference is only quoted where a case stands behind it"


SHIPPED: list[Any] = [policies.load(path) for path in (policies.default_path(), *policies.examples().values())]
