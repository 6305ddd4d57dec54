"""A Reddit for tests: the wire protocol of its login and API, on loopback, with people one can move.

    with RedditServer() as server:
        post = server.submit("ana", "telecom", "Sin señal en Lleida")
        server.comment("beto", post, "Igual aquí, u/marca")
        server.fail("POST /api/comment", "cut_after")

Written from Reddit's documentation and the shapes of real answers. Whoever reads sees what Reddit would show them: a
thing that a moderator removed stays whole for its author and is `[removed]` to everybody else; one that its author
deleted is `[deleted]`, and listings leave it out. A listing ends at 1,000, and `after` a thing that is not in it gives
nothing. Writing knows no key: the same request twice is said twice.

Faults (`fail(route, kind, times=…)`; the route is a regular expression over "METHOD /path"):

    401 403 404 500 502 503 …       that status, as Reddit words it       429 / 429_bare   with / without Retry-After
    errors (code=…, message=…)      a 200 whose JSON lists that error; nothing is written
    reason (code=…)                 a 400 whose JSON names it              scope            a 403 for want of a scope
    nothing / nothing_after         a 200 with nothing posted; it was (not) posted all the same
    html (status=…)                 a proxy's page                         truncated        JSON that breaks off
    wrong_type (body=…)             JSON of another shape                  huge             more than anybody reads
    slow                            a body that trickles                   redirect (to=…)  somewhere else
    timeout_before / timeout_after  no answer; the request took (no) effect
    cut_before / cut_after          the connection breaks; the request took (no) effect
    500_after                       an error although it took effect
    bad_headers                     all is well but the headers are nonsense
    last_allowed                    all is well and no request is left until the reset
"""

from __future__ import annotations

import base64
import html
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

BRAND = "marca"
PASSWORD = "contraseña-de-marca-81f3"
REFRESH = "renueva-a-marca-5522aa19"
CLIENT_ID = "app-de-marca"
CLIENT_SECRET = "secreto-de-la-app-7741cc"
DEPTH = 1000

Row = dict[str, Any]

_MENTION = re.compile(r"(?<![\w/])/?u/([A-Za-z0-9_-]+)", re.IGNORECASE)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_HEADERS = {
    "last_allowed": {"x-ratelimit-used": "100", "x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "17"},
    "bad_headers": {
        "x-ratelimit-used": "many",
        "x-ratelimit-remaining": "-∞".encode().decode("latin-1"),
        "x-ratelimit-reset": "1e999",
        "www-authenticate": "x",
        "retry-after": "soon",
    },
}
_STATUS = {
    401: {"message": "Unauthorized", "error": 401},
    403: {"message": "Forbidden", "error": 403},
    404: {"message": "Not Found", "error": 404},
    429: {"message": "Too Many Requests", "error": 429},
    500: {"message": "Internal Server Error", "error": 500},
}


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
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class RedditServer:
    """The network and everything on it. `url` is where it listens once entered."""

    things: dict[str, Row] = field(default_factory=dict)  # by fullname, the deleted ones too
    people: dict[str, str] = field(default_factory=dict)  # names to ids
    tokens: dict[str, str] = field(default_factory=dict)  # to names; "" is nobody's
    private: set[str] = field(default_factory=set)  # subreddits that only their members see
    missing: set[str] = field(default_factory=set)  # subreddits that do not exist
    banned_in: set[str] = field(default_factory=set)  # subreddits where our account may not write
    removes_in: set[str] = field(default_factory=set)  # subreddits whose filter takes away whatever we write
    pins: list[str] = field(default_factory=list)  # posts at the top of our profile
    moderated: set[str] = field(default_factory=set)  # subreddits that our account moderates
    expires_in: Any = 86400
    password: str = PASSWORD
    scope: str = "*"
    suspended: bool = False
    reset: str = "311.5"  # seconds until the window ends, as every answer says
    listings_work: bool = True  # else every listing is empty
    faults: list[Fault] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._count = 36**5
        self._inbox: list[Row] = []
        self.person(BRAND)

    def __enter__(self) -> Self:
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.state = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # --- people and what they do ---

    def person(self, name: str) -> str:
        """The id (t2_…) of the person of that name; made if new."""
        if name not in self.people:
            self.people[name] = f"t2_{self._next()}"
        return self.people[name]

    def submit(self, who: str, subreddit: str, title: str, text: str = "", **more: Any) -> str:
        """Puts a submission there; gives its fullname. For `more` see `_add`."""
        return self._add("t3", who, text, title=title, subreddit=subreddit, **more)

    def comment(self, who: str, parent: str, text: str, **more: Any) -> str:
        """Puts a comment below; gives its fullname."""
        above = self.things[parent]
        link = parent if parent.startswith("t3_") else above["link"]
        return self._add("t1", who, text, subreddit=above["subreddit"], parent=parent, link=link, **more)

    def message(self, text: str, author: str | None = None) -> None:
        """A private message or a word from Reddit itself lands in our inbox."""
        with self.lock:
            name = f"t4_{self._next()}"
            self._inbox.append({"name": name, "author": author, "body": text, "created": time.time()})

    def _add(
        self,
        kind: str,
        who: str,
        text: str,
        *,
        subreddit: str,
        title: str = "",
        parent: str | None = None,
        link: str | None = None,
        late: timedelta = timedelta(0),
        more: Row | None = None,
    ) -> str:
        """`late`: let through now, under a time that much earlier. `more`: what the answer is to hold besides."""
        with self.lock:
            self.person(who)
            own = self._next()
            row = {
                **{"name": f"{kind}_{own}", "id": own, "author": who, "text": text, "title": title},
                **{"subreddit": subreddit, "parent": parent, "link": link},
                **{"created": time.time() - late.total_seconds(), "order": self._count, "edited": False},
                **{"gone": "", "locked": False, "archived": False, "stickied": False, "more": more or {}},
            }
            self.things[row["name"]] = row
            return str(row["name"])

    def edit(self, fullname: str, text: str) -> None:
        """Its author changes the text."""
        with self.lock:
            self.things[fullname].update(text=text, edited=time.time())

    def delete(self, fullname: str) -> None:
        """Its author deletes it."""
        self.things[fullname]["gone"] = "deleted"

    def remove(self, fullname: str) -> None:
        """A moderator or a filter takes it away."""
        self.things[fullname]["gone"] = "removed"

    def said_by(self, who: str) -> list[Row]:
        """What that account has said and not deleted, oldest first."""
        with self.lock:
            rows = [row for row in self.things.values() if row["author"] == who and row["gone"] != "deleted"]
            return sorted(rows, key=lambda row: int(row["order"]))

    def sign_in(self, name: str) -> str:
        """A token for that account."""
        token = f"token-{self._next()}-{len(self.tokens)}"
        self.tokens[token] = name
        return token

    def _next(self) -> str:
        self._count += 1
        digits, rest = "", self._count
        while rest:
            rest, digit = divmod(rest, 36)
            digits = _DIGITS[digit] + digits
        return digits

    # --- faults ---

    def fail(self, route: str, kind: str, *, times: int = 1, **options: Any) -> None:
        """The next `times` requests that match go wrong in that way."""
        with self.lock:
            self.faults.append(Fault(re.compile(route), str(kind), times, options))

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

    def asked(self, path: str) -> list[Seen]:
        """The requests whose path begins so."""
        return [seen for seen in self.requests if seen.path.startswith(path)]

    # --- what somebody sees ---

    def newest_first(self, rows: Iterable[Row]) -> list[Row]:
        """Those that listings show, in their order."""
        there = [row for row in rows if not row["gone"]]
        return sorted(there, key=lambda row: (row["created"], row["order"]), reverse=True)

    def seen(self, row: Row, me: str) -> Row:
        """A thing as that account sees it."""
        link = row if row["link"] is None else self.things[row["link"]]
        ours = row["author"] == me
        mod = me == BRAND and row["subreddit"] in self.moderated
        gone = row["gone"]
        shell = f"[{gone}]" if gone == "deleted" or (gone and not (ours or mod)) else ""
        data = {
            "name": row["name"],
            "id": row["id"],
            "author": "[deleted]" if shell else row["author"],
            "subreddit": row["subreddit"],
            "subreddit_name_prefixed": f"r/{row['subreddit']}",
            "subreddit_type": "private" if row["subreddit"] in self.private else "public",
            "created": row["created"],
            "created_utc": row["created"],
            "edited": row["edited"],
            "archived": row["archived"],
            "locked": row["locked"],
            "score": 1,
            "can_mod_post": mod,
            "banned_by": "AutoModerator" if mod and gone == "removed" else None,
            "author_is_blocked": False,
            "distinguished": None,
            "stickied": row["stickied"],
            "pinned": row["name"] in self.pins,
            "over_18": False,
        }
        if not shell:
            data["author_fullname"] = self.people[row["author"]]
        slug = "_".join(re.findall(r"[a-z]+", link["title"].lower())[:6]) or "post"
        place = f"/r/{row['subreddit']}/comments/{link['id']}/{slug}/"
        if row["parent"]:
            data |= {
                "body": shell or row["text"],
                "parent_id": row["parent"],
                "link_id": row["link"],
                "link_title": link["title"],
                "link_author": link["author"],
                "permalink": f"{place}{row['id']}/",
                "replies": "",
            }
        else:
            data |= {
                "title": row["title"],
                "selftext": shell or row["text"],
                "is_self": True,
                "spoiler": False,
                "url": f"https://www.reddit.com{place}",
                "permalink": place,
                "removed_by_category": {"deleted": "deleted", "removed": "moderator"}.get(gone),
                "num_comments": 0,
            }
        return data | row["more"]

    def inbox(self) -> list[Row]:
        """Our inbox, newest first: answers to us, then what names us, and messages."""
        found = []
        for row in self.things.values():
            if not row["parent"] or row["author"] == BRAND or row["gone"] == "removed":
                continue
            above = self.things[row["parent"]]
            answers = above["author"] == BRAND
            kind = ("comment_reply" if above["parent"] else "post_reply") if answers else ""
            if not kind and any(name.lower() == BRAND for name in _MENTION.findall(row["text"])):
                kind = "username_mention"
            if kind:
                whole = self.seen(row, BRAND)
                kept = ("name", "id", "author", "author_fullname", "subreddit", "parent_id", "body", "created_utc")
                context = f"{whole['permalink']}?context=3"
                shown = {name: whole[name] for name in kept if name in whole}
                entry = shown | {"type": kind, "was_comment": True, "new": True, "context": context}
                found.append((row["created"], row["order"], "t1", entry))
        for message in self._inbox:
            entry = {"name": message["name"], "author": message["author"], "body": message["body"], "type": "unknown"}
            found.append(
                (message["created"], 0, "t4", entry | {"created_utc": message["created"], "was_comment": False})
            )
        return [{"kind": kind, "data": data} for _, _, kind, data in sorted(found, key=lambda each: each[:2])[::-1]]


# --- the wire -------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        self.status, self.body = status, _STATUS.get(status, {"error": status}) if body is None else body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    state: RedditServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news here."""


def _errors(code: str, message: str, where: str = "parent") -> _Refused:
    return _Refused(200, {"json": {"errors": [[code, message, where]]}})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    @property
    def state(self) -> RedditServer:
        return self.server.state

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.route = parts.path.rstrip("/") or "/"
        self.query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        self.form = {name: values[-1] for name, values in parse_qs(raw, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.extra: dict[str, str] = {}
        with self.state.lock:
            self.state.requests.append(Seen(self.command, self.route, self.query, headers, self.form))
        fault = self.state.fault_for(self.command, self.route)
        if fault is not None and not self._before(fault):
            return
        status, body = 200, {}
        try:
            with self.state.lock:
                body = self._dispatch()
        except _Refused as refused:
            status, body, self.extra = refused.status, refused.body, refused.headers
        if fault is not None and not self._after(fault, body):
            return
        self._answer(status, body)

    # --- faults ---

    def _before(self, fault: Fault) -> bool:
        """Whether the request goes on."""
        kind, options = fault.kind, fault.options
        if kind in ("timeout_before", "cut_before"):
            if kind == "timeout_before":
                self.state.stopping.wait(60)
            self._hang_up()
        elif kind == "429":
            self.extra = {"retry-after": "4"}
            self._answer(429, b"<!doctype html><title>Too Many Requests</title>")
        elif kind == "429_bare":
            self._answer(429, _STATUS[429])
        elif kind == "scope":
            self.extra = {"www-authenticate": 'Bearer realm="reddit", error="insufficient_scope"'}
            self._answer(403, {"error": 403})
        elif kind.isdigit():
            body = options.get("body", _STATUS.get(int(kind), {"message": "Refused", "error": int(kind)}))
            self._answer(int(kind), body)
        elif kind == "errors":
            self._answer(200, {"json": {"errors": [[options["code"], options.get("message", ""), None]]}})
        elif kind == "reason":
            told = {"reason": options["code"], "explanation": options.get("message", "no"), "fields": ["text"]}
            self._answer(400, told | {"message": "Bad Request"})
        elif kind == "nothing":
            self._answer(200, {"json": {"errors": [], "data": {"things": []}}})
        elif kind == "html":
            self._answer(options.get("status", 200), b"<!doctype html><title>Proxy</title><h1>Please wait</h1>")
        elif kind == "redirect":
            self.extra = {"location": options["to"]}
            self._answer(options.get("status", 302), b"")
        else:
            return True
        return False

    def _after(self, fault: Fault, body: Any) -> bool:
        """Whether the answer goes out as it is."""
        kind, options = fault.kind, fault.options
        if kind in ("timeout_after", "cut_after"):
            if kind == "timeout_after":
                self.state.stopping.wait(60)
            self._hang_up()
        elif kind == "500_after":
            self._answer(500, _STATUS[500])
        elif kind == "nothing_after":
            self._answer(200, {"json": {"errors": [], "data": {"things": []}}})
        elif kind == "truncated":
            self._answer(200, json.dumps(body).encode()[:-7])
        elif kind == "wrong_type":
            self._answer(200, options.get("body", {"unexpected": [1, None, {"id": {}}]}))
        elif kind == "raw":
            self._answer(200, options["body"])
        elif kind == "huge":
            self._answer(200, b"[" + b" " * 20_000_000 + b"]")
        elif kind == "slow":
            self._trickle(json.dumps(body).encode())
        elif kind in _HEADERS:
            self.extra = _HEADERS[kind]
            return True
        else:
            raise ValueError(f"no fault is called {kind!r}")
        return False

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _trickle(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.state.stopping.wait(0.05):
                    break
        self.close_connection = True

    def _answer(self, status: int, body: Any) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(self._escaped(body)).encode()
        usual = {"x-ratelimit-used": "3", "x-ratelimit-remaining": "97.0", "x-ratelimit-reset": self.state.reset}
        kind = "text/html" if raw[:1] == b"<" else "application/json; charset=UTF-8"
        with suppress(OSError):
            self.send_response(status)
            shown = {"Content-Type": kind, "Content-Length": str(len(raw)), **usual, **self.extra}
            for name, value in shown.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

    def _escaped(self, value: Any) -> Any:
        """Unless asked for raw JSON, Reddit escapes its texts like HTML."""
        if self.query.get("raw_json") or isinstance(value, int | float | None):
            return value
        if isinstance(value, str):
            return html.escape(value, quote=False)
        if isinstance(value, list):
            return [self._escaped(each) for each in value]
        return {name: self._escaped(each) for name, each in value.items()}

    # --- routes ---

    def _dispatch(self) -> Any:
        if self.route == "/api/v1/access_token":
            return self._login()
        self.me = self._whose()
        for method, route, answer in _ROUTES:
            found = re.fullmatch(route, self.route)
            if found and method == self.command:
                return answer(self, *found.groups())
        raise _Refused(404)

    def _whose(self) -> str:
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "bearer" or token not in self.state.tokens:
            raise _Refused(401, www_authenticate='Bearer realm="reddit", error="invalid_token"')
        return self.state.tokens[token]

    def _login(self) -> Any:
        kind, _, given = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "basic" or base64.b64decode(given).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            raise _Refused(401)
        grant, state = self.form.get("grant_type"), self.state
        if grant == "client_credentials":
            who = ""
        elif grant == "password":
            if (self.form.get("username"), self.form.get("password")) != (BRAND, state.password):
                return {"error": "invalid_grant"}
            who = BRAND
        elif grant == "refresh_token":
            if self.form.get("refresh_token") != REFRESH:
                raise _Refused(400, {"error": "invalid_grant", "message": "Bad Request"})
            who = BRAND
        else:
            return {"error": "unsupported_grant_type"}
        token = state.sign_in(who)
        return {"access_token": token, "token_type": "bearer", "expires_in": state.expires_in, "scope": state.scope}

    def _account(self) -> Any:
        if not self.me:
            raise _Refused(403)
        own = self.state.people[self.me].removeprefix("t2_")
        told = {"name": self.me, "id": own, "created_utc": 1_600_000_000.0, "total_karma": 12}
        return told | {"is_suspended": self.state.suspended}

    def _listing(self, children: list[Row]) -> Row:
        """One page of those things."""
        children = children[:DEPTH] if self.state.listings_work else []
        start, after = 0, self.query.get("after")
        if after:
            names = [child["data"]["name"] for child in children]
            start = names.index(after) + 1 if after in names else len(children)
        page = children[start : start + min(int(self.query.get("limit", "25")), 100)]
        more = start + len(page) < len(children)
        following = page[-1]["data"]["name"] if more and page else None
        return {"kind": "Listing", "data": {"after": following, "before": None, "dist": len(page), "children": page}}

    def _shown(self, rows: Iterable[Row]) -> list[Row]:
        return [{"kind": row["name"][:2], "data": self.state.seen(row, self.me)} for row in rows]

    def _inbox(self) -> Any:
        if not self.me:
            raise _Refused(403)
        return self._listing(self.state.inbox())

    def _subreddit(self, names: str, what: str) -> Any:
        state, wanted = self.state, names.lower().split("+")
        if len(wanted) == 1 and wanted[0] in state.missing:
            raise _Refused(302, b"", location=f"{state.url}/subreddits/search?q={wanted[0]}")
        if len(wanted) == 1 and wanted[0] in state.private:
            raise _Refused(403, {"reason": "private", "message": "Forbidden", "error": 403})
        kind = "t3_" if what == "new" else "t1_"
        rows = [row for row in state.things.values() if row["name"].startswith(kind)]
        rows = [row for row in rows if row["subreddit"].lower() in wanted and row["subreddit"] not in state.private]
        return self._listing(self._shown(state.newest_first(rows)))

    def _search(self) -> Any:
        """Posts that hold any of the words; NOT, AND and parentheses are for the connector's own tests."""
        words = [word.lower() for word in re.findall(r'"([^"]+)"', self.query.get("q", ""))]
        rows = [
            row
            for row in self.state.things.values()
            if not row["parent"] and any(word in f"{row['title']} {row['text']}".lower() for word in words)
        ]
        return self._listing(self._shown(self.state.newest_first(rows)))

    def _info(self) -> Any:
        state = self.state
        rows = [state.things[name] for name in self.query.get("id", "").split(",") if name in state.things]
        children = self._shown(row for row in rows if row["subreddit"] not in state.private)
        if "t5_6" in self.query.get("id", "").split(","):
            children.append({"kind": "t5", "data": {"name": "t5_6", "display_name": "reddit.com"}})
        if not state.listings_work:
            children = []
        return {"kind": "Listing", "data": {"after": None, "before": None, "dist": len(children), "children": children}}

    def _thread(self, link: str) -> Any:
        state = self.state
        above = state.things.get(f"t3_{link}")
        if above is None:
            raise _Refused(404)
        top = f"t1_{self.query['comment']}" if "comment" in self.query else above["name"]
        below = [row for row in state.things.values() if row["parent"] == top]
        if top in state.things and top != above["name"]:
            (shown,) = self._shown([state.things[top]])
            shown["data"]["replies"] = self._whole(self._shown(below))
            comments = [shown]
        else:
            comments = self._shown(below)
        return [self._whole(self._shown([above])), self._whole(comments)]

    def _whole(self, children: list[Row]) -> Row:
        return {"kind": "Listing", "data": {"after": None, "before": None, "children": children}}

    def _written(self, who: str, what: str) -> Any:
        kind = "t3_" if what == "submitted" else "t1_"
        rows = [row for row in self.state.said_by(who) if row["name"].startswith(kind)]
        return self._listing(self._shown(rows[::-1]))

    def _may_write(self, subreddit: str) -> None:
        if not self.me:
            raise _errors("USER_REQUIRED", "Please log in to do that.")
        if subreddit in self.state.banned_in:
            raise _Refused(403)

    def _post_comment(self) -> Any:
        state, parent, text = self.state, self.form.get("thing_id", ""), self.form.get("text", "")
        above = state.things.get(parent)
        if above is None:
            raise _errors("NO_THING_ID", "id not specified")
        self._may_write(above["subreddit"])
        link = state.things[above["link"] or parent]
        if above["gone"] == "deleted":
            raise _errors("DELETED_COMMENT", "that comment has been deleted")
        if link["archived"]:
            raise _errors("TOO_OLD", "that's a piece of history now; it's too late to reply to it")
        if link["locked"] or above["locked"]:
            raise _errors("THREAD_LOCKED", "Comments are locked.")
        self._check(text, 10_000)
        name = state.comment(self.me, parent, text.strip())
        self._filter(name)
        return {"json": {"errors": [], "data": {"things": self._shown([state.things[name]])}}}

    def _submit(self) -> Any:
        state, subreddit = self.state, self.form.get("sr", "")
        if subreddit in state.missing:
            raise _errors("SUBREDDIT_NOEXIST", "Hmm, that community doesn't exist. Try checking the spelling.", "sr")
        self._may_write(subreddit)
        title = self.form.get("title", "").strip()
        self._check(title, 300)
        if self.form.get("text"):
            self._check(self.form["text"], 40_000)
        name = state.submit(self.me, subreddit, title, self.form.get("text", "").strip())
        self._filter(name)
        (shown,) = self._shown([state.things[name]])
        data = {"url": shown["data"]["url"], "id": shown["data"]["id"], "name": name}
        return {"json": {"errors": [], "data": data}}

    def _ours(self, name: str) -> Row | None:
        row = self.state.things.get(name)
        if row is None or not self.me:
            raise _errors("USER_REQUIRED", "Please log in to do that.")
        return row if row["author"] == self.me else None

    def _edit(self) -> Any:
        row, text = self._ours(self.form.get("thing_id", "")), self.form.get("text", "")
        if row is None:
            raise _errors("NOT_AUTHOR", "you can't do that")
        if row["gone"] == "deleted":
            raise _errors("DELETED_COMMENT", "that comment has been deleted")
        if row["parent"] or text.strip():
            self._check(text, 10_000 if row["parent"] else 40_000)
        self.state.edit(row["name"], text.strip())
        return {"json": {"errors": [], "data": {"things": self._shown([row])}}}

    def _del(self) -> Any:
        if (row := self._ours(self.form.get("id", ""))) is not None:  # of another's, Reddit says nothing
            self.state.delete(row["name"])
        return {}

    def _sticky(self) -> Any:
        row, up = self._ours(self.form.get("id", "")), self.form.get("state", "").lower() == "true"
        if row is None or row["parent"]:
            raise _Refused(403)
        if self.form.get("to_profile", "").lower() == "true":
            if up == (row["name"] in self.state.pins):
                raise _Refused(409, {"message": "Conflict", "error": 409})
            self.state.pins = [each for each in self.state.pins if each != row["name"]] + [row["name"]] * up
        elif row["subreddit"] not in self.state.moderated:
            raise _Refused(403)
        elif row["stickied"] == up:
            raise _Refused(409, {"message": "Conflict", "error": 409})
        else:
            row["stickied"] = up
        return {"json": {"errors": []}}

    def _check(self, text: str, longest: int) -> None:
        if not text.strip():
            raise _errors("NO_TEXT", "we need something here", "text")
        if len(text) > longest:
            raise _errors("TOO_LONG", f"this is too long (max: {longest})", "text")

    def _filter(self, name: str) -> None:
        if self.state.things[name]["subreddit"] in self.state.removes_in:
            self.state.remove(name)


_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", r"/api/v1/me", _Handler._account),
    ("GET", r"/message/inbox", _Handler._inbox),
    ("GET", r"/r/([\w+]+)/(new|comments)", _Handler._subreddit),
    ("GET", r"/search", _Handler._search),
    ("GET", r"/api/info", _Handler._info),
    ("GET", r"/comments/(\w+)", _Handler._thread),
    ("GET", r"/user/([\w-]+)/(comments|submitted)", _Handler._written),
    ("POST", r"/api/comment", _Handler._post_comment),
    ("POST", r"/api/submit", _Handler._submit),
    ("POST", r"/api/editusertext", _Handler._edit),
    ("POST", r"/api/del", _Handler._del),
    ("POST", r"/api/set_subreddit_sticky", _Handler._sticky),
]
