"""source add, list, check, poll, pause, resume: against a server on loopback and a real database."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox_world import Fault, World
from listener.commands import settings_file
from listener.errors import Mistake
from tests.servers.mastodon import TOKEN, MastodonServer

Escucha = Callable[..., Result]

START = """\
# ours, with care
[brand]
name = "Marca"   # as people write it

[accounts.play]
network = "sandbox"
world = "play.db"

# what we hear
[[sources]]
name = "play"
account = "play"
query = "#marca"   # keep
"""


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        yield running


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "play.db")
    yield world
    world.close()


@pytest.fixture(autouse=True)
def _settings(escucha: Escucha) -> None:
    Path("escucha.toml").write_text(START, encoding="utf-8")


def written() -> Any:
    return tomlkit.parse(Path("escucha.toml").read_text(encoding="utf-8")).unwrap()


def told(done: Result) -> Any:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# --- add ---


def test_add_tries_and_then_writes_keeping_everything(escucha: Escucha, server: MastodonServer) -> None:
    server.person("ana").post("sin señal \x1b[31m #marca")
    Path("escucha.toml").chmod(0o600)
    done = escucha("source", "add", "mastodon", "--set", f"instance={server.url}", "--query", "#marca", "--yes")
    assert done.exit_code == 0, done.output
    assert "reading without an account" in done.stdout
    assert "Heard 1 post" in done.stdout
    assert "\x1b" not in done.output
    assert written()["accounts"]["mastodon"] == {"network": "mastodon", "instance": server.url}
    assert written()["sources"][1] == {
        "name": "tag-marca", "account": "mastodon", "query": "#marca", "every": "60s",
    }  # fmt: skip
    now = Path("escucha.toml").read_text(encoding="utf-8").splitlines()
    assert [line for line in START.splitlines() if line not in now] == []
    assert stat.S_IMODE(Path("escucha.toml").stat().st_mode) == 0o600
    assert [path.name for path in Path().iterdir() if path.name.startswith(".escucha")] == []


def test_add_asks_and_never_writes_a_secret(escucha: Escucha, server: MastodonServer) -> None:
    answers = f"{server.url}\n{TOKEN}\nmentions\n"
    done = escucha("source", "add", "mastodon", "--account", "care", input=answers)
    assert done.exit_code == 0, done.output
    assert "Where: On your server: Preferences" in " ".join(done.stdout.split())
    assert "Connected as marca" in done.stdout
    assert "ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN_FILE" in done.stdout
    assert TOKEN not in done.output
    assert TOKEN not in Path("escucha.toml").read_text(encoding="utf-8")


def test_add_takes_a_secret_from_the_environment(
    escucha: Escucha, server: MastodonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN", TOKEN)
    settings = ["--account", "care", "--set", f"instance={server.url}", "--query", "mentions"]
    done = escucha("source", "add", "mastodon", *settings, "--yes")
    assert done.exit_code == 0, done.output
    assert "Connected as marca" in done.stdout


def test_add_to_an_account_that_is_there(escucha: Escucha, world: World) -> None:
    done = escucha("source", "add", "sandbox", "--account", "play", "--query", "mentions", "--yes")
    assert done.exit_code == 0, done.output
    assert list(written()["accounts"]) == ["play"]
    assert [source["name"] for source in written()["sources"]] == ["play", "mentions"]


PUBLIC = """
[accounts.public]
network = "mastodon"
instance = "{url}"
"""


def test_add_uses_the_account_there_is_and_asks_for_its_token(escucha: Escucha, server: MastodonServer) -> None:
    Path("escucha.toml").write_text(START + PUBLIC.format(url=server.url), encoding="utf-8")
    done = escucha("source", "add", "mastodon", input=f"{TOKEN}\nmention\n\n")
    assert done.exit_code == 0, done.output
    assert "What to listen to: mentions, a #hashtag, or terms to search for [mentions]" in done.stdout
    assert "did you mean mentions?" in done.output
    assert "Connected as marca" in done.stdout
    assert "ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN " in done.stdout
    assert list(written()["accounts"]) == ["play", "public"]
    assert written()["sources"][1] == {"name": "mentions", "account": "public", "query": "mentions", "every": "60s"}
    assert TOKEN not in done.output + Path("escucha.toml").read_text(encoding="utf-8")


def test_add_asks_which_of_several_accounts(escucha: Escucha, server: MastodonServer) -> None:
    two = PUBLIC + PUBLIC.replace("public", "second")
    Path("escucha.toml").write_text(START + two.format(url=server.url), encoding="utf-8")
    refused = escucha("source", "add", "mastodon", "--query", "#a", "--yes")
    assert refused.exit_code == 2
    assert "name one with --account: public, second" in refused.stderr
    done = escucha("source", "add", "mastodon", "--query", "#a", input="third\nsecond\n\n")
    assert done.exit_code == 0, done.output
    assert written()["sources"][1]["account"] == "second"


def test_add_asks_again_after_a_wrong_answer(escucha: Escucha, server: MastodonServer) -> None:
    done = escucha("source", "add", "mastodon", "--query", "#a", input=f"ftp://x\n{server.url}\nto ken\n\n")
    assert done.exit_code == 0, done.output
    assert "Give the server's address" in done.output
    assert "holds a blank" in done.output
    assert written()["accounts"]["mastodon"]["instance"] == server.url


@pytest.mark.parametrize("command", [["source", "check", "ours"], ["source", "poll", "ours"], ["doctor"]])
def test_a_missing_token_is_named_by_its_variable(escucha: Escucha, server: MastodonServer, command: list[str]) -> None:
    ours = '[[sources]]\nname = "ours"\naccount = "public"\nquery = "mentions"\n'
    Path("escucha.toml").write_text(START + ours + PUBLIC.format(url=server.url), encoding="utf-8")
    said = " ".join(escucha(*command).output.split())
    assert "access_token is missing" in said
    assert "set ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN or ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN_FILE" in said


def test_add_names_the_variable_of_a_missing_token(escucha: Escucha, server: MastodonServer) -> None:
    Path("escucha.toml").write_text(START + PUBLIC.format(url=server.url), encoding="utf-8")
    done = escucha("source", "add", "mastodon", "--query", "mentions", "--yes")
    assert done.exit_code == 2
    assert "set ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN or" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["mastodn"], "did you mean 'mastodon'?"),
        (
            ["mastodon", "--yes"],
            "mastodon needs instance (Address of the server, such as https://mastodon.social): --set",
        ),
        (["mastodon", "--yes", "--set", "instance"], "has no value"),
        (["mastodon", "--yes", "--set", "access_token=x"], "set ESCUCHA_ACCOUNTS__MASTODON__ACCESS_TOKEN instead"),
        (["mastodon", "--yes", "--set", "instnce=x"], "instnce is no setting of this network"),
        (["mastodon", "--yes", "--set", "instance=ftp://x", "--query", "#a"], "give the server's address"),
        (
            ["sandbox", "--account", "play", "--yes", "--name", "play"],
            "There is a source play already, which listens to #marca",
        ),
        (["sandbox", "--account", "play", "--yes", "--query", "#marca", "--name", "play"], "is listened to already"),
        (["sandbox", "--account", "plya", "--yes", "--query", "#a"], "no account 'plya'; did you mean play?"),
        (["mastodon", "--yes", "--set", "instance=https://x.example", "--query", "mention"], "did you mean mentions?"),
        (["sandbox", "--account", "play", "--yes", "--set", "handle=@x"], "is there already"),
        (["sandbox", "--account", "play", "--yes", "--every", "soon", "--query", "#a"], "is not a duration"),
        (["mastodon", "--account", "play", "--yes", "--query", "#a"], "is on sandbox"),
        (["sandbox", "--account", "Bad-Name", "--yes", "--query", "#a"], "is no account name"),
    ],
)
def test_add_refuses_in_one_sentence_and_writes_nothing(escucha: Escucha, args: list[str], said: str) -> None:
    done = escucha("source", "add", *args)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert Path("escucha.toml").read_text(encoding="utf-8") == START


def test_add_writes_nothing_when_the_network_refuses(escucha: Escucha, server: MastodonServer) -> None:
    args = ["--set", f"instance={server.url}", "--query", "#marca", "--yes"]
    server.fail("GET /api/v1/timelines", "401", times=9)
    done = escucha("source", "add", "mastodon", *args)
    assert done.exit_code == 1, done.output
    assert "Nothing was written" in done.stderr
    assert Path("escucha.toml").read_text(encoding="utf-8") == START
    assert escucha("source", "add", "mastodon", *args, "--no-try").exit_code == 0


def test_add_without_settings_names_the_next_step(escucha: Escucha) -> None:
    Path("escucha.toml").unlink()
    done = escucha("source", "add", "sandbox", "--yes")
    assert done.exit_code == 2
    assert "escucha init" in done.stderr


# --- the file ---


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[brand]\nname = 'x'\n",
        "sources = []\n[brand]\n",
        'sources = [{name = "a", account = "b"}]\n[accounts]\nb = {network = "sandbox"}\n',
        '[accounts.b]\nnetwork = "x"\n[daemon]\ntick = "1s"\n[accounts.c]\nnetwork = "x"\n',
        'accounts.b.network = "x"\n',
        "# crlf\r\n[brand]\r\nname = 'x'\r\n",
    ],
)
def test_adding_to_any_shape_keeps_what_was_there(text: str) -> None:
    before = tomlkit.parse(text).unwrap()
    entry = {"name": "new", "account": "n", "query": "#x", "every": "60s"}
    after = settings_file.with_source(text, account="n", account_settings={"network": "sandbox"}, source=entry)
    found = tomlkit.parse(after).unwrap()
    assert found["sources"] == [*before.get("sources", []), entry]
    assert found["accounts"] == {**before.get("accounts", {}), "n": {"network": "sandbox"}}
    assert {key: value for key, value in found.items() if key not in ("accounts", "sources")} == {
        key: value for key, value in before.items() if key not in ("accounts", "sources")
    }


@pytest.mark.parametrize("text", ["sources = 5\n", "[sources]\na = 1\n", "x = \n"])
def test_what_cannot_be_added_to_is_told(text: str) -> None:
    with pytest.raises(Mistake, match="mend"):
        settings_file.with_source(text, account="n", account_settings=None, source={"name": "a"})


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_quoted_is_toml(text: str) -> None:
    assert tomlkit.parse(f"x = {settings_file.quoted(text)}").unwrap() == {"x": text}


def test_a_link_to_the_settings_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("a = 1\n", encoding="utf-8")
    os.symlink(tmp_path / "real.toml", tmp_path / "link.toml")
    settings_file.write(tmp_path / "link.toml", "a = 2\n")
    assert (tmp_path / "link.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text(encoding="utf-8") == "a = 2\n"


# --- list, check, poll, pause, resume ---


def test_poll_stores_what_is_new_once(escucha: Escucha, world: World) -> None:
    world.person("@ana").post("hola #marca")
    first = told(escucha("source", "poll", "play", "--json"))
    assert first == {"source": "play", "new": 1, "edited": 0, "repeated": 0, "gone": 0, "more": False}
    assert told(escucha("source", "poll", "play", "--json"))["new"] == 0
    assert "0 new" in escucha("source", "poll", "play").stdout


def test_list_tells_how_each_source_fares(escucha: Escucha, world: World) -> None:
    (new,) = told(escucha("source", "list", "--json"))
    assert (new["name"], new["network"], new["state"], new["mentions"]) == ("play", "sandbox", "new", 0)
    world.person("@ana").post("hola #marca")
    escucha("source", "poll", "play")
    (works,) = told(escucha("source", "list", "--json"))
    assert (works["state"], works["mentions"]) == ("well", 1)
    assert works["succeeded_at"].endswith("Z")
    shown = escucha("source", "list").stdout
    assert "well" in shown
    assert " well " in escucha("status").stdout, "one word for one state"
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_a_failed_poll_is_one_sentence_and_remembered(escucha: Escucha, world: World) -> None:
    world.fail("poll", Fault.UNAVAILABLE)
    done = escucha("source", "poll", "play")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    (fails,) = told(escucha("source", "list", "--json"))
    assert (fails["state"], fails["failures"]) == ("failing", 1)
    assert told(escucha("source", "check", "play", "--json"))["last_error"]


def test_pause_and_resume(escucha: Escucha, world: World) -> None:
    assert escucha("source", "pause", "play", "--reason", "too loud").exit_code == 0
    (paused,) = told(escucha("source", "list", "--json"))
    assert (paused["state"], paused["paused"]) == ("paused", "too loud")
    assert escucha("source", "resume", "play").exit_code == 0
    (again,) = told(escucha("source", "list", "--json"))
    assert again["paused"] is None


def test_check_explains_the_query(escucha: Escucha, world: World) -> None:
    found = told(escucha("source", "check", "play", "--json"))
    assert "#marca" in found["hears"]
    assert found["gaps"] == []
    assert "hears" in escucha("source", "check", "play").stdout


def test_check_without_a_name_tells_of_every_source_and_what_is_wrong(escucha: Escucha, world: World) -> None:
    wrong = '\n[[sources]]\nname = "wrong"\naccount = "play"\nquery = "fibra (corte"\n'
    Path("escucha.toml").write_text(START + wrong, encoding="utf-8")
    done = escucha("source", "check", "--json")
    assert done.exit_code == 3
    right, wrong_one = json.loads(done.stdout)
    assert right["terms"] == "#marca"
    assert wrong_one["problem"].startswith("Column 7: this ( is never closed")
    done = escucha("source", "check")
    assert done.exit_code == 3
    assert "never closed" in done.stdout


def test_check_points_at_the_place_of_a_mistake(escucha: Escucha, world: World) -> None:
    done = escucha(
        "source", "check", "--network", "sandbox", "--query", "電車 \x1b[31m" + "x " * 50 + "(corte " + "y " * 50
    )
    assert done.exit_code == 2
    line, caret, sentence = done.stderr.splitlines()
    assert line[caret.index("^")] == "("
    assert "\x1b" not in done.output
    assert sentence == "Column 109: this ( is never closed; add the ) that is missing."
    wide = escucha("source", "check", "--network", "sandbox", "--query", "電車 (").stderr.splitlines()
    assert wide[:2] == ["  電車 (", "       ^"]


def test_check_tells_which_texts_would_be_kept(escucha: Escucha, world: World) -> None:
    Path("said.csv").write_text("text,author\nVaya #MarcaMovil,ana\nhola,luis\n", encoding="utf-8")
    asked = ["--network", "sandbox", "--query", "marca lang:es -from:marca", "--try", "said.csv"]
    found = told(escucha("source", "check", *asked, "--text", "la MARCA", "--author", "marca", "--json"))
    assert found["terms"] == "marca lang:es -from:marca"
    assert [(each["text"], each["matches"]) for each in found["tried"]] == [
        ("la MARCA", False), ("Vaya #MarcaMovil", True), ("hola", False),
    ]  # fmt: skip
    shown = escucha("source", "check", *asked).stdout
    assert "1 of 2 texts would be kept." in shown
    assert "0 of 2 texts would be kept." in escucha("source", "check", *asked, "--language", "en").stdout
    everything = escucha("source", "check", "--network", "sandbox", "--query", "mentions", "--text", "hola")
    assert "there is nothing to match here" in everything.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--network", "sanbox", "--query", "a"], "did you mean sandbox?"),
        (["--network", "mastodon", "--query", "a"], "source add mastodon"),
        (["--network", "sandbox"], "both --network and --query"),
        (["play", "--query", "a"], "both --network and --query"),
        (["play", "--try", "missing.txt"], "no file missing.txt"),
    ],
)
def test_check_says_what_it_needs(escucha: Escucha, world: World, options: list[str], said: str) -> None:
    done = escucha("source", "check", *options)
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize("command", ["check", "poll", "pause", "resume"])
def test_an_unknown_source_is_guessed(escucha: Escucha, command: str) -> None:
    done = escucha("source", command, "plya")
    assert done.exit_code == 2
    assert "did you mean play?" in done.stderr


# --- every network, by answering questions ---


@pytest.mark.parametrize(
    ("network", "answers", "settings", "variables"),
    [
        (
            "reddit",
            ["abc123", "s3cret", "u/marca", "hunter2", "mentions"],
            {"client_id": "abc123", "username": "u/marca"},
            ["CLIENT_SECRET", "PASSWORD"],
        ),
        (
            "reddit",
            ["abc123", "s3cret", "", "ana_dev", "marca"],
            {"client_id": "abc123", "developer": "ana_dev"},
            ["CLIENT_SECRET"],
        ),
        (
            "bluesky",
            ["marca", "marca.bsky.social", "abcd-efgh", "mentions"],
            {"handle": "marca.bsky.social"},
            ["APP_PASSWORD"],
        ),
        ("bluesky", ["", "marca"], {}, []),
        ("x", ["", "bearer", "marca"], {}, ["BEARER_TOKEN"]),
        (
            "x",
            ["k", "ks", "t", "ts", "", "mentions"],
            {},
            ["CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET"],
        ),
        (
            "mail",
            ["care@brand.example", "imap.brand.example", "", "hunter2", "mentions"],
            {"address": "care@brand.example", "imap_host": "imap.brand.example"},
            ["PASSWORD"],
        ),
        (
            "mail",
            ["care@brand.example", "imap.brand.example", "smtp.brand.example", "hunter2", "mentions"],
            {"address": "care@brand.example", "imap_host": "imap.brand.example", "smtp_host": "smtp.brand.example"},
            ["PASSWORD"],
        ),
        ("mastodon", ["mastodon.example", "token", "mentions"], {"instance": "mastodon.example"}, ["ACCESS_TOKEN"]),
        ("feed", ["https://brand.example/feed.xml", "all"], {"url": "https://brand.example/feed.xml"}, []),
    ],
)
def test_answering_the_questions_writes_settings_that_work(
    escucha: Escucha, network: str, answers: list[str], settings: dict[str, str], variables: list[str]
) -> None:
    done = escucha("source", "add", network, "--no-try", input="\n".join([*answers, ""]))
    assert done.exit_code == 0, done.output
    assert written()["accounts"][network] == {"network": network, **settings}
    assert [name for name in variables if f"ESCUCHA_ACCOUNTS__{network.upper()}__{name} " not in done.stdout] == []
    assert "hunter2" not in done.output + Path("escucha.toml").read_text(encoding="utf-8")
    added = written()["sources"][1]["name"]
    checked = escucha("source", "check", added)
    assert checked.exit_code == 0, checked.output


def test_check_reads_brand_as_a_source_does(escucha: Escucha) -> None:
    refused = escucha("source", "check", "--network", "sandbox", "--query", "brand")
    assert refused.exit_code == 2
    assert "write terms = … under [brand]" in refused.stderr
    with_terms = START.replace("[accounts.play]", 'terms = "fibra OR corte"\n\n[accounts.play]')
    Path("escucha.toml").write_text(with_terms, encoding="utf-8")
    assert told(escucha("source", "check", "--network", "sandbox", "--query", "brand", "--json"))["terms"]
    found = told(escucha("source", "check", "--network", "sandbox", "--query", "{brand} hoy", "--json"))
    assert found["query"] == "(fibra OR corte) hoy"


def test_a_second_source_of_mentions_is_named_after_its_account(escucha: Escucha) -> None:
    assert escucha("source", "add", "sandbox", "--query", "mentions", "--yes", "--no-try").exit_code == 0
    args = ["mail", "--set", "address=a@b.example", "--set", "imap_host=imap.b.example", "--query", "mentions"]
    done = escucha("source", "add", *args, "--yes", "--no-try")
    assert done.exit_code == 0, done.output
    assert [each["name"] for each in written()["sources"]] == ["play", "mentions", "mail-mentions"]


def test_the_help_lists_a_networks_settings(escucha: Escucha) -> None:
    shown = " ".join(escucha("source", "add", "reddit", "--help").stdout.split())
    assert "client_id The id of your registered app (--set; required)" in shown
    assert "client_secret The secret of your registered app (secret, from the environment; required)" in shown
    assert "bluesky, feed, mail" in " ".join(escucha("source", "add", "--help").stdout.split())


@pytest.mark.parametrize(("called", "network"), [("rss", "feed"), ("Twitter", "x"), ("email", "mail")])
def test_a_network_is_known_by_its_other_names(escucha: Escucha, called: str, network: str) -> None:
    done = escucha("source", "add", called, "--yes")
    assert done.exit_code == 2
    assert f"did you mean '{network}'?" in done.stderr


def test_new_tables_stand_below_everything_with_a_blank_line_before_each() -> None:
    entry = {"name": "new", "account": "n", "query": "#x", "every": "60s"}
    after = settings_file.with_source(START, account="n", account_settings={"network": "sandbox"}, source=entry)
    assert after == START + (
        '\n[accounts.n]\nnetwork = "sandbox"\n\n[[sources]]\nname = "new"\naccount = "n"\nquery = "#x"\nevery = "60s"\n'
    )
