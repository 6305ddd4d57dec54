"""A CRM by webhooks: what it takes for genuine, what it reads, what it refuses."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import connectors
from connectors import crm_webhook
from connectors.webhooks import signature
from listener.errors import AuthFailed, Mistake, Rejected
from listener.types import CrmDelivery
from tests.servers.webhook import Receiver

KEY, OLD = b"k" * 32, b"o" * 32
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def secret(*keys: bytes) -> str:
    return " ".join(base64.b64encode(key).decode() for key in keys)


def joined(**settings: Any) -> crm_webhook.Webhooks:
    read = crm_webhook.Settings(**{"secret": secret(KEY), **settings})
    return crm_webhook.Webhooks(read, now=lambda: NOW)


def signed(body: bytes, *, event: str = "evt_1", at: datetime = NOW, key: bytes = KEY) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    proof = signature(key, event, stamp, body)
    return {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": proof}


def receive(said: Any, crm: crm_webhook.Webhooks | None = None, **how: Any) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return (crm or joined()).receive(signed(body, **how), body)


def test_both_kinds_are_known_without_importing_them() -> None:
    assert "webhook" in connectors.crms()
    assert not set(connectors.crms()) & set(connectors.available())
    with pytest.raises(Mistake, match="no kind of CRM"):
        connectors.load_crm("sap")


def test_one_record_or_many_and_deleted_ones() -> None:
    assert receive({"reference": "C-1", "name": "Ana"}).records[0].id == "C-1"
    event = receive({"records": [{"reference": "C-1"}, {"reference": 7}], "deleted": ["C-9"]})
    assert event.id == "evt_1"
    assert [(each.id, each.gone) for each in event.records] == [("C-1", False), ("7", False), ("C-9", True)]


def test_its_own_names_for_the_key_and_the_time() -> None:
    crm = joined(fields={"Legajo": "reference"}, changed="updated")
    (record,) = receive({"Legajo": "C-1", "updated": "2026-05-04T09:00:00-03:00"}, crm).records
    assert (record.id, record.changed_at) == ("C-1", NOW)
    (record,) = receive({"Legajo": "C-1", "updated": "soon"}, crm).records
    assert record.changed_at is None
    crm = joined(id="uid", fields={"Legajo": "reference"})
    assert receive({"uid": "u7", "Legajo": "C-1"}, crm).records[0].id == "u7"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-id": "x" * 201}, "webhook-id"),
        ({"webhook-timestamp": "now"}, "webhook-timestamp"),
        ({"webhook-timestamp": "９９"}, "webhook-timestamp"),
        ({"webhook-signature": ""}, "does not prove"),
        ({"webhook-signature": "v1,\udcff"}, "does not prove"),
        ({"webhook-id": "evt_2"}, "does not prove"),
    ],
)
def test_what_is_not_signed_is_not_believed(change: dict[str, str], said: str) -> None:
    body = b'{"reference": "C-1"}'
    with pytest.raises(AuthFailed, match=said):
        joined().receive(signed(body) | change, body)


def test_another_body_or_key_is_not_believed() -> None:
    with pytest.raises(AuthFailed):
        joined().receive(signed(b'{"reference": "C-1"}'), b'{"reference": "C-2"}')
    with pytest.raises(AuthFailed):
        receive({"reference": "C-1"}, key=OLD)


def test_while_the_key_changes_both_are_believed_and_the_first_signs() -> None:
    crm = joined(secret=secret(KEY, OLD))
    for key in (KEY, OLD):
        assert receive({"reference": "C-1"}, crm, key=key).records
    body = b'{"reference": "C-1"}'
    both = signed(body)
    both["webhook-signature"] = f"v1,{base64.b64encode(b'x' * 32).decode()} {both['webhook-signature']}"
    assert joined().receive(both, body).records


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_signature_is_not_taken_again(minutes: int) -> None:
    with pytest.raises(AuthFailed, match="five minutes"):
        receive({"reference": "C-1"}, at=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"reference": NaN}',
        b'{"reference": "\xff"}',
        b"[" * 100_000,
        b'{"reference": ' + b"9" * 5000 + b"}",
        {"name": "Ana"},
        {"reference": ""},
        {"reference": True},
        {"reference": {"a": 1}},
        {"reference": "x" * 201},
        {"records": {}},
        {"records": [7]},
        {"deleted": "C-1"},
        {"deleted": [None]},
        {"records": [{"reference": "C-1"}] * 1001},
    ],
)
def test_what_can_be_read_by_nobody_is_refused_in_one_sentence(body: Any) -> None:
    with pytest.raises(Rejected) as refused:
        receive(body)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


@given(st.binary(max_size=300))
def test_no_body_breaks_it(body: bytes) -> None:
    with contextlib.suppress(Rejected):
        receive(body)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "http://crm.example/x"}, "https"),
        ({"url": "https://u:p@crm.example/x"}, "login"),
        ({"url": "nothing"}, "no address"),
        ({"sends": ["mentions"]}, "cases and customers"),
        ({"receives": False}, "neither"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        joined(**settings)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(Mistake, match="16 bytes"):
        joined(secret=secret(b"short"))


def test_news_are_signed_and_keyed() -> None:
    with Receiver() as receiver:
        crm = joined(url=receiver.url)
        assert crm.deliver(CrmDelivery(key="k1", fields={"kind": "case"})) == ""
        assert "took a test" in crm.check()
    came = receiver.came[0]
    assert came.headers["Idempotency-Key"] == "k1"
    stamp = came.headers["webhook-timestamp"]
    assert came.headers["webhook-signature"] == signature(KEY, "k1", stamp, came.body)
    assert json.loads(receiver.came[1].body)["kind"] == "test"


def test_where_it_shows_a_token_nothing_is_signed_and_an_event_needs_no_id() -> None:
    crm = crm_webhook.Webhooks(crm_webhook.Settings(proof="token"), now=lambda: NOW)
    body = b'{"reference": "C-1"}'
    first, second = (crm.receive({}, body, let_in=True).id for _ in range(2))
    assert first != second
    assert crm.receive({"webhook-id": "evt_1"}, body, let_in=True).id == "evt_1"
    for headers in ({}, signed(body), {"authorization": "Bearer esc_x"}):
        with pytest.raises(AuthFailed, match="shows no token"):
            crm.receive(headers, body)
    for odd in ("x" * 201, "a\x00b", "ñ"):
        with pytest.raises(Rejected, match="webhook-id"):
            crm.receive({"webhook-id": odd}, body, let_in=True)


def test_where_it_signs_a_token_is_no_proof() -> None:
    with pytest.raises(AuthFailed, match="webhook-"):
        joined().receive({"webhook-id": "evt_1"}, b'{"reference": "C-1"}', let_in=True)


@pytest.mark.parametrize(
    "given", [{}, {"url": "https://crm.example/"}, {"proof": "token", "url": "https://crm.example/"}]
)
def test_what_signs_needs_a_secret(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="lacks `secret`"):
        crm_webhook.Settings(**given)
