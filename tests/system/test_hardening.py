"""The unit's walls around the real daemon: it does its work within them, and what they forbid cannot be done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.system import confined
from tests.system.company import QUESTION, ROOT, Company, answered, eventually

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"
UNITS = [DOCS / "escucha.service", DOCS / "escucha@.service"]
ABOUT_RUNNING = {  # the rest of a unit, which is no wall
    *("Type", "ExecStart", "WorkingDirectory", "EnvironmentFile", "Restart", "RestartSec", "RestartPreventExitStatus"),
    *("WatchdogSec", "TimeoutStopSec", "User"),
}
BY_HAND = {
    *("DynamicUser", "UMask", "NoNewPrivileges", "CapabilityBoundingSet", "ProtectSystem", "ProtectHome"),
    *("PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "ProtectControlGroups", "ProtectProc", "ProcSubset"),
    *("RestrictAddressFamilies", "RestrictNamespaces", "LockPersonality", "SystemCallArchitectures"),
    *("SystemCallFilter", "SystemCallErrorNumber"),
}


def interpreter() -> str:
    """A Python that somebody without a home can start, of the same make as this one."""
    mine = os.path.realpath(sys.executable)
    if not mine.startswith(("/root/", "/home/")):
        return mine
    other = "/usr/bin/python3"
    asked = [other, "-c", "import sys; print(sys.version_info[:2] == tuple(map(int, sys.argv[1:])))"]
    done = subprocess.run([*asked, *map(str, sys.version_info[:2])], capture_output=True, text=True, check=False)
    if done.stdout.strip() != "True":
        pytest.skip("the only fitting Python is in somebody's home")
    return other


@pytest.fixture
def state() -> Iterator[Path]:
    if os.geteuid() != 0 or not sys.platform.startswith("linux") or not shutil.which("systemd-analyze"):
        pytest.skip("walls are put up by root, on Linux, with systemd's lists at hand")
    folder = Path(tempfile.mkdtemp(prefix="escucha-state-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def database() -> Iterator[str]:
    """The address of a PostgreSQL that can be reached from within, where its socket's folder cannot be seen."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with postgres.server(port=port) as url:
        yield url


def within(state: Path, *command: str, unit: Path = UNITS[0]) -> list[str]:
    """The words that start that command within the unit's walls."""
    packages = sysconfig.get_paths()["purelib"]
    return [sys.executable, "-m", "tests.system.confined", str(unit), str(state), packages, *command]


ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": "/opt/code:/opt/packages",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
}
OUTSIDE = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_every_wall_of_the_unit_is_put_up_or_said_to_be_missing() -> None:
    for unit in UNITS:
        said = set(confined.directives(unit))
        assert said - ABOUT_RUNNING == BY_HAND | set(confined.NOT_BY_HAND), unit.name


def test_the_units_differ_in_what_they_run_alone() -> None:
    one, many = (confined.directives(unit) for unit in UNITS)
    differing = {name for name in one.keys() | many.keys() if one.get(name) != many.get(name)}
    assert differing == {"EnvironmentFile", "ExecStart", "User"}
    assert many["EnvironmentFile"] == [*one["EnvironmentFile"], "-/etc/escucha/%i"]  # what one role needs alone
    assert many["ExecStart"][0].endswith(" run --role %i")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_itself_finds_little_exposed(unit: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def confined_to(daemon: subprocess.Popen[bytes]) -> None:
    """Asserts that the kernel holds it within walls."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    assert f"Uid:\t{confined.NOBODY}" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapBnd:\t0000000000000000" in status


def works(state: Path, unit: Path, *roles: str, **more: str) -> None:
    """Asserts that the daemons of these roles, or the one of all, answer a question within the unit's walls, and end
    in good order.
    """
    with MastodonServer() as server, (state / "log").open("wb") as log:
        Company(state, server)
        environment = {**OUTSIDE, **ENVIRONMENT, "PYTHONPATH": str(ROOT), "ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN": TOKEN}
        setting = ["/usr/bin/env", f"PYTHONPATH={ENVIRONMENT['PYTHONPATH']}", interpreter(), "-m", "cli", "run"]
        commands = [[*setting, *(["--role", role] if role else [])] for role in roles or ("",)]
        daemons = [
            subprocess.Popen(within(state, *words, unit=unit), cwd=ROOT, env=environment | more, stdout=log, stderr=log)
            for words in commands
        ]
        try:
            post = server.person("ana").post(QUESTION)
            eventually(lambda: answered(server)[post] or any(each.poll() is not None for each in daemons), within=150)
            for daemon in daemons:
                assert daemon.poll() is None, (state / "log").read_text()[-2000:]
                confined_to(daemon)
                daemon.send_signal(signal.SIGTERM)
            assert [daemon.wait(60) for daemon in daemons] == [0] * len(daemons)
        finally:
            for daemon in daemons:
                daemon.kill()
                daemon.wait()
    assert answered(server)[post] == 1
    assert (state / "log").read_text().count('"stopped"') == len(daemons)


def test_the_daemon_works_within_its_unit(state: Path) -> None:
    works(state, UNITS[0])
    database = (state / "escucha.db").stat()
    assert (database.st_uid, database.st_mode & 0o777) == (confined.NOBODY, 0o600)


def test_each_role_works_within_its_unit(state: Path, database: str) -> None:
    """What it has in hand it keeps in the folder of its state, which its unit names."""
    more = {"ESCUCHA_DATABASE__URL": database, "STATE_DIRECTORY": "/opt/state"}
    works(state, UNITS[1], "poll", "work", "send", **more)
    assert '"level": "error"' not in (state / "log").read_text()
    assert not (state / "escucha.db").exists()


FORBIDDEN = {
    "write to the system": "open('/etc/escucha-was-here', 'w')",
    "write to its own code": "open('/opt/code/cli.py', 'a')",
    "write beside its state": "open('/var/lib/escucha-was-here', 'w')",
    "read a home": "os.listdir('/root')",
    "change the kernel": "open('/proc/sys/kernel/hostname', 'w')",
    "see other processes": "open('/proc/1/cmdline').read()",
    "raw sockets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "a namespace": "made(ctypes.CDLL(None).unshare(0x10000000))",
    "become root": "os.setuid(0)",
    "mount": "made(ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "trace": "made(ctypes.CDLL(None).ptrace(0, 0, 0, 0))",
    "load a module": "made(ctypes.CDLL(None).syscall(175, 0, 0, b''))",
    "more of the machine": "os.sched_setaffinity(0, os.sched_getaffinity(0))",
    "set the clock": "time.clock_settime(time.CLOCK_REALTIME, time.time())",
    "read a disk": "open('/dev/sda', 'rb')",
}
ALLOWED = {
    "its state": "open('x', 'w').write('x')",
    "a file that passes": "open('/tmp/x', 'w').write('x')",
    "a connection": "socket.socket(socket.AF_INET).close(); socket.socket(socket.AF_UNIX).close()",
    "threads": "t = threading.Thread(target=print); t.start(); t.join()",
    "chance": "os.urandom(8); open('/dev/urandom', 'rb').read(1)",
    "another process": "subprocess.run(['/bin/true'], check=True)",
}
TRY = """
import ctypes, json, os, socket, subprocess, sys, threading, time
came = {}
def made(result):
    if result:
        raise OSError("refused")
for name, what in json.loads(sys.argv[1]).items():
    child = os.fork()
    if child == 0:
        try:
            exec(what)
        except BaseException as error:
            os.write(2, f"{name}: {error!r}\\n".encode())
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    came[name] = os.waitstatus_to_exitcode(status)
print("CAME", json.dumps(came))
"""


def test_what_the_unit_forbids_is_not_possible(state: Path) -> None:
    code = within(state, interpreter(), "-c", TRY, json.dumps(FORBIDDEN | ALLOWED))
    done = subprocess.run(code, cwd=ROOT, env=OUTSIDE, capture_output=True, text=True, timeout=60, check=False)
    assert "CAME" in done.stdout, done.stdout + done.stderr
    came = json.loads(done.stdout.partition("CAME ")[2])
    assert {name: came[name] for name in ALLOWED} == dict.fromkeys(ALLOWED, 0), done.stderr
    assert {name: came[name] for name in FORBIDDEN} == dict.fromkeys(FORBIDDEN, 7), done.stderr
    assert not Path("/etc/escucha-was-here").exists()
    assert not Path("/var/lib/escucha-was-here").exists()
