"""X on loopback: version 2 of its API as far as it is used, with people, quotas, prices and everything that goes wrong.

    with XServer() as server:
        post = server.person("ana").post("@marca no tengo señal")
        server.fail("GET /2/tweets/search", "503")

It keeps X's rules where they bite: only who named the account or quoted it may be answered, the same text twice is
refused, an edit is a new id, search reaches seven days back and mentions 800 posts, an app alone has no mentions, the
OAuth 1.0a signature must be right. It writes a bill of its own (`bill`, in USD by name of the price).

Faults (`fail(route, kind, times=1, **options)`; `route` is a regular expression over "METHOD path"):

    401 402 403 404 500 503 …            that status, in X's own words (`body` for others)
    429                                  the window is used up            429_bare   without any header
    cap                                  the monthly cap: a 429 although the window has room
    daily                                the day's limit: a 429 although the window has room
    html (status=…) / truncated / wrong_type (body=…) / huge / slow / redirect (to=…)
    timeout_before / timeout_after / cut_before / cut_after / 500_after
    bad_headers / last_allowed           all is well but for the headers
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import threading
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import regex

BRAND = "marca"
BEARER = "bearer-AAAA5f1d2c9ab7"
KEYS = {
    "consumer_key": "ck-1f9e8d7c6b",
    "consumer_secret": "cs-0a1b2c3d4e5f6071",
    "access_token": "900-at-77aa66bb55cc",
    "access_token_secret": "ats-99ff88ee77dd66cc",
}
EPOCH = 1288834974657
DAY = 86400.0
PRICES = {
    "post_read": 0.005,
    "owned_read": 0.001,
    "user_read": 0.010,
    "counts": 0.005,
    "media_metadata": 0.005,
    "delete": 0.010,
}
PROBLEMS = "https://api.x.com/2/problems"
LIMITS = {
    "me": 75,
    "mentions": 300,
    "own": 900,
    "search": 300,
    "counts": 300,
    "lookup": 5000,
    "post": 100,
    "delete": 50,
    "media": 500,
}

Row = dict[str, Any]

_MENTION = re.compile(r"(?<![\w@])@([A-Za-z0-9_]{1,15})")
_TAG = re.compile(r"(?<![\w&])#(\w*[^\W\d_]\w*)")
_WORD = re.compile(r"[^\W_]+")
_URL = re.compile(r"https?://[\w.-]+\.[A-Za-z]{2,}(?![A-Za-z0-9@_-])(?:[:/?](?:[^\s<>\"]*[^\s<>\".,;:!?)])?)?")
_TOKENS = re.compile(r'-?"[^"]*"|\(|\)|[^\s()]+')


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
    body: Row


@dataclass
class Person:
    """Somebody on X, as a test moves them."""

    server: XServer
    handle: str

    @property
    def id(self) -> str:
        """The account's id."""
        return str(self.server.users[self.handle]["id"])

    def post(self, text: str, **more: Any) -> str:
        """Says it; gives the id. For `more` see `XServer.add_post`."""
        return str(self.server.add_post(self.handle, text, **more)["id"])


@dataclass
class XServer:
    """The server and everything on it. `url` is where it listens once entered."""

    most: dict[str, int] = field(default_factory=dict)  # requests per window, where they are to be counted
    duplicates: bool = True  # whether the same text twice is refused
    summoned_only: bool = True
    lag: float = 0.0  # seconds that our own posts take to show up among themselves
    seen_as: str = ""  # where its clients believe it to be, for their signatures
    users: dict[str, Row] = field(default_factory=dict)
    posts: dict[str, Row] = field(default_factory=dict)  # every version, by id
    media: dict[str, Row] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    bill: dict[str, float] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self._billed: set[str] = set()
        self._last = 0
        self._used: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.state = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.person(BRAND, name="Marca")
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    # --- people and what they do ---

    def person(self, handle: str, **profile: Any) -> Person:
        """The person of that name; made if new."""
        with self.lock:
            if handle not in self.users:
                number = "900" if handle == BRAND else str(1000 + len(self.users))
                self.users[handle] = {"id": number, "username": handle, "name": handle.title()}
            self.users[handle].update(profile)
        return Person(self, handle)

    def add_post(
        self,
        who: str,
        text: str,
        *,
        reply_to: str | None = None,
        quotes: str | None = None,
        repeats: str | None = None,
        late: timedelta = timedelta(0),
        lang: str = "es",
        reply_settings: str = "everyone",
        long: str = "",
        media: list[Row] | None = None,
        media_ids: list[str] | None = None,
        more: Row | None = None,
    ) -> Row:
        """Puts a post on the server. `late`: its time is that much earlier. `long`: the whole text of a long post.

        `more`: whatever the answer is to hold besides.
        """
        with self.lock:
            self.person(who)
            number = self._next_id(time.time() - late.total_seconds())
            for index, each in enumerate(media or []):
                key = f"3_{number}{index}"
                self.media[key] = {"media_key": key, "type": "photo"} | each
                media_ids = [*(media_ids or []), key]
            parent = self.posts.get(reply_to or "")
            row = {
                "id": number,
                "who": who,
                "text": text,
                "long": long,
                "reply_to": reply_to,
                "quotes": quotes,
                "repeats": repeats,
                "conversation": parent["conversation"] if parent else number,
                "lang": lang,
                "reply_settings": reply_settings,
                "media": media_ids or [],
                "history": [number],
                "made": time.time(),
                "gone": False,
                "more": more or {},
            }
            self.posts[number] = row
            return row

    def edit(self, post_id: str, text: str) -> str:
        """Its author changes it: a new id, which is given."""
        with self.lock:
            old = self.newest(post_id)
            number = self._next_id(time.time())
            history = [*old["history"], number]
            self.posts[number] = old | {"id": number, "text": text, "long": "", "made": time.time()}
            for each in history:
                self.posts[each]["history"] = history
            return number

    def delete(self, post_id: str) -> None:
        """Its author deletes it, all versions at once."""
        with self.lock:
            for each in self.posts[post_id]["history"]:
                self.posts[each]["gone"] = True

    def protect(self, who: str) -> None:
        """From now on their posts are not for us."""
        self.users[who]["protected"] = True

    def newest(self, post_id: str) -> Row:
        """The newest version of that post."""
        return self.posts[self.posts[post_id]["history"][-1]]

    def posts_by(self, who: str) -> list[Row]:
        """What that account has said and not deleted, oldest first, newest versions only."""
        with self.lock:
            return [row for row in self._listed() if row["who"] == who]

    def next_day(self) -> None:
        """What was billed today is billed again."""
        self._billed.clear()

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

    def _next_id(self, moment: float) -> str:
        number = (int(moment * 1000) - EPOCH) << 22
        if moment > time.time() - 1:
            number = self._last = max(number, self._last + 1)
        while str(number) in self.posts:
            number += 1
        return str(number)

    def _listed(self) -> list[Row]:
        rows = [row for row in self.posts.values() if row["id"] == row["history"][-1] and self.shows(row)]
        return sorted(rows, key=lambda row: int(row["id"]))

    def shows(self, row: Row) -> bool:
        """Whether we may see it."""
        return not row["gone"] and not self.users[row["who"]].get("protected")

    def listed(self, query: dict[str, str]) -> list[Row]:
        """What a list may hold by `since_id` and `start_time`, newest first."""
        rows = self._listed()
        if since := query.get("since_id"):
            rows = [row for row in rows if int(row["id"]) > int(since)]
        elif start := query.get("start_time"):
            rows = [row for row in rows if made(row["id"]) >= datetime.fromisoformat(start)]
        return rows[::-1]

    def charge(self, price: str, what: list[str], *, usd: float | None = None) -> None:
        """Writes it on the bill; the same thing once a day."""
        fresh = [each for each in what if not each or each not in self._billed]
        self._billed.update(fresh)
        if fresh:
            each = PRICES[price] if usd is None else usd
            self.bill[price] = round(self.bill.get(price, 0) + each * len(fresh), 6)

    def use(self, family: str) -> tuple[int, int]:
        """Limit of the window and how many requests remain after this one."""
        with self.lock:
            self._used[family] = self._used.get(family, 0) + 1
            limit = self.most.get(family, LIMITS[family])
            return limit, limit - self._used[family] if family in self.most else limit - 1


# --- X's words ------------------------------------------------------------------------------------------------------


def made(post_id: str) -> datetime:
    """When the post of that id was made."""
    return datetime.fromtimestamp(((int(post_id) >> 22) + EPOCH) / 1000, UTC)


def iso(moment: datetime) -> str:
    """A time as X writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def weight(text: str) -> int:
    """The length as X counts it, by another way than the connector's."""
    text = unicodedata.normalize("NFC", text)
    total = 23 * len(_URL.findall(text))
    for cluster in regex.findall(r"\X", _URL.sub("", text)):
        if regex.search(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\u20e3]", cluster):
            total += 2
        else:
            for char in cluster:
                code = ord(char)
                total += (
                    1 if code <= 4351 or 8192 <= code <= 8205 or 8208 <= code <= 8223 or 8242 <= code <= 8247 else 2
                )
    return total


def short(url: str) -> str:
    """Its short link."""
    return "https://t.co/" + base64.b32encode(hashlib.sha256(url.encode()).digest())[:10].decode()


def shown(server: XServer, row: Row, text: str) -> tuple[str, Row]:
    """A text as X gives it, and its entities."""
    parent = server.posts.get(row["reply_to"] or "")
    if parent and not text.startswith("@"):
        text = f"@{parent['who']} {text}"
    urls = [{"url": short(url), "expanded_url": url, "display_url": url[:20]} for url in _URL.findall(text)]
    for each in urls:
        text = text.replace(each["expanded_url"], each["url"])
    if row["media"]:
        link = short(f"media {row['id']}")
        place = f"https://x.com/{row['who']}/status/{row['id']}/photo/1"
        urls.append({"url": link, "expanded_url": place, "media_key": row["media"][0]})
        text = f"{text} {link}"
    entities: Row = {}
    mentions = [
        {"start": found.start(), "end": found.end(), "username": name, "id": server.users[name]["id"]}
        for found in _MENTION.finditer(text)
        for name in [next((each for each in server.users if each.lower() == found[1].lower()), "")]
        if name
    ]
    for name, values in (("urls", urls), ("mentions", mentions)):
        if values:
            entities[name] = values
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"), entities


def post_json(server: XServer, row: Row, fields: set[str]) -> Row:
    """A post with the fields asked for."""
    text, entities = shown(server, row, row["text"])
    whole: Row = {
        "author_id": server.users[row["who"]]["id"],
        "created_at": iso(made(row["id"])),
        "conversation_id": row["conversation"],
        "lang": row["lang"],
        "reply_settings": row["reply_settings"],
    }
    kinds = (("replied_to", "reply_to"), ("quoted", "quotes"), ("retweeted", "repeats"))
    referenced = [{"type": kind, "id": row[name]} for kind, name in kinds if row[name]]
    if referenced:
        whole["referenced_tweets"] = referenced
    if row["reply_to"] in server.posts:
        whole["in_reply_to_user_id"] = server.users[server.posts[row["reply_to"]]["who"]]["id"]
    if entities:
        whole["entities"] = entities
    if row["media"]:
        whole["attachments"] = {"media_keys": row["media"]}
    if row["long"]:
        long, inner = shown(server, row, row["long"])
        whole["note_tweet"] = {"text": long, "entities": inner}
    asked = {name: value for name, value in whole.items() if name in fields}
    post: Row = {"id": row["id"], "text": text, "edit_history_tweet_ids": row["history"]}
    return post | asked | row["more"]  # type: ignore[no-any-return]


def user_json(server: XServer, handle: str) -> Row:
    """A user."""
    user = server.users[handle]
    return {
        "id": user["id"],
        "username": handle,
        "name": user["name"],
        "created_at": "2019-03-01T10:00:00.000Z",
        "public_metrics": {"followers_count": user.get("followers", 12), "following_count": 3},
    }


def in_words(text: str) -> str:
    """The words of a text, each between spaces."""
    return f" {' '.join(_WORD.findall(text))} "


def finds(query: str, row: Row, server: XServer) -> bool:
    """Whether X's search finds the post by that query."""
    tokens = _TOKENS.findall(query)
    text = (row["long"] or row["text"]).lower()
    words = in_words(text)

    def leaf(token: str) -> bool:
        token = token.lower()
        if token == "is:retweet":
            return row["repeats"] is not None
        if token.startswith("lang:"):
            return bool(row["lang"] == token[5:])
        if token.startswith("from:"):
            return bool(row["who"].lower() == token[5:])
        if token.startswith("#"):
            return token[1:] in (tag.lower() for tag in _TAG.findall(text))
        if token.startswith("@"):
            return token[1:] in (name.lower() for name in _MENTION.findall(text))
        return in_words(token) in words

    def either(at: int) -> tuple[bool, int]:
        value, at = every(at)
        while at < len(tokens) and tokens[at] == "OR":
            other, at = every(at + 1)
            value = value or other
        return value, at

    def every(at: int) -> tuple[bool, int]:
        value = True
        while at < len(tokens) and tokens[at] not in (")", "OR"):
            if tokens[at] == "(":
                inner, at = either(at + 1)
                value = value and inner
            elif tokens[at].startswith("-"):
                value = value and not leaf(tokens[at][1:])
            else:
                value = value and leaf(tokens[at])
            at += 1
        return value, at

    return either(0)[0]


class _Refused(Exception):
    def __init__(self, status: int, title: str, detail: str, name: str = "", **more: Any) -> None:
        self.status = status
        kind = f"{PROBLEMS}/{name}" if name else "about:blank"
        self.body = {"title": title, "detail": detail, "type": kind, "status": status, **more}
        super().__init__(detail)


def forbidden(detail: str, name: str = "", **more: Any) -> _Refused:
    """A 403 in X's words."""
    return _Refused(403, "Forbidden", detail, name, **more)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    state: XServer

    def handle_error(self, *_: Any) -> None:
        """A client that went away is none."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    @property
    def state(self) -> XServer:
        return self.server.state

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.route, self.raw_query = parts.path, parts.query
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.body = json.loads(raw) if raw else {}
        self.headers_wanted, self.window = "good", (300, 299)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.state.requests.append(Seen(self.command, self.route, self.query, headers, self.body))
        fault = self.state.fault_for(self.command, self.route)
        if fault is not None and not self._before(fault):
            return
        try:
            with self.state.lock:
                status, body = self._dispatch()
        except _Refused as refused:
            status, body = refused.status, refused.body
        if fault is not None and not self._after(fault, body):
            return
        self._answer(status, body)

    # --- faults ---

    def _before(self, fault: Fault) -> bool:
        """Whether the request goes on."""
        kind, given = fault.kind, fault.options
        tired = {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}
        if kind in ("timeout_before", "cut_before"):
            if kind == "timeout_before":
                self.state.stopping.wait(given.get("seconds", 60))
            self._hang_up()
        elif kind in ("429", "429_bare", "daily"):
            self.headers_wanted = {"429": "used up", "429_bare": "none"}.get(kind, kind)
            self._answer(429, tired)
        elif kind == "cap":
            capped = {
                "account_id": 1,
                "product_name": "standard-basic",
                "title": "UsageCapExceeded",
                "period": "Monthly",
            }
            detail = "Usage cap exceeded: Monthly product cap"
            self._answer(429, capped | {"scope": "Product", "detail": detail, "type": f"{PROBLEMS}/usage-capped"})
        elif kind == "402":
            self._answer(402, given.get("body", {}))
        elif kind.isdigit():
            words = {"401": "Unauthorized", "403": "Forbidden", "404": "Not Found"}.get(kind, "Internal Server Error")
            body = {"title": words, "detail": words, "type": "about:blank", "status": int(kind)}
            self._answer(int(kind), given.get("body", body))
        elif kind == "html":
            self._answer(given.get("status", 200), b"<!doctype html><title>Proxy</title><h1>Please wait</h1>")
        elif kind == "redirect":
            self._answer(given.get("status", 302), b"", location=given["to"])
        else:
            return True
        return False

    def _after(self, fault: Fault, body: Any) -> bool:
        """Whether the answer goes out as it is."""
        kind, given = fault.kind, fault.options
        if kind in ("timeout_after", "cut_after"):
            if kind == "timeout_after":
                self.state.stopping.wait(given.get("seconds", 60))
            self._hang_up()
        elif kind == "500_after":
            self._answer(500, {"title": "Internal Server Error", "status": 500})
        elif kind == "truncated":
            self._answer(200, json.dumps(body).encode()[:-7])
        elif kind == "wrong_type":
            self._answer(200, given.get("body", {"data": {"unexpected": [1, None, {"id": {}}]}}))
        elif kind == "huge":
            self._answer(200, b"[" + b" " * given.get("bytes", 20_000_000) + b"]")
        elif kind == "slow":
            self._trickle(json.dumps(body).encode(), given.get("pause", 0.05))
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
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.state.stopping.wait(pause):
                    break
        self.close_connection = True

    # --- answers ---

    def _answer(self, status: int, body: Any, *, location: str = "") -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        with suppress(OSError):
            self.send_response(status)
            kind = "text/html" if raw[:1] == b"<" else "application/json; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            if location:
                self.send_header("Location", location)
            for name, value in self._limits():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

    def _limits(self) -> list[tuple[str, str]]:
        limit, left = self.window
        reset = str(int(time.time()) + 700)
        if self.headers_wanted == "none":
            return []
        if self.headers_wanted == "bad_headers":
            return [("x-rate-limit-limit", "many"), ("x-rate-limit-remaining", "-"), ("x-rate-limit-reset", "soon")]
        if self.headers_wanted in ("used up", "last_allowed"):
            left = 0
        headers = [("x-rate-limit-limit", str(limit)), ("x-rate-limit-remaining", str(max(0, left)))]
        headers.append(("x-rate-limit-reset", reset))
        if self.headers_wanted == "daily":
            ends = str(int(time.time()) + 7200)
            headers += [("x-user-limit-24hour-limit", "50"), ("x-user-limit-24hour-remaining", "0")]
            headers.append(("x-user-limit-24hour-reset", ends))
        return headers

    # --- the API ---

    def _dispatch(self) -> tuple[int, Any]:
        for method, pattern, family, handle in _ROUTES:
            found = re.fullmatch(pattern, self.route)
            if method == self.command and found:
                who = self._authorise()
                self.window = self.state.use(family)
                if self.window[1] < 0:
                    raise _Refused(429, "Too Many Requests", "Too Many Requests")
                return handle(self, who, *found.groups())
        raise _Refused(404, "Not Found", "no such endpoint")

    def _authorise(self) -> str:
        """Who asks: `user`, or `app`."""
        given = self.headers.get("Authorization") or ""
        if given == f"Bearer {BEARER}":
            return "app"
        if given.startswith("OAuth ") and self._signed(given):
            return "user"
        raise _Refused(401, "Unauthorized", "Unauthorized")

    def _signed(self, header: str) -> bool:
        """Whether the OAuth 1.0a signature is the one that our keys make (RFC 5849, 3.4)."""
        given = {name: unquote(value) for name, value in re.findall(r'(oauth_\w+)="([^"]*)"', header)}
        signature = given.pop("oauth_signature", "")
        pairs = sorted(
            (quote(name, safe="~"), quote(value, safe="~"))
            for name, value in [*given.items(), *parse_qsl(self.raw_query, keep_blank_values=True)]
        )
        parts = (
            self.command,
            f"{self.state.seen_as or self.state.url}{self.route}",
            "&".join(f"{name}={value}" for name, value in pairs),
        )
        key = f"{KEYS['consumer_secret']}&{KEYS['access_token_secret']}".encode()
        base = "&".join(quote(part, safe="~") for part in parts).encode()
        right = base64.b64encode(hmac.new(key, base, hashlib.sha1).digest()).decode()
        named = (given.get("oauth_consumer_key"), given.get("oauth_token"))
        return named == (KEYS["consumer_key"], KEYS["access_token"]) and hmac.compare_digest(right, signature)

    def _fields(self) -> set[str]:
        return set((self.query.get("tweet.fields") or "").split(","))

    def _list(self, rows: list[Row], *, price: str, token: str) -> tuple[int, Any]:
        """A page of these posts, newest first, with what belongs to them."""
        size = int(self.query.get("max_results") or 10)
        if not 5 <= size <= 100:
            raise _Refused(400, "Invalid Request", "The `max_results` query parameter value is not between 5 and 100")
        at = int(self.query.get(token, "t0")[1:])
        page = rows[at : at + size]
        meta: Row = {"result_count": len(page)}
        if not page:
            return 200, {"meta": meta}
        meta |= {"newest_id": page[0]["id"], "oldest_id": page[-1]["id"]}
        if at + size < len(rows):
            meta["next_token"] = f"t{at + size}"
        self.state.charge(price, [row["id"] for row in page])
        return 200, self._joined(page) | {"meta": meta}

    def _joined(self, rows: list[Row]) -> Row:
        server, wanted = self.state, (self.query.get("expansions") or "").split(",")
        fields = self._fields()
        body: Row = {"data": [post_json(server, row, fields) for row in rows]}
        includes: Row = {}
        if "author_id" in wanted:
            handles = dict.fromkeys(row["who"] for row in rows)
            includes["users"] = [user_json(server, handle) for handle in handles]
        if "referenced_tweets.id" in wanted:
            ids = [row[name] for row in rows for name in ("reply_to", "quotes", "repeats") if row[name]]
            known = [server.posts[each] for each in dict.fromkeys(ids) if each in server.posts]
            includes["tweets"] = [post_json(server, row, fields) for row in known if server.shows(row)]
        if "attachments.media_keys" in wanted:
            keys = [key for row in rows for key in row["media"]]
            includes["media"] = [server.media[key] for key in keys if key in server.media]
        includes = {name: value for name, value in includes.items() if value}
        return body | ({"includes": includes} if includes else {})

    def _me(self, who: str) -> tuple[int, Any]:
        if who == "app":
            raise forbidden("Authenticating with Application-Only is forbidden.", "unsupported-authentication")
        self.state.charge("user_read", [self.state.users[BRAND]["id"]])
        return 200, {"data": user_json(self.state, BRAND)}

    def _mentions(self, _who: str, user: str) -> tuple[int, Any]:
        name = next(handle for handle, each in self.state.users.items() if each["id"] == user)
        rows = [
            row
            for row in self.state.listed(self.query)
            if row["who"] != name
            and name.lower() in (each.lower() for each in _MENTION.findall(shown(self.state, row, row["text"])[0]))
        ]
        return self._list(rows[:800], price="owned_read", token="pagination_token")

    def _own(self, _who: str, user: str) -> tuple[int, Any]:
        seen = time.time() - self.state.lag
        rows = [row for row in self.state.listed(self.query) if self.state.users[row["who"]]["id"] == user]
        return self._list([row for row in rows if row["made"] <= seen], price="owned_read", token="pagination_token")

    def _query(self) -> str:
        query, since = self.query.get("query", ""), self.query.get("since_id")
        if not 1 <= len(query) <= 512:
            raise _Refused(400, "Invalid Request", "Rules must be no more than 512 characters long")
        if since and made(since) < datetime.now(UTC) - timedelta(days=7):
            message = "'since_id' must be a tweet id created after [7 days ago]. Please use a larger 'since_id'."
            errors = [{"parameters": {"since_id": [since]}, "message": message}]
            raise _Refused(400, "Invalid Request", "One or more parameters to your request was invalid.", errors=errors)
        return query

    def _search(self, _who: str) -> tuple[int, Any]:
        query = self._query()
        rows = [row for row in self.state.listed(self.query) if finds(query, row, self.state)]
        return self._list(rows, price="post_read", token="next_token")

    def _counts(self, who: str) -> tuple[int, Any]:
        if who == "user":
            raise forbidden("OAuth 1.0a User Context is not supported here.", "unsupported-authentication")
        query = self._query()
        total = sum(finds(query, row, self.state) for row in self.state.listed(self.query))
        self.state.charge("counts", [""])
        return 200, {"data": [{"tweet_count": total}], "meta": {"total_tweet_count": total}}

    def _lookup(self, _who: str) -> tuple[int, Any]:
        ids = self.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100:
            raise _Refused(400, "Invalid Request", "size must be between 1 and 100")
        rows, errors = [], []
        for each in ids:
            row = self.state.posts.get(each)
            if row is not None and self.state.shows(row):
                rows.append(row)
                continue
            hidden = row is not None and not row["gone"]
            problem = {"resource_id": each, "value": each, "resource_type": "tweet", "parameter": "ids"}
            problem["title"] = "Authorization Error" if hidden else "Not Found Error"
            problem["detail"] = f"Could not find tweet with ids: [{each}]."
            problem["type"] = f"{PROBLEMS}/{'not-authorized-for-resource' if hidden else 'resource-not-found'}"
            errors.append(problem)
        self.state.charge("post_read", [row["id"] for row in rows])
        return 200, (self._joined(rows) if rows else {}) | ({"errors": errors} if errors else {})

    def _post(self, who: str) -> tuple[int, Any]:
        if who == "app":
            raise forbidden("Authenticating with Application-Only is forbidden.", "unsupported-authentication")
        server, text = self.state, str(self.body.get("text") or "")
        parent = (self.body.get("reply") or {}).get("in_reply_to_tweet_id")
        pictures = (self.body.get("media") or {}).get("media_ids") or []
        if not text.strip() or weight(text) > 280 or any(each not in server.media for each in pictures):
            raise _Refused(400, "Invalid Request", "One or more parameters to your request was invalid.")
        if parent is not None:
            self._check_parent(parent)
        same = [row for row in server.posts_by(BRAND) if row["text"] == text and row["reply_to"] == parent]
        if server.duplicates and same:
            raise forbidden("You are not allowed to create a Tweet with duplicate content.")
        row = server.add_post(BRAND, text, reply_to=parent, media_ids=pictures)
        price, usd = ("post_with_url", 0.2) if _URL.search(text) else ("post", 0.015)
        if price == "post" and parent and server.posts[parent]["who"] != BRAND:
            price, usd = "summoned_reply", 0.01
        server.charge(price, [""], usd=usd)
        return 201, {"data": {"id": row["id"], "text": text, "edit_history_tweet_ids": [row["id"]]}}

    def _delete(self, who: str, post_id: str) -> tuple[int, Any]:
        if who == "app":
            raise forbidden("Authenticating with Application-Only is forbidden.", "unsupported-authentication")
        row = self.state.posts.get(post_id)
        if row is None or row["gone"]:
            raise _Refused(404, "Not Found Error", f"Could not find tweet with id: [{post_id}].", "resource-not-found")
        if row["who"] != BRAND:
            raise forbidden("You are not authorized to delete this Tweet.")
        self.state.delete(post_id)
        self.state.charge("delete", [""])
        return 200, {"data": {"deleted": True}}

    def _check_parent(self, parent: str) -> None:
        server, row = self.state, self.state.posts.get(parent)
        if row is None or not server.shows(row):
            raise forbidden("You attempted to reply to a Tweet that is deleted or not visible to you.")
        named = BRAND in (name.lower() for name in _MENTION.findall(row["long"] or row["text"]))
        answers = server.posts.get(row["reply_to"] or "", {}).get("who") == BRAND
        quotes = server.posts.get(row["quotes"] or "", {}).get("who") == BRAND
        if row["reply_settings"] != "everyone" and not named:
            raise forbidden("The original Tweet author restricted who can reply to this Tweet.")
        if server.summoned_only and row["who"] != BRAND and not (named or answers or quotes):
            detail = (
                "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged"
            )
            raise forbidden(f"{detail} by the author of the post you are replying to.")

    def _upload(self, who: str) -> tuple[int, Any]:
        data = base64.b64decode(self.body["media"])
        if who == "app" or self.body.get("media_category") != "tweet_image" or not data:
            raise _Refused(400, "Invalid Request", "no usable media")
        number = str(7000 + len(self.state.media))
        self.state.media[number] = {"media_key": f"3_{number}", "type": "photo", "url": "https://pbs.example/1.png"}
        return 200, {"data": {"id": number, "media_key": f"3_{number}", "size": len(data)}}

    def _describe(self, _who: str) -> tuple[int, Any]:
        alt = self.body["metadata"]["alt_text"]["text"]
        self.state.media[self.body["id"]]["alt_text"] = alt
        self.state.charge("media_metadata", [""])
        return 200, {"data": {"id": self.body["id"], "associated_metadata": self.body["metadata"]}}


_ROUTES: tuple[tuple[str, str, str, Callable[..., tuple[int, Any]]], ...] = (
    ("GET", "/2/users/me", "me", _Handler._me),
    ("GET", r"/2/users/(\d+)/mentions", "mentions", _Handler._mentions),
    ("GET", r"/2/users/(\d+)/tweets", "own", _Handler._own),
    ("GET", "/2/tweets/search/recent", "search", _Handler._search),
    ("GET", "/2/tweets/counts/recent", "counts", _Handler._counts),
    ("GET", "/2/tweets", "lookup", _Handler._lookup),
    ("POST", "/2/tweets", "post", _Handler._post),
    ("DELETE", r"/2/tweets/(\d+)", "delete", _Handler._delete),
    ("POST", "/2/media/upload", "media", _Handler._upload),
    ("POST", "/2/media/metadata", "media", _Handler._describe),
)
