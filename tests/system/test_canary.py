"""Secrets stay where they were put: a canary in each, everything run, and every byte that was written looked at.

Each secret of the settings and the environment is a canary of its own. The networks, CRMs and targets are a server that
repeats in its refusals whatever it was told, headers and all. Then every command is called, rightly and wrongly, with
`--json` and without; the daemon runs at `debug` with its door, its metrics and its traces, dies of a bug, and is
killed. What came out of it (output, logs, tracebacks, answers over HTTP, every file, every row of the database, in
plain, as base64, in hex, as in an address) is searched for each canary.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import click
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

import cli
import connectors
import policies
from listener import log
from listener.commands.app import App
from tests import postgres
from tests.listener.commands.conftest import Steady, _nothing_left_behind
from tests.servers.mastodon import MastodonServer
from tests.servers.salesforce import Salesforce
from tests.system.company import POLICY, ROOT, eventually
from tests.test_docs import commands

__all__ = ["_nothing_left_behind"]

pytestmark = pytest.mark.slow

DATABASE = "ESCUCHA_DATABASE__URL"
LOOKS = (("status",), ("doctor",), ("config", "show"), ("db", "check"), ("crm", "list"), ("audit", "show"), ("inbox",))
NOT_HERE = ("run", "demo", "model train", "model eval")  # played on their own, or minutes long and without any secret
SETTINGS = """
[policy]
file = "policy.yaml"
[database]
url = "sqlite:///escucha.db"
[daemon]
tick = "1s"
log_level = "debug"
log_format = "json"
listen = "127.0.0.1:{door}"
watch = "127.0.0.1:{watch}"
traces = "{echo}/v1/traces"
[accounts.care]
network = "mastodon"
instance = "{mastodon}"
[accounts.sky]
network = "bluesky"
handle = "marca.test"
service = "{echo}"
appview = "{echo}"
jetstream = ""
session_file = "sky.json"
[accounts.forum]
network = "reddit"
client_id = "app"
username = "marca"
subreddit = "marca"
oauth_url = "{echo}"
reddit_url = "{echo}"
[accounts.birds]
network = "x"
api = "{echo}"
[accounts.post]
network = "mail"
address = "care@brand.example"
imap_host = "127.0.0.1"
imap_port = {parrot}
imap_security = "none"
smtp_host = "127.0.0.1"
smtp_port = {parrot}
smtp_security = "none"
[alerts.ops]
[crm.erp]
system = "webhook"
url = "{echo}/crm/{in_address}"
sends = ["cases", "customers"]
[crm.sf]
system = "salesforce"
domain = "brand.my"
username = "bot@brand.example"
every = "10s"
sends = ["cases"]
[[sources]]
name = "mentions"
account = "care"
query = "mentions"
every = "1s"
"""
SOURCES = "".join(
    f'[[sources]]\nname = "{name}"\naccount = "{name}"\nquery = "mentions"\nevery = "1s"\n'
    for name in ("sky", "forum", "birds", "post")
)
BUG = """
import runpy, sys
from listener.store import stats
def broken(tx):
    import os
    raise RuntimeError("a bug that quotes " + " ".join(v for k, v in os.environ.items() if k in {names}))
stats.counts = broken
sys.argv = ["escucha", *{arguments}]
runpy.run_module("cli", run_name="__main__")
"""


class Echo:
    """Refuses everything, in ever other ways, and repeats all that it was told, as some servers do."""

    STATUSES = (401, 400, 403, 500, 422, 200, 404, 503)

    def __enter__(self) -> Self:
        echo = self
        self.asked = 0
        self.traces: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = echo.STATUSES[echo.asked % len(echo.STATUSES)]
                echo.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/v1/traces":
                    echo.traces.append(body)
                came = body.decode("utf-8", "replace")
                shown = self.headers.get("Authorization", "")
                with suppress(ValueError):
                    shown += " " + base64.b64decode(shown.partition(" ")[2]).decode("utf-8", "replace")
                words = f"not you: {self.path} {shown} {came} {dict(self.headers)}"
                told = json.dumps(
                    {"error": words, "message": words, "detail": words, "title": words, "errors": [{"message": words}]}
                    | {"error_description": words}
                ).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.send_header("X-Repeated", quote(words)[:4000])
                self.end_headers()
                self.wfile.write(told)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Parrot:
    """A mail server that repeats each line in its refusal."""

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked = 0
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._socket.accept()
                threading.Thread(target=self._one, args=(link,), daemon=True).start()

    def _one(self, link: socket.socket) -> None:
        with suppress(OSError), link, link.makefile("rb") as lines:
            link.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
            for line in lines:
                self.asked += 1
                tag, _, word = line.strip().partition(b" ")
                if word.upper().startswith(b"CAPABILITY"):
                    link.sendall(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
                    continue
                with suppress(ValueError):
                    word += b" " + base64.b64decode(word.rpartition(b" ")[2])
                link.sendall(tag + b" NO you said " + word.replace(b"\0", b" ") + b"\r\n")


class Repeating(Salesforce):
    """An organisation that lets nobody in, and repeats what it was shown."""

    asked = 0

    def token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, Any]:
        self.asked += 1
        shown = base64.b64decode(authorization.partition(" ")[2]).decode("utf-8", "replace")
        return 400, {"error": "invalid_client", "error_description": f"not you: {form} {authorization} {shown}"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class World:
    """A company whose every secret is a canary."""

    def __init__(
        self, folder: Path, mastodon: MastodonServer, echo: Echo, parrot: Parrot, org: Repeating, postgres: str = ""
    ) -> None:
        """`postgres`: the address of the database; empty for SQLite."""
        self.folder, self.mastodon, self.echo, self.org = folder, mastodon, echo, org
        self.postgres = postgres
        self.door, self.watch = free_port(), free_port()
        self.canaries: dict[str, str] = {}
        self.written: list[tuple[str, str]] = []  # what, and its words
        token = self.plant("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN")
        mastodon.tokens = {token: "marca"}
        self.plant("ESCUCHA_ACCOUNTS__SKY__APP_PASSWORD")
        self.plant("ESCUCHA_ACCOUNTS__FORUM__CLIENT_SECRET")
        self.plant("ESCUCHA_ACCOUNTS__FORUM__PASSWORD", in_file=True)
        for key in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET", "BEARER_TOKEN"):
            self.plant(f"ESCUCHA_ACCOUNTS__BIRDS__{key}")
        self.plant("ESCUCHA_ACCOUNTS__POST__PASSWORD")
        self.plant("ESCUCHA_ALERTS__OPS__SECRET", key=True)
        self.plant("ESCUCHA_ALERTS__OPS__WEBHOOK", before=f"{echo.url}/hooks/")
        self.plant("ESCUCHA_CRM__ERP__SECRET", key=True)
        for key in ("CONSUMER_KEY", "CONSUMER_SECRET", "PASSWORD"):
            self.plant(f"ESCUCHA_CRM__SF__{key}")
        if postgres:
            self.plant(DATABASE, before="postgresql://escucha:", after=f"@{postgres.partition('@')[2]}")
        self.plant("ESCUCHA_AUDIT__KEY")
        self.plant("HF_TOKEN")
        self.plant("OTEL_EXPORTER_OTLP_HEADERS", before="Authorization=Bearer%20")
        self.canaries["in an address"] = "canary" + secrets.token_hex(12)
        for name, value in (("HF_ENDPOINT", echo.url), ("EDITOR", "true"), ("TMPDIR", str(folder / "tmp"))):
            os.environ[name] = value
        (folder / "tmp").mkdir()
        (folder / "policy.yaml").write_text(POLICY.replace("case: {}", "case: {}, alert: ops"), encoding="utf-8")
        settings = SETTINGS.format(
            door=self.door,
            watch=self.watch,
            echo=echo.url,
            mastodon=mastodon.url,
            parrot=parrot.port,
            in_address=self.canaries["in an address"],
        )
        (folder / "escucha.toml").write_text(settings + SOURCES, encoding="utf-8")

    def plant(self, name: str, *, key: bool = False, before: str = "", after: str = "", in_file: bool = False) -> str:
        """A canary as that variable's value, or a part of it."""
        canary = base64.b64encode(secrets.token_bytes(32)).decode() if key else f"canary{secrets.token_hex(12)}"
        self.canaries[name] = canary
        if in_file:
            file = self.folder.parent / f"{self.folder.name}-{name}"
            file.write_text(canary + "\n", encoding="utf-8")
            os.environ[f"{name}_FILE"] = str(file)
        else:
            os.environ[name] = before + canary + after
        return canary

    def run(self, *arguments: str, input: str = "") -> str:
        """One command in this process; what it printed."""
        app = App(connectors=connectors, policies=policies, config_path=Path("escucha.toml"))
        app.__dict__["classifier"] = Steady()
        done = CliRunner().invoke(cli.escucha, arguments, input=input, obj=app)
        words = done.output
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            cli_said = cli._masked(str(done.exception))  # what `main` would print of it
            words += cli_said
        self.written.append((f"escucha {' '.join(arguments)}", words))
        return words

    def daemon(self, *prefix: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / "daemon.log").open("ab") as file:
            command = [sys.executable, *(prefix or ("-m", "cli", "run"))]
            environment = os.environ | {"PYTHONPATH": str(ROOT)} | more
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=file, stderr=file)

    def ask(self, port: int, method: str, path: str, **how: Any) -> int:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        link.request(method, path, **how)
        answer = link.getresponse()
        self.written.append((f"{method} {path}", f"{answer.headers}{answer.read().decode()}"))
        link.close()
        return answer.status

    def found(self) -> list[str]:
        """Each place where a canary shows."""
        places = [(what, words.encode("utf-8", "surrogateescape")) for what, words in self.written]
        places += [(str(file), file.read_bytes()) for file in sorted(self.folder.rglob("*")) if file.is_file()]
        places += [("a trace", body) for body in self.echo.traces]
        places += rows(self.postgres) if self.postgres else []
        shown = []
        for name, canary in self.canaries.items():
            forms = forms_of(canary)
            for what, words in places:
                if name == "in an address" and what.endswith("escucha.toml"):
                    continue  # where a person wrote it
                shown += [
                    f"{name} as {form} in {what}: …{words[max(0, words.index(bytes_) - 120) :][:240]!r}"
                    for form, bytes_ in forms.items()
                    if bytes_ in words
                ]
        return shown


def rows(url: str) -> list[tuple[str, bytes]]:
    """Each table of the database, the queue's too, as (name, all that stands in it), and the server's log."""
    with psycopg.connect(url) as link:
        query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        named = [each for each in link.execute(query).fetchall() if each[0] not in ("pg_catalog", "information_schema")]
        found = []
        for schema, table in named:
            every = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
            words = "\n".join(row[0] for row in link.execute(every).fetchall())
            found.append((f"{schema}.{table}", words.encode()))
    return [*found, ("the server's log", (Path(url.partition("host=")[2]) / "log").read_bytes())]


def forms_of(canary: str) -> dict[str, bytes]:
    """How a secret may look. base64 has three forms, by where in it the secret begins."""
    plain = canary.encode()
    forms = {"itself": plain, "hex": plain.hex().encode(), "an address": quote(canary, safe="").encode()}
    forms["reversed"] = plain[::-1]
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + plain)
        forms[f"base64 {shift}"] = coded[(8 if shift else 0) : -4]
    if canary.endswith("="):
        forms["its bytes in hex"] = base64.b64decode(canary).hex().encode()
        forms["its bytes"] = base64.b64decode(canary)
    return forms


@contextmanager
def company(folder: Path, monkeypatch: pytest.MonkeyPatch, postgres: str = "") -> Iterator[World]:
    """A world in a new folder within that one; the environment is put back at the end."""
    home = folder / "company"
    home.mkdir()
    monkeypatch.chdir(home)
    for name in ("HF_TOKEN", "HF_ENDPOINT", "EDITOR", "TMPDIR", "OTEL_EXPORTER_OTLP_HEADERS"):
        monkeypatch.setenv(name, "")
    with MastodonServer() as mastodon, Echo() as echo, Parrot() as parrot, Repeating(folder) as org:
        for name, value in org.environment.items():
            monkeypatch.setenv(name, value)
        yield World(home, mastodon, echo, parrot, org, postgres)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with company(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same on PostgreSQL."""
    with postgres.server() as url, company(tmp_path, monkeypatch, url) as made:
        yield made


def typed(path: tuple[str, ...], command: click.Command, value: str) -> list[str]:
    """That command with a value for whatever it demands."""
    given = list(path)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            given += [value] if parameter.required else []
        elif parameter.required:
            given += [parameter.opts[0], value]
    return given


def test_no_secret_shows_anywhere(world: World) -> None:
    ana = world.mastodon.person("ana")
    ana.post("@marca ¿cuánto cuesta el plan de fibra?")
    world.run("run", "--once")
    assert world.echo.asked >= 3, "nobody was asked: nothing was tested"
    assert world.org.asked, "Salesforce was not asked"
    everything = [(path, command) for path, command in commands(cli.escucha) if " ".join(path) not in NOT_HERE]
    assert len(everything) > 150
    for path, command in everything:
        world.run(*typed(path, command, "1"))
        if any("--json" in parameter.opts for parameter in command.params):
            world.run(*typed(path, command, "1"), "--json")
    for name in connectors.available():
        world.run("source", "add", name, input="\n" * 10)
    world.run("doctor")
    world.run("config", "show", "--json")
    world.run("model", "import", "owner/name")
    world.run("db", "backup", "backup.db")
    token = world.run("access", "add", "prometheus", "--for", "metrics", "--json")
    assert "esc_" in token, "what is shown once was shown"
    world.written.pop()
    world.canaries["an access"] = json.loads(token)["token"]
    world.run("access", "list", "--all", "--json")

    running = world.daemon()
    try:
        log_file = world.folder / "daemon.log"
        eventually(lambda: b'"started"' in log_file.read_bytes(), within=90)
        for number in range(3):
            world.mastodon.person(f"p{number}").post(f"@marca ¿cuánto cuesta el plan de fibra de {100 + number} megas?")
        for header in ("Authorization", "webhook-signature", "webhook-id"):
            for name in ("ESCUCHA_CRM__ERP__SECRET", "an access"):
                shown = {header: f"Bearer {world.canaries[name]}"}
                assert world.ask(world.door, "POST", "/crm/erp", body=b"{}", headers=shown) == 401
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            world.ask(world.watch, "GET", path, headers={"Authorization": f"Bearer {world.canaries['an access']}"})
        eventually(lambda: len(world.mastodon.posts_by("marca")) >= 2, within=60)
        time.sleep(2)
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
    bug = BUG.format(names=repr(sorted(world.canaries)), arguments=["status"])
    assert world.daemon("-c", bug).wait(60) == 1
    reports = list((world.folder / "tmp").glob("escucha-bug-*"))
    assert reports, "nothing broke: nothing was tested"
    assert any(b"a bug that quotes" in file.read_bytes() for file in reports)
    found = world.found()
    assert not found, "\n".join(found)
    entries = [json.loads(line) for line in log_file.read_text("utf-8").splitlines() if line.startswith("{")]
    assert {"debug", "info"} <= {entry["level"] for entry in entries}


def test_no_secret_shows_where_processes_share_the_work(shared: World) -> None:
    """On PostgreSQL, whose password is one of them, by a process for each role; and while the database is away."""
    shared.mastodon.person("ana").post("@marca ¿cuánto cuesta el plan de fibra?")
    running = []
    try:
        watches = []
        for role in ("poll", "work", "send"):
            watches.append(free_port())
            at = {"ESCUCHA_DAEMON__WATCH": f"127.0.0.1:{watches[-1]}"}
            running.append(shared.daemon("-m", "cli", "run", "--role", role, **at))
        eventually(lambda: shared.mastodon.posts_by("marca"), within=150)
        eventually(lambda: shared.org.asked, within=60)
        for port in watches:
            for path in ("/metrics", "/healthz", "/readyz"):
                assert shared.ask(port, "GET", path) == 200
        for arguments in LOOKS:
            shared.run(*arguments)
            shared.run(*arguments, "--json")
        shared.run("db", "backup", "backup.db")
        running[1].kill()
        for each in (running[0], running[2]):
            each.send_signal(signal.SIGTERM)
            assert each.wait(60) == 0
    finally:
        for each in running:
            each.kill()
            each.wait()
    bug = BUG.format(names=repr(sorted(shared.canaries)), arguments=["status"])
    assert shared.daemon("-c", bug).wait(60) == 1
    away = os.environ[DATABASE].replace("host=", "host=/nowhere")
    os.environ[DATABASE] = away
    for arguments in (*LOOKS, ("db", "upgrade"), ("run", "--role", "work")):
        assert shared.run(*arguments), "it says something"
    assert shared.daemon("-m", "cli", "run", "--role", "all").wait(60) != 0
    assert shared.echo.traces, "nobody traced: nothing was tested"
    assert list((shared.folder / "tmp").glob("escucha-bug-*")), "nothing broke: nothing was tested"
    found = shared.found()
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", ["output", "file", "database"])
def test_a_canary_that_got_out_is_found(world: World, place: str) -> None:
    """The measure of the other test."""
    canary = world.canaries["ESCUCHA_CRM__ERP__SECRET"]
    assert world.found() == []
    if place == "output":
        world.written.append(("x", f"the key is {quote(canary, safe='')}"))
    elif place == "file":
        (world.folder / "x.bin").write_bytes(b"\0\1" + base64.b64encode(b"u:" + canary.encode()))
    else:
        world.run("customer", "add", "C-1", "--name", canary)
    assert any("ESCUCHA_CRM__ERP__SECRET" in shown for shown in world.found())


def test_a_canary_in_a_table_of_postgresql_is_found(shared: World) -> None:
    shared.run("customer", "add", "C-1", "--name", shared.canaries[DATABASE])
    assert any(shown.startswith(f"{DATABASE} as itself in public.customers") for shown in shared.found())


def test_what_hides_secrets_knows_each_of_them(world: World) -> None:
    """The log's list is made from the settings; what stands outside of them is hidden where it is read."""
    world.run("status")
    named = {name for name in world.canaries if name.startswith("ESCUCHA_")}
    missing = {name for name in named if log.masked(f"a {world.canaries[name]} b") != f"a {log.MASK} b"}
    webhook = {"ESCUCHA_ALERTS__OPS__WEBHOOK"}  # of which the path is hidden, as one
    assert missing <= webhook
    assert world.canaries["ESCUCHA_ALERTS__OPS__WEBHOOK"] not in log.masked(
        urlsplit(os.environ[next(iter(webhook))]).path
    )
