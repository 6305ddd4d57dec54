"""A real mail server on loopback: Debian's dovecot for IMAP, submission and LMTP, with a certificate of its own.

What dovecot is handed to send goes to a relay, as it would at a company: here aiosmtpd, which knows whose mailbox is
closed and delivers the rest by LMTP, so that everything sent stands in a mailbox that tests read by IMAP. Any address
is a mailbox, all with one password. `FaultyLine` stands between a client and one of the ports and breaks chosen lines.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from imapclient import IMAPClient

PASSWORD = "s3cret-mail-pass"

_CONFIG = """
base_dir = {folder}/base
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap submission lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_debug = no
mail_location = maildir:{folder}/mail/%u:INDEX=MEMORY
mail_fsync = never
mail_max_userip_connections = 100
first_valid_uid = 0
first_valid_gid = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_trusted = no
imap_idle_notify_interval = 2 mins
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
}}
service imap-login {{
  {chroot}
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service submission-login {{
  {chroot}
  service_count = 0
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = {submissions}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  {chroot}
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
}}
"""


def program() -> str | None:
    """Where dovecot is."""
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def server() -> Iterator[Dovecot]:
    """A running server. Skips where dovecot is not installed; in CI it must be."""
    path = program()
    if path is None or not Path("/usr/lib/dovecot/submission").exists():
        assert not os.environ.get("CI"), "CI must have dovecot with submission and LMTP"
        pytest.skip("dovecot (with dovecot-submissiond and dovecot-lmtpd) is not here")
    running = Dovecot(path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


class Dovecot:
    """The server, its relay and its mailboxes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot"))
        self.imap, self.imaps, self.submission, self.submissions, self.lmtp, relay = free_ports(6)
        self.relay = Relay(self, relay)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> Path:
        """The certificate to trust."""
        return self.folder / "cert.pem"

    def start(self) -> None:
        """Waits until every port listens."""
        root = os.geteuid() == 0
        me = getpass.getuser()
        for name in ("base", "state", "mail"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        if root:
            shutil.chown(self.folder / "mail", "dovecot", "dovecot")
        certificate(self.folder)
        config = _CONFIG.format(
            folder=self.folder,
            user="dovecot" if root else me,
            group="dovecot" if root else str(os.getgid()),
            login_user="dovenull" if root else me,
            chroot="" if root else "chroot =",
            password=PASSWORD,
            relay=self.relay.port,
            **{name: getattr(self, name) for name in ("imap", "imaps", "submission", "submissions", "lmtp")},
        )
        (self.folder / "dovecot.conf").write_text(config)
        self.relay.start()
        self._process = subprocess.Popen(
            [self._path, "-F", "-c", str(self.folder / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in (self.imap, self.imaps, self.submission, self.lmtp):
            self._wait_for(port)

    def _wait_for(self, port: int) -> None:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            time.sleep(0.05)
        raise AssertionError(f"dovecot does not listen: {self.log()}")

    def log(self) -> str:
        """What dovecot has to say."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else "(no log)"

    def stop(self) -> None:
        self.relay.stop()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def login(self, address: str) -> Iterator[IMAPClient]:
        """That mailbox by IMAP."""
        client = IMAPClient("127.0.0.1", self.imap, ssl=False, timeout=30)
        try:
            client.login(address, PASSWORD)
            yield client
        finally:
            with contextlib.suppress(Exception):
                client.logout()

    def put(self, address: str, *mails: bytes, folder: str = "INBOX", at: Any = None) -> None:
        """Lays mails into a mailbox as they are."""
        with self.login(address) as client:
            for mail in mails:
                client.append(folder, mail, msg_time=at)

    def read(self, address: str, folder: str = "INBOX") -> list[Message]:
        """Every mail in a mailbox's folder, oldest first."""
        with self.login(address) as client:
            client.select_folder(folder, readonly=True)
            uids = sorted(client.search("ALL"))
            found = client.fetch(uids, ["BODY.PEEK[]"])
            return [BytesParser().parsebytes(found[uid][b"BODY[]"]) for uid in uids]

    def deliver(self, sender: str, address: str, mail: bytes) -> None:
        """Delivers a mail as the world's servers would."""
        with smtplib.LMTP("127.0.0.1", self.lmtp, timeout=30) as lmtp:
            lmtp.sendmail(sender, [address], mail)

    def remove(self, address: str, message_id: str) -> None:
        """Somebody deletes a mail from a mailbox."""
        with self.login(address) as client:
            client.select_folder("INBOX")
            client.delete_messages(client.search(["HEADER", "MESSAGE-ID", f"<{message_id}>"]))
            client.expunge()


def certificate(folder: Path, *, host: str = "localhost") -> None:
    """Makes `cert.pem` and `key.pem` for that host, signed by nobody but themselves."""
    names = f"subjectAltName=DNS:{host}" + (",IP:127.0.0.1" if host == "localhost" else "")
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"),
            *("-subj", f"/CN={host}", "-addext", names),
        ],
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr


class Relay:
    """The server behind dovecot's submission: delivers at once, or refuses."""

    def __init__(self, dovecot: Dovecot, port: int) -> None:
        self.port = port
        self._dovecot = dovecot
        self.closed: set[str] = set()  # addresses that exist no more
        self.files_sent: set[str] = set()  # senders whose provider keeps a copy of what they send
        self._controller = Controller(self, hostname="127.0.0.1", port=port, data_size_limit=50_000_000)

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.closed:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        for address in envelope.rcpt_tos:
            self._dovecot.deliver(envelope.mail_from, address, envelope.original_content)
        if envelope.mail_from in self.files_sent:
            self._dovecot.put(envelope.mail_from, envelope.original_content, folder="Sent")
        return "250 2.0.0 taken"


# --- faults ---------------------------------------------------------------------------------------------------------


@dataclass
class Broken:
    """What happens to the next `times` lines of the client that match.

    `answer`: said instead of passing the line on ({tag} is the line's first word); empty: the connection is cut.
    `passed`: the line is passed on, and the connection cut when the server has answered.
    """

    line: bytes
    answer: str = ""
    passed: bool = False
    times: int = 1


@dataclass
class FaultyLine:
    """A port that leads to another one. `greeting`: said instead of the server's, and then the line is closed."""

    port: int
    faults: list[Broken] = field(default_factory=list)
    greeting: bytes = b""
    connections: int = 0
    lines: list[bytes] = field(default_factory=list)  # what clients said
    frozen: bool = False  # nothing passes any more, and nobody is told
    spoiled: Callable[[bytes], bytes] = bytes  # what the client gets to see of the server's words

    def __enter__(self) -> FaultyLine:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.here = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.cut()

    def cut(self) -> None:
        """Every connection ends now."""
        for sock in self._open:
            _close(sock)

    def heal(self) -> None:
        """Everything passes again."""
        self.faults.clear()
        self.greeting = b""

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            if self.greeting:
                with contextlib.suppress(OSError):
                    client.sendall(self.greeting)
                _close(client)
                continue
            server = socket.create_connection(("127.0.0.1", self.port))
            self._open.append(server)
            pair = _Pair(self, client, server)
            threading.Thread(target=pair.to_client, daemon=True).start()
            threading.Thread(target=pair.to_server, daemon=True).start()

    def fault_of(self, line: bytes) -> Broken | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.line, line, re.IGNORECASE):
                fault.times -= 1
                return fault
        return None


class _Pair:
    """One client and its connection to the server."""

    def __init__(self, line: FaultyLine, client: socket.socket, server: socket.socket) -> None:
        self._line, self._client, self._server = line, client, server
        self._last = False  # the server's next answer is not passed on, and ends it

    def to_client(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                if self._last:
                    break
                if not self._line.frozen:
                    self._client.sendall(self._line.spoiled(data))
        self._end()

    def to_server(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for said in self._client.makefile("rb"):
                self._line.lines.append(said)
                fault = self._line.fault_of(said)
                if self._line.frozen:
                    continue
                if fault is None:
                    self._server.sendall(said)
                elif fault.passed:
                    self._last = True
                    self._server.sendall(said)
                elif fault.answer:
                    tag = said.split(b" ", 1)[0].decode("latin-1")
                    self._client.sendall(fault.answer.replace("{tag}", tag).encode() + b"\r\n")
                else:
                    break
        if not self._last:
            self._end()

    def _end(self) -> None:
        _close(self._client)
        _close(self._server)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
