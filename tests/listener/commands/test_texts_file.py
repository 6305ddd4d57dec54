"""Files of texts as people have them, read as posts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener.commands import texts_file
from listener.errors import Mistake
from listener.types import PostKind

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, limit: int = 100) -> list[tuple[str, str]]:
    return [(post.text, post.author.handle) for post in texts_file.read(path, limit=limit, now=NOW)]


def test_a_text_is_a_post_that_named_us_just_now(tmp_path: Path) -> None:
    (post,) = texts_file.read(write(tmp_path / "a.txt", " hola \n"), limit=1, now=NOW)
    assert (post.text, post.author.handle, post.external_id) == ("hola", "someone", "1")
    assert (post.posted_at, post.kind) == (NOW, PostKind.MENTION)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,author\nSin señal,@ana\n,@x\nhola,\n"),
        ("a.csv", "author;text\n@ana;Sin señal\n;hola\n"),
        ("a.csv", "\ufefftext\thandle\r\nSin señal\t@ana\r\nhola\r\n"),
        ("a.csv", "sep=|\nhandle|text|\n@ana|Sin señal|\n|hola|\n"),
        ("a.CSV", '\n"text","author","handle"\n"Sin señal",,@ana\n\n"hola"\n'.encode("utf-16")),
        ("a.tsv", "text\tauthor\nSin señal\t@ana\n\t@x\nhola\t\n"),
        ("a.TAB", "id\tauthor\ttext\n1\t@ana\tSin señal\n2\t\thola\n".encode("utf-16")),
        ("a.tsv", "text;author\nSin señal;@ana\nhola;\n"),
        ("a.json", '[{"text": "Sin señal", "author": "@ana"},\n {"text": " "},\n {"text": "hola"}]\n'),
        ("a.JSON", '\n[\n{\n"handle": "@ana",\n"text": "Sin señal"\n},{"text": "hola"}]'.encode("utf-16")),
        ("a.json", '{"text": "Sin señal", "author": "@ana"}\n{"text": "hola"}\n'),
        ("a.jsonl", '{"text": "Sin señal", "author": "@ana"}\n\n{"text": " "}\n{"text": "hola", "handle": null}'),
        ("a.jsonl", '{"text": "Sin señal", "handle": "@ana"}\r\n{"text": "hola", "id": 2}\r\n'.encode("utf-16")),
    ],
)
def test_text_and_author_in_every_form(tmp_path: Path, name: str, content: str | bytes) -> None:
    path = write(tmp_path / name, content)
    assert read(path) == [("Sin señal", "@ana"), ("hola", "someone")]
    assert read(path, limit=1) == [("Sin señal", "@ana")]


def test_an_author_goes_before_a_handle(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,handle,author\nhola,@luis,@ana\nadiós,7,\n")
    assert read(path) == [("hola", "@ana"), ("adiós", "7")]
    path = write(tmp_path / "a.jsonl", '{"text": "hola", "author": 7, "handle": "@luis"}\n')
    assert read(path) == [("hola", "7")]


@pytest.mark.parametrize("name", ["a.tsv", "a.tab"])
def test_commas_divide_no_text_where_tabs_do(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "text\nHola, ¿qué tal?; bien | mal\nadiós\n")
    assert read(path) == [("Hola, ¿qué tal?; bien | mal", "someone"), ("adiós", "someone")]
    path = write(tmp_path / name, "text\thandle\nHola, ¿qué, tal?\t@ana\n")
    assert read(path) == [("Hola, ¿qué, tal?", "@ana")]


def test_windows_1252_is_read_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read(write(tmp_path / "a.csv", "text\nSin señal\n".encode("cp1252"))) == [("Sin señal", "someone")]
    assert (
        "a.csv is not UTF-8; it was read as Windows-1252: check that the accents are right." in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "text\nHola, ¿qué tal?\n", "a.csv, line 2: this is not CSV (it has 2 cells under 1 column); put its"),
        ("a.csv", 'text\n"a "b" c"\n', "a.csv, line 2: this is not CSV (a quote inside a quoted cell is not doubled)"),
        ("a.csv", 'text\n"a\nb\n', "a.csv, line 2: this is not CSV (a quote opens in it and never closes)"),
        ("a.csv", f"text\na\n{'b' * 2_000_000}\n", "a.csv, line 3: this is not CSV (it is longer than 1,000,000 char"),
        ("a.csv", f"id,text\n{'b' * 200_000},a\n", "a.csv, line 2: this is not CSV (a cell is longer than 131,072 ch"),
        ("a.csv", "text\nseñor, ñu".encode() + b"\xff\n", "a.csv, line 2: this is not CSV (it h"),
        ("a.csv", "Body,Author\na,b\n", "a.csv needs a column `text` in its first line; it has: Body, Author."),
        ("a.csv", "", "a.csv needs a column `text` in its first line; it has: none."),
        ("a.csv", b"PK\x03\x04rest", "a.csv is a workbook or an archive, no text; save it as CSV (UTF-8)."),
        ("a.tsv", "Body\tAuthor\na\tb\n", "a.tsv needs a column `text` in its first line; it has: Body, Author."),
        ("a.tab", "text\tid\na\tb\tc\n", "a.tab, line 2: this is not TSV (it has 3 cells under 2 columns); put its"),
        ("a.json", "text\nhola\n", "a.json is not JSON; write an array of objects with a key `text`, or one such"),
        ("a.json", '["hola"]', "a.json, line 1: it is no object with keys; write an object with a key `text`."),
        ("a.json", '[{"text": "a"},\n{"text": 7}]', "a.json, line 2: write an object with a key `text`."),
        (
            "a.json",
            '[{"text": "a"},\n{"text": ',
            "a.json, line 2: it is not JSON, and what follows it was not read; ",
        ),
        ("a.json", '{\n"text": "a"}', "a.json, line 1: this is not JSON (Expecting property name"),
        ("a.json", "", "a.json is empty"),
        (
            "a.jsonl",
            'oops\n{"text": "a"}',
            "a.jsonl, line 1: this is not JSON (Expecting value: column 1); write an ob",
        ),
        ("a.jsonl", '{"text": "a"}\n["b"]\n', "a.jsonl, line 2: it is no object with keys; write an object with a key"),
        ("a.jsonl", '{"text": 7}\n', "a.jsonl, line 1: write an object with a key `text`."),
        (
            "a.jsonl",
            f'{{"text": "{"b" * 2_000_000}"}}\n',
            "a.jsonl, line 1: it is longer than 1,000,000 characters; wr",
        ),
        ("a.txt", f"a\n{'b' * 2_000_000}\n", "a.txt, line 2: it is longer than 1,000,000 characters; write one text a"),
        ("a.txt", "señal".encode("cp1252"), "a.txt is not UTF-8 text; save it as UTF-8."),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(Mistake) as told:
        read(write(tmp_path / name, content))
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.jsonl", "a.json"])
def test_no_file_or_a_folder_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(Mistake, match=f"There is no file .*{name}"):
        read(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(Mistake, match=f"{name} (is not a file|cannot be read)"):
        read(tmp_path / name)


def test_an_empty_file_of_lines_holds_no_texts(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.txt", "")) == []
    assert read(write(tmp_path / "a.jsonl", "\n")) == []


def test_what_stands_after_the_last_text_wanted_is_not_judged(tmp_path: Path) -> None:
    row = json.dumps({"text": "a"})
    assert read(write(tmp_path / "a.jsonl", f"{row}\n{{oops\n"), limit=1) == [("a", "someone")]
    assert read(write(tmp_path / "a.csv", 'text\na\n"b\n'), limit=1) == [("a", "someone")]
