"""A share answered alone, what the shadow records, who is asked for what, and what a person keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from listener.types import CaseMode, CustomerView, Mode, RuleOutcome
from policies.shares import Share, draw
from tests.policies.situations import GOLD, situation

BASE = """name: one
mode: auto
cases: {cases}
language: es
time_zone: Europe/Madrid
teams: {{care: {{}}, boss: {{}}}}
default_team: care
templates:
  hello: {{es: Hola}}
  who: {{es: "¿Quién eres?"}}
  contract: {{es: "¿Qué contrato?"}}
rules:
{rules}
"""

STARTING = datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Madrid


def policy(rules: str, cases: CaseMode = CaseMode.EVERY) -> policies.Guarded:
    return policies.load_text(BASE.format(rules=rules, cases=cases.value), "p.yaml")


def shared(mode: str) -> policies.Guarded:
    return policy(f"  - {{name: thanks, then: {{reply: {{template: hello, mode: {mode}}}}}}}")


# --- shares ----------------------------------------------------------------------------------------------------------


def test_a_share_goes_out_alone_and_the_trace_says_on_which_side_it_fell() -> None:
    tenth = shared("{auto: 10%}")
    decisions = [tenth.decide(situation("Gracias", "praise", mention_id=number)) for number in range(2000)]
    alone = [decision for decision in decisions if decision.reply and decision.reply.mode is Mode.AUTO]
    assert 150 < len(alone) < 250
    for number, decision in enumerate(decisions):
        lot = draw("mastodon", number, "thanks")
        goes = lot < 10
        assert decision.reply is not None
        assert decision.reply.mode is (Mode.AUTO if goes else Mode.MANUAL)
        verdict = "may go out alone" if goes else "a person sees it"
        assert decision.rules[0].saw == f"drew {lot:.2f} of 100 for a share of 10%: {verdict}"


def test_nobody_is_alone_for_nothing_and_everybody_for_all() -> None:
    for number in range(100):
        seen = situation("Gracias", "praise", mention_id=number)
        growing = shared("{ramp: {from: 0%, to: 100%, over: 1d, starting: 2026-12-01}}")
        nobody, everybody = (
            growing.decide(replace(seen, now=moment, posted_at=moment)).reply
            for moment in (STARTING, STARTING + timedelta(days=1))
        )
        assert nobody is not None
        assert everybody is not None
        assert (nobody.mode, everybody.mode) == (Mode.MANUAL, Mode.AUTO)


def test_a_share_makes_nothing_automatic_that_is_manual() -> None:
    text = BASE.format(rules="  - {name: thanks, then: {reply: {template: hello, mode: {auto: 99%}}}}", cases="every")
    reply = policies.load_text(text.replace("mode: auto", "mode: manual")).decide(situation("Gracias", "praise")).reply
    assert reply is not None
    assert reply.mode is Mode.MANUAL


@given(st.text(max_size=20), st.integers(0, 2**40), st.text(max_size=20))
def test_a_lot_is_always_the_same_and_below_a_hundred(network: str, mention_id: int, rule: str) -> None:
    assert 0 <= draw(network, mention_id, rule) < 100
    assert draw(network, mention_id, rule) == draw(network, mention_id, rule)


def test_lots_are_known_for_good() -> None:
    """A change would move mentions to the other side in the middle of a comparison."""
    assert round(draw("mastodon", 1, "thanks"), 6) == LOT


LOT = 70.216194

percents = st.integers(1, 9_999).map(lambda hundredths: f"{hundredths // 100}.{hundredths % 100:02}%")


@given(percents, percents, st.integers(0, 2**40))
def test_who_is_in_at_less_is_in_at_more(one: str, other: str, mention_id: int) -> None:
    less, more = sorted((one, other), key=lambda share: float(share.removesuffix("%")))
    seen = situation("Gracias", "praise", mention_id=mention_id)
    small, large = (shared(f"{{auto: {share}}}").decide(seen).reply for share in (less, more))
    assert small is not None
    assert large is not None
    assert (small.mode, large.mode) != (Mode.AUTO, Mode.MANUAL)


def test_a_ramp_grows_evenly_and_stays() -> None:
    ramp = {"from": "10%", "to": "100%", "over": "10d", "starting": "2026-12-01"}
    share = Share.model_validate({"ramp": ramp})
    zone = ZoneInfo("Europe/Madrid")
    at = {days: round(share.at(STARTING + timedelta(days=days), zone), 6) for days in (-5, 0, 5, 10, 500)}
    assert at == {-5: 10, 0: 10, 5: 55, 10: 100, 500: 100}
    assert share.in_words() == "for 10% of its mentions, growing to 100% within 10d from 2026-12-01"
    assert Share.model_validate({"auto": "10%", "ramp": {**ramp, "from": "10%"}}).begins == 10


@given(st.integers(-40, 40), st.integers(0, 40), st.integers(0, 2**40))
def test_who_is_in_stays_in_while_it_grows(hours: int, later: int, mention_id: int) -> None:
    growing = shared("{auto: 10%, ramp: {to: 90%, over: 1d, starting: 2026-12-01}}")
    now = STARTING + timedelta(hours=hours)
    seen = situation("Gracias", "praise", mention_id=mention_id, now=now, posted_at=now)
    before, after = (
        growing.decide(replace(seen, now=moment, posted_at=moment)).reply
        for moment in (now, now + timedelta(hours=later))
    )
    assert before is not None
    assert after is not None
    assert (before.mode, after.mode) != (Mode.AUTO, Mode.MANUAL)


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("{}", "nothing says how many"),
        ("{auto: 10}", "write it like 10%"),
        ("{auto: 101%}", "write it like 10%"),
        ("{auto: 150.5}", "write it like 10%"),
        ("{auto: -20.0}", "write it like 10%"),
        ("{auto: 1.0}", "write it like 10%"),
        ("{auto: 10%, ramp: {to: 0.5, over: 1d, starting: 2026-12-01}}", "write it like 10%"),
        ("{auto: ten}", "write it like 10%"),
        ("{manual: 10%}", "`manual` is not known here"),
        ("sometimes", "use one of `auto`, `manual`"),
        ("{auto: 0%}", "a share of 0% lets nothing go out alone and is none; write `mode: manual`"),
        ("{auto: 0.00%}", "write `mode: manual`"),
        ("{auto: 100%}", "a share of 100% lets everything go out alone and is none; write `mode: auto`"),
        ("auto 20%", "`auto 20%` is no mode; a share stands in braces: `mode: {auto: 20%}`"),
        ("12.5%", "`mode: {auto: 12.5%}`"),
        ("'auto: 20%'", "`mode: {auto: 20%}`"),
        ("Auto for 20 %", "`mode: {auto: 20%}`"),
        ("auto 100%", "write `mode: auto`"),
        ("auto 0%", "write `mode: manual`"),
        ("ramp up to 50%", "`mode: {auto: 10%}`"),
        ("auto 400%", "`mode: {auto: 10%}`"),
        ("{ramp: {to: 20%, over: 1d, starting: 2026-12-01}}", "nothing says how many"),
        ("{auto: 10%, ramp: {from: 20%, to: 30%, over: 1d, starting: 2026-12-01}}", "different shares"),
        ("{auto: 10%, ramp: {to: 10%, over: 1d, starting: 2026-12-01}}", "a ramp grows"),
        ("{auto: 10%, ramp: {to: 20%, over: 1d, starting: 1026-12-01}}", "cannot start in 1026"),
        ("{auto: 10%, ramp: {to: 20%, over: 1d, starting: tomorrow}}", "not a day"),
        ("{auto: 10%, ramp: {to: 20%, over: 1d}}", "`starting` is missing"),
    ],
)
def test_what_is_no_share(mode: str, sentence: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        shared(mode)
    (problem,) = caught.value.problems
    assert problem.startswith("p.yaml:13: ")
    assert sentence in problem


# --- the shadow ------------------------------------------------------------------------------------------------------


def test_the_shadow_only_records() -> None:
    tried = policy(
        """  - name: bold
    because: Praise could be thanked alone.
    shadow: true
    then: {reply: {template: hello, mode: auto}, case: {team: boss, urgency: high, tags: [a]}, urgency: "+1", tags: [b]}
  - {name: silent, shadow: true, when: {language: en}, then: {ignore: It is English.}}
  - {name: real, then: {tags: [real]}}
"""
    ).decide(situation("Gracias", "praise"))
    bold, silent, real = tried.rules
    assert (bold.outcome, bold.wanted) == (RuleOutcome.SHADOW, "Praise could be thanked alone.")
    assert bold.saw == (
        "reply with `hello` (auto), open a case with boss (high, tags a), raise the urgency by 1, tag b, "
        "and end the reading"
    )
    assert (silent.outcome, silent.condition) == (RuleOutcome.FAILED, "language")
    assert real.outcome is RuleOutcome.MATCHED
    assert (tried.reply, tried.tags, tried.urgency) == (None, ("real",), "normal")


def test_the_shadow_behind_the_end_is_not_reached() -> None:
    rules = """  - {name: real, then: {tags: [real]}, when: {language: es}}
  - {name: s, shadow: true, then: {tags: x}}"""
    last = policy(rules)
    assert last.decide(situation()).rules[1].outcome is RuleOutcome.NOT_REACHED


def test_the_shadow_tells_when_it_would_not_be_heard() -> None:
    rules = """  - {name: first, continue: true, then: {reply: hello}}
  - {name: second, shadow: true, then: {reply: who}}"""
    assert policy(rules).decide(situation()).rules[1].saw.endswith("so its own answer would not count")


# --- asking for what is missing --------------------------------------------------------------------------------------

NO_CONTRACT = "customer.fields.Contract is missing, so `contract` asks for it"
ASKS = "  - {name: ask, then: {reply: hello, ask_for: {customer: who, customer.fields.Contract: contract}}}"


@pytest.mark.parametrize(
    ("customer", "template", "saw"),
    [
        (None, "who", "customer is missing, so `who` asks for it"),
        (GOLD, "contract", NO_CONTRACT),
        (
            replace(GOLD, fields={"contract": ""}),
            "contract",
            NO_CONTRACT,
        ),
        (replace(GOLD, fields={"CONTRACT": "77"}), "hello", ""),
    ],
)
def test_what_is_missing_is_asked_for(customer: CustomerView | None, template: str, saw: str) -> None:
    decision = policy(ASKS).decide(situation(customer=customer))
    assert decision.reply is not None
    assert decision.reply.template == template
    assert decision.rules[0].saw == saw


def test_nothing_is_asked_where_nothing_is_missing() -> None:
    asks = policy("  - {name: ask, then: {ask_for: {customer.tier: who}}}")
    assert asks.decide(situation(customer=GOLD)).reply is None
    assert asks.decide(situation()).reply is not None


def test_a_policy_names_the_fields_it_asks_about() -> None:
    asked = policy(ASKS.replace("then:", "when: {any: [{none: {customer.fields: {PLAN: gold}}}]}, then:"))
    assert asked.fields_asked == {"contract", "plan"}


@pytest.mark.parametrize(
    ("then", "sentence"),
    [
        ("{ask_for: {phone: who}}", "nothing to ask for"),
        ("{ask_for: {customer: whom}}", "did you mean `who`?"),
        ("{ask_for: {customer: who}, reply: none}", "`ask_for` asks"),
        ("{ask_for: {customer: who}, ignore: x}", "`ignore` means that nothing is done"),
        ("{person: true, ignore: x}", "`ignore` means that nothing is done"),
        ("{person: false}", "changes nothing"),
    ],
)
def test_what_cannot_be_asked(then: str, sentence: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        policy(f"  - {{name: ask, then: {then}}}")
    assert sentence in " ".join(caught.value.problems)


def test_asking_may_not_quote_a_case_that_nobody_opens() -> None:
    text = BASE.format(rules="  - {name: ask, then: {case: none, ask_for: {customer: who}}}", cases="every")
    with pytest.raises(PolicyProblem, match="may open no case"):
        policies.load_text(text.replace("¿Quién eres?", "{{ case.reference }}"))


# --- a person --------------------------------------------------------------------------------------------------------


def test_a_person_keeps_what_would_go_out_alone() -> None:
    rules = "  - {name: keep, continue: true, then: {person: true}}\n  - {name: answer, then: {reply: hello}}"
    decision = policy(rules).decide(situation("Gracias", "praise"))
    assert decision.reply is not None
    assert decision.reply.mode is Mode.MANUAL
    assert decision.case is not None


def test_what_has_no_case_waits_for_the_person() -> None:
    rules = "  - {name: keep, then: {person: true, case: none}}"
    decision = policy(rules).decide(situation())
    assert (decision.case, decision.needs_routing) == (None, True)
    assert policy(rules.replace(", case: none", ""), CaseMode.ROUTED).decide(situation()).needs_routing


def test_nobody_ignores_what_a_person_is_to_see() -> None:
    rules = "  - {name: keep, continue: true, then: {person: true}}\n  - {name: leave, then: {ignore: noise}}"
    decision = policy(rules).decide(situation())
    assert not decision.ignored
    assert decision.case is not None


def test_a_ramp_says_where_it_is_by_now() -> None:
    madrid, ramp = ZoneInfo("Europe/Madrid"), {"to": "100%", "over": "10d", "starting": "2026-12-01"}
    share = Share.model_validate({"auto": "10%", "ramp": ramp})
    assert share.by_now(STARTING - timedelta(days=3), madrid) == "today 10%"
    assert share.by_now(STARTING + timedelta(days=5), madrid) == "today 55%"
    assert share.by_now(STARTING + timedelta(days=10), madrid) == "today 100%, its ramp is over"
    assert Share.model_validate({"auto": "10%"}).by_now(STARTING, madrid) == ""
