"""Streams: what they bring is stored, what ends them is known, and a poll fills the hole; on a scripted network."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from connectors import sandbox
from listener import budget
from listener.contract import Connector, Streams
from listener.errors import AuthFailed, NetworkError, Outage, RateLimited, Rejected, Unavailable
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import garbled, mentions, sources, stats, streams
from listener.store.sources import Source, Wanted
from listener.types import Author, Cursor, MentionState, Page, Post, PostKind
from tests.listener.flow.world import Escucha, Keywords

BEAT = Page(posts=(), cursor=None)
Does = Callable[[], object]


class Radio(Connector, Streams):
    """A network whose polls and streams go by a script. A stream runs through its lines and ends: a page is given, an
    error raised, anything else done. `opened` holds the cursors that streams were opened with.
    """

    facts = sandbox.FACTS
    speaks = False

    def __init__(self) -> None:
        self.polls: list[Page] = []
        self.script: list[Page | Exception | Does] = []
        self.during_poll: Does = lambda: None
        self.opened: list[Cursor | None] = []
        self.closed = 0
        self.wrong: list[AssertionError] = []  # what a line of the script found not to be so

    def whoami(self) -> Author:
        return Author(external_id="marca", handle="marca")

    def explain_query(self, query: str) -> str:
        return f"What is written for {query}."

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        self.during_poll()
        return self.polls.pop(0) if self.polls else Page(posts=(), cursor=cursor or {})

    def streams(self, query: str) -> bool:
        return query != "silence"

    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:
        self.opened.append(cursor)
        try:
            for line in self.script:
                if isinstance(line, Exception):
                    raise line
                if isinstance(line, Page):
                    yield line
                else:
                    line()
        except AssertionError as wrong:
            self.wrong.append(wrong)
        finally:
            self.closed += 1


@pytest.fixture
def radio() -> Iterator[Radio]:
    made = Radio()
    yield made
    assert not made.wrong


@pytest.fixture
def pipeline(escucha: Escucha, radio: Radio) -> Pipeline:
    """The same company, on that network."""
    made = listens(escucha, radio)
    made.poll()
    return made


def listens(escucha: Escucha, radio: Radio) -> Pipeline:
    """One more process."""
    return Pipeline(
        escucha.store,
        accounts={"care": "sandbox"},
        connect=lambda _: radio,
        network_facts=lambda _: sandbox.FACTS,
        classifier=Keywords,
        policy=escucha.policy,
        company=Company(case_pattern="ES"),
        clock=escucha.clock,
    )


def post(escucha: Escucha, number: str, text: str = "@marca ¿horario?") -> Post:
    author = Author(external_id="ana", handle="ana")
    return Post(external_id=number, author=author, text=text, posted_at=escucha.clock(), kind=PostKind.MENTION)


def says(escucha: Escucha, number: str, *, cursor: Cursor | None = None, more: bool = False) -> Page:
    return Page(posts=(post(escucha, number),), cursor=cursor, more=more)


def row(escucha: Escucha) -> Source:
    with escucha.store.read() as tx:
        return sources.get(tx, "source-0")


def heard(escucha: Escucha) -> int:
    with escucha.store.read() as tx:
        return sum(stats.counts(tx).mentions.values())


# --- what a stream brings ---


def test_what_is_said_is_stored_and_polling_stays_as_it_is(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    pipeline.poll()
    escucha.clock.forward(seconds=6)
    seen: list[Source] = []
    radio.script = [BEAT, lambda: seen.append(row(escucha)), says(escucha, "1"), lambda: seen.append(row(escucha))]
    pipeline.stream("source-0")
    assert heard(escucha) == 1
    before, after = seen
    assert (after.cursor, after.next_poll_at, after.succeeded_at) == (
        before.cursor,
        before.next_poll_at,
        before.succeeded_at,
    )
    assert after.mentions_total == before.mentions_total + 1


def test_a_post_heard_twice_is_one_mention(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [says(escucha, "1"), says(escucha, "1")]
    radio.polls = [says(escucha, "1", cursor={"at": 1})]
    pipeline.stream("source-0")
    pipeline.poll(["source-0"])
    assert heard(escucha) == 1
    assert row(escucha).mentions_total == 1


def test_what_is_deleted_there_is_emptied_here(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [says(escucha, "1"), Page(posts=(), cursor=None, gone=("1", "unknown"))]
    pipeline.stream("source-0")
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", "1")
    assert mention
    assert (mention.state, mention.text) == (MentionState.GONE, "")


def test_a_gap_is_kept(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [Page(posts=(), cursor=None, gap="too fast for us")]
    pipeline.stream("source-0")
    with escucha.store.read() as tx:
        assert [reason for _, _, reason in sources.gaps(tx, escucha.clock())] == ["too fast for us"]


def test_more_that_waits_is_polled_at_once(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    escucha.clock.forward(seconds=6)
    radio.script = [BEAT, pipeline.poll, lambda: escucha.clock.forward(seconds=6)]
    radio.script += [lambda: calm(escucha), Page(posts=(), cursor=None, more=True), lambda: due(escucha)]
    pipeline.stream("source-0")


def calm(escucha: Escucha) -> None:
    assert row(escucha).next_poll_at > escucha.clock()


def due(escucha: Escucha) -> None:
    assert row(escucha).next_poll_at == escucha.clock()


def test_a_stream_that_knows_where_it_is_moves_the_cursor(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [says(escucha, "1", cursor={"time": 1}), says(escucha, "2", cursor={"time": 2})]
    pipeline.stream("source-0")
    assert row(escucha).cursor == {"time": 2}
    pipeline.stream("source-0")
    assert radio.opened == [{}, {"time": 2}]


def test_the_cursor_moves_only_with_what_it_covers(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    broken = Page(posts=(post(escucha, "2", text=7),), cursor={"time": 1})  # type: ignore[arg-type]
    radio.script = [broken]
    pipeline.stream("source-0")
    assert row(escucha).cursor == {}
    assert heard(escucha) == 0
    assert row(escucha).stream_error == "a bug: RuntimeError"


def test_one_post_that_cannot_be_stored_is_covered_by_its_address(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    broken = Page(posts=(post(escucha, "1"), post(escucha, "2", text=7)), cursor={"time": 1})  # type: ignore[arg-type]
    radio.script = [broken, BEAT]
    pipeline.stream("source-0")
    assert row(escucha).cursor == {"time": 1}
    assert heard(escucha) == 1
    with escucha.store.read() as tx:
        assert [kept.external_id for kept in garbled.listing(tx)] == ["2"]


# --- side by side with polls and with other processes ---


def test_a_poll_that_ends_late_does_not_set_the_cursor_back(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [says(escucha, "2", cursor={"time": 2})]
    radio.during_poll = lambda: pipeline.stream("source-0")
    radio.polls = [says(escucha, "1", cursor={"time": 1})]
    pipeline.poll(["source-0"])
    assert row(escucha).cursor == {"time": 2}
    assert heard(escucha) == 2, "what the poll brought is kept all the same"


def test_a_poll_under_way_when_the_stream_breaks_is_followed_by_another(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    escucha.clock.forward(seconds=6)
    radio.script = [BEAT, Unavailable("it broke")]
    radio.during_poll = lambda: pipeline.stream("source-0")
    pipeline.poll(["source-0"])
    radio.during_poll = lambda: None
    assert row(escucha).next_poll_at == escucha.clock(), "what it read may have been said before the hole"


def test_two_processes_may_stream_the_same(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    other = Radio()
    second = listens(escucha, other)
    other.script = [says(escucha, "1", cursor={"time": 1}), says(escucha, "2", cursor={"time": 2})]
    radio.script = [
        BEAT,
        lambda: second.stream("source-0"),
        says(escucha, "1", cursor={"time": 1}),
        lambda: cursor_is(escucha, {"time": 2}),
        says(escucha, "3", cursor={"time": 3}),
        lambda: cursor_is(escucha, {"time": 3}),
    ]
    pipeline.stream("source-0")
    assert row(escucha).stream_error == "the network ended the stream"
    assert heard(escucha) == 3


def cursor_is(escucha: Escucha, cursor: Cursor) -> None:
    assert row(escucha).cursor == cursor


def test_a_stream_that_still_runs_shows_where_another_process_lost_its_own(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    other = Radio()
    other.script = [BEAT, Unavailable("it broke")]
    seen: list[Source] = []
    second = listens(escucha, other)
    radio.script = [BEAT, lambda: second.stream("source-0"), BEAT, lambda: seen.append(row(escucha))]
    pipeline.stream("source-0")
    assert seen[0].streaming_since == escucha.clock()
    assert seen[0].stream_error is None


def test_a_changed_query_is_not_given_the_old_ones_cursor(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    def change() -> None:
        wanted = Wanted(name="source-0", account="care", network="sandbox", query="#other", every=timedelta(seconds=10))
        with escucha.store.write() as tx:
            sources.sync(tx, [wanted], escucha.clock())

    radio.script = [says(escucha, "1", cursor={"time": 1}), change, says(escucha, "2", cursor={"time": 2}), BEAT]
    radio.script += [says(escucha, "3")]
    pipeline.stream("source-0")
    assert row(escucha).cursor is None
    assert heard(escucha) == 2, "the stream of the old query was closed"
    assert radio.closed == 1


def test_the_cursor_of_a_poll_is_not_given_to_another_account(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    def move() -> None:
        wanted = Wanted(
            name="source-0", account="other", network="sandbox", query="mentions", every=timedelta(seconds=10)
        )
        with escucha.store.write() as tx:
            sources.sync(tx, [wanted], escucha.clock())

    radio.during_poll = move
    radio.polls = [says(escucha, "1", cursor={"time": 1})]
    pipeline.poll(["source-0"])
    assert row(escucha).cursor is None


# --- how it ends ---


def test_it_is_written_down_while_it_is_open_and_when_it_breaks(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    opened = escucha.clock()
    seen: list[Source] = []
    radio.script = [BEAT, lambda: seen.append(row(escucha)), lambda: escucha.clock.forward(seconds=90)]
    radio.script += [BEAT, Unavailable("it has been silent for 40 s")]
    with capture_logs() as logs:
        pipeline.stream("source-0")
    assert (seen[0].streaming_since, seen[0].stream_down_since) == (opened, None)
    after = row(escucha)
    assert (after.streaming_since, after.stream_down_since) == (None, escucha.clock())
    assert after.stream_error == "it has been silent for 40 s"
    assert [line["action"] for line in logs if line["action"].startswith("stream")] == ["stream_up", "stream_down"]


def test_it_is_said_once_that_it_is_down_and_once_that_it_is_back(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    with capture_logs() as logs:
        radio.script = [Unavailable("nobody there")]
        for _ in range(3):
            pipeline.stream("source-0")
        listens(escucha, radio).stream("source-0")
        radio.script = [BEAT, says(escucha, "1")]
        pipeline.stream("source-0")
    said = [line["action"] for line in logs if line["action"].startswith("stream")]
    assert said == ["stream_down", "stream_up", "stream_down"]


def test_a_stream_that_lets_us_in_and_says_nothing_is_not_told_as_open(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    radio.script = [BEAT, lambda: escucha.clock.forward(seconds=30), BEAT, Unavailable("it said nothing")]
    with capture_logs() as logs:
        for _ in range(4):
            pipeline.stream("source-0")
    assert [line["action"] for line in logs if line["action"].startswith("stream")] == ["stream_down"]


def test_a_poll_fills_the_hole_before_and_after(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    escucha.clock.forward(seconds=6)
    radio.script = [BEAT, lambda: due(escucha), pipeline.poll, lambda: escucha.clock.forward(seconds=6)]
    radio.script += [lambda: calm(escucha), Unavailable("it broke")]
    pipeline.stream("source-0")
    assert row(escucha).stream_error == "it broke"
    due(escucha)


def test_streams_that_flap_hasten_no_poll_that_has_just_begun(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    radio.script = [BEAT, Unavailable("it broke")]
    polled = row(escucha).polled_at
    assert polled
    pipeline.stream("source-0")
    assert row(escucha).next_poll_at == polled + budget.HASTE


@pytest.mark.parametrize("asked", [600.0, None])
def test_a_network_that_asked_us_to_wait_is_not_polled_for_the_streams_sake(
    escucha: Escucha, radio: Radio, pipeline: Pipeline, asked: float | None
) -> None:
    escucha.clock.forward(seconds=6)
    if asked:
        radio.polls = [Page(posts=(), cursor={}, retry_after=asked)]
    else:
        radio.during_poll = lambda: fail(RateLimited(retry_after=600.0))
    pipeline.poll(["source-0"])
    planned = row(escucha).next_poll_at
    escucha.clock.forward(seconds=6)
    radio.script = [BEAT, Page(posts=(), cursor=None, more=True), Unavailable("it broke")]
    pipeline.stream("source-0")
    assert row(escucha).next_poll_at == planned


def fail(error: NetworkError) -> None:
    raise error


def away(escucha: Escucha, radio: Radio, pipeline: Pipeline, error: NetworkError) -> None:
    """Polls have failed for long, so the next one is far away."""
    radio.during_poll = lambda: fail(error)
    for _ in range(12):
        pipeline.poll(["source-0"])
    radio.during_poll = lambda: None
    escucha.clock.forward(seconds=6)
    calm(escucha)


def test_a_source_that_failed_is_due_as_soon_as_its_stream_is_open_again(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    away(escucha, radio, pipeline, Unavailable("nobody there"))
    radio.script = [BEAT, lambda: due(escucha), pipeline.poll, Unavailable("it broke")]
    pipeline.stream("source-0")
    assert row(escucha).failures == 0


def test_a_source_that_failed_is_due_when_the_daemon_starts(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    away(escucha, radio, pipeline, Unavailable("nobody there"))
    wanted = Wanted(name="source-0", account="care", network="sandbox", query="mentions", every=timedelta(seconds=10))
    listens(escucha, radio).start([wanted], by="test")
    due(escucha)


def test_a_poll_that_fails_while_the_stream_opens_is_soon_tried_again(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    away(escucha, radio, pipeline, Unavailable("nobody there"))

    def opens() -> None:
        pipeline.stream("source-0")
        fail(Unavailable("nobody was there yet"))

    radio.script = [BEAT]
    radio.during_poll = opens
    pipeline.poll(["source-0"])
    assert row(escucha).next_poll_at <= escucha.clock() + budget.HASTE


@pytest.mark.parametrize("error", [RateLimited(), RateLimited(retry_after=3600.0)])
def test_a_source_that_was_told_to_wait_waits_whatever_opens_or_starts(
    escucha: Escucha, radio: Radio, pipeline: Pipeline, error: NetworkError
) -> None:
    away(escucha, radio, pipeline, error)
    planned = row(escucha).next_poll_at
    radio.script = [BEAT, Unavailable("it broke")]
    pipeline.stream("source-0")
    wanted = Wanted(name="source-0", account="care", network="sandbox", query="mentions", every=timedelta(seconds=10))
    listens(escucha, radio).start([wanted], by="test")
    assert row(escucha).next_poll_at == planned


def test_it_rests_ever_longer_and_the_ceiling_holds(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [Unavailable("nobody there")]
    rests = []
    for step in (1, *[20] * 12, 1):  # seconds: only the first and the last are measured
        assert pipeline.streams() == ["source-0"]
        pipeline.stream("source-0")
        assert pipeline.streams() == []
        began = escucha.clock()
        while not pipeline.streams():
            escucha.clock.forward(seconds=step)
        rests.append(escucha.clock() - began)
    assert rests[0] <= timedelta(seconds=5)
    assert budget.CEILING / 2 <= rests[-1] <= budget.CEILING + timedelta(seconds=1)


def test_one_that_was_open_for_a_while_is_opened_again_soon(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [Unavailable("nobody there")]
    for _ in range(10):
        pipeline.stream("source-0")
    radio.script = [BEAT, lambda: escucha.clock.forward(minutes=2), Unavailable("it broke")]
    pipeline.stream("source-0")
    escucha.clock.forward(seconds=5)
    assert pipeline.streams() == ["source-0"]


@pytest.mark.parametrize("error", [AuthFailed("no"), Rejected("no such stream"), RateLimited(retry_after=3600.0)])
def test_a_refused_stream_rests_long_and_the_source_goes_on(
    escucha: Escucha, radio: Radio, pipeline: Pipeline, error: NetworkError
) -> None:
    radio.script = [error]
    pipeline.stream("source-0")
    escucha.clock.forward(minutes=29)
    assert pipeline.streams() == []
    escucha.clock.forward(minutes=32)
    assert pipeline.streams() == ["source-0"]
    assert row(escucha).paused is None
    assert row(escucha).failures == 0
    assert len(pipeline.poll()) == 1


def test_a_clock_that_is_set_back_keeps_no_stream_closed(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [Rejected("no such stream")]
    pipeline.stream("source-0")
    escucha.clock.forward(hours=-3)
    assert pipeline.streams() == ["source-0"]


def test_a_bug_in_a_stream_is_told_as_one(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [BEAT, KeyError("status")]
    with capture_logs() as logs:
        pipeline.stream("source-0")
    assert row(escucha).stream_error == "a bug: KeyError"
    assert "stream_bug" in [line["action"] for line in logs]
    assert pipeline.streams() == []


def test_what_breaks_a_stream_again_is_passed_over_and_left_to_the_polls(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    """A stream that goes on from its cursor would meet the same again, for ever."""
    radio.polls = [Page(posts=(), cursor={"at": 1})]
    escucha.clock.forward(hours=1)
    pipeline.poll()
    cursor_is(escucha, {"at": 1})
    radio.script = [BEAT, ValueError("one that nobody can read")]
    for _ in range(2):
        pipeline.stream("source-0")
        escucha.clock.forward(hours=1)
    radio.script = [BEAT, says(escucha, "1", cursor={"at": 9})]
    pipeline.stream("source-0")
    assert radio.opened == [{"at": 1}, {"at": 1}, None]
    assert heard(escucha) == 1
    assert row(escucha).cursor == {"at": 1}
    pipeline.stream("source-0")
    assert radio.opened[-1] == {"at": 1}, "it ended as streams end"


def test_deaths_are_past_once_a_stream_was_open_for_a_while(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    later = escucha.clock() + timedelta(minutes=5)
    with escucha.store.write() as tx:
        streams.died(tx, row(escucha), error="dead", rests_until=later, now=escucha.clock())
    assert pipeline.streams() == []
    escucha.clock.forward(minutes=6)
    assert pipeline.streams() == ["source-0"]
    deaths: list[int] = []

    def look() -> None:
        deaths.append(row(escucha).stream_deaths)

    radio.script = [BEAT, look, lambda: escucha.clock.forward(seconds=61), BEAT, look]
    pipeline.stream("source-0")
    assert deaths == [1, 0]


def test_a_database_that_is_away_ends_it_without_a_word_about_the_network(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    radio.script = [BEAT, Outage("the disk is full")]
    with pytest.raises(Outage):
        pipeline.stream("source-0")
    assert radio.closed == 1
    assert row(escucha).stream_error is None


def test_a_connector_that_hangs_is_given_up_and_its_source_polled(
    escucha: Escucha, radio: Radio, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    wakes, hangs = threading.Event(), threading.Event()
    escucha.clock.forward(seconds=6)
    radio.script = [BEAT, hangs.set, wakes.wait, says(escucha, "1"), says(escucha, "2")]
    reader = threading.Thread(target=pipeline.stream, args=("source-0",))
    reader.start()
    assert hangs.wait(30)
    assert pipeline.give_up_streams() == []
    monkeypatch.setattr("listener.flow.stream.LIFELESS", -1.0)
    assert pipeline.give_up_streams() == ["source-0"]
    assert pipeline.give_up_streams() == []
    given_up = row(escucha)
    assert "no sign of life" in (given_up.stream_error or "")
    assert given_up.next_poll_at == escucha.clock()
    assert pipeline.streams() == []
    wakes.set()
    reader.join(30)
    assert not reader.is_alive()
    assert radio.closed == 1
    assert row(escucha).stream_error == given_up.stream_error, "it is no longer its to say"
    assert heard(escucha) == 1, "what it had in hand is kept"


# --- whose stream is open ---


def test_a_source_without_a_stream_has_none(escucha: Escucha, radio: Radio) -> None:
    made = listens(escucha, radio)
    wanted = [
        Wanted(name=name, account=account, network="sandbox", query=query, every=timedelta(seconds=10))
        for name, account, query in [
            ("a", "care", "mentions"),
            ("b", "care", "silence"),
            ("c", "elsewhere", "mentions"),
        ]
    ]
    made.start(wanted, by="test")
    assert made.streams() == ["a"]


def test_a_network_that_cannot_stream_has_none(escucha: Escucha) -> None:
    assert escucha.main.streams() == []


@pytest.mark.parametrize("error", [AuthFailed("renew it"), KeyError("settings")])
def test_a_network_that_cannot_be_connected_has_none(escucha: Escucha, error: Exception) -> None:
    def connect(_: str) -> Connector:
        raise error

    made = listens(escucha, Radio())
    made.connections._connect = connect
    assert made.streams() == []
    assert made.streams() == []


@pytest.mark.parametrize(
    ("error", "said"), [(Unavailable("nobody there"), "nobody there"), (KeyError("token"), "a bug: KeyError")]
)
def test_a_stream_that_cannot_be_connected_rests(
    escucha: Escucha, pipeline: Pipeline, error: Exception, said: str
) -> None:
    def connect(_: str) -> Connector:
        raise error

    assert pipeline.streams() == ["source-0"]
    pipeline.connections._connect = connect
    pipeline.stream("source-0")
    assert row(escucha).stream_error == said
    assert pipeline.streams() == []


def test_a_paused_source_is_heard_no_longer_until_it_is_resumed(
    escucha: Escucha, radio: Radio, pipeline: Pipeline
) -> None:
    def pause() -> None:
        with escucha.store.write() as tx:
            sources.pause(tx, "source-0", by="ana", reason="noise", now=escucha.clock())

    radio.script = [BEAT, pause, BEAT, says(escucha, "1")]
    pipeline.stream("source-0")
    assert heard(escucha) == 0
    assert radio.closed == 1
    assert pipeline.streams() == []
    assert (row(escucha).streaming_since, row(escucha).stream_down_since) == (None, None)
    with escucha.store.write() as tx:
        sources.resume(tx, "source-0", by="ana", now=escucha.clock())
    assert pipeline.streams() == ["source-0"]


def test_a_busy_stream_looks_up_too_whether_it_is_wanted(
    escucha: Escucha, radio: Radio, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove() -> None:
        with escucha.store.write() as tx:
            sources.sync(tx, [], escucha.clock())

    monkeypatch.setattr("listener.flow.stream.BEAT", 0.0)
    radio.script = [says(escucha, "1"), remove, says(escucha, "2"), says(escucha, "3")]
    pipeline.stream("source-0")
    assert heard(escucha) == 2


def test_when_we_stop_it_ends_with_what_it_has_in_hand(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [says(escucha, "1"), pipeline.stop, says(escucha, "2"), says(escucha, "3")]
    pipeline.stream("source-0")
    assert heard(escucha) == 2
    after = row(escucha)
    assert (after.streaming_since, after.stream_down_since) == (None, None), "nobody misses it"


def test_what_a_dead_process_left_behind_is_tidied_up(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    def die() -> None:
        raise SystemExit

    radio.script = [BEAT, die]
    with pytest.raises(SystemExit):
        pipeline.stream("source-0")
    assert row(escucha).streaming_since
    with escucha.store.write() as tx:
        sources.pause(tx, "source-0", by="ana", reason="", now=escucha.clock())
    assert listens(escucha, radio).streams() == []
    assert row(escucha).streaming_since is None


def test_no_text_is_logged(escucha: Escucha, radio: Radio, pipeline: Pipeline) -> None:
    radio.script = [says(escucha, "1"), Unavailable("it broke")]
    with capture_logs() as logs:
        pipeline.stream("source-0")
    assert "horario" not in json.dumps(logs, default=str)
