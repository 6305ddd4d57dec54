"""What accounts cost, as `status`, `doctor` and whoever approves get to see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import insert

from connectors import sandbox
from listener import store as stores
from listener.store import sources, spending
from listener.store import tables as t
from listener.types import Charge
from tests import databases

Escucha = Callable[..., Result]

SETTINGS = """
[accounts.care]
network = "sandbox"
[accounts.care.budget]
day = 5.00
month = 100.00

[[sources]]
name = "mentions"
account = "care"
query = "mentions"
"""


@pytest.fixture
def spends(tmp_path: Path, escucha: Escucha) -> Callable[[float], None]:
    """Spends that much on the account today."""
    Path("escucha.toml").write_text(SETTINGS, encoding="utf-8")
    assert escucha("source", "poll", "mentions").exit_code == 0

    def spend(usd: float) -> None:
        store = stores.open(databases.at(tmp_path))
        with store.write() as tx:
            spending.record(tx, "care", [Charge(call="post read", units=1, usd=usd)], datetime.now(UTC))
        store.close()

    return spend


def status(escucha: Escucha) -> dict[str, object]:
    (money,) = json.loads(escucha("status", "--json").stdout)["money"]
    return dict(money)


def test_status_shows_what_was_spent_what_it_comes_to_and_the_budget(
    escucha: Escucha, spends: Callable[[float], None]
) -> None:
    spends(0.01)
    told = status(escucha)
    assert set(told) == {
        "account",
        "spent_today",
        "spent_this_month",
        "projected_today",
        "projected_this_month",
        "budget_day",
        "budget_month",
        "reading_share",
        "level",
        "since",
        "slower",
    }
    assert (told["spent_today"], told["budget_day"], told["budget_month"], told["level"]) == (
        0.01,
        5.0,
        100.0,
        "enough",
    )
    assert "0.01 of 5.00 USD today" in escucha("status").stdout


def test_status_says_what_has_stopped_and_what_to_do(escucha: Escucha, spends: Callable[[float], None]) -> None:
    spends(4.1)
    assert "was not asked: the money" in " ".join(escucha("source", "poll", "mentions").output.split())
    told = json.loads(escucha("status", "--json").stdout)
    assert told["money"][0]["level"] == "no reading"
    assert told["money"][0]["since"] is not None
    trouble = told["troubles"][0]
    assert trouble.startswith("The money of the account care is spent: 4.10 of 5.00 USD today")
    assert "reading has stopped; answers still go out" in trouble
    assert trouble.endswith("Raise accounts.care.budget to go on.")
    spends(0.9)
    assert "everything has stopped" in json.loads(escucha("status", "--json").stdout)["troubles"][0]


def test_status_is_loud_where_deletions_are_followed_no_more(
    escucha: Escucha, spends: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    demanding = replace(sandbox.FACTS, rechecks=((timedelta(days=90), timedelta(hours=20)),))
    monkeypatch.setattr(sandbox, "FACTS", demanding)
    spends(5.0)
    trouble = json.loads(escucha("status", "--json").stdout)["troubles"][0]
    assert trouble.startswith("What is deleted on sandbox is NOT followed here any more")


def test_run_once_says_why_a_source_was_not_asked(escucha: Escucha, spends: Callable[[float], None]) -> None:
    spends(4.5)
    done = escucha("run", "--once")
    assert done.exit_code == 0, done.output
    assert "mentions: the money of the account care is spent" in " ".join(done.stdout.split())


def test_doctor_says_what_it_costs_and_fails_when_it_has_stopped(
    escucha: Escucha, spends: Callable[[float], None]
) -> None:
    spends(1.0)
    checks = {check["name"]: check for check in json.loads(escucha("doctor", "--json").stdout)["checks"]}
    assert checks["account care money"]["ok"] is True
    assert "1.00 of 5.00 USD today" in checks["account care money"]["detail"]
    spends(4.0)
    done = escucha("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["account care money"]["ok"] is False
    assert "Raise accounts.care.budget" in checks["account care money"]["next_step"]
    assert done.exit_code == 3


def test_an_account_without_budget_or_cost_is_not_shown(escucha: Escucha) -> None:
    Path("escucha.toml").write_text(SETTINGS.replace("[accounts.care.budget]\nday = 5.00\nmonth = 100.00\n", ""))
    assert json.loads(escucha("status", "--json").stdout)["money"] == []
    assert "money" not in escucha("status").stdout
    assert "money" not in escucha("doctor").stdout


def test_an_answer_that_is_approved_without_money_waits_and_says_so(
    escucha: Escucha, spends: Callable[[float], None]
) -> None:
    world = sandbox.World(Path("sandbox.db"))
    world.person("ana")
    world.post("ana", "@marca no funciona nada, es una vergüenza")
    world.close()
    assert escucha("run", "--once").exit_code == 0
    spends(4.9)
    assert "waits: the money of the account care is spent" in " ".join(escucha("show", "D1").stdout.split())
    assert escucha("inbox").stdout.startswith("What is approved waits: the money of the account care is spent")
    approved = escucha("approve", "D1", input="y\n")
    said = " ".join(approved.output.split())
    assert "D1 is approved; it waits: the money of the account care is spent: 4.90 of 5.00 USD today" in said
    assert "0 were sent now" in escucha("run", "--once").stdout
    (draft,) = json.loads(escucha("inbox", "--state", "approved", "--json").stdout)["drafts"]
    assert draft["state"] == "approved"


def test_posts_that_nobody_can_look_up_any_more_are_told(
    escucha: Escucha, spends: Callable[[float], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    store, now = stores.open(databases.at(tmp_path)), datetime.now(UTC)
    with store.write() as tx:
        sources.sync(
            tx,
            [
                sources.Wanted(
                    name="old", account="gone", network="sandbox", query="mentions", every=timedelta(minutes=1)
                )
            ],
            now,
        )
        account = tx.execute(
            insert(t.accounts).values(network="sandbox", external_id="x", handle="x", folded="x", first_seen_at=now)
        )
        tx.execute(
            insert(t.mentions).values(
                network="sandbox",
                external_id="old-1",
                source_id=tx.execute(t.sources.select().where(t.sources.c.name == "old")).one().id,
                account_id=account.inserted_primary_key[0],
                state="decided",
                kind="found",
                visibility="public",
                text="hola",
                media=[],
                raw={},
                posted_at=now,
                heard_at=now,
                checked_at=now,
            )
        )
    store.close()
    assert not any(
        "can be looked up no more" in each for each in json.loads(escucha("status", "--json").stdout)["troubles"]
    )
    demanding = replace(sandbox.FACTS, rechecks=((timedelta(days=90), timedelta(hours=20)),))
    monkeypatch.setattr(sandbox, "FACTS", demanding)
    told = json.loads(escucha("status", "--json").stdout)
    assert told["unwatched"] == [{"account": "gone", "network": "sandbox", "mentions": 1}]
    assert any(
        each.startswith("1 post heard through the account gone can be looked up no more") for each in told["troubles"]
    )
    checks = {check["name"]: check for check in json.loads(escucha("doctor", "--json").stdout)["checks"]}
    assert checks["account removed"]["next_step"] == "name the account again."
