"""A mention that breaks or kills whoever looks at it is found and set aside; everything else goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

import policies
from connectors import sandbox
from listener import inhand
from listener.contract import Policy, Streams
from listener.errors import NoModel, Outage
from listener.flow import decide as deciding
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.flow.suspecting import look_alone
from listener.store import Store, garbled, mentions, sources, suspects
from listener.store import mentions as stored
from listener.store import tables as t
from listener.store.sources import Source
from listener.store.suspects import Suspect
from listener.types import Cursor, Decision, Garbled, MentionState, Page, Situation, Understanding
from tests import databases
from tests.listener.flow.world import Escucha, Keywords

SPAWN = multiprocessing.get_context("spawn")
DEADLY = "este texto mata"


class Deadly(Keywords):
    """A model that a certain text kills."""

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        if any(DEADLY in text for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().classify(texts)


class DeadlyPolicy:
    """A policy that a certain text kills."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __getattr__(self, name: str) -> object:
        return getattr(self._policy, name)

    def decide(self, situation: Situation) -> Decision:
        if DEADLY in situation.text:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._policy.decide(situation)


class DeadlyNetwork(sandbox.Sandbox):
    """A network whose answer kills whoever reads it."""

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().poll(query, cursor)


class DeadlyStream(sandbox.Sandbox, Streams):
    """A network whose stream kills whoever hears it from where we were, and tells of a post else."""

    def streams(self, query: str) -> bool:
        return True

    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:
        yield Page(posts=(), cursor=None)
        if cursor is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        yield replace(self.poll(query, None), cursor={"elsewhere": 1})


def process(folder: Path, deadly: str, policy: str) -> None:
    """One process from its start until nothing is left to do, or until something kills it."""
    from listener import store as stores

    opened = stores.open(databases.at(folder))
    read = policies.load_text(policy)
    connector = {"network": DeadlyNetwork, "stream": DeadlyStream}.get(deadly, sandbox.Sandbox)
    pipeline = Pipeline(
        opened,
        accounts={"care": "sandbox"},
        connect=lambda _: connector(sandbox.Settings(world=folder / "world.db")),
        network_facts=lambda _: sandbox.FACTS,
        classifier=Deadly if deadly == "model" else Keywords,
        policy=DeadlyPolicy(read) if deadly == "policy" else read,  # type: ignore[arg-type]
        company=Company(case_pattern="ES"),
    )
    pipeline.take_over(f"host:{os.getpid()}")
    if deadly in ("network", "stream"):
        pipeline.poll()
    for name in pipeline.streams():
        pipeline.stream(name)
    pipeline.digest()
    inhand.stop()
    opened.close()


def run_one(folder: Path, deadly: str, policy: str) -> int | None:
    child = SPAWN.Process(target=process, args=(folder, deadly, policy))
    child.start()
    child.join(60)
    return child.exitcode


def states(store: Store) -> dict[str, tuple[str, bool]]:
    with store.read() as tx:
        return {each.text: (each.state.value, each.trouble is not None) for each in mentions.recent(tx, limit=100)}


@pytest.mark.slow
@pytest.mark.parametrize("deadly", ["model", "policy"])
def test_a_mention_that_kills_the_process_does_so_three_times_at_most(
    tmp_path_factory: pytest.TempPathFactory, deadly: str
) -> None:
    folder = tmp_path_factory.mktemp(deadly)
    escucha = Escucha(folder)
    fine = [f"@marca ¿a qué hora abren? {number}" for number in range(20)]
    for text in (*fine[:10], f"@marca {DEADLY}", *fine[10:]):
        escucha.says(text)
    escucha.main.poll()
    codes = []
    for _ in range(5):
        codes.append(run_one(folder, deadly, escucha.policy.text))
        with escucha.store.write() as tx:  # the minute between two looks at it passes
            tx.execute(t.suspects.update().where(t.suspects.c.deaths < 3).values(due_at=escucha.clock()))
    assert codes == [-9, -9, 0, -9, 0], "after the second death the others are done first"
    found = states(escucha.store)
    waits = "new" if deadly == "model" else "understood"
    assert found.pop(f"@marca {DEADLY}") == (waits, True)
    assert found == dict.fromkeys(fine, ("decided", False))
    with escucha.store.read() as tx:
        (mention,) = [each for each in mentions.recent(tx, limit=100) if each.trouble]
    assert mention.trouble is not None
    assert "died while it looked at this 3 times" in mention.trouble
    with escucha.store.write() as tx:
        assert suspects.retry(tx, [mention.id], by="ana", now=escucha.clock()) == [mention.id]
    assert run_one(folder, "", escucha.policy.text) == 0, "the model was mended"
    assert states(escucha.store)[f"@marca {DEADLY}"] == ("decided", False)
    escucha.close()


@pytest.mark.slow
def test_a_source_that_kills_the_process_is_asked_ever_more_seldom(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("network")
    escucha = Escucha(folder)
    policy = escucha.policy.text
    assert [run_one(folder, "network", policy) for _ in range(3)] == [-9, -9, 0], "now it waits"
    with escucha.store.read() as tx:
        (source,) = sources.list_all(tx)
    assert (source.failures, source.last_error) == (2, "the process died while it was being read")
    assert source.next_poll_at > escucha.clock()
    escucha.says("@marca ¿horario?")
    escucha.round(hours=2)
    assert len(escucha.answers()) == 1, "mended, and nothing lost"
    escucha.close()


@pytest.mark.slow
def test_a_stream_that_kills_the_process_is_opened_ever_later_and_from_now_on(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("stream")
    escucha = Escucha(folder)
    policy = escucha.policy.text
    escucha.says("@marca ¿horario?")

    def seen() -> Source:
        with escucha.store.read() as tx:
            return sources.list_all(tx)[0]

    assert [run_one(folder, "stream", policy) for _ in range(2)] == [-9, -9]
    assert run_one(folder, "stream", policy) == 0, "it rests, and polls go on"
    assert (seen().stream_deaths, seen().stream_error) == (2, "the process died while it was being read")
    until = seen().stream_rests_until
    assert until is not None
    assert until > escucha.clock()
    assert states(escucha.store) == {"@marca ¿horario?": ("decided", False)}
    escucha.says("@marca ¿y mañana?")
    with escucha.store.write() as tx:
        tx.execute(t.sources.update().values(stream_rests_until=escucha.clock(), next_poll_at=until))
    assert run_one(folder, "stream", policy) == 0, "it passes over what kills"
    assert "@marca ¿y mañana?" in states(escucha.store)
    assert seen().cursor != {"elsewhere": 1}, "what it passed over is left to the polls"
    escucha.close()


def test_one_death_costs_those_beside_it_nothing_but_a_moment(escucha: Escucha) -> None:
    for number in range(5):
        escucha.says(f"@marca ¿horario? {number}")
    escucha.main.poll()
    with escucha.store.write() as tx:
        ids = [each.id for each in mentions.awaiting(tx, MentionState.NEW, 10)]
        assert suspects.died(tx, "understand", [*ids, 999], now=escucha.clock()) == ids
        assert mentions.awaiting(tx, MentionState.NEW, 10) == [], "they wait apart"
    escucha.main.digest()
    assert set(states(escucha.store).values()) == {("decided", False)}
    with escucha.store.read() as tx:
        assert not suspects.is_due(tx, now=escucha.clock())


def test_after_a_second_death_it_waits_a_minute_while_the_rest_goes_on(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.main.poll()
    waits = []
    for _ in range(2):
        with escucha.store.write() as tx:
            (mention,) = mentions.recent(tx, limit=1)
            suspects.died(tx, "understand", [mention.id], now=escucha.clock())
            waits.append(not suspects.is_due(tx, now=escucha.clock()))
    assert waits == [False, True]
    due = []
    for seconds in (59, 1):
        escucha.clock.forward(seconds=seconds)
        with escucha.store.read() as tx:
            due.append(suspects.is_due(tx, now=escucha.clock()))
    assert due == [False, True]


def test_what_was_set_aside_is_written_down_once(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.main.poll()
    for _ in range(suspects.MOST + 1):
        with escucha.store.write() as tx:
            (mention,) = mentions.recent(tx, limit=1)
            suspects.died(tx, "understand", [mention.id], now=escucha.clock())
    with escucha.store.read() as tx:
        entries = select(func.count()).select_from(t.audit).where(t.audit.c.action == "mention.set_aside")
        assert tx.scalar(entries) == 1


def test_of_two_who_look_for_the_next_one_at_once_one_gets_it(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.main.poll()
    with escucha.store.write() as tx:
        (mention,) = mentions.recent(tx, limit=1)
        suspects.died(tx, "understand", [mention.id], now=escucha.clock())
    found: list[Suspect | None] = []

    def looks() -> None:
        with escucha.store.write() as tx:
            found.append(suspects.next_one(tx, now=escucha.clock()))

    with escucha.store.write() as tx:
        first = suspects.next_one(tx, now=escucha.clock())
        second = threading.Thread(target=looks)
        second.start()
        second.join(0.5)  # it has asked, and waits for who was quicker
    second.join(30)
    assert first is not None
    assert found == [None]


def test_who_is_silent_about_what_it_looked_at_alone_has_died_of_it(escucha: Escucha) -> None:
    """Its machine is gone, and with it what it had in hand there."""
    escucha.says("@marca ¿horario?")
    escucha.main.poll()
    with escucha.store.write() as tx:
        (mention,) = mentions.awaiting(tx, MentionState.NEW, 10)
        suspects.died(tx, "understand", [mention.id], now=escucha.clock())
    deaths = []
    for _ in range(2):
        with escucha.store.write() as tx:
            found = suspects.next_one(tx, now=escucha.clock())
            assert found is not None
            deaths.append(found.deaths)
            assert suspects.next_one(tx, now=escucha.clock()) is None, "somebody has it in hand"
            assert mentions.awaiting(tx, MentionState.NEW, 10) == [], "nobody else takes it meanwhile"
            assert mentions.awaiting(tx, MentionState.NEW, 10, ids=[mention.id, 999]) == []
            assert [each.id for each in mentions.awaiting(tx, MentionState.NEW, 1, ids=[mention.id])] == [mention.id]
        escucha.clock.forward(minutes=11)
        with escucha.store.write() as tx:
            assert suspects.next_one(tx, now=escucha.clock()) is None, "it is known now, and waits"
        escucha.clock.forward(minutes=3)
    assert deaths == [1, 2]
    with escucha.store.read() as tx:
        assert not suspects.is_due(tx, now=escucha.clock())
        (mention,) = mentions.recent(tx, limit=1)
    assert "died while it looked at this 3 times" in (mention.trouble or "")


def test_what_was_done_before_the_death_is_not_suspected(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    with escucha.store.write() as tx:
        (mention,) = mentions.recent(tx, limit=1)
        assert suspects.died(tx, "decide", [mention.id], now=escucha.clock()) == []


def _suspected(escucha: Escucha, stage: str, *, deaths: int = 2) -> None:
    """A mention over which so many processes died, and whose next look is due."""
    escucha.says("@marca ¿horario?")
    escucha.main.poll()
    if stage == "decide":
        escucha.main.understand()
    with escucha.store.write() as tx:
        (mention,) = mentions.recent(tx, limit=1)
        for _ in range(deaths):
            suspects.died(tx, stage, [mention.id], now=escucha.clock())
    escucha.clock.forward(minutes=deaths - 1)


def _standing(escucha: Escucha) -> tuple[str, str | None, list[int]]:
    """What is of the one mention: its state, what it waits for, and its deaths where it is suspect."""
    with escucha.store.read() as tx:
        (mention,) = mentions.recent(tx, limit=1)
        return mention.state.value, mention.trouble, list(tx.scalars(select(t.suspects.c.deaths)))


TWICE = "a process died while it looked at this twice; it is looked at alone"


def test_a_database_that_goes_away_while_a_suspect_is_looked_at_is_no_death(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args, **_named):  # type: ignore[no-untyped-def]
        raise Outage("the database is away")

    _suspected(escucha, "decide")
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "_tell", away)
        with pytest.raises(Outage):
            escucha.main.digest()
    assert _standing(escucha) == ("understood", f"decide: {TWICE}", [2])
    escucha.main.digest()
    assert _standing(escucha)[0] == "understood", "it waits a minute, apart from the rest"
    escucha.clock.forward(minutes=11)
    escucha.main.digest()
    assert _standing(escucha) == ("decided", None, [])


def test_a_database_that_is_still_away_when_the_look_is_over_is_no_death_either(escucha: Escucha) -> None:
    """The process remembers that it lives, and writes it down once it can."""
    _suspected(escucha, "understand")
    seen: list[Suspect] = []

    def look(stage: Callable[[Sequence[int] | None], int]) -> int:
        stages = {"understand": stage}
        return look_alone(escucha.store, stages, seen=seen, clock=escucha.clock, stopping=lambda: False)

    def goes_away(_ids: Sequence[int] | None) -> int:
        with escucha.store.write() as tx:
            tx.exec_driver_sql("ALTER TABLE suspects RENAME TO away")
        return 0

    with pytest.raises(Outage):
        look(goes_away)
    escucha.clock.forward(minutes=11)
    with escucha.store.write() as tx:
        tx.exec_driver_sql("ALTER TABLE away RENAME TO suspects")
    assert look(escucha.main.understand) == 0
    assert _standing(escucha) == ("new", f"understand: {TWICE}", [2])
    escucha.clock.forward(minutes=1)
    assert look(escucha.main.understand) == 1
    assert _standing(escucha) == ("understood", None, [])


def test_a_model_that_is_away_clears_nobody(escucha: Escucha) -> None:
    def away() -> Keywords:
        raise NoModel("its file is damaged")

    _suspected(escucha, "understand", deaths=1)
    loads, escucha.main.reader._load = escucha.main.reader._load, away
    escucha.main.digest()
    assert _standing(escucha) == ("new", f"understand: {TWICE.replace('twice', 'once')}", [1])
    escucha.main.reader._load = loads
    escucha.clock.forward(minutes=11)
    escucha.main.digest()
    assert _standing(escucha) == ("decided", None, [])


def test_who_was_silent_so_long_that_it_counts_as_dead_leaves_it_to_the_next(escucha: Escucha) -> None:
    _suspected(escucha, "understand")
    with escucha.store.write() as tx:
        late = suspects.next_one(tx, now=escucha.clock())
        escucha.clock.forward(minutes=11)
        assert suspects.next_one(tx, now=escucha.clock()) is None
        assert late is not None
        suspects.survived(tx, late, now=escucha.clock())
    assert _standing(escucha)[2] == [3]


class Fragile(Keywords):
    """A model whose numbers for a certain text cannot be stored."""

    def _read(self, text: str) -> Understanding:
        found = super()._read(text)
        return found if DEADLY not in text else Understanding(**(vars(found) | {"language": object()}))


def test_what_cannot_be_written_down_is_set_aside_alone(escucha: Escucha) -> None:
    escucha.main.reader._load = Fragile
    for text in ("@marca ¿horario?", f"@marca {DEADLY}", "@marca ¿y mañana?"):
        escucha.says(text)
    escucha.round()
    found = states(escucha.store)
    assert found.pop(f"@marca {DEADLY}") == ("new", True)
    assert set(found.values()) == {("decided", False)}


def test_what_breaks_around_the_policy_is_set_aside_alone(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    tells = deciding._tell

    def breaks(mention, *more):  # type: ignore[no-untyped-def]
        if DEADLY in mention.text:
            raise KeyError("a bug")
        return tells(mention, *more)

    monkeypatch.setattr(deciding, "_tell", breaks)
    for text in ("@marca ¿horario?", f"@marca {DEADLY}", "@marca ¿y mañana?"):
        escucha.says(text)
    escucha.round()
    found = states(escucha.store)
    assert found.pop(f"@marca {DEADLY}") == ("understood", True)
    assert set(found.values()) == {("decided", False)}


def test_what_breaks_on_all_of_them_sets_none_aside(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_args, **_named):  # type: ignore[no-untyped-def]
        raise KeyError("a bug")

    escucha.says("@marca ¿horario?")
    escucha.says("@marca ¿y mañana?")
    escucha.main.poll()
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "_tell", breaks)
        with pytest.raises(KeyError):
            escucha.main.digest()
    assert set(states(escucha.store).values()) == {("understood", False)}
    escucha.main.digest()
    assert set(states(escucha.store).values()) == {("decided", False)}


def test_a_post_that_cannot_be_stored_is_shown_and_the_rest_of_its_page_is_stored(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = stored._content

    def breaks(post):  # type: ignore[no-untyped-def]
        if DEADLY in post.text:
            raise ValueError("a bug")
        return content(post)

    escucha.says("@marca uno")
    bad = escucha.says(f"@marca {DEADLY}")
    escucha.says("@marca dos")
    with monkeypatch.context() as patch:
        patch.setattr(stored, "_content", breaks)
        escucha.round()
        assert set(states(escucha.store)) == {"@marca uno", "@marca dos"}
        with escucha.store.read() as tx:
            (kept,) = garbled.listing(tx)
            assert sources.list_all(tx)[0].failures == 0
        assert (kept.external_id, kept.reason) == (bad, "it cannot be stored (ValueError)")
        escucha.says("@marca tres")
        escucha.round()
        assert "@marca tres" in states(escucha.store), "the cursor went on"
    escucha.network.edit(bad, f"@marca {DEADLY} otra vez", at=escucha.clock())
    escucha.round()
    assert f"@marca {DEADLY} otra vez" in states(escucha.store)
    with escucha.store.read() as tx:
        assert garbled.listing(tx) == []


def test_where_no_post_can_be_stored_the_page_waits(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_post):  # type: ignore[no-untyped-def]
        raise ValueError("a bug")

    escucha.says("@marca uno")
    escucha.says("@marca dos")
    with monkeypatch.context() as patch:
        patch.setattr(stored, "_content", breaks)
        escucha.round()
    with escucha.store.read() as tx:
        assert garbled.listing(tx) == []
        assert sources.list_all(tx)[0].failures == 1
    escucha.round(minutes=5)
    assert set(states(escucha.store)) == {"@marca uno", "@marca dos"}


def test_a_single_post_holds_its_source_up_a_few_times_only(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_post):  # type: ignore[no-untyped-def]
        raise ValueError("a bug")

    escucha.says("@marca uno")
    with monkeypatch.context() as patch:
        patch.setattr(stored, "_content", breaks)
        for failures in (1, 2, 3, 0):
            escucha.clock.forward(hours=1)
            escucha.main.poll()
            with escucha.store.read() as tx:
                assert sources.list_all(tx)[0].failures == failures
                assert garbled.how_many(tx) == (failures == 0)


def test_a_database_that_is_away_is_nobodys_fault(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args, **_named):  # type: ignore[no-untyped-def]
        raise Outage("the database is away")

    escucha.says("@marca uno")
    escucha.main.poll()
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "_tell", away)
        with pytest.raises(Outage):
            escucha.main.digest()
    assert states(escucha.store) == {"@marca uno": ("understood", False)}


def test_what_the_connector_could_not_read_is_kept_once_and_counted(escucha: Escucha) -> None:
    class Garbling(sandbox.Sandbox):
        def poll(self, query, cursor):  # type: ignore[no-untyped-def]
            found = super().poll(query, cursor)
            bad = Garbled(external_id="77", reason="it has no time")
            return Page(posts=found.posts, cursor=found.cursor, garbled=(bad,))

    escucha.main = escucha.pipeline(connector=Garbling)
    escucha.round()
    escucha.round()
    with escucha.store.read() as tx:
        (kept,) = garbled.listing(tx)
    assert (kept.external_id, kept.source, kept.times) == ("77", "source-0", 2)
    with escucha.store.write() as tx:
        garbled.leave(tx, kept.id, by="ana", now=escucha.clock())
    escucha.round()
    with escucha.store.read() as tx:
        assert garbled.how_many(tx) == 0, "a person saw to it"
