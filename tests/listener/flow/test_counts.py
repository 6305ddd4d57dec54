"""What is counted for the guard is counted of the right person, network and moment, whatever a stranger claims."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from listener.desk import cases as desk_cases
from listener.store import authors, case_counts, cases, inbox, mentions, outbox, sources, threads
from listener.store.inbox import Sends
from listener.store.mentions import Mention
from listener.types import Author, CaseState, DraftState, Post, Posted, PostKind
from tests.listener.flow.test_guarding import asks, decided, rules
from tests.listener.flow.world import AUTO, Escucha

QUICK = timedelta(seconds=20)


def hear(escucha: Escucha, *posts: Post, network: str = "sandbox") -> list[Mention]:
    """The posts as they are stored."""
    with escucha.store.write() as tx:
        source = sources.get(tx, "source-0")
        mentions.save(tx, source_id=source.id, network=network, posts=posts, now=escucha.clock())
        found = [mentions.by_external_id(tx, network, post.external_id) for post in posts]
    return [each for each in found if each is not None]


def post(name: str, who: str, at: datetime, *, parent: str | None = None) -> Post:
    author = Author(external_id=who, handle=who)
    return Post(external_id=name, author=author, text=f"{name}?", posted_at=at, parent_id=parent, kind=PostKind.REPLY)


def repliers(escucha: Escucha, parent: str, *, ahead: Iterable[str] = ()) -> tuple[str, ...]:
    with escucha.store.read() as tx:
        return mentions.repliers(tx, "sandbox", parent, but=["us"], ahead=frozenset(ahead).__contains__)


def sends(escucha: Escucha, mention_id: int) -> Sends:
    with escucha.store.read() as tx:
        one = mentions.get(tx, mention_id)
        given: dict[str, Any] = {"mention_id": one.id, "account_id": one.account_id, "thread_id": one.thread_id}
        return inbox.sends(tx, network="sandbox", now=escucha.clock(), **given)


# --- whom ------------------------------------------------------------------------------------------------------------


def test_no_crowd_hides_a_colleague(escucha: Escucha) -> None:
    rules(escucha, AUTO, ", colleagues: {sandbox: [luisa]}")
    question = escucha.says("@marca ¿a qué hora?")
    now = escucha.clock()
    crowd = [post(f"r{number}", f"a{number:03}", now, parent=question) for number in range(60)]
    hear(escucha, *crowd, post("r99", "luisa", now, parent=question))
    escucha.round()
    trace = decided(escucha, question)
    assert "colleague_answered" in [guard["guard"] for guard in trace["guards"] if guard["holds"]]
    assert len(trace["saw"]["thread"]["repliers"]) == 50


def test_repliers_are_the_first_fifty_in_one_order_everywhere(escucha: Escucha) -> None:
    now = escucha.clock()
    names = ["b", "Ñ", "a", "B", "é", "A", "luisa", *(f"z{number}" for number in range(60))]
    hear(escucha, *(post(f"p{number}", name, now, parent="q") for number, name in enumerate(names)))
    hear(escucha, post("again", "b", now, parent="q"), post("ours", "us", now, parent="q"))
    assert repliers(escucha, "q") == tuple(sorted(names[:50]))
    assert repliers(escucha, "q", ahead=["z59"]) == tuple(sorted([*names[:49], "z59"]))


def test_who_answered_a_post_of_another_network_answered_another_post(escucha: Escucha) -> None:
    hear(escucha, post("1", "beto", escucha.clock(), parent="q"))
    hear(escucha, post("1", "luisa", escucha.clock(), parent="q"), network="other")
    assert repliers(escucha, "q") == ("beto",)


def test_what_somebody_was_told_was_told_to_nobody_else(escucha: Escucha) -> None:
    asks(escucha, "ana")
    again = escucha.says("@marca ¿y los lunes?", who="ana")
    other = escucha.says("@marca ¿y los martes?", who="beto")
    escucha.round()
    told = [decided(escucha, each)["saw"]["sends"] for each in (again, other)]
    assert [sum(saw["by_wording_last_day"].values()) for saw in told] == [0, 1]
    assert told[0]["by_rule_last_day"] == {"question": 1}


def test_a_post_of_ours_on_another_network_is_another_post(escucha: Escucha) -> None:
    asks(escucha, "ana")
    (sent,) = escucha.drafts(DraftState.SENT)
    assert sent.posted_id is not None
    now = escucha.clock()
    echo = post("e1", "robot", now, parent=sent.posted_id)
    (there,) = hear(escucha, echo, network="other")
    (here,) = hear(escucha, echo)
    ours = post(sent.posted_id, "us", now, parent="q")
    hear(escucha, ours, network="other")
    hear(escucha, ours)
    with escucha.store.read() as tx:
        for mention, quick in ((there, 0), (here, 1)):
            found = authors.habits(tx, account_id=mention.account_id, text="x", now=now, quick=timedelta(hours=1))
            assert found.quick_replies_last_day == quick
        assert threads.answered_by_hand(tx, "other", "q", ["us"])
        assert not threads.answered_by_hand(tx, "sandbox", "q", ["us"])


# --- when ------------------------------------------------------------------------------------------------------------


def test_a_minute_is_long_enough_to_be_no_machine(escucha: Escucha) -> None:
    asks(escucha, "ana", "@marca todo mal")
    escucha.approve(escucha.draft())
    escucha.main.act()
    ours = str(escucha.network.posts_by("marca")[-1]["id"])
    escucha.clock.forward(minutes=1)
    echoes = [escucha.says(f"@marca ¿y {number}?", parent=ours) for number in range(2)]
    escucha.round()
    for echo in echoes:
        assert "loop" not in {guard["guard"] for guard in decided(escucha, echo)["guards"] if guard["holds"]}
        assert decided(escucha, echo)["saw"]["author"]["quick_replies_last_day"] == 0


@pytest.mark.parametrize(
    ("ago", "held"), [(timedelta(hours=3), True), (timedelta(days=6), True), (timedelta(days=9), False)]
)
def test_who_dates_posts_back_is_no_less_of_a_machine(escucha: Escucha, ago: timedelta, held: bool) -> None:
    now = escucha.clock()
    hear(escucha, *(post(f"p{number}", "eco", now - ago * (1 + number / 100)) for number in range(12)))
    (fresh,) = hear(escucha, post("fresh", "eco", now))
    with escucha.store.read() as tx:
        habits = authors.habits(tx, account_id=fresh.account_id, text="p1?", now=now, quick=QUICK)
        week = mentions.by_account_since(tx, fresh.account_id, now - timedelta(days=7))
        later = authors.habits(tx, account_id=fresh.account_id, text="p1?", now=now + timedelta(days=2), quick=QUICK)
    assert habits.posts_last_10_minutes == (13 if held else 1), "what was old when it was first heard says nothing"
    assert habits.same_text_last_day == int(held)
    assert week == 13
    assert (later.posts_last_10_minutes, later.same_text_last_day) == (0, 0)


def test_what_an_old_account_wrote_long_ago_is_not_of_this_week(escucha: Escucha) -> None:
    now = escucha.clock()
    (old, _) = hear(escucha, post("old", "ana", now - timedelta(days=40)), post("new", "ana", now))
    with escucha.store.read() as tx:
        assert mentions.by_account_since(tx, old.account_id, now - timedelta(days=7)) == 1
        assert mentions.by_account_since(tx, old.account_id, now + timedelta(seconds=1)) == 0


@pytest.mark.parametrize("how", ["sent", "settled"])
def test_a_reply_counts_from_when_it_went_out(escucha: Escucha, how: str) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    escucha.clock.forward(hours=2)
    now = escucha.clock()
    with escucha.store.write() as tx:
        assert outbox.claim(tx, escucha.draft(), now)
    with escucha.store.write() as tx:
        draft = inbox.waiting(tx, states=tuple(DraftState))[0]
        if how == "sent":
            outbox.sent(tx, draft, Posted(external_id="r1", url=None), now)
        else:
            outbox.unknown(tx, draft, "nobody knows", now)
    if how == "settled":
        with escucha.store.write() as tx:
            draft = inbox.waiting(tx, states=(DraftState.UNKNOWN,))[0]
            inbox.settle_by_hand(tx, draft, was_sent=True, by="mod", now=now + timedelta(minutes=9))
    assert escucha.draft().state is DraftState.SENT
    assert sends(escucha, escucha.draft().mention_id).last_hour == 1
    escucha.clock.forward(hours=23)
    assert sends(escucha, escucha.draft().mention_id).last_day == 1
    escucha.clock.forward(hours=2)
    assert sends(escucha, escucha.draft().mention_id).last_day == 0


def test_a_complaint_that_was_solved_and_then_closed_is_not_unsolved(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    for ends in (CaseState.RESOLVED, CaseState.CLOSED):
        with escucha.store.write() as tx:
            (case,) = [case for case in cases.listing(tx, states=tuple(CaseState))]
            desk_cases.move(tx, case, ends, by="marta", now=escucha.clock(), moved=escucha.policy.promises.moved)
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention is not None
        assert case_counts.unsolved_complaints(tx, account_id=mention.account_id, customer_id=None) == 0
