"""Numbers of people, kept small and read back as they were."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from listener.store import Store, volumes

DAY = date(2026, 10, 24)  # its next day has an hour more in Madrid; here all days have 288 buckets
FIRST = (DAY.toordinal() - date(1970, 1, 1).toordinal()) * 288
ROAMING = ("roaming", "", "", "one")


def test_what_is_added_bit_by_bit_over_midnight_is_read_as_one(store: Store) -> None:
    with store.write() as tx:
        volumes.add(tx, {ROAMING: {FIRST + 287: 2, FIRST + 288: 1}, ("", "", "", "one"): {FIRST: 70_000}})
        volumes.add(tx, {ROAMING: {FIRST + 287: 3, FIRST + 5: 1, FIRST + 600: 4}})
    with store.read() as tx:
        found = volumes.read(tx, DAY)
        later = volumes.read(tx, DAY + timedelta(days=1))
    pairs = [(FIRST + 5, 1), (FIRST + 287, 5), (FIRST + 288, 1), (FIRST + 600, 4)]
    rows = found[ROAMING]
    assert list(rows) == pairs
    assert (rows[0], rows[-1], rows[1:3], len(rows)) == (pairs[0], pairs[-1], pairs[1:3], 4)
    assert list(reversed(rows)) == pairs[::-1]
    assert np.array(rows, dtype=np.int64).tolist() == [list(pair) for pair in pairs]
    assert list(found["", "", "", "one"]) == [(FIRST, 65_535)], "as many as fit; nobody minds the rest"
    assert list(later) == [ROAMING]
    assert list(later[ROAMING]) == pairs[2:]


def test_a_curve_ends_now_and_adds_up_networks(store: Store) -> None:
    now = datetime(2026, 10, 24, 12, 4, tzinfo=UTC)
    here = FIRST + 12 * 12
    with store.write() as tx:
        volumes.add(tx, {ROAMING: {here: 3, here - 1: 2, here - 8: 7}, ("roaming", "", "", "two"): {here: 1}})
    hour = now - timedelta(hours=1)
    with store.read() as tx:
        assert volumes.series(tx, ("roaming", "", "", ""), hour, now, step=3) == [0, 7, 0, 6]
        assert volumes.series(tx, ROAMING, hour, now, step=3) == [0, 7, 0, 5]


def test_old_days_are_let_go(store: Store) -> None:
    with store.write() as tx:
        volumes.add(tx, {ROAMING: {FIRST: 1, FIRST + 288: 2}})
        assert volumes.forget(tx, DAY + timedelta(days=1)) == 1
    with store.read() as tx:
        assert list(volumes.read(tx, DAY)[ROAMING]) == [(FIRST + 288, 2)]
