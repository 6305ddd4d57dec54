"""`escucha crm`, and what `run`, `status` and `doctor` say of CRMs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import connectors
from listener import store as stores
from listener.store import crm_in
from tests import databases
from tests.servers.webhook import Receiver

Run = Callable[..., Result]
ROW = re.compile(r"^\| `([a-z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
SECRET = base64.b64encode(b"k" * 32).decode()
SETTINGS = """\
[crm.erp]
system = "webhook"
url = "{url}"
sends = ["cases", "customers"]
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def erp(escucha: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Run:
    Path("escucha.toml").write_text(SETTINGS.replace("{url}", receiver.url), encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_CRM__ERP__SECRET", SECRET)
    return escucha


def read(result: Result) -> Any:
    assert result.exit_code in (0, 3), result.output
    return json.loads(result.stdout)


def test_from_a_customer_to_a_delivery(erp: Run, receiver: Receiver) -> None:
    assert "took a test message, signed" in erp("crm", "check", "erp").stdout
    assert erp("customer", "add", "C-1", "--name", "Ana").exit_code == 0
    (waiting,) = read(erp("crm", "list", "--json"))["crms"]
    assert (waiting["crm"], waiting["system"], waiting["waiting"]) == ("erp", "webhook", 1)
    assert "1 to be told, last told never" in erp("crm", "list").stdout
    assert erp("crm", "push").stdout == "erp: 1 delivered\n"
    assert json.loads(receiver.came[-1].body)["customer"]["name"] == "Ana"
    (told,) = read(erp("crm", "deliveries", "--json"))["deliveries"]
    assert (told["about"], told["state"], told["key"]) == ("customer C-1", "sent", receiver.keys[-1])
    assert "customer C-1" in erp("crm", "deliveries", "erp").stdout
    assert read(erp("status", "--json"))["crm"][0]["waiting"] == 0


def test_what_is_refused_is_told_and_tried_again(erp: Run, receiver: Receiver) -> None:
    erp("customer", "add", "C-1", "--name", "Ana")
    receiver.answers = [(422, {}), (500, {})]
    pushed = erp("crm", "push", "erp")
    assert pushed.exit_code == 3
    assert "422" in pushed.stdout
    assert "given up" in " ".join(erp("status").stdout.split())
    assert "escucha crm retry erp" in " ".join(erp("doctor", "--offline").stdout.split())
    assert read(erp("crm", "deliveries", "--failed", "--json"))["deliveries"][0]["reason"] == "localhost answered 422"
    assert read(erp("crm", "retry", "erp", "--json")) == {"again": [1]}
    assert erp("crm", "push").exit_code == 3
    assert "has been failing" in " ".join(erp("crm", "list").stdout.split())
    assert erp("crm", "push").stdout == "erp: 1 delivered\n"  # a person's push waits for no rest
    assert len(set(receiver.keys)) == 1


def test_who_is_in_which_crm(erp: Run) -> None:
    erp("customer", "add", "C-1", "--name", "Ana")
    with closing(stores.open(databases.at("."))) as store, store.write() as tx:
        now = datetime.now(UTC)
        row = {"record": "r7", "customer_id": 1, "digest": "", "changed_at": None, "seen_at": now}
        crm_in.keep(tx, "erp", [row])
        crm_in.mark_gone(tx, "erp", ["r7"], now=now)
    assert "in erp" in erp("customer", "show", "C-1").stdout
    assert "r7, deleted there just now" in erp("customer", "show", "C-1").stdout
    assert read(erp("customer", "show", "C-1", "--json"))["crm"][0]["record"] == "r7"


def test_the_settings_are_shown_without_secrets(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SETTINGS.replace("{url}", "https://erp.example/hooks/0123456789abcdef")
    Path("escucha.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_CRM__ERP__SECRET", SECRET)
    said = escucha("config", "show").stdout + escucha("config", "show", "--json").stdout
    assert "[crm.erp]" in said
    assert "erp.example" in said
    assert "0123456789abcdef" not in said
    assert SECRET not in said


def test_who_posts_is_not_asked(erp: Run) -> None:
    refused = erp("crm", "pull", "erp")
    assert refused.exit_code == 2
    assert "posts them by itself" in refused.stderr
    assert erp("crm", "pull").stdout == "escucha.toml names no CRM that is asked for its customers.\n"


def test_names_and_secrets_that_are_not_there(erp: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no CRM 'shop' in escucha.toml; there is: erp." in erp("crm", "check", "shop").stderr
    assert erp("crm", "retry", "shop").exit_code == 2
    monkeypatch.delenv("ESCUCHA_CRM__ERP__SECRET")
    assert erp("customer", "add", "C-1", "--name", "Ana").exit_code == 0  # only what connects needs it
    for command in (("crm", "push"), ("crm", "check", "erp")):
        refused = erp(*command)
        assert refused.exit_code == 2
        assert "ESCUCHA_CRM__ERP__SECRET" in refused.stderr
    assert "ESCUCHA_CRM__ERP__SECRET" in erp("doctor", "--offline").stdout
    monkeypatch.setenv("ESCUCHA_CRM__ERP__SECRET", "c2hvcnQ=")
    assert "16 bytes" in erp("crm", "push").stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[crm.Erp]\nsystem = "webhook"', "line 1: crm.Erp is no name of a CRM"),
        ('[crm.a]\nsystem = "sap"', "line 2: crm.a.system names no kind of CRM we know; choose one of:"),
        ("[crm.a]", "line 1: crm.a.system is missing"),
        ('[crm.a]\nsystem = "webhook"\nsecret = "x"', "line 3: crm.a.secret is a secret and must not stand in"),
        ('[crm.a]\nsystem = "webhook"\nsnds = ["cases"]', "is not a setting of webhook; did you mean sends?"),
        ('[crm.a]\nsystem = "webhook"\nurl = "http://far.example/"', "crm.a.url: must begin with https://"),
        ('[crm.a]\nsystem = "webhook"\nreceives = false', "crm.a: neither sends nor receives"),
    ],
)
def test_settings_that_cannot_be_used_name_their_line(escucha: Run, text: str, said: str) -> None:
    Path("escucha.toml").write_text(text + "\n", encoding="utf-8")
    refused = escucha("crm", "list")
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_a_stray_variable_is_no_mistake(erp: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_CRM__SHOP__SECRET", SECRET)
    assert erp("crm", "list").exit_code == 0
    assert "there is no CRM shop" in erp("doctor", "--offline").stdout


def test_what_waits_for_a_crm_that_is_gone_is_told(erp: Run) -> None:
    erp("customer", "add", "C-1", "--name", "Ana")
    Path("escucha.toml").write_text("", encoding="utf-8")
    assert "which by escucha.toml takes nothing" in " ".join(erp("status").stdout.split())
    assert "not in the settings" in erp("crm", "list").stdout


def test_without_any(escucha: Run) -> None:
    Path("escucha.toml").write_text("", encoding="utf-8")
    assert "names no CRM" in escucha("crm", "list").stdout
    assert escucha("crm", "push").exit_code == 0
    assert escucha("crm", "deliveries").stdout == "No CRM was to be told anything.\n"


@pytest.mark.parametrize("kind", connectors.crms())
def test_the_page_tells_every_key_of_each_kind(kind: str) -> None:
    page = (Path(connectors.__file__).parents[1] / "docs" / "crm.md").read_text(encoding="utf-8")
    table = page.partition(f"| key of `{kind}` |")[2].partition("\n\n")[0]
    told = {key: (default.strip("`"), meaning) for key, default, meaning in ROW.findall(table)}
    there = {}
    for key, field in connectors.load_crm(kind).Settings.model_fields.items():
        none = field.is_required() or field.default is None
        there[key] = ("–" if none else written(field.default), field.description)
    assert told == there


def written(default: Any) -> str:
    if isinstance(default, timedelta):
        return f'"{default.total_seconds() / 60:.0f}m"'
    return json.dumps(default)
