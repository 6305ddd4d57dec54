"""Salesforce's REST API on loopback, as far as it is spoken to here: OAuth tokens, SOQL, upserts, limits, refusals.

It is reached as the real one is, over TLS under its own name, through a proxy (CONNECT) that is this server itself:

    with Salesforce(folder) as org:
        environment |= org.environment        # HTTPS_PROXY and REQUESTS_CA_BUNDLE
        org.contact("Ana Paz", Email="ana@example.org")
        org.fail("PATCH", "cut_after")         # carried out, and the answer lost
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

DOMAIN = "brand.my"
HOST = f"{DOMAIN}.salesforce.com"
KEY, SECRET = "3MVG9-consumer-key", "consumer-secret-0123456789"
USER, PASSWORD = "bot@brand.example", "pass-word-0123456789"
DATA = re.compile(r"/services/data/v[\d.]+/(.+)")
_FILTER = re.compile(
    r"SystemModstamp (?P<more>>=?) (?P<stamp>\S+?)"
    r"(?: OR \(SystemModstamp = (?P<same>\S+) AND Id > '(?P<id>\w+)'\))?"
)
_SOQL = re.compile(
    r"SELECT (?P<fields>.+?) FROM (?P<object>\w+)(?: WHERE (?P<where>.+?))?"
    r"(?P<order> ORDER BY SystemModstamp ASC, Id ASC)?(?: LIMIT (?P<limit>\d+))?"
)


@dataclass
class Fault:
    """What goes wrong with the next requests of that method whose path holds `path`."""

    method: str
    kind: str
    path: str
    times: int
    status: int
    body: bytes
    headers: dict[str, str]


def make_certificate(folder: Path) -> Path:
    """A certificate for every organisation's host, in that folder with its key."""
    assert shutil.which("openssl")
    what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=Salesforce", "-addext", "subjectAltName=DNS:*.my.salesforce.com,DNS:*.evil.example"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", "req", *what, *names, *files], capture_output=True, check=True)
    return folder / "cert.pem"


class Salesforce:
    """One organisation."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "cert.pem").exists():
            make_certificate(folder)
        self._folder = folder
        self.now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
        self.rows: dict[str, dict[str, dict[str, Any]]] = {"Contact": {}, "Account": {}, "Case": {}}
        self.custom = {"Contact": {"Legajo__c"}, "Account": set(), "Case": {"Escucha_Reference__c", "Team__c"}}
        self.external = {"Case": "Escucha_Reference__c"}
        self.batch = 2000  # records in one answer, however many were asked for
        self.used, self.total = 0, 15_000
        self.instance = HOST
        self.tokens: set[str] = set()
        self.logins = 0
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.upserts: list[tuple[str, dict[str, Any]]] = []  # every one that was carried out
        self.hosts: list[str] = []
        self.links: set[ssl.SSLSocket] = set()  # that are open
        self.meanwhile: Any = lambda: None  # before each answer to a write
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._count = 0

    # --- what is in it ---

    def put(self, kind: str, **fields: Any) -> str:
        """A new record; gives its id."""
        with self._lock:
            self._count += 1
            number = f"{ {'Contact': '003', 'Account': '001', 'Case': '500'}[kind] }5g{self._count:013d}"
            self.rows[kind][number] = {"Id": number, "IsDeleted": False, **fields}
            self._touch(kind, number)
            return number

    def contact(self, name: str, **fields: Any) -> str:
        """A new Contact; gives its id."""
        return self.put("Contact", Name=name, **{"Email": None, "Phone": None, "Account": None, **fields})

    def change(self, number: str, kind: str = "Contact", **fields: Any) -> None:
        """Somebody changes a record."""
        self.rows[kind][number] |= fields
        self._touch(kind, number)

    def delete(self, number: str, kind: str = "Contact") -> None:
        """Somebody deletes it: it goes to the bin."""
        self.change(number, kind, IsDeleted=True)

    def forward(self, **span: float) -> None:
        """Its time goes on."""
        self.now += timedelta(**span)

    def _touch(self, kind: str, number: str) -> None:
        self.rows[kind][number]["SystemModstamp"] = self.now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")

    def expire(self) -> None:
        """No token is worth anything any more."""
        self.tokens.clear()

    def fail(
        self,
        method: str,
        kind: str,
        *,
        path: str = "",
        times: int = 1,
        status: int = 500,
        body: Any = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        """`status` answers that; `cut_before` and `cut_after` break off; `silent` says nothing for a while."""
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._faults.append(Fault(method, kind, path, times, status, said, headers or {}))

    def fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times and fault.method == method and fault.path in path:
                    fault.times -= 1
                    return fault
        return None

    # --- what is asked ---

    def token(self, form: dict[str, list[str]], authorization: str) -> tuple[int, Any]:
        with self._lock:
            basic = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
            kind = form.get("grant_type", [""])[0]
            if kind == "client_credentials":
                well = authorization == f"Basic {basic}"
            else:
                wanted = {"client_id": KEY, "client_secret": SECRET, "username": USER, "password": PASSWORD}
                well = kind == "password" and all(form.get(name) == [value] for name, value in wanted.items())
            if not well:
                return 400, {"error": "invalid_client", "error_description": f"invalid client credentials {SECRET}"}
            self.logins += 1
            token = f"00D5g!token{self.logins}"
            self.tokens.add(token)
            return 200, {"access_token": token, "instance_url": f"https://{self.instance}", "token_type": "Bearer"}

    def query(self, soql: str, *, deleted: bool) -> tuple[int, Any]:
        asked = _SOQL.fullmatch(soql)
        if asked is None or asked["object"] not in self.rows:
            return 400, [{"message": f"unexpected token: {soql}", "errorCode": "MALFORMED_QUERY"}]
        kind = asked["object"]
        rows = [row for row in self.rows[kind].values() if deleted or not row["IsDeleted"]]
        if asked["fields"] == "COUNT()":
            return 200, {"totalSize": len(rows), "done": True, "records": []}
        fields = asked["fields"].split(", ")
        known = {"Id", "IsDeleted", "SystemModstamp", "Name", "Email", "Phone", "Account.Name"} | self.custom[kind]
        if unknown := [name for name in fields if name not in known]:
            said = f"No such column '{unknown[0]}' on entity '{kind}'."
            return 400, [{"message": said, "errorCode": "INVALID_FIELD"}]
        if asked["where"]:
            where = _FILTER.fullmatch(asked["where"])
            if where is None:
                return 400, [{"message": "unexpected token: WHERE", "errorCode": "MALFORMED_QUERY"}]
            rows = [row for row in rows if _passes(row, where)]
        rows.sort(key=lambda row: (row["SystemModstamp"], row["Id"]))
        rows = rows[: int(asked["limit"] or 2000)]
        shown = rows[: self.batch]
        answer: dict[str, Any] = {"totalSize": len(rows), "done": len(shown) == len(rows)}
        if not answer["done"]:
            answer["nextRecordsUrl"] = "/services/data/v59.0/query/01g5g0000-2000"
        answer["records"] = [{"attributes": {"type": kind}, **_shown(row, fields)} for row in shown]
        return 200, answer

    def describe(self, kind: str) -> tuple[int, Any]:
        names = ["Id", "Subject", "Status", "Priority", "ContactId", "AccountId", *sorted(self.custom[kind])]
        fields = [{"name": name, "externalId": name == self.external.get(kind)} for name in names]
        return 200, {"name": kind, "fields": fields}

    def patch(self, kind: str, rest: list[str], fields: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            number = rest[0] if len(rest) == 1 else None
            known = {"Subject", "Status", "Priority", "ContactId", "AccountId", "Email", "Phone"} | self.custom[kind]
            if unknown := [name for name in fields if name not in known]:
                return 400, [{"message": f"No such column '{unknown[0]}'", "errorCode": "INVALID_FIELD"}]
            self.upserts.append(("/".join([kind, *rest]), fields))
            if number is not None:
                if number not in self.rows[kind]:
                    return 404, [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED"}]
                self.change(number, kind, **fields)
                return 204, None
            field, value = rest
            if field != self.external.get(kind):
                said = "Provided external ID field does not exist or is not accessible: " + field
                return 404, [{"errorCode": "NOT_FOUND", "message": said}]
            found = [row["Id"] for row in self.rows[kind].values() if row.get(field) == value]
            if len(found) > 1:
                return 300, [f"/services/data/v59.0/sobjects/{kind}/{each}" for each in found]
            number = found[0] if found else self.put(kind, **{field: value})
            self.change(number, kind, **fields)
            return (200 if found else 201), {"id": number, "success": True, "errors": [], "created": not found}

    # --- the server ---

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it under its name."""
        proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": "",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": str(self._folder / "cert.pem"),
        }

    def __enter__(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "cert.pem", self._folder / "key.pem")
        handler = type("Handler", (_Handler,), {"org": self, "context": context})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for link in list(self.links):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for _ in range(200):
            if not self.links:
                break
            time.sleep(0.01)
        self._thread.join(5)


def _passes(row: dict[str, Any], where: re.Match[str]) -> bool:
    stamp = row["SystemModstamp"].replace("+0000", "Z")
    if stamp > where["stamp"] or (where["more"] == ">=" and stamp == where["stamp"]):
        return True
    return where["same"] is not None and stamp == where["same"] and row["Id"] > where["id"]


def _shown(row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in fields:
        head, _, rest = name.partition(".")
        value = row.get(head)
        shown[head] = {"attributes": {"type": head}, rest: value[rest]} if rest and value else value
    return shown


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    org: Salesforce
    context: ssl.SSLContext
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        self.org.hosts.append(self.path)
        self.send_response(200)
        self.end_headers()
        try:
            link = self.context.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError):
            self.close_connection = True
            return
        self.org.links.add(link)
        self.connection = link
        self.rfile = link.makefile("rb")
        self.wfile = socketserver._SocketWriter(link)  # type: ignore[attr-defined]
        self.close_connection = False

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()
        self.org.links.discard(self.connection)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._one()

    do_POST = do_PATCH = do_GET

    def _one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        method, path = self.command, self.path
        fault = self.org.fault(method, path)
        if fault and fault.kind == "cut_before":
            return self._cut()
        if fault and fault.kind == "silent":
            time.sleep(3)
            return self._cut()
        if fault and fault.kind == "status":
            return self._say(fault.status, fault.body, fault.headers)
        status, said = self._answer(method, path, body)
        if method == "PATCH":
            self.org.meanwhile()
        if fault and fault.kind == "cut_after":
            return self._cut()
        return self._say(status, b"" if said is None else json.dumps(said).encode(), {})

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path == "/services/oauth2/token":
            form = parse_qs(body.decode())
            return self.org.token(form, self.headers.get("Authorization", ""))
        fields = json.loads(body) if body else {}
        self.org.requests.append((method, path, fields))
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.org.tokens:
            return 401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
        self.org.used += 1
        if self.org.used > self.org.total:
            said = "TotalRequests Limit exceeded."
            return 403, [{"message": said, "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        found = DATA.fullmatch(parts.path)
        rest = [unquote(part) for part in found[1].strip("/").split("/")] if found else [""]
        if method == "GET" and rest[0] in ("query", "queryAll"):
            return self.org.query(parse_qs(parts.query)["q"][0], deleted=rest[0] == "queryAll")
        if method == "GET" and rest[0] == "sobjects" and rest[-1] == "describe":
            return self.org.describe(rest[1])
        if method == "PATCH" and rest[0] == "sobjects":
            return self.org.patch(rest[1], rest[2:], fields)
        return 404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        if "Content-Type" not in headers:
            self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Sforce-Limit-Info", f"api-usage={self.org.used}/{self.org.total}")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        pass
