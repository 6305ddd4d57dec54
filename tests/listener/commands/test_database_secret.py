"""A password in the database's url, wherever in it: no command shows it, be the database there or away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from sqlalchemy.engine import make_url

from listener import store as stores
from listener.errors import Outage
from tests import databases

Run = Callable[..., Result]

SETTINGS = '[brand]\nname = "marca"\nterms = ["@marca"]\n'
AWAY = "postgresql://eva@127.0.0.1:1/x"
SECRET = "hunter2hunter2"
WAYS = ("password", "sslpassword", "PASSWORD")


def bearing(url: str, name: str = "password") -> str:
    return f"{url}{'&' if '?' in url else '?'}{name}={SECRET}"


@pytest.mark.parametrize("command", ["status", "doctor", "config show", "db check", "inbox", "status --json"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "away"])
def test_no_command_shows_it(escucha: Run, monkeypatch: pytest.MonkeyPatch, command: str, there: bool) -> None:
    with open("escucha.toml", "w", encoding="utf-8") as file:
        file.write(SETTINGS)
    with databases.one() as url:
        monkeypatch.setenv("ESCUCHA_DATABASE__URL", bearing(url if there else AWAY))
        monkeypatch.setattr("listener.log.hide", lambda _: None)  # what hides words in the log is not what is asked
        told = escucha(*command.split())
    assert told.output
    assert SECRET not in told.output


@pytest.mark.parametrize("name", WAYS)
def test_where_a_database_is_said_and_told_apart_by_no_secret(name: str) -> None:
    url = make_url(bearing(f"{AWAY}?application_name=a", name))
    assert stores.named(url) == f"{AWAY}?application_name=a"
    assert stores.named(make_url(AWAY.replace("eva", f"eva:{SECRET}"))) == AWAY


def test_a_database_that_is_away_says_no_secret() -> None:
    opened, plain = stores.connect(bearing(AWAY)), stores.connect(AWAY)
    assert opened.mark == plain.mark
    with pytest.raises(Outage) as away, opened.read():
        pass
    assert AWAY.partition("//")[2] in str(away.value)
    assert SECRET not in str(away.value)
    opened.close()
    plain.close()
