"""What may go out alone, by all levels together, and what is said before it does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.types import Mode
from tests.policies.situations import situation

RULE = {"name": "complaint", "when": {"intents": ["complaint"]}, "then": {"reply": "sorry", "case": {"team": "care"}}}


def load(**places: Any) -> policies.Guarded:
    """A policy on auto with one rule; `team__mode` and such say more."""
    file: dict[str, Any] = {
        "name": "A",
        "language": "es",
        "mode": places.get("mode", "auto"),
        "teams": {"care": {"what": "All"}, **({"billing": places["billing"]} if "billing" in places else {})},
        "default_team": "care",
        "templates": {"sorry": {"en": "We are sorry.", "es": "Lo sentimos."}},
        "rules": [json.loads(json.dumps(RULE))],
    }
    if "team" in places:
        file["teams"]["care"]["mode"] = places["team"]
    if "template" in places:
        file["templates"]["sorry"]["mode"] = places["template"]
    if "rule" in places:
        file["rules"][0]["then"]["reply"] = {"template": "sorry", "mode": places["rule"]}
    if "area" in places:
        examples = [
            "activar el roaming",
            "no signal abroad",
            "datos en Chile",
            "roaming charges",
            "llamar desde Francia",
        ]
        file["areas"] = {"roaming": {"examples": examples} | ({"mode": places["area"]} if places["area"] else {})}
        if places.get("about"):
            file["rules"][0]["when"] = {"areas": ["roaming"]}
    return policies.load_text(json.dumps(file, ensure_ascii=False))


def dangers(old: policies.Guarded | None, new: policies.Guarded) -> list[str]:
    return policies.dangers(old, new, policies.differences(old, new) if old else ())


def test_what_a_team_and_a_template_leave_to_a_person_is_not_said_to_go_out_alone() -> None:
    for kept in (load(team="manual", template="manual"), load(team="manual"), load(template="manual")):
        assert dangers(None, kept) == []


def test_a_manual_that_is_taken_away_is_said_with_the_rules_that_answer_alone_from_then_on() -> None:
    assert dangers(load(team="manual", template="manual"), load()) == [
        "Rules that may answer alone now: “complaint”.",
        "Team “care” lets its replies go out alone now, where all else lets them; until now it left its replies to a "
        "person (manual).",
        "Template “sorry” lets its replies go out alone now, where all else lets them; until now it left its replies "
        "to a person (manual).",
    ]
    assert dangers(load(), load(team="manual")) == [
        "Answered by a person only, from now on: “complaint”.",
        "Team “care” leaves its replies to a person (manual) now; until now it let its replies go out alone.",
    ]


def test_a_share_on_any_level_is_a_share() -> None:
    alone = {"rule": "", "team": " (share of team “care”)", "template": " (share of template “sorry”)"}
    alone["mode"] = " (share of the policy)"
    for level, through in alone.items():
        said = dangers(
            load(team="manual") if level != "team" else load(rule="manual"), load(**{level: {"auto": "20%"}})
        )
        assert f"Rules that may answer alone for a share: “complaint”{through}." in said
    assert "Rules that may answer alone for a share: “complaint” (share of team “care”)." in dangers(
        load(), load(team={"auto": "20%"}, rule="auto")
    )
    assert not [said for said in dangers(None, load(team="manual", rule={"auto": "20%"})) if "complaint" in said]
    assert dangers(None, load(rule={"auto": "20%"})) == ["Rules that may answer alone for a share: “complaint”."]


def test_a_case_that_is_with_another_team_already_may_be_answered_alone() -> None:
    assert dangers(load(mode="manual"), load(team="manual", billing={}))[0] == (
        "Rules that may answer alone now: “complaint” (where the case is with “billing”)."
    )
    assert not [said for said in dangers(None, load(team="manual", billing={"mode": "manual"})) if "complaint" in said]


def test_an_area_keeps_only_what_must_be_about_it() -> None:
    kept, freed = load(area="manual", about=True), load(area=None, about=True)
    assert not [said for said in dangers(None, kept) if "complaint" in said]
    assert dangers(kept, freed) == [
        "Rules that may answer alone now: “complaint”.",
        "Area “roaming” lets its replies go out alone now, where all else lets them; until now it left its replies to "
        "a person (manual).",
    ]
    assert "Rules that may answer alone now: “complaint”." in dangers(None, load(area="manual"))


MODES = st.sampled_from(["auto", "manual", {"auto": "30%"}])


@given(st.fixed_dictionaries({"mode": MODES}, optional={key: MODES for key in ("team", "template", "rule", "area")}))
def test_nothing_goes_out_alone_that_was_not_said_to(places: dict[str, Any]) -> None:
    policy = load(**places)
    went = set()
    for number in range(60):
        decision = policy.decide(situation("Esto no va", "complaint", mention_id=number))
        went |= {decision.reply.mode} if decision.reply else set()
    listed = [said for said in dangers(None, policy) if "“complaint”" in said]
    assert Mode.AUTO not in went or listed
    assert listed or policy.alone(policy.file.rules[0]) is None


@pytest.mark.parametrize("level", ["team", "template", "rule"])
def test_a_share_under_a_manual_is_not_at_work(level: str) -> None:
    share = {level: {"auto": "20%"}}
    assert {name for _, name in load(**share).shares_at_work} == {named(level)}
    assert load(mode="manual", **share).shares_at_work == set()


def named(level: str) -> str:
    return {"team": "care", "template": "sorry", "rule": "complaint"}[level]
