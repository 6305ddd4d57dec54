"""A Mastodon server for tests and for trying things out: its wire protocol, on loopback, with people one can move.

    with MastodonServer() as server:
        server.person("ana").post("Sin señal en Lleida #telecom")
        server.fail("POST /api/v1/statuses", "cut_after")

As a process of its own it prints its address on the first line and keeps its state in a file, if one is given:

    python -m tests.servers.mastodon --port 0 --state /tmp/mastodon.jsonl
    python -m tests.servers.mastodon --play

Written from Mastodon's documentation and the shapes of real answers. `other=True` makes it a server that is not
Mastodon: UUIDs for ids, local authors as `user@host`, no rate-limit headers, no lookup of several statuses.

Faults (`fail(route, kind, times=…)`; the route is a regular expression over "METHOD /path"):

    401 403 404 422 500 502 503 …   that status, as Mastodon words it    429 / 429_bare   with / without a reset time
    html (status=…)                 a proxy's page                       truncated        JSON that breaks off
    wrong_type                      JSON of another shape                huge             more than anybody should read
    slow                            a body that trickles                 redirect (to=…)  somewhere else (status=302)
    timeout_before / timeout_after  no answer; the request took (no) effect
    cut_before / cut_after          the connection breaks; the request took (no) effect
    500_after                       an error although it took effect
    bad_headers                     all is well but the headers are nonsense
    last_allowed                    all is well and no request is left until the reset

Streams go wrong in ways of their own, see `tests/servers/mastodon_streaming.py`.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import socket
import threading
import time
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.servers.mastodon_streaming import KINDS, Streams

BRAND = "marca"
TOKEN = "marca-token-5f1d2c9ab7"
KEY_KEPT = 3600.0
DOMAIN = "pruebas.example"  # what a server that is not Mastodon calls itself in its own authors' handles

Row = dict[str, Any]

_TAG = re.compile(r"(?<![\w/&])#([\w·]*[^\W\d_][\w·]*)")
_MENTION = re.compile(r"(?<![\w/=])@([A-Za-z0-9_]+)(?:@([\w.-]*\w))?")
_URL = re.compile(r"https?://[^\s<>\"'）」]+[^\s<>\"'.,;:!?）」]")


@dataclass
class Fault:
    """What goes wrong, and how often still."""

    route: re.Pattern[str]
    kind: str
    times: int
    options: Row


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    form: Row


@dataclass
class Person:
    """Somebody on the server, as a test moves them."""

    server: MastodonServer
    acct: str

    @property
    def id(self) -> str:
        """The account's id."""
        return str(self.server.accounts[self.acct]["id"])

    def post(self, text: str, **more: Any) -> str:
        """Says it; gives the id. For `more` see `MastodonServer.add_status`."""
        return str(self.server.add_status(self.acct, text, **more)["id"])

    def reply(self, to: str, text: str, **more: Any) -> str:
        """Answers that post; gives the id."""
        return self.post(text, in_reply_to_id=to, **more)

    def edit(self, status_id: str, text: str) -> None:
        """Changes one of their posts."""
        self.server.edit_status(status_id, text)

    def delete(self, status_id: str) -> None:
        """Deletes one of their posts."""
        self.server.delete_status(status_id)


@dataclass
class MastodonServer:
    """The server and everything on it. `url` is where it listens once entered."""

    port: int = 0
    state: Path | None = None
    other: bool = False
    limit: int | None = None  # requests per five minutes; None: counted, never refused
    max_characters: int = 500
    text_search: bool = True
    searched: list[str] = field(default_factory=list)  # what was asked for, as it came
    forget_keys: bool = False  # Idempotency-Key is ignored
    accounts: dict[str, Row] = field(default_factory=dict)
    statuses: dict[str, Row] = field(default_factory=dict)  # by id, the deleted ones too
    notes: dict[str, Row] = field(default_factory=dict)  # notifications by id
    keys: dict[str, tuple[str, float]] = field(default_factory=dict)
    uploads: dict[str, Row] = field(default_factory=dict)  # pictures handed over, by id
    slow_pictures: int = 0  # so often a picture is not ready when asked for
    takes_pictures: bool = True  # False: our token lacks write:media
    streams: Streams = field(default_factory=Streams)
    streaming: str | None = ""  # what it names as the address of its streams; "": its own, None: nothing
    faults: list[Fault] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.tokens = {TOKEN: BRAND}
        self._names: dict[str, str] = {}  # by the name in small letters, so that thousands of people cost nothing
        self._noted: set[tuple[str, str]] = set()  # who was told of which status
        self._order = 0
        self._orders: set[int] = set()
        self._window = (0.0, 0)
        self._log: Any = None

    def __enter__(self) -> Self:
        self._http = _Http(("127.0.0.1", self.port), _Handler)
        self._http.state = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.host = urlsplit(self.url).netloc
        self._restore()
        self.person(BRAND, display_name="Marca", bot=True)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self._log is not None:
            self._log.close()

    # --- people and what they do ---

    def person(self, acct: str, **profile: Any) -> Person:
        """The person of that name, `user` or `user@host`; made if new. `profile`: fields of the account to set."""
        with self.lock:
            account = self.accounts.get(acct)
            if account is None:
                account = self._new_account(acct)
            account.update(profile)
            self._keep("account", account)
        return Person(self, acct)

    def add_status(
        self,
        acct: str,
        text: str,
        *,
        in_reply_to_id: str | None = None,
        visibility: str = "public",
        language: str | None = "es",
        spoiler_text: str = "",
        late: timedelta = timedelta(0),
        content: str | None = None,
        media: list[Row] | None = None,
        poll: list[str] | None = None,
        multiple: bool = False,
        more: Row | None = None,
    ) -> Row:
        """Puts a status on the server as if `acct` had posted it.

        `late`: it reaches us now and is filed under a time that much earlier, as servers do. `content`: its HTML, where
        it is not to be made from the text. `more`: whatever the answer is to hold besides.
        """
        with self.lock:
            self.person(acct)
            moment = time.time() - late.total_seconds()
            order = self._next_order(moment)
            row = {
                "id": str(uuid.uuid4()) if self.other else str(order),
                "order": order,
                "acct": acct,
                "text": text,
                "content": content,
                "created_at": moment,
                "edited_at": None,
                "in_reply_to_id": in_reply_to_id,
                "visibility": visibility,
                "language": language,
                "spoiler_text": spoiler_text,
                "media": media or [],
                "poll": poll,
                "multiple": multiple,
                "more": more or {},
                "tags": _TAG.findall(text),
                "gone": False,
                "sensitive": bool(spoiler_text),
                "pinned": False,
                "edits": 0,
            }
            self.statuses[row["id"]] = row
            self.accounts[acct]["statuses"] += 1
            self._keep("status", row)
            self._broadcast("update", row)
            self._notify(row)
            return row

    def edit_status(self, status_id: str, text: str) -> Row:
        """Changes a status."""
        with self.lock:
            row = self.statuses[status_id]
            row.update(text=text, content=None, edited_at=time.time(), tags=_TAG.findall(text))
            row["edits"] += 1
            self._keep("status", row)
            self._broadcast("status.update", row)
            self._notify(row)
            return row

    def delete_status(self, status_id: str) -> None:
        """Deletes a status; its answers lose their parent, its notifications vanish."""
        with self.lock:
            row = self.statuses[status_id]
            row["gone"] = True
            self._keep("status", row)
            self._broadcast("delete", row)
            for answer in self.statuses.values():
                if answer["in_reply_to_id"] == status_id:
                    answer["in_reply_to_id"] = None
                    self._keep("status", answer)

    def posts_by(self, acct: str) -> list[Row]:
        """What that account has said and not deleted, oldest first, as rows: text, in_reply_to_id, visibility …"""
        with self.lock:
            rows = [row for row in self.statuses.values() if row["acct"] == acct and not row["gone"]]
            return sorted(rows, key=lambda row: int(row["order"]))

    # --- faults ---

    def fail(self, route: str, kind: str, *, times: int = 1, **options: Any) -> None:
        """The next `times` requests that match go wrong in that way."""
        with self.lock:
            self.faults.append(Fault(re.compile(route), str(kind), int(times), options))

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        with self.lock:
            self.faults.clear()

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The fault that this request runs into, counted down."""
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.route.search(f"{method} {path}"):
                    fault.times -= 1
                    return fault
            return None

    # --- state ---

    def _new_account(self, acct: str) -> Row:
        order = self._next_order(time.time())
        account = {
            "id": str(uuid.uuid4()) if self.other else str(order),
            "name": acct,
            "display_name": "",
            "note": "",
            "fields": [],
            "bot": False,
            "followers_count": 12,
            "following": [],
            "statuses": 0,
            "created_at": time.time() - 400 * 86400,
        }
        self.accounts[acct] = account
        self._names.setdefault(acct.lower(), acct)
        return account

    def known_as(self, acct: str) -> str | None:
        """The account of that name, in whichever letters."""
        return self._names.get(acct.lower())

    def _next_order(self, moment: float) -> int:
        order = int(moment * 1000) << 16
        if moment < time.time() - 1:  # late: filed under its own time, wherever that is free
            while order in self._orders:
                order += 1
        else:
            order = max(order, self._order + 1)
            self._order = order
        self._orders.add(order)
        return order

    def _broadcast(self, event: str, row: Row) -> None:
        """To those who follow the author and those who listen to its hashtags; that it is gone, to all it named."""
        accts = {name for name, account in self.accounts.items() if row["acct"] in account["following"]}
        if event == "delete":
            accts |= {*mentioned(self, row["text"])}
        tags = row["tags"] if row["visibility"] == "public" else []
        self.streams.publish(event, row["id"] if event == "delete" else status_json(self, row), accts=accts, tags=tags)

    def _notify(self, row: Row) -> None:
        for acct in mentioned(self, row["text"]):
            if acct == row["acct"] or (acct, row["id"]) in self._noted:
                continue
            filtered = row["visibility"] == "direct" and row["acct"] not in self.accounts[acct]["following"]
            note = {
                "id": str(uuid.uuid4()) if self.other else str(len(self.notes) + 1),
                "order": len(self.notes) + 1,
                "to": acct,
                "status": row["id"],
                "created_at": time.time(),
                "filtered": filtered,
            }
            self.notes[note["id"]] = note
            self._noted.add((acct, row["id"]))
            self._keep("note", note)
            if not filtered:
                self.streams.publish("notification", note_json(self, note), accts=[acct])

    def _keep(self, kind: str, row: Row) -> None:
        if self._log is not None:
            self._log.write(json.dumps([kind, row]) + "\n")
            self._log.flush()

    def add_upload(self, acct: str, content_type: str, data: bytes, description: str) -> Row:
        """A picture that `acct` hands over; no post carries it yet."""
        row = {
            "id": str(uuid.uuid4()) if self.other else str(self._next_order(time.time())),
            "acct": acct,
            "type": content_type,
            "data": data,
            "description": description,
            "looks": self.slow_pictures,
            "used": False,
        }
        self.uploads[row["id"]] = row
        return row

    def keep_key(self, key: str, status_id: str) -> None:
        """Remembers an Idempotency-Key."""
        self.keys[key] = (status_id, time.time())
        self._keep("key", {"key": key, "status": status_id, "at": time.time()})

    def _restore(self) -> None:
        if self.state is None:
            return
        if self.state.exists():
            for line in self.state.read_text(encoding="utf-8").splitlines():
                with suppress(json.JSONDecodeError):  # the last line, if we were killed while writing it
                    self._restore_row(*json.loads(line))
        self._log = self.state.open("a", encoding="utf-8")

    def _restore_row(self, kind: str, row: Row) -> None:
        if kind == "account":
            self.accounts[row["name"]] = row
            self._names.setdefault(row["name"].lower(), row["name"])
        elif kind == "status":
            self.statuses[row["id"]] = row
            self._order = max(self._order, row["order"])
            self._orders.add(row["order"])
        elif kind == "note":
            self.notes[row["id"]] = row
            self._noted.add((row["to"], row["status"]))
        else:
            self.keys[row["key"]] = (row["status"], row["at"])

    def count_request(self) -> tuple[int, int, float]:
        """Limit, how many remain in this window, and when it ends."""
        with self.lock:
            start, used = self._window
            if time.time() - start >= 300:
                start, used = time.time(), 0
            self._window = (start, used + 1)
            limit = self.limit or 300
            left = limit - used - 1
            return limit, left if self.limit else max(left, 1), start + 300


# --- entities as Mastodon words them --------------------------------------------------------------------------------


def iso(moment: float | None) -> str | None:
    """A time as Mastodon writes it."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def mentioned(server: MastodonServer, text: str) -> list[str]:
    """The accounts that the text mentions, each once."""
    found: list[str] = []
    for match in _MENTION.finditer(text):
        user, host = match.groups()
        acct = user if host is None or host == DOMAIN else f"{user}@{host}"
        known = server.known_as(acct)
        if known is not None and known not in found:
            found.append(known)
    return found


def profile_url(server: MastodonServer, acct: str) -> str:
    """Where people look at that account."""
    user, _, host = acct.partition("@")
    return f"https://{host}/@{user}" if host else f"{server.url}/@{user}"


def account_json(server: MastodonServer, acct: str) -> Row:
    """An Account entity."""
    account = server.accounts[acct]
    shown = f"{acct}@{DOMAIN}" if server.other and "@" not in acct else acct
    entity = {
        "id": account["id"],
        "username": acct.partition("@")[0],
        "acct": shown,
        "display_name": account["display_name"],
        "locked": False,
        "bot": account["bot"],
        "created_at": iso(account["created_at"]),
        "note": account["note"],
        "url": profile_url(server, acct),
        "uri": f"{profile_url(server, acct)}#actor",
        "avatar": f"{server.url}/avatar.png",
        "header": f"{server.url}/header.png",
        "followers_count": account["followers_count"],
        "following_count": len(account["following"]),
        "statuses_count": account["statuses"],
        "emojis": [],
        "fields": account["fields"],
    }
    if not server.other:
        entity |= {"discoverable": True, "indexable": True, "group": False, "noindex": False, "roles": []}
    return entity


def render(server: MastodonServer, text: str) -> str:
    """Plain text as Mastodon's HTML."""
    paragraphs = []
    for paragraph in re.split(r"\n{2,}", text.strip()):
        out, end = [], 0
        marks = sorted((*_URL.finditer(paragraph), *_MENTION.finditer(paragraph), *_TAG.finditer(paragraph)), key=_at)
        for mark in marks:
            if mark.start() < end:
                continue
            out += [html.escape(paragraph[end : mark.start()]), _render_mark(server, mark)]
            end = mark.end()
        out.append(html.escape(paragraph[end:]))
        paragraphs.append(f"<p>{''.join(out)}</p>".replace("\n", "<br />"))
    return "".join(paragraphs)


def _at(match: re.Match[str]) -> int:
    return match.start()


def _render_mark(server: MastodonServer, mark: re.Match[str]) -> str:
    text = mark.group()
    if mark.re is _URL:
        scheme, _, rest = text.partition("://")
        head, tail = html.escape(rest[:30]), html.escape(rest[30:])
        kind = ' class="ellipsis"' if tail else ""
        return (
            f'<a href="{html.escape(text)}" target="_blank" rel="nofollow noopener" translate="no">'
            f'<span class="invisible">{scheme}://</span><span{kind}>{head}</span>'
            f'<span class="invisible">{tail}</span></a>'
        )
    if mark.re is _TAG:
        href = f"{server.url}/tags/{quote(mark.group(1).lower())}"
        return f'<a href="{href}" class="mention hashtag" rel="tag">#<span>{html.escape(mark.group(1))}</span></a>'
    found = mentioned(server, text)
    if not found:
        return html.escape(text)
    user = found[0].partition("@")[0]
    return (
        f'<span class="h-card" translate="no"><a href="{profile_url(server, found[0])}" class="u-url mention">'
        f"@<span>{user}</span></a></span>"
    )


def status_json(server: MastodonServer, row: Row) -> Row:
    """A Status entity."""
    parent = server.statuses.get(row["in_reply_to_id"] or "")
    entity = {
        "id": row["id"],
        "created_at": iso(row["created_at"]),
        "in_reply_to_id": row["in_reply_to_id"],
        "in_reply_to_account_id": server.accounts[parent["acct"]]["id"] if parent else None,
        "sensitive": row["sensitive"],
        "pinned": row["pinned"],
        "spoiler_text": row["spoiler_text"],
        "visibility": row["visibility"],
        "language": row["language"],
        "uri": f"{profile_url(server, row['acct'])}/statuses/{row['id']}",
        "url": f"{profile_url(server, row['acct'])}/{row['id']}",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": iso(row["edited_at"]),
        "content": render(server, row["text"]) if row["content"] is None else row["content"],
        "reblog": None,
        "account": account_json(server, row["acct"]),
        "media_attachments": row["media"],
        "mentions": [
            {k: account_json(server, acct)[k] for k in ("id", "username", "url", "acct")}
            for acct in mentioned(server, row["text"])
        ],
        "tags": [{"name": tag.lower(), "url": f"{server.url}/tags/{quote(tag.lower())}"} for tag in row["tags"]],
        "emojis": [],
        "card": None,
        "poll": None,
    }
    if row["poll"]:
        entity["poll"] = {
            "id": f"9{row['id']}",
            "expires_at": iso(row["created_at"] + 86400),
            "expired": False,
            "multiple": row["multiple"],
            "votes_count": 0,
            "options": [{"title": title, "votes_count": 0} for title in row["poll"]],
            "emojis": [],
        }
    return entity | row["more"]


def note_json(server: MastodonServer, note: Row) -> Row:
    """A Notification entity."""
    row = server.statuses[note["status"]]
    return {
        "id": note["id"],
        "type": "mention",
        "created_at": iso(note["created_at"]),
        "group_key": f"ungrouped-{note['id']}",
        "account": account_json(server, row["acct"]),
        "status": status_json(server, row),
    }


def instance_json(server: MastodonServer, version: int) -> Row:
    """An Instance entity of API version 1 or 2."""
    statuses = {"max_characters": server.max_characters, "max_media_attachments": 4, "characters_reserved_per_url": 23}
    streaming = f"ws://{server.host}" if server.streaming == "" else server.streaming
    common = {"title": "Para pruebas", "description": "", "version": "4.6.4", "languages": ["es"], "rules": []}
    if version == 1:
        urls = {} if streaming is None else {"streaming_api": streaming}
        return common | {"uri": server.host, "urls": urls, "stats": {}, "configuration": {"statuses": statuses}}
    urls = {} if streaming is None else {"streaming": streaming}
    return common | {
        "domain": server.host,
        "configuration": {"urls": urls, "accounts": {}, "statuses": statuses},
        "api_versions": {"mastodon": 11},
    }


def upload_json(server: MastodonServer, row: Row) -> Row:
    """A MediaAttachment entity; without an address while the server works on it."""
    at = f"{server.url}/media/{row['id']}"
    return {
        "id": row["id"],
        "type": "image",
        "url": None if row["looks"] else at,
        "preview_url": None if row["looks"] else f"{at}?small",
        "remote_url": None,
        "description": row["description"],
        "meta": {},
    }


def length_of(text: str) -> int:
    """How long Mastodon takes a text to be (code points of the composed form stand in for grapheme clusters)."""
    text = _URL.sub("x" * 23, unicodedata.normalize("NFC", text))
    return len(_MENTION.sub(lambda m: f"@{m.group(1)}", text))


# --- the wire -------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    def __init__(self, status: int, error: str) -> None:
        self.status, self.error = status, error


ERRORS = {
    401: "The access token is invalid",
    403: "This action is not allowed",
    404: "Record not found",
    422: "La validación ha fallado: El texto no puede estar en blanco",
    429: "Too many requests",
    500: "Something went wrong on our end",
    503: "Service Unavailable",
}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    state: MastodonServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news here."""


def _searchable(text: str) -> str:
    """Without case and accents, as the server's index is."""
    return "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    @property
    def state(self) -> MastodonServer:
        return self.server.state

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.route = parts.path.rstrip("/") or "/"
        self.query = parse_qs(parts.query, keep_blank_values=True)
        self.file = b""
        self.form = self._read_form()
        self.link = ""
        self.headers_wanted = "good"
        if self.route.startswith("/_test/"):
            self._answer(200, self._control())
            return
        seen = Seen(self.command, self.route, self.query, {k.lower(): v for k, v in self.headers.items()}, self.form)
        self.state.requests.append(seen)
        fault = self.state.fault_for(self.command, self.route)
        if fault is not None and not self._before(fault):
            return
        if self.route.startswith("/api/v1/streaming"):
            self._stream(fault)
            return
        try:
            if self.state.limit and self.state.count_request()[1] < 0:
                raise _Refused(429, ERRORS[429])
            with self.state.lock:
                self.status = 200
                body = self._dispatch()
                status = self.status
        except _Refused as refused:
            status, body = refused.status, {"error": refused.error}
        if fault is not None and not self._after(fault, body):
            return
        self._answer(status, body)

    def _read_form(self) -> Row:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type") or ""
        if "json" in kind:
            return dict(json.loads(raw or b"{}"))
        if kind.startswith("multipart/"):
            return self._read_multipart(kind, raw)
        pairs = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values if name.endswith("[]") else values[-1] for name, values in pairs.items()}

    def _read_multipart(self, kind: str, raw: bytes) -> Row:
        """The fields; the file itself goes to `self.file`, its type and name to the form."""
        form: Row = {}
        whole = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
        for part in whole.walk():
            name = part.get_param("name", header="content-disposition")
            if part.is_multipart() or not isinstance(name, str):
                continue
            data = part.get_payload(decode=True)
            if part.get_filename():
                self.file = data
                form[name] = {"type": part.get_content_type(), "name": part.get_filename()}
            else:
                form[name] = data.decode("utf-8", "replace")
        return form

    # --- faults ---

    def _before(self, fault: Fault) -> bool:
        """Whether the request goes on."""
        kind = fault.kind
        if kind in ("timeout_before", "cut_before"):
            if kind == "timeout_before":
                self.state.stopping.wait(fault.options.get("seconds", 60))
            self._hang_up()
        elif kind == "429_bare":
            self.headers_wanted = "none"
            self._answer(429, {"error": ERRORS[429]})
        elif kind == "429":
            self.headers_wanted = "used up"
            self._answer(429, {"error": ERRORS[429]})
        elif kind.isdigit():
            self._answer(int(kind), {"error": fault.options.get("error", ERRORS.get(int(kind), "Refused"))})
        elif kind == "html":
            self._answer(fault.options.get("status", 200), b"<!doctype html><title>Proxy</title><h1>Please wait</h1>")
        elif kind == "redirect":
            self._answer(fault.options.get("status", 302), b"", location=fault.options["to"])
        else:
            return True
        return False

    def _after(self, fault: Fault, body: Any) -> bool:
        """Whether the answer goes out as it is."""
        kind = fault.kind
        if kind in ("timeout_after", "cut_after"):
            if kind == "timeout_after":
                self.state.stopping.wait(fault.options.get("seconds", 60))
            self._hang_up()
        elif kind == "500_after":
            self._answer(500, {"error": ERRORS[500]})
        elif kind == "truncated":
            self._answer(200, json.dumps(body).encode()[:-7])
        elif kind == "wrong_type":
            self._answer(200, fault.options.get("body", {"unexpected": [1, None, {"id": {}}]}))
        elif kind == "raw":
            self._answer(200, fault.options["body"].encode("utf-8", "surrogatepass"))
        elif kind == "huge":
            self._answer(200, b"[" + b" " * fault.options.get("bytes", 20_000_000) + b"]")
        elif kind == "slow":
            self._trickle(json.dumps(body).encode(), fault.options.get("pause", 0.05))
        elif kind in ("bad_headers", "last_allowed"):
            self.headers_wanted = kind
            return True
        else:
            raise ValueError(f"no fault is called {kind!r}")
        return False

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _trickle(self, body: bytes, pause: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.state.stopping.wait(pause):
                    break
        self.close_connection = True

    # --- streams ---

    def _stream(self, fault: Fault | None) -> None:
        try:
            with self.state.lock:
                me = self._me()
        except _Refused as refused:
            self._answer(refused.status, {"error": refused.error})
            return
        tag = self._one("tag") if self.route.endswith("/hashtag") else None
        if me is None or (tag is None and not self.route.endswith("/user")):
            self._answer(404, {"error": "Not found"})
            return
        kind = fault.kind if fault and fault.kind in KINDS else None
        self.state.streams.serve(self, me, tag, stopping=self.state.stopping, fault=kind)

    # --- answers ---

    def _answer(self, status: int, body: Any, *, location: str = "") -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        with suppress(OSError):
            self.send_response(status)
            kind = "text/html" if raw[:1] == b"<" else "application/json; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            if self.route == "/api/v1/instance":
                self.send_header("Deprecation", "@1668384000")
            if self.link:
                self.send_header("Link", self.link)
            if location:
                self.send_header("Location", location)
            for name, value in self._limits():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

    def _limits(self) -> Iterator[tuple[str, str]]:
        if self.state.other or self.headers_wanted == "none" or self.route.startswith("/_test/"):
            return
        limit, left, ends = (
            self.state.count_request() if self.state.limit is None else (self.state.limit, 1, time.time())
        )
        if self.headers_wanted == "bad_headers":
            yield from (("X-RateLimit-Limit", "many"), ("X-RateLimit-Remaining", "-"), ("X-RateLimit-Reset", "soon"))
            yield ("Link", '<not a url; rel="next>, <>; rel=')
            return
        if self.headers_wanted in ("used up", "last_allowed"):
            left = 0
        reset = datetime.fromtimestamp(ends, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        yield from (
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", str(left)),
            ("X-RateLimit-Reset", reset),
        )

    # --- the API ---

    def _dispatch(self) -> Any:
        for method, pattern, handle in _ROUTES:
            if method == self.command and (match := re.fullmatch(pattern, self.route)):
                return handle(self, *match.groups())
        raise _Refused(404, ERRORS[404])

    def _me(self, *, required: bool = True) -> str | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        acct = self.state.tokens.get(token)
        if acct is None and (required or token):
            raise _Refused(401, ERRORS[401])
        return acct

    def _one(self, name: str) -> str | None:
        return (self.query.get(name) or [None])[-1]

    def _page(self, rows: list[Row], *, most: int = 40, usual: int = 20) -> list[Row]:
        """The page that min_id, since_id, max_id and limit ask for, newest first; sets the Link header."""
        limit = max(1, min(int(self._one("limit") or usual), most))
        rows = sorted(rows, key=lambda row: int(row["order"]))
        if (max_id := self._one("max_id")) is not None:
            rows = [row for row in rows if row["order"] < self._order_of(max_id)]
        if (min_id := self._one("min_id")) is not None:
            rows = [row for row in rows if row["order"] > self._order_of(min_id)][:limit]
        elif (since_id := self._one("since_id")) is not None:
            rows = [row for row in rows if row["order"] > self._order_of(since_id)][-limit:]
        else:
            rows = rows[-limit:]
        if rows and not self.state.other:
            kept = [(k, v) for k, vs in self.query.items() if k not in ("min_id", "max_id", "since_id") for v in vs]
            base = f"{self.state.url}{self.route}"
            older, newer = urlencode([*kept, ("max_id", rows[0]["id"])]), urlencode([*kept, ("min_id", rows[-1]["id"])])
            self.link = f'<{base}?{older}>; rel="next", <{base}?{newer}>; rel="prev"'
        return rows[::-1]

    def _order_of(self, row_id: str) -> int:
        row = (self.state.notes if self.route.endswith("/notifications") else self.state.statuses).get(row_id)
        return int(row["order"]) if row else int(row_id) if row_id.isdigit() else 0

    def _sees(self, row: Row, me: str | None) -> bool:
        if row["gone"]:
            return False
        return (
            row["visibility"] in ("public", "unlisted")
            or me == row["acct"]
            or (me is not None and me in mentioned(self.state, row["text"]))
        )

    def _visible(self, status_id: str) -> Row:
        row = self.state.statuses.get(status_id)
        if row is None or not self._sees(row, self._me(required=False)):
            raise _Refused(404, ERRORS[404])
        return row

    def _verify_credentials(self) -> Row:
        acct = self._me()
        assert acct is not None
        return account_json(self.state, acct) | {"source": {"privacy": "public", "note": ""}}

    def _instance(self, version: str) -> Row:
        return instance_json(self.state, int(version))

    def _tag(self, tag: str) -> list[Row]:
        self._me(required=False)
        wanted = tag.casefold()
        rows = [
            row
            for row in self.state.statuses.values()
            if row["visibility"] == "public" and not row["gone"] and wanted in (each.casefold() for each in row["tags"])
        ]
        return [status_json(self.state, row) for row in self._page(rows)]

    def _notifications(self) -> list[Row]:
        me = self._me()
        types = self.query.get("types[]") or ["mention"]
        filtered = self._one("include_filtered") in ("true", "1")
        rows = [
            note
            for note in self.state.notes.values()
            if note["to"] == me
            and "mention" in types
            and (filtered or not note["filtered"])
            and not self.state.statuses[note["status"]]["gone"]
        ]
        return [note_json(self.state, note) for note in self._page(rows, most=80, usual=40)]

    def _search(self) -> Row:
        self._me()
        asked = self._one("q") or ""
        self.state.searched.append(asked)
        excluded = [_searchable(text) for text in re.findall(r'-"([^"]*)"', asked)]
        words = _searchable(re.sub(r'-"[^"]*"', "", asked)).split()
        rows = [
            row
            for row in self.state.statuses.values()
            if self.state.text_search
            and row["visibility"] == "public"
            and not row["gone"]
            and all(word in _searchable(row["text"]) for word in words)
            and not any(text in _searchable(row["text"]) for text in excluded)
        ]
        statuses = [status_json(self.state, row) for row in self._page(rows)]
        self.link = ""
        return {"accounts": [], "statuses": statuses, "hashtags": []}

    def _status(self, status_id: str) -> Row:
        return status_json(self.state, self._visible(status_id))

    def _statuses(self) -> list[Row]:
        if self.state.other:
            raise _Refused(404, ERRORS[404])
        me = self._me(required=False)
        rows = [self.state.statuses.get(each) for each in self.query.get("id[]", [])[:20]]
        return [status_json(self.state, row) for row in rows if row and self._sees(row, me)]

    def _context(self, status_id: str) -> Row:
        self._visible(status_id)
        me, below, wanted = self._me(required=False), [], [status_id]
        while wanted:
            parent = wanted.pop(0)
            for row in self.state.statuses.values():
                if row["in_reply_to_id"] == parent and self._sees(row, me):
                    below.append(status_json(self.state, row))
                    wanted.append(row["id"])
        return {"ancestors": [], "descendants": below}

    def _account_statuses(self, account_id: str) -> list[Row]:
        me = self._me(required=False)
        owners = [acct for acct, account in self.state.accounts.items() if account["id"] == account_id]
        if not owners:
            raise _Refused(404, ERRORS[404])
        rows = [row for row in self.state.posts_by(owners[0]) if self._sees(row, me)]
        return [status_json(self.state, row) for row in self._page(rows)]

    def _post_status(self) -> Row:
        me = self._me()
        assert me is not None
        state, key = self.state, self.headers.get("Idempotency-Key")
        if key and not state.forget_keys and key in state.keys:
            status_id, at = state.keys[key]
            if time.time() - at < KEY_KEPT:
                return status_json(state, state.statuses[status_id])
        text, spoiler = str(self.form.get("status") or "").strip(), str(self.form.get("spoiler_text") or "")
        self._check_text(text, spoiler)
        pictures = [self._picture(each) for each in self.form.get("media_ids[]") or []]
        parent = self.form.get("in_reply_to_id")
        if parent:
            try:
                self._visible(str(parent))
            except _Refused:
                raise _Refused(404, "The post you are trying to reply to does not appear to exist.") from None
        row = state.add_status(
            me,
            text,
            in_reply_to_id=str(parent) if parent else None,
            visibility=str(self.form.get("visibility") or "public"),
            language=self.form.get("language"),
            spoiler_text=spoiler,
            media=[upload_json(state, each) for each in pictures],
        )
        for each in pictures:
            each["used"] = True
        if key:
            state.keep_key(key, row["id"])
        return status_json(state, row)

    def _picture(self, upload_id: str) -> Row:
        """A picture of ours that a post may carry."""
        row = self.state.uploads.get(upload_id)
        if row is None or row["used"] or row["acct"] != self._me():
            raise _Refused(422, "La validación ha fallado: la imagen no existe o ya está en otra publicación")
        if row["looks"]:
            raise _Refused(422, "Cannot attach files that have not finished processing. Try again in a moment!")
        return row

    def _post_media(self) -> Row:
        me = self._me()
        assert me is not None
        if not self.state.takes_pictures:
            raise _Refused(403, "This action is outside the authorized scopes")
        kind = (self.form.get("file") or {}).get("type", "")
        if kind not in ("image/png", "image/jpeg", "image/gif", "image/webp"):
            raise _Refused(422, "Validation failed: File content type is invalid, File is invalid")
        row = self.state.add_upload(me, kind, self.file, str(self.form.get("description") or ""))
        self.status = 202 if row["looks"] else 200
        return upload_json(self.state, row)

    def _get_media(self, upload_id: str) -> Row:
        row = self.state.uploads.get(upload_id)
        if row is None or row["acct"] != self._me():
            raise _Refused(404, ERRORS[404])
        entity = upload_json(self.state, row)
        if row["looks"]:
            row["looks"] -= 1
            self.status = 206
        return entity

    def _check_text(self, text: str, spoiler: str) -> None:
        if "\x00" in text:
            raise _Refused(500, ERRORS[500])
        if not text:
            raise _Refused(422, ERRORS[422])
        if length_of(text) + len(spoiler) > self.state.max_characters:
            raise _Refused(422, f"La validación ha fallado: El texto supera los {self.state.max_characters} caracteres")

    def _owned(self, status_id: str) -> Row:
        row = self._visible(status_id)
        if row["acct"] != self._me():
            raise _Refused(404, ERRORS[404])
        return row

    def _put_status(self, status_id: str) -> Row:
        """An edit as Mastodon does it: what it does not name is lost."""
        row, form = self._owned(status_id), self.form
        text, spoiler = str(form.get("status") or ""), str(form.get("spoiler_text") or "")
        self._check_text(text, spoiler)
        kept = {each["id"]: each for each in row["media"]}
        row["media"] = [kept[each] for each in form.get("media_ids[]") or [] if each in kept]
        row["spoiler_text"] = spoiler
        row["sensitive"] = str(form.get("sensitive")).lower() in ("true", "1")
        row["language"] = form.get("language") or self._one("language") or row["language"]
        return status_json(self.state, self.state.edit_status(status_id, text))

    def _source(self, status_id: str) -> Row:
        row = self._owned(status_id)
        return {"id": row["id"], "text": row["text"], "spoiler_text": row["spoiler_text"]}

    def _pin(self, status_id: str, how: str) -> Row:
        row, up = self._owned(status_id), how == "pin"
        ours = [each for each in self.state.posts_by(row["acct"]) if each["pinned"]]
        if up and row["pinned"]:
            raise _Refused(422, "Duplicate record")
        if up and len(ours) >= 5:
            raise _Refused(422, "La validación ha fallado: Ya has fijado el número máximo de publicaciones")
        row["pinned"] = up
        self.state._keep("status", row)
        return status_json(self.state, row)

    def _delete_status(self, status_id: str) -> Row:
        entity = status_json(self.state, self._owned(status_id))
        self.state.delete_status(status_id)
        return entity

    # --- how other processes move people and read what was posted ---

    def _control(self) -> Any:
        state, form = self.state, self.form
        what = self.route.removeprefix("/_test/")
        with state.lock:
            if what == "post":
                row = state.add_status(form.pop("who"), form.pop("text"), **form)
                return status_json(state, row)
            if what == "edit":
                return status_json(state, state.edit_status(form["id"], form["text"]))
            if what == "delete":
                state.delete_status(form["id"])
            elif what == "fault":
                state.fail(form.pop("route"), form.pop("kind"), **form)
            elif what == "heal":
                state.heal()
            elif what == "stream":
                state.streams.disturb(form["kind"])
            elif what == "person":
                state.person(form.pop("acct"), **form)
            elif what == "posts":
                rows = state.posts_by(self._one("by") or BRAND)
                return [status_json(state, row) | {"text": row["text"]} for row in rows]
            elif what == "requests":
                return [{"method": each.method, "path": each.path, "form": each.form} for each in state.requests]
            else:
                return {"error": f"no {what!r} here; see the docstring of tests/servers/mastodon.py"}
        return {}


_ID = r"([\w-]+)"
_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", r"/api/v1/accounts/verify_credentials", _Handler._verify_credentials),
    ("GET", rf"/api/v1/accounts/{_ID}/statuses", _Handler._account_statuses),
    ("GET", r"/api/v([12])/instance", _Handler._instance),
    ("GET", r"/api/v1/timelines/tag/(.+)", lambda self, tag: self._tag(unquote(tag))),
    ("GET", r"/api/v1/notifications", _Handler._notifications),
    ("GET", r"/api/v2/search", _Handler._search),
    ("GET", r"/api/v1/statuses", _Handler._statuses),
    ("GET", rf"/api/v1/statuses/{_ID}", _Handler._status),
    ("GET", rf"/api/v1/statuses/{_ID}/context", _Handler._context),
    ("POST", r"/api/v1/statuses", _Handler._post_status),
    ("POST", r"/api/v2/media", _Handler._post_media),
    ("GET", rf"/api/v1/media/{_ID}", _Handler._get_media),
    ("PUT", rf"/api/v1/statuses/{_ID}", _Handler._put_status),
    ("GET", rf"/api/v1/statuses/{_ID}/source", _Handler._source),
    ("POST", rf"/api/v1/statuses/{_ID}/(pin|unpin)", _Handler._pin),
    ("DELETE", rf"/api/v1/statuses/{_ID}", _Handler._delete_status),
]


# --- as a program ---------------------------------------------------------------------------------------------------

SAMPLES = [
    ("ana", "@marca llevo sin señal desde las 9 en Lleida, ¿hay avería? #telecom", "es"),
    ("luis@otra.example", "Enhorabuena a @marca, la fibra me la instalaron en un día #telecom", "es"),
    ("maria", "Me han cobrado dos veces la factura de marzo. @marca nadie contesta al teléfono #telecom", "es"),
    ("john@mastodon.example", "@marca your app has been down since this morning, I cannot pay my bill #telecom", "en"),
    ("sara", "¿Alguien sabe si marca tiene tarifa para estudiantes? #telecom", "es"),
    ("emma@mastodon.example", "Thinking of leaving @marca after the third outage this month #telecom", "en"),
]

HELP = """\
A Mastodon server on your own machine, to try Escucha without an account anywhere.

--play fills it with a few posts in Spanish and English and prints what to put into Escucha's settings. While it runs:

  say something as somebody     curl -d 'who=ana' -d 'text=@marca ¿seguís ahí? #telecom' URL/_test/post
  see what the brand answered   curl 'URL/_test/posts?by=marca'
  make the next answer fail     curl -d 'route=POST /api/v1/statuses' -d 'kind=cut_after' URL/_test/fault
  everything well again         curl -X POST URL/_test/heal

Besides these, /_test/edit (id, text), /_test/delete (id), /_test/person (acct, bot, note …) and /_test/requests.
The kinds of failure are listed at the top of tests/servers/mastodon.py. Stop it with Ctrl-C.
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs the server until it is stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers.mastodon", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--state", type=Path, help="keep everything in this file")
    parser.add_argument("--play", action="store_true", help="begin with a few posts and explain")
    parser.add_argument("--other", action="store_true", help="be a server that is not Mastodon")
    parser.add_argument("--forget-keys", action="store_true", help="take the same Idempotency-Key twice")
    parser.add_argument("--limit", type=int, help="refuse more requests than this per five minutes")
    chosen = parser.parse_args(arguments)
    with MastodonServer(
        port=chosen.port,
        state=chosen.state,
        other=chosen.other,
        limit=chosen.limit,
        forget_keys=chosen.forget_keys,
    ) as server:
        print(server.url, flush=True)
        if chosen.play:
            _play(server)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


def _play(server: MastodonServer) -> None:
    if not server.posts_by("ana"):
        for minutes, (who, text, language) in zip(range(len(SAMPLES), 0, -1), SAMPLES, strict=True):
            server.person(who).post(text, language=language, late=timedelta(minutes=7 * minutes))
    print(
        f"""
  instance      {server.url}
  access_token  {TOKEN}      (the brand account @{BRAND})

{len(SAMPLES)} posts are waiting under #telecom, most of them mentioning @{BRAND}. To hear one more:

  curl -d 'who=ana' -d 'text=@{BRAND} ¿seguís ahí? #telecom' {server.url}/_test/post

What the brand answered: curl '{server.url}/_test/posts?by={BRAND}'     More: --help. Stop: Ctrl-C.
""",
        flush=True,
    )


if __name__ == "__main__":
    main()
