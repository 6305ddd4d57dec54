"""The jobs that many machines share, on a real PostgreSQL: made with what they are about, found where they are lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from procrastinate.exceptions import ConnectorException
from sqlalchemy import text
from structlog.testing import capture_logs

from listener import cluster as clusters
from listener.cluster import Cluster
from listener.daemon import MOST_STREAMS, Daemon
from listener.errors import Outage
from listener.store import Store, Transaction, inbox, jobs, loans, rests, sources, suspects
from listener.types import DraftState, Duty, RunState
from tests import postgres
from tests.listener.desk.answering_world import begun
from tests.listener.flow.world import Escucha

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture
def escucha(tmp_path: Path, postgres_url: str) -> Iterator[Escucha]:
    postgres.empty(postgres_url)
    made = Escucha(tmp_path, url=postgres_url)
    clusters.prepare(made.store)
    yield made
    made.close()


@pytest.fixture
def one(escucha: Escucha) -> Cluster:
    """A process with every duty that is not open: its jobs are made, and nobody takes them."""
    return process(escucha, "one", Duty)


def process(escucha: Escucha, name: str, duties: Any) -> Cluster:
    made = Cluster(escucha.main, frozenset(duties), tick=timedelta(seconds=1))
    made.join(name, lambda _name, work: work())
    return made


def queue(store: Store) -> list[Any]:
    query = f"SELECT task_name, priority, lock, args FROM {jobs.schema()}.procrastinate_jobs ORDER BY id"
    with store.read() as tx:
        return [(row.task_name, row.priority, row.lock, row.args) for row in tx.execute(text(query))]


def taken_by_the_dead(store: Store, deaths: int = 0) -> None:
    """Each job is a process's that is silent for an hour; so many have died of it before."""
    name = jobs.schema()
    with store.write() as tx:
        dead = f"INSERT INTO {name}.procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 h') RETURNING id"
        worker = tx.scalar(text(dead))
        taken = f"UPDATE {name}.procrastinate_jobs SET status = 'doing', worker_id = :worker, attempts = :deaths"
        tx.execute(text(f"SET LOCAL search_path TO {name}"))
        tx.execute(text(taken), {"worker": worker, "deaths": deaths})


def clear(store: Store) -> None:
    with store.write() as tx:
        jobs.enter(tx)
        tx.execute(text("DELETE FROM procrastinate_jobs"))


def eventually(what: Callable[[], Any]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)


def test_a_job_is_there_when_its_mention_is(escucha: Escucha, one: Cluster) -> None:
    """In the transaction that stores it; one that is rolled back leaves neither."""
    escucha.store.carries = one.carry
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.main.poll()
    assert queue(escucha.store) == [("digest", clusters.DIRECT, None, {"ids": [1]})]

    def breaks() -> None:
        with escucha.store.write() as tx:
            one.carry(tx, [1])
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        breaks()
    assert len(queue(escucha.store)) == 1


def test_what_addresses_us_goes_before_what_was_only_found(tmp_path: Path, postgres_url: str) -> None:
    postgres.empty(postgres_url)
    escucha = Escucha(tmp_path, url=postgres_url, queries=("#fibra", "mentions"))
    clusters.prepare(escucha.store)
    escucha.store.carries = process(escucha, "one", Duty).carry
    for number in range(clusters.JOB + 1):
        escucha.says(f"#fibra {number}")
    escucha.says("@marca mal")
    escucha.main.poll()
    made = queue(escucha.store)
    assert sorted(priority for _, priority, _, _ in made)[-1] == clusters.DIRECT
    assert sum(len(values["ids"]) for _, _, _, values in made) == clusters.JOB + 2
    assert all(len(values["ids"]) <= clusters.JOB for _, _, _, values in made)
    escucha.close()


def test_the_sweep_finds_what_no_job_carries_and_only_that(escucha: Escucha, one: Cluster) -> None:
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.says("@marca mal", who="beto")
    escucha.main.poll()
    assert one.sweep() == 2
    assert one.sweep() == 0, "jobs carry them"
    assert escucha.main.digest() == 2
    clear(escucha.store)
    assert one.sweep() == 0, "nothing waits"


def test_the_sweep_begins_with_what_addresses_us(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much was found before: it may be more than one sweep takes, and nobody may be reading it."""
    monkeypatch.setattr(clusters, "SWEPT", 2)
    postgres.empty(postgres_url)
    escucha = Escucha(tmp_path, url=postgres_url, queries=("#fibra", "mentions"))
    clusters.prepare(escucha.store)
    for number in range(3):
        escucha.says(f"#fibra {number}")
    escucha.main.poll()
    escucha.says("@marca mal")
    escucha.main.poll(["source-1"])
    one = process(escucha, "one", Duty)
    assert one.sweep() == 2
    assert [(values["ids"], priority) for _, priority, _, values in queue(escucha.store)] == [
        ([4], clusters.DIRECT),
        ([1], 0),
    ]
    assert one.sweep() == 2, "and the rest in turn"
    assert one.sweep() == 0
    escucha.close()


def test_a_queue_that_takes_no_job_is_an_outage(escucha: Escucha, one: Cluster) -> None:
    """Whichever job it is: the daemon waits for the database then, and tells of no bug."""
    with escucha.store.write() as tx:
        tx.execute(text(f"DROP SCHEMA {jobs.schema()} CASCADE"))
    with pytest.raises(Outage, match="took no job"), escucha.store.write() as tx:
        one.carry(tx, [1])
    with pytest.raises(Outage, match="took no job"):
        one._make(Duty.POLL, [("poll", "poll care", "poll source-0", {"source": "source-0"})])


def test_a_run_whose_last_answers_are_rejected_ends_without_a_send(tmp_path: Path, postgres_url: str) -> None:
    postgres.empty(postgres_url)
    desk = begun(tmp_path, url=postgres_url)
    escucha = desk.escucha
    clusters.prepare(escucha.store)
    desk.complain("ana", "beto")
    run = desk.running()
    end = process(escucha, "one", [Duty.SEND]).turns()["end runs"]
    assert end.duty is Duty.SEND
    for open_ in (2, 1, 0):
        end.work()
        assert desk.run(run).state is (RunState.RUNNING if open_ else RunState.DONE)
        for draft in escucha.drafts(DraftState.APPROVED)[:1]:
            with escucha.store.write() as tx:
                inbox.reject(tx, draft, by="ana", reason="No.", now=escucha.clock())
    with escucha.store.read() as tx:
        assert jobs.to_send(tx, escucha.clock()) == set(), "no job would have ended it"
    assert not escucha.answers()
    escucha.close()


def test_what_a_process_died_of_is_in_no_job(escucha: Escucha, one: Cluster) -> None:
    """Once it is looked at alone nothing but its place among the suspects keeps others from it."""
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.main.poll()
    with escucha.store.write() as tx:
        suspects.died(tx, "understand", [1], now=escucha.clock())
        assert suspects.next_one(tx, now=escucha.clock())
    assert one.sweep() == 0
    one._digest([1, 2])
    with escucha.store.read() as tx:
        assert jobs.waiting(tx, [1]) == [1]


def test_what_a_job_that_killed_two_processes_carries_is_looked_at_one_by_one(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "HEARTBEAT", 0.2)
    monkeypatch.setattr(clusters, "DEAD", 2.0)
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.main.poll()
    one = process(escucha, "one", [Duty.WORK])
    looks: list[int] = []
    for deaths in (0, 1):
        one.sweep()
        taken_by_the_dead(escucha.store, deaths)
        other = process(escucha, f"after {deaths}", [Duty.WORK])
        other._digest = lambda ids, **_: None  # type: ignore[method-assign]
        with other:
            other._renew()
            eventually(lambda: not queue(escucha.store))
        with escucha.store.read() as tx:
            looks.append(suspects.is_due(tx, now=escucha.clock()))
    assert looks == [False, True], "the second death is one too many"
    one._look_alone()
    with escucha.store.read() as tx:
        assert jobs.waiting(tx, [1]) == [1], "read, and left to be decided with the others"
        assert not suspects.is_due(tx, now=escucha.clock())


def test_a_due_source_is_one_job_and_one_account_is_polled_once_at_a_time(escucha: Escucha, one: Cluster) -> None:
    one._plan_polls()
    one._plan_polls()
    assert queue(escucha.store) == [("poll", 0, "poll care", {"source": "source-0"})]
    one._poll("source-0")
    clear(escucha.store)
    with escucha.store.write() as tx:
        sources.pause(tx, "source-0", by="ana", reason="", now=escucha.clock())
    escucha.clock.forward(hours=1)
    one._plan_polls()
    assert queue(escucha.store) == []
    assert escucha.main.poll(source="source-0") == [], "a job made before the pause asks nobody"


def test_an_account_that_rests_has_no_job_whoever_was_told(escucha: Escucha, one: Cluster) -> None:
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.main.poll()
    escucha.main.digest()
    until = escucha.clock() + timedelta(minutes=5)
    with escucha.store.write() as tx:
        rests.rest(tx, "care", until)
    one._plan_sends()
    assert queue(escucha.store) == []
    one._act("care")
    assert escucha.answers() == [], "nor is one done that was made before"
    escucha.clock.forward(minutes=6)
    one._plan_sends()
    one._plan_sends()
    assert queue(escucha.store) == [("act", 0, "act care", {"account": "care"})]
    one._act("care")
    assert len(escucha.answers()) == 1
    with escucha.store.read() as tx:
        assert jobs.to_send(tx, escucha.clock()) == set()


def test_a_rest_that_only_a_wrong_clock_explains_holds_nobody(escucha: Escucha, one: Cluster) -> None:
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.main.poll()
    escucha.main.digest()
    with escucha.store.write() as tx:
        rests.rest(tx, "care", escucha.clock() + timedelta(hours=2))
    one._plan_sends()
    assert queue(escucha.store) == [("act", 0, "act care", {"account": "care"})]
    one._act("care")
    assert len(escucha.answers()) == 1


def test_a_loan_is_one_process_s_until_it_is_renewed_no_more(escucha: Escucha) -> None:
    first, second = process(escucha, "first", Duty), process(escucha, "second", [Duty.WORK])
    first._renew()
    second._renew()
    assert all(first.leads(duty) for duty in Duty)
    assert not second.leads(Duty.WORK)
    with escucha.store.write() as tx:
        tx.execute(text("UPDATE loans SET until = now() - interval '1 s'"))
    second._renew()
    first._renew()
    assert second.leads(Duty.WORK)
    assert not first.leads(Duty.WORK)
    assert first.leads(Duty.POLL)


def test_each_stream_has_one_process(escucha: Escucha) -> None:
    first, second = process(escucha, "first", [Duty.POLL]), process(escucha, "second", [Duty.POLL])
    for each in (first, second, first):
        each.listens(["a", "b"], [])
        each._renew()
    assert first.listens(["a", "b"], []) == ["a", "b"]
    assert second.listens(["a", "b"], []) == []
    with escucha.store.write() as tx:
        loans.leave(tx, holder="first")
    second._renew()
    assert second.listens(["a", "b"], []) == ["a", "b"]


def test_streams_that_one_process_has_no_room_for_are_another_s(escucha: Escucha) -> None:
    first, second = process(escucha, "first", [Duty.POLL]), process(escucha, "second", [Duty.POLL])
    names = [f"s{number:03}" for number in range(MOST_STREAMS + 5)]
    for each in (first, second, first, second):
        each.listens(names, [])
        each._renew()
    assert first.listens(names, []) == names[:MOST_STREAMS]
    assert second.listens(names, []) == names[MOST_STREAMS:]


def test_jobs_of_a_process_that_died_are_done_by_another(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken by a worker that shows no sign of life any more, or whose row is gone."""
    monkeypatch.setattr(clusters, "HEARTBEAT", 0.2)
    monkeypatch.setattr(clusters, "DEAD", 2.0)
    one = process(escucha, "one", [Duty.WORK])
    escucha.says("@marca ¿cuánto cuesta?")
    escucha.main.poll()
    one.sweep()
    taken_by_the_dead(escucha.store)
    with one:
        time.sleep(0.6)
        assert queue(escucha.store), "it does not lead, so it takes nothing over"
        one._renew()
        eventually(lambda: not queue(escucha.store))
    with escucha.store.read() as tx:
        assert jobs.waiting(tx, [1]) == []


def test_the_next_job_does_not_wait_for_ever_for_one_whose_process_died(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an account one job is done and one waits, which keeps the first from being put back."""
    monkeypatch.setattr(clusters, "HEARTBEAT", 0.2)
    one = process(escucha, "one", [Duty.SEND])
    clear(escucha.store)
    job = "('send', 'act', 'act care', 'act care', '{\"account\": \"care\"}'"
    with escucha.store.write() as tx:
        tx.execute(text(f"SET LOCAL search_path TO {jobs.schema()}"))
        for status in ("doing", "todo"):
            columns = "queue_name, task_name, lock, queueing_lock, args, status"
            tx.exec_driver_sql(f"INSERT INTO procrastinate_jobs ({columns}) VALUES {job}, '{status}')")
    with one:
        one._renew()
        eventually(lambda: not queue(escucha.store))


def test_an_engine_that_breaks_ever_again_is_told_of_and_a_connection_that_was_cut_is_not(escucha: Escucha) -> None:
    told: list[Exception] = []

    def guard(_name: str, work: Callable[[], Any]) -> None:
        try:
            work()
        except (Outage, KeyError) as error:
            told.append(error)

    one = Cluster(escucha.main, [Duty.WORK], tick=timedelta(seconds=1))
    one.join("one", guard)
    for times in range(clusters.OFTEN):
        assert not told, times
        one._note(ConnectorException("its connection was cut"))
    one._note(KeyError("a bug"))
    assert [type(each) for each in told] == [Outage, KeyError]


def test_an_engine_that_breaks_while_the_database_answers_is_told_of_once(escucha: Escucha) -> None:
    """That its sign of life is taken says nothing of the jobs, so it is no news that the stage works again."""

    def rename(tx: Transaction, function: str, to: str) -> None:
        tx.exec_driver_sql(f"ALTER FUNCTION {jobs.schema()}.{function} RENAME TO {to}")

    one = Cluster(escucha.main, [Duty.WORK], tick=timedelta(seconds=1))
    daemon = Daemon(escucha.main, tick=timedelta(seconds=1), version="test", crew=one)
    breaks = 0
    note = one._note

    def counted(error: BaseException) -> None:
        nonlocal breaks
        note(error)
        daemon._guarded("alive", daemon._alive)
        breaks += 1

    one._note = counted  # type: ignore[method-assign]
    with escucha.store.write() as tx:
        rename(tx, "procrastinate_fetch_job_v2", "elsewhere")
    with capture_logs() as lines:

        def told() -> list[tuple[str, str]]:
            return [(each["action"], each["stage"]) for each in lines if each["action"].startswith("stage_")]

        with one:
            eventually(lambda: breaks >= clusters.OFTEN + 2)
            assert told() == [("stage_down", "jobs")]
            (hurt,) = daemon.health().hurts
            assert hurt.startswith("The stage jobs breaks (The database gives no jobs: function ")
            with escucha.store.write() as tx:
                rename(tx, "elsewhere", "procrastinate_fetch_job_v2")
            eventually(lambda: len(told()) > 1)
    assert told() == [("stage_down", "jobs"), ("stage_up", "jobs")]


def test_two_versions_queues_live_side_by_side(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own; the older one goes when nobody has used it for a while."""
    old = jobs.schema()
    assert clusters.prepare(escucha.store) is None, "made once"
    with escucha.store.write() as tx:
        tx.execute(text(f"INSERT INTO {old}.procrastinate_workers DEFAULT VALUES"))
    monkeypatch.setattr(jobs, "schema", lambda: "escucha_jobs_99_0")
    clusters.prepare(escucha.store)
    with escucha.store.write() as tx:
        assert jobs.there(tx)
        assert tx.scalar(text("SELECT count(*) FROM escucha_jobs_99_0.procrastinate_jobs")) == 0
        assert tx.scalar(text("SELECT to_regclass(:n) IS NOT NULL"), {"n": f"{old}.procrastinate_jobs"})
        tx.execute(text(f"UPDATE {old}.procrastinate_workers SET last_heartbeat = now() - interval '1 h'"))
    clusters.prepare(escucha.store)
    with escucha.store.read() as tx:
        assert not tx.scalar(text("SELECT to_regclass(:n) IS NOT NULL"), {"n": f"{old}.procrastinate_jobs"})


def test_three_processes_read_and_decide_each_once(escucha: Escucha) -> None:
    """Everything that was said is read and decided once, whoever takes it."""
    people = 30
    with ExitStack() as stack:
        # each stands for a process; they share one store here, whose connections are enough for all
        crew = [process(escucha, f"p{number}", Duty) for number in range(3)]
        for each in crew:
            each._renew()
            stack.enter_context(each)
        for number in range(people):
            escucha.says("@marca mal, no anda", who=f"p{number}")
        crew[0]._plan_polls()
        with_case = "SELECT count(*) FROM cases"

        def counted() -> int:
            with escucha.store.read() as tx:
                return int(tx.scalar(text(with_case)) or 0)

        def pages() -> bool:
            crew[0]._plan_polls()
            return counted() == people

        eventually(pages)
    with escucha.store.read() as tx:
        assert tx.scalar(text("SELECT count(DISTINCT mention_id) FROM decisions")) == people
        assert tx.scalar(text("SELECT count(*) FROM decisions")) == people
    assert escucha.store.problems() == []
