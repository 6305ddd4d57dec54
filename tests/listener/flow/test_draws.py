"""A share's two sides: who fell where, what became of them, and what came within a day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from listener.desk import cases as desk
from listener.store import cases, draws, inbox, mentions, tables
from listener.store.draws import Drawn
from listener.store.inbox import Draft
from listener.types import CaseState, DraftState, Level
from policies import load_text
from policies.shares import draw
from tests.listener.flow.world import AUTO, Escucha

POLICY = AUTO.replace(
    "then: {reply: answer, case: {}}", "then: {reply: {template: answer, mode: {auto: 50%}}, case: {}}"
)
PEOPLE = [f"p{number}" for number in range(14)]


def compared(escucha: Escucha, **ago: float) -> list[Drawn]:
    now = escucha.clock()
    with escucha.store.read() as tx:
        return draws.compared(tx, since=now - timedelta(**(ago or {"days": 7})), now=now)


def sides(escucha: Escucha) -> tuple[list[Draft], list[Draft]]:
    """The drafts of those answered alone, and of the others."""
    drafts = sorted(escucha.drafts(), key=lambda draft: draft.id)
    alone = [draft for draft in drafts if draw("sandbox", draft.mention_id, "question") < 50]
    return alone, [draft for draft in drafts if draft not in alone]


def author(escucha: Escucha, draft: Draft) -> str:
    with escucha.store.read() as tx:
        query = select(tables.accounts.c.handle).join(tables.mentions).where(tables.mentions.c.id == draft.mention_id)
        return str(tx.scalar(query)).removeprefix("@").partition("@")[0]


def asked(escucha: Escucha) -> tuple[list[Draft], list[Draft]]:
    """Everybody asks the same under a policy that answers half of them alone."""
    escucha.policy = load_text(POLICY)
    escucha.main = escucha.pipeline()
    for who in PEOPLE:
        escucha.says("@marca ¿horario?", who=who)
    escucha.round()
    escucha.round()
    return sides(escucha)


def test_what_became_of_both_sides(escucha: Escucha) -> None:
    alone, suggested = asked(escucha)
    assert len(alone) >= 3
    assert len(suggested) >= 4
    assert {draft.state for draft in alone} == {DraftState.SENT}
    escucha.clock.forward(minutes=10)
    with escucha.store.write() as tx:
        inbox.reject(tx, suggested[0], by="mod", reason="no", now=escucha.clock())
        edited = inbox.edit(tx, suggested[1], text="Abrimos a las 9", length=15, by="mod", now=escucha.clock())
        inbox.approve(tx, edited, by="mod", now=escucha.clock())
    escucha.approve(suggested[2])
    escucha.round()
    (found,) = compared(escucha)
    assert (found.level, found.name, found.least, found.most) == (Level.RULE, "question", 50, 50)
    assert found.drew == len(PEOPLE)
    assert {fate: number for fate, number in found.alone.fates.items() if number} == {"sent_as_written": len(alone)}
    assert {fate: number for fate, number in found.suggested.fates.items() if number} == {
        "sent_as_written": 1,
        "sent_edited": 1,
        "rejected": 1,
        "waiting": len(suggested) - 3,
    }
    assert (found.alone.seconds, found.alone.watched, found.suggested.watched) == (None, 0, 0)
    assert found.suggested.seconds == pytest.approx(611, abs=1)
    assert compared(escucha, seconds=5) == []


def test_what_came_within_a_day(escucha: Escucha) -> None:
    alone, suggested = asked(escucha)
    escucha.clock.forward(hours=1)
    escucha.says("@marca todo mal, fatal", who=author(escucha, alone[0]))
    escucha.says("@marca sigue mal", who=author(escucha, alone[1]))
    escucha.says("@marca No me contestéis más.", who=author(escucha, suggested[0]))
    assert alone[2].case_reference
    with escucha.store.write() as tx:
        case = cases.get(tx, alone[2].case_reference)
        for state in (CaseState.RESOLVED, CaseState.OPEN):
            case = desk.move(tx, case, state, by="mod", now=escucha.clock(), moved=escucha.policy.promises.moved)
        moved = escucha.policy.promises.moved
        waits = cases.get(tx, suggested[1].case_reference or "")
        waits = desk.move(tx, waits, CaseState.PENDING, by="mod", now=escucha.clock(), moved=moved)
        desk.move(tx, waits, CaseState.OPEN, by="mod", now=escucha.clock(), moved=moved)
    escucha.round()
    escucha.round(hours=24)
    escucha.says("@marca todo mal, fatal", who=author(escucha, suggested[2]))
    escucha.round()
    (found,) = compared(escucha)
    assert (found.alone.watched, found.suggested.watched) == (len(alone), len(suggested))
    assert found.alone.came == {
        "wrote_again": 2,
        "complained_again": 1,
        "asked_to_be_left_alone": 0,
        "case_reopened": 1,
    }
    assert found.suggested.came == {
        "wrote_again": 1,
        "complained_again": 0,
        "asked_to_be_left_alone": 1,
        "case_reopened": 0,
    }


def test_what_something_else_kept_is_not_compared(escucha: Escucha) -> None:
    text = POLICY.replace("mode: auto", "mode: {auto: 50%}").replace("{what: everything}", "{mode: {auto: 0.01%}}")
    escucha.policy = load_text(text)
    escucha.main = escucha.pipeline()
    for who in PEOPLE:
        escucha.says("@marca ¿horario?", who=who)
    escucha.round()
    found = compared(escucha)
    assert [(each.level, each.name) for each in found] == [
        (Level.POLICY, ""),
        (Level.TEAM, "care"),
        (Level.RULE, "question"),
    ]
    assert [each.drew for each in found] == [len(PEOPLE)] * 3
    policy, team, rule = found
    assert policy.alone.drafts + policy.suggested.drafts == rule.alone.drafts + rule.suggested.drafts == 0
    both = [
        draft
        for draft in escucha.drafts()
        if max(draw("sandbox", draft.mention_id, thing) for thing in ("policy\0", "question")) < 50
    ]
    assert (team.alone.drafts, team.suggested.drafts) == (0, len(both))
    assert both


def test_a_mention_that_is_edited_counts_once_on_its_side(escucha: Escucha) -> None:
    alone, suggested = asked(escucha)
    with escucha.store.read() as tx:
        posts = [mentions.get(tx, draft.mention_id).external_id for draft in (alone[0], suggested[0])]
    for post in posts:
        escucha.network.edit(post, "@marca ¿horario de mañana?", at=escucha.clock())
    escucha.round()
    (found,) = compared(escucha)
    assert (found.drew, found.alone.drafts, found.suggested.drafts) == (len(PEOPLE), len(alone), len(suggested))
    assert found.suggested.fates["waiting"] == len(suggested)
    with escucha.store.read() as tx:
        drew = tx.scalars(select(tables.draws.c.mention_id)).all()
    assert len(drew) == len(PEOPLE) + 1, "what is answered draws no more"


def test_what_is_held_by_a_guard_is_not_compared(escucha: Escucha) -> None:
    asked(escucha)
    escucha.says("@marca ¿horario? Mi abogado pregunta", who="new")
    escucha.round()
    (found,) = compared(escucha)
    assert found.drew == len(PEOPLE) + 1
    assert found.alone.drafts + found.suggested.drafts == len(PEOPLE)
    with escucha.store.read() as tx:
        sides = tx.execute(select(tables.draws.c.alone, tables.draws.c.alone_but_for_this)).all()
    assert sum(not each.alone_but_for_this for each in sides) == 1


def test_who_is_sent_alone_is_who_drew_low(escucha: Escucha) -> None:
    alone, suggested = asked(escucha)
    assert all(draft.automatic for draft in alone)
    assert not any(draft.automatic for draft in suggested)
