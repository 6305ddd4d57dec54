"""Whoever only looks or decides, in another terminal or as another user, needs no network's secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Escucha = Callable[..., Result]

SETTINGS = """\
[brand]
name = "Marca"
terms = "marca OR #marca"

[accounts.red]
network = "reddit"
client_id = "abc"
username = "marca"

[accounts.x]
network = "x"

[accounts.sky]
network = "bluesky"
handle = "marca.bsky.social"

[[sources]]
name = "red"
account = "red"
query = "mentions"

[[sources]]
name = "x"
account = "x"
query = "mentions"

[[sources]]
name = "sky"
account = "sky"
query = "brand"
"""
NEEDED = (
    "ESCUCHA_ACCOUNTS__RED__CLIENT_SECRET",
    "ESCUCHA_ACCOUNTS__X__CONSUMER_KEY",
    "ESCUCHA_ACCOUNTS__X__BEARER_TOKEN",
    "ESCUCHA_ACCOUNTS__SKY__APP_PASSWORD",
)


@pytest.fixture(autouse=True)
def _settings(escucha: Escucha) -> None:
    Path("escucha.toml").write_text(SETTINGS, encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["inbox"],
        ["status"],
        ["source", "list"],
        ["source", "check"],
        ["source", "check", "--network", "x", "--query", "mentions"],
        ["policy", "check"],
        ["case", "list"],
        ["notice", "draft", "--title", "Fibra", "--text", "es=La fibra funciona otra vez."],
        ["pause"],
    ],
)
def test_looking_and_deciding_need_no_secrets(escucha: Escucha, command: list[str]) -> None:
    done = escucha(*command)
    assert done.exit_code == 0, done.output
    assert "a-stand-in" not in done.output


@pytest.mark.parametrize("command", [["run", "--once"], ["run"], ["doctor", "--offline"], ["doctor"]])
def test_what_connects_names_every_missing_variable(escucha: Escucha, command: list[str]) -> None:
    done = escucha(*command)
    assert done.exit_code == 2, done.output
    said = "".join(done.output.split())
    assert [name for name in NEEDED if name not in said] == []


@pytest.mark.parametrize(("source", "needed"), [("red", NEEDED[0]), ("x", NEEDED[1]), ("sky", NEEDED[3])])
def test_one_poll_names_what_its_own_account_lacks(escucha: Escucha, source: str, needed: str) -> None:
    done = escucha("source", "poll", source)
    assert done.exit_code == 2, done.output
    assert needed in done.stderr
    assert done.stderr.count("_FILE") == 1
    assert '"failures": 0' in escucha("source", "list", "--json").stdout


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('client_id = "abc"', 'client_ide = "abc"', "client_ide is not a setting of reddit; did you mean client_id?"),
        ('client_id = "abc"', 'client_id = "a c"', "accounts.red.client_id: this is no app's id"),
        ('username = "marca"', "", "accounts.red: developer is missing"),
        ('handle = "marca.bsky.social"', 'handle = "marca"', "accounts.sky.handle: give the whole handle"),
        ('network = "x"', 'network = "x"\nkeep_days = 900', "accounts.x.keep_days should be less than"),
    ],
)
def test_every_other_mistake_is_told_at_once(escucha: Escucha, right: str, wrong: str, said: str) -> None:
    Path("escucha.toml").write_text(SETTINGS.replace(right, wrong), encoding="utf-8")
    done = escucha("inbox")
    assert done.exit_code == 2, done.output
    assert said in done.stderr


def test_a_wrong_secret_is_told_at_once(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__X__BEARER_TOKEN", "to ken")
    done = escucha("inbox")
    assert done.exit_code == 2
    assert "it holds a blank" in done.stderr
    assert "to ken" not in done.output
