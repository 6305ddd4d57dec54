"""init, config show and doctor: from an empty folder to a checked installation."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from listener.commands import hashtag
from listener.commands.setup import filled, masked_url, source_name
from tests import databases
from tests.servers.mastodon import TOKEN, MastodonServer

Escucha = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        yield running


# --- init ---


def test_init_writes_a_file_that_works(escucha: Escucha) -> None:
    done = escucha("init", "--brand", 'Aerolínea "Sur"', "--listen", "#AeroSur@mas.to", "--language", "pt", "--yes")
    assert done.exit_code == 0, done.output
    assert "escucha doctor" in done.stdout
    told = json.loads(escucha("config", "show", "--json").stdout)
    assert told["brand"] == {"name": 'Aerolínea "Sur"', "handles": [], "languages": ["pt", "en"], "terms": ""}
    assert told["accounts"]["public"]["instance"] == "https://mas.to"
    assert told["sources"] == [{"name": "tag-aerosur", "account": "public", "query": "#AeroSur", "every": 60}]
    assert told["cases"]["prefix"] == "AE"


def test_init_asks_for_little(escucha: Escucha) -> None:
    done = escucha("init", input="Marca\n\n\n")
    assert done.exit_code == 0, done.output
    written = Path("escucha.toml").read_text(encoding="utf-8")
    assert tomllib.loads(written)["sources"][0]["query"] == "#marca"
    assert "#marca@mastodon.social" in done.output


def test_init_asks_again_after_a_wrong_answer(escucha: Escucha) -> None:
    done = escucha("init", input=" \nMarca\ntwo words\n#fibra@mas.to\nspanish\nen\n")
    assert done.exit_code == 0, done.output
    assert done.output.count("The company's name") == 2
    assert "'two words' is no hashtag" in done.output
    assert "'spanish' is no language code" in done.output
    written = tomllib.loads(Path("escucha.toml").read_text(encoding="utf-8"))
    assert (written["sources"][0]["query"], written["brand"]["languages"]) == ("#fibra", ["en", "es"])


def test_init_overwrites_only_when_told(escucha: Escucha) -> None:
    Path("escucha.toml").write_text("# mine\n", encoding="utf-8")
    refused = escucha("init", "--yes")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert Path("escucha.toml").read_text(encoding="utf-8") == "# mine\n"
    assert escucha("init", "--yes", "--force").exit_code == 0
    assert "# mine" not in Path("escucha.toml").read_text(encoding="utf-8")


def test_a_question_without_an_answer_stops(escucha: Escucha) -> None:
    done = escucha("init", input="")
    assert done.exit_code == 130
    assert done.stderr.endswith("Stopped.\n")
    assert not Path("escucha.toml").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--listen", "two words"], "is no hashtag"),
        (["--listen", "#a@b@c"], "is no hashtag"),
        (["--language", "spanish"], "use two letters"),
    ],
)
def test_init_refuses_in_one_sentence(escucha: Escucha, args: list[str], said: str) -> None:
    done = escucha("init", "--yes", *args)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not Path("escucha.toml").exists()


@given(brand=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_brand_gives_good_toml(brand: str) -> None:
    written = filled(brand=brand, wanted=hashtag.of_brand(brand), language="es")
    assert tomllib.loads(written)["brand"]["name"] == brand


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("#Marca", "tag-marca"),
        ("#Año_Nuevo", "tag-a-o-nuevo"),
        ("mentions", "mentions"),
        ("", "listen"),
        ("#日本", "tag-listen"),
    ],
)
def test_source_names(query: str, name: str) -> None:
    assert source_name(query) == name


@pytest.mark.parametrize(
    ("text", "tag", "instance"),
    [
        ("#marca", "marca", "https://mastodon.social"),
        ("marca@mas.to", "marca", "https://mas.to"),
        ("#Año2026@MAS.to", "Año2026", "https://mas.to"),
        ("#x@http://127.0.0.1:80", "x", "http://127.0.0.1:80"),
    ],
)
def test_hashtags(text: str, tag: str, instance: str) -> None:
    found = hashtag.read(text)
    assert (found.tag, found.instance) == (tag, instance)


# --- config show ---


def test_config_show_masks_secrets(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    escucha("init", "--brand", "Marca", "--yes")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN", "hunter2hunter2")
    monkeypatch.setenv("ESCUCHA_DATABASE__URL", "postgresql://u:hunter2pass@h:5432/db")
    for args in (["config", "show"], ["config", "show", "--json"]):
        done = escucha(*args)
        assert done.exit_code == 0, done.output
        assert "hunter2" not in done.output
        assert "postgresql://u:•••@h:5432/db" in done.stdout
    assert json.loads(done.stdout)["accounts"]["public"]["access_token"] == "•••"


def test_config_show_is_readable(escucha: Escucha) -> None:
    escucha("init", "--brand", "Marca [red]", "--yes")
    shown = escucha("config", "show").stdout
    assert "[accounts.public]" in shown
    assert "Marca [red]" in shown
    assert "60 s" in shown or "1 min" in shown


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql://u:p@h/db?x=1", "postgresql://u:•••@h/db?x=1"),
        ("postgresql://u@h/db?a=1&password=p&b=2", "postgresql://u@h/db?a=1&password=•••&b=2"),
        ("postgresql://u:p@h/db?sslPassword=p&%70assword=pq", "postgresql://u:•••@h/db?sslPassword=•••&%70assword=•••"),
        ("postgresql://[", "•••"),
    ],
)
def test_masked_url(url: str, masked: str) -> None:
    assert masked_url(url) == masked


# --- doctor ---


def settings(server: MastodonServer, *, query: str = "#marca") -> str:
    return f"""
[accounts.care]
network = "mastodon"
instance = "{server.url}"

[[sources]]
name = "heard"
account = "care"
query = "{query}"
"""


def checks(done: Result) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_doctor_finds_all_well(escucha: Escucha, server: MastodonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("escucha.toml").write_text(settings(server, query="mentions"), encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN", TOKEN)
    done = escucha("doctor", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["ok"] is True
    found = checks(done)
    assert list(found) == ["settings", "database", "model", "policy", "account care", "source heard"]
    assert "marca" in found["account care"]["detail"]
    assert not Path("escucha.db").exists()
    for_people = escucha("doctor")
    assert for_people.stdout.count("✓") == 6
    assert "escucha run" in for_people.stdout
    assert TOKEN not in for_people.output


def test_doctor_reads_without_an_account(escucha: Escucha, server: MastodonServer) -> None:
    server.person("ana").post("hola #marca")
    Path("escucha.toml").write_text(settings(server), encoding="utf-8")
    found = checks(escucha("doctor", "--json"))
    assert found["account care"]["detail"] == "mastodon: read without an account, 1 post just now"


def test_doctor_says_what_to_do_and_goes_on(
    escucha: Escucha, server: MastodonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("escucha.toml").write_text(settings(server, query="mentions"), encoding="utf-8")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN", "wrong-token")
    done = escucha("doctor", "--json")
    found = checks(done)
    assert done.exit_code == 3
    assert found["account care"]["ok"] is False
    assert "Renew the credentials" in found["account care"]["next_step"]
    assert found["source heard"]["ok"] is True
    assert "✗" in escucha("doctor").stdout


def test_doctor_offline_asks_no_network(escucha: Escucha, server: MastodonServer) -> None:
    Path("escucha.toml").write_text(settings(server), encoding="utf-8")
    done = escucha("doctor", "--offline", "--json")
    assert done.exit_code == 0
    assert checks(done)["account care"]["ok"] is None
    assert server.requests == []


def test_doctor_says_what_a_person_must_arrange(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = "".join(
        f"""
[accounts.{name}]
network = "reddit"
client_id = "app"
developer = "somebody"
"""
        for name in ("here", "there")
    )
    Path("escucha.toml").write_text(accounts, encoding="utf-8")
    for name in ("HERE", "THERE"):
        monkeypatch.setenv(f"ESCUCHA_ACCOUNTS__{name}__CLIENT_SECRET", "secret")
    done = escucha("doctor", "--offline", "--json")
    advice = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "advice reddit"]
    assert len(advice) == 1, "once, however many accounts there are"
    assert advice[0]["ok"] is None, "nothing is wrong with it"
    assert "approved" in advice[0]["detail"]
    assert "advice reddit" in escucha("doctor", "--offline").stdout


def test_doctor_shows_every_problem_of_the_settings(escucha: Escucha) -> None:
    Path("escucha.toml").write_text("[brand]\nnmae = 1\n[wheel]\n", encoding="utf-8")
    done = escucha("doctor")
    assert done.exit_code == 2
    shown = " ".join(done.stdout.split())
    assert "did you mean name?" in shown
    assert "wheel is not a setting" in shown


def test_doctor_without_settings(escucha: Escucha) -> None:
    done = escucha("doctor")
    assert done.exit_code == 2
    assert "escucha init" in done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_doctor_needs_a_folder_it_can_write(escucha: Escucha, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    Path("escucha.toml").write_text('[database]\nurl = "sqlite:///closed/x.db"', encoding="utf-8")
    assert checks(escucha("doctor", "--offline", "--json"))["database"]["ok"] is False


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///none/x.db", "does not exist"),
        ("mysql://h/db", "knows sqlite and postgresql"),
        ("sqlite:///escucha.toml", "is no usable database"),
    ],
)
def test_doctor_on_a_database_that_cannot_be(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.delenv(databases.SETTING, raising=False)
    Path("escucha.toml").write_text(f'[database]\nurl = "{url}"\n', encoding="utf-8")
    done = escucha("doctor", "--offline", "--json")
    assert done.exit_code == 2
    found = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "database"]
    assert any(said in check["detail"] for check in found), found


@pytest.mark.usefixtures("no_tables")
def test_doctor_knows_an_old_database(escucha: Escucha, tmp_path: Path) -> None:
    escucha("init", "--yes")
    databases.edit(tmp_path, "CREATE TABLE alembic_version (version_num TEXT)")
    databases.edit(tmp_path, "INSERT INTO alembic_version VALUES ('0000')")
    found = checks(escucha("doctor", "--offline", "--json"))["database"]
    assert found["ok"] is False
    assert "escucha db upgrade" in found["next_step"]


def test_doctor_reports_a_bad_policy(escucha: Escucha) -> None:
    Path("escucha.toml").write_text('[policy]\nfile = "none.yaml"\n', encoding="utf-8")
    found = checks(escucha("doctor", "--offline", "--json"))
    assert found["policy"]["ok"] is False
    assert "none.yaml" in found["policy"]["detail"]
