"""Two agents at once: whatever they do to one case, never do both win, and nothing of either is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest

from listener.desk import case_merging as merging
from listener.desk import cases as desk
from listener.desk import checklists, clocks, marks, parts
from listener.errors import Mistake
from listener.store import Transaction, cases, rebuilding
from listener.store.cases import Case
from listener.types import CaseState, Item
from tests.listener.flow.world import Escucha

Job = Callable[[Transaction, Case], object]
ROUNDS = 6
STEPS = (Item(name="look"), Item(name="mend"))


def opened(escucha: Escucha, *who: str) -> list[Case]:
    """A case for each of them."""
    for each in who:
        escucha.says("@marca va todo mal", who=each)
    escucha.round()
    with escucha.store.read() as tx:
        return sorted(cases.listing(tx), key=lambda case: case.id)[-len(who) :]


def race(escucha: Escucha, reference: str, *jobs: Job) -> list[str]:
    """What became of each job, done by a thread of its own to the case as it read it; all begin at the same moment."""
    start, came = Barrier(len(jobs)), [""] * len(jobs)

    def do(number: int, job: Job) -> None:
        start.wait(timeout=30)
        try:
            with escucha.store.write() as tx:
                job(tx, desk.find(tx, reference, "ES"))
            came[number] = "won"
        except Mistake as refusal:
            came[number] = str(refusal)

    threads = [Thread(target=do, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert all(came), "nobody waits for ever"
    with escucha.store.read() as tx:
        assert rebuilding.differences(tx, limit=3) == []
    return came


def moving(escucha: Escucha, to: CaseState, by: str) -> Job:
    moved = escucha.policy.promises.moved
    return lambda tx, case: desk.move(tx, case, to, by=by, now=escucha.clock(), moved=moved)


@pytest.mark.parametrize("agents", [2, 4])
def test_one_agent_gets_it_and_the_others_hear_who(escucha: Escucha, agents: int) -> None:
    names = [f"agent{number}" for number in range(agents)]
    for round_ in range(ROUNDS):
        (case,) = opened(escucha, f"ana{round_}")
        jobs = [
            lambda tx, it, name=name: desk.assign(tx, it, team=None, agent=name, by=name, now=escucha.clock())
            for name in names
        ]
        came = race(escucha, case.reference, *jobs)
        winner = names[came.index("won")]
        assert came.count("won") == 1
        assert all(winner in said for said in came if said != "won")
        with escucha.store.read() as tx:
            assert cases.get(tx, case.reference).agent == winner
            kinds = Counter(event.kind for event in cases.events_of(tx, case))
            assert kinds["assigned"] == 1


def test_one_of_two_resolves_it(escucha: Escucha) -> None:
    (case,) = opened(escucha, "ana")
    for _ in range(ROUNDS):
        came = race(
            escucha,
            case.reference,
            moving(escucha, CaseState.RESOLVED, "luis"),
            moving(escucha, CaseState.RESOLVED, "eva"),
        )
        assert came.count("won") == 1
        assert ("luis" if came[0] == "won" else "eva") in next(said for said in came if said != "won")
        race(escucha, case.reference, moving(escucha, CaseState.OPEN, "luis"))


def test_what_does_not_contradict_is_all_kept(escucha: Escucha) -> None:
    (case,) = opened(escucha, "ana")
    now = escucha.clock()
    jobs: list[Job] = [
        lambda tx, it: marks.tag(tx, it, ["vip"], by="luis", now=now),
        lambda tx, it: marks.tag(tx, it, ["sur"], by="eva", now=now),
        lambda tx, it: marks.watch(tx, it, "luis", by="luis", now=now),
        lambda tx, it: marks.watch(tx, it, "eva", by="eva", now=now),
        lambda tx, it: checklists.mark(tx, it, "look", done=True, wanted=STEPS, by="luis", now=now),
        lambda tx, it: checklists.mark(tx, it, "mend", done=True, wanted=STEPS, by="eva", now=now),
    ]
    assert race(escucha, case.reference, *jobs) == ["won"] * len(jobs)
    with escucha.store.read() as tx:
        found = cases.get(tx, case.reference)
    assert {"vip", "sur"} <= set(found.tags)
    assert set(found.watchers) == {"luis", "eva"}
    assert found.completeness == 100


def test_a_question_is_asked_once_and_answered_once(escucha: Escucha) -> None:
    (case,) = opened(escucha, "ana")
    now = escucha.clock()
    ask: list[Job] = [
        lambda tx, it, by=by: clocks.ask(tx, it, team="care", text="?", chain=(), by=by, now=now)
        for by in ("luis", "eva")
    ]
    assert race(escucha, case.reference, *ask).count("won") == 1
    answer: list[Job] = [
        lambda tx, it, by=by: clocks.inform(tx, it, text="!", by=by, now=now) for by in ("luis", "eva")
    ]
    assert race(escucha, case.reference, *answer).count("won") == 1


def test_cases_merged_crosswise_end_as_one(escucha: Escucha) -> None:
    for round_ in range(ROUNDS):
        one, two = opened(escucha, f"ana{round_}", f"beto{round_}")
        now = escucha.clock()

        def into(whole: str, part: str, at: object = now) -> Job:
            return lambda tx, _: merging.merge(
                tx,
                desk.find(tx, whole, "ES", merged=True),
                desk.find(tx, part, "ES", merged=True),
                by="luis",
                now=at,  # type: ignore[arg-type]
                one_person=True,
            )

        came = race(escucha, one.reference, into(one.reference, two.reference), into(two.reference, one.reference))
        assert came.count("won") == 1
        with escucha.store.read() as tx:
            whole = desk.find(tx, one.reference, "ES")
            assert desk.find(tx, two.reference, "ES").id == whole.id
            assert len(cases.mentions_in(tx, whole)) == 2


def test_no_two_cases_are_each_others_parts(escucha: Escucha) -> None:
    one, two = opened(escucha, "ana", "beto")
    now = escucha.clock()
    jobs: list[Job] = [
        lambda tx, _: parts.set_parent(tx, cases.by_id(tx, one.id), cases.by_id(tx, two.id), by="luis", now=now),
        lambda tx, _: parts.set_parent(tx, cases.by_id(tx, two.id), cases.by_id(tx, one.id), by="eva", now=now),
    ]
    assert race(escucha, one.reference, *jobs).count("won") == 1


def test_a_mention_that_joins_while_an_agent_works_loses_neither(escucha: Escucha) -> None:
    (case,) = opened(escucha, "ana")
    for number in range(ROUNDS):
        race(escucha, case.reference, moving(escucha, CaseState.PENDING, "luis"))
        escucha.says(f"@marca sigue mal {number}", who="ana")
        escucha.clock.forward(seconds=11)
        start = Barrier(2)

        def hear(barrier: Barrier = start) -> None:
            barrier.wait(timeout=30)
            escucha.main.once()

        listening = Thread(target=hear)
        listening.start()
        start.wait(timeout=30)
        until = escucha.clock() + timedelta(days=1)
        with escucha.store.write() as tx:
            marks.snooze(tx, desk.find(tx, case.reference, "ES"), until, by="luis", now=escucha.clock())
        listening.join(timeout=60)
        with escucha.store.read() as tx:
            found = cases.get(tx, case.reference)
            assert rebuilding.differences(tx, limit=3) == []
            assert found.state is CaseState.OPEN
            assert len(cases.mentions_in(tx, found)) == number + 2
            assert [event.kind for event in cases.events_of(tx, found)].count("snoozed") == number + 1
