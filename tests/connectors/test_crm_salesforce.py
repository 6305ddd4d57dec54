"""Salesforce through its library against its API on loopback: paging, deletions, upserts, logins, limits, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import crm_salesforce
from connectors.crm_salesforce import SalesforceCrm, Settings
from listener.errors import AuthFailed, Mistake, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.types import CrmDelivery, CrmRecord
from tests.servers import salesforce
from tests.servers.salesforce import DOMAIN, HOST, KEY, PASSWORD, SECRET, USER, Salesforce

REFERENCE = "ES-26-000001-8"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("salesforce")
    salesforce.make_certificate(folder)
    return folder


@pytest.fixture
def org(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Salesforce]:
    with Salesforce(certificate) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def joined(org: Salesforce, **more: Any) -> SalesforceCrm:
    settings = {"domain": DOMAIN, "consumer_key": KEY, "consumer_secret": SECRET, "sends": ("cases", "customers")}
    return SalesforceCrm(Settings(**{**settings, **more}), now=lambda: org.now)


def everything(crm: SalesforceCrm, cursor: Any = None) -> tuple[list[CrmRecord], Any, int]:
    """All records from there on, the cursor after them, and in how many pages."""
    found: list[CrmRecord] = []
    for number in range(1, 100):
        page = crm.pull(cursor)
        found += page.records
        cursor = page.cursor
        if not page.more:
            return found, cursor, number
    raise AssertionError


def case(**more: Any) -> CrmDelivery:
    about = {"reference": REFERENCE, "state": "open", "urgency": "high", "team": "billing", "customer": None, **more}
    return CrmDelivery(key="k1", fields={"kind": "case", "reference": REFERENCE, "case": about})


# --- in ---


def test_contacts_come_as_they_stand_there(org: Salesforce) -> None:
    number = org.contact("Ana Paz", Email="ana@example.org", Account={"Name": "Molino"}, Legajo__c="C-1")
    crm = joined(org, fields={"Legajo__c": "reference", "Name": "name", "Account.Name": "Empresa"})
    ((record,), _, _) = everything(crm)
    assert (record.id, record.gone, record.changed_at) == (number, False, org.now)
    assert record.values["Legajo__c"] == "C-1"
    assert record.values["Account"]["Name"] == "Molino"
    assert crm.naming["Account.Name"] == "Empresa"


def test_page_by_page_in_order_and_each_once(org: Salesforce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crm_salesforce, "PAGE", 5)
    org.batch = 3  # it may give fewer than it was asked for
    numbers = []
    for index in range(17):
        numbers.append(org.contact(f"Name {index}"))
        if index % 4 == 3:
            org.forward(seconds=1)  # several share their second
    org.forward(hours=1)
    found, cursor, pages = everything(joined(org))
    assert [each.id for each in found] == numbers
    assert pages == 6
    assert everything(joined(org), cursor)[0] == []


def test_only_what_changed_since_comes_and_what_was_deleted(org: Salesforce) -> None:
    ana, luis = org.contact("Ana"), org.contact("Luis")
    org.forward(hours=1)
    crm = joined(org)
    _, cursor, _ = everything(crm)
    org.forward(hours=1)
    org.change(luis, Email="luis@example.org")
    org.forward(hours=1)
    org.delete(ana)
    org.forward(hours=1)
    found, cursor, _ = everything(crm, cursor)
    assert [(each.id, each.gone) for each in found] == [(luis, False), (ana, True)]
    assert found[1].values == {}
    assert everything(crm, cursor)[0] == []


def test_what_shows_late_is_not_missed(org: Salesforce) -> None:
    """A record may bear the time of a transaction that ended after we looked."""
    org.contact("Ana")
    crm = joined(org)
    _, cursor, _ = everything(crm)
    late = org.contact("Late")
    org.rows["Contact"][late]["SystemModstamp"] = "2026-05-04T11:50:00.000+0000"
    org.forward(minutes=1)
    assert "Late" in [each.values["Name"] for each in everything(crm, cursor)[0]]


def test_what_is_old_is_not_read_again_for_ever(org: Salesforce) -> None:
    for index in range(4):
        org.contact(f"Name {index}")
    crm = joined(org)
    _, cursor, _ = everything(crm)
    org.forward(minutes=1)
    again, cursor, _ = everything(crm, cursor)
    assert len(again) == 4
    org.forward(hours=1)
    _, cursor, _ = everything(crm, cursor)
    assert everything(crm, cursor)[0] == []


def test_accounts_and_fields_that_there_are_not(org: Salesforce) -> None:
    org.put("Account", Name="Molino", Phone="123456")
    crm = joined(org, records="Account")
    assert everything(crm)[0][0].values["Name"] == "Molino"
    with pytest.raises(Rejected, match="No such column 'Rut__c'"):
        joined(org, fields={"Rut__c": "reference"}).pull(None)


# --- out ---


def test_a_case_is_put_once_however_often_it_is_told(org: Salesforce) -> None:
    ana = org.contact("Ana")
    crm = joined(org, case_fields={"state": "Status", "urgency": "Priority", "team": "Team__c"})
    told = case(customer={"reference": "C-1", "id": ana})
    for _ in range(2):
        assert crm.deliver(told) == ""
    crm.deliver(case(state="resolved"))
    ((_, there),) = org.rows["Case"].items()
    assert there["Escucha_Reference__c"] == REFERENCE
    assert (there["Status"], there["Priority"], there["Team__c"]) == ("Closed", "High", "billing")
    assert (there["Subject"], there["ContactId"]) == (f"Escucha {REFERENCE}", ana)


def test_what_people_wrote_is_in_it_only_where_the_settings_say_so(org: Salesforce) -> None:
    joined(org).deliver(case(title="Me\ncobraron dos veces"))
    assert org.upserts[-1][1]["Subject"] == f"Escucha {REFERENCE}"
    joined(org, texts=True).deliver(case(title="Me\ncobraron dos veces"))
    assert org.upserts[-1][1]["Subject"] == "Me cobraron dos veces"


def test_a_reference_cannot_leave_its_place_in_the_address(org: Salesforce) -> None:
    joined(org).deliver(case(reference="ES/../../Contact?x=1"))
    assert [row["Escucha_Reference__c"] for row in org.rows["Case"].values()] == ["ES/../../Contact?x=1"]


def test_a_customer_that_it_gave_us_is_updated_and_no_other_made(org: Salesforce) -> None:
    ana = org.contact("Ana", Email="old@example.org")
    crm = joined(org)

    def tell(**customer: Any) -> str:
        return crm.deliver(CrmDelivery(key="k", fields={"kind": "customer", "reference": "C-1", "customer": customer}))

    assert tell(id=ana, name="Ana", email="new@example.org", phone=None) == ""
    assert org.rows["Contact"][ana]["Email"] == "new@example.org"
    assert "nothing was told" in tell(id=None, name="Luis", email=None, phone=None)
    assert len(org.rows["Contact"]) == 1
    gone = CrmDelivery(key="k", fields={"kind": "case", "reference": REFERENCE, "case": None})
    assert "nothing was told" in crm.deliver(gone)


def test_a_lost_answer_is_told_as_unknown_and_telling_again_does_no_harm(org: Salesforce) -> None:
    crm = joined(org)
    org.fail("PATCH", "cut_after")
    with pytest.raises(OutcomeUnknown):
        crm.deliver(case())
    crm.deliver(case())
    assert len(org.upserts) == 2
    assert len(org.rows["Case"]) == 1


# --- logging in ---


def test_both_ways_to_log_in_under_its_own_name(org: Salesforce) -> None:
    org.contact("Ana")
    assert joined(org).pull(None).records
    assert joined(org, username=USER, password=PASSWORD).pull(None).records
    assert org.logins == 2
    assert set(org.hosts) == {f"{HOST}:443"}


def test_a_token_that_ran_out_is_renewed(org: Salesforce) -> None:
    crm = joined(org)
    crm.deliver(case())
    org.expire()
    crm.deliver(case(state="resolved"))
    org.expire()
    assert crm.pull(None).records == ()
    assert org.logins == 3


def test_a_token_that_is_never_good_is_told_soon(org: Salesforce) -> None:
    said = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    org.fail("PATCH", "status", status=401, body=said, times=50)
    with pytest.raises(AuthFailed):
        joined(org).deliver(case())
    assert org.logins <= 5


def test_wrong_credentials_are_told_without_them(org: Salesforce) -> None:
    with pytest.raises(AuthFailed, match="does not let us log in") as refused:
        joined(org, consumer_secret=SECRET + "x").pull(None)
    assert SECRET not in str(refused.value) or SECRET + "x" not in str(refused.value)
    with pytest.raises(AuthFailed) as refused:
        joined(org, username=USER, password="wrong-password").pull(None)
    assert SECRET not in str(refused.value)


def test_a_login_that_sends_us_to_strangers_is_not_followed(org: Salesforce) -> None:
    org.instance = "crm.evil.example"
    with pytest.raises(AuthFailed, match="not Salesforce's"):
        joined(org).pull(None)
    assert {host.partition(":")[0] for host in org.hosts} == {HOST}


def test_a_certificate_of_nobody_is_not_believed(org: Salesforce, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Unavailable, match="no secure connection"):
        joined(org).pull(None)


# --- limits and refusals ---


def test_what_it_lets_us_ask_is_told(org: Salesforce) -> None:
    org.used = 17
    crm = joined(org)
    assert crm.allowance == ""
    crm.pull(None)
    assert crm.allowance == "18 of 15,000 API calls used in 24 hours"


def test_calls_that_are_used_up_are_waited_for(org: Salesforce) -> None:
    crm = joined(org)
    crm.pull(None)
    org.used = org.total
    for ask in (lambda: crm.pull(None), lambda: crm.deliver(case())):
        with pytest.raises(RateLimited) as refused:
            ask()
        assert refused.value.retry_after == 900


HTML = b"<html><title>Maintenance</title></html>"
LOCKED = [{"message": "unable to obtain exclusive access", "errorCode": "UNABLE_TO_LOCK_ROW"}]
DENIED = [{"message": "insufficient access rights", "errorCode": "INSUFFICIENT_ACCESS"}]
REQUIRED = [{"message": "Required fields are missing: [Origin]", "errorCode": "REQUIRED_FIELD_MISSING"}]


@pytest.mark.parametrize(
    ("status", "body", "headers", "reading", "writing"),
    [
        (429, b"", {"Retry-After": "77"}, RateLimited, RateLimited),
        (500, [{"message": "oops", "errorCode": "UNKNOWN_EXCEPTION"}], {}, Unavailable, OutcomeUnknown),
        (503, HTML, {"Content-Type": "text/html"}, Unavailable, OutcomeUnknown),
        (502, b"", {}, Unavailable, OutcomeUnknown),
        (200, HTML, {"Content-Type": "text/html"}, Unavailable, OutcomeUnknown),
        (200, b"[" * 90_000, {}, Unavailable, OutcomeUnknown),
        (200, b"\xff\xfe", {}, Unavailable, OutcomeUnknown),
        (200, b"7", {}, Unavailable, OutcomeUnknown),
        (401, HTML, {"Content-Type": "text/html"}, AuthFailed, AuthFailed),
        (401, b"{}", {}, AuthFailed, AuthFailed),
        (403, HTML, {"Content-Type": "text/html"}, Unavailable, OutcomeUnknown),
        (403, DENIED, {}, AuthFailed, Rejected),
        (400, REQUIRED, {}, Rejected, Rejected),
        (400, LOCKED, {}, Unavailable, Unavailable),
        (301, b"", {"Location": "https://crm.evil.example/"}, Unavailable, Unavailable),
        (302, b"", {"Location": "https://crm.evil.example/"}, Unavailable, OutcomeUnknown),
    ],
)
def test_each_refusal_is_one_of_the_five_errors(
    org: Salesforce, status: int, body: Any, headers: dict[str, str], reading: type[Exception], writing: type[Exception]
) -> None:
    crm = joined(org)
    crm.pull(None)
    asked = (("GET", lambda: crm.pull(None), reading), ("PATCH", lambda: crm.deliver(case()), writing))
    for method, ask, expected in asked:
        org.fail(method, "status", status=status, body=body, headers=headers, path="/services/data")
        with pytest.raises(expected) as refused:
            ask()
        assert type(refused.value) is expected
        assert "\n" not in str(refused.value)
    assert all(host.startswith(HOST) for host in org.hosts)


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_broken_connection(org: Salesforce, kind: str) -> None:
    crm = joined(org)
    crm.pull(None)
    org.fail("GET", kind)
    with pytest.raises(Unavailable):
        crm.pull(None)
    org.fail("PATCH", kind)
    with pytest.raises(OutcomeUnknown):
        crm.deliver(case())


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, b"", Unavailable),
        (200, HTML, Unavailable),
        (200, b"{}", Unavailable),
        (200, {"access_token": "t"}, Unavailable),
        (429, b"", RateLimited),
        (400, {"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}, AuthFailed),
        (400, {"error": "invalid_grant"}, AuthFailed),
    ],
)
def test_a_login_that_fails_wrote_nothing(org: Salesforce, status: int, body: Any, expected: type[Exception]) -> None:
    org.fail("POST", "status", status=status, body=body)
    with pytest.raises(expected) as refused:
        joined(org).deliver(case())
    assert type(refused.value) is expected
    assert org.upserts == []


def test_more_than_one_of_an_external_id_is_a_refusal(org: Salesforce) -> None:
    for _ in range(2):
        org.put("Case", Escucha_Reference__c=REFERENCE)
    with pytest.raises(Rejected, match="unique"):
        joined(org).deliver(case())


@pytest.mark.parametrize(
    "records",
    [
        None,
        {},
        [None],
        [{"Id": 7}],
        [{"Id": "0035g0000000000001"}],
        [{"Id": "0035g' OR Id != '", "SystemModstamp": "2026-05-04T12:00:00.000+0000"}],
        [{"Id": "0035g0000000000001", "SystemModstamp": "soon"}],
    ],
)
def test_records_that_are_none_move_no_cursor(org: Salesforce, records: Any) -> None:
    crm = joined(org)
    org.fail("GET", "status", status=200, body={"totalSize": 1, "done": True, "records": records})
    with pytest.raises(Unavailable):
        crm.pull(None)


# --- looking ---


def test_a_check_says_what_there_is_and_what_lacks(org: Salesforce) -> None:
    org.contact("Ana")
    said = joined(org).check()
    assert said.startswith(
        "brand.my.salesforce.com lets us in, it has 1 Contact records for us, its Case has the external id"
    )
    assert said.endswith("API calls used in 24 hours")
    with pytest.raises(Mistake, match="no external id Reference__c"):
        joined(org, case_key="Reference__c").check()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"domain": "login"}, "no domain of yours"),
        ({"domain": "evil.example/x"}, "no domain of yours"),
        ({"fields": {"Id FROM User": "name"}}, "no field of Salesforce"),
        ({"records": "Contact WHERE"}, "no name that Salesforce gives"),
        ({"case_key": "a/b"}, "no name that Salesforce gives"),
        ({"case_fields": {"agent": "Owner"}}, "no word of ours"),
        ({"case_fields": {"state": "Status; x"}}, "no field of Salesforce"),
        ({"sends": ["mentions"]}, "cases and customers"),
        ({"username": "u"}, "both, or neither"),
        ({"reads": False, "sends": []}, "neither reads nor sends"),
        ({"every": "soon"}, "not a duration"),
        ({"every": "7h"}, "less than or equal"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**{"domain": DOMAIN, "consumer_key": KEY, "consumer_secret": SECRET, **settings})


def test_the_whole_address_is_a_domain_too() -> None:
    read = Settings(domain="https://brand.my.salesforce.com/", consumer_key=KEY, consumer_secret=SECRET, every="1h30m")
    assert (read.domain, read.every.total_seconds()) == ("brand.my", 5400)
    assert datetime.now(UTC).tzinfo is UTC
