"""`escucha alert`, and what `policy check`, `activate`, `run`, `status` and `doctor` say of those whom alerts reach."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from connectors.sandbox_world import World
from listener import store as stores
from listener.store import Store, alerts, alerts_out
from tests import databases
from tests.connectors.test_mail_alerts import Office
from tests.servers.webhook import Receiver

Run = Callable[..., Result]
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
SETTINGS = """\
[accounts.care]
network = "sandbox"
world = "world.db"

[policy]
file = "p.yaml"

[[sources]]
name = "tag"
account = "care"
query = "#marca"

[alerts.ops]
webhook = "{url}"
"""
POLICY = """\
name: Small
default_team: care
teams: {care: {}}
rules:
  - name: all
    because: Everybody asks for it.
    then: {alert: ops, case: {}}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def network(escucha: Run, receiver: Receiver) -> Iterator[World]:
    """A policy that tells `ops` of everything, and its settings."""
    Path("escucha.toml").write_text(SETTINGS.replace("{url}", receiver.url), encoding="utf-8")
    Path("p.yaml").write_text(POLICY, encoding="utf-8")
    world = World("world.db")
    yield world
    world.close()


def said(done: Result, code: int = 0) -> str:
    """What it printed, on one line."""
    assert done.exit_code == code, done.output
    return " ".join((done.stdout + done.stderr).split())


def database() -> Store:
    return stores.open(databases.at("."))


def told(run: Run, *args: str) -> Any:
    return json.loads(run("alert", "list", "--json", *args).stdout)["alerts"]


def hears(run: Run, network: World) -> None:
    network.person("ana")
    network.post("ana", "todo mal con #marca [red]x[/red]")
    said(run("run", "--once"))


@pytest.mark.usefixtures("network")
def test_a_target_is_tried(escucha: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ops: delivered to localhost in 0." in (out := said(escucha("alert", "test", "ops")))
    assert "not signed: there is no secret" in out
    monkeypatch.setenv("ESCUCHA_ALERTS__OPS__SECRET", KEY)
    assert said(escucha("alert", "test", "ops")).endswith("s, signed.")
    assert json.loads(receiver.came[1].body)["kind"] == "test"
    receiver.answers = [(404, {})]
    assert said(escucha("alert", "test", "ops"), 1) == "localhost answered 404"
    assert "There is no target 'op' in escucha.toml; there is: ops." in said(escucha("alert", "test", "op"), 2)
    found = json.loads(escucha("alert", "test", "ops", "--json").stdout)
    assert (found["target"], found["place"], found["remark"]) == ("ops", "localhost", None)
    assert told(escucha) == []


def test_people_are_told_by_the_account_that_mail_has(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Office() as office:
        Path("escucha.toml").write_text(
            '[accounts.box]\nnetwork = "mail"\naddress = "care@brand.example"\nimap_host = "127.0.0.1"\n'
            f'smtp_host = "127.0.0.1"\nsmtp_port = {office.port}\nsmtp_security = "none"\n'
            '[alerts.people]\nmail = ["ana@brand.example"]\naccount = "box"\n',
            encoding="utf-8",
        )
        assert "password or access_token is missing" in said(escucha("alert", "test", "people"), 1)
        monkeypatch.setenv("ESCUCHA_ACCOUNTS__BOX__PASSWORD", "s3cret")
        assert "people: delivered to ana@brand.example in" in said(escucha("alert", "test", "people"))
        assert office.mails[0][0] == ["ana@brand.example"]


def test_what_was_told_is_listed_and_what_was_given_up_is_tried_again(
    escucha: Run, network: World, receiver: Receiver
) -> None:
    receiver.answers = [(400, {})]
    hears(escucha, network)
    (alert,) = told(escucha, "--failed")
    assert alert["key"] == receiver.keys[0]
    assert (alert["target"], alert["state"], alert["rule"]) == ("ops", "failed", "all")
    assert alert["reason"] == "localhost answered 400"
    out = said(escucha("alert", "list"))
    assert "M1 on sandbox: all, normal; localhost answered 400" in out
    assert "1 ops failed just now 1" in out
    status = json.loads(escucha("status", "--json").stdout)
    (standing,) = status["alerts"]
    assert (standing["target"], standing["given_up"], standing["last_error"]) == ("ops", 1, "localhost answered 400")
    assert any("1 alert for ops was given up: `escucha alert list --failed`" in each for each in status["troubles"])
    assert any("Alerts to ops have been failing for" in each for each in status["troubles"])
    doctor = json.loads(escucha("doctor", "--offline", "--json").stdout)
    assert [check["ok"] for check in doctor["checks"] if check["name"] == "alert ops"] == [True, False, False]
    assert "There is no target 'opss'" in said(escucha("alert", "retry", "--to", "opss"), 2)
    assert "1 alert that had been given up will be sent again" in said(escucha("alert", "retry"))
    said(escucha("run", "--once"))
    assert len(receiver.came) == 2
    assert len(set(receiver.keys)) == 1
    assert told(escucha, "--failed") == []
    assert json.loads(escucha("status", "--json").stdout)["alerts"] == []
    assert json.loads(escucha("alert", "retry", "--json").stdout) == {"again": []}


def test_explain_says_whom_it_told_and_whom_not(escucha: Run, network: World, receiver: Receiver) -> None:
    receiver.answers = [(404, {})]
    hears(escucha, network)
    assert "alerts ops not told: localhost answered 404" in said(escucha("explain", "M1"))
    (fate,) = json.loads(escucha("explain", "M1", "--json").stdout)["alerts"]
    assert fate == {"target": "ops", "state": "failed", "reason": "localhost answered 404"}
    escucha("alert", "retry")
    assert "alerts ops not told yet" in said(escucha("explain", "M1"))
    said(escucha("run", "--once"))
    assert "alerts ops told" in said(escucha("explain", "M1"))
    assert json.loads(escucha("explain", "M1", "--json").stdout)["decision"]["alerts"] == ["ops"]
    said(escucha("policy", "record", "M1", "--yes"))
    assert "alert: [ops]" in Path("p.tests.yaml").read_text(encoding="utf-8")
    said(escucha("policy", "check"))


@pytest.mark.usefixtures("network")
def test_a_target_that_the_settings_lack_stops_a_policy_from_ruling(escucha: Run) -> None:
    Path("q.yaml").write_text(POLICY.replace("alert: ops", "alert: [ops, opps]"), encoding="utf-8")
    problem = "q.yaml:7: the settings have no `[alerts.opps]`; did you mean `ops`?"
    assert said(escucha("policy", "check", "q.yaml"), 2) == problem
    assert json.loads(escucha("policy", "check", "q.yaml", "--json").stdout)["problems"] == [problem]
    assert said(escucha("policy", "activate", "q.yaml", "--because", "x", "--yes"), 2) == problem
    said(escucha("policy", "check", "p.yaml"))
    said(escucha("policy", "activate", "p.yaml", "--because", "x", "--yes"))
    settings = Path("escucha.toml").read_text(encoding="utf-8")
    Path("escucha.toml").write_text(settings.replace("alerts.ops", "alerts.oops"), encoding="utf-8")
    assert "the settings have no `[alerts.ops]`; did you mean `oops`?" in said(escucha("run", "--once"), 2)
    checks = json.loads(escucha("doctor", "--offline", "--json").stdout)["checks"]
    (wrong,) = [check for check in checks if "[alerts.ops]" in check["detail"]]
    step = "Write [alerts.ops] there, or take ops out of the policy (did you mean oops?)."
    assert (wrong["ok"], wrong["next_step"]) == (False, step)
    assert wrong["detail"].startswith("`escucha run` does not start: escucha.toml has no [alerts.ops], which policy")


@pytest.mark.usefixtures("network")
def test_a_target_that_the_settings_lack_is_told_once_and_before_all_else(escucha: Run) -> None:
    waits("opps", "1", datetime.now(UTC))
    twice = POLICY.replace("alert: ops", "alert: [ops, opps]")
    more = "".join(f"  - {{name: again {number}, then: {{alert: opps}}}}\n" for number in range(4))
    Path("p.yaml").write_text(twice + more, encoding="utf-8")
    troubles = json.loads(escucha("status", "--json").stdout)["troubles"]
    first, *others = [each for each in troubles if "opps" in each]
    assert (troubles[0], others) == (first, [])
    assert first == (
        "`escucha run` does not start: escucha.toml has no [alerts.opps], which p.yaml names (lines 7, 8, 9 and 2 "
        "more); 1 alert waits for it. Write [alerts.opps] there, or take opps out of the policy (did you mean ops?)."
    )
    assert "does not start: escucha.toml has no [alerts.opps]" in said(escucha("doctor", "--offline"), 2)
    checks = json.loads(escucha("doctor", "--offline", "--json").stdout)["checks"]
    assert [check["name"] for check in checks if "opps" in check["detail"]] == ["policy"]
    assert "[alerts.opps]" in said(escucha("run", "--once"), 2)


def test_without_settings_a_check_says_what_it_cannot_tell(escucha: Run) -> None:
    Path("p.yaml").write_text(POLICY, encoding="utf-8")
    assert "It alerts ops; without escucha.toml nobody can tell" in said(escucha("policy", "check", "p.yaml"))


@pytest.mark.usefixtures("network")
def test_a_target_without_an_address_and_an_account_that_cannot_tell(escucha: Run) -> None:
    settings = Path("escucha.toml").read_text(encoding="utf-8").partition("webhook =")[0]
    Path("escucha.toml").write_text(settings, encoding="utf-8")
    assert "set ESCUCHA_ALERTS__OPS__WEBHOOK or ESCUCHA_ALERTS__OPS__WEBHOOK_FILE" in said(escucha("run", "--once"), 2)
    assert json.loads(escucha("alert", "list", "--json").stdout) == {"alerts": [], "more": False}
    Path("escucha.toml").write_text(f'{settings}mail = ["a@b.example"]\naccount = "care"\n', encoding="utf-8")
    assert "name an account on the network mail that has smtp_host" in said(escucha("run", "--once"), 2)


@pytest.mark.usefixtures("network")
def test_what_waits_for_a_target_that_is_gone_is_said(escucha: Run) -> None:
    with database().write() as tx:
        now = datetime.now(UTC)
        given = {"kind": "x", "subject": "\x1b[2J[red]s", "why": "", "mention_id": None, "case_id": None, "now": now}
        alerts.add(tx, to="gone", key="1", **given)  # type: ignore[arg-type]
    troubles = json.loads(escucha("status", "--json").stdout)["troubles"]
    assert any("1 alert for gone, which escucha.toml does not name: write [alerts.gone]" in each for each in troubles)
    out = escucha("alert", "list").stdout
    assert "\x1b[2J" not in out
    assert "[red]s" in out


@pytest.mark.usefixtures("network")
def test_an_address_is_shown_by_its_host_alone(escucha: Run) -> None:
    settings = Path("escucha.toml").read_text(encoding="utf-8").partition("webhook =")[0]
    settings += 'webhook = "https://hooks.example/services/T0123456789ABCDEF"\n'
    Path("escucha.toml").write_text(settings, encoding="utf-8")
    for command in (("config", "show"), ("config", "show", "--json"), ("doctor", "--offline"), ("status",)):
        assert "T0123456789ABCDEF" not in escucha(*command).output
    assert "hooks.example" in escucha("config", "show").output


def waits(to: str, key: str, now: datetime) -> None:
    given: dict[str, Any] = {
        "kind": "breach",
        "subject": "ES-26-000003-5: the first answer was due 2026-11-22 22:28 UTC",
        "why": "late",
    }
    with database().write() as tx:
        alerts.add(tx, to=to, key=key, mention_id=None, case_id=None, now=now, **given)


def claimed(to: str, now: datetime) -> alerts.Alert:
    with database().write() as tx:
        found = alerts_out.claim(tx, to, hourly=2, longest_rest=timedelta(hours=1), now=now)
        assert found
        return found


@pytest.mark.usefixtures("network")
def test_a_narrow_list_of_alerts_leaves_nothing_out_and_says_until_when_they_wait(
    escucha: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Path("escucha.toml").read_text(encoding="utf-8")
    others = [f'[alerts.{name}]\nwebhook = "http://localhost:9/"\n' for name in ("bosses", "supervisors_of_billing")]
    Path("escucha.toml").write_text(settings + "hourly = 2\n" + "".join(others), encoding="utf-8")
    now = datetime.now(UTC)
    for key in ("1", "2"):
        waits("ops", key, now)
        sent = claimed("ops", now)
        with database().write() as tx:
            alerts_out.sent(tx, sent, remark="", now=now)
    waits("bosses", "1", now)
    failed = claimed("bosses", now)
    with database().write() as tx:
        alerts_out.given_up(tx, failed, reason="localhost answered 404: “x”", now=now)
        alerts_out.rest(tx, "bosses", until=now + timedelta(minutes=3, seconds=30))
    for to, key in (("ops", "3"), ("ops", "4"), ("bosses", "2"), ("supervisors_of_billing", "1"), ("gone", "1")):
        waits(to, key, now)
    for width in ("80", "120"):
        monkeypatch.setenv("COLUMNS", width)
        lines = escucha("alert", "list").stdout.splitlines()
        assert all(len(line) <= int(width) for line in lines)
        assert lines[0].split() == ["ID", "TO", "STATE", "MADE", "TRIES"]
        assert sum(line[:1].isdigit() for line in lines) == len(told(escucha))
        out = " ".join(" ".join(lines).split())
        assert out.count("the first answer was due 2026-11-22 22:28 UTC") == 8
        assert out.count("22:28 UTC; in the next digest, in 4 min") == 2
        assert "22:28 UTC; bosses rests, next try in 3 min" in out
        assert "22:28 UTC; localhost answered 404: “x”" in out
        assert "22:28 UTC; the settings name no such target" in out
        assert "22:28 UTC; goes out when a daemon runs" in out
    tries = {(each["target"], each["state"]): each["next_try_at"] for each in told(escucha)}
    assert datetime.fromisoformat(tries["bosses", "waiting"]) > now + timedelta(minutes=3)
    assert datetime.fromisoformat(tries["ops", "waiting"]) > now + timedelta(minutes=4)
    assert tries["ops", "sent"] is tries["bosses", "failed"] is tries["gone", "waiting"] is None
