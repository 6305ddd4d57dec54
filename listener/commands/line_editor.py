"""An editor for machines that have none: the words stand in the terminal's own line, one line after the other."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from shutil import which

import click

from listener.commands.output import say

TRIED = ("vim", "nano", "vi")


def program() -> str:
    """The editor to start: the person's own, or the first that is there; the last of `TRIED` where none is.

    Debian's `sensible-editor`, which `click.edit` would take, asks in the middle of the work which one it is to be.
    """
    return _own() or next(filter(which, TRIED), TRIED[-1])


def is_needed() -> bool:
    """Whether somebody sits there, chose no editor, and none is found.

    Where what is printed goes elsewhere, Python asks without readline, and each line would stand there empty.
    """
    there = sys.stdin.isatty() and sys.stdout.isatty()
    return there and not _own() and not any(map(which, TRIED))


def _own() -> str:
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""


def edit(path: Path) -> None:
    """Lets the person change what is in the file; Ctrl-C and Ctrl-D leave it as it was. Raises OSError."""
    import readline

    say("No editor is set: change the words here, a line at a time. Enter takes a line, Ctrl-C leaves all as it was.")
    say("For an editor of yours, set EDITOR before you begin, as in `export EDITOR=nano`.")
    written = []
    try:
        for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
            readline.set_startup_hook(partial(readline.insert_text, line))
            written.append(input("> "))
    except (KeyboardInterrupt, EOFError):
        click.echo()
        return
    finally:
        readline.set_startup_hook(None)
        readline.clear_history()  # what we say to people is nobody's next command
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
