"""A case that gets another team: who is called in gets it, and nothing goes out alone that was let go for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import policies
from listener.commands import case_clocks
from listener.desk import cases as desk
from listener.flow.watch import watch
from listener.store import audit, cases, decisions
from listener.store.cases import Case
from listener.types import DraftState, Urgency
from tests.listener.flow.test_queues import same_again
from tests.listener.flow.world import Escucha

POLICY = """
name: Called in
mode: auto
cases: every
language: es
default_team: care
teams: {care: {}, legal: {mode: manual}, danger: {}, bosses: {}}
guard: {per_author_per_day: 5, per_thread: 5, per_hour: 120, risk_teams: {self_harm: danger}}
service_levels:
  normal: {first_response: 2d, resolution: 10d}
  critical: {first_response: 30m, resolution: 8h}
escalation:
  on_breach: [{team: legal}]
templates: {thanks: {es: "Gracias, lo vemos.", en: "Thanks, we see."}}
rules:
  - name: praise
    when: {intents: [praise]}
    then: {reply: thanks, case: none}
  - name: boss
    when: {text.contains: jefe}
    then: {reply: thanks, escalate: bosses}
  - name: lawyers
    when: {text.contains: abogado}
    then: {reply: thanks, escalate: legal}
  - name: cost
    when: {text.contains: precio}
    then: {reply: thanks}
  - name: all
    then: {case: {}}
"""


@pytest.fixture(autouse=True)
def called(escucha: Escucha) -> None:
    escucha.policy = policies.load_text(POLICY)
    escucha.main = escucha.pipeline()


def only(escucha: Escucha) -> Case:
    with escucha.store.read() as tx:
        (case,) = cases.listing(tx)
        return case


def given(escucha: Escucha, case: Case, **to: Any) -> Case:
    with escucha.store.write() as tx:
        return desk.assign(tx, cases.by_id(tx, case.id), by="eva", now=escucha.clock(), **to)


def handed(escucha: Escucha, case: Case) -> list[dict[str, Any]]:
    with escucha.store.read() as tx:
        return [each.detail for each in cases.events_of(tx, case) if each.kind == "escalated"]


def test_words_of_danger_give_an_open_case_to_the_team_for_it_once(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    case = given(escucha, only(escucha), team=None, agent="luis")
    escucha.says("@marca me quiero suicidar")
    escucha.round()
    now = only(escucha)
    assert (now.id, now.team, now.agent, now.urgency) == (case.id, "danger", None, Urgency.CRITICAL)
    (told,) = handed(escucha, now)
    assert (told["team"], told["from_team"], told["from_agent"]) == ("danger", "care", "luis")
    assert told["why"].endswith("the guard calls in danger; its open case was with care")
    said = case_clocks.sentence("escalated", "policy 1", told)
    assert said is not None
    assert said.startswith("handed over from care to danger, taken from luis by policy 1: ")
    with escucha.store.read() as tx:
        decision = decisions.decisions_of(tx, 2)[0]
    assert (decision.escalate_to, decision.trace["route"]["team"]) == ("danger", "danger")
    assert decision.trace["route"]["because"] == told["why"], "what `escucha explain` says"
    given(escucha, now, team=None, agent="ana")
    escucha.says("@marca quiero suicidarme de verdad")
    escucha.round()
    assert (only(escucha).team, only(escucha).agent, len(handed(escucha, now))) == ("danger", "ana", 1)
    assert all(same_again(escucha))


def test_a_rule_that_calls_a_team_in_gives_it_an_open_case(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    escucha.says("@marca quiero hablar con tu jefe")
    escucha.round()
    assert only(escucha).team == "bosses"
    (told,) = handed(escucha, only(escucha))
    assert told["why"] == "rule “boss” calls in bosses; its open case was with care"
    escucha.says("@marca ¿y el horario?")
    escucha.round()
    assert only(escucha).team == "bosses", "whatever comes next goes on there"
    assert len(handed(escucha, only(escucha))) == 1
    assert all(same_again(escucha))


@pytest.mark.parametrize("words", ["gracias", "quiero un abogado", "quiero hablar con tu jefe"])
def test_nothing_goes_out_alone_where_a_team_that_has_the_case_reads_all(escucha: Escucha, words: str) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    team = "care" if "abogado" in words else "legal"
    given(escucha, only(escucha), team=team, agent=None)
    escucha.says(f"@marca {words}")
    escucha.round()
    escucha.round()
    assert [draft.state for draft in escucha.drafts()] == [DraftState.PROPOSED]
    assert escucha.answers() == []


def by_hand(escucha: Escucha) -> None:
    given(escucha, only(escucha), team="legal", agent=None)


def by_a_step(escucha: Escucha) -> None:
    escucha.clock.forward(days=2, seconds=1)
    assert watch(escucha.store, now=escucha.clock()) == 2


def by_a_mention(escucha: Escucha) -> None:
    escucha.says("@marca hablo con mi abogado")
    escucha.clock.forward(seconds=20)
    escucha.main.poll()
    escucha.main.digest()


@pytest.mark.parametrize("hand_over", [by_hand, by_a_step, by_a_mention])
def test_what_was_let_go_for_another_team_waits_for_a_person(
    escucha: Escucha, hand_over: Callable[[Escucha], None]
) -> None:
    escucha.says("@marca ¿precio?")
    escucha.clock.forward(seconds=20)
    escucha.main.poll()
    escucha.main.digest()
    (draft,) = escucha.drafts()
    assert (draft.state, draft.automatic) == (DraftState.APPROVED, True)
    hand_over(escucha)
    assert only(escucha).team == "legal"
    escucha.main.act()
    assert escucha.answers() == []
    now = next(each for each in escucha.drafts() if each.id == draft.id)
    assert (now.state, now.automatic, now.decided_by) == (DraftState.PROPOSED, False, None)
    with escucha.store.read() as tx:
        entry = audit.last(tx, f"draft {draft.id}", "draft.shown_again")
    assert entry is not None
    assert entry.detail["reason"] == "its case was given to legal before it went out alone"


def test_what_a_person_approved_goes_out_whoever_has_the_case(escucha: Escucha) -> None:
    escucha.says("@marca ¿precio?")
    escucha.clock.forward(seconds=20)
    escucha.main.poll()
    escucha.main.digest()
    by_hand(escucha)
    (draft,) = escucha.drafts()
    escucha.approve(draft)
    given(escucha, only(escucha), team="care", agent=None)
    escucha.main.act()
    assert len(escucha.answers()) == 1


def test_danger_without_a_team_of_its_own_leaves_a_case_with_whoever_has_it(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    given(escucha, only(escucha), team="bosses", agent="luis")
    escucha.says("@marca los voy a demandar")
    escucha.round()
    now = only(escucha)
    assert (now.team, now.agent, now.urgency) == ("bosses", "luis", Urgency.CRITICAL)
    assert handed(escucha, now) == []
