"""Reading on by cursor: whatever comes in whatever order, nothing is lost and nothing is asked for without need."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mastodon_reading import OVERLAP, PAGE, Batch, Cursor, Item, backward, forward

START = 1_785_600_000.0


@dataclass
class Timeline:
    """A server's list in memory: filed under the posts' own times, ids that say nothing."""

    cut: int = PAGE
    rows: list[Item] = field(default_factory=list)
    asked: int = 0

    def add(self, at: float) -> str:
        item = Item(id=uuid.uuid4().hex, at=at, status={})
        self.rows.append(item)
        self.rows.sort(key=lambda row: row.at)
        return item.id

    def fetch(self, *, min_id: str | None = None, max_id: str | None = None) -> Batch:
        self.asked += 1
        ids = [row.id for row in self.rows]
        rows = self.rows
        if max_id is not None:
            rows = rows[: ids.index(max_id)]
        rows = rows[ids.index(min_id) + 1 :][: self.cut] if min_id is not None else rows[-self.cut :]
        return Batch(items=rows[::-1], length=len(rows))


def read_all(timeline: Timeline, cursor: Cursor | None, now: float, late: bool = True) -> tuple[set[str], Cursor]:
    seen: set[str] = set()
    for _ in range(1000):
        reading = forward(timeline.fetch, cursor, now=now, late=late)
        seen |= {item.id for item in reading.items}
        assert reading.gap is None
        cursor = json.loads(json.dumps(reading.cursor))
        if not reading.more:
            return seen, cursor
    raise AssertionError("it never ends")


arrivals = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=4000),  # seconds until the next poll
        st.lists(st.floats(min_value=0, max_value=OVERLAP - 5), max_size=60),  # posts, each so much late
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(arrivals, st.integers(min_value=0, max_value=130), st.sampled_from([PAGE, 20, 7]))
def test_nothing_within_the_overlap_is_lost(rounds: list[tuple[int, list[float]]], before: int, cut: int) -> None:
    timeline, now = Timeline(cut=cut), START
    for n in range(before):
        timeline.add(now - 1 - 3 * n)
    seen, cursor = read_all(timeline, None, now)
    wanted: set[str] = set()
    for wait, posts in rounds:
        previous, now = now, now + wait
        # They arrive between the two polls, filed under a time that may lie before the first.
        wanted |= {timeline.add(max(previous - OVERLAP + 5, now - wait / 2 - late)) for late in posts}
        read, cursor = read_all(timeline, cursor, now)
        seen |= read
        assert wanted <= seen


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(min_value=1, max_value=150), min_size=1, max_size=5), st.integers(min_value=7, max_value=40)
)
def test_a_list_in_order_of_arrival_is_read_once(batches: list[int], cut: int) -> None:
    timeline, now = Timeline(cut=cut), START
    timeline.add(now - 10)
    _, cursor = read_all(timeline, None, now, late=False)
    for size in batches:
        now += 60
        wanted = {timeline.add(now - 30 + n / 100) for n in range(size)}
        seen, cursor = read_all(timeline, cursor, now, late=False)
        assert seen == wanted


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(min_value=0, max_value=90), min_size=1, max_size=6))
def test_reading_back_finds_everything_since(batches: list[int]) -> None:
    timeline, now = Timeline(), START
    cursor = backward(timeline.fetch, None, now=now).cursor
    for size in batches:
        now += 300
        wanted = {timeline.add(now - 290 + n) for n in range(size)}
        reading = backward(timeline.fetch, cursor, now=now)
        assert wanted <= {item.id for item in reading.items}
        cursor = reading.cursor


def test_a_crash_between_two_pages_costs_one_page() -> None:
    timeline = Timeline()
    timeline.add(START - 90_000)
    _, cursor = read_all(timeline, None, START)
    wanted = [timeline.add(START + n) for n in range(100)]
    first = forward(timeline.fetch, cursor, now=START + 5000, late=True)
    assert first.more
    again = forward(timeline.fetch, first.cursor, now=START + 9000, late=True)  # hours later, in another process
    assert [item.id for item in [*first.items, *again.items]][-80:] == wanted[:80]


def test_a_busy_tag_is_swept_at_a_bounded_cost() -> None:
    timeline, now, cursor = Timeline(), START, None
    for _ in range(130):  # twenty posts a minute for more than two hours
        now += 60
        for n in range(20):
            timeline.add(now - 60 + 3 * n)
        timeline.asked = 0
        _, cursor = read_all(timeline, cursor, now)
        assert timeline.asked <= 30
    assert cursor is not None
    assert len(json.dumps(cursor)) < 3000


def test_a_tag_that_was_empty_at_first_is_read_from_its_first_post() -> None:
    timeline = Timeline()
    _, cursor = read_all(timeline, None, START)
    wanted = {timeline.add(START + n * 60) for n in range(300)}
    seen, _ = read_all(timeline, cursor, START + 300 * 60)
    assert seen == wanted
