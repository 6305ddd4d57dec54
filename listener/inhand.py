"""What this process has in hand, where it stays known when the process is killed in the middle of it.

    inhand.start(folder, name)    from now on; gives what processes that died had in hand
    inhand.left(folder)           the same later on, where others may die beside this one
    inhand.take("decide", ids)    before the model or the policy looks at these mentions: a memory write, no system call
    inhand.drop()                 when this thread is done with them

A mention that kills whoever looks at it must not kill every process for ever; so it must be known which one it was. It
stands in a small file of the process, mapped into memory: the kernel keeps what was written there whatever becomes of
the process. The file is locked as long as the process lives, so that others know when it died. It is named after what
the numbers are of (`of`), since processes of several databases may keep theirs in one folder.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STAGES = ("understand", "decide", "poll", "stream")
OF_SOURCES = ("poll", "stream")  # where sources are in hand, and a network may take its time
SLOTS = 64  # one for each thread that has something in hand
MOST = 510  # mentions in one slot; a batch has fewer
_SLOT = 8 * (2 + MOST)  # the stage's number, from 1; how many; their numbers
_SUFFIX, _UNFINISHED = ".hand", ".hand-new"


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a process that died had in hand at one stage: mentions by their numbers, or sources."""

    stage: str
    mentions: tuple[int, ...]


class _Hand:
    def __init__(self, path: Path) -> None:
        """Makes the file, which bears its name once it is whole. Raises OSError where there is no room or right to."""
        self.path = path.with_suffix(_UNFINISHED)
        self._file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._file, bytes(_SLOT * SLOTS))  # real room: a hole that cannot be filled later would kill us
            self._memory = mmap.mmap(self._file, _SLOT * SLOTS)
            self.path = self.path.rename(path)
        except OSError:
            self.close()
            raise
        self._free = list(reversed(range(SLOTS)))
        self._own = threading.local()
        self.since: dict[int, float] = {}  # by slot: when it was taken, by a clock that nobody sets

    def put(self, stage: str, mentions: Sequence[int]) -> None:
        slot: int | None = getattr(self._own, "slot", None)
        if slot is None:
            try:
                slot = self._own.slot = self._free.pop()
            except IndexError:
                return  # more threads than anybody starts
        if stage not in OF_SOURCES:
            self.since[slot] = time.monotonic()
        ids = mentions[:MOST]
        struct.pack_into(f"={2 + len(ids)}q", self._memory, slot * _SLOT, STAGES.index(stage) + 1, len(ids), *ids)

    def drop(self) -> None:
        slot: int | None = getattr(self._own, "slot", None)
        if slot is not None:
            struct.pack_into("=2q", self._memory, slot * _SLOT, 0, 0)
            self.since.pop(slot, None)
            self._own.slot = None
            self._free.append(slot)  # another thread may have it

    def close(self) -> None:
        with suppress(OSError):
            self.path.unlink()
        os.close(self._file)


_hand: _Hand | None = None


def start(folder: Path, name: str, *, of: str = "") -> list[Left]:
    """Begins to keep what is in hand in `folder`, as the process of that name; gives what the dead there left.

    Where the folder cannot be written nothing is kept.
    """
    global _hand  # noqa: PLW0603 - one process, one file
    stop()
    found = left(folder, of=of)
    safe = "".join(char if char.isalnum() else "-" for char in name)
    with suppress(OSError):
        _hand = _Hand(folder / f"{of}.{safe}-{os.urandom(4).hex()}{_SUFFIX}")
    return found


def left(folder: Path, *, of: str = "") -> list[Left]:
    """What processes that died there had in hand; each is given once."""
    return list(_take_over(folder, of))


def stop() -> None:
    """Ends in good order: nothing is in hand."""
    global _hand  # noqa: PLW0603
    if _hand is not None:
        _hand.close()
    _hand = None


def take(stage: str, mentions: Sequence[int]) -> None:
    """These mentions are in this thread's hand now, at that stage, and no others."""
    if _hand is not None:
        _hand.put(stage, mentions)


def drop() -> None:
    """Nothing is in this thread's hand any more."""
    if _hand is not None:
        _hand.drop()


def longest() -> float:
    """For how many seconds that has been in hand that was taken first; 0 where nothing is."""
    taken = list(_hand.since.values()) if _hand is not None else []
    return time.monotonic() - min(taken) if taken else 0.0


def _take_over(folder: Path, of: str) -> Iterator[Left]:
    for path in sorted(folder.glob(f"{of}.*{_SUFFIX}")):
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            continue  # another one was quicker, or it is not ours to read
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            about = os.fstat(file)
            if about.st_nlink and about.st_uid == os.geteuid():  # nobody else has taken it over meanwhile; it is ours
                yield from _read(os.read(file, _SLOT * SLOTS))
                path.unlink(missing_ok=True)
        except OSError:
            continue  # it lives
        finally:
            os.close(file)


def _read(held: bytes) -> Iterator[Left]:
    for start in range(0, len(held) - _SLOT + 1, _SLOT):
        stage, many = struct.unpack_from("=2q", held, start)
        if 0 < stage <= len(STAGES) and 0 < many <= MOST:
            mentions = struct.unpack_from(f"={many}q", held, start + 16)
            yield Left(stage=STAGES[stage - 1], mentions=mentions)
