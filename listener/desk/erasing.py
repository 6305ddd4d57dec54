"""A person erased: what is theirs goes at once, what others' rows say of them is masked, and a search proves it.

    begin     one transaction: their rows emptied or deleted, what they are looked for by kept until it is done
    finish    every table searched and masked, the file's old bytes overwritten, every table and file searched again

`finish` may be killed at any moment: asked for again, it starts where `begin` left it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Store, Transaction, auditing, erasures, forgetting, holds, links, marks, persons, searching
from listener.store.erasures import Erasure
from listener.store.marks import Mark, Marks
from listener.store.persons import Known
from listener.store.searching import Hit, Search
from listener.terms.needles import Needles

ROUNDS = 3  # of searching and masking, for what is written meanwhile
TELLING = 8  # characters from which on something that is found in a file's bytes is no chance
CHUNK = 4 * 1024**2  # bytes of a file in memory
OVERLAP = 4096  # bytes, more than anything that is looked for takes
BACKUP = "db.backup"  # the action that `escucha db backup` is recorded by


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an erasure would do: rows by table, and how many rows of others name the person."""

    name: str
    rows: dict[str, int]
    named_elsewhere: dict[str, int]
    to_look_at: tuple[Place, ...]
    held: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something of the person still stands that Escucha does not change: a column of ours, or a file."""

    where: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was searched after the erasure, and what was found then."""

    erasure: int
    sought: int
    """How many handles, addresses, numbers, names and sentences were looked for."""
    tables: int
    rows: int
    characters: int
    files: tuple[str, ...]
    masked: int
    """How many rows of other people named them and were masked."""
    said_by_others: int
    """How many of their sentences other people wrote as well: those stay."""
    left: tuple[Place, ...]
    """What is still there."""
    backups: tuple[Place, ...]
    """Copies of the database made before, as the audit log knows them."""
    notes: tuple[str, ...]


def plan(tx: Transaction, asked: str) -> Plan:
    """What would go, without touching it. Raises NotFound."""
    known = persons.find(tx, asked)
    found = Marks(persons.marks_of(tx, known.person))
    hits = searching.search(tx, found).hits
    theirs = searching.shared(_of_others(tx, known, hits))
    elsewhere: dict[str, int] = {}
    for hit in _of_others(tx, known, hits):
        if searching.masks(hit, theirs):
            elsewhere[hit.table] = elsewhere.get(hit.table, 0) + 1
    return Plan(
        name=known.name,
        rows=forgetting.counts(tx, known.person),
        named_elsewhere=elsewhere,
        to_look_at=tuple(_places(_of_others(tx, known, hits), theirs)),
        held=tuple(hold.reason for customer in known.person.customers for hold in holds.of(tx, customer)),
    )


def _of_others(tx: Transaction, known: Known, hits: Sequence[Hit]) -> list[Hit]:
    own = forgetting.own_rows(tx, known.person)
    return [hit for hit in hits if hit.key not in own.get(hit.table, frozenset())]


def begin(store: Store, asked: str, *, by: str, reason: str, now: datetime) -> Erasure:
    """Takes out what is theirs, or finds the erasure that was interrupted.

    Raises NotFound, AlreadyDone for whoever was erased before, Mistake while a hold stands or an answer is on its way.
    """
    with store.write() as tx:
        links.alone(tx)
        if interrupted := erasures.unfinished(tx, asked):
            return interrupted[0]
        try:
            known = persons.find(tx, asked)
        except NotFound:
            if before := erasures.last_called(tx, asked):
                raise AlreadyDone(f"{asked} was erased on {before.begun_at:%Y-%m-%d}; nothing is left.") from None
            raise
        for customer in known.person.customers:
            for hold in holds.of(tx, customer):
                raise Mistake(
                    f"{asked} must be kept since {hold.at:%Y-%m-%d} ({hold.by}: {hold.reason}); once that is over: "
                    f"escucha customer release {asked} --reason …"
                )
        return begin_with(tx, known, asked, by=by, reason=reason, now=now)


def begin_with(tx: Transaction, known: Known, called: str, *, by: str, reason: str, now: datetime) -> Erasure:
    """The same for somebody who was found, or for several together; `called` is how they are asked for again."""
    forgetting.hold_still(tx, known.person)
    found = persons.marks_of(tx, known.person)
    erasure = erasures.begin(
        tx,
        called,
        person=persons.as_json(known.person),
        marks=marks.as_json(found),
        notes=_beyond(tx, known),
        by=by,
        reason=Marks(found).masked(reason),
        now=now,
    )
    forgetting.forget(tx, erasure, known.person, known.told, now)
    return erasure


def _beyond(tx: Transaction, known: Known) -> list[str]:
    """What an erasure here does not reach, in a sentence each."""
    notes = [
        f"The CRM {system} keeps its own record of them: erase it there as well."
        for system in forgetting.systems(tx, known.person)
    ]
    if learned := forgetting.learned(tx, known.person):
        notes.append(
            f"What was learned from {learned} of their posts stays, as sums of numbers, until the next "
            "`escucha model train`."
        )
    if forgetting.left_alone(tx, known.person):
        notes.append("They had asked not to be answered: that wish is forgotten with them.")
    return notes


def finish(store: Store, erasure: Erasure, *, files: Iterable[Path], now: datetime) -> Proof:
    """Masks what others' rows say of them, overwrites old bytes, and searches everything once more.

    Raises Mistake where what names them is written faster than it is masked.
    """
    sought = Marks(marks.from_json(erasure.marks))
    done, masked = _mask(store, erasure, sought, now) if erasure.marks else (Search(hits=[]), 0)
    theirs = searching.shared(done.hits)
    counted: dict[str, Any] = {
        "sought": len(sought.all),
        "tables": done.tables,
        "rows": done.rows,
        "characters": done.characters,
        "masked": masked,
        "said_by_others": len(theirs),
    }
    counted |= erasure.proof  # an erasure whose search was done before it was interrupted knows what it found
    said = counted.pop("notes", [])
    with store.write() as tx:
        erasures.searched(tx, erasure, counted | {"notes": said})
    notes = [*said, *_overwritten(store)]
    told = {mark for hit in done.hits for found in hit.found.values() for mark in found}
    files_read, left = _bytes(store, Marks(set(sought.all) - theirs), told, files)
    with store.read() as tx:
        entries = auditing.listing(tx, action=BACKUP, until=erasure.begun_at, limit=1000)
    backups = [Place(where=str(entry.detail.get("file", "")), what=f"{entry.at:%Y-%m-%d}") for entry in entries]
    left = [*_places(done.hits, theirs), *left]
    with store.write() as tx:
        erasures.finish(tx, erasure, proof=counted | {"files": len(files_read), "left": len(left)}, now=now)
    return Proof(
        erasure=erasure.id,
        **counted,
        files=tuple(map(str, files_read)),
        left=tuple(left),
        backups=tuple(backups),
        notes=tuple(notes),
    )


def _mask(store: Store, erasure: Erasure, sought: Marks, now: datetime) -> tuple[Search, int]:
    """Masks until a search finds nothing to mask; gives that search, and how many rows were masked."""
    masked: set[tuple[str, tuple[Any, ...]]] = set()
    for _ in range(ROUNDS):
        with store.read() as tx:
            done = searching.search(tx, sought)
        theirs = searching.shared(done.hits)
        to_mask = [hit for hit in done.hits if searching.masks(hit, theirs)]
        if not to_mask:
            return done, len(masked)
        for some in searching.batches(to_mask):
            with store.write() as tx:
                searching.mask(tx, some, theirs, erasure, now)
        masked |= {(hit.table, hit.key) for hit in to_mask}
    raise Mistake("What names the person is written faster than it is masked; stop `escucha run` and do it again.")


def _overwritten(store: Store) -> list[str]:
    """Overwrites what was deleted; says what of it only time or somebody else can do."""
    if not store.is_sqlite:
        return ["PostgreSQL overwrites deleted rows when it vacuums, and keeps logs and archives of its own."]
    if not store.checkpoint():
        return ["Somebody reads the database; its -wal file is emptied when they stop."]
    return []


def _places(hits: Iterable[Hit], theirs: frozenset[Mark]) -> list[Place]:
    """Where a person must look: columns of our own words. Says what kind of thing stands there, not which."""
    places = []
    for hit in hits:
        for name, found in searching.stays(hit, theirs).items():
            kinds = ", ".join(sorted({mark.kind.value for mark in found}))
            places.append(Place(where=f"{hit.table} {'/'.join(map(str, hit.key))}, {name}", what=kinds))
    return places


# --- files ---


def _bytes(
    store: Store, sought: Marks, told: Collection[Mark], files: Iterable[Path]
) -> tuple[list[Path], list[Place]]:
    """Which files were looked through, and which still hold something. The database's is written anew if it does.

    `told`: what stands in rows that are not theirs, or that a person must look at; of course the file holds that.
    """
    looked_at: list[Path] = []
    left: list[Place] = []
    all_of_it = _InBytes(sought.all)
    rest = _InBytes(mark for mark in sought.all if mark not in told)
    own = _files_of(store)
    if any(rest.within(path) for path in own) or not sought.all:
        store.rewrite()
        store.checkpoint()
        own = _files_of(store)
    for path in dict.fromkeys([*own, *files]):
        try:
            found = (rest if path in own else all_of_it).within(path)
        except OSError as error:
            left.append(Place(where=str(path), what=f"not looked at ({error.strerror})"))
            continue
        looked_at.append(path)
        if found:
            left.append(Place(where=str(path), what=", ".join(sorted(found))))
    return looked_at, left


class _InBytes:
    """Marks as they stand in a file, whatever its format: those that are long enough to be no chance."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        telling = {mark.needle.encode().decode("latin-1"): mark for mark in marks if len(mark.needle) >= TELLING}
        self._kinds = {needle: mark.kind.value for needle, mark in telling.items()}
        self._needles = Needles(telling)

    def within(self, path: Path) -> set[str]:
        """The kinds of those that stand in the file."""
        found: set[str] = set()
        with path.open("rb") as file:
            before = b""
            while chunk := file.read(CHUNK):
                hits = self._needles.found((before + chunk).decode("latin-1"))
                found |= {self._kinds[each] for each in hits}
                before = chunk[-OVERLAP:]
        return found


def _files_of(store: Store) -> list[Path]:
    path = store.path
    beside = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")] if path else []
    return [each for each in beside if each.is_file()]
