"""A company in a folder of its own: a policy, settings for local servers, and `escucha` in processes of its own.

company = Company(folder, server)       the Mastodon server answers; commands and daemons are started one by one
with brood(hurry=2) as born:            or forked ready to go, which takes milliseconds; see `brood.py`
    born.escucha(folder, "run")
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from tests.servers.mastodon import TOKEN, MastodonServer

ROOT = Path(__file__).parents[2]
QUESTION = "@marca ¿cuánto cuesta el plan de fibra?"  # the model is sure about this one
ANOTHER = "@marca ¿cuánto cuesta el plan de fibra de {} megas?"  # many alike would be a campaign


def policy(*, when: str = "{network: mastodon}", then: str = "{reply: answer, case: {}}") -> str:
    """A policy of one rule that answers with the reference of the case."""
    return f"""
name: Test
mode: auto
cases: every
language: es
default_team: care
teams: {{care: {{what: everything}}}}
guard: {{per_author_per_day: 5, per_thread: 5, per_hour: 120, min_confidence: 0.5}}
templates:
  answer: {{es: ["Lo vemos en {{{{ case.reference }}}}."], en: ["We look into {{{{ case.reference }}}}."]}}
rules:
  - name: everything
    when: {when}
    then: {then}
"""


def account(name: str, network: str, *, source: str = "", **values: str) -> str:
    """The settings of an account and of its one source, what addresses it, which is looked at every second."""
    own = "".join(f'{key} = "{value}"\n' for key, value in values.items())
    listens = f'[[sources]]\nname = "{source or name}"\naccount = "{name}"\nquery = "mentions"\nevery = "1s"\n'
    return f'[accounts.{name}]\nnetwork = "{network}"\n{own}{listens}'


def settle(folder: Path, policy: str, *parts: str, daemon: str = "") -> None:
    """Writes the policy and the settings. `daemon`: more of its settings, a line each."""
    (folder / "policy.yaml").write_text(policy, encoding="utf-8")
    written = "".join(['[policy]\nfile = "policy.yaml"\n', *parts, f'[daemon]\ntick = "1s"\n{daemon}'])
    (folder / "escucha.toml").write_text(written, encoding="utf-8")


POLICY = policy()


class Process(Protocol):
    """What `subprocess.Popen` and `Forked` have in common."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float = ...) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """A process that a brood forked, as `subprocess.Popen` has one."""

    def __init__(self, pid: int, ended: Path) -> None:
        self.pid, self._ended = pid, ended

    def poll(self) -> int | None:
        """Its exit code once it is gone, -9 where it was killed; None as long as it lives."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return None
        return int(self._ended.read_text()) if self._ended.exists() else -signal.SIGKILL

    def wait(self, timeout: float = 120) -> int:
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < until, "it does not end"
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Brood:
    """The program that forks one process after another, with all loaded."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program, self._born = program, itertools.count(1)

    def escucha(
        self, folder: Path, *arguments: str, environment: Mapping[str, str], log: str = "log", errors: str = ""
    ) -> Forked:
        """Runs that command there. What it says goes to the file `log` of that folder, or apart to `errors`."""
        ended = folder / f"ended-{next(self._born)}"
        for each in {log, errors or log}:
            (folder / each).touch()  # whoever reads it at once finds nothing said yet
        asked = {"folder": str(folder), "arguments": arguments, "environment": environment, "ended": str(ended)}
        asked |= {"log": str(folder / log), "errors": str(folder / (errors or log))}
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(json.dumps(asked) + "\n")
        self._program.stdin.flush()
        return Forked(int(self._program.stdout.readline()), ended)


@contextmanager
def brood(*, hurry: float | None = None, **environment: str) -> Iterator[Brood]:
    """One, with no setting of ours in its environment; whoever lives at the end is killed. `hurry`: see `brood.py`."""
    command = [sys.executable, "-m", "tests.system.brood", *([] if hurry is None else [str(hurry)])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ESCUCHA_")}
    around = clean | {"PYTHONPATH": str(ROOT)} | environment
    pipe = subprocess.PIPE
    program = subprocess.Popen(command, cwd=ROOT, env=around, stdin=pipe, stdout=pipe, text=True)
    try:
        yield Brood(program)
    finally:
        program.communicate(timeout=60)


class Company:
    """A folder with settings for the local server, and the commands run in it, behind `before` where that is set."""

    before: tuple[str, ...] = ()

    def __init__(self, folder: Path, server: MastodonServer, born: Brood | None = None) -> None:
        """`born`: what daemons and commands are forked from; None: each loads by itself all it needs, the model too."""
        self.folder, self._born = folder, born
        settle(folder, POLICY, account("care", "mastodon", source="mentions", instance=server.url))
        self.environment = os.environ | {"ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        self.daemons: list[Process] = []

    def start(self, *arguments: str, **more: str) -> Process:
        """One more daemon, with `more` in its environment."""
        daemon: Process
        if self._born:
            daemon = self._born.escucha(self.folder, "run", *arguments, environment=self.environment | more)
        else:
            command = [*self.before, sys.executable, "-m", "cli", "run", *arguments]
            with (self.folder / "log").open("a") as log:
                daemon = subprocess.Popen(
                    command, cwd=self.folder, env=self.environment | more, stdout=log, stderr=log, text=True
                )
        self.daemons.append(daemon)
        return daemon

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        if self._born:
            files = (self.folder / "said", self.folder / "wrong")
            for each in files:
                each.unlink(missing_ok=True)
            typed = self._born.escucha(
                self.folder, *arguments, environment=self.environment, log="said", errors="wrong"
            )
            ended = typed.wait()
            said, wrong = (each.read_text(encoding="utf-8") for each in files)
        else:
            command = [*self.before, sys.executable, "-m", "cli", *arguments]
            done = subprocess.run(
                command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False
            )
            ended, said, wrong = done.returncode, done.stdout, done.stderr
        assert ended == code, said + wrong
        return said

    def status(self) -> Any:
        return json.loads(self("status", "--json"))

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line.startswith("{")]

    def started(self) -> int:
        """How many daemons said so."""
        return sum(line["action"] == "started" for line in self.log())

    def end(self) -> None:
        """Nobody lives on."""
        for daemon in self.daemons:
            daemon.send_signal(signal.SIGCONT)
            daemon.kill()
            daemon.wait()


def eventually(what: Callable[[], Any], *, within: float = 60) -> None:
    """Waits until `what()` is true."""
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.1)


def answered(server: MastodonServer) -> Counter[str]:
    return Counter(row["in_reply_to_id"] for row in server.posts_by("marca"))
