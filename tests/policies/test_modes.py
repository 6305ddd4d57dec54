"""Who sends: the settings, the policy, the network, the team, the area, the template, the rule; the strictest holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from listener.types import Decision, Level, Mode, Situation
from policies.rehearse import try_one
from policies.sample import Sample
from policies.shares import draw
from tests.policies.situations import situation
from tests.policies.test_language_properties import everything, files

FILE: dict[str, Any] = {
    "name": "one",
    "mode": "auto",
    "language": "es",
    "networks": {"x": {}},
    "teams": {"care": {}, "billing": {}},
    "default_team": "care",
    "templates": {"hello": {"es": "Hola"}},
    "areas": {name: {"examples": [f"{name} uno {place}" for place in "abcde"]} for name in ("roaming", "bills")},
    "rules": [{"name": "thanks", "then": {"reply": {"template": "hello"}}}],
}
PLACES: dict[Level, tuple[str, ...]] = {
    Level.POLICY: (),
    Level.NETWORK: ("networks", "mastodon"),
    Level.TEAM: ("teams", "care"),
    Level.AREA: ("areas", "roaming"),
    Level.TEMPLATE: ("templates", "hello"),
}
NAMES = {level: place[-1] if place else "" for level, place in PLACES.items()} | {Level.RULE: "thanks"}


def policy(said: dict[Level, Any], **more: Any) -> policies.Guarded:
    """The policy above where each of these levels says that."""
    data = json.loads(json.dumps(FILE))
    for level, mode in said.items():
        inner = data["rules"][0]["then"]["reply"] if level is Level.RULE else data
        for key in PLACES.get(level, ()):
            inner = inner.setdefault(key, {})
        inner["mode"] = mode
    return policies.load_text(json.dumps(data), **more)


def seen(number: int = 1, *, areas: tuple[str, ...] = ("roaming", "bills"), **changes: Any) -> Situation:
    one = situation("Gracias", "praise", mention_id=number, **changes)
    return replace(one, understanding=replace(one.understanding, areas=areas))


def mode_of(decision: Decision) -> Mode:
    assert decision.reply is not None
    return decision.reply.mode


@pytest.mark.parametrize("level", [*PLACES, Level.RULE])
def test_each_level_keeps_a_reply_and_says_so(level: Level) -> None:
    decision = policy({level: "manual"}).decide(seen())
    assert mode_of(decision) is Mode.MANUAL
    (kept,) = [trace for trace in decision.modes if trace.mode is Mode.MANUAL]
    assert (kept.level, kept.name) == (level, NAMES[level])
    assert kept.said == f"{f'{level} {NAMES[level]}' if NAMES[level] else 'the policy'} leaves it to a person"
    assert mode_of(policy({level: "auto"}).decide(seen())) is Mode.AUTO


@pytest.mark.parametrize("level", [*PLACES, Level.RULE])
def test_each_level_lets_a_share_go_and_says_what_was_drawn(level: Level) -> None:
    half = policy({level: {"auto": "50%"}})
    alone = 0
    for number in range(400):
        decision = half.decide(seen(number))
        (drawn,) = [trace for trace in decision.modes if trace.lot is not None]
        assert (drawn.level, drawn.name, drawn.share) == (level, NAMES[level], 50)
        assert drawn.lot is not None
        assert (drawn.lot < 50) is (mode_of(decision) is Mode.AUTO) is (drawn.mode is Mode.AUTO)
        thing = f"{level} {NAMES[level]}" if NAMES[level] else "the policy"
        verdict = "may go out alone" if drawn.mode is Mode.AUTO else "a person sees it"
        assert drawn.said == f"drew {drawn.lot:.2f} of 100 for the share of 50% of {thing}: {verdict}"
        alone += drawn.mode is Mode.AUTO
    assert 150 < alone < 250


def test_of_several_shares_a_mention_must_be_in_all_and_draws_for_each_by_itself() -> None:
    said = {level: {"auto": "70%"} for level in [*PLACES, Level.RULE]}
    strict = policy(said)
    for number in range(200):
        decision = strict.decide(seen(number))
        levels = [trace.level for trace in decision.modes]
        assert levels == [Level.NETWORK, Level.TEAM, Level.AREA, Level.TEMPLATE, Level.RULE], "the network's own counts"
        assert len({trace.lot for trace in decision.modes}) == 5
        assert (mode_of(decision) is Mode.AUTO) is all(trace.mode is Mode.AUTO for trace in decision.modes)


def test_things_that_share_a_name_draw_apart() -> None:
    lots = {draw("x", 7, name) for name in ("care", "team\0care", "area\0care", "template\0care", "network\0care")}
    assert len(lots) == 5


def test_a_network_without_a_mode_draws_for_the_policy() -> None:
    (trace,) = policy({Level.POLICY: {"auto": "50%"}}).decide(seen(network="x")).modes
    assert (trace.level, trace.name) == (Level.POLICY, "")
    assert trace.lot == draw("x", 1, "policy\0")


def test_only_the_strongest_area_counts_whatever_its_capitals() -> None:
    manual = policy({Level.AREA: "manual"})
    for areas, mode in (
        ((), Mode.AUTO),
        (("bills", "roaming"), Mode.AUTO),
        (("Roaming",), Mode.MANUAL),
        (("unknown", "roaming"), Mode.AUTO),
    ):
        assert mode_of(manual.decide(seen(areas=areas))) is mode


def test_the_team_is_the_cases_and_says_nothing_where_there_is_no_case() -> None:
    data = json.loads(json.dumps(FILE)) | {"cases": "routed"}
    data["teams"]["care"] = data["teams"]["billing"] = {"mode": "manual"}
    loaded = policies.load_text(json.dumps(data))
    assert mode_of(loaded.decide(seen())) is Mode.AUTO
    joined = seen(case__exists=True, case__team="billing")
    assert [trace.name for trace in loaded.decide(joined).modes] == ["", "billing"]
    assert mode_of(loaded.decide(joined)) is Mode.MANUAL


def test_whoever_wants_a_person_is_named() -> None:
    data = json.loads(json.dumps(FILE))
    data["rules"].insert(0, {"name": "careful", "then": {"person": True}, "continue": True})
    decision = policies.load_text(json.dumps(data)).decide(seen())
    assert mode_of(decision) is Mode.MANUAL
    assert [trace.said for trace in decision.modes] == [
        "the policy lets it go out alone",
        "rule careful wants a person to look",
    ]


@pytest.mark.parametrize(
    ("said", "more", "first"),
    [
        ({}, {"mode": Mode.MANUAL}, "the settings leave it to a person"),
        ({Level.NETWORK: {"auto": "50%"}}, {"mode": Mode.MANUAL}, "the settings leave it to a person"),
        ({Level.NETWORK: {"auto": "0.01%"}}, {"modes": {"Mastodon": Mode.AUTO}}, "the settings let it go out alone"),
        ({Level.POLICY: {"auto": "0.01%"}}, {"mode": Mode.AUTO}, "the settings let it go out alone"),
        ({Level.NETWORK: "manual"}, {"mode": Mode.AUTO}, "network mastodon leaves it to a person"),
        ({Level.TEAM: "manual"}, {"mode": Mode.AUTO}, "the settings let it go out alone"),
    ],
)
def test_the_settings_keep_their_meaning(said: dict[Level, Any], more: dict[str, Any], first: str) -> None:
    decision = policy(said, **more).decide(seen())
    assert decision.modes[0].said == first
    assert (mode_of(decision) is Mode.MANUAL) is ("person" in first or Level.TEAM in said)


def test_settings_that_change_nothing_keep_the_version() -> None:
    shared = policy({Level.POLICY: {"auto": "50%"}})
    assert policy({Level.POLICY: {"auto": "50%"}}, modes={"x": Mode.AUTO}).version != shared.version
    assert policy({Level.POLICY: "auto"}, mode=Mode.AUTO).version == policy({Level.POLICY: "auto"}).version


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        ({"kept_by": "team"}, ""),
        ({"kept_by": ["team"], "mode": "manual"}, ""),
        ({"kept_by": "none"}, "expected kept_by `none`, came `team` (team care leaves it to a person)"),
        ({"mode": "auto"}, "expected mode `auto`, came `manual` (team care leaves it to a person)"),
        ({"kept_by": "area"}, "expected kept_by `area`, came `team` (team care leaves it to a person)"),
    ],
)
def test_a_test_may_expect_who_keeps_it(expect: dict[str, Any], sentence: str) -> None:
    mention = {"text": "Gracias", "intents": ["praise"], "sentiment": "positive"}
    sample = Sample.model_validate({"name": "t", "mention": mention, "expect": expect})
    found = try_one(policy({Level.TEAM: "manual"}), sample)
    assert [said for _, said in found] == ([sentence] if sentence else [])


def test_a_level_that_is_none_is_refused_in_a_test() -> None:
    data = json.loads(json.dumps(FILE))
    data["tests"] = [{"name": "t", "mention": {"text": "Hola", "intents": []}, "expect": {"kept_by": "tema"}}]
    (failure,) = policies.run_tests(policies.load_text(json.dumps(data)))
    assert "there is no level `tema`; did you mean `team`?" in failure


@pytest.mark.parametrize("place", ["mode", "teams", "areas", "templates", "networks"])
def test_what_is_no_mode_is_refused_everywhere(place: str) -> None:
    data = json.loads(json.dumps(FILE))
    if place == "mode":
        data["mode"] = {"auto": "110%"}
    else:
        next(iter(data[place].values()))["mode"] = {"auto": "110%"}
    with pytest.raises(PolicyProblem, match="write it like 10%"):
        policies.load_text(json.dumps(data))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(), st.lists(everything(), min_size=1, max_size=4))
def test_any_policy_says_who_kept_any_reply(data: dict[str, Any], situations: list[Situation]) -> None:
    loaded = policies.load_text(json.dumps(data, ensure_ascii=False))
    for one in situations:
        decision = loaded.decide(one)
        if decision.reply is None:
            continue
        stopped = any(trace.holds for trace in decision.guards)
        kept = [trace for trace in decision.modes if trace.mode is Mode.MANUAL]
        assert (decision.reply.mode is Mode.MANUAL) is (bool(kept) or stopped)
        assert decision.modes[0].level in {Level.SETTINGS, Level.POLICY, Level.NETWORK}
        assert all(trace.said and len(trace.said) < 300 for trace in decision.modes)
        assert all((trace.lot is None) is (trace.share is None) for trace in decision.modes)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(), st.lists(everything(), min_size=1, max_size=4), st.data())
def test_nothing_goes_out_alone_in_an_open_case_of_a_team_that_reads_all(
    data: dict[str, Any], situations: list[Situation], chosen: st.DataObject
) -> None:
    team = chosen.draw(st.sampled_from(sorted(data["teams"])))
    teams = {**data["teams"], team: {**(data["teams"][team] or {}), "mode": "manual"}}
    loaded = policies.load_text(json.dumps({**data, "mode": "auto", "teams": teams}, ensure_ascii=False))
    for one in situations:
        reply = loaded.decide(replace(one, case=replace(one.case, exists=True, team=team))).reply
        assert reply is None or reply.mode is Mode.MANUAL


def test_an_open_case_keeps_a_reply_of_a_rule_that_opens_none() -> None:
    data = json.loads(json.dumps(FILE))
    data["teams"]["billing"] = {"mode": "manual"}
    for then in ({"case": "none"}, {"escalate": "care"}, {}):
        data["rules"][0]["then"] = {"reply": {"template": "hello"}, **then}
        one = policies.load_text(json.dumps(data))
        case = replace(seen().case, exists=True, team="billing")
        decision = one.decide(replace(seen(), case=case))
        assert mode_of(decision) is Mode.MANUAL
        assert [trace.said for trace in decision.modes if trace.mode is Mode.MANUAL] == [
            "team billing leaves it to a person"
        ]
