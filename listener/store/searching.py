"""Every table looked through for what gives a person away: what is found is masked, or told.

All columns that can hold words are read, of every table there is, also of those that `tables.py` does not know (a
full-text index), so that what nobody thought of is found too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Table, Text, and_, cast, column, inspect, select, table, update

from listener.store import Transaction, articles, erasing, forgetting, shelf
from listener.store import tables as t
from listener.store.erasures import Erasure
from listener.store.marks import Kind, Mark, Marks, leaves
from listener.store.personal import HELD, verbal

PASSED_OVER = frozenset({"erasures", "suppressions", "peppers", "alembic_version"})
THEIR_ADDRESS = {"mentions": ("url", "external_id")}  # of somebody else's post: it is where that one stands
OWN_WORDS = {"mentions": ("text", "content_warning"), "revisions": ("text", "content_warning")}
AT_ONCE = 500  # rows in memory
MASKED_AT_ONCE = 100  # rows in one transaction


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One row in which something of the person stands: its key, and by column what was found."""

    table: str
    key: tuple[Any, ...]
    found: dict[str, frozenset[Mark]]


@dataclass(kw_only=True)
class Search:
    """What was found, and how much was looked through so far."""

    hits: list[Hit]
    tables: int = 0
    rows: int = 0
    characters: int = 0


def search(tx: Transaction, marks: Marks) -> Search:
    """Looks through every table."""
    done = Search(hits=[])
    there = set(inspect(tx).get_table_names()) - PASSED_OVER
    for name in sorted(there):
        known = t.metadata.tables.get(name)
        done.tables += 1
        if known is not None:
            _known(tx, known, marks, done)
        else:
            _unknown(tx, name, marks, done)
    return done


def _known(tx: Transaction, table: Table, marks: Marks, done: Search) -> None:
    keys = list(table.primary_key.columns)
    names = verbal(table)
    if not names:
        return
    raw = [cast(table.c[name], Text) if isinstance(table.c[name].type, JSON) else table.c[name] for name in names]
    maybe: list[tuple[Any, ...]] = []
    for row in tx.execute(select(*keys, *raw).execution_options(yield_per=AT_ONCE)):
        done.rows += 1
        said = "\n".join(text for value in row[len(keys) :] for _, text in leaves(_bytes(value)))
        done.characters += len(said)
        if marks.maybe(said):
            maybe.append(tuple(row[: len(keys)]))
    for key in maybe:
        values = tx.execute(select(*(table.c[name] for name in names)).where(_is(table, key))).first()
        found = {name: frozenset(marks.within(_bytes(value))) for name, value in zip(names, values or (), strict=False)}
        found = {name: some for name, some in found.items() if some}
        if found:
            done.hits.append(Hit(table=table.name, key=key, found=found))


def _unknown(tx: Transaction, name: str, marks: Marks, done: Search) -> None:
    names = [each["name"] for each in inspect(tx).get_columns(name)]
    there = table(name, *(column(each) for each in names))
    for row in tx.execute(select(there).execution_options(yield_per=AT_ONCE)):
        done.rows += 1
        found = {}
        for each, value in zip(names, row, strict=True):
            said = _bytes(value)
            done.characters += len(said) if isinstance(said, str | bytes) else 0
            if some := marks.within(said):
                found[each] = frozenset(some)
        if found:
            done.hits.append(Hit(table=name, key=(row[0],), found=found))


def _bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def _is(table: Table, key: Sequence[Any]) -> ColumnElement[bool]:
    return and_(*(column == value for column, value in zip(table.primary_key.columns, key, strict=True)))


# --- what becomes of it ---


def shared(hits: Iterable[Hit]) -> frozenset[Mark]:
    """Sentences that other people wrote themselves as well: those are theirs."""
    return frozenset(
        mark
        for hit in hits
        for name in OWN_WORDS.get(hit.table, ())
        for mark in hit.found.get(name, ())
        if mark.kind is Kind.WORDS
    )


def masks(hit: Hit, theirs: Collection[Mark]) -> dict[str, frozenset[Mark]]:
    """What of a hit is to be masked, by column: not other people's own, and nothing in columns of ours."""
    held = HELD.get(hit.table)
    if held is None or held.kept:
        return {}
    words = [name for name in held.words if name not in THEIR_ADDRESS.get(hit.table, ())]
    found = {name: hit.found[name] - set(theirs) for name in words if name in hit.found}
    return {name: marks for name, marks in found.items() if marks}


def stays(hit: Hit, theirs: Collection[Mark]) -> dict[str, frozenset[Mark]]:
    """What of a hit stands in a column of ours, where a person must look: a query, a policy, a reason."""
    held = HELD.get(hit.table)
    if held is not None and held.kept:
        return {}
    ours = {name: marks - set(theirs) for name, marks in hit.found.items() if held is None or name not in held.words}
    return {name: marks for name, marks in ours.items() if marks}


def mask(tx: Transaction, hits: Sequence[Hit], theirs: Collection[Mark], erasure: Erasure, now: datetime) -> None:
    """Masks what those rows say of the person; what of it somebody else wrote too stays."""
    entries = [hit.key[0] for hit in hits if hit.table == "audit"]
    forgetting.empty_entries(tx, entries, erasure, now=now)
    for hit in hits:
        wanted = masks(hit, theirs)
        if not wanted or hit.table == "audit":
            continue
        where = t.metadata.tables[hit.table]
        row = tx.execute(select(where).where(_is(where, hit.key))).mappings().first()
        if row is None:
            continue
        if hit.table == "drafts":
            erasing.withdraw(tx, row["mention_id"], reason="it named somebody who was erased", now=now)
        values = {name: Marks(marks).masked(row[name]) for name, marks in wanted.items()}
        if hit.table == "decisions":
            values["fingerprint"] = None
        tx.execute(update(where).where(_is(where, hit.key)).values(**values))
        if hit.table == "article_texts":
            _doubt(tx, row["article_version_id"], erasure.by, now)


def _doubt(tx: Transaction, version_id: int, by: str, now: datetime) -> None:
    """Lets nobody find the article before somebody has read what is left of it, as when what it quotes is deleted."""
    version = t.article_versions.c
    article_id = tx.scalar(select(version.article_id).where(version.id == version_id))
    if article_id is not None:
        shelf.take_away(tx, [article_id])
        articles.doubt(tx, [article_id], why="it named somebody who was erased", by=by, now=now)


def batches(hits: Sequence[Hit]) -> Iterator[Sequence[Hit]]:
    """Hits in the order found, so many as one transaction masks."""
    return (hits[start : start + MASKED_AT_ONCE] for start in range(0, len(hits), MASKED_AT_ONCE))
