"""The audit log shows what was done to it: each kind of tampering, by plain SQL, is found and named."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from listener import store as stores
from listener.errors import Mistake
from listener.store import Store, audit, auditing, chain, verifying
from listener.store.verifying import Tampering
from tests import databases

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
KEY = b"a key that nobody else has"
KEYS = {chain.key_name(KEY): KEY}
ONLY_SQLITE_TAKES_IT = pytest.mark.about_sqlite  # PostgreSQL lets no nonsense into such a column


def write(store: Store, count: int, *, by: str = "ana", action: str = "case.note") -> None:
    with store.write() as tx:
        for number in range(count):
            at = NOW + timedelta(microseconds=number)
            audit.record(tx, at=at, by=by, action=action, subject=f"case {number}", reason=f"ñ {number}", n=1.5)


def sql(store: Store, *statements: str) -> None:
    with store.write() as tx:
        for statement in statements:
            tx.execute(text(statement))


def verdict(store: Store, *, keys: dict[str, bytes] | None = None, anchor: verifying.Anchor | None = None) -> Any:
    with store.read() as tx:
        return verifying.verify(tx, keys=keys or {}, expected=anchor)


def head(store: Store) -> verifying.Anchor:
    with store.read() as tx:
        return verifying.head(tx)


COLUMNS = "at, by, action, subject, detail, salt, digest, key, hash"
CONTENT = ("at", '"by"', "action", "subject", "detail", "salt")


def exchange(store: Store, one: int, other: int, *, columns: tuple[str, ...] | None = None) -> None:
    """The two entries change places; with `columns` only those do."""
    if columns is None:
        ids = "UPDATE audit SET id = {to} WHERE id = {of}"
        sql(store, ids.format(to=-1, of=one), ids.format(to=one, of=other), ids.format(to=other, of=-1))
        return
    with store.write() as tx:
        rows = {
            number: tx.execute(text(f"SELECT {', '.join(columns)} FROM audit WHERE id = {number}")).one()
            for number in (one, other)
        }
        for to, of in ((one, other), (other, one)):
            values = {f"v{index}": value for index, value in enumerate(rows[of])}
            sets = ", ".join(f"{column} = :v{index}" for index, column in enumerate(columns))
            if tx.dialect.name == "postgresql":
                sets = sets.replace("detail = :v4", "detail = CAST(:v4 AS json)")
                values["v4"] = json.dumps(values["v4"])
            tx.execute(text(f"UPDATE audit SET {sets} WHERE id = {to}"), values)


def removed_and_closed_up(store: Store) -> None:
    sql(store, "DELETE FROM audit WHERE id = 5")
    for number in range(6, 13):
        sql(store, f"UPDATE audit SET id = {number - 1} WHERE id = {number}")


def inserted_in_the_middle(store: Store) -> None:
    for number in range(12, 4, -1):
        sql(store, f"UPDATE audit SET id = {number + 1} WHERE id = {number}")
    sql(store, f"INSERT INTO audit (id, {_quoted(COLUMNS)}) SELECT 5, {_quoted(COLUMNS)} FROM audit WHERE id = 2")
    sql(store, "UPDATE audit SET subject = 'case 99' WHERE id = 5", "UPDATE audit_head SET last = 13")


def _quoted(columns: str) -> str:
    return columns.replace("by", '"by"')


def added_at_the_end(store: Store) -> None:
    sql(store, f"INSERT INTO audit (id, {_quoted(COLUMNS)}) SELECT 13, {_quoted(COLUMNS)} FROM audit WHERE id = 2")


TAMPERINGS: dict[str, tuple[Callable[[Store], None], Tampering, int]] = {
    "who": (lambda store: sql(store, """UPDATE audit SET "by" = 'eva' WHERE id = 5"""), Tampering.CHANGED, 5),
    "when": (
        lambda store: sql(store, "UPDATE audit SET at = '2026-03-04 17:31:00' WHERE id = 5"),
        Tampering.CHANGED,
        5,
    ),
    "what": (lambda store: sql(store, "UPDATE audit SET action = 'case.open' WHERE id = 1"), Tampering.CHANGED, 1),
    "to what": (lambda store: sql(store, "UPDATE audit SET subject = 'case 7' WHERE id = 12"), Tampering.CHANGED, 12),
    "detail": (lambda store: sql(store, "UPDATE audit SET detail = '{}' WHERE id = 5"), Tampering.CHANGED, 5),
    "the hash alone": (lambda store: sql(store, "UPDATE audit SET hash = 'x' WHERE id = 5"), Tampering.CHANGED, 5),
    "removed": (lambda store: sql(store, "DELETE FROM audit WHERE id = 5"), Tampering.REMOVED, 5),
    "three removed": (lambda store: sql(store, "DELETE FROM audit WHERE id IN (5, 6, 7)"), Tampering.REMOVED, 5),
    "removed, closed up": (removed_and_closed_up, Tampering.REMOVED, 5),
    "the first removed": (lambda store: sql(store, "DELETE FROM audit WHERE id < 4"), Tampering.REMOVED, 1),
    "inserted": (inserted_in_the_middle, Tampering.INSERTED, 5),
    "added": (added_at_the_end, Tampering.INSERTED, 13),
    "neighbours moved": (lambda store: exchange(store, 5, 6), Tampering.REORDERED, 5),
    "moved": (lambda store: exchange(store, 5, 9), Tampering.REORDERED, 5),
    "words moved": (lambda store: exchange(store, 5, 9, columns=CONTENT), Tampering.REORDERED, 5),
    "the end cut off": (lambda store: sql(store, "DELETE FROM audit WHERE id > 9"), Tampering.TRUNCATED, 10),
    "all gone": (lambda store: sql(store, "DELETE FROM audit"), Tampering.REMOVED, 1),
    "emptied": (
        lambda store: sql(store, "UPDATE audit SET salt = '', subject = '', detail = '{}' WHERE id = 5"),
        Tampering.CHANGED,
        5,
    ),
}


@pytest.mark.parametrize("key", [b"", KEY], ids=["without key", "with key"])
@pytest.mark.parametrize(("tamper", "kind", "number"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_found_and_named(
    store: Store, tamper: Callable[[Store], None], kind: Tampering, number: int, key: bytes
) -> None:
    store.audit_key = key
    write(store, 12)
    assert verdict(store, keys=KEYS).fault is None
    tamper(store)
    found = verdict(store, keys=KEYS)
    assert found.fault is not None
    assert (found.fault.kind, found.fault.number) == (kind, number), found.fault.text
    assert found.checked == (number - 1 if kind is not Tampering.REMOVED or number > 1 else 0)


@pytest.mark.parametrize(
    "said",
    [
        "salt = 'zz'",
        "salt = 'zz', hash = ''",
        "salt = 'ñ'",
        pytest.param("detail = 'nix'", marks=ONLY_SQLITE_TAKES_IT),
        "detail = '[]'",
        "detail = 'null'",
        pytest.param("at = 'nix'", marks=ONLY_SQLITE_TAKES_IT),
        "\"by\" = x'ff00'",
        "subject = x'ff'",
    ],
)
def test_what_is_no_entry_any_more_is_named_and_not_stumbled_over(tmp_path: Path, said: str) -> None:
    """SQLite keeps anything in any column; whoever writes nonsense must not make the proof end in a traceback."""
    opened = stores.open(databases.at(tmp_path))
    write(opened, 5)
    sql(opened, f"UPDATE audit SET {said} WHERE id = 3")
    found = verdict(opened).fault
    assert (found.number, found.kind) == (3, Tampering.CHANGED)
    opened.close()


def test_an_entry_under_a_key_that_is_not_here_must_say_what_was_erased(tmp_path: Path) -> None:
    opened = stores.open(databases.at(tmp_path))
    opened.audit_key = KEY
    write(opened, 3)
    sql(opened, "UPDATE audit SET action = 'audit.emptied' WHERE id = 2")
    found = verdict(opened).fault
    assert (found.number, found.kind) == (2, Tampering.CHANGED)
    opened.close()


@pytest.mark.parametrize("detail", ['{"up_to": 2}', "[]", pytest.param("nix", marks=ONLY_SQLITE_TAKES_IT)])
def test_an_entry_that_lets_older_ones_go_must_say_with_what_they_ended(tmp_path: Path, detail: str) -> None:
    opened = stores.open(databases.at(tmp_path))
    write(opened, 5)
    let_go = f"UPDATE audit SET action = 'audit.pruned', detail = '{detail}' WHERE id = 4"
    sql(opened, "DELETE FROM audit WHERE id <= 2", let_go)
    found = verdict(opened).fault
    assert (found.number, found.kind) == (1, Tampering.REMOVED)
    opened.close()


def test_words_emptied_in_the_chains_own_way_but_without_a_word_are_found(store: Store) -> None:
    write(store, 12)
    with store.read() as tx:
        row = next(auditing.rows(tx, after=4, until=5))
    digest = chain.digest(row.salt, row.subject, row.detail)
    sql(store, f"UPDATE audit SET salt = '', subject = '', detail = '{{}}', digest = '{digest}' WHERE id = 5")
    found = verdict(store)
    assert (found.fault.kind, found.fault.number, found.emptied) == (Tampering.EMPTIED, 5, 1)
    with store.write() as tx:
        audit.record(tx, at=NOW, by="ana", action=verifying.EMPTIED, subject="erasure 1", entries="5")
    assert verdict(store).fault is None


def test_an_end_cut_off_together_with_the_head_shows_against_an_anchor(store: Store) -> None:
    write(store, 12)
    anchor = head(store)
    with store.read() as tx:
        ninth = next(auditing.rows(tx, after=8, until=9))
    sql(store, "DELETE FROM audit WHERE id > 9", f"UPDATE audit_head SET last = 9, hash = '{ninth.hash}'")
    assert verdict(store).fault is None
    found = verdict(store, anchor=anchor)
    assert (found.fault.kind, found.fault.number) == (Tampering.TRUNCATED, 10)
    write(store, 5)  # the log goes on growing past the anchor's place
    found = verdict(store, anchor=anchor)
    assert (found.fault.kind, found.fault.number) == (Tampering.REWRITTEN, 12)


def test_a_log_written_anew_shows_by_the_key_and_by_an_anchor(store: Store) -> None:
    store.audit_key = KEY
    write(store, 12)
    anchor = head(store)
    sql(store, "DELETE FROM audit WHERE id > 4")
    with store.write() as tx:  # all that somebody without the key can do
        fourth = next(auditing.rows(tx, after=3, until=4))
        tx.execute(text("UPDATE audit_head SET last = 4, hash = :hash, key = ''"), {"hash": fourth.hash})
    store.audit_key = b""
    write(store, 12, by="eva")
    found = verdict(store, keys=KEYS)
    assert (found.fault.kind, found.fault.number) == (Tampering.CHANGED, 5)
    assert verdict(store, anchor=anchor, keys=KEYS).fault is not None


def test_nobody_leaves_the_key_by_an_entry_that_says_so(store: Store) -> None:
    store.audit_key = KEY
    write(store, 3)
    sql(store, "UPDATE audit_head SET key = ''")
    store.audit_key = b""
    write(store, 1, by="eva", action=verifying.REKEYED)
    found = verdict(store, keys=KEYS)
    assert (found.fault.kind, found.fault.number) == (Tampering.CHANGED, 4)


def test_a_head_that_knows_the_newest_entry_by_another_hash_is_found(store: Store) -> None:
    write(store, 3)
    sql(store, f"UPDATE audit_head SET hash = '{'a' * 64}'")
    found = verdict(store)
    assert (found.fault.kind, found.fault.number) == (Tampering.CHANGED, 3)


@pytest.mark.parametrize("key", [b"", KEY], ids=["without-key", "with-key"])
def test_an_entrys_hash_is_made_as_its_module_says(store: Store, key: bytes) -> None:
    """Anybody can work it out without our code; databases that there are would not verify if it changed."""
    store.audit_key = key
    write(store, 2)
    with store.read() as tx:
        first, second = auditing.rows(tx, after=0, until=2)
    before = "0" * 64
    for number, row in ((1, first), (2, second)):
        compact = {"sort_keys": True, "separators": (",", ":")}
        words = hashlib.sha256(bytes.fromhex(row.salt) + json.dumps([row.subject, row.detail], **compact).encode())
        said = [number, row.at.astimezone(UTC).isoformat(), row.by, row.action, words.hexdigest()]
        body = f"{before}\n{json.dumps(said, **compact)}".encode()
        assert row.hash == (hmac.new(key, body, "sha256") if key else hashlib.sha256(body)).hexdigest()
        before = row.hash


def test_an_anchor_fits_while_the_log_goes_on(store: Store) -> None:
    write(store, 3)
    anchor = verifying.anchor(f"2026-11-23 {head(store)}\n")
    write(store, 3)
    found = verdict(store, anchor=anchor)
    assert (found.fault, found.anchored, found.checked) == (None, True, 6)
    with pytest.raises(Mistake, match="no anchor"):
        verifying.anchor("nothing of the kind")


def test_whoever_lacks_the_key_is_refused_and_another_key_needs_an_entry(store: Store) -> None:
    write(store, 2)  # before there was a key
    store.audit_key = KEY
    write(store, 2)
    for other in (b"", b"another key, of somebody else"):
        store.audit_key = other
        with pytest.raises(Mistake, match="audit rekey"):
            write(store, 1)
    with store.write() as tx:
        audit.record(tx, at=NOW, by="ana", action=verifying.REKEYED, subject="audit")
        chain.rekey(tx)
    write(store, 1)
    newer = {chain.key_name(store.audit_key): store.audit_key}
    found = verdict(store, keys=newer)
    assert (found.fault, found.checked, found.under_key, found.unknown_key) == (None, 6, 2, 2)
    both = verdict(store, keys=KEYS | newer)
    assert (both.fault, both.under_key, both.unknown_key) == (None, 4, 0)


def test_what_waits_is_seen_in_its_own_transaction_and_goes_with_it(store: Store) -> None:
    write(store, 1)
    with contextlib.suppress(ZeroDivisionError), store.write() as tx:
        audit.record(tx, at=NOW, by="ana", action="case.resolved", subject="case 0")
        assert [entry.action for entry in audit.about(tx, "case 0")] == ["case.note", "case.resolved"]
        newest = audit.last(tx, "case 0", "case.")
        assert newest is not None
        assert newest.action == "case.resolved"
        raise ZeroDivisionError
    with store.read() as tx:
        assert [entry.action for entry in audit.about(tx, "case 0")] == ["case.note"]
    assert head(store).number == 1


def test_writers_at_once_make_one_chain(store: Store) -> None:
    """Each holds its entries through a transaction of its own; in the end every number is there once."""
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait()
        for _ in range(10):
            write(store, 3, by=name)

    threads = [threading.Thread(target=work, args=(f"agent {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verdict(store)
    assert (found.fault, found.checked) == (None, 120)


def test_an_open_transaction_keeps_no_other_writer_waiting(store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("on SQLite there is one writer anyway")
    with store.write() as slow:
        audit.record(slow, at=NOW, by="import", action="customer.added", subject="customer 1")
        write(store, 3)  # would wait for ever, were the head locked when an entry is recorded
    found = verdict(store)
    assert (found.fault, found.checked) == (None, 4)
    with store.read() as tx:
        assert [entry.by for entry in auditing.listing(tx, limit=9)] == ["ana", "ana", "ana", "import"]


def test_the_listing_finds_by_each_of_its_questions(store: Store) -> None:
    write(store, 3)
    write(store, 2, by="luis", action="case.resolved")
    with store.read() as tx:

        def numbers(**asked: Any) -> list[int]:
            return [entry.number for entry in auditing.listing(tx, **{"limit": 9} | asked)]

        assert numbers() == [1, 2, 3, 4, 5]
        assert numbers(limit=2) == [4, 5]
        assert numbers(by="luis") == [4, 5]
        assert numbers(subject="case 1") == [2, 5]
        assert numbers(action="case.r") == [4, 5]
        assert numbers(action="case_") == []
        assert numbers(since=NOW + timedelta(microseconds=1)) == [2, 3, 5]
        assert numbers(until=NOW + timedelta(microseconds=1)) == [1, 4]


@given(st.sets(st.integers(1, 400)))
def test_spans_say_exactly_the_numbers(found: set[int]) -> None:
    assert verifying.numbers(verifying.spans(list(found))) == sorted(found)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(0, 12), inner, max_size=4),
    max_leaves=6,
)


@given(detail=st.dictionaries(st.text(), JSONS, max_size=4))
def test_what_a_database_gives_back_is_written_down_as_what_was_given(detail: dict[str, Any]) -> None:
    back = json.loads(json.dumps(detail))
    assert chain.canonical(["s", detail]) == chain.canonical(["s", back])
    assert chain.canonical(["s", dict(reversed(back.items()))]) == chain.canonical(["s", back])


@pytest.mark.slow
def test_a_large_log_is_verified_in_constant_memory(tmp_path: Path) -> None:
    opened = stores.open(databases.at(tmp_path))
    peaks = []
    for _ in range(2):
        for _ in range(5):
            write(opened, 4_000)
        tracemalloc.start()
        assert verdict(opened).fault is None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    opened.close()
    assert peaks[1] < peaks[0] * 1.2
