"""A hub of models for tests, on loopback, speaking the wire protocol of the Hugging Face hub.

    with HubServer() as hub:
        commit = hub.publish("marca/sentiment", {"config.json": b"...", "model.safetensors": b"..."})
        hub.fail("cut", path="model.safetensors", after=1000)

What the real one does and this one too: `/api/models/NAME/revision/REV?blobs=true` lists files with their size, git's
hash and, for large ones, SHA-256; `/NAME/resolve/REV/FILE` answers small files itself and sends for large ones to
another server (`/cdn/…`, signed, without the token), with `ETag`, `X-Repo-Commit`, `X-Linked-Etag`, `X-Linked-Size`
and ranges; refusals carry `X-Error-Code`. A repository may be gated: then it wants `token`.

Faults (`fail(kind, path=…, times=…)`): a status such as `401`, `404`, `429`, `503`; `cut` (the connection ends `after`
bytes), `wrong` (other bytes of the same length), `longer`, `silent`, `no range` (answers 200 to a range), `off by one`
(a range that begins elsewhere), `nonsense` (HTML), `circle` (redirects to itself), `down` (redirects to `to`),
`heavy` (redirects to itself, with a body that never comes), `drip` (the content `piece` bytes at a time), `prelude`
(interim answers without end), `hollow` (a compressed body without end that unpacks to nothing).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".model", ".h5")  # what the real hub keeps outside git


@dataclass
class Repository:
    """One model's repository: files by commit, and what branches and tags point to."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    licence: str = ""


@dataclass
class Fault:
    kind: str
    path: str
    times: int
    options: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]


def git_hash(content: bytes) -> str:
    """Git's name for a file with that content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubServer:
    """Listens on a port of its own while the `with` block runs."""

    def __init__(self, *, token: str = "") -> None:
        self.token = token
        self.asked: list[Asked] = []
        self._repositories: dict[str, Repository] = {}
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(self)) for _ in ("hub", "cdn")]
        self.url, self.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            for server in self._servers
        ]

    def __enter__(self) -> Self:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.daemon_threads = True
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    def publish(
        self, name: str, files: dict[str, bytes], *, branch: str = "main", gated: bool = False, licence: str = ""
    ) -> str:
        """Commits those files as the newest of a branch; gives the commit."""
        repository = self._repositories.setdefault(name, Repository())
        seed = name + branch + str(len(repository.commits)) + "".join(map(git_hash, files.values()))
        commit = hashlib.sha1(seed.encode()).hexdigest()
        repository.commits[commit] = dict(files)
        repository.names[branch] = commit
        repository.gated, repository.licence = gated, licence
        return commit

    def fail(self, kind: str, *, path: str = "", times: int = 1, **options: Any) -> None:
        """The next `times` requests whose path contains `path` go wrong that way."""
        with self._lock:
            self._faults.append(Fault(kind, path, times, options))

    def requests(self, part: str) -> list[Asked]:
        """What was asked so far of paths that contain `part`."""
        return [asked for asked in self.asked if part in asked.path]

    def _fault(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.path in path:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            return

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # whoever asked has gone
                super().handle()

        def do_GET(self) -> None:
            hub.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
            parts = urlsplit(self.path)
            if found := re.fullmatch(r"/cdn/([^/]+)/(\w+)/(.+)", parts.path):
                self.file(unquote(found[1]), found[2], unquote(found[3]), hub._fault(self.path), at_cdn=True)
            elif found := re.fullmatch(r"/api/models/(.+)/revision/([^/]+)", parts.path):
                self.list_files(found[1], unquote(found[2]), "blobs" in parse_qs(parts.query))
            elif found := re.fullmatch(r"/(.+)/resolve/([^/]+)/(.+)", parts.path):
                self.resolve(found[1], unquote(found[2]), unquote(found[3]))
            else:
                self.refuse(404, "")

        # --- the protocol ---

        def list_files(self, name: str, revision: str, blobs: bool) -> None:
            fault = hub._fault(self.path)
            if fault and self.misbehave(fault, b"", {}):
                return
            repository = hub._repositories.get(name)
            if repository is None:  # the real one does not tell strangers what there is
                self.refuse(401 if "Authorization" not in self.headers else 404, "RepoNotFound")
                return
            commit = repository.names.get(revision, revision)
            if commit not in repository.commits:
                self.refuse(404, "RevisionNotFound")
                return
            files = repository.commits[commit].items()
            body: dict[str, Any] = {
                "id": name,
                "sha": commit,
                "private": False,
                "gated": "auto" if repository.gated else False,
                "siblings": [self.sibling(path, content) if blobs else {"rfilename": path} for path, content in files],
            }
            if repository.licence:
                body["cardData"] = {"license": repository.licence}
            self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

        def sibling(self, path: str, content: bytes) -> dict[str, Any]:
            if not path.endswith(LARGE):
                return {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
            pointer = b"version https://git-lfs.github.com/spec/v1\n"
            return {
                "rfilename": path,
                "size": len(content),
                "blobId": git_hash(pointer),
                "lfs": {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": len(pointer),
                },
            }

        def resolve(self, name: str, revision: str, path: str) -> None:
            fault = hub._fault(self.path) if not path.endswith(LARGE) else None
            repository = hub._repositories.get(name)
            commit = repository.names.get(revision, revision) if repository else ""
            if repository is None or commit not in repository.commits:
                self.refuse(404, "RepoNotFound" if repository is None else "RevisionNotFound")
            elif repository.gated and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self.refuse(403 if "Authorization" in self.headers else 401, "GatedRepo")
            elif path not in repository.commits[commit]:
                self.refuse(404, "EntryNotFound")
            elif path.endswith(LARGE):
                content = repository.commits[commit][path]
                linked = {
                    "X-Repo-Commit": commit,
                    "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                    "X-Linked-Size": str(len(content)),
                    "Location": f"{hub.cdn}/cdn/{quote(name, safe='')}/{commit}/{quote(path)}?signature=abc",
                }
                self.answer(302, b"", linked)
            else:
                self.file(name, commit, path, fault, at_cdn=False)

        def file(self, name: str, commit: str, path: str, fault: Fault | None, *, at_cdn: bool) -> None:
            content = hub._repositories[name].commits[commit][path]
            etag = hashlib.sha256(content).hexdigest() if at_cdn else git_hash(content)
            headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"} | ({} if at_cdn else {"X-Repo-Commit": commit})
            if fault and self.misbehave(fault, content, headers):
                return
            if at_cdn and "Authorization" in self.headers:
                self.refuse(400, "")  # as signed addresses do
                return
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if not wanted or (fault and fault.kind == "no range"):
                self.answer(200, content, headers)
                return
            start = int(wanted[1]) + (1 if fault and fault.kind == "off by one" else 0)
            if start >= len(content):
                self.answer(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
                return
            ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            self.answer(206, content[start:], headers | ranged)

        # --- answers ---

        def misbehave(self, fault: Fault, content: bytes, headers: dict[str, str]) -> bool:
            """Whether the fault was an answer of its own."""
            if fault.kind.isdecimal():
                self.answer(int(fault.kind), b"", fault.options.get("headers", {}))
            elif fault.kind == "cut":
                wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                start = int(wanted[1]) if wanted else 0
                ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if wanted else {}
                rest = content[start:]
                self.answer(206 if wanted else 200, rest, headers | ranged, stop_after=fault.options.get("after", 0))
            elif fault.kind == "wrong":
                self.answer(200, bytes(len(content)), headers)
            elif fault.kind == "longer":
                self.answer(200, content + b"more", headers)
            elif fault.kind == "silent":
                hub._closing.wait(60)
                self.close_connection = True
            elif fault.kind == "nonsense":
                self.answer(200, b"<!doctype html><title>Sign in to the hotel</title>", {"Content-Type": "text/html"})
            elif fault.kind in ("circle", "down"):
                self.answer(302, b"", {"Location": fault.options.get("to", self.path)})
            elif fault.kind == "heavy":
                self.send_response_only(302)
                self.send_header("Location", self.path)
                self.send_header("Content-Length", str(10**12))
                self.end_headers()
                hub._closing.wait(60)
                self.close_connection = True
            elif fault.kind == "drip":
                self.send_response_only(200)
                self.send_header("Content-Length", str(len(content) or 10**6))
                self.end_headers()
                whole, size = content or bytes(10**6), fault.options.get("piece", 1)
                self.keep_sending(whole[start : start + size] for start in range(0, len(whole), size))
            elif fault.kind == "prelude":
                self.keep_sending(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 300))
            elif fault.kind == "hollow":
                self.send_response_only(200)
                self.send_header("Content-Encoding", "gzip")
                self.end_headers()
                self.wfile.write(b"\x1f\x8b\x08" + bytes(6) + b"\xff")
                self.keep_sending(itertools.repeat(b"\x00\x00\x00\xff\xff" * 2000))
            else:
                return False
            return True

        def keep_sending(self, pieces: Iterable[bytes]) -> None:
            """Until the other side has gone, or all is said."""
            for piece in pieces:
                self.wfile.write(piece)
                if hub._closing.wait(0.001):
                    break
            self.close_connection = True

        def refuse(self, status: int, code: str) -> None:
            self.answer(status, b'{"error":"no"}', {"X-Error-Code": code} if code else {})

        def answer(self, status: int, body: bytes, headers: dict[str, str], *, stop_after: int | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if stop_after is None:
                self.wfile.write(body)
                return
            self.wfile.write(body[:stop_after])
            self.wfile.flush()
            self.close_connection = True

    return Handler
