"""What is printed: safe whatever came from outside, narrow enough, and the same JSON every time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr
from rich.cells import cell_len
from rich.text import Text

from listener.commands import output
from listener.escapes import visible

HOSTILE = "[red]x[/red] \x1b[31m\x1b]0;owned\x07 \u202egnp.exe pay\u200bpal :boom: https://x.example\nsecond line"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    name: str
    at: datetime


class Login(BaseModel):
    user: str
    token: SecretStr
    empty: SecretStr = SecretStr("")


def printed(action: Callable[[], None], *, color: bool = False) -> str:
    @click.command()
    def command() -> None:
        action()

    result = CliRunner().invoke(command, catch_exceptions=False, color=color)
    assert result.exit_code == 0
    return result.stdout


def safe(text: str) -> None:
    assert not set(text) & set("\x1b\x07\u202e\u200b"), repr(text)


# --- for programs ---


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (Colour.RED, "red"),
        (datetime(2026, 3, 1, 14, 0, 0, 999, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T12:00:00Z"),
        (timedelta(minutes=1), 60),
        (timedelta(seconds=1.5), 1.5),
        (Path("a/b"), "a/b"),
        ({Colour.RED: (1, 2)}, {"red": [1, 2]}),
        (frozenset({"b", "a"}), ["a", "b"]),
        (Thing("x", NOW), {"name": "x", "at": "2026-03-01T12:00:00Z"}),
        (Login(user="u", token=SecretStr("hunter2")), {"user": "u", "token": "•••", "empty": ""}),
    ],
)
def test_every_value_has_one_json_form(value: Any, plain: Any) -> None:
    assert output.plain(value) == plain


def test_what_nobody_thought_of_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        output.plain(object())


@given(st.text(alphabet=st.characters(), max_size=50))
def test_json_is_the_same_text_and_commands_no_terminal(text: str) -> None:
    shown = printed(lambda: output.print_json({"text": text}))
    assert json.loads(shown) == {"text": text}
    safe(shown)
    assert "\x9b" not in shown


def test_json_keeps_letters_readable() -> None:
    assert "ñandú 日本" in printed(lambda: output.print_json(["ñandú 日本"]))


# --- for people ---


def test_nothing_from_outside_is_markup_or_command() -> None:
    def show() -> None:
        output.table(["name", "text"], [[HOSTILE, HOSTILE]], empty="none", wide="text")
        output.fields([("name", HOSTILE)])
        output.block(HOSTILE)
        output.say(HOSTILE)
        output.heading(HOSTILE)

    shown = printed(show)
    safe(shown)
    assert "[red]x[/red]" in shown
    assert ":boom:" in shown


@pytest.mark.parametrize("text", ["plain " * 40, "日本語" * 60, HOSTILE * 5, "x" * 300])
def test_tables_fit_eighty_columns_one_line_a_row(text: str) -> None:
    shown = printed(lambda: output.table(["id", "text", "when"], [[1, text, NOW]] * 3, empty="none", wide="text"))
    lines = shown.splitlines()
    assert len(lines) == 4
    assert all(cell_len(line) <= 80 for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_an_empty_table_says_so() -> None:
    assert printed(lambda: output.table(["id"], [], empty="Nothing waits.")) == "Nothing waits.\n"


def test_numbers_stand_to_the_right() -> None:
    assert printed(lambda: output.table(["n"], [[1], [10]], empty="")) == " N\n 1\n10\n"


def test_fields_leave_out_what_is_empty() -> None:
    shown = printed(lambda: output.fields([("a", 1), ("b", None), ("c", ""), ("d", ("x", "y")), ("e", False)]))
    assert shown.split() == ["a", "1", "d", "x,", "y", "e", "no"]


def test_say_keeps_lines() -> None:
    assert printed(lambda: output.say("a\nb\x1b")) == "a\nb\\x1b\n"


@pytest.mark.parametrize(
    ("text", "width", "clipped"),
    [
        ("short", 10, "short"),
        ("a\n b\tc", 10, "a b c"),
        ("abcdef", 4, "abc…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("\x1b[2J", 20, "\\x1b[2J"),
    ],
)
def test_clip(text: str, width: int, clipped: str) -> None:
    assert output.clip(text, width) == clipped


@given(st.text(max_size=80), st.integers(1, 40))
def test_clip_never_exceeds_its_width(text: str, width: int) -> None:
    clipped = output.clip(text, width)
    assert cell_len(clipped) <= width
    assert "\n" not in clipped


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (4, "just now"),
        (40, "40 s ago"),
        (185, "3 min ago"),
        (7300, "2 h ago"),
        (86400 * 1.5, "36 h ago"),
        (86400 * 5, "5 days ago"),
        (-185, "in 3 min"),
    ],
)
def test_ago(seconds: float, words: str) -> None:
    assert output.ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_ago_of_never_is_empty() -> None:
    assert output.ago(None, NOW) == ""


def test_some_failed_is_exit_code_three() -> None:
    @click.command()
    def command() -> None:
        raise output.SomeFailed("1 of 2 failed: \x1b.")

    result = CliRunner().invoke(command)
    assert result.exit_code == 3
    assert result.stderr == "1 of 2 failed: \\x1b.\n"
    assert result.stdout == ""


def test_json_option() -> None:
    @click.command()
    @output.json_option
    def command(as_json: bool) -> None:
        click.echo(as_json)

    assert CliRunner().invoke(command, ["--json"]).output == "True\n"
    assert CliRunner().invoke(command, []).output == "False\n"


def test_a_complaint_is_broken_between_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    url = "https://marca.example/" + "x" * 40
    told = f"The link {url} names a site that does not exist; mend that, or say --anyway.\n\n  and more"
    output.complain(told)
    assert capsys.readouterr().err == f"{told}\n", "as it is for programs"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    output.complain(told)
    said = capsys.readouterr().err
    assert said.split() == told.split()
    assert all(len(line) <= 40 for line in said.splitlines() if url not in line)
    assert "\n\n  and more" in said


@pytest.mark.parametrize("colours", [None, "1"], ids=["plain", "on a terminal"])
@given(
    parts=st.lists(st.tuples(st.text(st.characters(), max_size=30), st.sampled_from(["", "bold red", "dim"]))),
    style=st.sampled_from(["", "yellow"]),
    wraps=st.booleans(),
)
def test_a_line_looks_as_rich_would_draw_it(
    parts: list[tuple[str, str]], style: str, wraps: bool, colours: str | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        patch.setenv("FORCE_COLOR", colours) if colours else patch.delenv("FORCE_COLOR", raising=False)
        line = Text(style=style, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
        for words, how in parts:
            line.append(visible(words), how)
        drawn = printed(lambda: _by_rich(line), color=True)
        assert printed(lambda: output.show(line), color=True) == drawn


def _by_rich(line: Text) -> None:
    with output.console().capture() as captured:
        output.console().print(line)
    for each in captured.get().splitlines():
        click.echo(each.rstrip())


def test_the_width_that_is_asked_for_holds_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (40, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert printed(lambda: print(output.console().width)) == f"{columns}\n"
