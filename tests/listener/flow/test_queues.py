"""The order in which things wait, and teams that are full: as the stages write it down, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import policies
from connectors import sandbox
from listener import situations
from listener.desk import cases as desk
from listener.flow import replay
from listener.flow.replay import Past
from listener.store import case_counts, cases, decisions, erasing, mentions, waiting
from listener.store.cases import Case
from listener.types import CaseState, Urgency
from tests.listener.flow.world import Escucha

POLICY = """
name: Queues
cases: every
language: es
default_team: care
teams:
  care: {capacity: 2, overflow: second}
  second: {capacity: 1}
guard: {per_author_per_day: 5, per_thread: 5, per_hour: 120}
score:
  minutes_per_point: 10
  contributions:
    - {name: outage, points: 30, when: {text.contains: sin internet}}
    - {name: third complaint, points: 15, when: {author.complaints_last_30_days: ">= 3"}}
    - {name: praise, points: -10, when: {main_intent: praise}}
templates:
  answer: {es: "Hola, lo vemos en {{ case.reference }}.", en: "Hello, see {{ case.reference }}."}
rules:
  - name: danger
    when: {text.contains: gas}
    then: {urgency: critical}
    continue: true
  - name: by hand
    when: {text.contains: reparto}
    then: {person: true, case: none}
  - name: speaks of fibre
    when: {text.contains: fibra}
    then: {case: {skills: [Fibre]}}
    continue: true
  - name: all
    then: {reply: answer, case: {}}
"""


@pytest.fixture
def busy(escucha: Escucha) -> Escucha:
    escucha.policy = policies.load_text(POLICY)
    escucha.main = escucha.pipeline()
    return escucha


def queue(escucha: Escucha, **only: Any) -> list[Case]:
    with escucha.store.read() as tx:
        return cases.listing(tx, **only)


def route_of(escucha: Escucha, post: str) -> dict[str, Any]:
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention is not None
        found: dict[str, Any] = decisions.decisions_of(tx, mention.id)[0].trace
        return found


def same_again(escucha: Escucha) -> Iterator[bool]:
    """Whether each decision of the past comes out the same, to the letter."""
    span = replay.whole(escucha.store, every=True)
    past: Past
    for past in replay.past(escucha.store, span, networks=lambda _network, _account: [sandbox.FACTS]):
        assert past.situation is not None
        yield situations.fingerprint(escucha.policy.decide(past.situation)) == past.fingerprint


def test_one_number_orders_drafts_and_cases_and_waiting_counts(busy: Escucha) -> None:
    old = busy.says("@marca ¿horario?", who="uno")
    busy.round()
    busy.round(hours=4)
    busy.says("@marca gracias", who="dos")
    busy.says("@marca sin internet", who="tres")
    busy.says("@marca huele a gas", who="cuatro")
    busy.round()
    assert [draft.score for draft in busy.drafts()] == [500, 30, 0, -10]
    found = queue(busy)
    assert [case.handle for case in found] == ["cuatro", "tres", "uno", "dos"]
    assert [case.score for case in found] == [500, 30, 0, -10]
    assert found[0].urgency is Urgency.CRITICAL
    busy.clock.forward(hours=2)
    busy.says("@marca ahora sin internet", who="cinco")
    busy.round()
    assert [case.handle for case in queue(busy)] == ["cuatro", "tres", "uno", "cinco", "dos"], "an hour late: 6 for 5"
    assert [part["points"] for part in route_of(busy, old)["contributions"]] == [0]
    assert all(same_again(busy))


def test_an_edit_keeps_the_place_and_what_waited_is_not_sent_back(busy: Escucha) -> None:
    first = busy.says("@marca ¿horario?", who="uno")
    busy.round()
    busy.round(minutes=5)
    busy.says("@marca ¿y los domingos?", who="dos")
    busy.round()
    busy.network.edit(first, "@marca ¿qué horario?")
    busy.round(hours=1)
    texts = [draft.mention_id for draft in busy.drafts() if draft.state == "proposed"]
    with busy.store.read() as tx:
        assert texts == [mentions.by_external_id(tx, "sandbox", first).id, 2]  # type: ignore[union-attr]


def test_a_case_gets_a_better_place_by_what_joins_it_and_never_a_worse_one(busy: Escucha) -> None:
    busy.says("@marca ¿horario?")
    busy.round()
    (before,) = queue(busy)
    busy.says("@marca estoy sin internet, la fibra")
    busy.round(hours=3)
    (after,) = queue(busy)
    assert (before.score, after.score) == (0, 30)
    assert after.queue_at == after.opened_at - timedelta(minutes=300)
    assert (before.skills, after.skills) == ((), ("fibre",))
    busy.says("@marca gracias")
    busy.round(hours=3)
    (last,) = queue(busy)
    assert (last.score, last.queue_at, last.skills) == (30, after.queue_at, ("fibre",))


def test_a_third_complaint_in_a_month_counts(busy: Escucha) -> None:
    posts = []
    for _ in range(3):
        posts.append(busy.says("@marca todo mal"))
        busy.round(days=9)
    posts.append(busy.says("@marca todo mal otra vez"))
    busy.round(days=9)
    seen = [route_of(busy, post)["saw"]["author"]["complaints_last_30_days"] for post in posts]
    assert seen == [1, 2, 3, 3], "the first is over a month ago by the last"
    assert [part["name"] for part in route_of(busy, posts[-1])["contributions"]] == [
        "urgency normal",
        "third complaint",
    ]


def test_a_batch_counts_the_cases_it_opens(busy: Escucha) -> None:
    posts = [busy.says("@marca ¿horario?", who=f"p{number}") for number in range(5)]
    busy.round()
    assert [route_of(busy, post)["route"]["team"] for post in posts] == ["care", "care", "second", "care", "care"]
    because = [route_of(busy, post)["route"]["because"] for post in posts]
    assert because[2].endswith("care is full (2 of 2), and overflows to second")
    assert because[3].endswith("care is full (2 of 2), second is full (1 of 1), so that it stays there")
    with busy.store.read() as tx:
        assert case_counts.live_by_team(tx) == {"care": 4, "second": 1}
    assert all(same_again(busy))
    for case in queue(busy, team="care")[:3]:
        with busy.store.write() as tx:
            desk.move(tx, case, CaseState.RESOLVED, by="marta", now=busy.clock(), moved=busy.policy.promises.moved)
    there_is_room = busy.says("@marca ¿horario?", who="p9")
    busy.round()
    assert route_of(busy, there_is_room)["route"]["team"] == "care"
    assert all(same_again(busy))


def test_cases_are_found_by_the_skill_they_ask_for(busy: Escucha) -> None:
    busy.says("@marca ¿hay fibra?", who="uno")
    busy.says("@marca ¿horario?", who="dos")
    busy.round()
    (found,) = queue(busy, skill="fibre")
    assert (found.handle, found.skills) == ("uno", ("fibre",))
    assert queue(busy, skill="fib") == []
    assert queue(busy, skill="fibre", team="second") == []


def test_what_people_must_route_waits_in_the_same_order(busy: Escucha) -> None:
    for text, who in (("reparto", "uno"), ("reparto sin internet", "dos"), ("reparto, huele a gas", "tres")):
        busy.says(f"@marca {text}", who=who)
    busy.round()
    with busy.store.read() as tx:
        found = waiting.to_route(tx)
    assert [(each.handle, each.score) for each in found] == [("tres", 500), ("dos", 30), ("uno", 0)]


def test_what_was_deleted_keeps_its_number_and_not_what_it_was_made_of(busy: Escucha) -> None:
    post = busy.says("@marca sin internet")
    busy.round()
    with busy.store.write() as tx:
        (mention_id,) = erasing.erase(tx, network="sandbox", external_ids=[post], now=busy.clock())
    with busy.store.read() as tx:
        (kept,) = decisions.decisions_of(tx, mention_id)
    assert kept.score == 30
    assert not {"contributions", "route", "saw"} & kept.trace.keys()
