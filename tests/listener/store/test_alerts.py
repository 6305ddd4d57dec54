"""What our own people are told: put down once, claimed by one sender, gathered in a flood, never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.store import Store, alerts, alerts_out, alerts_told, audit, erasing, mentions, sources
from listener.store.alerts import Alert
from listener.store.sources import Wanted
from listener.types import ALERT_MOVES, AlertState, Author, Post, Urgency

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def put(
    store: Store,
    *keys: str,
    to: str = "ops",
    at: datetime = NOW,
    mention_id: int | None = None,
    urgency: Urgency = Urgency.HIGH,
) -> list[bool]:
    with store.write() as tx:
        return [
            alerts.add(
                tx,
                to=to,
                kind="rule",
                subject=f"Alert {key}",
                why="because",
                key=key,
                mention_id=mention_id,
                case_id=None,
                now=at,
                rule="danger",
                urgency=urgency,
            )
            for key in keys
        ]


def claim(store: Store, *, at: datetime = NOW, hourly: int = 20, to: str = "ops") -> Alert | None:
    with store.write() as tx:
        return alerts_out.claim(tx, to, hourly=hourly, longest_rest=HOUR, now=at)


def send(store: Store, *, at: datetime = NOW, hourly: int = 20) -> Alert | None:
    taken = claim(store, at=at, hourly=hourly)
    if taken is not None:
        with store.write() as tx:
            alerts_out.sent(tx, taken, remark="", now=at)
    return taken


def listed(store: Store, *states: AlertState) -> list[Alert]:
    with store.read() as tx:
        return alerts.listing(tx, states=states or tuple(AlertState))


def test_a_target_hears_of_one_thing_once(store: Store) -> None:
    assert put(store, "mention 1.1") == [True]
    assert put(store, "mention 1.1") == [False]
    assert put(store, "mention 1.1", to="press") == [True]
    assert {(alert.target, alert.state) for alert in listed(store)} == {("ops", "waiting"), ("press", "waiting")}


def test_a_subject_is_one_line(store: Store) -> None:
    with store.write() as tx:
        given = {"to": "ops", "kind": "rule", "why": "x", "key": "k", "mention_id": None, "case_id": None, "now": NOW}
        alerts.add(tx, subject="one\r\nBcc: two\n", **given)  # type: ignore[arg-type]
    assert listed(store)[0].subject == "one Bcc: two"


def test_what_is_claimed_is_nobody_elses_until_its_sender_is_taken_for_dead(store: Store) -> None:
    put(store, "a")
    first = claim(store)
    assert first is not None
    assert first.attempts == 1
    assert claim(store, at=NOW + alerts_out.LEASE / 2) is None
    again = claim(store, at=NOW + alerts_out.LEASE)
    assert again is not None
    assert (again.id, again.send_key, again.attempts) == (first.id, first.send_key, 2)
    with store.write() as tx:  # the first one was only slow, and fails: that is not the second one's claim
        alerts_out.not_sent(tx, first, reason="slow", again=NOW)
    assert [alert.state for alert in listed(store)] == [AlertState.SENDING]
    with store.write() as tx:  # it arrived after all
        alerts_out.sent(tx, first, remark="", now=NOW + alerts_out.LEASE)
        alerts_out.not_sent(tx, again, reason="broke", again=NOW)
    assert [alert.state for alert in listed(store)] == [AlertState.SENT]


def test_a_target_that_rests_is_left_alone(store: Store) -> None:
    put(store, "a", "b")
    first = claim(store)
    assert first is not None
    with store.write() as tx:
        failures, since = alerts_out.failed(tx, "ops", error="down", now=NOW)
        later = NOW + timedelta(minutes=1)
        alerts_out.not_sent(tx, first, reason="down", again=later)
        alerts_out.rest(tx, "ops", until=later)
    assert (failures, since) == (1, NOW)
    assert claim(store) is None
    with store.read() as tx:
        (stands,) = alerts.standing(tx, NOW)
    assert (stands.target, stands.waiting, stands.failures, stands.last_error) == ("ops", 2, 1, "down")
    taken = send(store, at=later)
    assert taken is not None
    assert taken.id != first.id  # what was never tried comes first: one bad alert holds up nothing
    with store.read() as tx:
        (stands,) = alerts.standing(tx, NOW)
    assert (stands.failures, stands.failing_since) == (0, None)


def test_a_clock_that_was_set_back_makes_nothing_wait_for_long(store: Store) -> None:
    put(store, "a", "b")
    first = claim(store)
    assert first is not None
    later = NOW + timedelta(minutes=1)
    with store.write() as tx:
        alerts_out.failed(tx, "ops", error="down", now=NOW)
        alerts_out.not_sent(tx, first, reason="down", again=later)
        alerts_out.rest(tx, "ops", until=later)
    assert claim(store, at=NOW - 2 * HOUR) is not None


def test_a_flood_becomes_one_digest_every_few_minutes(store: Store) -> None:
    put(store, *map(str, range(60)))
    singles = [send(store, hourly=3) for _ in range(3)]
    assert [alert and alert.subject for alert in singles] == ["Alert 0", "Alert 1", "Alert 2"]
    assert send(store, hourly=3) is None
    later = NOW + alerts_out.DIGEST_EVERY
    digest = send(store, hourly=3, at=later)
    assert digest is not None
    assert (digest.kind, digest.stands_for, digest.subject) == ("digest", 57, "57 alerts")
    assert send(store, hourly=3, at=later) is None
    with store.read() as tx:
        told = alerts.listing(tx, digest_id=digest.id)
    assert [alert.subject for alert in told] == [f"Alert {n}" for n in reversed(range(3, 60))]
    assert {alert.state for alert in told} == {AlertState.GATHERED}
    put(store, "late", at=later)
    alone = send(store, hourly=3, at=later + alerts_out.DIGEST_EVERY)
    assert alone is not None
    assert alone.subject == "Alert late"  # one alone needs no digest
    put(store, "calm", "again", at=later + 2 * HOUR)
    assert [(alert := send(store, hourly=3, at=later + 2 * HOUR)) and alert.kind for _ in range(2)] == ["rule", "rule"]


def subject(alert: Alert | None) -> str:
    return alert.subject if alert else ""


def fails(store: Store, taken: Alert | None, *, again: datetime) -> None:
    assert taken is not None
    with store.write() as tx:
        alerts_out.not_sent(tx, taken, reason="503", again=again)


@pytest.mark.parametrize("each_time", [1, 2])
def test_what_failed_once_has_its_turn_in_a_flood(store: Store, each_time: int) -> None:
    put(store, "first")
    fails(store, claim(store, hourly=2), again=NOW + timedelta(seconds=10))
    went: list[str] = []
    for number in range(24):
        now = NOW + (number + 1) * (alerts_out.DIGEST_EVERY + timedelta(seconds=1))
        put(store, *(f"{number}.{part}" for part in range(each_time)), at=now)
        if taken := send(store, at=now, hourly=2):
            went.append(taken.subject)
    assert "Alert first" in went[:4]
    assert not [alert for alert in listed(store, AlertState.WAITING) if alert.made_at < now - HOUR]


def test_in_a_flood_neither_what_is_new_nor_what_failed_waits_for_all_of_the_other(store: Store) -> None:
    """Twelve that fail whenever they are tried, and new ones all the time."""
    put(store, *(f"bad {number}" for number in range(12)))
    for minutes in range(12):
        now = NOW + timedelta(minutes=minutes)
        fails(store, claim(store, at=now, hourly=1), again=now + HOUR)
    put(store, "fine", at=now)
    assert subject(send(store, at=now, hourly=1)) == "Alert fine"
    sent, tried = [], set()
    for number in range(1, 40):
        now = NOW + HOUR + number * alerts_out.DIGEST_EVERY
        put(store, f"{number}.1", f"{number}.2", at=now)
        taken = claim(store, at=now, hourly=1)
        assert taken is not None
        if "bad" in taken.subject:
            tried.add(taken.subject)
            fails(store, taken, again=now + HOUR)
        else:
            sent.append(now)
            with store.write() as tx:
                alerts_out.sent(tx, taken, remark="", now=now)
    assert len(tried) == 12
    assert len(sent) >= 19


def test_what_waits_behind_a_flood_for_more_than_a_day_is_given_up(store: Store) -> None:
    put(store, "old")
    fails(store, claim(store), again=NOW + HOUR)
    later = NOW + alerts_out.PATIENCE
    put(store, "new", at=NOW + timedelta(minutes=30))
    assert subject(send(store, at=later, hourly=1)) == "Alert new"
    assert send(store, at=later + alerts_out.DIGEST_EVERY, hourly=1) is None
    (given_up,) = listed(store, AlertState.FAILED)
    assert (given_up.subject, given_up.reason) == ("Alert old", "Tried for a day. 503")
    with store.read() as tx:
        assert [entry.action for entry in audit.about(tx, f"alert {given_up.id}")] == ["alert.failed"]


def test_what_was_not_tried_for_days_is_tried_before_it_is_given_up(store: Store) -> None:
    put(store, "old")
    fails(store, claim(store), again=NOW + HOUR)
    assert subject(send(store, at=NOW + 3 * alerts_out.PATIENCE)) == "Alert old"


def test_a_digest_that_failed_keeps_its_key_and_is_not_gathered(store: Store) -> None:
    put(store, "sent")
    assert send(store, hourly=1)
    put(store, "a", "b")
    later = NOW + alerts_out.DIGEST_EVERY
    digest = claim(store, at=later, hourly=1)
    fails(store, digest, again=later + timedelta(minutes=1))
    put(store, "c", "d", at=later)
    again, other = (send(store, at=NOW + turn * alerts_out.DIGEST_EVERY, hourly=1) for turn in (2, 3))
    assert digest is not None
    assert again is not None
    assert other is not None
    assert (again.id, again.send_key, again.stands_for) == (digest.id, digest.send_key, 2)
    assert (other.kind, other.stands_for) == ("digest", 2)
    with store.read() as tx:
        assert [alert.subject for alert in alerts.listing(tx, digest_id=digest.id)] == ["Alert b", "Alert a"]
        assert [alert.subject for alert in alerts.listing(tx, digest_id=other.id)] == ["Alert d", "Alert c"]


def test_what_is_critical_waits_only_for_what_is_critical(store: Store) -> None:
    put(store, *map(str, range(60)))
    put(store, "first", urgency=Urgency.CRITICAL)
    singles = [send(store, hourly=3) for _ in range(3)]
    assert [alert and alert.subject for alert in singles] == ["Alert first", "Alert 0", "Alert 1"]
    assert send(store, hourly=3) is None
    put(store, *"abcde", urgency=Urgency.CRITICAL)
    with store.read() as tx:
        (alert, *_) = alerts.listing(tx, states=[AlertState.WAITING], limit=1)
        held = alerts_told.pace(tx, "ops", hourly=3, longest_rest=HOUR, now=NOW)
        assert (alerts_told.goes_at(alert, held), held.full_until) == (NOW, NOW + alerts_out.DIGEST_EVERY)
    tried = claim(store, hourly=3)
    assert tried is not None
    with store.write() as tx:
        alerts_out.not_sent(tx, tried, reason="down", again=NOW + timedelta(seconds=10))
    soon = NOW + timedelta(seconds=10)
    pressing = [send(store, at=soon, hourly=3) for _ in range(2)]
    assert [alert and alert.subject for alert in pressing] == ["Alert b", "Alert c"]
    assert send(store, at=soon, hourly=3) is None  # three of them went
    with store.read() as tx:
        held = alerts_told.pace(tx, "ops", hourly=3, longest_rest=HOUR, now=soon)
        assert alerts_told.goes_at(alert, held) == held.critical_until == soon + alerts_out.DIGEST_EVERY
    later = soon + alerts_out.DIGEST_EVERY
    again = send(store, at=later, hourly=3)  # what failed has its turn after what was new
    assert again is not None
    assert (again.subject, again.attempts) == ("Alert a", 2)
    digest = send(store, at=later + alerts_out.DIGEST_EVERY, hourly=3)
    assert digest is not None
    assert (digest.kind, digest.stands_for) == ("digest", 60)
    with store.read() as tx:
        told = alerts.listing(tx, digest_id=digest.id, limit=3)
    assert [alert.subject for alert in told] == ["Alert e", "Alert d", "Alert 59"]


def test_what_is_given_up_stands_there_until_a_person_has_it_tried_again(store: Store) -> None:
    put(store, "a", "b")
    taken = claim(store)
    assert taken is not None
    with store.write() as tx:
        alerts_out.given_up(tx, taken, reason="404", now=NOW)
        assert alerts_out.give_up_all(tx, "ops", since=NOW + HOUR, reason="a day", now=NOW) == 1
    assert {alert.reason for alert in listed(store, AlertState.FAILED)} == {"404", "a day"}
    with store.read() as tx:
        assert alerts.standing(tx, NOW)[0].given_up == 2
        assert alerts.standing(tx, NOW + alerts.RECENT + HOUR) == []
    with store.write() as tx:
        assert alerts.retry(tx, by="ana", now=NOW + HOUR, target="press") == []
        assert alerts.retry(tx, by="ana", now=NOW + HOUR) == [1, 2]
        assert alerts_out.give_up_all(tx, "ops", since=NOW + HOUR, reason="a day", now=NOW + HOUR) == 0
    assert claim(store, at=NOW + HOUR) is not None
    with store.read() as tx:
        assert [entry.action for entry in audit.about(tx, "alert 1")] == ["alert.failed", "alert.retried"]


def test_the_link_of_what_is_gone_is_gone(store: Store) -> None:
    wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
    author = Author(external_id="a1", handle="ana")
    post = Post(external_id="p1", author=author, text="help", posted_at=NOW, url="https://sandbox.example/p1")
    with store.write() as tx:
        sources.sync(tx, [wanted], NOW)
        source = sources.get(tx, "tag")
        mentions.save(tx, source_id=source.id, network="sandbox", posts=[post], now=NOW)
        found = mentions.by_external_id(tx, "sandbox", "p1")
    assert found is not None
    put(store, "a", mention_id=found.id)
    assert (listed(store)[0].network, listed(store)[0].url) == ("sandbox", "https://sandbox.example/p1")
    with store.write() as tx:
        erasing.erase(tx, network="sandbox", external_ids=["p1"], now=NOW)
    assert (listed(store)[0].mention_id, listed(store)[0].url) == (found.id, None)


@given(st.sampled_from(AlertState))
def test_every_state_says_where_it_goes(state: AlertState) -> None:
    assert ALERT_MOVES[state] <= set(AlertState)
