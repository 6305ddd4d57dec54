"""How each of the two databases is reached: what every connection to it is told before anything else."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from listener.errors import Mistake

BUSY_SECONDS = 30  # how long a writer waits for another one on SQLite
_ASK_AGAIN_SECONDS = 0.002  # how long it lets pass between two questions
CONNECTIONS = 20  # of one process to PostgreSQL, at most
KEPT_OPEN = 5  # of them, while nobody needs them
WAIT_SECONDS = 30  # for one of our own connections to become free

# A server, a network or a machine that went away without a word is noticed after a minute, on both sides: until then
# the locks of whoever died are held. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_ASKED = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # ms
    "fallback_application_name": "escucha",
    "client_encoding": "utf8",
}
_TOLD = {
    "TimeZone": "UTC",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "idle_in_transaction_session_timeout": "600000",  # 10 min: who hangs in mid-transaction keeps its locks no longer
}


def _from_json(text: str) -> Any:
    """What `json.loads` gives, sooner."""
    try:
        return from_json(text)
    except ValueError:  # half a character, which only Python's own reader takes
        return json.loads(text)


def as_json(value: Any) -> str:
    """What `json.dumps` gives, sooner, with no more signs than it takes."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:  # half a character, which UTF-8 has no bytes for; or what is no JSON
        return json.dumps(value)


def sqlite(address: URL) -> Engine:
    """Raises Mistake for an address that names no file, or one in a folder that is not there."""
    if not address.database or address.database == ":memory:":
        raise Mistake("database.url must name a file, such as sqlite:///escucha.db.")
    folder = Path(address.database).resolve().parent
    if not folder.is_dir():
        raise Mistake(f"database.url points into {folder}, which does not exist: make it, or choose another place.")
    waiting = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(
        address,
        connect_args=waiting,
        pool_use_lifo=True,  # few connections do the work, and remember pages and statements; the others hold little
        json_serializer=as_json,
        json_deserializer=_from_json,
    )

    @event.listens_for(engine, "connect")
    def prepare(link: Any, _record: Any) -> None:
        link.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # `sending` must survive a power cut, or a reply could go out twice
            "foreign_keys=ON",
            "secure_delete=ON",  # deleted is deleted, in the file too
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "cache_size=-8000",  # KiB: what a batch writes stays in memory until its commit
        ):
            link.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(link: Connection) -> None:
        if link.get_execution_options().get("escucha_write"):
            _begin_writing(link)
        else:
            link.exec_driver_sql("BEGIN")

    return engine


def _begin_writing(link: Connection) -> None:
    """BEGIN IMMEDIATE as soon as nobody else writes, for `BUSY_SECONDS` at most.

    SQLite has no queue of writers: each asks again after a while, the longest waiting only ten times a second, and may
    never find the moment beside one that hardly pauses between its transactions (https://www.sqlite.org/c3ref/busy_timeout.html).
    So we ask every few milliseconds.
    """
    until = time.monotonic() + BUSY_SECONDS
    link.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                link.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
                if code != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                    raise
            time.sleep(_ASK_AGAIN_SECONDS)
    finally:
        link.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def postgresql(address: URL, *, connections: int = CONNECTIONS) -> Engine:
    """With a pool of at most `connections`, each looked at before it is used again, so that a restarted server or one
    that took over costs nobody more than the transaction that it cut. What the address itself says goes before ours.
    """
    engine = create_engine(
        address,
        connect_args={name: value for name, value in _ASKED.items() if name not in address.query},
        pool_pre_ping=True,
        pool_use_lifo=True,  # few connections do the work, and have their statements prepared
        pool_size=min(KEPT_OPEN, connections),
        max_overflow=max(0, connections - KEPT_OPEN),
        pool_timeout=WAIT_SECONDS,
        json_serializer=as_json,
        execution_options={"preserve_rowcount": True},
    )

    @event.listens_for(engine, "connect")
    def prepare(link: Any, _record: Any) -> None:
        told = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _TOLD.items())
        before, link.autocommit = link.autocommit, True
        link.execute(f"SELECT {told}")
        link.autocommit = before

    return engine
