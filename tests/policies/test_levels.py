"""Service levels and escalation chains: which one fits, by when, what follows, and what may be written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from listener.types import Clock, CustomerView, Occasion, Promise, Situation, Urgency
from policies.open_time import OpenTime, Span
from policies.partings import parting
from tests.policies.situations import situation

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
TEAMS = ("care", "billing", "bosses")
BASE: dict[str, Any] = {
    "name": "p",
    "teams": {team: {} for team in TEAMS},
    "default_team": "care",
    "rules": [],
    "calendars": {
        "office": {"hours": {"mon-fri": "09:00-17:00"}, "closed": ["2026-12-08"]},
        "late": {"time_zone": "America/Montevideo", "hours": {"daily": "20:00-02:00"}, "holidays": "UY"},
    },
}
LEVELS: dict[str, Any] = {
    "calendar": "office",
    "warn": "80%",
    "high": {"first_response": "1h", "resolution": "8h"},
    "normal": {"first_response": "4h", "resolution": "16h", "calendar": "none", "warn": "20m"},
    "critical": {"first_response": "15m", "warn": "none"},
    "only": [
        {"tier": ["Gold"], "team": "billing", "first_response": "30m"},
        {"network": "x", "urgency": ["high", "critical"], "first_response": "10m", "calendar": "late"},
        {"tier": "gold", "resolution": "6h", "urgency": "high"},
    ],
}
CHAINS: dict[str, Any] = {
    "on_warning": {"alert": "lead"},
    "on_breach": [{"after": "0m", "alert": "ops"}, {"after": "1h", "team": "bosses", "urgency": "+1"}],
    "teams": {"billing": {"on_breach": [{"alert": ["ops", "cfo"]}]}},
}


def loaded(**changes: Any) -> policies.Guarded:
    return policies.load_text(json.dumps({**BASE, **changes}), "p.yaml")


def promised(policy: policies.Guarded, **who: Any) -> Promise:
    asked = {"team": "care", "urgency": Urgency.HIGH, "network": "mastodon", "tier": "", "now": MONDAY, **who}
    return policy.promises.promise(**asked)


@pytest.mark.parametrize(
    ("who", "level", "first", "resolution", "calendar"),
    [
        ({}, "high", "1h", "8h", "office"),
        ({"urgency": Urgency.NORMAL}, "normal", "4h", "16h", ""),
        ({"urgency": Urgency.LOW}, "low", None, None, "office"),
        ({"team": "billing", "tier": "GOLD"}, "high, only team billing, tier Gold", "30m", "8h", "office"),
        ({"team": "billing", "tier": "gold", "urgency": Urgency.LOW}, "low, only team billing", "30m", None, "office"),
        ({"team": "billing", "tier": "silver"}, "high", "1h", "8h", "office"),
        ({"network": "X"}, "high, only network x, urgency high or critical", "10m", "8h", "late"),
        ({"network": "x", "tier": "gold"}, "high, only network x", "10m", "8h", "late"),
        ({"tier": "gold"}, "high, only tier gold, urgency high", "1h", "6h", "office"),
    ],
)
def test_the_first_level_that_fits_counts(
    who: dict[str, Any], level: str, first: str | None, resolution: str | None, calendar: str
) -> None:
    found = promised(loaded(service_levels=LEVELS), **who)
    assert found.level.startswith(level)
    assert found.calendar == calendar
    assert [found.first_response, found.resolution] == [each and span(each) for each in (first, resolution)]


def span(text: str) -> timedelta:
    unit = {"m": "minutes", "h": "hours"}[text[-1]]
    return timedelta(**{unit: int(text[:-1])})


def test_moments_and_steps_come_from_the_calendar() -> None:
    found = promised(loaded(service_levels=LEVELS, escalation=CHAINS), now=MONDAY + timedelta(hours=7, minutes=30))
    tuesday = MONDAY + timedelta(days=1)
    assert found.first_response_warning == tuesday + timedelta(minutes=18)
    assert found.first_response_due == tuesday + timedelta(minutes=30)
    assert found.resolution_due == tuesday + timedelta(hours=7, minutes=30)
    steps = [(each.clock, each.occasion, each.number, each.at, each.alerts, each.team) for each in found.steps]
    assert steps[:5] == [
        (Clock.FIRST_RESPONSE, Occasion.WARNING, 0, found.first_response_warning, (), ""),
        (Clock.FIRST_RESPONSE, Occasion.WARNING, 1, found.first_response_warning, ("lead",), ""),
        (Clock.FIRST_RESPONSE, Occasion.BREACH, 0, found.first_response_due, (), ""),
        (Clock.FIRST_RESPONSE, Occasion.BREACH, 1, found.first_response_due, ("ops",), ""),
        (Clock.FIRST_RESPONSE, Occasion.BREACH, 2, tuesday + timedelta(minutes=90), (), "bosses"),
    ]


def test_a_warning_comes_before_the_end_or_at_a_share_or_not_at_all() -> None:
    policy = loaded(service_levels=LEVELS)
    normal, critical = (promised(policy, urgency=each) for each in (Urgency.NORMAL, Urgency.CRITICAL))
    assert normal.first_response_warning == MONDAY + timedelta(hours=3, minutes=40)
    assert normal.resolution_warning == MONDAY + timedelta(hours=15, minutes=40)
    assert critical.first_response_warning is None
    assert {each.occasion for each in critical.steps} == {Occasion.BREACH}


def test_a_team_has_its_own_chain_and_the_others_elsewhere() -> None:
    policy = loaded(service_levels=LEVELS, escalation={**CHAINS, "on_information_needed": {"alert": "desk"}})
    found = promised(policy, team="billing")
    assert [each.alerts for each in found.steps if each.number] == [("lead",), ("ops", "cfo")] * 2
    assert [each.alerts for each in policy.promises.question("billing", calendar="", now=MONDAY)] == [("desk",)]


def test_the_decision_carries_the_level_of_its_customer_and_team() -> None:
    policy = loaded(
        service_levels=LEVELS,
        rules=[{"name": "r", "then": {"case": {"team": "billing", "urgency": "high"}}}],
        tests=[
            {
                "name": "gold",
                "mention": {"text": "hola", "intents": [], "customer.tier": "gold", "now": "2026-12-07T16:45Z"},
                "expect": {"first_response": "30m", "first_response_due": "2026-12-09T09:15Z", "resolution": "8h"},
            }
        ],
    )
    gold = replace(situation("hola"), customer=CustomerView(reference="C", name="A", tier="gold"))
    decision = policy.decide(gold)
    assert decision.case is not None
    assert decision.case.promise.level == "high, only team billing, tier Gold"
    assert decision.case.first_response == timedelta(minutes=30)
    assert policies.run_tests(policy) == []


def test_a_test_says_what_was_promised_instead() -> None:
    expect = {"first_response": "2h", "resolution": "none", "resolution_due": "2026-01-15T12:00Z"}
    policy = loaded(
        service_levels={"normal": {"first_response": "1h", "resolution": "8h", "calendar": "office"}},
        cases="every",
        tests=[{"name": "t", "mention": {"text": "hola", "intents": []}, "expect": expect}],
    )
    (failed,) = policies.run_tests(policy)
    assert "expected first_response `2h`, came `1h` (level: normal)" in failed
    assert "expected resolution `none`, came `8h`" in failed
    assert "expected resolution_due `2026-01-15T12:00Z`, came `2026-01-15T12:00Z`" not in failed


def test_what_the_page_says_can_be_used_and_its_test_passes() -> None:
    docs = Path(__file__).parents[2] / "docs"
    smallest, *_ = re.findall(r"```yaml\n(.*?)```", (docs / "policies.md").read_text("utf-8"), re.DOTALL)
    levels, tests = re.findall(r"```yaml\n(.*?)```", (docs / "service-levels.md").read_text("utf-8"), re.DOTALL)
    data = {**yaml.safe_load(smallest), **yaml.safe_load(levels), **yaml.safe_load(tests)}
    data["teams"] |= {"billing": {}, "supervisors": {}}
    policy = policies.load_text(json.dumps(data, default=str), "docs/service-levels.md")
    assert policies.run_tests(policy) == []
    assert policies.in_vain(policy) == []


# --- what may be written ---


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"service_levels": {"high": {"calendar": "ofice"}}}, "no calendar `ofice`", id="calendar"),
        pytest.param({"service_levels": {"only": {"team": "bilin", "warn": "5m"}}}, "no team `bilin`", id="team"),
        pytest.param({"service_levels": {"warn": "eighty"}}, "no time for a warning", id="warn"),
        pytest.param({"service_levels": {"warn": "0%"}}, "no time for a warning", id="warn at once"),
        pytest.param({"service_levels": {"only": {"first_response": "5m"}}}, "this fits every case", id="for all"),
        pytest.param({"service_levels": {"only": {"tier": "gold"}}}, "this changes nothing", id="no promise"),
        pytest.param(
            {"service_levels": {"high": {"resolution": "2h"}, "only": {"tier": "gold", "first_response": "3h"}}},
            "longer than the `resolution` that holds at urgency high, 2h",
            id="longer than what it inherits",
        ),
        pytest.param(
            {"service_levels": {"warn": "15m", "high": {"first_response": "15m"}}},
            "`warn: 15m` leaves no time",
            id="late",
        ),
        pytest.param(
            {"service_levels": {"calendar": "office", "low": {"resolution": "90d"}}},
            "takes more than a year of `office`, which is open 40h a week",
            id="never done",
        ),
        pytest.param(
            {
                "service_levels": {"calendar": "office", "low": {"resolution": "9d"}},
                "escalation": {"on_breach": {"after": "90d", "alert": "a"}},
            },
            "`after: 90d` takes more than a year of `office`, which is open 40h a week; a day is 24 open hours there",
            id="a step that never comes",
        ),
        pytest.param({"escalation": {"on_breach": [{"after": "1h"}]}}, "this step does nothing", id="nothing"),
        pytest.param({"escalation": {"on_breach": {"team": "boses"}}}, "no team `boses`", id="team of a step"),
        pytest.param({"escalation": {"teams": {"x": {}}}}, "no team `x`", id="team of a chain"),
        pytest.param(
            {"escalation": {"on_breach": [{"after": "2h", "alert": "a"}, {"after": "1h", "alert": "b"}]}},
            "do not stand in order",
            id="order",
        ),
        pytest.param({"escalation": {"on_breach": {"alert": "a", "urgency": "+3"}}}, "is no urgency", id="urgency"),
        pytest.param({"escalation": {"on_beach": {"alert": "a"}}}, "`on_beach` is not known here", id="key"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_with_its_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        loaded(**changes)
    assert any(said in each and each.startswith("p.yaml:1: ") for each in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("levels", "chains", "refused"),
    [
        pytest.param({"calendar": "office"}, {}, True, id="office"),
        pytest.param({"calendar": "none"}, {}, False, id="all time"),
        pytest.param({"calendar": "office", "low": {}}, {}, False, id="nothing promised"),
        pytest.param({"only": {"team": "care", "calendar": "office"}}, {}, True, id="of one team"),
        pytest.param(
            {"only": {"team": "care", "calendar": "office"}},
            {"teams": {"care": {"on_breach": {"alert": "b"}}}},
            False,
            id="of one team that has its own",
        ),
        pytest.param(
            {"calendar": "office"},
            {"teams": {team: {"on_breach": {"alert": "b"}} for team in TEAMS}},
            False,
            id="each has its own",
        ),
    ],
)
def test_a_step_may_take_a_year_of_the_calendars_on_which_its_chain_runs(
    levels: dict[str, Any], chains: dict[str, Any], refused: bool
) -> None:
    late = [{"after": "1h", "alert": "a"}, {"after": "2081h", "alert": "a"}]
    asked = {
        "service_levels": {"low": {"resolution": "2d"}, **levels},
        "escalation": {"on_breach": late, **chains},
    }
    allowed = {**asked, "escalation": {"on_breach": [late[0], {"after": "2080h", "alert": "a"}], **chains}}
    assert loaded(**allowed)
    if not refused:
        assert loaded(**asked)
        return
    with pytest.raises(PolicyProblem) as caught:
        loaded(**asked)
    assert len(caught.value.problems) == 1


def test_a_question_and_a_warning_run_on_the_calendar_of_the_case() -> None:
    late = {"after": "90d", "alert": "a"}
    own = {"only": {"team": "care", "calendar": "office"}, "low": {"resolution": "2d"}}
    for levels, chains, refused in (
        (own, {"teams": {"billing": {"on_information_needed": late}}}, True),
        (own, {"teams": {"billing": {"on_warning": late}}}, False),
        ({**own, "warn": "80%"}, {"on_warning": late}, True),
        (own, {"on_warning": late, "on_breach": {"alert": "a"}}, False),
    ):
        if refused:
            with pytest.raises(PolicyProblem, match="takes more than a year of `office`"):
                loaded(service_levels=levels, escalation=chains)
        else:
            assert loaded(service_levels=levels, escalation=chains)


def test_a_long_chain_is_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = loaded(
        service_levels={"calendar": "office", "warn": "none", "high": {"first_response": "20h"}},
        escalation={"on_breach": [{"after": f"{100 * number}h", "alert": "a"} for number in range(20)]},
    )
    walks: list[datetime] = []
    walk = OpenTime._spans

    def counted(clock: OpenTime, start: datetime) -> Iterator[Span]:
        walks.append(start)
        return walk(clock, start)

    monkeypatch.setattr(OpenTime, "_spans", counted)
    found = promised(policy)
    assert len(walks) == 2
    due, *steps = (each.at for each in found.steps)
    clock = policy.promises._clocks["office"]
    assert steps == [clock.after(due, timedelta(hours=100 * number)) for number in range(20)]


def test_levels_and_chains_in_vain_are_named() -> None:
    policy = loaded(
        service_levels={
            "high": {"first_response": "1h"},
            "only": [
                {"tier": ["gold", "Silver"], "first_response": "30m"},
                {"tier": "silver", "team": "billing", "first_response": "10m"},
                {"team": "billing", "first_response": "20m"},
            ],
        },
        escalation={"on_warning": {"alert": "lead"}},
    )
    found = policies.in_vain(policy, "p.yaml")
    assert any("no case gets this level (team billing, tier silver)" in each for each in found)
    assert any("nothing warns" in each for each in found)
    assert len(found) == 2
    assert policies.in_vain(loaded(service_levels=LEVELS, escalation=CHAINS)) == []


def test_every_alert_that_is_named_is_known_with_its_place() -> None:
    policy = loaded(service_levels=LEVELS, escalation=CHAINS)
    assert [named.target for named in policies.targets(policy)] == ["lead", "ops", "ops", "cfo"]
    (unknown,) = policies.unknown_targets(policy, {"lead", "ops"}, "p.yaml")
    assert unknown.startswith("p.yaml:1: the settings have no `[alerts.cfo]`")


def test_changes_are_told_in_words() -> None:
    old, new = loaded(service_levels=LEVELS), loaded(service_levels={**LEVELS, "warn": "50%"}, escalation=CHAINS)
    said = [each.sentence for each in policies.differences(old, new)]
    assert "Service levels: `warn` is now 50%; it was 80%." in said
    assert any(
        each.startswith(
            "Escalation: `on_breach` gains {after: 0s, alert: [ops]}, {after: 1h, team: bosses, urgency: “+1”}"
        )
        for each in said
    )


def test_a_policy_compared_with_another_calendar_promises_otherwise() -> None:
    old = loaded(service_levels={"normal": {"first_response": "1h"}})
    new = loaded(service_levels={"normal": {"first_response": "1h", "calendar": "late"}})
    run = policies.replay.Comparison(old, new)
    run.add(1, situation("hola"))
    assert run.tally.report()["what"] == {"service level": 1}


# --- for any of them ---

spans = st.sampled_from(["5m", "30m", "1h", "3h", "8h", "1d"])
some_calendar = st.sampled_from(["office", "late", "none"])
level = st.fixed_dictionaries({}, optional={"first_response": spans, "calendar": some_calendar, "warn": st.just("50%")})
an_only = st.fixed_dictionaries(
    {"warn": st.sampled_from(["10%", "none", "99%"])},
    optional={
        "first_response": spans,
        "calendar": some_calendar,
        "network": st.sampled_from(["x", ["mastodon", "mail"]]),
        "team": st.sampled_from([*TEAMS, ["care", "billing"]]),
        "tier": st.sampled_from(["gold", ["Gold", "silver"]]),
        "urgency": st.sampled_from([*Urgency, ["high", "low"]]),
    },
).filter(lambda block: block.keys() & {"network", "team", "tier", "urgency"})
step = st.fixed_dictionaries(
    {"alert": st.sampled_from(["ops", ["ops", "lead"]])},
    optional={"team": st.sampled_from(TEAMS), "urgency": st.sampled_from(["+1", "critical"])},
)
chain = st.lists(step, min_size=1, max_size=3).map(
    lambda steps: [each | {"after": f"{number}h"} for number, each in enumerate(steps)]
)
chains = st.fixed_dictionaries(
    {}, optional={key: chain for key in ("on_warning", "on_breach", "on_information_needed")}
)
service_levels = st.fixed_dictionaries(
    {"only": st.lists(an_only, max_size=4)},
    optional={**{each.value: level for each in Urgency}, "calendar": some_calendar, "warn": st.just("75%")},
)
escalations = st.builds(lambda own, team: {**own, "teams": {"billing": team}}, chains, chains)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    service_levels,
    escalations,
    st.sampled_from(TEAMS),
    st.sampled_from(Urgency),
    st.sampled_from(["x", "mail", "bluesky"]),
    st.sampled_from(["", "gold", "silver", "bronze"]),
    moments,
)
def test_any_promise_is_in_order_and_always_the_same(
    levels: dict[str, Any],
    escalation: dict[str, Any],
    team: str,
    urgency: Urgency,
    network: str,
    tier: str,
    now: datetime,
) -> None:
    policy = loaded(service_levels=levels, escalation=escalation)
    asked = {"team": team, "urgency": urgency, "network": network, "tier": tier, "now": now}
    found = policy.promises.promise(**asked)
    assert found == loaded(service_levels=levels, escalation=escalation).promises.promise(**asked)
    fits = [only for only in policy.file.service_levels.only if _fits(only, team, urgency, network, tier)]
    assert (", only " in found.level) == bool(fits)
    if fits and fits[0].first_response:
        assert found.first_response == fits[0].first_response
    due = found.first_response_due
    assert (due is None) == (found.first_response is None)
    if due is not None:
        assert now < due
        assert now <= (found.first_response_warning or now) <= due
    for occasion in Occasion:
        at = [each.at for each in found.steps if each.occasion is occasion]
        assert at == sorted(at)
        assert [each.number for each in found.steps if each.occasion is occasion] == list(range(len(at)))


def _fits(only: Any, team: str, urgency: Urgency, network: str, tier: str) -> bool:
    wanted = ((only.network, network), (only.team, team), (only.tier, tier), (only.urgency, urgency))
    return all(names is None or came in [str(name).casefold() for name in names] for names, came in wanted)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(service_levels, escalations, moments)
def test_any_decision_about_a_case_carries_its_promise(
    levels: dict[str, Any], escalation: dict[str, Any], now: datetime
) -> None:
    policy = loaded(service_levels=levels, escalation=escalation, cases="every")
    seen: Situation = replace(situation("hola"), now=now, posted_at=now - timedelta(hours=1))
    decision = policy.decide(seen)
    assert decision.case is not None
    assert decision == policy.decide(seen)
    assert decision.case.promise == policy.promises.promise(
        team=decision.case.team, urgency=decision.case.urgency, network=seen.network, tier="", now=now
    )


# --- where two policies part -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "chains", "kind", "why"),
    [
        (
            {"high": {"first_response": "1h", "warn": "80%"}},
            {"high": {"first_response": "1h", "warn": "50%"}},
            None,
            "warnings",
            "Of the warnings, before the first answer is late it comes sooner now.",
        ),
        (
            {"warn": "80%", "high": {"first_response": "1h", "resolution": "8h", "warn": "none"}},
            {"warn": "80%", "high": {"first_response": "1h", "resolution": "8h"}},
            None,
            "warnings",
            "Of the warnings, before the first answer is late there is one now, and before the solution is late there "
            "is one now.",
        ),
        (
            {"high": {"first_response": "1h"}},
            {"high": {"first_response": "30m", "resolution": "8h", "calendar": "office"}},
            None,
            "service levels",
            "Something else is promised: the first answer is promised within 30m and was within 1h; the solution is "
            "promised within 8h and was not at all; the clock runs by the calendar “office” and ran round the clock.",
        ),
        (
            {"high": {"first_response": "1h"}},
            {"high": {"first_response": "1h"}, "only": {"team": "care", "resolution": "8h"}},
            None,
            "service levels",
            "Something else is promised: the level is “high, only team care” and was “high”; the solution is promised "
            "within 8h and was not at all.",
        ),
        (
            {"high": {"first_response": "1h"}},
            {"high": {"first_response": "1h"}},
            {"on_breach": {"alert": "ops"}},
            "escalation",
            "Other steps follow a breach.",
        ),
    ],
)
def test_two_policies_part_in_what_they_promise_and_not_in_the_score(
    old: dict[str, Any], new: dict[str, Any], chains: dict[str, Any] | None, kind: str, why: str
) -> None:
    rules = [{"name": "down", "when": {"intents": ["outage_report"]}, "then": {"case": {"urgency": "high"}}}]
    before = loaded(rules=rules, service_levels=old)
    after = loaded(rules=rules, service_levels=new, **({"escalation": chains} if chains else {}))
    seen = situation("Sin internet", "outage_report", now=MONDAY, posted_at=MONDAY)
    found = parting(before, before.decide(seen), after, after.decide(seen))
    assert (found.kind, found.why) == (kind, why)
    run = policies.replay.Comparison(before, after)
    run.add(1, seen)
    assert run.tally.report()["what"] == {"service level": 1}
    assert run.tally.report()["why"] == {kind: 1}


def test_two_policies_part_in_the_hours_of_a_calendar() -> None:
    rules = [{"name": "down", "when": {"intents": ["outage_report"]}, "then": {"case": {"urgency": "high"}}}]
    levels = {"calendar": "office", "high": {"first_response": "10h"}}
    later = BASE["calendars"] | {"office": {"hours": {"mon-fri": "09:00-12:00"}}}
    before, after = (
        loaded(rules=rules, service_levels=levels),
        loaded(rules=rules, service_levels=levels, calendars=later),
    )
    seen = situation("Sin internet", "outage_report", now=MONDAY, posted_at=MONDAY)
    found = parting(before, before.decide(seen), after, after.decide(seen))
    assert found.why == (
        "Something else is promised: the clock runs by the calendar “office”, which has other hours or days now."
    )
