"""`escucha db`: upgrade, check, and a backup that is whole while others write."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result

from listener import store
from listener.store import daemons, transfer_source
from tests import databases
from tests.databases import edit

Run = Callable[..., Result]
ROOT = Path(__file__).parents[3]

# Every transaction adds one row to each of two tables: a copy in which they differ was taken in the middle of one.
WRITER = """
import sys
from datetime import UTC, datetime
from listener import store
from listener.store import audit, switch
database = store.open(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    with database.write() as tx:
        audit.record(tx, at=datetime.now(UTC), by="writer", action="before", subject=f"n {number}", filler="x" * 3000)
        switch.pause(tx, network=f"n{number}", by="writer", reason="x" * 500, now=datetime.now(UTC))
"""


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path) -> None:
    (tmp_path / "escucha.toml").write_text('[database]\nurl = "sqlite:///escucha.db"\n')


@pytest.mark.usefixtures("no_tables")
def test_upgrade_makes_the_tables_and_then_has_nothing_to_do(escucha: Run) -> None:
    first, second = escucha("db", "upgrade"), escucha("db", "upgrade")
    assert (first.exit_code, first.stdout) == (0, f"The tables are at step {store.SCHEMA} now (before: none).\n")
    assert (second.exit_code, second.output) == (0, f"The tables are at step {store.SCHEMA} already; nothing to do.\n")
    assert json.loads(escucha("db", "upgrade", "--json").stdout) == {"before": store.SCHEMA, "after": store.SCHEMA}


def test_tables_of_a_newer_version_are_left_alone(escucha: Run, tmp_path: Path) -> None:
    escucha("db", "upgrade")
    edit(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    result = escucha("db", "upgrade")
    assert result.exit_code == 2
    assert "newer (9999)" in result.stderr


@pytest.mark.about_sqlite
@pytest.mark.parametrize("command", ["check", "backup"])
def test_looking_for_a_database_makes_none(escucha: Run, tmp_path: Path, command: str) -> None:
    result = escucha("db", command)
    assert result.exit_code == 2
    assert "There is no database" in result.stderr
    assert not (tmp_path / "escucha.db").exists()


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (
            "postgres://u@h/x",
            2,
            "names postgres, and Escucha knows sqlite and postgresql: write sqlite:///escucha.db or",
        ),
        ("postgresq://u@h/x", 2, "write sqlite:///escucha.db or postgresql://user@host/name."),
        ("postgresql://u@h:54x32/x", 2, "a port that is no number: write postgresql://user@host:5432/name."),
        ("postgresql://u:pa@ss@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://u:pa@ss@/w@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://u:pa@ss@:w@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://u:pa@ss@=w@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://u:pass@w@?x@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://u:p@ss/w@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://u:se@cret#x/y@127.0.0.1:1/x", 2, "in a password write it as %40"),
        ("postgresql://[::1/x", 2, "a [ that nothing closes: write postgresql://user@[::1]:5432/name."),
        ("postgresql://u:pass@[::1/x", 2, "a [ that nothing closes: write postgresql://user@[::1]:5432/name."),
        ("postgresql://u:pa[ss@127.0.0.1:1/x", 1, "(start it, or mend database.url)."),
        ("postgresql://u:pw@127.0.0.1:1/x?options=-cx%3Da@b", 1, "(start it, or mend database.url)."),
        ("postgresql://u@127.0.0.1:1/x?connect_timeout=abc", 2, "cannot do: bad value for connect_timeout: 'abc'."),
        ("postgresql//u@h/x", 2, "write an address such as sqlite:///escucha.db or postgresql://host/name."),
        ("postgresql://u@127.0.0.1:1/x?sslmod=require", 2, 'does not know: invalid connection option "sslmod".'),
        ("postgresql+psycopg://u@127.0.0.1:1/x", 1, "cannot be reached: connection failed"),
        ("postgresql://u@127.0.0.1:1/x", 1, "(start it, or mend database.url)."),
        ("postgresql://u@nowhere.invalid/x", 1, "(look at the host in database.url, or at this machine's network)."),
    ],
)
def test_an_address_that_is_mistyped_is_one_sentence_with_the_next_step(
    escucha: Run, monkeypatch: pytest.MonkeyPatch, url: str, code: int, words: str
) -> None:
    monkeypatch.setenv("ESCUCHA_DATABASE__URL", url)
    for typed in (["inbox"], ["db", "check"]):
        result = escucha(*typed)
        assert (result.exit_code, result.stdout) == (code, "")
        assert words in result.stderr
        assert not [part for part in ("ss@", "ss/", "cret", "pass@") if part in result.stderr]
        assert len(result.stderr.splitlines()) == 1


def test_a_name_with_a_nul_character_is_one_sentence(escucha: Run) -> None:
    """No environment can hold one, but the settings file can."""
    Path("escucha.toml").write_text('[database]\nurl = "sqlite:///a\\u0000b.db"\n', encoding="utf-8")
    result = escucha("inbox")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "database.url has a NUL character in it, which no name of a file or database has: take it out.\n"
    )


def test_check_of_a_good_database(escucha: Run) -> None:
    escucha("db", "upgrade")
    result = escucha("db", "check")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            f"All is well: the tables are at step {store.SCHEMA} and whole.",
            f"They work with versions of step {store.SCHEMA} and later.",
        ],
    )
    told = json.loads(escucha("db", "check", "--json").stdout)
    assert told == {"schema": "0001", "needed": "0001", "problems": [], "works_with": "0001", "daemons": [], "move": ""}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE alembic_version SET version_num = '0000'", "run `escucha db upgrade`"),
        pytest.param(
            "INSERT INTO gaps (source_id, noticed_at, reason) VALUES (99, '2026-01-01', 'x')",
            "1 rows point at rows that are gone",
            marks=pytest.mark.about_sqlite,  # PostgreSQL lets none go
        ),
    ],
)
def test_check_says_what_is_wrong_and_what_to_do(escucha: Run, tmp_path: Path, statement: str, words: str) -> None:
    escucha("db", "upgrade")
    edit(tmp_path, statement)
    result = escucha("db", "check")
    assert result.exit_code == 2
    assert words in result.stdout
    as_json = escucha("db", "check", "--json")
    assert as_json.exit_code == 2
    assert words in json.loads(as_json.stdout)["problems"][0]


@pytest.mark.about_sqlite
def test_check_finds_damage(escucha: Run, tmp_path: Path) -> None:
    escucha("db", "upgrade")
    path = tmp_path / "escucha.db"
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 12] = os.urandom(4096 * 9)
    path.write_bytes(raw)
    result = escucha("db", "check")
    assert result.exit_code in (1, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.output.strip()


@pytest.mark.about_sqlite
def test_a_backup_goes_beside_into_a_folder_or_where_it_is_told(escucha: Run, tmp_path: Path) -> None:
    escucha("db", "upgrade")
    (tmp_path / "copies").mkdir()
    assert escucha("db", "backup").exit_code == 0
    assert escucha("db", "backup", "copies").exit_code == 0
    named = json.loads(escucha("db", "backup", "mine.db", "--json").stdout)
    assert named == {"backup": "mine.db", "bytes": (tmp_path / "mine.db").stat().st_size}
    assert len(list(tmp_path.glob("escucha-2*.db"))) == len(list((tmp_path / "copies").glob("escucha-2*.db"))) == 1


@pytest.mark.about_sqlite
@pytest.mark.parametrize(("target", "words"), [("there.db", "exists already"), ("no/where.db", "There is no folder")])
def test_a_backup_overwrites_nothing_and_makes_no_folders(
    escucha: Run, tmp_path: Path, target: str, words: str
) -> None:
    escucha("db", "upgrade")
    (tmp_path / "there.db").write_text("precious")
    result = escucha("db", "backup", target)
    assert result.exit_code == 2
    assert words in result.stderr
    assert (tmp_path / "there.db").read_text() == "precious"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.about_sqlite
@pytest.mark.parametrize("there", [True, False], ids=["a file of somebody's", "no file yet"])
def test_a_backup_is_not_written_through_a_link_that_somebody_put_there(
    escucha: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    assert escucha("db", "upgrade").exit_code == 0
    elsewhere = tmp_path / "elsewhere"
    if there:
        elsewhere.write_text("theirs")
    (tmp_path / "copy.db.part").symlink_to(elsewhere)
    monkeypatch.setattr(Path, "unlink", lambda *_args, **_options: None)  # put back again at once
    result = escucha("db", "backup", "copy.db")
    assert result.exit_code == 1
    assert "No backup was made" in result.stderr
    assert not (tmp_path / "copy.db").exists()
    assert (elsewhere.read_text() if there else elsewhere.exists()) == ("theirs" if there else False)


@pytest.mark.about_sqlite
def test_a_backup_is_whole_while_another_process_writes(escucha: Run, tmp_path: Path) -> None:
    escucha("db", "upgrade")
    address = f"sqlite:///{tmp_path / 'escucha.db'}"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, address],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        sizes = []
        for number in range(5):
            time.sleep(0.2)
            copy = tmp_path / f"copy{number}.db"
            result = escucha("db", "backup", str(copy))
            assert result.exit_code == 0, result.output
            link = sqlite3.connect(copy)
            before = link.execute("SELECT COUNT(*) FROM audit WHERE action = 'before'").fetchone()[0]
            after = link.execute("SELECT COUNT(*) FROM pauses").fetchone()[0]
            assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            link.close()
            assert before == after
            sizes.append(before)
        assert writer.poll() is None
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 1  # it did go on writing
    restored = store.open(f"sqlite:///{tmp_path / 'copy4.db'}")
    assert restored.problems() == []
    restored.close()


@pytest.mark.about_sqlite
def test_the_database_and_its_copies_are_for_their_owner_alone(escucha: Run, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        escucha("db", "upgrade")
        assert escucha("db", "backup", "copy.db").exit_code == 0
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("escucha.db", "copy.db")] == [0o600, 0o600]


@pytest.mark.about_sqlite
def test_in_a_folder_that_hands_its_group_down_the_group_may_write(escucha: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    escucha("db", "upgrade")
    assert (tmp_path / "escucha.db").stat().st_mode & 0o777 == 0o660


@pytest.mark.usefixtures("no_tables")
def test_who_says_that_it_was_put_back_stops_everything_until_a_person_goes_on(escucha: Run, tmp_path: Path) -> None:
    no = "The database has no tables yet" if databases.on_postgres() else "There is no database"
    assert no in escucha("db", "restored").stderr
    escucha("db", "upgrade")
    escucha("leave-alone", "M1")  # whatever opens it
    with closing(store.open(databases.at(tmp_path))) as database:
        with database.write() as tx:
            now = datetime.now(UTC)
            daemons.alive(tx, name="host:7", version="1", started_at=now, now=now)
        lives = escucha("db", "restored")
        assert (lives.exit_code, lives.stdout) == (2, "")
        assert "Escucha is running (host:7): stop it first, then `escucha db restored`." in lives.stderr
        with database.write() as tx:
            daemons.gone(tx, "host:7", now)
    said = escucha("db", "restored")
    assert said.exit_code == 0
    assert "Everything is paused" in said.stdout
    (paused,) = json.loads(escucha("status", "--json").stdout)["pauses"]
    assert "was put back" in paused["reason"]
    assert escucha("resume").exit_code == 0
    assert set(json.loads(escucha("db", "restored", "--json").stdout)) == {"known_until", "began_at"}
    for step, do in (("0000", "run `escucha db upgrade`"), ("0009", "use the version of Escucha that upgraded it")):
        edit(tmp_path, f"UPDATE alembic_version SET version_num = '{step}'")
        assert do in " ".join(escucha("db", "restored").stderr.split())
    edit(tmp_path, "UPDATE alembic_version SET version_num = 'moved'")
    assert "has moved to PostgreSQL" in " ".join(escucha("db", "restored").stderr.split())
    edit(tmp_path, "CREATE TABLE copy_order (name TEXT NOT NULL, target TEXT NOT NULL)")
    edit(tmp_path, "INSERT INTO copy_order VALUES ('a', 'postgresql+psycopg://ana@db.brand.example/escucha')")
    for command in (["db", "restored"], ["db", "check"], ["status"], ["inbox"]):
        told = " ".join(escucha(*command).output.split())
        assert "moved to postgresql://ana@db.brand.example/escucha and takes nothing any more" in told


@pytest.mark.about_sqlite
def test_a_move_that_was_begun_is_not_all_well(escucha: Run, tmp_path: Path) -> None:
    escucha("db", "upgrade")
    with closing(store.open(databases.at(tmp_path))) as database, database.write() as tx:
        transfer_source.begin(tx, "postgresql://ana@db.brand.example/escucha")
    begun = "A move to postgresql://ana@db.brand.example/escucha was begun"
    for command in (["db", "check"], ["status"]):
        told = " ".join(escucha(*command).stdout.split())
        assert begun in told
        assert "`escucha db copy --give-up` takes it back" in told
        assert "All is well" not in told
    assert json.loads(escucha("db", "check", "--json").stdout)["move"].startswith(begun)
    escucha("db", "copy", "--give-up")
    assert "All is well" in escucha("db", "check").stdout


@pytest.mark.about_sqlite
def test_a_copy_needs_the_name_of_the_database_it_goes_into(escucha: Run) -> None:
    escucha("db", "upgrade")
    refused = escucha("db", "copy", "postgresql://ana:hunter22@127.0.0.1:1")
    assert refused.exit_code == 2
    assert "postgresql://ana@127.0.0.1:1 names no database" in " ".join(refused.stderr.split())


@pytest.mark.about_sqlite
def test_a_backup_that_is_put_in_place_is_noticed(escucha: Run, tmp_path: Path) -> None:
    escucha("db", "upgrade")
    escucha("pause")
    escucha("resume")
    escucha("db", "backup", "mine.db")
    seen = json.loads(escucha("status", "--json").stdout)
    assert (seen["pauses"], seen["put_back"]) == ([], None)
    assert "put back" not in escucha("status").stdout
    with closing(sqlite3.connect(tmp_path / "mine.db")) as link, link:
        link.execute("UPDATE audit SET at = datetime(at, '-1 day')")  # as though it were of yesterday
    (tmp_path / "mine.db").replace(tmp_path / "escucha.db")
    for name in ("escucha.db-wal", "escucha.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    seen = json.loads(escucha("status", "--json").stdout)
    assert len(seen["pauses"]) == 1
    assert set(seen["put_back"]) == {"known_until", "began_at"}
    known_until = datetime.fromisoformat(seen["put_back"]["known_until"])
    shown = " ".join(escucha("status").stdout.split())
    assert f"UTC to {known_until:%Y-%m-%d %H:%M} UTC; before a post" in shown
    assert escucha("audit", "show", "--json").stdout.count('"database.put_back"') == 1


def test_that_it_was_put_back_is_sealed_like_everything(
    escucha: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCUCHA_AUDIT__KEY", "a-key-of-more-than-thirty-two-characters")
    escucha("db", "upgrade")
    escucha("pause")
    escucha("db", "backup", "mine.db")
    (tmp_path / "mine.db").replace(tmp_path / "escucha.db")
    for name in ("escucha.db-wal", "escucha.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert "database.put_back" in escucha("audit", "show").stdout
    assert json.loads(escucha("audit", "verify", "--json").stdout)["whole"]
