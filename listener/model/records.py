"""The lines of a file and the records of CSV, in bounded memory and in time that grows with the file and no faster.

    for record in records(lines(file), ";", quoted=True): ...

RFC 4180 is read strictly, or a slip in one line would silently swallow its neighbours: what does not fit is said in a
record's `trouble`, and the line after it is read afresh. A line is parsed three times at most, whatever its quotes do.
"""

from __future__ import annotations

import csv
import functools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MAX_RECORD = 1_000_000  # characters of one record, with its line ends
MAX_LINES = 500  # lines of one record: a quote that never closes must not swallow the file
PIECE = 1 << 16

OPEN = "a quote opens in it and never closes"

Parse = Callable[[list[str]], tuple[list[str], str]]


class Text(Protocol):
    """A file opened for reading text, with newline="" so that its line ends stay as they are."""

    def readline(self, limit: int, /) -> str:
        """The next line, or the first `limit` characters of it."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record: its cells. With `trouble` it cannot be used, and that says why. Lines count from 1."""

    line: int
    cells: Sequence[str]
    trouble: str = ""


def lines(file: Text) -> Iterator[str]:
    """Every line with its end; of one with more than MAX_RECORD characters only the first MAX_RECORD + 1."""
    parted = False
    while line := file.readline(MAX_RECORD + 1):
        if not (parted and line == "\n"):
            yield line
        asked = MAX_RECORD + 1
        while len(line) == asked and line[-1] not in "\r\n":
            asked = PIECE
            line = file.readline(asked)
        parted = len(line) == asked and line[-1] == "\r"  # a \n that belongs to it may come as a line of its own


def too_long(line: str) -> str:
    """The trouble with a line of more than MAX_RECORD characters, "" with any other."""
    return f"it is longer than {MAX_RECORD:,} characters" if len(line) > MAX_RECORD else ""


def records(given: Iterable[str], delimiter: str, *, quoted: bool) -> Iterator[Record]:
    """Every record that says something. After one in trouble, the next line is read afresh."""
    csv.field_size_limit(MAX_RECORD)  # the module keeps one limit for the whole process
    dialect: dict[str, Any] = {
        "delimiter": delimiter,
        "strict": True,
        "skipinitialspace": delimiter != "\t",
        "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    }
    parse = functools.partial(_parse, dialect)
    ahead, line = _Ahead(iter(given), parse), 1
    while (first := ahead.next()) is not None:
        taken = [first]
        trouble = too_long(first)
        if not trouble:
            cells, trouble = parse(taken)
            if trouble == OPEN and not (trouble := ahead.closing(first)):
                taken += ahead.take()
                cells, trouble = parse(taken)
        if trouble:
            yield Record(line=line, cells=first.split(delimiter), trouble=trouble)
        elif any(map(str.strip, cells)) and not (line == 1 and re.fullmatch(r"sep=.?", first.strip(), re.IGNORECASE)):
            yield Record(line=line, cells=cells)
        line += len(taken)


class _Ahead:
    """The lines to come, and what is known of those that were looked at for the end of a quote.

    Whether a line leaves an open quote open does not depend on where it opened. So, once it is known that the first
    `open` of the `waiting` lines do, with `size` characters, the next quote that opens need not look at them again; nor
    at the line after them, where `bad` says that no quote can go on there, and why.
    """

    def __init__(self, given: Iterator[str], parse: Parse) -> None:
        self._given, self._parse = given, parse
        self._waiting = deque[str]()
        self._open = self._size = 0
        self._bad = ""

    def next(self) -> str | None:
        """The next line, to be read afresh; None at the end."""
        if not self._waiting:
            return next(self._given, None)
        line = self._waiting.popleft()
        if self._open:
            self._open -= 1
            self._size -= len(line)
        else:
            self._bad = ""
        return line

    def closing(self, first: str) -> str:
        """Finds the line in which the quote closes that `first`, the line before, opens; "", or why there is none."""
        while not self._bad:
            if self._open == len(self._waiting):
                if (line := next(self._given, None)) is None:
                    return OPEN
                self._waiting.append(line)
            line = self._waiting[self._open]
            if self._open + 2 > MAX_LINES or len(first) + self._size + len(line) > MAX_RECORD:
                return OPEN
            _, trouble = self._parse(['"', line])
            if not trouble:
                return ""
            if trouble != OPEN:
                self._bad = trouble
                break
            self._open += 1
            self._size += len(line)
        return self._bad

    def take(self) -> list[str]:
        """The lines of the quote whose end was found."""
        taken = [self._waiting.popleft() for _ in range(self._open + 1)]
        self._open = self._size = 0
        return taken


def _parse(dialect: dict[str, Any], taken: list[str]) -> tuple[list[str], str]:
    """The cells of the one record in these lines, and the trouble with it: OPEN where it would go on after them."""
    try:
        return next(csv.reader(taken, **dialect), []), ""
    except csv.Error as error:
        return [], _why(str(error))


def _why(said: str) -> str:
    if "end of data" in said:
        return OPEN
    if "new-line" in said:
        return "it holds a lone carriage return"
    return "a quote inside a quoted cell is not doubled"
