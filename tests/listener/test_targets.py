"""Whom of us an alert reaches: what may stand in `[alerts.NAME]`, and what is refused in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import connectors
from listener import config
from listener.config import Config
from listener.errors import ConfigProblem

BASE = '[accounts.box]\nnetwork = "sandbox"\nworld = "w.db"\n'
KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "escucha.toml"
    path.write_text(BASE + text, encoding="utf-8")
    return config.load(path, networks=connectors.available(), settings_of=lambda name: connectors.load(name).Settings)


def refused(tmp_path: Path, text: str) -> Sequence[str]:
    with pytest.raises(ConfigProblem) as raised:
        read(tmp_path, text)
    return raised.value.problems


def test_a_webhook_with_its_key_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(f"whsec_{KEY}\n", encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_ALERTS__OPS__SECRET_FILE", str(tmp_path / "key"))
    text = '[alerts.ops]\nwebhook = "https://hooks.example/t/0123456789abcdef"\nca_file = "ca.pem"\nhourly = 5\n'
    found = read(tmp_path, text)
    target = found.alerts["ops"]
    assert (target.key, target.hourly, target.place) == (b"secret-secret-secret", 5, "hooks.example")
    assert target.ca_file == tmp_path / "ca.pem"
    assert {f"whsec_{KEY}", "/t/0123456789abcdef"} <= set(found.secrets())


def test_people_by_mail_and_a_target_from_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCUCHA_ALERTS__NIGHT__WEBHOOK", "http://127.0.0.1:8080/x")
    monkeypatch.setenv("ESCUCHA_ALERTS__BOSS__MAIL", "ana@brand.example, luis@brand.example")
    found = read(tmp_path, '[alerts.boss]\naccount = "box"\n[alerts.empty]\n').alerts
    assert found["boss"].mail == ("ana@brand.example", "luis@brand.example")
    assert found["night"].webhook == "http://127.0.0.1:8080/x"
    assert found["empty"].place == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('webhook = "http://hooks.example/"', "webhook must begin with https://"),
        ('webhook = "ftp://localhost/"', "webhook must begin with https://"),
        ('webhook = "https://u:p@hooks.example/"', "webhook holds a login"),
        ('webhook = "https://hooks.example/#a"', "webhook holds a login or a #"),
        ('webhook = "https://"', "webhook is no address"),
        ('webhook = "https://x\\r\\nHost: y/"', "webhook is no address"),
        ('webhook = "https://x:port/"', "webhook is no address"),
        (f'webhook = "https://x.example/"\nsecret = "{KEY}"', "is a secret and must not stand in this file"),
        ('webhook = "https://x.example/"\nmail = ["a@b.example"]\naccount = "box"', "make two targets of it"),
        ('mail = ["a@b.example"]', "lacks `account`"),
        ('account = "box"', "has `account` and no `mail`"),
        ('mail = ["a@b.example"]\naccount = "bax"', "'bax' is no account; did you mean box?"),
        ('mail = ["a@b.example\\nBcc: c@d.example"]\naccount = "box"', "no mail address"),
        ('mail = ["Ana <a@b.example>"]\naccount = "box"', "no mail address"),
        ('webhok = "https://x.example/"', "webhok is not a setting; did you mean webhook?"),
        ('webhook = "https://x.example/"\nhourly = 0', "hourly should be greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = refused(tmp_path, f"[alerts.ops]\n{text}\n")
    assert problem.startswith("escucha.toml, line ")
    assert "alerts.ops" in problem
    assert said in problem
    assert "u:p" not in problem


def test_a_name_that_no_variable_can_bear_and_a_key_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no target's name" in refused(tmp_path, '[alerts."A b"]\nwebhook = "https://x.example/"\n')[0]
    monkeypatch.setenv("ESCUCHA_ALERTS__OPS__SECRET", "not base64 at all")
    (problem,) = refused(tmp_path, '[alerts.ops]\nwebhook = "https://x.example/"\n')
    assert problem.startswith("ESCUCHA_ALERTS__OPS__SECRET: alerts.ops.secret is no key of at least 16 bytes")
    assert "not base64" not in problem
    monkeypatch.setenv("ESCUCHA_ALERTS__OPS__SECRET", KEY)
    (problem,) = refused(tmp_path, '[alerts.opss]\nwebhook = "https://x.example/"\n')
    assert problem == "ESCUCHA_ALERTS__OPS__SECRET: there is no target ops; did you mean opss?"
