"""What a policy says of what hits many at once, and what it does while that lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import policies
from listener.errors import PolicyProblem
from listener.types import IncidentRules, Mode, NoticeRules
from policies.sample import Said, understood
from policies.sample import situation as situation_of

SMALL = """name: small
language: es
teams: {care: {}}
default_team: care
templates: {hello: {es: "Hola"}}
rules: [{name: all, then: {reply: hello}}]
"""


def load(more: str = "") -> policies.Guarded:
    return policies.load_text(f"{SMALL}{more}\n", "p.yaml")


def test_what_is_not_written_is_as_the_types_say() -> None:
    policy = load()
    assert (policy.incident_rules, policy.notice_rules) == (IncidentRules(), NoticeRules())
    assert (policy.places, policies.targets(policy)) == ({}, ())
    assert policy.incident_rules.hold_replies
    assert policy.incident_rules.two_people
    assert policy.notice_rules.two_people


def test_what_is_written_is_what_those_who_work_by_it_get() -> None:
    policy = load(
        """places: {Lleida: [Lérida, el   Segrià], Vic: []}
incidents:
  {propose: false, alert: ops, least: 5, mode: auto, hold_replies: false, hold_cheer: false, first_response: 2h,
   resolution: 1d, resolution_from: end, answers_per_hour: 40, review_sample: 2.5%, two_people: false}
notices: {two_people: false}"""
    )
    assert policy.places == {"Lleida": ("Lleida", "Lérida", "el Segrià"), "Vic": ("Vic",)}
    assert policy.incident_rules == IncidentRules(
        propose=False,
        alert=("ops",),
        least=5,
        mode=Mode.AUTO,
        hold_replies=False,
        hold_cheer=False,
        first_response=timedelta(hours=2),
        resolution=timedelta(days=1),
        resolution_from_end=True,
        answers_per_hour=40,
        review_sample=2.5,
        two_people=False,
    )
    assert policy.notice_rules == NoticeRules(two_people=False)
    assert [named.target for named in policies.targets(policy)] == ["ops"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("incidents: {least: 2}", "`2` is no number of mentions; write a whole number from 3"),
        ("incidents: {answers_per_hour: 0}", "`0` is no number of replies; write a whole number from 1"),
        ("incidents: {review_sample: 10}", "write it like 10%"),
        ("incidents: {mode: {auto: 10%}}", "use one of `auto`, `manual`"),
        ("incidents: {resolution_from: end}", "add `resolution:`"),
        ("incidents: {first_response: 2d, resolution: 1d}", "swap or correct them"),
        ("incidents: {hold_reply: true}", "did you mean `hold_replies`?"),
        ("notices: {two_people: 1}", "`true` or `false`"),
        ("places: {Vic: ['v*']}", "`v*` does not name a place"),
        ("places: {'!!': Vic}", "`!!` does not name a place"),
        ("places: {Vic: [Vich], vích: []}", "`vích` names the place `Vic` as well"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_next_step(written: str, told: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        load(written)
    (problem,) = caught.value.problems
    assert problem.startswith("p.yaml:7: ")
    assert told in problem


def test_nothing_of_it_changes_unsaid() -> None:
    new = load(
        "places: {Vic: Vich}\nincidents: {least: 5, review_sample: 5%, resolution: 1d}\nnotices: {two_people: false}"
    )
    assert [each.sentence for each in policies.differences(load(), new)] == [
        "Incidents: `least` is now 5; it was 10.",
        "Incidents: `review_sample` is now 5%; it was 10%.",
        "Incidents: `resolution` is now 1d; it was not set.",
        "Notices: `two_people` is now false; it was true.",
        "Place “Vic” is new: [Vich].",
    ]


@pytest.mark.parametrize(
    ("said", "here", "lasting"),
    [
        ({}, False, 0),
        ({"incident.title": "Outage"}, True, 1),
        ({"incident.here": False}, False, 1),
        ({"incident.here": True, "incident.state": "resolved"}, True, 0),
        ({"incident.number": 7, "incident.answers": {"ES": "Lo sabemos."}, "incident.avoid": "en una hora"}, True, 1),
    ],
)
def test_a_test_of_a_policy_can_speak_of_an_incident(said: dict[str, Any], here: bool, lasting: int) -> None:
    mention = Said.model_validate({"text": "Sin línea", **said})
    seen = situation_of(mention, understood(mention, "es"), None)
    assert (seen.incident is not None, len(seen.incidents)) == (here, lasting)
    if seen.incident:
        assert seen.incident.since == mention.now - timedelta(hours=1)
    if "incident.number" in said:
        assert seen.incidents == (seen.incident,)
        assert seen.incident is not None
        assert seen.incident.reference == "I7"
        assert (seen.incident.answers, seen.incident.avoid) == ({"es": ("Lo sabemos.",)}, ("en una hora",))
