"""Incidents and what is attached to them, on each of the two databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from listener.errors import NotFound, Stale
from listener.store import Store, attached, erasing, incident_checks, incidents, mentions, sources, tables
from listener.store.incidents import Incident
from listener.store.sources import Wanted
from listener.types import Attached, Author, IncidentState, Post, PostKind

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def heard(store: Store, count: int) -> list[int]:
    wanted = Wanted(name="tag", account="care", network="x", query="#a", every=timedelta(minutes=1))
    posts = [
        Post(
            external_id=f"p{number}",
            author=Author(external_id=f"a{number // 2}", handle=f"a{number // 2}"),
            text="Cobro doble",
            posted_at=NOW,
            kind=PostKind.MENTION,
        )
        for number in range(count)
    ]
    with store.write() as tx:
        sources.sync(tx, [wanted], NOW)
        source = sources.get(tx, "tag")
        return list(mentions.save(tx, source_id=source.id, network="x", posts=posts, now=NOW).new)


def opened(store: Store, title: str = "Double charge", **said: object) -> Incident:
    with store.write() as tx:
        return incidents.open(tx, title=title, by="ana", now=NOW, began_at=NOW, **said)  # type: ignore[arg-type]


def test_a_row_is_what_its_events_say_and_who_read_an_older_one_is_late(store: Store) -> None:
    made = opened(store, avoid=["mañana"])
    assert (made.reference, made.state, made.avoid, made.lasts) == (
        "I1",
        IncidentState.INVESTIGATING,
        ("mañana",),
        True,
    )
    with store.write() as tx:
        fixing = incidents.record(
            tx, made, "state", by="bo", now=NOW, became={"state": IncidentState.FIXING.value}, text="on it"
        )
        assert fixing.state is IncidentState.FIXING
        with pytest.raises(Stale):
            incidents.record(tx, made, "state", by="cy", now=NOW, became={"state": IncidentState.RESOLVED.value})
    with store.read() as tx:
        assert incident_checks.differences(tx, limit=3) == []
        first, second = incidents.events_of(tx, made.id)
        assert (first.kind, first.state, second.text) == ("opened", IncidentState.INVESTIGATING, "on it")
        assert [each.id for each in incidents.active(tx)] == [made.id]
        with pytest.raises(NotFound, match="I7"):
            incidents.get(tx, 7)


def test_what_was_written_past_the_events_is_found(store: Store) -> None:
    made = opened(store)
    with store.write() as tx:
        tx.execute(tables.incidents.update().where(tables.incidents.c.id == made.id).values(owner="eve"))
        (sentence,) = incident_checks.differences(tx, limit=3)
    assert "I1 is not what its events say (owner)" in sentence


def test_a_mention_is_of_one_incident_and_what_a_person_undid_is_known(store: Store) -> None:
    one, two = opened(store), opened(store, "Other")
    first, second = heard(store, 2)
    with store.write() as tx:
        because = {"how": Attached.RULE, "why": "its area is billing", "by": "daemon", "now": NOW}
        assert incidents.attach(tx, one, first, **because)  # type: ignore[arg-type]
        assert not incidents.attach(tx, two, first, **because)  # type: ignore[arg-type]
        assert incidents.attach(tx, one, second, **because)  # type: ignore[arg-type]
        assert attached.numbers(tx, one).people == 1, "both are one person's"
        assert not incidents.detach(tx, two, first, by="ana", now=NOW)
        assert incidents.detach(tx, one, first, by="ana", now=NOW)
        assert incidents.detach(tx, one, second, by=attached.DAEMON, now=NOW)
        assert attached.refused(tx, [first, second]) == {first: frozenset({one.id})}
        assert incidents.attach(tx, two, first, **because)  # type: ignore[arg-type]
        found = incidents.of_mention(tx, first)
        assert found is not None
        assert found.id == two.id
        assert [each.incident_id for each in attached.history_of(tx, first)] == [one.id, two.id]
        assert [each.mention_id for each in incidents.mentions_of(tx, two.id)] == [first]


def test_what_its_author_deleted_is_counted_no_more(store: Store) -> None:
    made = opened(store)
    numbers = heard(store, 3)
    with store.write() as tx:
        for number in numbers:
            incidents.attach(tx, made, number, how=Attached.HAND, why="ana said so", by="ana", now=NOW)
        erasing.erase(tx, network="x", external_ids=["p2"], now=NOW)
        counted = attached.numbers(tx, made)
    assert (counted.mentions, counted.gone, counted.people, dict(counted.hows)) == (2, 1, 1, {"hand": 2})


def test_of_many_who_attach_at_once_one_does(store: Store) -> None:
    made = [opened(store, str(number)) for number in range(4)]
    number = heard(store, 1)[0]

    def attach(incident: Incident) -> bool:
        with store.write() as tx:
            return incidents.attach(tx, incident, number, how=Attached.RULE, why="x", by="daemon", now=NOW)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attach, made)) == [False, False, False, True]
