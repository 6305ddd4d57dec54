"""The walls that docs/escucha.service asks systemd for, put up by hand around one command, as root on Linux:

    python -m tests.system.confined UNIT STATE COMMAND …

It reads the unit and does what each of its directives says, with the same calls of the kernel that systemd makes, in a
mount namespace of its own that nothing leaks out of; then it becomes a user who owns nothing but STATE, and the
command. What a directive would need and cannot have here stands in `NOT_BY_HAND`, with why. systemd itself is not
started: it would tidy up the machine that it finds itself on.

Inside, `/opt/code` is this repository, `/opt/packages` its libraries, and `/opt/state` STATE.
"""

from __future__ import annotations

import configparser
import ctypes
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOBODY = 61184  # the first of those that systemd gives to a DynamicUser
NOT_BY_HAND = {
    "AmbientCapabilities": "empty: there is nothing to give",
    "StateDirectory": "STATE",
    "PrivateUsers": "a user namespace of its own hides only the names of other users",
    "ProtectClock": "what it takes away is taken away with all capabilities and calls",
    "ProtectHostname": "sethostname is among the calls that are forbidden",
    "ProtectKernelLogs": "as the clock",
    "ProtectKernelModules": "as the clock",
    "RemoveIPC": "something to tidy up after the end",
    "RestrictRealtime": "sched_setscheduler is among the calls that are forbidden",
    "RestrictSUIDSGID": "a program with that bit gives nothing to whoever may gain no rights",
}

_PRIVATE, _REC, _BIND, _REMOUNT, _RDONLY = 1 << 18, 1 << 14, 1 << 12, 1 << 5, 1
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_NEWNS, _NEWUTS = 0x20000, 0x4000000
_NAMESPACES = 0x7E020000 | 0x80  # every flag of clone(2) that makes one
_ALLOW = 0x7FFF0000
_EQ, _MASKED = 4, 7
_DEVICES = ("null", "zero", "full", "random", "urandom")

_libc = ctypes.CDLL(None, use_errno=True)


class _Compared(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def directives(unit: Path) -> dict[str, list[str]]:
    """What the section [Service] says, each name with all its values."""
    read = configparser.RawConfigParser(strict=False, dict_type=_Many, delimiters=("=",))
    read.optionxform = str  # type: ignore[method-assign,assignment]
    read.read_string(unit.read_text(encoding="utf-8"))
    return {name: value.split("\n") for name, value in read.items("Service")}


class _Many(dict[str, object]):
    """Keeps what is said again beside what was said before."""

    def __setitem__(self, name: str, value: object) -> None:
        if isinstance(value, list) and isinstance(self.get(name), list):
            value = [*self[name], *value]  # type: ignore[misc]
        super().__setitem__(name, value)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    coded = [None if each is None else each.encode() for each in (source, target, kind)]
    _call("mount", coded[0], coded[1], coded[2], ctypes.c_ulong(flags), options.encode())


def _files(state: Path, packages: str) -> None:
    """Its own view of the files: all to be read only but STATE and folders of its own for what passes."""
    _call("unshare", _NEWNS | _NEWUTS)
    _mount("none", "/", None, _REC | _PRIVATE)  # from here on nothing that is mounted shows anywhere else
    _mount("tmpfs", "/opt", "tmpfs", _NOSUID, "mode=755")
    for name, source in (("code", str(ROOT)), ("packages", packages), ("state", str(state))):
        os.mkdir(f"/opt/{name}")
        _mount(source, f"/opt/{name}", None, _BIND)
    os.mkdir("/opt/dev")
    _mount("tmpfs", "/opt/dev", "tmpfs", _NOSUID | _NOEXEC, "mode=755")
    for name in _DEVICES:
        Path(f"/opt/dev/{name}").touch()
        _mount(f"/dev/{name}", f"/opt/dev/{name}", None, _BIND)
    os.mkdir("/opt/dev/shm", 0o1777)
    _mount("/opt/dev", "/dev", None, _BIND | _REC)
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC, "hidepid=invisible,subset=pid")
    for hidden in ("/root", "/home", "/run/user"):
        if os.path.isdir(hidden):
            _mount("tmpfs", hidden, "tmpfs", _NOSUID | _RDONLY, "mode=000")
    own = ("/opt/state", "/tmp", "/var/tmp")
    for passing in own[1:]:
        _mount("tmpfs", passing, "tmpfs", _NOSUID | _NODEV, "mode=1777")
    places = dict.fromkeys(line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    for place in places:
        if place in own or place.startswith(("/proc", "/opt/dev", "/dev/")):
            continue
        try:
            _mount("none", place.replace("\\040", " "), None, _REMOUNT | _BIND | _RDONLY | _NOSUID)
        except OSError:
            if os.access(place, os.W_OK):  # what cannot be taken away may be something that lies hidden by now
                raise


def _calls(names: Iterable[str], families: Sequence[str], number: int) -> None:
    """Allows those calls of the kernel, and refuses all others with `number`."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Compared),
    )
    made = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(_error(number))))

    def rule(name: str, action: int, *compared: tuple[int, int, int, int]) -> None:
        resolved = lib.seccomp_syscall_resolve_name(name.encode())
        if resolved < 0 or action == _error(number):
            return  # of another machine's kind; or refused already
        told = (_Compared * max(1, len(compared)))(*(_Compared(*each) for each in compared))
        if lib.seccomp_rule_add_array(made, action, resolved, len(compared), told) != 0:
            raise OSError(errno.EINVAL, f"no rule for {name}")

    refused = {"socket", "clone", "clone3", "unshare", "setns", "personality"}
    for name in set(names) - refused:
        rule(name, _ALLOW)
    allowed = {int(getattr(socket, family)) for family in families}
    for family in range(46):
        rule("socket", _ALLOW if family in allowed else _error(errno.EAFNOSUPPORT), (0, _EQ, family, 0))
    rule("clone", _ALLOW, (0, _MASKED, _NAMESPACES, 0))
    rule("clone3", _error(errno.ENOSYS))  # its flags cannot be looked at; everybody then takes clone
    for name in ("unshare", "setns", "personality"):
        rule(name, _error(errno.EPERM))
    if lib.seccomp_load(made) != 0:
        raise OSError(errno.EPERM, "the filter of calls cannot be set")


def _error(number: int) -> int:
    return 0x00050000 | number


def members(named: str) -> set[str]:
    """The calls of one of systemd's groups, such as `@system-service`, with those of the groups within."""
    if not named.startswith("@"):
        return {named}
    told = subprocess.run(["systemd-analyze", "syscall-filter", named], capture_output=True, text=True, check=True)
    inside = [line.strip() for line in told.stdout.splitlines()[1:]]
    return {call for each in inside if each and not each.startswith("#") for call in members(each)}


def _allowed(filters: Sequence[str]) -> set[str]:
    calls: set[str] = set()
    for line in filters:
        groups = [members(each) for each in line.lstrip("~").split()]
        calls = calls - set().union(*groups) if line.startswith("~") else calls.union(*groups)
    # The filter is set before the program begins, so that this much must be possible; systemd allows it as well.
    return calls | {"execve", "exit", "exit_group", "rt_sigreturn", "brk", "mmap", "arch_prctl", "rseq"}


def confine(unit: Path, state: Path, packages: str) -> None:
    """This process, from now on."""
    said = directives(unit)
    calls = _allowed(said["SystemCallFilter"])
    families = said["RestrictAddressFamilies"][0].split()
    os.chown(state, NOBODY, NOBODY)
    _files(state, packages)
    os.umask(int(said["UMask"][0], 8))
    for capability in range(64):
        _libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; beyond the last one it says no
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    _call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    os.chdir("/opt/state")
    _calls(calls, families, getattr(errno, said["SystemCallErrorNumber"][0]))


if __name__ == "__main__":
    unit_, state_, packages_, *command = sys.argv[1:]
    confine(Path(unit_), Path(state_), packages_)
    os.execve(command[0], command, os.environ)
