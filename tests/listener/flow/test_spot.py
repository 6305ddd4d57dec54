"""From what was decided to a spike that somebody hears of: counted once, told once, and nothing made of nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

import policies
from listener.flow.pipeline import Pipeline
from listener.insight import counting
from listener.store import alerts, attached, incidents, mentions, spikes, volumes
from listener.store import tables as t
from listener.store.alerts import Alert
from listener.store.spikes import Spike
from listener.types import Attached, IncidentState, SpikeState
from tests.listener.flow.traffic import Word, Writer, usual
from tests.listener.flow.world import AUTO, Escucha

WEEKS = timedelta(weeks=3)
POLICY = (
    AUTO.replace("guard: {", "guard: {colleagues: {sandbox: ['@tienda']}, ")
    + """
time_zone: Europe/Madrid
places: {Lleida: [Lérida]}
incidents: {alert: ops, least: 8}
"""
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def quiet(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Escucha, Writer]]:
    """A company of which little is said for three weeks, listened to all the time, on each of the two databases."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = Escucha(tmp_path, policy=POLICY, url=url)
    made.clock.moment = made.clock().replace(hour=11, minute=2, second=0, microsecond=0)
    writer = Writer(made.store)
    now = made.clock()
    writer.write(usual(now - WEEKS, now, hourly=3))
    made.main.poll(["source-0"])
    assert made.main.spot().live == ()
    yield made, writer
    made.close()


def minutes_of(
    escucha: Escucha, writer: Writer, words: Sequence[Sequence[Word]], *, through: Pipeline | None = None
) -> None:
    """What is said in one minute after the other, each polled and looked at."""
    for said in words:
        escucha.clock.forward(minutes=1)
        escucha.main.poll(["source-0"])
        writer.write(said)
        (through or escucha.main).spot()


def outage(escucha: Escucha, minutes: int, *, each: int = 2, first: int = 0) -> list[list[Word]]:
    """So many people a minute, each somebody else, whose connection is down in Lleida."""
    begins = escucha.clock()
    return [
        [
            Word(
                at=begins + timedelta(minutes=minute, seconds=10 + 9 * number),
                who=f"hit-{first + minute}-{number}",
                text=f"Se ha caído la fibra en Lérida otra vez, soy el cliente {first + minute} {number} @empresa",
                areas=["fibre"],
                intents=["outage_report"],
            )
            for number in range(each)
        ]
        for minute in range(minutes)
    ]


def found(escucha: Escucha) -> list[Spike]:
    with escucha.store.read() as tx:
        return spikes.listing(tx, everything=True)


def told(escucha: Escucha) -> list[Alert]:
    with escucha.store.read() as tx:
        return [each for each in alerts.listing(tx, target="ops") if each.kind == "spike"]


def counted(escucha: Escucha) -> dict[volumes.Label, list[tuple[int, int]]]:
    with escucha.store.read() as tx:
        return {label: list(rows) for label, rows in volumes.read(tx, (escucha.clock() - WEEKS).date()).items()}


def test_an_outage_is_one_spike_one_alert_and_a_proposed_incident_with_what_was_said(
    quiet: tuple[Escucha, Writer],
) -> None:
    escucha, writer = quiet
    early = escucha.clock() - timedelta(minutes=50)
    writer.write([Word(at=early, who=f"early-{n}", text="la fibra va lenta", areas=["fibre"]) for n in range(2)])
    began = escucha.clock()
    minutes_of(escucha, writer, outage(escucha, 12))
    (spike,) = found(escucha)
    assert spike.found_at - began <= timedelta(minutes=8)
    assert abs(spike.onset - began) < timedelta(minutes=5)
    assert spike.label[:3] == ("fibre", "outage_report", "Lleida")
    assert spike.people == 24 > 20 * spike.expected
    assert {"fibra", "lérida", "caído"} <= {each.word for each in spike.words}
    assert not any("empresa" in each.word for each in spike.words), "a name is no word"
    (alert,) = told(escucha)
    assert alert.subject.startswith(f"{spike.reference}: fibre, outage report, in Lleida")
    assert "caído" not in alert.subject + alert.why, "an alert holds nothing that anybody wrote"
    with escucha.store.read() as tx:
        (incident,) = incidents.listing(tx)
        assert (incident.state, incident.case_id) == (IncidentState.PROPOSED, None)
        assert incident.affected == {"areas": ["fibre"], "intents": ["outage_report"], "places": ["Lleida"]}
        assert spikes.get(tx, spike.id).incident_id == incident.id
        of = attached.mentions_of(tx, incident.id)
        said = select(t.mentions.c.id).where(t.mentions.c.text.contains("fibra"))
        assert {each.mention_id for each in of} >= set(tx.scalars(said.where(t.mentions.c.posted_at >= began)))
        assert {each.how for each in of} == {Attached.SPIKE}


def test_what_a_network_brings_goes_all_the_way(quiet: tuple[Escucha, Writer]) -> None:
    """Posted there, polled, understood, decided, counted, found, told and attached, by whole rounds."""
    escucha, _ = quiet
    for minute in range(12):
        escucha.says(f"@marca todo mal en Lérida desde esta mañana, soy la número {minute}", who=f"vecina-{minute}")
        escucha.says(f"@marca ¿y a mí quién me contesta la {minute}?", who="angry")
        escucha.round(minutes=1)
    (spike,) = found(escucha)
    assert (spike.label[2:], spike.people) == (("Lleida", "sandbox"), 12)
    (alert,) = told(escucha)
    assert "Place: Lleida" in alert.why
    with escucha.store.read() as tx:
        (incident,) = incidents.listing(tx)
        behind = mentions.several(tx, spikes.mention_ids(tx, spike.id))
        names = {each.author.handle.removeprefix("@").partition("@")[0] for each in behind}
        assert {f"vecina-{minute}" for minute in range(12)} <= names
        assert len(attached.mentions_of(tx, incident.id)) == len(spikes.mention_ids(tx, spike.id))


def test_it_is_told_again_only_when_it_has_grown_and_when_it_is_over(quiet: tuple[Escucha, Writer]) -> None:
    escucha, writer = quiet
    minutes_of(escucha, writer, outage(escucha, 8))
    assert len(told(escucha)) == 1
    minutes_of(escucha, writer, outage(escucha, 6, each=6, first=100))
    (spike,) = found(escucha)
    assert [each.subject.split(":")[0] for each in reversed(told(escucha))] == [
        spike.reference,
        f"{spike.reference} has grown",
    ]
    for _ in range(8):
        escucha.clock.forward(minutes=30)
        escucha.main.poll(["source-0"])
        escucha.main.spot()
    (spike,) = found(escucha)
    assert spike.ended_at is not None
    assert told(escucha)[0].subject.startswith(f"{spike.reference} is over")
    assert len(told(escucha)) == 3


def test_two_daemons_and_one_that_is_started_anew_tell_it_once(quiet: tuple[Escucha, Writer]) -> None:
    """The second knows nobody that the first counted, and the third nothing at all."""
    escucha, writer = quiet
    second = escucha.pipeline()
    for minute, said in enumerate(outage(escucha, 12)):
        through = (escucha.main, second, escucha.pipeline())[minute % 3]
        minutes_of(escucha, writer, [said], through=through)
        again = [replace(word, at=word.at + timedelta(seconds=1)) for word in said]
        writer.write(again)  # the same people once more, counted by another process
        (second, escucha.main)[minute % 2].spot()
    (spike,) = found(escucha)
    assert len(told(escucha)) == 1
    label = ("fibre", "", "", "sandbox")
    assert sum(people for _, people in counted(escucha)[label]) == 24
    with escucha.store.read() as tx:
        assert len(incidents.listing(tx)) == 1
        assert spikes.numbers(tx, [spike.id])[spike.id].people == 24


def test_whoever_is_killed_between_two_looks_counts_nothing_twice(
    quiet: tuple[Escucha, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    escucha, writer = quiet
    minutes_of(escucha, writer, outage(escucha, 3))
    before = counted(escucha)
    writer.write([word for said in outage(escucha, 2, first=50) for word in said])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(volumes, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            escucha.main.spot()
    assert counted(escucha) == before, "counted and taken note of together, or not at all"
    escucha.clock.forward(minutes=2)
    assert escucha.main.spot().counted == 4
    assert escucha.main.spot().counted == 0
    assert sum(people for _, people in counted(escucha)["fibre", "", "", "sandbox"]) == 10


def test_a_database_that_was_there_before_is_counted_in_parts_and_just_once(
    quiet: tuple[Escucha, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    escucha, writer = quiet
    began = escucha.clock()
    loud = [Word(at=began + timedelta(seconds=n), who=f"loud-{n % 40}", areas=["fibre"]) for n in range(1200)]
    writer.write(loud)  # the same forty people over several parts
    escucha.clock.forward(hours=1)
    escucha.main.spot()
    whole = counted(escucha)
    assert sum(people for _, people in whole["fibre", "", "", "sandbox"]) == 40
    with escucha.store.write() as tx:
        tx.execute(t.volumes.delete())
        tx.execute(t.sweeps.delete())
    monkeypatch.setattr("listener.flow.spot.AT_ONCE", 400)
    monkeypatch.setattr("listener.flow.spot.LEAST_MARKS", 50)
    halting = escucha.pipeline()
    halting.stop()
    parts = 0
    while halting.spot().counted == 400:
        parts += 1
        halting = escucha.pipeline()  # killed after each part
        halting.stop()
    assert parts >= 3
    assert counted(escucha) == whole


def joke(escucha: Escucha, minute: int) -> list[Word]:
    at, text = escucha.clock(), "cuando llamas a la empresa y te pasan con el contestador del contestador"
    return [
        Word(at=at + timedelta(minutes=minute, seconds=5 * number), who=f"fan-{minute}-{number}", text=text)
        for number in range(8)
    ]


def one_person(escucha: Escucha, minute: int) -> list[Word]:
    at = escucha.clock() + timedelta(minutes=minute)
    return [
        Word(at=at + timedelta(seconds=9 * number), who="angry", text=f"sin fibra {minute} {number}", areas=["fibre"])
        for number in range(5)
    ]


def ours(escucha: Escucha, minute: int) -> list[Word]:
    """A colleague from a shop, an account of our own, and a machine, each under a new name for each post."""
    at = escucha.clock() + timedelta(minutes=minute)
    said = f"avería de la fibra en {minute}"
    return [Word(at=at, who=who, text=said, areas=["fibre"]) for who in ("tienda", "oficial@sandbox.example")]


@pytest.mark.parametrize("kind", [joke, one_person, ours])
def test_what_is_no_spike(quiet: tuple[Escucha, Writer], kind: object) -> None:
    """One text by many, fifty posts by one, and what we say ourselves."""
    escucha, writer = quiet
    minutes_of(escucha, writer, [kind(escucha, minute) for minute in range(12)])  # type: ignore[operator]
    assert found(escucha) == []
    if kind is ours:
        assert not any(label[0] == "fibre" for label in counted(escucha))


def test_who_says_that_every_other_mail_is_old_counts_once(quiet: tuple[Escucha, Writer]) -> None:
    """A mail is as old as its sender says: between two of now, one of this morning."""
    escucha, writer = quiet
    for minute in range(6):
        said = [Word(at=escucha.clock(), who="angry", text=f"sin fibra {minute}", areas=["fibre"])]
        minutes_of(escucha, writer, [said])
        old = escucha.clock() - timedelta(hours=7)
        minutes_of(escucha, writer, [[Word(at=old, who="angry", text=f"ya ayer {minute}", areas=["fibre"])]])
    assert [people for _, people in counted(escucha)["fibre", "", "", "sandbox"]] == [1, 1]


def test_what_arrives_late_falls_where_it_was_said(quiet: tuple[Escucha, Writer]) -> None:
    """We were away for two days; all that was said meanwhile arrives within a minute."""
    escucha, writer = quiet
    away = escucha.clock()
    escucha.clock.forward(days=2)
    now = escucha.clock()
    writer.write(usual(away, now, seed=11, hourly=3), heard_at=now)
    escucha.main.poll(["source-0"])
    spotted = escucha.main.spot()
    assert spotted.counted > 100
    assert found(escucha) == []
    hours = {number // 12 for number, _ in counted(escucha)["", "", "", "sandbox"]}
    missed = {counting.bucket(away + timedelta(hours=hour)) // 12 for hour in range(1, 47)}
    assert len(missed & hours) > 0.8 * len(missed)


@pytest.mark.parametrize("admitted", [True, False], ids=["skipped", "silence"])
def test_what_nobody_heard_is_no_silence_after_which_all_is_a_spike(tmp_path: Path, admitted: bool) -> None:
    """The network says that it skipped two weeks and a half; the same traffic as ever goes on afterwards."""
    escucha = Escucha(tmp_path, policy=POLICY)
    try:
        now = escucha.clock().replace(hour=8, minute=0)  # as the day's traffic begins, whenever the test is played
        now += timedelta(days=(1 - now.weekday()) % 7 + 7)
        escucha.clock.moment = now - timedelta(days=17)
        writer = Writer(escucha.store)
        writer.write(usual(now - timedelta(days=24), escucha.clock(), hourly=20))
        escucha.main.poll(["source-0"])
        escucha.main.spot()
        escucha.clock.moment = now
        if admitted:
            with escucha.store.write() as tx:
                tx.execute(insert(t.gaps).values(source_id=1, noticed_at=now, reason="too long ago"))
        for hour in range(4):
            escucha.clock.forward(hours=1)
            later = escucha.clock()
            escucha.main.poll(["source-0"])
            writer.write(usual(later - timedelta(hours=1), later, seed=20 + hour, hourly=20))
            escucha.main.spot()
        assert bool(found(escucha)) is not admitted
    finally:
        escucha.close()


def test_a_source_that_is_added_is_no_spike(quiet: tuple[Escucha, Writer]) -> None:
    """Twice as much is heard from one day to the next, as more is listened to."""
    escucha, writer = quiet
    escucha.queries = ("mentions", "#more")
    escucha.main = escucha.pipeline()
    more = Writer(escucha.store, source="source-1")
    for hour in range(20):
        escucha.clock.forward(hours=1)
        now = escucha.clock()
        escucha.main.poll()
        with escucha.store.write() as tx:
            tx.execute(update(t.sources).where(t.sources.c.name == "source-1").values(mentions_total=40 * hour))
        more.write(
            [
                replace(word, who=f"more-{word.who}")
                for word in usual(now - timedelta(hours=1), now, hourly=40, seed=hour)
            ]
        )
        writer.write(usual(now - timedelta(hours=1), now, hourly=3, seed=100 + hour))
        escucha.main.spot()
    assert found(escucha) == []


def test_a_place_that_the_policy_names_from_now_on_is_no_spike_and_an_old_one_is(
    quiet: tuple[Escucha, Writer],
) -> None:
    escucha, writer = quiet
    with escucha.store.write() as tx:
        tx.execute(update(t.policy_versions).values(first_used_at=escucha.clock() - WEEKS))
    policy = policies.load_text(POLICY.replace("Lleida: [Lérida]", "Lleida: [Lérida], Words: []"))
    other = escucha.pipeline(policy=policy)
    words = [
        [
            Word(at=escucha.clock() + timedelta(minutes=minute, seconds=5), who=f"w-{minute}", text="more words")
            for minute in range(first, first + 5)
        ]
        for first in range(0, 20, 5)
    ]
    for said in words:  # a person a minute, where three an hour are usual: the network as a whole is far above normal
        escucha.clock.forward(minutes=5)
        escucha.main.poll(["source-0"])
        writer.write(said)
        other.spot()
    assert all(not spike.label[2] for spike in found(escucha))
    minutes_of(escucha, writer, outage(escucha, 10), through=other)
    assert "Lleida" in {spike.label[2] for spike in found(escucha)}


def test_an_edit_counts_nobody_twice(quiet: tuple[Escucha, Writer]) -> None:
    escucha, writer = quiet
    post = writer.write([Word(at=escucha.clock(), who="ana", text="mal", areas=["fibre"])])[0]
    escucha.main.spot()
    escucha.clock.forward(hours=9)  # by then she could count again
    with escucha.store.write() as tx:
        tx.execute(update(t.mentions).where(t.mentions.c.id == post).values(revision=2))
        read = tx.execute(select(t.understandings).where(t.understandings.c.mention_id == post)).mappings().one()
        again = {name: value for name, value in read.items() if name != "id"}
        tx.execute(insert(t.understandings).values(**again | {"revision": 2}))
        decision = tx.execute(select(t.decisions).where(t.decisions.c.mention_id == post)).mappings().one()
        again = {name: value for name, value in decision.items() if name != "id"}
        tx.execute(insert(t.decisions).values(**again | {"revision": 2, "at": escucha.clock()}))
    escucha.pipeline().spot()  # a new process, that remembers nobody of nine hours ago
    assert sum(people for _, people in counted(escucha)["fibre", "", "", "sandbox"]) == 1


def test_what_was_dismissed_is_told_no_more_while_it_goes_on(quiet: tuple[Escucha, Writer]) -> None:
    escucha, writer = quiet
    minutes_of(escucha, writer, outage(escucha, 8))
    (spike,) = found(escucha)
    with escucha.store.write() as tx:
        spikes.dismiss(tx, spike, because="a drill", by="boss", now=escucha.clock())
    minutes_of(escucha, writer, outage(escucha, 8, each=8, first=200))
    (spike,) = found(escucha)
    assert spike.state is SpikeState.DISMISSED
    assert len(told(escucha)) == 1


@pytest.mark.parametrize(
    ("says", "is_then"),
    [(IncidentState.DISMISSED, SpikeState.DISMISSED), (IncidentState.INVESTIGATING, SpikeState.OPENED)],
)
def test_what_a_person_says_of_the_proposed_incident_holds_for_the_spike(
    quiet: tuple[Escucha, Writer], says: IncidentState, is_then: SpikeState
) -> None:
    escucha, writer = quiet
    minutes_of(escucha, writer, outage(escucha, 8))
    with escucha.store.write() as tx:
        (incident,) = incidents.listing(tx)
        became = {"state": says.value}
        kind = "dismissed" if says is IncidentState.DISMISSED else "state"
        incidents.record(tx, incident, kind, by="boss", now=escucha.clock(), became=became)
    minutes_of(escucha, writer, outage(escucha, 2, first=100))
    (spike,) = found(escucha)
    assert (spike.state, spike.decided_by) == (is_then, "boss")


def test_what_is_of_an_incident_already_proposes_no_other(quiet: tuple[Escucha, Writer]) -> None:
    escucha, writer = quiet
    with escucha.store.write() as tx:
        now = escucha.clock()
        incident = incidents.open(tx, title="Lleida", by="boss", now=now, began_at=now)
    for said in outage(escucha, 10):
        escucha.clock.forward(minutes=1)
        escucha.main.poll(["source-0"])
        ids = writer.write(said)
        with escucha.store.write() as tx:
            for number in ids:
                incidents.attach(
                    tx, incident, number, how=Attached.RULE, why="its area is fibre", by="daemon", now=escucha.clock()
                )
        escucha.main.spot()
    (spike,) = found(escucha)
    assert (spike.incident_id, spike.state) == (incident.id, SpikeState.OPENED)
    with escucha.store.read() as tx:
        assert [each.id for each in incidents.listing(tx)] == [incident.id]


def test_a_database_with_no_history_and_a_clock_that_jumps_are_borne(tmp_path: Path) -> None:
    escucha = Escucha(tmp_path, policy=POLICY)
    try:
        assert escucha.main.spot().counted == 0
        escucha.says("@marca todo mal")
        escucha.round()
        escucha.clock.forward(days=-400)
        escucha.round()
        escucha.clock.forward(days=800)
        escucha.round()
        assert found(escucha) == []
        assert counted(escucha) == {}  # of what was said so long ago nothing is asked
        with escucha.store.read() as tx:
            assert tx.scalar(select(t.sweeps.c.last_id).where(t.sweeps.c.name == "volumes")) == 1
    finally:
        escucha.close()


def test_only_the_first_decision_of_what_people_said_counts(tmp_path: Path) -> None:
    made = Escucha(tmp_path, policy=POLICY)
    said = [Word(at=made.clock(), who=who, text=who, areas=["fibre"]) for who in ("ana", "bot", "gone", "bo")]
    ana, bot, gone, bo = Writer(made.store).write(said)
    with made.store.write() as tx:
        account = select(t.mentions.c.account_id).where(t.mentions.c.id == bot).scalar_subquery()
        tx.execute(update(t.accounts).where(t.accounts.c.id == account).values(bot=True))
        tx.execute(update(t.mentions).where(t.mentions.c.id == gone).values(state="gone"))
        decision = tx.execute(select(t.decisions).where(t.decisions.c.mention_id == ana)).mappings().one()
        tx.execute(insert(t.decisions).values(**{name: decision[name] for name in decision if name != "id"}))
        assert [each.mention for each in volumes.decided(tx, 0, 1_000, limit=None)] == [ana, bo]
    made.close()
