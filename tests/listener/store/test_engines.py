"""What a connection to PostgreSQL is told, how many there are, and what a reader sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from listener import store as stores
from listener.errors import Away, Outage
from listener.store import Store, engines, switch

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(postgres_url: str) -> Iterator[Store]:
    made = stores.open(postgres_url)
    yield made
    made.close()


def pause(store: Store, network: str) -> None:
    with store.write() as tx:
        switch.pause(tx, network=network, by="eva", reason="", now=datetime.now(UTC))


def test_a_reader_sees_one_moment_and_changes_nothing(opened: Store) -> None:
    with opened.read() as tx:
        assert switch.pauses(tx) == []
        pause(opened, "x")
        assert switch.pauses(tx) == [], "what was committed after the reader began"
    with opened.read() as tx:
        assert [each.network for each in switch.pauses(tx)] == ["x"]
        with pytest.raises(Exception, match="read-only transaction"):
            tx.execute(text("DELETE FROM pauses"))
    pause(opened, "y")  # the connection goes back to the pool as it was


def test_every_connection_is_told_when_to_give_up(opened: Store) -> None:
    with opened.write() as tx:
        told = {name: tx.scalar(text(f"SHOW {name}")) for name in ("TimeZone", "idle_in_transaction_session_timeout")}
        assert told == {"TimeZone": "UTC", "idle_in_transaction_session_timeout": "10min"}
        assert tx.scalar(text("SHOW application_name")) == "escucha"
        given = tx.connection.driver_connection.info.get_parameters()
    assert {name: given[name] for name in ("connect_timeout", "keepalives_idle", "tcp_user_timeout")} == {
        "connect_timeout": "10",
        "keepalives_idle": "30",
        "tcp_user_timeout": "60000",
    }


def test_what_the_address_says_goes_before_ours(postgres_url: str) -> None:
    made = stores.connect(f"{postgres_url}&connect_timeout=3&application_name=care")
    with made.read() as tx:
        assert tx.connection.driver_connection.info.get_parameters()["connect_timeout"] == "3"
        assert tx.scalar(text("SHOW application_name")) == "care"
    made.close()


def test_an_address_may_name_several_servers(postgres_url: str) -> None:
    """The first that takes writes is used: how a server that took over is found."""
    folder = postgres_url.partition("host=")[2]
    made = stores.connect(
        f"{postgres_url.partition('?')[0]}?host=/nowhere:5432&host={folder}:5432&target_session_attrs=read-write"
    )
    assert made.schema() == stores.SCHEMA
    made.close()


def test_no_process_takes_more_connections_than_it_may(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "WAIT_SECONDS", 0.2)
    made = stores.connect(postgres_url, connections=4)
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(made.read())
        with pytest.raises(Outage, match=r"raise database\.connections"), made.read():
            pass
    made.close()


def test_a_server_that_is_away_is_told_from_one_that_refuses(postgres_url: str) -> None:
    """One cause has many words: nobody answers, or it cut us off; a wrong name is another cause."""

    def asked(url: str) -> type[Outage]:
        made = stores.connect(url)
        with pytest.raises(Outage) as told, made.read():
            pass
        made.close()
        return told.type

    assert asked("postgresql://escucha@127.0.0.1:1/escucha") is Away
    assert asked("postgresql://escucha@/escucha?host=/nowhere") is Away
    folder = postgres_url.partition("?")[2]
    assert asked(f"postgresql://escucha@/nothing?{folder}") is Outage
    assert asked(f"postgresql://nobody@/escucha?{folder}") is Outage


def test_who_is_cut_off_in_mid_transaction_hears_that_it_is_away(opened: Store) -> None:
    def goes_on() -> None:
        with opened.write() as tx:
            number = tx.scalar(text("SELECT pg_backend_pid()"))
            with opened.write() as other:
                other.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})
            tx.execute(text("SELECT 1"))

    with pytest.raises(Away):
        goes_on()
