"""The documents tell the truth: every command in them exists, every command that exists is in them.

`python -m tests.test_docs` writes docs/commands.md again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import cli
from listener.commands.permitted import PERMITTED

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REFERENCE = ROOT / "docs" / "commands.md"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, in the order of `--help`."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def reference() -> str:
    """docs/commands.md as it must be."""
    lines = [
        "# Every command",
        "",
        "`escucha COMMAND --help` says the same. Exit codes: 0 done; 1 a bug or an outage; 2 the person must change",
        "something, said in one sentence with the next step; 3 some of several things failed, each named.",
        "",
    ]
    for path, command in commands(cli.escucha):
        context = click.Context(command, info_name=" ".join(("escucha", *path)))
        usage = command.get_usage(context).removeprefix("Usage: ")
        lines += [f"## escucha {' '.join(path)}", "", "```", re.sub(r"\s+", " ", usage), "```", ""]
        lines += [re.sub(r"[ \t]*\n[ \t]*", "\n", (command.help or "").replace("\b\n", "").strip()), ""]
        for parameter in command.params:
            record = parameter.get_help_record(context)
            if record and "--help" not in record[0]:
                words = " ".join(record[1].split())
                lines.append(f"- `{record[0]}` {words}".rstrip())
        if lines[-1]:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def test_the_reference_is_what_the_commands_say() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "run: python -m tests.test_docs"


def test_every_command_says_who_may() -> None:
    assert {" ".join(path) for path, _ in commands(cli.escucha)} == set(PERMITTED)


def written() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        spans = re.findall(r"`(escucha [^`\n]+)`", text)
        blocks = re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
        for call in [*spans, *(line for line in lines if line.startswith("escucha "))]:
            yield page.name, call


@pytest.mark.parametrize(("page", "call"), sorted(set(written())), ids=lambda value: value[:60])
def test_a_command_in_the_documents_exists(page: str, call: str) -> None:
    words = shlex.split(call.replace("…", "").replace("...", ""), comments=True)[1:]
    if words and words[0] == "--config":
        words = words[2:]
    known = {path: command for path, command in commands(cli.escucha)}
    groups = {path[:1] for path in known if len(path) > 1}
    if not words or words[0].isupper() or words[0] in ("--help", "--version") or (tuple(words) in groups):
        return
    path = next((path for path in (tuple(words[:2]), tuple(words[:1])) if path in known), None)
    assert path, f"{page} names `{call}`, which does not exist"
    options = {name for parameter in known[path].params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words[len(path) :]:
        if word.startswith("-") and len(word) > 1:
            assert word.partition("=")[0] in {*options, "--help"}, f"{page}: `{call}` has no {word}"


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
