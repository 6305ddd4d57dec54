"""What CRMs post to us: who is believed, what is written, that it counts once, and nothing of it goes back to them."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import crm_webhook
from connectors.webhooks import signature
from listener.desk import crm_news, crm_records
from listener.desk.crm_systems import System
from listener.errors import Mistake
from listener.flow.receive import Reply
from listener.sparing import Sparing
from listener.store import access, audit, crm_in, crm_out, customers, merges
from listener.store.customers import Customer
from listener.types import AlertState, CrmRecord
from tests.listener.flow.world import Escucha

KEY = b"k" * 32
SECRET = base64.b64encode(KEY).decode()
NAMING = {"id": "reference", "full.name": "name", "mail": "email", "plan": "tier", "city": "Ciudad", "groups": "tags"}


@pytest.fixture
def world(escucha: Escucha) -> Escucha:
    """A company whose CRM `erp` posts its customers and takes ours; `shop` takes them, too."""
    joins(escucha, "erp", fields=NAMING, changed="at")
    joins(escucha, "shop")
    return escucha


def joins(escucha: Escucha, name: str, **more: Any) -> None:
    settings = {"secret": SECRET, "url": "http://127.0.0.1:9/", "sends": ("cases", "customers"), **more}
    crm = crm_webhook.Settings(**settings)
    joined = crm_webhook.Webhooks(crm, now=escucha.clock)
    escucha.main.systems[name] = System(connect=lambda: joined, takes=crm.takes, receives=crm.receives)
    escucha.store.crms = {**escucha.store.crms, name: crm.takes}


def post(escucha: Escucha, said: Any, *, event: str = "e1", name: str = "erp", key: bytes = KEY) -> Reply:
    body = json.dumps(said).encode()
    stamp = str(int(escucha.clock().timestamp()))
    headers = {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": signature(key, event, stamp, body)}
    return escucha.main.receive(name, headers, body)


def ana(**more: Any) -> dict[str, Any]:
    return {"id": "C-1", "full": {"name": "Ana Paz"}, "mail": "ana@example.org", "city": "Salta", **more}


def stored(escucha: Escucha, reference: str = "C-1") -> Customer:
    with escucha.store.read() as tx:
        return customers.get(tx, reference)


def noted(escucha: Escucha) -> list[tuple[str, str, str]]:
    with escucha.store.read() as tx:
        found = crm_out.listing(tx, states=tuple(AlertState))
    return [(each.system, each.subject, each.kind) for each in reversed(found)]


def test_a_customer_is_written_as_an_import_would(world: Escucha) -> None:
    reply = post(world, ana(plan="Oro", groups=["vip", "norte"]))
    assert (reply.status, reply.fields["added"], reply.fields["repeated"]) == (200, 1, False)
    found = stored(world)
    assert (found.name, found.email, found.tier, found.tags) == ("Ana Paz", "ana@example.org", "Oro", ("vip", "norte"))
    assert found.fields == {"Ciudad": "Salta"}
    with world.store.read() as tx:
        entry = audit.last(tx, "customer C-1", "customer.added")
        assert crm_in.of_customer(tx, found.id)[0][1].record == "C-1"
    assert entry is not None
    assert entry.detail["source"] == "crm erp"


def test_what_a_record_does_not_mention_stays_and_what_it_empties_goes(world: Escucha) -> None:
    post(world, ana(plan="Oro"))
    reply = post(world, {"id": "C-1", "mail": None, "plan": "Plata"}, event="e2")
    assert reply.fields["changed"] == 1
    found = stored(world)
    assert (found.name, found.email, found.tier, found.fields) == ("Ana Paz", None, "Plata", {"Ciudad": "Salta"})


def test_the_same_event_counts_once(world: Escucha) -> None:
    first = post(world, ana())
    again = post(world, ana())
    assert again.fields == {**first.fields, "repeated": True}
    assert post(world, ana(plan="Oro")).status == 409
    assert stored(world).tier == ""


def test_two_that_bring_the_same_event_at_once_write_it_once(world: Escucha) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: post(world, ana()), range(4)))
    assert [each.status for each in replies] == [200] * 4
    assert sorted(each.fields["repeated"] for each in replies) == [False, True, True, True]
    with world.store.read() as tx:
        assert len([each for each in audit.about(tx, "customer C-1") if each.action == "customer.added"]) == 1


def test_what_came_from_a_crm_goes_to_the_others_alone(world: Escucha) -> None:
    post(world, ana())
    post(world, ana(plan="Oro"), event="e2")
    assert noted(world) == [("shop", "customer C-1", "added"), ("shop", "customer C-1", "changed")]


def test_a_record_that_says_what_it_said_last_changes_nothing_we_changed(world: Escucha) -> None:
    """So two systems that each write a value in their own way do not go on correcting one another for ever."""
    post(world, ana(plan="oro"))
    post(world, {"reference": "C-1", "name": "Ana Paz", "tier": "ORO"}, name="shop", event="s1")
    before = noted(world)
    reply = post(world, ana(plan="oro"), event="e2")  # its echo
    assert (reply.fields["unchanged"], stored(world).tier) == (1, "ORO")
    assert noted(world) == before


def test_an_older_event_that_comes_late_changes_nothing(world: Escucha) -> None:
    post(world, ana(plan="Oro", at="2026-05-04T12:00:00Z"))
    reply = post(world, ana(plan="Plata", at="2026-05-04T11:00:00Z"), event="e0")
    assert (reply.fields["older"], stored(world).tier) == (1, "Oro")
    assert post(world, ana(plan="Bronce", at="2026-05-04T12:00:01Z"), event="e2").fields["changed"] == 1


def test_what_says_it_changed_beyond_tomorrow_freezes_nobody(world: Escucha) -> None:
    now = world.clock()
    ahead = post(world, ana(plan="Oro", at=(now + timedelta(days=1, minutes=1)).isoformat()))
    assert ahead.status == 422
    assert "more than a day from now" in ahead.fields["problems"][0]
    assert post(world, ana(plan="Oro", at=(now + timedelta(hours=23)).isoformat()), event="e2").status == 200
    assert stored(world).tier == "Oro"


def test_refusals_are_said_once_a_minute_with_how_many_there_were(
    world: Escucha, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("listener.flow.receive._sparing", Sparing())
    for _ in range(50):
        assert post(world, ana(), key=b"x" * 32).status == 401
    assert "".join(capsys.readouterr()).count("was not believed") == 1
    world.clock.forward(minutes=1)
    post(world, ana(), key=b"x" * 32)
    said = "".join(capsys.readouterr())
    assert said.count("was not believed") == 1
    assert re.search(r"unsaid\W+49\b", said)


def test_deleted_there_is_marked_and_the_customer_stays(world: Escucha) -> None:
    post(world, ana())
    reply = post(world, {"deleted": ["C-1", "C-77"]}, event="e2")
    assert (reply.fields["deleted"], reply.fields["unchanged"]) == (1, 1)
    found = stored(world)
    with world.store.read() as tx:
        assert crm_in.of_customer(tx, found.id)[0][1].gone_at is not None
        assert audit.last(tx, "customer C-1", "crm.deleted") is not None
        assert crm_in.counts(tx) == {"erp": (1, 1)}
    assert post(world, ana(), event="e3").fields["unchanged"] == 1  # it is back, as it was
    with world.store.read() as tx:
        assert crm_in.of_customer(tx, found.id)[0][1].gone_at is None


def test_the_record_of_who_was_merged_goes_along(world: Escucha) -> None:
    post(world, ana())
    post(world, {"reference": "C-2", "name": "Ana P."}, name="shop", event="s1")
    with world.store.write() as tx:
        one, other = customers.get(tx, "C-1"), customers.get(tx, "C-2")
        merges.merge(tx, one, other, by="ana", now=world.clock())
        note = crm_out.claim(tx, "shop", now=world.clock())
        assert note is not None
        told = crm_news.put_together(tx, note, [], texts=False)
    assert (told["reference"], told["customer"]["id"]) == ("C-1", "C-2")
    assert post(world, ana(mail="x@example.org"), event="e2").fields["changed"] == 1


def test_nothing_of_an_event_is_kept_where_something_of_it_cannot_be_used(world: Escucha) -> None:
    reply = post(world, {"records": [ana(), {"id": "C-2", "full": {"name": ""}}, {"id": "C-3", "mail": "a@b.c"}]})
    assert reply.status == 422
    assert reply.fields["error"] == "2 records cannot be used, so nothing of this was taken."
    assert reply.fields["problems"] == ["C-2: The name is empty.", "C-3: The name is missing."]
    with world.store.read() as tx:
        assert customers.count(tx) == 0
        assert crm_in.outcome(tx, "erp", "e1") is None
    assert post(world, ana()).status == 200  # mended, under the same id


def test_who_is_not_believed_and_what_is_not_there(world: Escucha) -> None:
    assert post(world, ana(), key=b"x" * 32).status == 401
    assert post(world, ana(), name="sap").status == 404
    assert post(world, [1]).status == 400
    joins(world, "mute", receives=False)
    assert post(world, ana(), name="mute").status == 404
    headers = {"webhook-id": "e1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    assert world.main.receive("erp", headers, b"{}").status == 401


def test_an_old_signature_is_refused_also_where_its_event_is_forgotten(world: Escucha) -> None:
    body = json.dumps(ana()).encode()
    stamp = str(int(world.clock().timestamp()))
    headers = {"webhook-id": "e1", "webhook-timestamp": stamp, "webhook-signature": signature(KEY, "e1", stamp, body)}
    assert world.main.receive("erp", headers, body).status == 200
    world.clock.forward(days=31)
    world.main.forget_crms()
    assert world.main.receive("erp", headers, body).status == 401
    assert timedelta(minutes=5) == crm_webhook.TOLERANCE


def test_a_database_that_is_away_is_asked_again(world: Escucha) -> None:
    world.store.close()
    assert world.store.path is None or world.store.path.unlink() is None
    if world.store.is_sqlite:
        reply = post(world, ana())
        assert (reply.status, reply.retry_after) == (503, 30)


def test_without_names_of_its_own_the_usual_ones_are_known(escucha: Escucha) -> None:
    joins(escucha, "erp")
    said = {"reference": "C-1", "nombre": "Ana", "correo": "a@b.example", "Sucursal": 7, "extra": {"x": 1}}
    assert post(escucha, said).fields["added"] == 1
    found = stored(escucha)
    assert (found.name, found.email, found.fields) == ("Ana", "a@b.example", {"Sucursal": "7"})


@pytest.mark.parametrize("naming", [{"a": "name", "b": "Name"}, {"a": "account:fax"}])
def test_names_that_no_customer_comes_of(naming: dict[str, str]) -> None:
    with pytest.raises(Mistake):
        crm_records.check(naming)


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (True, "yes"), (5.0, "5"), (2.5, "2.5"), (7, "7"), (["a", 1], "a, 1"), ("x", "x")]
)
def test_values_as_an_import_has_them(value: Any, cell: str) -> None:
    naming = {"id": "reference", "n": "name", "v": "Field"}
    record = CrmRecord(id="C-1", values={"id": "C-1", "n": "Ana", "v": value})
    person, _ = crm_records.read(naming, record, known=None, types={})
    assert person.fields == {"Field": cell}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["id", "full", "mail", "city", "x.y", "ref", "name"]), JSON), st.booleans())
def test_no_record_breaks_it(values: dict[str, Any], named: bool) -> None:
    with contextlib.suppress(Mistake):
        person, digest = crm_records.read(
            NAMING if named else {}, CrmRecord(id="C-1", values=values), known=None, types={}
        )
        assert person.reference
        assert len(digest) == 64


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({**ana(), "id": "C\ud800"}, 400),
        ({**ana(), "id": "C\x00"}, 400),
        ({"deleted": ["C\x00"]}, 400),
        ({"deleted": ["\ud800"]}, 400),
        (ana(at="0001-01-01T00:00:00+14:00"), 200),
        (ana(at=1e300), 200),
        (ana(full={"name": "A\ud800"}), 422),
    ],
)
def test_what_no_database_can_hold_is_refused_and_not_sent_again_for_ever(
    world: Escucha, said: dict[str, Any], status: int
) -> None:
    assert post(world, said).status == status


def test_a_token_lets_in_its_own_crm_until_it_is_taken_back(world: Escucha) -> None:
    joins(world, "old", proof="token")
    with world.store.write() as tx:
        made, words = access.issue(tx, "old-erp", ["crm:old"], expires_at=None, by="ana", now=world.clock())
        _, others = access.issue(tx, "other", ["crm:shop", "metrics"], expires_at=None, by="ana", now=world.clock())

    def show(token: str, name: str = "old") -> int:
        body = json.dumps({"reference": "C-9", "name": "Luis"}).encode()
        return world.main.receive(name, {"authorization": f"Bearer {token}"}, body).status

    assert [show(others), show("esc_guessed"), show(words, "erp")] == [401, 401, 401]
    assert show(words) == 200
    assert stored(world, "C-9").name == "Luis"
    with world.store.write() as tx:
        assert access.get(tx, made.id).used_at == world.clock()
        access.revoke(tx, made.id, by="ana", now=world.clock())
    assert show(words) == 401


@pytest.mark.parametrize("keeps", ["its id", "its time", "nothing"])
def test_a_post_proven_by_a_token_and_sent_again_undoes_nothing_newer(world: Escucha, keeps: str) -> None:
    """With neither, nobody could tell it from a customer who went back to what they had."""
    joins(world, "old", proof="token", changed="at" if keeps == "its time" else "")
    with world.store.write() as tx:
        _, words = access.issue(tx, "old-erp", ["crm:old"], expires_at=None, by="ana", now=world.clock())

    def show(tier: str, hour: int) -> Reply:
        body = json.dumps({"reference": "C-9", "name": "Luis", "tier": tier, "at": f"2026-05-04T{hour}:00:00Z"})
        named = {"webhook-id": f"e{hour}"} if keeps == "its id" else {}
        return world.main.receive("old", {"authorization": f"Bearer {words}", **named}, body.encode())

    assert show("Oro", 10).fields["added"] == 1
    assert show("Plata", 11).fields["changed"] == 1
    again = show("Oro", 10)
    assert again.status == 200
    assert stored(world, "C-9").tier == ("Oro" if keeps == "nothing" else "Plata")
    assert again.fields["repeated"] is (keeps == "its id")
    assert again.fields["older"] == (1 if keeps == "its time" else 0)
