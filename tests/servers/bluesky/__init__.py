"""A whole Bluesky network on loopback for tests: the reference implementation itself (npm `@atproto/dev-env`).

`network.mjs` runs it under Node 22; `install` puts both into `node_modules`. It needs PostgreSQL for what its AppView
reads. It starts in some seconds and holds any number of accounts, so one serves a whole test run.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tests import postgres

FOLDER = Path(__file__).parent
POST = "app.bsky.feed.post"


def node() -> Path | None:
    """The Node 22 that `install` brought, once everything is there."""
    if not (FOLDER / "node_modules" / ".installed").exists():
        return None
    return next(FOLDER.glob("node_modules/node-linux-*/bin/node"), None)


@dataclass(frozen=True)
class Person:
    """An account, as its owner uses it: straight at the server."""

    network: Network = field(repr=False)
    did: str
    handle: str
    password: str
    token: str = field(repr=False)
    refresh: str = field(repr=False)

    def call(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.network.client.post(f"{self.network.pds}/xrpc/{name}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json() if answer.content else {})

    def ask(self, name: str, **params: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.network.client.get(f"{self.network.pds}/xrpc/{name}", params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return cast(dict[str, Any], answer.json())

    def post(
        self, text: str, *, late: timedelta = timedelta(0), naming: Person | None = None, **more: Any
    ) -> dict[str, str]:
        """Says something; gives its `uri` and `cid`. `naming`: a mention of that account stands before the text."""
        if naming is not None:
            name = f"@{naming.handle}"
            text = f"{name} {text}"
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": naming.did}
            more["facets"] = [{"index": {"byteStart": 0, "byteEnd": len(name)}, "features": [feature]}]
        record = {"$type": POST, "text": text, "createdAt": moment(late), **more}
        body = {"repo": self.did, "collection": POST, "record": record}
        made = self.call("com.atproto.repo.createRecord", body)
        return {"uri": made["uri"], "cid": made["cid"]}

    def edit(self, uri: str, text: str) -> None:
        key = uri.rpartition("/")[2]
        there = self.ask("com.atproto.repo.getRecord", repo=self.did, collection=POST, rkey=key)["value"]
        body = {"repo": self.did, "collection": POST, "rkey": key, "record": {**there, "text": text}}
        self.call("com.atproto.repo.putRecord", body)

    def delete(self, uri: str) -> None:
        key = uri.rpartition("/")[2]
        self.call("com.atproto.repo.deleteRecord", {"repo": self.did, "collection": POST, "rkey": key})

    def create(self, collection: str, record: dict[str, Any], *, key: str | None = None) -> None:
        """Writes any other record, such as a block."""
        body = {"repo": self.did, "collection": collection, "record": {"$type": collection, **record}}
        self.call("com.atproto.repo.createRecord", body | ({"rkey": key} if key else {}))

    def posts(self) -> list[dict[str, Any]]:
        """All its posts as they are kept, oldest first."""
        records = self.ask("com.atproto.repo.listRecords", repo=self.did, collection=POST, limit=100)["records"]
        return sorted(records, key=lambda record: str(record["value"]["createdAt"]))


class Network:
    """The running network. `pds` keeps the accounts, `appview` shows what they say."""

    def __init__(self, process: subprocess.Popen[str], addresses: dict[str, str]) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._people: dict[str, Person] = {}
        self.pds = addresses["pds"]
        self.appview = addresses["appview"]
        self.client = httpx.Client(timeout=30, trust_env=False)

    def person(self, name: str) -> Person:
        """A new account whose handle begins with that name."""
        handle, password = f"{name}{next(self._numbers)}", f"password-of-{name}"
        made = self.do("account", handle=handle, password=password)
        return Person(self, made["did"], made["handle"], password, made["accessJwt"], made["refreshJwt"])

    def somebody(self, name: str) -> Person:
        """The account of that name which everybody shares."""
        if name not in self._people:
            self._people[name] = self.person(name)
        return self._people[name]

    def owner(self, uri: str) -> Person:
        """Whose post that is, of those whom everybody shares."""
        return next(person for person in self._people.values() if person.did == uri.split("/")[2])

    def settle(self) -> None:
        """Waits until the AppView has read whatever was written."""
        self.do("settle")

    def do(self, verb: str, **given: Any) -> dict[str, Any]:
        """One of the verbs of network.mjs."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"verb": verb, **given}) + "\n")
            self._process.stdin.flush()
            answer = cast(dict[str, Any], json.loads(_line(self._process)))
        assert "error" not in answer, answer
        return answer


@contextmanager
def running() -> Iterator[Network]:
    """The network while the block runs. Skips where it is not installed; in CI it must be."""
    program = node()
    if program is None:
        assert not os.environ.get("CI"), "CI must have run tests/servers/bluesky/install"
        pytest.skip("the Bluesky network is not here: run tests/servers/bluesky/install")
    with postgres.server() as database:
        # It asks for a Redis and then never uses it.
        settings = {**os.environ, "DB_POSTGRES_URL": database, "REDIS_HOST": "127.0.0.1:1", "LOG_ENABLED": "false"}
        process = subprocess.Popen(
            [str(program), "network.mjs"],
            cwd=FOLDER,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            network = Network(process, json.loads(_line(process)))
            with network.client:
                yield network
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


def moment(late: timedelta = timedelta(0)) -> str:
    """Now, or that much earlier, as an app of Bluesky's writes it."""
    return (datetime.now(UTC) - late).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return line
    raise AssertionError("the Bluesky network ended")
