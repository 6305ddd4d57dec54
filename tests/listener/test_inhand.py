"""What a process had in hand is known after it died, however it died."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from listener import inhand
from listener.inhand import Left

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    inhand.stop()


def dies(folder: Path, ready: Event, lives: Event, of: str = "") -> None:
    inhand.start(folder, "other:1", of=of)
    other = threading.Thread(target=inhand.take, args=("decide", [7]))
    other.start()
    other.join()
    inhand.take("understand", range(1, 65))
    inhand.drop()
    inhand.take("understand", [3, 5])
    ready.set()
    lives.wait(20)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_had_in_hand_is_found_once_and_only_when_it_is_dead(tmp_path: Path) -> None:
    ready, lives = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=dies, args=(tmp_path, ready, lives))
    process.start()
    assert ready.wait(20)
    assert inhand.start(tmp_path, "this:1") == [], "it lives"
    lives.set()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    found = inhand.start(tmp_path, "this:1")
    assert sorted(found, key=lambda left: left.stage) == [
        Left(stage="decide", mentions=(7,)),
        Left(stage="understand", mentions=(3, 5)),
    ]
    assert inhand.start(tmp_path, "this:1") == []


def test_of_several_databases_each_finds_its_own(tmp_path: Path) -> None:
    ready, lives = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=dies, args=(tmp_path, ready, lives, "one"))
    process.start()
    assert ready.wait(20)
    lives.set()
    process.join(20)
    inhand.start(tmp_path, "this:1", of="two")
    inhand.take("decide", [1])
    assert inhand.left(tmp_path, of="two") == [], "this one lives"
    assert len(inhand.left(tmp_path, of="one")) == 2
    assert inhand.left(tmp_path, of="one") == []


@pytest.mark.parametrize("whose", ["another user's", "taken over meanwhile"])
def test_what_is_another_s_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str) -> None:
    inhand.start(tmp_path, "dead:1")
    inhand.take("decide", [7])
    (file,) = tmp_path.glob("*.hand")
    held = file.read_bytes()
    inhand.stop()
    file.write_bytes(held)  # as it stands there once its process was killed
    with monkeypatch.context() as patch:
        if whose == "another user's":
            patch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
        else:  # by one who had it before us, between our opening and our locking it
            patch.setattr(inhand.fcntl, "flock", lambda *_: file.unlink())
        assert inhand.left(tmp_path) == []
    assert file.exists() == (whose == "another user's")
    file.write_bytes(held)
    assert inhand.left(tmp_path) == [Left(stage="decide", mentions=(7,))]


def test_who_ends_in_good_order_leaves_nothing(tmp_path: Path) -> None:
    inhand.start(tmp_path, "this:1")
    inhand.take("decide", [1])
    assert len(list(tmp_path.iterdir())) == 1
    inhand.stop()
    assert list(tmp_path.iterdir()) == []
    inhand.take("decide", [1])  # nobody keeps it, and nobody minds


def test_a_folder_that_cannot_be_written_keeps_nothing_and_stops_nobody(tmp_path: Path) -> None:
    assert inhand.start(tmp_path / "not there", "this:1") == []
    inhand.take("understand", [1])


def test_more_than_fits_is_cut_and_a_damaged_file_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / ".x.hand").write_bytes(b"\xff" * 5000)
    (tmp_path / ".y.hand").write_bytes(b"")
    assert inhand.start(tmp_path, "this:1") == []
    inhand.take("understand", range(10_000))
    assert len(list(tmp_path.glob("*.hand"))) == 1


def test_threads_that_come_and_go_leave_room_for_others(tmp_path: Path) -> None:
    inhand.start(tmp_path, "this:1")

    def work(number: int) -> None:
        inhand.take("understand", [number])
        inhand.drop()

    for number in range(100):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    inhand.take("decide", [7])
    (file,) = tmp_path.glob("*.hand")
    assert list(inhand._read(file.read_bytes())) == [Left(stage="decide", mentions=(7,))]


def test_how_long_something_is_in_hand_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inhand.longest() == 0
    inhand.start(tmp_path, "this:1")
    assert inhand.longest() == 0
    now = inhand.time.monotonic()
    inhand.take("decide", [1])
    monkeypatch.setattr(inhand.time, "monotonic", lambda: now + 1000)
    assert inhand.longest() == pytest.approx(1000, abs=5)
    inhand.drop()
    assert inhand.longest() == 0
    inhand.take("stream", [1])
    assert inhand.longest() == 0, "a stream lasts"
