"""The database: opened here, described in `tables.py`, read and written by one file per entity.

A `Store` gives transactions; every function beside this file takes one as its first argument:

    with store.write() as tx:
        mentions.save(tx, ...)
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import filelock
from sqlalchemy import Connection, Engine, Table, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from listener.errors import Away, Crossed, Mistake, Outage
from listener.store import engines
from listener.types import DATABASE_SECRETS

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    from listener.store.numbers import Stock
    from listener.store.sight import Sight

Transaction = Connection

COPYING, MOVED = "copying", "moved"  # instead of a step: a copy that is not whole yet; a database that is one no more
SCHEMA = "0001"  # the newest step in migrations/; a test keeps this true
STEP = "SELECT version_num FROM alembic_version"
LOOK_AGAIN = 3.0  # seconds for which whoever writes relies on the tables being those that it knows
UPGRADE_TRIES = 10  # of an upgrade that meets a table in use (PostgreSQL)
UPGRADE_PAUSE = 2.0  # seconds between them, in which those who waited behind it have their turn
ROOM = 200 * 1024**2  # bytes that should be free beside an SQLite file
FOREIGN = "The database was made by another version of Escucha"
FOREIGN_STEP = "use the version that made it, or begin with a new database (back this one up first)"
GATE = crc32(b"escucha claims")  # the advisory lock that every claim shares (PostgreSQL)
GATE_SECONDS = 5.0  # for so long whoever changes what may be claimed waits for a claim (PostgreSQL)


class Store:
    """One database. Safe to share between threads; each transaction belongs to one."""

    def __init__(self, engine: Engine, url: URL) -> None:
        self._engine = engine
        self.url = url
        self.users: Mapping[str, str] = {}  # whose the name on this machine is other than the one they act under
        self.crms: Mapping[str, Collection[str]] = {}  # which CRM is told of what: "cases", "customers"
        self.sight: Sight | None = None  # what whoever acts may see of cases; None: all
        self.admits: Callable[[Transaction], None] | None = None  # raises where whoever acts may no longer write
        self.country = ""  # two letters: where phone numbers without a country code are dialled
        self._places: dict[str, Connection] = {}  # by account: what keeps us its sole sender (PostgreSQL)
        self.audit_key = b""  # what the audit log is sealed with; "" for no key
        self.carries: Callable[[Transaction, Sequence[int]], None] | None = None  # see `carry`
        self.numbers: Stock | None = None  # where the numbers of cases come from; None: counted in the transaction
        self._fitted = time.monotonic()  # when the tables were last known to be such that this version may write

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The database file, None where there is none."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @property
    def mark(self) -> str:
        """Eight letters by which the databases of one machine are told apart; nothing of the address is in them."""
        where = str(self.path.resolve()) if self.path else named(self.url)
        return sha256(where.encode()).hexdigest()[:8]

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent view: what others commit meanwhile is not in it.

        Raises Outage when the database does not answer.
        """
        options: dict[str, Any] = {"escucha_sight": self.sight, "escucha_country": self.country}
        if not self.is_sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _outages(self.url), self._engine.connect().execution_options(**options) as tx:
            yield tx
            tx.rollback()

    @contextmanager
    def write(self, *, leaving: bool = False) -> Iterator[Transaction]:
        """All or nothing: committed at the end, rolled back on any error.

        On SQLite the write lock is taken at the start, so that what was read stays true until the commit. What goes
        into the audit log is chained last. Raises Outage when the database does not answer, is full or read-only;
        Mistake for who may no longer write; LeftBehind where the tables are too new for this version by now, except
        for what is given back while `leaving`.
        """
        from listener.store import chain, upgrading
        from listener.store.numbers import Pocket

        pocket = Pocket(self.numbers) if self.numbers else None
        options = {
            "escucha_numbers": pocket,
            "escucha_users": self.users,
            "escucha_sight": self.sight,
            "escucha_country": self.country,
            "escucha_crms": self.crms,
            "escucha_audit": chain.Pending(key=self.audit_key),
        }
        with (
            _outages(self.url),
            self._engine.connect().execution_options(escucha_write=True, **options) as tx,
            tx.begin(),
        ):
            try:
                if not leaving and time.monotonic() - self._fitted > LOOK_AGAIN:
                    upgrading.demand_that_we_fit(tx)
                    self._fitted = time.monotonic()
                if self.admits:
                    self.admits(tx)
                yield tx
                chain.seal(tx)
            finally:
                if pocket:
                    pocket.empty()

    def carry(self, tx: Transaction, mention_ids: Sequence[int]) -> None:
        """Sees to it, in the transaction that stores these mentions, that they are read and decided after its commit.

        With one process nothing needs to be done: it looks for what is new by itself.
        """
        if self.carries and mention_ids:
            self.carries(tx, mention_ids)

    @contextmanager
    def sole_sender(self, account: str, *, wait: float = 0) -> Iterator[bool]:
        """Whether we are the only process that sends on `account`, true until the block ends.

        The operating system (SQLite) or the server (PostgreSQL) frees it when its holder dies, however it dies: whoever
        holds it may therefore treat every row of that account that says `sending` as abandoned.
        Waits up to `wait` seconds for another holder.
        """
        if self.is_sqlite:
            path = self.path
            name = f"{path.name if path else 'memory'}.{account}.sender"
            lock_path = path.with_name(name) if path else Path(os.devnull)
            lock = filelock.FileLock(lock_path, timeout=wait, thread_local=False)
            try:
                lock.acquire(poll_interval=0.02)
            except filelock.Timeout:
                yield False
                return
            except OSError as error:
                raise Outage(
                    f"{lock_path} cannot be locked ({error.strerror}), so nothing is sent: let the user who runs "
                    "Escucha write it, or delete it."
                ) from error
            try:
                yield True
            finally:
                lock.release()
            return
        number = sender_lock(account)
        with _outages(self.url), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as link:
            mine = _take(link, number, wait)
            if mine:
                self._places[account] = link
            try:
                yield mine
            finally:
                if mine:
                    del self._places[account]
                    link.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": number})

    def keeps_its_place(self, account: str) -> bool:
        """Whether we, as the account's sole sender, still are it: on PostgreSQL a lost connection takes that away."""
        link = self._places.get(account)
        if link is None:
            return self.is_sqlite
        try:
            return not link.invalidated and bool(link.scalar(text("SELECT 1")))
        except DBAPIError:
            return False

    @contextmanager
    def alone(self, number: int) -> Iterator[bool]:
        """Whether the advisory lock of that number is ours until the block ends (PostgreSQL)."""
        with _outages(self.url), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as link:
            mine = _take(link, number, 0)
            try:
                yield mine
            finally:
                if mine:
                    link.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": number})

    def claims_underway(self) -> frozenset[str]:
        """The transactions, by the server's names for them, that are claiming something to be sent at this moment.

        After a commit each of them may still have read what was before it; one that is not among them has not.
        On SQLite none: a commit waits until nobody else writes.
        """
        if self.is_sqlite:
            return frozenset()
        query = (
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND ((classid::bigint << 32) | objid::bigint) = :n"
        )
        with self.read() as tx:
            return frozenset(tx.scalars(text(query), {"n": GATE}))

    def schema(self) -> str | None:
        """The newest migration this database has seen; None when it is empty, or not there yet."""
        if self.path and not self.path.exists():
            return None
        with _outages(self.url), self._engine.connect() as link:
            try:
                return cast("str | None", link.scalar(text(STEP)))
            except DBAPIError as error:
                if _LACKS.search(str(error.orig)):
                    return None
                raise

    def upgrade(self) -> None:
        """Brings the tables up to this version of Escucha, step by step; does nothing where they are.

        Others go on meanwhile. Raises Mistake where a process runs that could not go on afterwards, or for tables of no
        version that can be upgraded; Outage where a table is never free. What is left is done by the next.
        """
        from listener.store import upgrading

        self._make_file()
        for tries_left in reversed(range(UPGRADE_TRIES)):
            try:
                with _outages(self.url), self._engine.connect().execution_options(escucha_write=True) as link:
                    upgrading.upgrade(link)
                return
            except Crossed as error:
                if not tries_left:
                    raise Outage(
                        f"A table was in use whenever it was to be changed ({error}): run `escucha db upgrade` again "
                        "in a quieter moment. Until then everything goes on as before."
                    ) from error
            time.sleep(UPGRADE_PAUSE)

    def misfit(self) -> str:
        """The encoding of a PostgreSQL database that cannot hold what people write; empty where it can."""
        if self.is_sqlite:
            return ""
        with _outages(self.url), self._engine.connect() as link:
            encoding = str(link.scalar(text("SHOW server_encoding")))
        return "" if encoding == "UTF8" else encoding

    def fits(self) -> bool:
        """Whether this program may work on the tables: they are of its step, or of a later one that allows it."""
        from listener.store import upgrading

        step = self.schema()
        if step is None or step in ELSEWHERE or step < SCHEMA:
            return False
        with self.read() as tx:
            return upgrading.standing(tx).works_with <= SCHEMA

    def _make_file(self) -> None:
        """The SQLite file, readable for us alone from its first moment; whoever may not make it hears so on opening."""
        if self.path and not self.path.exists():
            with suppress(OSError):
                _make_private(self.path)

    def unfit(self) -> str:
        """Why this version does not work with the tables, and what to do, in a sentence."""
        from listener.store import transfer_source

        step = self.schema()
        if step == MOVED:
            with self.read() as tx:
                to = transfer_source.order(tx)
            if to is not None:
                return _moved(f"to {to.target}", "that")
        return unfit(step)

    def problems(self) -> list[str]:
        """What is wrong with the database, one sentence each; empty when all is well. Reads only."""
        found = []
        if encoding := self.misfit():
            found.append(f"The database writes {encoding}, not UTF8: {NEW_DATABASE}.")
        if not self.fits():
            found.append(self.unfit())
        elif lacks := self._foreign():
            found.append(f"{FOREIGN} (it has {lacks}): {FOREIGN_STEP}.")
        if self.is_sqlite:
            with self.read() as tx:
                verdict = tx.scalar(text("PRAGMA quick_check"))
                if verdict != "ok":
                    found.append(f"SQLite finds damage ({verdict}): restore the newest backup.")
                broken = tx.execute(text("PRAGMA foreign_key_check")).fetchall()
                if broken:
                    found.append(f"{len(broken)} rows point at rows that are gone: restore the newest backup.")
        if not found:
            from listener.store import incident_checks, rebuilding

            with self.read() as tx:
                found += rebuilding.differences(tx, limit=20)
                found += incident_checks.differences(tx, limit=20)
        if room := self.short_of_room():
            found.append(room)
        return found

    def short_of_room(self) -> str | None:
        """That the disk is nearly full, or full, beside an SQLite file; None where there is room."""
        if self.path is None or shutil.disk_usage(self.path.resolve().parent).free >= ROOM:
            return None
        return f"Less than 200 MB are free beside {self.path}: make room, for on a full disk nothing is heard or sent."

    def _foreign(self) -> str | None:
        """What the tables lack that this version writes, although their step is ours; None where nothing."""
        from listener.store import tables

        with _outages(self.url), self._engine.connect() as link:
            there = inspect(link)
            names = set(there.get_table_names())
            for table in tables.metadata.sorted_tables:
                if table.name not in names:
                    return f"no table {table.name}"
                known = {column["name"] for column in there.get_columns(table.name)}
                for column in table.columns:
                    if column.name not in known:
                        return f"no column {column.name} in {table.name}"
        return None

    def backup(self, target: Path) -> None:
        """A consistent copy while others go on writing; `target` must not exist.

        Raises Mistake where the copy cannot be made this way.
        """
        if not self.is_sqlite or not self.path:
            raise Mistake(
                "`db backup` copies SQLite files; for PostgreSQL it is `pg_dump -Fc -f escucha.dump escucha`, see "
                "docs/operations.md."
            )
        from listener.store import lives

        if target.exists():
            raise Mistake(f"{target} exists already; choose another name.")
        half = target.with_name(target.name + ".part")
        try:
            half.unlink(missing_ok=True)
            _make_private(half, os.O_EXCL | os.O_NOFOLLOW)
        except OSError as error:
            raise Outage(f"No backup was made: {error}.") from error
        try:
            source = sqlite3.connect(self.path)
            copy = sqlite3.connect(half)
            try:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
                lives.mark_copy(copy)
                verdict = copy.execute("PRAGMA quick_check").fetchone()[0]
            finally:
                copy.close()
                source.close()
            if verdict != "ok":
                raise Outage(f"The copy of {self.path} is damaged ({verdict}); nothing was written to {target}.")
            half.replace(target)
        except (sqlite3.Error, OSError) as error:
            raise Outage(f"No backup was made: {error}.") from error
        finally:
            half.unlink(missing_ok=True)

    def checkpoint(self) -> bool:
        """Moves what was written into the SQLite file and empties the one beside it; whether nobody was in the way.

        What was deleted is overwritten there (`secure_delete`). True where there is no such file.
        """
        return not self._alone("PRAGMA wal_checkpoint(TRUNCATE)")

    def rewrite(self) -> None:
        """Writes the SQLite file anew, without anything that is no row any more; takes as long as copying it."""
        self._alone("VACUUM")

    def _alone(self, statement: str) -> Any:
        """Runs what cannot be part of a transaction, on SQLite; gives the first value of its answer, None for none."""
        if not self.path:
            return None
        with _outages(self.url), closing(sqlite3.connect(self.path, timeout=engines.BUSY_SECONDS)) as link:
            try:
                found = link.execute(statement).fetchone()
            except sqlite3.Error as error:
                raise Outage(f"{self.path} cannot be tidied up: {error}.") from error
        return found[0] if found else None

    def close(self) -> None:
        """Gives every connection back."""
        self._engine.dispose()


def sender_lock(account: str) -> int:
    """The number of the advisory lock that the account's sole sender holds (PostgreSQL)."""
    return crc32(f"escucha sender {account}".encode())


def _take(link: Connection, number: int, wait: float) -> bool:
    """Whether that advisory lock is ours now (PostgreSQL), after waiting up to `wait` seconds for another holder."""
    if not wait:
        return bool(link.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": number}))
    link.execute(text(f"SET lock_timeout = {max(1, int(wait * 1000))}"))  # 0 would mean for ever
    try:
        link.execute(text("SELECT pg_advisory_lock(:n)"), {"n": number})
    except DBAPIError as error:
        if "lock timeout" not in str(error.orig):
            raise
        return False
    finally:
        link.execute(text("RESET lock_timeout"))  # the connection goes back to the pool, for others
    return True


def enter_gate(tx: Transaction) -> None:
    """Lets others see, until `tx` ends, that something is being claimed in it (see `Store.claims_underway`).

    Nobody waits for anybody. On SQLite there is nothing to do: whoever writes is alone.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock_shared(:n)"), {"n": GATE})


def close_gate(tx: Transaction) -> None:
    """Waits until nothing is being claimed, and lets nothing be claimed until `tx` ends: what it changes holds for
    every claim that ends after it.

    A claim takes milliseconds. One that does not end within `GATE_SECONDS` belongs to a process that is suspended;
    nobody waits for it any longer. On SQLite whoever writes is alone.
    """
    if tx.dialect.name != "postgresql":
        return
    ends = time.monotonic() + GATE_SECONDS
    while not tx.scalar(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": GATE}) and time.monotonic() < ends:
        time.sleep(0.01)


def upsert(tx: Transaction, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, for whichever database this is."""
    if tx.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # takes long to load, and who types a command on SQLite waits for it

        return postgresql.insert(table)
    return sqlite.insert(table)


def open(url: str, *, connections: int = engines.CONNECTIONS) -> Store:  # `store.open(url)` reads like what it does
    """The database at `url`, its tables made where it is empty.

    Raises Mistake for an address nobody understands or tables of another version, Outage when it cannot be reached.
    """
    store = connect(url, connections=connections)
    schema = store.schema()
    if schema is None:
        if encoding := store.misfit():
            store.close()
            raise Mistake(f"The database writes {encoding}, not UTF8, and people write more than that: {NEW_DATABASE}.")
        store.upgrade()
    elif schema != SCHEMA and not store.fits():
        why = store.unfit()
        store.close()
        raise Mistake(why)
    return store


NEW_DATABASE = "make one with `createdb -E UTF8 -T template0 NAME`, and set database.url to it"


def _moved(to: str, there: str) -> str:
    return (
        f"This database has moved {to} and takes nothing any more: set database.url to {there} "
        "(`escucha db copy --give-up` takes that back)."
    )


ELSEWHERE = {
    COPYING: "A copy into this database is not finished: `escucha db copy TARGET --finish` makes it whole.",
    MOVED: _moved("to PostgreSQL", "where it is now"),
}


def unfit(step: str | None) -> str:
    """Why this version does not work with tables of that step (None: there are none), and what to do, in a sentence."""
    if step in ELSEWHERE:
        return ELSEWHERE[step]
    if step is None:
        return "The database has no tables yet: run `escucha db upgrade`."
    older = step < SCHEMA
    age, do = (
        ("older", "run `escucha db upgrade`") if older else ("newer", "use the version of Escucha that upgraded it")
    )
    return f"The database's tables are {age} ({step}) than this version needs ({SCHEMA}): {do}."


def connect(url: str, *, connections: int = engines.CONNECTIONS) -> Store:
    """The database at `url`, whatever state its tables are in. Raises Mistake for an address nobody understands.

    `connections`: as many to PostgreSQL as this process may have at most.
    """
    try:
        if wrong := _mistyped(url):
            raise Mistake(f"database.url {wrong}.")
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            return Store(engines.sqlite(address), address)
        if address.get_backend_name() == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
            return Store(engines.postgresql(address, connections=connections), address)
    except ArgumentError as error:
        raise Mistake("database.url is not an address: write sqlite:///escucha.db or postgresql://…") from error
    except ValueError as error:
        raise Mistake("database.url has a port that is no number: write postgresql://user@host:5432/name.") from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise Mistake("PostgreSQL needs its driver: in Escucha's folder, pip install '.[postgres]'.") from error
    raise Mistake(
        f"database.url names {address.get_backend_name()}, and Escucha knows sqlite and postgresql: write "
        "sqlite:///escucha.db or postgresql://user@host/name."
    )


def _mistyped(url: str) -> str:
    """What is wrong with an address that would be taken for another one, and what to do; empty where nothing is.

    Never with words of it: what stands before an @ too many is the end of a password.
    """
    if "\0" in url:
        return "has a NUL character in it, which no name of a file or database has: take it out"
    if url.startswith("sqlite"):
        return ""
    # What stands behind an = is a value, which may hold an @; a password with an = has its host behind that.
    credentials, at, rest = url.partition("@")
    if "@" in rest.partition("=")[0] or "@" in rest.partition("?")[0]:
        return "has an @ too many: in a password write it as %40, or keep that in ~/.pgpass"
    host = rest if at else credentials.partition("://")[2]
    if host.startswith("[") and "]" not in host:
        return "has a [ that nothing closes: write postgresql://user@[::1]:5432/name"
    return ""


def _make_private(path: Path, flags: int = 0) -> None:
    """An empty file that only we can read; in a folder that hands its group down (setgid), the group too.

    SQLite gives the files beside a database the database's own permissions. `flags`: more of `os.open`'s.
    """
    shared = path.resolve().parent.stat().st_mode & stat.S_ISGID
    file = os.open(path, os.O_CREAT | os.O_WRONLY | flags, 0o600)
    try:
        os.fchmod(file, 0o660 if shared else 0o600)
    finally:
        os.close(file)


# SQLite's and PostgreSQL's words for a table or column that is not there.
_LACKS = re.compile(r"no such (table|column)|has no column named|(relation|column) .* does not exist")

_CROSSED = {"40P01", "40001", "55P03"}  # PostgreSQL's deadlock, failed serialization, and lock that took too long
GONE = ("08", "57P")  # PostgreSQL's lost connection, and a server that ends, begins or recovers
_FORBIDDEN = {"42501", "25006"}  # PostgreSQL's missing right, and a write to what only reads

_OWN = "let the user of database.url own the database and what is in it: ALTER DATABASE … OWNER TO …"
_WRITABLE = "database.url must name the server that takes writes, not a standby"

# What a person does about it, by SQLite's and PostgreSQL's words.
_STEPS = {
    "disk is full": "make room beside it",
    "readonly": "let the user who runs Escucha write the file and its folder",
    "unable to open": "let the user who runs Escucha write the file and its folder, on a disk that can be written",
    'FATAL:  database "': "make it with `createdb -E UTF8 -T template0 NAME`, or mend database.url",
    'FATAL:  role "': "make it with `createuser NAME`, or mend database.url",
    "disk I/O error": "look at the disk, and run `escucha db check`",
    "No space left on device": "make room on its machine",
    "failed to resolve host": "look at the host in database.url, or at this machine's network",
    "Connection refused": "start it, or mend database.url",
    "server closed the connection": "wait until it is back, or look at its log",
    "connection is bad: invalid": "mend database.url",
    "failed: No such file or directory": "start it, or mend database.url",  # a socket
    "timeout expired": "look whether its machine and the network between are up, or mend database.url",
    "the database system is": "wait until it has begun",
    "too many c": "raise its max_connections, or lower database.connections",
    "connection slots": "raise its max_connections, or lower database.connections",
    "password": "its password belongs into ~/.pgpass or PGPASSWORD",
    "permission denied": _OWN,
    "must be owner": _OWN,
    "read-only transaction": _WRITABLE,
    "session is read-only": _WRITABLE,
    "during recovery": _WRITABLE,
}


def named(url: URL) -> str:
    """Where a database is, as a person writes it, to be said or kept: without what is secret, wherever it stands."""
    said = {name: value for name, value in url.query.items() if name.lower() not in DATABASE_SECRETS}
    bare = URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database, said)
    return bare.render_as_string()


def _step(reason: str) -> str:
    return next((f" ({step})" for words, step in _STEPS.items() if words in reason), "")


def _is_away(error: DBAPIError, reason: str) -> bool:
    """Whether it is the server that is away (PostgreSQL), and not there and unwilling."""
    if isinstance(error.orig, sqlite3.Error):
        return False
    state = getattr(error.orig, "sqlstate", None)
    refused = "FATAL:" in reason and "the database system is" not in reason  # so it is there
    return error.connection_invalidated or (not refused if state is None else state.startswith(GONE))


@contextmanager
def _outages(url: URL) -> Iterator[None]:
    """Turns a database that does not do its part into one sentence."""
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        if _LACKS.search(reason):
            raise Outage(f"{FOREIGN} ({reason}): {FOREIGN_STEP}.") from error
        if "invalid connection option" in reason:
            raise Mistake(f"database.url asks PostgreSQL's client for what it does not know: {reason}.") from error
        if reason.startswith("bad value for connect_timeout"):
            raise Mistake(f"database.url asks PostgreSQL's client for what it cannot do: {reason}.") from error
        if getattr(error.orig, "sqlstate", None) in _CROSSED:
            raise Crossed(f"Two processes stood in each other's way in the database ({reason}): try again.") from error
        where = url.database if url.get_backend_name() == "sqlite" else named(url)
        forbidden = getattr(error.orig, "sqlstate", None) in _FORBIDDEN or "during recovery" in reason  # on a standby
        if forbidden or error.connection_invalidated or type(error).__name__ in {"OperationalError", "InterfaceError"}:
            if not forbidden and _is_away(error, reason):
                raise Away(f"The database {where} cannot be reached: {reason}{_step(reason)}.") from error
            raise Outage(f"The database {where} cannot be used: {reason}{_step(reason)}.") from error
        if type(error).__name__ == "DatabaseError":
            raise Outage(f"{where} is no usable database: {reason}.") from error
        raise
    except PoolTimeout as error:
        raise Outage("All of our connections to the database are in use: raise database.connections.") from error
