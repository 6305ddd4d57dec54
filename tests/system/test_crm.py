"""The real `escucha run` with its door open: a CRM posts to it, and is told, also across a kill -9."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.webhooks import signature
from listener import store as stores
from listener.store import crm_out
from tests import databases
from tests.servers.salesforce import KEY as KEY_OF_APP
from tests.servers.salesforce import SECRET as SECRET_OF_APP
from tests.servers.salesforce import Salesforce, make_certificate
from tests.servers.webhook import Receiver

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KEY = b"k" * 32
SETTINGS = """\
[accounts.care]
network = "sandbox"
world = "world.db"
[[sources]]
name = "tag"
account = "care"
query = "#marca"
[crm.erp]
system = "webhook"
url = "{url}"
sends = ["cases", "customers"]
[daemon]
listen = "127.0.0.1:0"
"""


class Company:
    """A folder with settings, the commands run in it, and what its daemons say."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        (folder / "escucha.toml").write_text(SETTINGS.replace("{url}", url), encoding="utf-8")
        secret = base64.b64encode(KEY).decode()
        self.environment = os.environ | {"ESCUCHA_CRM__ERP__SECRET": secret, "PYTHONPATH": str(ROOT)}

    def __call__(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "cli", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def waiting(self) -> int:
        """How much the CRM was not told yet."""
        (standing,) = json.loads(self("crm", "list", "--json"))["crms"]
        return int(standing["waiting"])

    def start(self) -> tuple[subprocess.Popen[bytes], str]:
        """A daemon, and where it can be posted to."""
        log = self.folder / "log"
        log.write_text("")
        with log.open("a") as out:
            command = [sys.executable, "-m", "cli", "run"]
            daemon = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=out, stderr=out)

        def opened() -> str:
            lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
            return next((line["url"] for line in lines if line["action"] == "receiving"), "")

        try:
            until(lambda: bool(opened()) or daemon.poll() is not None)
            assert opened(), log.read_text()
        except BaseException:
            daemon.kill()
            raise
        return daemon, opened()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def post(url: str, said: Any, event: str) -> tuple[int, dict[str, Any]]:
    body, stamp = json.dumps(said).encode(), str(int(time.time()))
    headers = {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": signature(KEY, event, stamp, body)}
    request = urllib.request.Request(f"{url}/crm/erp", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_a_push_killed_after_salesforce_took_it_says_the_same_again(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    with Salesforce(tmp_path) as org:
        ana = org.contact("Ana", Email="old@example.org")
        company = Company(tmp_path, "http://127.0.0.1:9/")
        settings = '[crm.sf]\nsystem = "salesforce"\ndomain = "brand.my"\nsends = ["customers"]\n'
        (tmp_path / "escucha.toml").write_text(settings, encoding="utf-8")
        secrets = {"ESCUCHA_CRM__SF__CONSUMER_KEY": KEY_OF_APP, "ESCUCHA_CRM__SF__CONSUMER_SECRET": SECRET_OF_APP}
        company.environment |= {**org.environment, **secrets}
        company("crm", "pull")
        company("customer", "edit", ana, "--email", "new@example.org")
        command = [sys.executable, "-m", "cli", "crm", "push"]
        pushing = subprocess.Popen(command, cwd=tmp_path, env=company.environment)
        org.meanwhile = lambda: os.kill(pushing.pid, signal.SIGKILL)
        assert pushing.wait(60) == -signal.SIGKILL
        org.meanwhile = lambda: None
        with closing(stores.open(databases.at(tmp_path))) as store, store.write() as tx:
            again = crm_out.claim(tx, "sf", now=datetime.now(UTC) + timedelta(minutes=3), at_once=True)
            assert again is not None
            crm_out.not_sent(tx, again, reason="test", again=datetime.now(UTC), now=datetime.now(UTC))
        company("crm", "push")
        told = [fields for path, fields in org.upserts if path.startswith("Contact/")]
        assert told == [{"Email": "new@example.org", "Phone": None}] * 2
        assert company.waiting() == 0


def test_a_crm_posts_and_is_told(tmp_path: Path) -> None:
    with Receiver() as receiver:
        company = Company(tmp_path, receiver.url)
        daemon, url = company.start()
        try:
            assert post(url, {"reference": "C-1", "name": "Ana"}, "e1")[1]["added"] == 1
            assert post(url, {"reference": "C-1"}, "e1")[0] == 409
            assert json.loads(company("customer", "show", "C-1", "--json"))["name"] == "Ana"
            company("customer", "add", "C-2", "--name", "Luis")
            until(lambda: company.waiting() == 0)
            daemon.send_signal(signal.SIGKILL)
            daemon.wait(20)
            company("customer", "add", "C-3", "--name", "Eva")
            daemon, url = company.start()
            assert post(url, {"reference": "C-1", "name": "Ana"}, "e1")[1]["repeated"] is True
            until(lambda: company.waiting() == 0)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(30) == 0
        finally:
            daemon.kill()
            daemon.wait(20)
        told = [json.loads(each.body)["reference"] for each in receiver.came]
        assert told == ["C-2", "C-3"]  # and not C-1, which it knows
        (standing,) = json.loads(company("crm", "list", "--json"))["crms"]
        assert (standing["records"], standing["waiting"], standing["given_up"]) == (1, 0, 0)
