"""A conversation goes on with one person alone: said once whatever breaks, and the answer goes on with the case."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import event

from connectors.sandbox import FACTS, Fault
from listener.desk import continuing
from listener.desk.continuing import Way
from listener.store import cases, erasing, inbox, mentions
from listener.store.cases import Case
from listener.store.inbox import Draft
from listener.types import CasePlan, Channel, DraftState, Urgency, Visibility
from tests.listener.flow.world import Escucha


def a_case(escucha: Escucha, *, who: str = "ana", text: str = "@marca me va mal") -> Case:
    """One complaint and the case that it opened."""
    escucha.says(text, who=who)
    escucha.round()
    with escucha.store.read() as tx:
        return cases.listing(tx)[-1]


def a_message(escucha: Escucha, case: Case) -> Draft:
    """What we would write to them alone."""
    with escucha.store.write() as tx:
        made = continuing.write(
            tx,
            continuing.start(tx, case),
            Channel.DM,
            way=Way(account="care", facts=FACTS),
            to="",
            offer_by=None,
            policy=escucha.policy,
            by="mod",
            now=escucha.clock(),
        )
    assert made.alone is not None
    return made.alone


def now_is(escucha: Escucha, draft: Draft) -> Draft:
    with escucha.store.read() as tx:
        return inbox.get(tx, draft.id)


def messages(escucha: Escucha) -> list[str]:
    """What we said that only one person can read."""
    rows = escucha.network.posts_by("marca")
    return [row["text"] for row in rows if row["visibility"] == Visibility.DIRECT]


def inside(escucha: Escucha, case: Case) -> list[str]:
    with escucha.store.read() as tx:
        return [mentions.get(tx, number).text for number, _, _ in cases.mentions_in(tx, case)]


def test_a_message_goes_out_once_approved_and_is_seen_by_nobody_else(escucha: Escucha) -> None:
    draft = a_message(escucha, a_case(escucha))
    escucha.round()
    assert messages(escucha) == [], "nobody approved it"
    escucha.approve(draft)
    escucha.round()
    assert now_is(escucha, draft).state is DraftState.SENT
    assert len(messages(escucha)) == 1


@pytest.mark.parametrize(("fault", "there"), [(Fault.ANSWER_LOST, 1), (Fault.NEVER_ARRIVED, 0)])
def test_a_message_of_unknown_outcome_is_looked_for(escucha: Escucha, fault: Fault, there: int) -> None:
    draft = a_message(escucha, a_case(escucha))
    escucha.network.fail("message", fault)
    escucha.network.fail("find_message", Fault.UNAVAILABLE)
    escucha.network.fail("message", Fault.KEY_FORGOTTEN, times=1000)
    escucha.approve(draft)
    escucha.round()
    assert now_is(escucha, draft).state is DraftState.UNKNOWN
    assert len(messages(escucha)) == there
    for _ in range(4):
        escucha.round(minutes=5)
    assert now_is(escucha, draft).state is DraftState.SENT
    assert len(messages(escucha)) == 1


@pytest.mark.parametrize("fault", [None, Fault.ANSWER_LOST, Fault.NEVER_ARRIVED], ids=str)
@pytest.mark.parametrize("commits", range(7))
def test_whoever_dies_at_any_commit_says_it_once(escucha: Escucha, commits: int, fault: Fault | None) -> None:
    draft = a_message(escucha, a_case(escucha))
    escucha.approve(draft)
    escucha.network.fail("message", Fault.KEY_FORGOTTEN, times=1000)
    if fault:
        escucha.network.fail("message", fault)
    left = iter(range(commits))

    def dies(_link: object) -> None:
        if next(left, None) is None:
            raise Death

    event.listen(escucha.store._engine, "commit", dies)
    with suppress(Death):
        escucha.main.act()
    event.remove(escucha.store._engine, "commit", dies)
    escucha.network.fail("message", Fault.KEY_FORGOTTEN, times=1000)
    escucha.main = escucha.pipeline()
    for _ in range(4):
        escucha.round(minutes=5)
    assert now_is(escucha, draft).state is DraftState.SENT
    assert len(messages(escucha)) == 1


class Death(BaseException):
    """The process ends here, before its transaction is committed."""


def test_the_answer_goes_on_with_the_case_that_it_answers(escucha: Escucha) -> None:
    first = a_case(escucha)
    draft = a_message(escucha, first)
    escucha.approve(draft)
    escucha.round()
    sent = now_is(escucha, draft)
    with escucha.store.write() as tx:  # another matter of the same person is opened later
        account = mentions.get(tx, draft.mention_id).account_id
        other = cases.add(
            tx,
            reference="ES-26-000099-1",
            plan=CasePlan(team="care", urgency=Urgency.NORMAL, title="Otra cosa"),
            account_id=account,
            customer_id=None,
            by="mod",
            since=escucha.clock(),
            now=escucha.clock(),
        )
    assert sent.posted_id is not None
    escucha.says("@marca de acuerdo, va mal todavía", parent=sent.posted_id)
    escucha.round()
    assert inside(escucha, first)[-1] == "@marca de acuerdo, va mal todavía"
    assert inside(escucha, other) == []


@pytest.mark.parametrize(("days", "said"), [(3, 2), (15, 1)])
def test_what_is_answered_in_a_case_that_is_over_opens_it_again_for_a_while(
    escucha: Escucha, days: int, said: int
) -> None:
    first = a_case(escucha)
    draft = a_message(escucha, first)
    escucha.approve(draft)
    escucha.round()
    with escucha.store.write() as tx:
        cases.change(tx, cases.by_id(tx, first.id), now=escucha.clock(), state="closed")
    escucha.clock.forward(days=days)
    escucha.says("@marca otra cosa que va mal", parent=now_is(escucha, draft).posted_id)
    escucha.round()
    assert len(inside(escucha, first)) == said


def test_a_mention_edited_meanwhile_keeps_the_message_from_going_out(escucha: Escucha) -> None:
    escucha.says("@marca me va mal")
    escucha.round()
    with escucha.store.read() as tx:
        (case,) = cases.listing(tx)
    draft = a_message(escucha, case)
    escucha.approve(draft)
    with escucha.store.read() as tx:
        post = mentions.get(tx, draft.mention_id).external_id
    escucha.network.edit(post, "@marca ya no hace falta", at=escucha.clock())
    escucha.round()
    assert now_is(escucha, draft).state is DraftState.EXPIRED
    assert messages(escucha) == []


def test_what_is_deleted_while_the_message_is_on_its_way_is_erased_when_it_is_out(escucha: Escucha) -> None:
    draft = a_message(escucha, a_case(escucha))
    escucha.network.fail("message", Fault.ANSWER_LOST)
    escucha.network.fail("find_message", Fault.UNAVAILABLE)
    escucha.approve(draft)
    escucha.round()
    assert now_is(escucha, draft).state is DraftState.UNKNOWN
    with escucha.store.write() as tx:
        gone = mentions.get(tx, draft.mention_id).external_id
        erasing.erase(tx, network="sandbox", external_ids=[gone], now=escucha.clock())
    assert now_is(escucha, draft).text, "it is still needed to find it again"
    for _ in range(3):
        escucha.round(minutes=5)
    assert now_is(escucha, draft).state is DraftState.SENT
    assert now_is(escucha, draft).text == ""
