"""A living SQLite database moves to PostgreSQL: filled, brought up to date, compared row by row, then switched over.

    begin | fill | follow | bind | compare | follow …            while everything runs, and again after any stop
    finish                                                        for a moment nobody may write

Each row is compared with the source after it was last written here: what changed since it was compared is compared
anew where it is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Table, text

from listener.errors import Mistake, Outage
from listener.store import COPYING, MOVED, SCHEMA, STEP, Store, Transaction, audit, lives, named, verifying
from listener.store import tables as t
from listener.store import transfer_source as source
from listener.store import transfer_target as target
from listener.store.transfer_source import Key

BATCH = 2_000  # rows of one transaction
SHOWN = 5  # of what differs, so many are named

Report = Callable[[str, str, int, int], None]  # what is done ("copy", "compare", "follow"), table, so many, of so many


def _quiet(_what: str, _table: str, _done: int, _of: int) -> None:
    pass


@dataclass(kw_only=True)
class Copied:
    """What there is and what was done."""

    rows: dict[str, int] = field(default_factory=dict)  # by table, where there are any
    copied: int = 0  # rows, in this run
    compared: int = 0
    changes: int = 0  # rows that changed meanwhile and were copied again


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """Rows of one table, the key up to which they go, and whether they are the last ones."""

    table: Table
    rows: Sequence[source.Row]
    last: Key | None
    whole: bool


class Transfer:
    """One copy between two databases; whoever begins closes it."""

    def __init__(self, old: Store, new: Store, *, report: Report = _quiet) -> None:
        self.old = old
        self.new = new
        self.report = report
        self.done = Copied()
        self._held = ExitStack()

    def begin(self) -> None:
        """Sees to it that everything fits and that changes are written down. Raises Mistake where it may not be.

        Nobody else may copy into the same database until `close`.
        """
        if not self._held.enter_context(self.new.alone(target.LOCK)):
            raise Mistake("Another process is copying into the target; wait for it, or stop it.")
        _demand_steps(self.old)
        where = named(self.new.url)
        with self.old.read() as tx:
            begun = source.order(tx)
        if begun is not None and self.moved():
            self._demand_moving(begun, where)
        elif begun is None or not target.demand_fit(self.new, begun.name):
            if begun is None:
                target.demand_fit(self.new, "")
            with self.old.read() as tx:
                if problems := source.unfit(tx):
                    raise Mistake(f"PostgreSQL cannot hold it all: {'; '.join(problems)}. Mend these rows first.")
            with self.old.write() as tx:
                begun = source.begin(tx, where)
            target.prepare(self.new, begun.name)
        elif begun.target != where:
            raise Mistake(f"A copy to {begun.target} was begun; give it up first: `escucha db copy --give-up`.")

    def close(self) -> None:
        """Lets others copy."""
        self._held.close()

    def moved(self) -> bool:
        """Whether the old database was switched off already, and only the new one must be switched on."""
        return self.old.schema() == MOVED

    def _demand_moving(self, begun: source.Order, where: str) -> None:
        """Raises Mistake where the old database is switched off and the target is not the copy to be switched on."""
        if begun.target != where:
            raise Mistake(f"This database has moved to {begun.target}: set database.url to that.")
        if self.new.schema() == COPYING and target.demand_fit(self.new, begun.name):
            with self.new.read() as tx:
                if all(each.compared for each in target.progress(tx).values()):
                    return
        elif self.new.fits():
            raise Mistake(
                "Everything has moved there already: set database.url (or ESCUCHA_DATABASE__URL) to it, then "
                "`escucha doctor`, and start."
            )
        raise Mistake(
            "This database has moved, and its copy is not in the target any more. Where nothing ran there, take the "
            "switch back with `escucha db copy --give-up` and copy again; else restore a backup of the target."
        )

    def fill(self) -> None:
        """Copies what there is, table by table, from where it stopped."""
        with self.new.read() as tx:
            left = {name: each.copied_to for name, each in target.progress(tx).items() if not each.copied}
        for batch in self._batches("copy", left):
            with self.new.write() as tx, _telling(batch.table.name):
                target.put(tx, batch.table, batch.rows)
                target.copied(tx, batch.table, batch.last, whole=batch.whole)
            self.done.copied += len(batch.rows)

    def follow(self, held: Transaction | None = None) -> int:
        """Brings over what changed, and compares it; how many changes that were. `held`: where nobody else may write.

        Afterwards the target is as the source was at one moment.
        """
        with self.new.read() as tx:
            behind = target.applied(tx)
        if held is not None:
            until, changes = _changes(held, behind)
        else:
            with self.old.read() as tx:
                until, changes = _changes(tx, behind)
        if until > behind:
            with self.new.write() as tx, _telling("what changed"):
                target.apply(tx, {name: (keys, list(rows.values())) for name, (keys, rows) in changes.items()}, until)
                for name, (keys, rows) in changes.items():
                    table = t.metadata.tables[name]
                    _demand_same(name, rows, target.by_keys(tx, table, keys))
                    self.report("follow", name, len(keys), len(keys))
        if held is None and until > behind:
            with self.old.write() as tx:
                source.forget_changes(tx, until)
        many = sum(len(keys) for keys, _ in changes.values())
        self.done.changes += many
        return many

    def bind(self) -> None:
        """Makes the indexes and constraints, once."""
        with self.new.write() as tx:
            if not target.bound(tx):
                target.bind(tx)

    def compare(self) -> None:
        """Holds every row here against the source's, from where it stopped. Raises Outage where one differs.

        A row that changed since it was copied is left to `follow`, which compares it too.
        """
        with self.new.read() as tx:
            behind = target.applied(tx)
            left = {name: each.compared_to for name, each in target.progress(tx).items() if not each.compared}
        for batch in self._batches("compare", left):
            table = batch.table
            with self.old.read() as tx:
                changing = dict(source.changed(tx, behind=behind, until=source.newest_change(tx)))
            still = set(changing.get(table, ()))
            wanted = {key: row for row in batch.rows if (key := source.key_of(table, row)) not in still}
            with self.new.write() as tx:
                _demand_same(table.name, wanted, target.by_keys(tx, table, list(wanted)))
                target.compared(tx, table, batch.last, whole=batch.whole)
            self.done.compared += len(batch.rows)

    def _batches(self, what: str, left: Mapping[str, Key | None]) -> Iterator[_Batch]:
        """The source's rows, table by table, each from the key after which it is `left`; tells when one was done."""
        for table in [each for each in t.metadata.sorted_tables if each.name in left]:
            last, whole, many = left[table.name], False, 0
            with self.old.read() as tx:
                there = source.count(tx, table)
            while not whole:
                with self.old.read() as tx:
                    rows = source.after(tx, table, last, at_most=BATCH)
                last, whole = (source.key_of(table, rows[-1]) if rows else last), len(rows) < BATCH
                yield _Batch(table=table, rows=rows, last=last, whole=whole)
                many += len(rows)
                self.report(what, table.name, many, there)

    def finish(self, *, keys: Mapping[str, bytes]) -> None:
        """Switches over: nobody can write into the old database any more, and the new one is whole.

        `keys`: what the audit log may be sealed with. Raises Outage where the new database is not what the old one is;
        then nothing was switched. After a stop in the middle the same call goes on.
        """
        if not self.moved():
            with self.old.write() as tx:
                self.follow(tx)
                self._demand_whole(tx, keys)
                source.move(tx)
        with self.new.write() as tx:
            counted = {table.name: source.count(tx, table) for table in t.metadata.sorted_tables}
            self.done.rows = {name: many for name, many in counted.items() if many}
            target.complete(tx)
            lives.settle(tx)

    def _demand_whole(self, held: Transaction, keys: Mapping[str, bytes]) -> None:
        with self.new.read() as tx:
            unlike = [
                f"{table.name} ({ours} rows, not {theirs})"
                for table in t.metadata.sorted_tables
                if (ours := source.count(tx, table)) != (theirs := source.count(held, table))
            ]
            if unlike:
                raise Outage(f"The copy has other rows than the source in {', '.join(unlike[:SHOWN])}: {_AGAIN}.")
            if verifying.head(tx) != verifying.head(held):
                raise Outage(f"The audit log of the copy ends with another entry: {_AGAIN}.")
            told = verifying.verify(tx, keys=keys)
            if told.fault and (verifying.verify(held, keys=keys).fault != told.fault):
                raise Outage(f"The audit log of the copy is not as it was written ({told.fault.text}): {_AGAIN}.")


_AGAIN = "nothing was switched; copy again into a new database"


def give_up(old: Store, *, by: str, now: datetime) -> bool:
    """Ends a copy that was begun, or takes the switch-over back; whether there was one.

    What was said meanwhile on the database to which it had moved is unknown here: a new life begins (`lives.py`).
    """
    with old.write() as tx:
        moved = tx.scalar(text(STEP)) == MOVED
        if not source.give_up(tx):
            return False
        audit.record(tx, at=now, by=by, action="database.copy_given_up", subject="database", moved=moved)
        if moved:
            lives.begin_in(tx, by=by, now=now)
        return True


def _demand_steps(old: Store) -> None:
    if not old.is_sqlite:
        raise Mistake("`db copy` copies an SQLite database; from PostgreSQL to PostgreSQL use pg_dump and pg_restore.")
    step = old.schema()
    if step not in (SCHEMA, MOVED):  # also newer ones that this version works with: it does not know all their rows
        raise Mistake(old.unfit())


def _changes(tx: Transaction, behind: int) -> tuple[int, dict[str, tuple[list[Key], dict[Key, source.Row]]]]:
    """Up to which change, and by table the keys of what changed and the rows that there are now for them."""
    until = source.newest_change(tx)
    found = {}
    for table, keys in source.changed(tx, behind=behind, until=until):
        found[table.name] = (keys, source.by_keys(tx, table, keys))
    return until, found


def _demand_same(name: str, wanted: Mapping[Key, source.Row], there: Mapping[Key, source.Row]) -> None:
    """Raises Outage where the rows differ."""
    unlike = [key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key)]
    if unlike:
        named = ", ".join(" ".join(map(str, key)) for key in sorted(unlike, key=str)[:SHOWN])
        raise Outage(f"{len(unlike)} rows of {name} are not as they are in the source ({named}): {_AGAIN}.")


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Says which table it was whose rows PostgreSQL did not take, which the driver alone does not say."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("psycopg"):
            raise
        reason = str(error).strip().splitlines()[0]
        raise Outage(f"PostgreSQL did not take the rows of {what} ({reason}): look at it, and start again.") from error
