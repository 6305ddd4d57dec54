"""Reading Reddit's listings back: whatever comes, goes and is deleted between two looks, nothing is lost in silence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from connectors.reddit_reading import OVERLAP, Batch, Item, Listing, backward
from connectors.reddit_text import LONGEST_TITLE, address, seconds_told, title_and_body

PAGE = 5
PAGES = 10


@dataclass
class Place:
    """A listing of pages of five that ends at fifty; `racing`: how often what leads to a page is just gone."""

    now: float = 1_700_000_000.0
    items: list[Item] = field(default_factory=list)  # newest first
    racing: int = 0
    made: int = 0

    def add(self, many: int, at: float | None = None) -> None:
        for _ in range(many):
            self.now += 1
            self.made += 1
            self.items.insert(0, Item(name=f"t1_{self.made}", at=at or self.now, thing={}))

    def delete(self, every: int) -> None:
        del self.items[::every]

    def fetch(self, after: str | None) -> Batch:
        shown = self.items[: PAGE * PAGES]
        if after and self.racing:
            self.items = [item for item in self.items if item.name != after]
            self.racing -= 1
            return Batch(items=[], after=None)
        names = [item.name for item in shown]
        start = 0 if after is None else names.index(after) + 1 if after in names else len(shown)
        page = shown[start : start + PAGE]
        more = start + PAGE < len(shown)
        return Batch(items=page, after=page[-1].name if more else None)


ABSURD = (1.0, 4_000_000_000.0)  # times of a post, seconds

STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 70)),
    st.tuples(st.just("delete"), st.integers(1, 5)),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, int(OVERLAP), 4000, 90_000])),
    st.tuples(st.just("absurd"), st.integers(0, 1)),
    st.tuples(st.just("race"), st.integers(1, 5)),
    st.tuples(st.just("poll"), st.just(0)),
)


def test_a_listing_read_to_its_end_is_a_gap_however_much_of_it_was_deleted() -> None:
    place = Place()
    place.add(5)
    listing = {"here": Listing(fetch=lambda after: thinned(place.fetch(after)), depth=PAGES - 1)}
    cursor = backward(listing, None, now=place.now).cursor
    place.now += 10 * OVERLAP
    place.add(PAGE * PAGES + 20)
    assert backward(listing, cursor, now=place.now).gaps == ["here"]


def thinned(batch: Batch) -> Batch:
    """The same page without what was deleted of it."""
    return Batch(items=batch.items[1:], after=batch.after)


@given(steps=st.lists(STEPS, max_size=25))
def test_nothing_is_lost_in_silence(steps: list[tuple[str, int]]) -> None:
    place, heard, lost = Place(), set[str](), set[str]()
    listing = {"here": Listing(fetch=place.fetch, depth=PAGES - 1)}
    cursor = backward(listing, None, now=place.now).cursor
    for step, number in [*steps, ("poll", 0)]:
        if step == "add":
            place.add(number)
        elif step == "absurd":
            place.add(1, at=ABSURD[number])
        elif step == "delete":
            place.delete(number)
        elif step == "wait":
            place.now += number
        elif step == "race":
            place.racing = number
        else:
            reading = backward(listing, json.loads(json.dumps(cursor)), now=place.now)
            cursor = reading.cursor
            heard |= {item.name for item in reading.items}
            assert [item.at for item in reading.items] == sorted(item.at for item in reading.items)
            unheard = {item.name for item in place.items if item.at > 1} - heard - lost  # the year 1970 is too late
            assert not unheard or reading.gaps == ["here"], unheard
            lost |= unheard


@given(text=st.text(max_size=2000), footer=st.text(max_size=300))
def test_any_notice_has_a_title_and_any_answer_one_footer(text: str, footer: str) -> None:
    title, body = title_and_body(text)
    assert len(title) <= LONGEST_TITLE
    assert "\n" not in title
    assert len(body) <= len(text)
    once = address(text, "ana", footer=footer)
    assert address(once, "ana", footer=footer) == once


@given(text=st.text())
def test_any_sentence_tells_a_time_or_none(text: str) -> None:
    seconds = seconds_told(text)
    assert seconds is None or seconds >= 0
