"""docs/alerts.md is true: the receiver's example proves what we send, and every field that is sent is on the page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.webhooks import Webhook
from listener.flow.alert import compose
from listener.store.alerts import DIGEST, Alert
from listener.types import Occasion
from tests.servers.webhook import Receiver

PAGE = (Path(__file__).parent.parent / "docs" / "alerts.md").read_text(encoding="utf-8")
SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
ALERT = Alert.of_a_test("ops", by="ana", send_key="k1", now=NOW)
FULL = replace(
    ALERT, mention_id=12, network="x", url="https://x.example/1", case="ES-26-000001-8", team="care", rule="r"
)


def example() -> Any:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    known: dict[str, Any] = {
        **{"base64": base64, "hashlib": hashlib, "hmac": hmac, "time": time, "Mapping": Mapping},
    }
    exec(code, known)
    assert len(code.splitlines()) <= 7
    return known["genuine"]


def test_the_example_knows_what_is_from_us_and_what_is_not() -> None:
    genuine = example()
    with Receiver() as receiver:
        Webhook(receiver.url, key=base64.b64decode(SECRET)).alert(compose(FULL))
        Webhook(receiver.url, key=base64.b64decode(SECRET), now=lambda: NOW).alert(compose(FULL))
    fresh, old = receiver.came
    headers = dict(fresh.headers.items())
    assert genuine(SECRET, headers, fresh.body)
    assert not genuine(SECRET, headers, fresh.body + b" ")
    assert not genuine(base64.b64encode(b"another key").decode(), headers, fresh.body)
    assert not genuine(SECRET, headers | {"webhook-id": "k2"}, fresh.body)
    assert not genuine(SECRET, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, fresh.body)
    assert not genuine(SECRET, dict(old.headers.items()), old.body), "it is too old to be new"


def test_every_field_is_on_the_page_and_nothing_else() -> None:
    table = PAGE.partition("| field | holds |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([a-z_]+)`", "".join(row.split("|")[1] for row in table.splitlines() if "|" in row)))
    digest = compose(replace(ALERT, kind=DIGEST, stands_for=2), [FULL]).fields
    assert told == set(digest)
    assert set(compose(FULL).fields) == told - {"alerts"}
    assert set(digest["alerts"][0]) == told - {"alerts", "version", "text", "stands_for"}
    assert json.loads(json.dumps(digest)) == digest
    said = compose(FULL).fields
    assert (said["mention"], said["case"]) == (
        {"id": 12, "network": "x", "url": "https://x.example/1"},
        {"reference": "ES-26-000001-8", "team": "care"},
    )


def test_every_kind_is_on_the_page() -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `kind` |"))
    assert set(re.findall(r"`([a-z]+)`", row)) == {"kind", "rule", "test", DIGEST, *Occasion}
    assert compose(ALERT).fields["id"] == 0
    assert "(0 for a test)" in PAGE
