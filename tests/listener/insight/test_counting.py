"""People are counted, not posts."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from listener.insight.counting import ONCE, OTHER, Key, Said, begins, bucket, count, counted, keys
from tests.listener.insight.weeks import day, said

NOW = day(10, 12)


def test_a_mention_counts_for_each_key_that_it_fits():
    one = said(1, NOW, areas=("app", "bills"), places=("Vigo",), intents=("praise", "complaint"))
    expected = {Key(a, i, p, "x") for a, i, p in product(("", "app", "bills"), ("", "complaint"), ("", "Vigo"))}
    assert set(keys(one)) == expected
    assert all(key.fits(one) and key._replace(network="").fits(one) for key in expected)
    assert not any(
        key.fits(one) for key in (Key(intent=OTHER), Key(area="shop"), Key(network="mail"), Key(place="Lugo"))
    )


def test_talk_without_trouble_stands_apart():
    assert set(keys(said(1, NOW, intents=("praise",)))) == {Key("", OTHER, "", "x")}
    assert set(keys(said(1, NOW, intents=(), negative=True))) == {Key("", "", "", "x")}


def test_fifty_posts_of_one_person_or_of_one_text_are_one():
    flood = [said(n, NOW + timedelta(minutes=n), person=7) for n in range(50)]
    copied = [said(100 + n, NOW + timedelta(minutes=n), copy="same") for n in range(50)]
    for many in (flood, copied):
        assert [rows for rows in count(many).values()] == [[(bucket(NOW), 1)]] * 2


def test_keys_beside_each_other_name_nothing_different():
    assert Key(area="app").beside(Key(place="Vigo"))
    assert Key(area="app").beside(Key(area="app", network="x"))
    assert not Key(area="app", place="Vigo").beside(Key(area="bills"))


posts = st.lists(
    st.builds(
        lambda minute, person, copy, area, intent: Said(
            id=0, at=NOW + timedelta(minutes=minute), person=person, network="x", areas=area, intents=intent, copy=copy
        ),
        st.integers(0, 1500),
        st.integers(1, 6),
        st.sampled_from(["", "", "a", "b"]),
        st.sampled_from([(), ("app",), ("app", "bills")]),
        st.sampled_from([(), ("complaint",), ("question", "complaint"), ("praise",)]),
    ),
    max_size=60,
).map(lambda some: sorted(some, key=lambda one: one.at))


@given(posts)
def test_nobody_and_no_text_counts_twice_within_six_hours(some: list[Said]):
    last: dict[tuple[Key, object], object] = {}
    for one, new in counted(some):
        assert set(new) <= set(keys(one))
        for key in keys(one):
            marks = [(key, one.person), *([(key, one.copy)] if one.copy else [])]
            fresh = all(mark not in last or one.at - last[mark] >= ONCE for mark in marks)
            assert (key in new) == fresh  # and whoever is new is never left out
            if fresh:
                last.update(dict.fromkeys(marks, one.at))


@given(posts)
def test_what_is_counted_stands_in_the_bucket_it_was_said_in(some: list[Said]):
    told = count(some)
    assert sum(people for rows in told.values() for _, people in rows) == sum(len(new) for _, new in counted(some))
    for key, rows in told.items():
        assert rows == sorted(rows)
        assert all(people > 0 for _, people in rows)
        times = {bucket(one.at) for one in some if key.fits(one)}
        assert {number for number, _ in rows} <= times
        assert all(begins(number) <= one.at for number, _ in rows for one in some if bucket(one.at) == number)
