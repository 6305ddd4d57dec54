"""A living SQLite database moves to PostgreSQL: every row, whatever changes meanwhile, and whatever stops it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, insert, inspect, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from listener import store as stores
from listener.errors import Mistake, Outage
from listener.store import Store, audit, lives, transfer, verifying
from listener.store import tables as t
from listener.store import transfer_source as source
from listener.store.transfer import Transfer
from tests import databases
from tests.listener.flow.world import Escucha

pytestmark = [pytest.mark.slow, pytest.mark.about_sqlite]


@pytest.fixture
def empty() -> Iterator[str]:
    with databases.bare() as url:
        yield url


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Escucha]:
    """A company that has heard, decided and said something."""
    made = Escucha(tmp_path)
    for number in range(6):
        made.says(f"@marca todo mal {number} ñ 💥", who=f"p{number}")
        made.says(f"@marca ¿cuánto {number}?", who=f"p{number}")
    made.round()
    made.approve(made.drafts()[0])
    made.round()
    yield made
    made.close()


def begun(world: Escucha, url: str) -> Transfer:
    going = Transfer(world.store, stores.connect(url))
    try:
        going.begin()
    except Exception:
        ended(going)
        raise
    return going


def brought(going: Transfer) -> None:
    going.fill()
    going.follow()
    going.bind()
    going.compare()


def ended(going: Transfer) -> None:
    going.close()
    going.new.close()


def moved(world: Escucha, url: str) -> None:
    going = begun(world, url)
    brought(going)
    going.finish(keys={})
    ended(going)


def rows(store: Store) -> dict[str, list[str]]:
    """Everything, by the product's own reading of it, but where it is."""
    with store._engine.connect() as tx:
        return {
            table.name: sorted(repr([_plain(value) for value in row]) for row in tx.execute(select(table)))
            for table in t.metadata.sorted_tables
            if table is not t.lives
        }


def _plain(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value


def shape(url: str) -> dict[str, Any]:
    """What holds the tables together, as the server says it."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as link:
        look = inspect(link)
        asks = ("get_columns", "get_indexes", "get_unique_constraints", "get_foreign_keys", "get_pk_constraint")
        found = {
            (name, ask): sorted(str(each) for each in _listed(getattr(look, ask)(name)))
            for name in look.get_table_names()
            for ask in asks
        }
        late = link.scalar(text("SELECT count(*) FROM pg_constraint WHERE condeferrable"))
    engine.dispose()
    return {**{str(key): value for key, value in found.items()}, "deferrable": late}


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def test_every_row_is_there_and_the_tables_are_as_made_new(world: Escucha, empty: str, postgres_url: str) -> None:
    moved(world, empty)
    with closing(stores.open(empty)) as new:
        assert rows(new) == rows(world.store)
        assert new.problems() == []
        with new.read() as tx, world.store.read() as before:
            assert verifying.verify(tx, keys={}).fault is None
            assert verifying.head(tx) == verifying.head(before)
            assert verifying.head(tx).number > 0
    assert shape(empty) == shape(postgres_url)


def test_it_knows_where_it_is_and_looks_for_nothing(world: Escucha, empty: str) -> None:
    store = stores.open(empty)
    lives.recognise(store, world.clock())  # somebody looked in before
    store.close()
    moved(world, empty)
    store = stores.open(empty)
    lives.recognise(store, world.clock())
    with store.read() as tx:
        assert lives.lost(tx, world.clock() - timedelta(days=400)) is None
    store.close()


def test_the_new_database_goes_on_where_the_old_one_stopped(world: Escucha, empty: str) -> None:
    before = len(world.drafts())
    moved(world, empty)
    new = Escucha(world.folder, url=empty)
    new.clock.moment = world.clock()
    new.says("@marca ¿y ahora?", who="zoe")
    new.round(minutes=5)
    assert len(new.drafts()) == before + 1, "its numbers go on, and nothing is heard again"
    new.close()


def test_nobody_writes_into_the_old_database_any_more(world: Escucha, empty: str) -> None:
    moved(world, empty)
    with pytest.raises(Mistake, match=r"has moved to postgresql://escucha@/"):
        stores.open(databases.at(world.folder))
    with pytest.raises(IntegrityError, match="has moved"), world.store.write() as tx:  # a process that has it open
        audit.record(tx, at=datetime.now(UTC), by="eva", action="x", subject="y")
    assert transfer.give_up(world.store, by="eva", now=datetime.now(UTC))
    assert not transfer.give_up(world.store, by="eva", now=datetime.now(UTC))
    with closing(stores.open(databases.at(world.folder))) as old, old.write() as tx:
        audit.record(tx, at=datetime.now(UTC), by="eva", action="x", subject="y")
    names = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'copy%'"
    with world.store.read() as tx:
        assert tx.scalar(text(names)) == 0


def test_where_it_goes_to_is_kept_without_a_password(world: Escucha, empty: str) -> None:
    going = begun(world, f"{empty}{'&' if '?' in empty else '?'}password=hunter2hunter2")
    with world.store.read() as tx:
        begun_to = source.order(tx)
    assert begun_to is not None
    assert begun_to.target == stores.named(make_url(empty))
    assert "+psycopg" not in begun_to.target
    ended(going)


def test_a_half_copy_is_no_database(world: Escucha, empty: str) -> None:
    going = begun(world, empty)
    going.fill()
    with pytest.raises(Mistake, match="not finished"):
        stores.open(empty)
    ended(going)


def change(store: Store, chance: random.Random) -> None:
    """Somebody writes: rows come, change (unique values are swapped too) and go."""
    now = datetime.now(UTC)
    with store.write() as tx:
        for _ in range(chance.randint(1, 8)):
            ids = list(tx.scalars(select(t.loans.c.name)))
            one = chance.choice(ids) if ids else ""
            match chance.randint(0, 4):
                case 0 | 1:
                    tx.execute(insert(t.pauses).prefix_with("OR IGNORE").values(_pause(chance, now)))
                case 2:
                    tx.execute(update(t.mentions).values(text=t.mentions.c.text + "'"))
                case 3 if one:
                    tx.execute(delete(t.loans).where(t.loans.c.name == one))
                case _:
                    known = list(tx.scalars(select(t.sources.c.name).order_by(t.sources.c.id)))
                    if len(known) > 1:
                        _swap(tx, known[0], known[-1])
        if chance.random() < 0.5:
            tx.execute(delete(t.pauses).where(t.pauses.c.kind == chance.choice("abc")))
        audit.record(tx, at=now, by="eva", action="changed", subject="x", n=chance.random())


def _pause(chance: random.Random, now: datetime) -> dict[str, Any]:
    named = {"network": f"n{chance.randint(0, 5)}", "kind": chance.choice("abc")}
    return {**named, **{c.name: now if str(c.type) == "DATETIME" else "x" for c in t.pauses.c if c.name not in named}}


def _swap(tx: Any, one: str, other: str) -> None:
    for old, new in ((one, "~"), (other, one), ("~", other)):
        tx.execute(update(t.sources).where(t.sources.c.name == old).values(name=new))


@pytest.mark.parametrize("seed", range(2))
def test_whatever_changes_meanwhile_is_brought_over(
    tmp_path: Path, empty: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two of its steps others write, and it is stopped and begun anew."""
    monkeypatch.setattr(transfer, "BATCH", 3)
    chance = random.Random(seed)
    world = Escucha(tmp_path, queries=("mentions", "#a", "#b"))
    for number in range(12):
        world.says(f"@marca mal {number}", who=f"p{number}")
    world.round()
    stops, alone = 0, False

    def report(*_: object) -> None:
        nonlocal stops
        if not alone and chance.random() < 0.3:
            change(world.store, chance)
        if not alone and chance.random() < 0.05 and stops < 8:
            stops += 1
            raise KeyboardInterrupt

    while True:
        going = Transfer(world.store, stores.connect(empty), report=report)
        try:
            going.begin()
            brought(going)
            going.follow()
            change(world.store, chance)
            alone = True  # from here on others wait
            going.finish(keys={})
            break
        except KeyboardInterrupt:
            continue
        finally:
            ended(going)
    assert stops
    with closing(stores.open(empty)) as new:
        assert rows(new) == rows(world.store)
        assert new.problems() == []
    world.close()


def test_a_row_that_is_not_as_its_original_stops_it(world: Escucha, empty: str) -> None:
    going = begun(world, empty)
    going.fill()
    going.follow()
    going.bind()
    with going.new.write() as tx:
        tx.execute(update(t.mentions).where(t.mentions.c.id == 2).values(text="another"))
    with pytest.raises(Outage, match=r"1 rows of mentions are not as they are in the source \(2\)"):
        going.compare()
    with going.new.write() as tx:
        tx.execute(delete(t.audit).where(t.audit.c.id == 1))
    with pytest.raises(Outage, match="audit"):
        going.finish(keys={})
    assert world.store.schema() == stores.SCHEMA, "nothing was switched"
    ended(going)


def test_rows_that_are_too_many_stop_the_switch(world: Escucha, empty: str) -> None:
    going = begun(world, empty)
    brought(going)
    with going.new.write() as tx:
        tx.execute(insert(t.loans).values({c.name: _any(c) for c in t.loans.c}))
    with pytest.raises(Outage, match=r"other rows than the source in loans \(1 rows, not 0\)"):
        going.finish(keys={})
    ended(going)


def test_an_audit_log_that_ends_with_another_entry_stops_the_switch(world: Escucha, empty: str) -> None:
    """As many rows, and a chain that holds: only its end tells that it is not the source's."""
    going = begun(world, empty)
    brought(going)
    with going.new.write() as tx:
        newest, before = tx.execute(select(t.audit).order_by(t.audit.c.id.desc()).limit(2)).all()
        tx.execute(delete(t.audit).where(t.audit.c.id == newest.id))
        tx.execute(update(t.audit_head).values(last=before.id, hash=before.hash, key=before.key))
    with going.new.write() as tx:
        audit.record(tx, at=newest.at, by="mallory", action=newest.action, subject=newest.subject)
    with going.new.read() as tx, world.store.read() as source_tx:
        assert verifying.verify(tx, keys={}).fault is None
        assert source.count(tx, t.audit) == source.count(source_tx, t.audit)
    with pytest.raises(Outage, match="The audit log of the copy ends with another entry"):
        going.finish(keys={})
    assert world.store.schema() == stores.SCHEMA, "nothing was switched"
    ended(going)


def _any(column: Any) -> Any:
    return {"DATETIME": datetime.now(UTC), "JSON": {}}.get(str(column.type), "1")


def test_a_stop_between_the_two_switches_is_gone_on_from(world: Escucha, empty: str) -> None:
    going = begun(world, empty)
    brought(going)
    with world.store.write() as tx:
        going.follow(tx)
        source.move(tx)
    ended(going)
    again = begun(world, empty)
    assert again.moved()
    again.finish(keys={})
    ended(again)
    with closing(stores.open(empty)) as new:
        assert rows(new) == rows(world.store)


def test_wrong_targets_are_refused(world: Escucha, empty: str, postgres_url: str) -> None:
    with closing(stores.open(postgres_url)) as used, used.write() as tx:
        audit.record(tx, at=datetime.now(UTC), by="eva", action="x", subject="y")
    with pytest.raises(Mistake, match="in use: its table audit"):
        begun(world, postgres_url)
    with closing(stores.connect(empty)) as strange:
        with strange.write() as tx:
            tx.exec_driver_sql("CREATE TABLE albums (id int)")
        with pytest.raises(Mistake, match=r"something else \(albums\)"):
            begun(world, empty)
        with strange.write() as tx:
            tx.exec_driver_sql("DROP TABLE albums")
    with world.store.read() as tx:
        assert source.order(tx) is None, "a refusal leaves nothing behind"
    first = begun(world, empty)
    with pytest.raises(Mistake, match="Another process is copying"):
        begun(world, empty)
    ended(first)
    transfer.give_up(world.store, by="eva", now=datetime.now(UTC))
    with pytest.raises(Mistake, match="unfinished copy of another database"):
        begun(world, empty)


@pytest.mark.parametrize(
    ("step", "do"), [("0000", "run `escucha db upgrade`"), ("0009", "use the version of Escucha that upgraded it")]
)
def test_tables_of_another_version_are_refused_with_what_helps(world: Escucha, empty: str, step: str, do: str) -> None:
    with world.store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :step"), {"step": step})
    with pytest.raises(Mistake, match=do):
        begun(world, empty)


def test_what_postgresql_cannot_hold_is_named_before_anything_is_done(world: Escucha, empty: str) -> None:
    with world.store.write() as tx:
        tx.execute(update(t.mentions).where(t.mentions.c.id == 1).values(text="a\0b"))
        tx.execute(update(t.sources).values(account="x" * 101))
    with pytest.raises(Mistake, match=r"sources\.account is longer than 100.*mentions\.text is with a zero byte in 1"):
        begun(world, empty)
    with closing(stores.connect(empty)) as new:
        assert new.schema() is None
