"""The migrations make exactly the tables that the code speaks of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from listener import store
from listener.errors import Mistake, Outage
from listener.store import tables

pytestmark = pytest.mark.makes_tables

MIGRATIONS = Path(store.__file__).parent / "migrations"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_the_newest_step_is_the_one_the_code_needs() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [store.SCHEMA]


def test_the_migrations_give_exactly_the_tables(tmp_path: Path) -> None:
    store.open(url(tmp_path / "a.db")).close()
    engine = create_engine(url(tmp_path / "a.db"))
    with engine.connect() as link:
        context = MigrationContext.configure(link, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_indexes_and_constraints_are_named_as_the_code_names_them(tmp_path: Path) -> None:
    migrated, created = (create_engine(url(tmp_path / name)) for name in ("a.db", "b.db"))
    store.open(url(tmp_path / "a.db")).close()
    tables.metadata.create_all(created)
    for name in tables.metadata.tables:
        one, other = inspect(migrated), inspect(created)
        for ask in ("get_indexes", "get_unique_constraints", "get_foreign_keys", "get_pk_constraint"):
            assert _sorted(getattr(one, ask)(name)) == _sorted(getattr(other, ask)(name)), (name, ask)
    assert _indexes(migrated) == _indexes(created)
    migrated.dispose()
    created.dispose()


def _indexes(engine: Engine) -> set[str]:
    """How each was made, but for brackets and spaces."""
    with engine.connect() as link:
        made = link.execute(text("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
        return {re.sub(r'[\s()"]+', "", each) for each in made.scalars()}


def _sorted(found: object) -> list[str]:
    listed = found if isinstance(found, list) else [found]
    return sorted(json.dumps(each, default=str, sort_keys=True) for each in listed)


def test_postgresql_too_is_told_which_rows_an_index_is_for() -> None:
    partial = {index for table in tables.metadata.sorted_tables for index in table.indexes if tables.ONLY in index.info}
    assert len(partial) >= 14
    for index in partial:
        made = str(CreateIndex(index).compile(dialect=postgresql.dialect()))
        where = index.dialect_options["sqlite"]["where"]
        assert " WHERE " in made
        if index.name != "ix_decisions_to_route":  # SQLite has no boolean of its own
            assert made.endswith(
                f" WHERE {where.compile(compile_kwargs={'literal_binds': True})}".replace(f"{index.table.name}.", "")
            )


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    database = store.connect(url(tmp_path / "a.db"))
    assert database.schema() is None
    database.upgrade()
    database.upgrade()
    assert database.schema() == store.SCHEMA
    assert database.problems() == []
    database.close()


@pytest.mark.parametrize(("schema", "words"), [("0000", "older.*escucha db upgrade"), ("9999", "newer.*version")])
def test_tables_of_another_version_are_refused_with_the_next_step(tmp_path: Path, schema: str, words: str) -> None:
    store.open(url(tmp_path / "a.db")).close()
    engine = create_engine(url(tmp_path / "a.db"))
    with engine.begin() as link:
        link.execute(text("UPDATE alembic_version SET version_num = :schema"), {"schema": schema})
    engine.dispose()
    with pytest.raises(Mistake, match=words):
        store.open(url(tmp_path / "a.db"))


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database " * 100)
    with pytest.raises(Outage, match=r"a\.db is no usable database"):
        store.open(url(tmp_path / "a.db"))
