"""Whatever is done to incidents, mentions and cases in whatever order: each mention is of one at most, each case is
what its events say, and nothing is lost. On both databases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import select

from listener.desk import case_merging, parts
from listener.desk import cases as desk
from listener.desk import incident_life as life
from listener.desk import incident_moves as moves
from listener.desk.incidents import Affected
from listener.errors import Mistake
from listener.flow import incident_ending
from listener.flow.incidents import gather
from listener.store import (
    Store,
    Transaction,
    attached,
    cases,
    erasing,
    incident_checks,
    incidents,
    mentions,
    rebuilding,
    sources,
    tables,
)
from listener.store import open as open_store
from listener.store.sources import Wanted
from listener.types import Attached, Author, CasePlan, CaseState, IncidentState, Post, PostKind, Urgency
from tests import databases

PLAN = CasePlan(team="care", urgency=Urgency.NORMAL, title="x")
PEOPLE, POSTS, INCIDENTS = 3, 8, 3
WORDS = ("cobro", "luz", "nada")
START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


def still(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
    return moment


class Life(RuleBasedStateMachine):
    """A few people who write, and a few incidents."""

    on_postgres = False  # also where the other tests are on SQLite

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.held = ExitStack()
        own = self.held.enter_context(databases.one()) if self.on_postgres else databases.at(self.folder.name)
        self.store: Store = open_store(own)
        self.now = START
        wanted = Wanted(name="tag", account="care", network="x", query="#a", every=timedelta(minutes=1))
        with self.store.write() as tx:
            sources.sync(tx, [wanted], self.now)
            self.source = sources.get(tx, "tag").id
        self.refused: set[tuple[int, int]] = set()  # (incident, mention) that a person took off and nobody put back
        self.opens(word=WORDS[0], ago=30)
        for post in range(1, POSTS):
            self.writes(post=post, word=WORDS[post % 2], own=post % 3 == 0)
        self.gathers(stop=4)

    def teardown(self) -> None:
        self.store.close()
        self.held.close()
        self.folder.cleanup()

    @contextmanager
    def doing(self) -> Iterator[Transaction]:
        """One transaction, in which what cannot be is refused with a sentence."""
        self.now += timedelta(minutes=1)
        with suppress(Mistake), self.store.write() as tx:
            yield tx

    def case(self, tx: Transaction, mention: int) -> cases.Case:
        found = cases.of_mention(tx, mention)
        if found is None:
            raise Mistake("it is in no case")
        return found

    # --- what people write ---

    @rule(post=st.integers(1, POSTS), word=st.sampled_from(WORDS), own=st.booleans())
    def writes(self, post: int, word: str, own: bool) -> None:
        """A new post, in a case of its own or in its author's; or an edit of one."""
        with self.doing() as tx:
            who = f"p{post % PEOPLE}"
            heard = Post(
                external_id=f"e{post}",
                author=Author(external_id=who, handle=who),
                text=f"{word} {post}",
                posted_at=self.now,
                edited_at=self.now,
                kind=PostKind.MENTION,
            )
            saved = mentions.save(tx, source_id=self.source, network="x", posts=[heard], now=self.now)
            ids = (*saved.new, *saved.edited)
            read = tables.mentions.c.id.in_(ids)
            tx.execute(tables.mentions.update().where(read).values(state="decided"))
            for number in saved.new:
                account = mentions.get(tx, number).account_id
                live = cases.listing(tx)
                theirs = next((each for each in live if each.account_id == account), None)
                if theirs is None or own:
                    theirs = desk.open_case(
                        tx, pattern="ES", plan=PLAN, account_id=account, customer_id=None, by="policy", since=self.now,
                        now=self.now,
                    )  # fmt: skip
                cases.attach(tx, theirs, number, why="x", by="policy", now=self.now)

    @rule(post=st.integers(1, POSTS))
    def deletes(self, post: int) -> None:
        with self.doing() as tx:
            erasing.erase(tx, network="x", external_ids=[f"e{post}"], now=self.now)

    # --- what people do with incidents ---

    @rule(word=st.sampled_from(WORDS), ago=st.integers(0, 30))
    def opens(self, word: str, ago: int) -> None:
        with self.doing() as tx:
            if len(incidents.listing(tx)) >= INCIDENTS:
                return
            began = self.now - timedelta(minutes=ago)
            said = life.Description(title="T", affected=Affected(words=(word,)), began_at=began)
            life.open_incident(tx, said, plan=PLAN, pattern="ES", by="ana", now=self.now)

    @rule(number=st.integers(1, INCIDENTS), word=st.sampled_from(WORDS))
    def describes(self, number: int, word: str) -> None:
        with self.doing() as tx:
            changed = {"affected": {"words": [word]}}
            life.describe(tx, incidents.hold(tx, number), changed, by="ana", now=self.now)

    @rule(number=st.integers(1, INCIDENTS), mention=st.integers(1, POSTS), move=st.booleans())
    def attaches(self, number: int, mention: int, move: bool) -> None:
        with self.doing() as tx:
            held = incidents.hold(tx, number)
            before = incidents.of_mention(tx, mention)
            life.attach(tx, held, mentions.get(tx, mention), why="", by="ana", now=self.now, move=move)
            self.refused.discard((number, mention))
            if before is not None:
                self.refused.add((before.id, mention))

    @rule(number=st.integers(1, INCIDENTS), mention=st.integers(1, POSTS))
    def detaches(self, number: int, mention: int) -> None:
        with self.doing() as tx:
            life.detach(tx, incidents.hold(tx, number), mention, by="ana", now=self.now)
            self.refused.add((number, mention))

    @rule(number=st.integers(1, INCIDENTS), to=st.sampled_from([IncidentState.IDENTIFIED, IncidentState.FIXING]))
    def steps(self, number: int, to: IncidentState) -> None:
        with self.doing() as tx:
            moves.step(tx, incidents.get(tx, number), to, text="x", public={}, by="ana", now=self.now)

    @rule(number=st.integers(1, INCIDENTS), how=st.sampled_from(["resolve", "reopen", "close", "dismiss"]))
    def ends(self, number: int, how: str) -> None:
        with self.doing() as tx:
            found = incidents.get(tx, number)
            if how == "resolve":
                moves.resolve(tx, found, ended_at=self.now, text="", public={}, moved=still, by="ana", now=self.now)
            else:
                getattr(moves, how)(tx, found, text="", moved=still, by="ana", now=self.now)
        if how == "resolve":
            with self.store.read() as tx:
                found = next((each for each in incidents.listing(tx) if each.id == number), None)
            if found and found.state is IncidentState.RESOLVED:
                incident_ending.resolve(self.store, found, owed_too=True, note="x", by="ana", now=lambda: self.now)

    # --- what people do with cases ---

    @rule(mention=st.integers(1, POSTS), to=st.sampled_from(list(CaseState)))
    def moves_a_case(self, mention: int, to: CaseState) -> None:
        with self.doing() as tx:
            desk.move(tx, self.case(tx, mention), to, by="ana", now=self.now, moved=still)

    @rule(one=st.integers(1, POSTS), other=st.integers(1, POSTS))
    def merges(self, one: int, other: int) -> None:
        with self.doing() as tx:
            case_merging.merge(tx, self.case(tx, one), self.case(tx, other), by="ana", now=self.now, one_person=True)

    @rule(mention=st.integers(1, POSTS))
    def takes_out_of_its_parent(self, mention: int) -> None:
        with self.doing() as tx:
            parts.leave_parent(tx, self.case(tx, mention), by="ana", now=self.now)

    @rule(stop=st.integers(0, 4))
    def gathers(self, stop: int) -> None:
        left = iter([False] * stop)
        self.now += timedelta(minutes=1)
        gather(
            self.store,
            places={},
            embed=lambda: None,
            is_ours=lambda _: False,
            now=lambda: self.now,
            stopping=lambda: next(left, stop < 4),
        )

    # --- what must always hold ---

    @invariant()
    def each_case_and_incident_is_what_its_events_say(self) -> None:
        with self.store.read() as tx:
            assert rebuilding.differences(tx, limit=3) == []
            assert incident_checks.differences(tx, limit=3) == []

    @invariant()
    def each_mention_is_of_one_and_none_came_back_against_a_person(self) -> None:
        rows = tables.incident_mentions
        with self.store.read() as tx:
            current = tx.execute(select(rows).where(rows.c.undone_at.is_(None))).all()
            assert len({row.mention_id for row in current}) == len(current)
            by_rule = {(row.incident_id, row.mention_id) for row in current if row.how != Attached.HAND.value}
            assert by_rule.isdisjoint(self.refused)
            for incident in incidents.listing(tx):
                counted = attached.numbers(tx, incident)
                assert counted.mentions + counted.gone == sum(row.incident_id == incident.id for row in current)
                if incident.case_id is not None:
                    assert sum(counted.cases.values()) == len(cases.parts(tx, cases.by_id(tx, incident.case_id)))


Sqlite = Life.TestCase
Sqlite.settings = settings(
    max_examples=20, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow], deadline=None
)


@pytest.mark.slow
def test_the_same_on_postgresql(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    class OnPostgres(Life):
        on_postgres = True

    run_state_machine_as_test(
        OnPostgres,
        settings=settings(
            max_examples=8, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow], deadline=None
        ),
    )
