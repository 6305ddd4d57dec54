"""One key at a time from a terminal, and how a terminal is left."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

QUIET = 0.3  # seconds without a key that tell a key released from one held down


class Keyboard:
    """A terminal that gives single keys and shows none of them, from `with` on until its end."""

    def __enter__(self) -> Keyboard:
        self._before = termios.tcgetattr(sys.stdin)
        self._silence()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(termios.error):  # it may be gone
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def _silence(self) -> None:
        mode = termios.tcgetattr(sys.stdin)
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, mode)

    def press(self) -> str:
        """One key, pressed from now on; what was typed before is forgotten. A pasted text comes as one long "key".

        Raises KeyboardInterrupt for Ctrl-C, EOFError for Ctrl-D and when the terminal is gone.
        """
        sys.stdout.flush()
        try:
            self._forget()
            pressed = click.getchar()
        except (OSError, termios.error) as error:
            raise EOFError from error
        if not pressed:
            raise EOFError
        return pressed

    def _forget(self) -> None:
        """Throws away what was typed ahead; where a key is still held down, waits until it is released."""
        wait = 0.0
        while select.select([sys.stdin], [], [], wait)[0]:
            if not os.read(sys.stdin.fileno(), 4096):
                raise EOFError  # a terminal that is gone can be read for ever
            wait = QUIET

    def line(self) -> str:
        """A line that the person writes; "" when they change their mind."""
        with self.lent():
            try:
                return str(click.prompt("", default="", show_default=False, prompt_suffix="> "))
            except click.Abort:
                click.echo()
                return ""

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The terminal as it was, for an editor or a line."""
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._before)
        try:
            yield
        finally:
            self._silence()


@contextmanager
def leaving_on_signals() -> Iterator[None]:
    """A closed window or a `kill` ends what runs inside like Ctrl-C does: the terminal is put right first."""

    def leave(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
