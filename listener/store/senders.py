"""Which process sends, so that whoever asks on the same machine can tell whether it is still alive.

A sender is named `HOST:PID:START:WHERE`: its process number, when that process began (clock ticks since the boot) and a
digest of the boot and the space of process numbers that it lives in. Only where the last one is ours do the first three
mean anything here.
"""

from __future__ import annotations

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

DIED = "the sender died"  # its account has another sender by now; it may merely have lost the database, and speak yet
KILLED = "the sender was killed"  # its process has certainly ended
_ZOMBIE = ("Z", "X")  # it has ended, and nobody has taken notice yet (proc(5))


def me() -> str:
    """This process, at most 200 characters."""
    return _named(os.getpid())


def is_dead(sender: str | None) -> bool:
    """Whether that process has certainly ended; False also where nobody here can know."""
    parts = (sender or "").rsplit(":", 3)
    where = _where()
    if len(parts) != 4 or not where or parts[3] != where or not parts[1].isdecimal():
        return False
    pid = int(parts[1])
    if pid == os.getpid():
        return parts[2] != _began(pid)[0]
    try:
        os.kill(pid, 0)  # /proc may be hidden from us (hidepid); this is not
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    began, state = _began(pid)
    return bool(began) and (began != parts[2] or state in _ZOMBIE)


def epitaph(sender: str | None) -> str:
    """Why what it was sending is of unknown outcome, now that its account has another sender."""
    return KILLED if is_dead(sender) else DIED


def here() -> str:
    """What the names of this machine's senders end in; empty where it cannot be told."""
    return _where()


@cache
def _named(pid: int) -> str:
    return f"{socket.gethostname()[:100]}:{pid}:{_began(pid)[0]}:{_where()}"


@cache
def _where() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:16]


def _began(pid: int) -> tuple[str, str]:
    """When that process began, and its state; both empty where that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[19], fields[0]
    except (OSError, IndexError):
        return "", ""
