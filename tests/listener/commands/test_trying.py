"""try: a hashtag, a link or a file, all the way to the decision, with nothing stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result

from tests.servers.mastodon import TOKEN, MastodonServer

Escucha = Callable[..., Result]
HOSTILE = "sin señal \u202e[red]x[/red] #marca"


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        yield running


def told(done: Result) -> Any:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_hashtag_without_any_settings(escucha: Escucha, server: MastodonServer) -> None:
    server.person("ana").post(HOSTILE)
    server.person("eva").post("la factura está mal #marca")
    found = told(escucha("try", f"#marca@{server.url}", "--json"))
    assert [post["post"]["author"]["handle"] for post in found["posts"]] == ["eva", "ana"]
    assert found["posts"][0]["understanding"]["intents"] == ["complaint"]
    assert found["posts"][0]["decision"]["rules"]
    assert "raw" not in found["posts"][0]["post"]
    assert found["model_version"] == "steady"
    assert list(Path().iterdir()) == []


def test_it_reads_well(escucha: Escucha, server: MastodonServer) -> None:
    server.person("ana").post(HOSTILE)
    done = escucha("try", f"#marca@{server.url}")
    assert done.exit_code == 0, done.output
    assert "[red]x[/red]" in done.stdout
    assert "\\u202e" in done.stdout
    assert "\u202e" not in done.stdout
    assert "es, negative 97%, complaint 95%" in done.stdout
    assert "1 heard" in done.stdout
    assert "Nothing was stored or sent" in done.stdout


def test_a_link_to_a_post(escucha: Escucha, server: MastodonServer) -> None:
    number = server.person("ana").post("la factura está mal @marca")
    found = told(escucha("try", f"{server.url}/@ana/{number}", "--json"))
    assert [post["post"]["external_id"] for post in found["posts"]] == [f"{urlsplit(server.url).netloc}/{number}"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("/@ana", "is no link to a post"),
        ("/@ana/424242", "shows no such post"),
    ],
)
def test_a_link_to_nothing(escucha: Escucha, server: MastodonServer, what: str, said: str) -> None:
    done = escucha("try", f"{server.url}{what}")
    assert done.exit_code == 2
    assert said in done.stderr


def test_our_own_account_is_used_where_the_settings_have_one(
    escucha: Escucha, server: MastodonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("escucha.toml").write_text(
        f'[cases]\nprefix = "MA"\n[accounts.care]\nnetwork = "mastodon"\ninstance = "{server.url}"\n', encoding="utf-8"
    )
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN", TOKEN)
    server.person("ana").post("mal #marca")
    assert len(told(escucha("try", f"#marca@{server.url}", "--json"))["posts"]) == 1
    assert any(TOKEN in seen.headers.get("authorization", "") for seen in server.requests)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "uno\n\n  dos  \n"),
        ("a.csv", "id,text,author\n1,uno,@ana\n2,,@x\n3,dos,@eva\n"),
        ("a.tsv", "id\ttext\tauthor\n1\tuno\t@ana\n2\t\t@x\n3\tdos\t@eva\n"),
        ("a.json", '[{"text": "uno"}, {"text": "dos"}]'),
        ("a.jsonl", '{"text": "uno"}\n\n{"text": "dos", "author": "@eva"}\n'),
        ("a.TXT", "\ufeffuno\r\ndos\r\n"),
        ("no-ending", "uno\ndos\n"),
    ],
)
def test_a_file_of_texts(escucha: Escucha, name: str, content: str) -> None:
    Path(name).write_text(content, encoding="utf-8", newline="")
    found = told(escucha("try", name, "--json"))
    assert [post["post"]["text"] for post in found["posts"]] == ["uno", "dos"]
    assert len(told(escucha("try", name, "--json", "--limit", "1"))["posts"]) == 1
    assert [path.name for path in Path().iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"id,body\n1,x\n", "needs a column `text`"),
        ("a.csv", b"", "needs a column `text`"),
        ("a.jsonl", b'{"text": "x"}\n{oops\n', "a.jsonl, line 2: this is not JSON"),
        ("a.jsonl", b"[" * 100000, "a.jsonl, line 1: this is not JSON"),
        ("a.jsonl", b'{"body": "x"}', "a.jsonl, line 1: write an object with a key `text`"),
        ("a.txt", b"\xff\xfe\x00", "is not UTF-8"),
        ("none.txt", None, "There is no file none.txt"),
        ("two words", None, "is no hashtag"),
    ],
)
def test_what_cannot_be_tried_is_told(escucha: Escucha, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    done = escucha("try", name)
    assert done.exit_code == 2, done.output
    assert said in done.stderr


def test_a_huge_cell_is_told(escucha: Escucha) -> None:
    Path("a.csv").write_text('text\n"' + "x" * 200000 + '"\n', encoding="utf-8")
    done = escucha("try", "a.csv")
    assert done.exit_code == 2
    assert "this is not CSV" in done.stderr


def test_a_server_that_is_away_is_an_outage(escucha: Escucha) -> None:
    done = escucha("try", "#marca@http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert len(done.stderr.splitlines()) == 1


def test_a_server_over_plain_http_is_refused(escucha: Escucha) -> None:
    done = escucha("try", "#marca@http://mastodon.example")
    assert done.exit_code == 2
    assert "https" in done.stderr


@pytest.mark.parametrize("module", ["sqlite3"])
def test_no_database_driver_is_even_opened(escucha: Escucha, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a database was opened")

    monkeypatch.setattr(sys.modules.get(module) or __import__(module), "connect", refuse)
    Path("a.txt").write_text("uno", encoding="utf-8")
    assert escucha("try", "a.txt").exit_code == 0


def test_a_server_that_cannot_be_reached_is_told_with_the_next_step(escucha: Callable[..., Result]) -> None:
    done = escucha("try", "#marca@http://127.0.0.1:9")
    assert done.exit_code == 1, done.output
    assert "Check the address and your connection" in " ".join(done.stderr.split())
