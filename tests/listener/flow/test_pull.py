"""CRMs are asked for their customers: page by page, nothing lost, nothing twice; proven with Salesforce's API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import crm_salesforce
from connectors.crm_salesforce import SalesforceCrm, Settings
from listener.desk import crm_records
from listener.desk.crm_systems import System
from listener.flow.pull import Pulled, pull
from listener.store import cases, crm_in, crm_out, crm_ways, customers
from listener.types import AlertState, CasePlan, Promise, Urgency
from tests.listener.flow.world import Escucha
from tests.servers import salesforce
from tests.servers.salesforce import DOMAIN, KEY, SECRET, Salesforce

NAMING = {"Legajo__c": "reference", "Name": "name", "Email": "email", "Phone": "phone"}


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


@pytest.fixture
def world(escucha: Escucha, org: Salesforce) -> Escucha:
    """A company whose customers are Contacts, and whose cases go there."""
    org.now = escucha.clock()
    settings = Settings(
        domain=DOMAIN, consumer_key=KEY, consumer_secret=SECRET, fields=NAMING, sends=("cases", "customers")
    )
    escucha.main.systems["sf"] = System(
        connect=lambda: SalesforceCrm(settings, now=escucha.clock), takes=settings.takes, pulls=True
    )
    escucha.store.crms = {"sf": settings.takes}
    return escucha


def later(world: Escucha, org: Salesforce, **span: float) -> None:
    world.clock.forward(**span)
    org.forward(**span)


def asked(world: Escucha) -> Pulled:
    (done,) = world.main.pull()
    return done


def names(world: Escucha) -> list[str]:
    with world.store.read() as tx:
        return [each.name for each in customers.listing(tx)]


def waiting(world: Escucha) -> list[str]:
    with world.store.read() as tx:
        return [each.subject for each in crm_out.listing(tx, states=(AlertState.WAITING,))]


def test_customers_come_in_and_do_not_go_back(world: Escucha, org: Salesforce) -> None:
    ana = org.contact("Ana Paz", Legajo__c="C-1", Email="ana@example.org")
    later(world, org, hours=1)
    done = asked(world)
    assert (done.taken.added, done.pages, done.why) == (1, 1, "")
    assert names(world) == ["Ana Paz"]
    assert waiting(world) == []
    assert asked(world).pages == 0  # not due
    later(world, org, minutes=6)
    org.change(ana, Name="Ana Paz de Gil")
    later(world, org, minutes=6)
    assert asked(world).taken.changed == 1
    assert waiting(world) == []
    with world.store.read() as tx:
        ways = {way.way: way for way in crm_ways.listing(tx)}
    assert "of 15,000 API calls" in ways["in"].allowance


def test_many_pages_and_one_bad_record_keep_nobody_out(
    world: Escucha, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm_salesforce, "PAGE", 4)
    for index in range(10):
        org.contact(f"Name {index}", Legajo__c=f"C-{index}", Email="nothing" if index == 5 else None)
    later(world, org, hours=1)
    done = asked(world)
    assert (done.pages, done.taken.added, done.taken.unusable) == (3, 9, 1)
    ((record, why),) = done.taken.problems.items()
    assert "no e-mail address" in why
    with world.store.read() as tx:
        assert [way.problems for way in crm_ways.listing(tx)] == [{record: why}]
    org.change(record, Email="mended@example.org")
    later(world, org, hours=1)
    assert asked(world).taken.added == 1
    with world.store.read() as tx:
        assert [way.problems for way in crm_ways.listing(tx)] == [{}]


def test_a_crash_in_the_middle_reads_on_from_the_last_page_that_was_kept(
    world: Escucha, org: Salesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm_salesforce, "PAGE", 2)
    for index in range(6):
        org.contact(f"Name {index}", Legajo__c=f"C-{index}")
    later(world, org, hours=1)
    take, calls = crm_records.take, []

    def dies(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            take(*args, **more)
            raise RuntimeError("killed before the commit")
        return take(*args, **more)

    monkeypatch.setattr(crm_records, "take", dies)
    assert "RuntimeError" in asked(world).why
    assert len(names(world)) == 2
    later(world, org, hours=1)
    asked(world)
    assert len(names(world)) == 6
    queries = [path for method, path, _ in org.requests if method == "GET"]
    assert sum("WHERE" not in path for path in queries) == 1  # it did not begin anew


def test_who_is_deleted_there_is_marked(world: Escucha, org: Salesforce) -> None:
    ana = org.contact("Ana", Legajo__c="C-1")
    later(world, org, hours=1)
    asked(world)
    org.delete(ana)
    later(world, org, hours=1)
    assert asked(world).taken.deleted == 1
    with world.store.read() as tx:
        assert crm_in.counts(tx) == {"sf": (1, 1)}
    assert names(world) == ["Ana"]


def test_a_failure_rests_it_and_is_told_and_it_comes_back(world: Escucha, org: Salesforce) -> None:
    org.contact("Ana", Legajo__c="C-1")
    later(world, org, hours=1)
    org.fail("GET", "status", status=503)
    assert "503" in asked(world).why
    assert asked(world).pages == 0
    with world.store.read() as tx:
        (way,) = crm_ways.listing(tx)
    assert (way.failures, way.failing_since) == (1, world.clock())
    later(world, org, minutes=2)
    assert asked(world).taken.added == 1


def test_one_at_a_time(world: Escucha, org: Salesforce) -> None:
    with world.store.write() as tx:
        crm_ways.claim(tx, "sf", "in", lease=pull.__globals__["LEASE"], now=world.clock())
    assert asked(world).busy
    later(world, org, minutes=6)
    assert not asked(world).busy  # its holder died


def test_a_case_goes_to_the_contact_it_came_from(world: Escucha, org: Salesforce) -> None:
    ana = org.contact("Ana", Legajo__c="C-1")
    later(world, org, hours=1)
    asked(world)
    plan = CasePlan(team="billing", urgency=Urgency.HIGH, title="x", promise=Promise())
    with world.store.write() as tx:
        whose, now = customers.get(tx, "C-1"), world.clock()
        cases.add(tx, reference="ES-1", plan=plan, account_id=None, customer_id=whose.id, by="a", since=now, now=now)
    org.fail("PATCH", "cut_after")
    assert world.main.deliver()[0].failed == 1
    org.expire()
    later(world, org, minutes=1)
    assert world.main.deliver()[0].sent == 1
    ((_, there),) = org.rows["Case"].items()
    assert (there["Escucha_Reference__c"], there["ContactId"], there["Status"]) == ("ES-1", ana, "New")


def test_what_we_told_it_comes_back_as_nothing_new(world: Escucha, org: Salesforce) -> None:
    ana = org.contact("Ana", Legajo__c="C-1", Email="old@example.org")
    later(world, org, hours=1)
    asked(world)
    with world.store.write() as tx:
        was = customers.get(tx, "C-1")
        edit = customers.Edit(
            reference="C-1",
            values={**{name: getattr(was, name) for name in customers.COLUMNS}, "tags": [], "email": "new@example.org"},
            changed=("email",),
        )
        customers.write(tx, added=[], changed=[edit], by="ana", now=world.clock(), source="command line")
    assert world.main.deliver()[0].sent == 1
    assert org.rows["Contact"][ana]["Email"] == "new@example.org"
    later(world, org, minutes=6)
    done = asked(world)
    assert (done.taken.unchanged, done.taken.changed) == (1, 0)
    assert waiting(world) == []
