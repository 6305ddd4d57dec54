"""A receiver of webhooks on loopback: keeps what comes and answers as it is told, in the order in which it is told."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

Answer = tuple[int, dict[str, str]]
FINE: Answer = (204, {})


@dataclass(frozen=True)
class Delivered:
    """One request as it came."""

    path: str
    headers: Message
    body: bytes


class Receiver:
    """The server. `answers` are used up one by one, and 204 after that; `meanwhile` runs before each answer.

    `says` gives the words of an answer that is no 204, from the request's path.
    """

    def __init__(self, *answers: Answer, folder: Path | None = None) -> None:
        """`folder`: where `cert.pem` and `key.pem` are, for TLS."""
        self.answers = list(answers)
        self.came: list[Delivered] = []
        self.meanwhile: Callable[[], Any] = lambda: None
        self.says: Callable[[str], str] = lambda path: ""
        self._folder = folder

    @property
    def keys(self) -> list[str]:
        """The keys that came, in order."""
        return [str(each.headers["Idempotency-Key"]) for each in self.came]

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.came.append(Delivered(self.path, self.headers, body))
                receiver.meanwhile()
                status, headers = receiver.answers.pop(0) if receiver.answers else FINE
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                said = receiver.says(self.path).encode()
                if status != 204:
                    self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(said)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if self._folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._folder / "cert.pem", self._folder / "key.pem")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://localhost:{self._server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        with contextlib.suppress(OSError):
            self._server.socket.close()
