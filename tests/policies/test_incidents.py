"""What a policy says of what hits many at once, and what it does while that lasts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import policies
from listener import situations
from listener.errors import PolicyProblem
from listener.types import (
    Clock,
    Decision,
    IncidentRules,
    IncidentState,
    IncidentView,
    Mode,
    NoticeRules,
    Situation,
    Urgency,
)
from policies.sample import Said, understood
from policies.sample import situation as situation_of
from tests.policies.situations import NOW, situation
from tests.policies.test_language_properties import everything

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
        "Incidents: `least` is now 5; it was 8.",
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


# --- while it lasts --------------------------------------------------------------------------------------------------

LASTING = IncidentView(
    number=3,
    title="Corte en Lleida",
    state=IncidentState.FIXING,
    since=NOW - timedelta(hours=1),
    answers={
        "es": (
            "Lo sabemos, {{ author.first_name }}. Tu caso: {{ case.reference }}.",
            "Estamos en ello; caso {{ case.reference }}.",
        ),
        "en": ("We know, {{ author.first_name }}. Your case: {{ case.reference }}.",),
    },
    avoid=("en una hora", "garantiz*"),
)
AUTO = """name: small
mode: auto
language: es
teams: {care: {}, shy: {mode: manual}}
default_team: care
templates:
  hello: {es: "Hola, {{ author.first_name }}.", en: Hello}
  quiet: {es: "Hola.", mode: manual}
guard: {per_wording_per_day: 3}
incidents: {mode: auto}
rules:
  - {name: ours, when: {intents: suggestion}, then: {case: none}}
  - {name: no, when: {intents: off_topic}, then: {reply: none}}
  - {name: legal, when: {text.contains: juez}, then: {reply: hello, person: true}}
  - {name: shy, when: {text.contains: secreto}, then: {reply: hello, case: shy}}
  - {name: quiet, when: {text.contains: silencio}, then: {reply: {template: quiet, mode: manual}}}
  - {name: all, then: {reply: hello}}
"""
POLICY = policies.load_text(AUTO, "auto.yaml")
MANUAL = policies.load_text(AUTO.replace("incidents: {mode: auto}", "incidents: {mode: manual}"), "auto.yaml")


def decided(
    text: str = "Sin línea en Lleida", *intents: str, policy: policies.Guarded = POLICY, **given: Any
) -> Decision:
    """What the policy says while the incident lasts, of a mention that belongs to it unless `given` says otherwise."""
    given = {"incident": LASTING, "incidents": (LASTING,), "sentiment": "negative", **given}
    return policy.decide(situation(text, *(intents or ("outage_report",)), **given))


def guards(decision: Decision) -> list[str]:
    return [trace.guard for trace in decision.guards if trace.holds or trace.forbids]


def test_its_answer_stands_in_the_place_of_the_template() -> None:
    reply = decided().reply
    assert reply is not None
    assert (reply.template, reply.incident, reply.rule, reply.mode) == ("incident I3", 3, "all", Mode.AUTO)
    assert reply.text in ("Lo sabemos, Ana. Tu caso: ES-26-000123-7.", "Estamos en ello; caso ES-26-000123-7.")
    assert reply.length == len(f"@ana {reply.text}")
    assert guards(decided()) == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"language": "en"}, "We know, Ana. Your case: ES-26-000123-7."),
        ({"language": "en-GB"}, "We know, Ana. Your case: ES-26-000123-7."),
        ({"language": "fr", "mention_id": 2}, "Lo sabemos, Ana. Tu caso: ES-26-000123-7."),  # the policy's
    ],
)
def test_it_speaks_the_mentions_language_or_else_the_policys(given: dict[str, Any], text: str) -> None:
    reply = decided(**given).reply
    assert reply is not None
    assert reply.text == text


def test_its_variants_take_turns_and_one_that_went_out_less_comes_first() -> None:
    texts = [reply.text for number in range(4) if (reply := decided(mention_id=number).reply)]
    assert texts[0] == texts[2] != texts[1] == texts[3]
    first = decided(mention_id=0).reply
    assert first is not None
    worn = decided(mention_id=0, sends__by_wording_last_day={first.wording: 2}).reply
    told = decided(mention_id=0, sends__wordings_before=(first.wording,)).reply
    assert worn is not None
    assert told is not None
    assert worn.text == told.text == texts[1]
    again = decided(mention_id=0, sends__by_wording_last_day={first.wording: 3, worn.wording: 3})
    assert guards(again) == ["duplicate"]
    assert "give I3 more answers" in next(trace.reason for trace in again.guards if trace.holds)


@pytest.mark.parametrize(
    ("intents", "given", "template"),
    [
        pytest.param(("praise",), {}, "hello", id="praise"),
        pytest.param(("off_topic",), {}, None, id="left-unanswered"),
        pytest.param(("suggestion",), {}, None, id="nothing-said"),
        pytest.param((), {"incident": None}, "hello", id="no-part-of-it"),
        pytest.param((), {"incident": replace(LASTING, answers={})}, "hello", id="nothing-approved"),
        pytest.param((), {"incident": replace(LASTING, answers={"en": ("{{ x }}",)})}, "hello", id="no-template"),
        pytest.param((), {"incident": replace(LASTING, state=IncidentState.RESOLVED)}, "hello", id="over"),
        pytest.param((), {"language": "en"}, "incident I3", id="its-own"),
    ],
)
def test_it_is_said_only_where_it_belongs(
    intents: tuple[str, ...], given: dict[str, Any], template: str | None
) -> None:
    decision = decided("x", *intents, **given)
    assert (decision.reply.template if decision.reply else None) == template
    if template == "hello":
        assert guards(decision) == ["incident"]
        assert decision.reply is not None
        assert decision.reply.mode is Mode.MANUAL


def test_without_its_hold_and_without_it_others_go_out_alone() -> None:
    loose = replace(LASTING, holds_replies=False)
    over = replace(LASTING, state=IncidentState.CLOSED)
    for incidents in ((), (loose,), (over,)):
        reply = decided(incident=None, incidents=incidents).reply
        assert reply is not None
        assert (reply.template, reply.mode) == ("hello", Mode.AUTO)
    assert guards(decided(incident=None, incidents=(loose, LASTING))) == ["incident"]


@pytest.mark.parametrize(
    ("text", "kept_by"),
    [("nada", []), ("silencio", []), ("secreto", ["team"]), ("juez", ["rule"])],
)
def test_template_and_rule_speak_of_their_own_words_all_else_holds(text: str, kept_by: list[str]) -> None:
    decision = decided(text)
    assert [trace.level.value for trace in decision.modes if trace.mode is Mode.MANUAL] == kept_by
    assert decision.reply is not None
    assert decision.reply.template == "incident I3"
    assert (decision.reply.mode is Mode.AUTO) == (not kept_by)


def test_the_policy_says_how_its_answers_go_out() -> None:
    decision = decided(policy=MANUAL)
    assert decision.reply is not None
    assert decision.reply.mode is Mode.MANUAL
    assert [trace.said for trace in decision.modes if trace.mode is Mode.MANUAL] == [
        "incident I3 leaves it to a person"
    ]


def test_every_other_guard_passes_over_it() -> None:
    assert guards(decided(sends__last_hour=99)) == ["per_hour"]
    assert guards(decided("Me voy a suicidar")) == ["risk"]
    promising = replace(LASTING, answers={"es": ("Vuelve EN UNA HORA.",)})
    assert guards(decided(incident=promising)) == ["tone"]
    long = replace(LASTING, answers={"es": ("Lo sabemos. " * 40,)})
    assert guards(decided(incident=long)) == ["length"]


def test_one_that_fits_the_network_goes_before_one_that_does_not() -> None:
    two = replace(LASTING, answers={"es": ("Lo sabemos. " * 40, "Lo sabemos.")})
    assert {reply.text for number in (0, 1) if (reply := decided(incident=two, mention_id=number).reply)} == {
        "Lo sabemos."
    }


def test_an_edited_reply_is_told_what_is_not_to_be_said() -> None:
    def told(text: str, *incidents: IncidentView) -> tuple[str, ...]:
        return POLICY.tone(text, language="es", understanding=None, name="Ana", incidents=incidents)

    assert told("Vuelve en una hora", LASTING) == (
        "The reply says “en una hora”, which nobody should say while I3 lasts.",
    )
    assert told("¡Garantizado!", LASTING)
    assert told("Vuelve en dos horas", LASTING) == told("Vuelve en una hora") == ()
    assert told("Vuelve en una hora", replace(LASTING, state=IncidentState.RESOLVED)) == ()
    assert told("x", replace(LASTING, avoid=("*", "a*b"))) == ()
    assert POLICY.check_avoided("*")
    assert not POLICY.check_avoided("en una hora")


def test_what_is_no_answer_is_refused_with_the_next_step() -> None:
    assert POLICY.check_answer("Lo sabemos, {{ author.first_name }}: {{ case.reference }}") == ()
    assert "did you mean `case.reference`?" in POLICY.check_answer("{{ case.referenc }}")[0]
    assert "take that out" in POLICY.check_answer("Llama a ana@correo.es")[0]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(everything())
def test_while_it_holds_nothing_but_its_answer_goes_out_alone(seen: Situation) -> None:
    decision = POLICY.decide(seen)
    if (
        decision.reply
        and decision.reply.mode is Mode.AUTO
        and any(each.state.active and each.holds_replies for each in seen.incidents)
    ):
        assert seen.incident is not None
        assert seen.incident.state.active
        assert decision.reply.incident == seen.incident.number
    again = situations.rebuilt(
        json.dumps(situations.kept(seen)),
        **{name: getattr(seen, name) for name in situations.ELSEWHERE},
    )
    assert situations.fingerprint(POLICY.decide(again)) == situations.fingerprint(decision)


def test_a_decision_from_before_there_were_incidents_keeps_its_fingerprint() -> None:
    decision = POLICY.decide(situation("Hola", "question"))
    before = replace(decision, guards=tuple(trace for trace in decision.guards if trace.guard != "incident"))
    assert situations.fingerprint(before) == situations.fingerprint(decision)
    held = decided(incident=None)
    without = replace(held, guards=tuple(trace for trace in held.guards if trace.guard != "incident"))
    assert situations.fingerprint(without) != situations.fingerprint(held)


TIMED = """name: small
language: es
teams: {care: {}}
default_team: care
service_levels: {normal: {first_response: 1h, resolution: 8h}}
templates: {hello: {es: "Hola"}}
rules: [{name: all, then: {reply: hello}}]
incidents: {first_response: 3h, resolution: 1d, resolution_from: end}
tests:
  - {name: in it, mention: {text: x, intents: [], incident.title: Corte}, expect: {first_response: 3h, resolution: 1d}}
  - {name: by, mention: {text: x, intents: [], incident.here: false}, expect: {first_response: 1h, resolution: 8h}}
  - {name: over, mention: {text: x, intents: [], incident.state: resolved}, expect: {first_response: 1h, reply: hello}}
  - name: its answer
    mention: {text: x, intents: question, incident.number: 4, incident.answers: {es: "Lo sabemos."}}
    expect: {reply: incident I4, guard: none}
"""


def test_a_policys_own_tests_see_promises_and_answers_of_an_incident() -> None:
    policy = policies.load_text(TIMED, "p.yaml")
    assert policies.run_tests(policy) == []
    other = policies.load_text(TIMED.replace("expect: {reply: incident I4", "expect: {reply: incident 4"), "p.yaml")
    assert "there is no template `incident 4`" in policies.run_tests(other)[0]


def test_what_counts_from_its_end_is_due_only_then() -> None:
    promises = policies.load_text(TIMED, "p.yaml").promises
    asked: dict[str, Any] = {"team": "care", "urgency": Urgency.NORMAL, "network": "x", "tier": "", "now": NOW}
    lasting = promises.promise(**asked, incident=LASTING)
    assert (lasting.first_response_due, lasting.resolution_due) == (NOW + timedelta(hours=3), None)
    assert (lasting.resolution, lasting.level, lasting.incident) == (timedelta(days=1), "normal, I3", 3)
    assert {step.clock for step in lasting.steps} == {Clock.FIRST_RESPONSE}
    over = promises.promise(**asked, incident=replace(LASTING, state=IncidentState.RESOLVED))
    assert over.resolution_due == NOW + timedelta(days=1)
    own = promises.promise(**asked)
    assert (own.resolution_due, own.incident, own.by_incident) == (NOW + timedelta(hours=8), 0, ())


def test_what_it_says_in_vain_is_named_with_its_line() -> None:
    manual = AUTO.replace("mode: auto\nlanguage", "mode: manual\nlanguage")
    (told,) = [each for each in policies.in_vain(policies.load_text(manual, "p.yaml"), "p.yaml") if "incident" in each]
    assert told.startswith("p.yaml:10: `mode: auto` lets no answer of an incident out alone")
    assert not [each for each in policies.in_vain(POLICY) if "incident" in each]
    assert not [each for each in policies.in_vain(policies.load(policies.default_path())) if "incident" in each]


def test_what_it_loosens_deserves_a_second_look() -> None:
    def dangers(old: policies.Guarded, new: policies.Guarded) -> list[str]:
        return policies.dangers(old, new, policies.differences(old, new))

    loose = load("incidents: {hold_replies: false, two_people: false}")
    assert dangers(load(), loose) == [
        "While an incident lasts, other replies may go on going out alone.",
        "One person alone may write an incident's answer and approve it.",
    ]
    assert dangers(loose, load()) == []
    assert dangers(MANUAL, POLICY) == ["An incident's approved answers may go out alone."]
    assert dangers(POLICY, MANUAL) == []


@pytest.mark.parametrize("name", ["default", *policies.examples()])
def test_the_policies_that_come_along_hold_and_want_two_people(name: str) -> None:
    rules = policies.load({"default": policies.default_path(), **policies.examples()}[name]).incident_rules
    assert rules.hold_replies
    assert rules.hold_cheer
    assert rules.two_people
    assert rules.mode is Mode.MANUAL


def test_a_decision_while_one_lasts_can_be_recorded_as_a_test() -> None:
    seen = situation("Sin línea", "outage_report", sentiment="negative", incident=LASTING, incidents=(LASTING,))
    saw = situations.kept(seen)
    facts = {
        "text": "Sin línea",
        "network": "mastodon",
        "language": "es",
        "intents": ["outage_report"],
        "sentiment": "negative",
        "now": NOW.isoformat(),
        **{f"incident.{key}": value for key, value in saw["incident"].items()},
    }
    made = policies.record(POLICY, facts, {"rule": ["all"], "reply": "incident I3", "guard": "none"}, name="in it")
    assert made.unlike == ()
    assert "incident.state: fixing" in made.text
    assert 'reply: "incident I3"' in made.text
    beside = {key: value for key, value in facts.items() if key != "incident.answers"} | {"incident.here": False}
    held = policies.record(POLICY, beside, {"reply": "hello", "guard": ["incident"]}, name="beside it")
    assert held.unlike == ()
    assert "incident.here: false" in held.text
