"""A file of texts, row by row in bounded memory: CSV with any delimiter, TSV, JSONL, a JSON array.

    opened = rows.open_file(path, knows=columns.known)
    for row in opened.rows(): ...

What cannot be read is said in a row's `trouble` and passed over; nothing is skipped in silence.
"""

from __future__ import annotations

import codecs
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from listener.errors import Mistake
from listener.model.records import MAX_RECORD, PIECE, Record, lines, records, too_long

DELIMITERS = ",;\t|"
SAMPLE = 200  # rows looked at to tell delimiter, quotes and columns
MAX_NAMES = 20_000  # names of columns looked at in a sample of JSON
MAX_NAME = 200  # characters of one; what is longer is no column
_BETWEEN = re.compile(r"[ \t\r\n,]*+")

Form = Literal["CSV", "JSON lines", "a JSON array"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: its cells by column. Lines count from 1.

    With `trouble` it cannot be used, and that says why; `detail` says what exactly is no JSON, where that is known.
    """

    line: int
    cells: Mapping[str, Any]
    trouble: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class RowFile:
    """A file whose form was found out. `columns` are those of the header, or of the first rows of JSON; `notes` says
    what a person should know."""

    path: Path
    form: Form
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    _encoding: str = field(repr=False)
    _quoted: bool = field(repr=False, default=True)

    def rows(self) -> Iterator[Row]:
        """Every row in order, empty ones left out. Raises Mistake when the file cannot be read any more."""
        try:
            with self.path.open(encoding=self._encoding, errors="surrogateescape", newline="") as file:
                for row in self._rows(file):
                    yield _checked(row)
        except (OSError, UnicodeError) as error:
            raise _unreadable(self.path, error) from error

    def _rows(self, file: Any) -> Iterator[Row]:
        if self.form == "JSON lines":
            return _json_lines(lines(file))
        if self.form == "a JSON array":
            return _json_array(file)
        return _under_header(records(lines(file), self.delimiter, quoted=self._quoted), self.columns)


def open_file(path: Path, *, knows: Callable[[str], bool], form: Form | None = None) -> RowFile:
    """The file at `path`, looked through once for its encoding and, unless the caller knows it, its form.

    `knows` says which column names mean something: by them the delimiter is told. Raises Mistake, in one sentence,
    for what is no such file. An empty one of a known form has no columns and no rows.
    """
    try:
        if not path.exists():
            raise Mistake(f"There is no file {path}.")
        if not path.is_file():
            raise Mistake(f"{path} is not a file; give a file of texts.")
        encoding, notes = _encoding(path)
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            head = file.read(PIECE)
    except (OSError, UnicodeError) as error:
        raise _unreadable(path, error) from error
    start = head.lstrip()[:1]
    if form is None and path.suffix.lower() not in (".csv", ".tsv", ".tab", ".txt"):
        form = "a JSON array" if start == "[" else "JSON lines" if start == "{" else None
    if form is None or form == "CSV":
        opened = _with_header(path, head, encoding, notes, knows)
        if form is None and not opened.columns:
            raise Mistake(f"{path} is empty; give a file of labelled texts.")
        return opened
    opened = RowFile(path=path, form=form, columns=(), notes=notes, _encoding=encoding)
    sample = itertools.islice(opened.rows(), SAMPLE)
    seen = (name for row in sample for name in row.cells if len(name) <= MAX_NAME)
    return replace(opened, columns=tuple(dict.fromkeys(itertools.islice(seen, MAX_NAMES))))


def _unreadable(path: Path, error: OSError | UnicodeError) -> Mistake:
    """What to tell of a file that cannot be read, or that cannot be read any further."""
    if isinstance(error, UnicodeError):  # of what begins as UTF-16; bytes that are not UTF-8 are a row's trouble
        return Mistake(f"{path} is not the UTF-16 as which it begins; save it as CSV (UTF-8).")
    return Mistake(f"{path} cannot be read ({error.strerror or error}).")


def _encoding(path: Path) -> tuple[str, tuple[str, ...]]:
    """The encoding of the whole file, and what to say about it. Bytes that do not fit become lone surrogates."""
    save = "save it as CSV (UTF-8)"
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    with path.open("rb") as file:
        head = file.read(4)
        if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            raise Mistake(f"{path} is a workbook or an archive, no text; {save}.")
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16", ()
        file.seek(0)
        while piece := file.read(PIECE):
            if b"\x00" in piece:
                raise Mistake(f"{path} is no text; {save}.")
            if piece.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(piece)
            wrong = len(re.findall("[\udc80-\udcff]", text))
            bad += wrong
            good += len(re.findall("[^\x00-\x7f]", text)) - wrong
    if bad + len(decoder.getstate()[0]) <= good:
        return "utf-8-sig", ()
    return "cp1252", (f"{path.name} is not UTF-8; it was read as Windows-1252: check that the accents are right.",)


def _checked(row: Row) -> Row:
    """The row, in trouble where bytes of it could not be read."""
    if row.trouble:
        return row
    words = " ".join(cell for cell in row.cells.values() if isinstance(cell, str))
    if not words.isascii() and re.search("[\udc80-\udcff]", words):
        return Row(line=row.line, cells={}, trouble="it holds bytes that are not UTF-8")
    return row


# --- CSV ---


def _with_header(path: Path, head: str, encoding: str, notes: tuple[str, ...], knows: Callable[[str], bool]) -> RowFile:
    """The delimiter under which the header says most, then the one under which the rows agree with it."""
    said = re.match(r"sep=([,;|\t])\r?\n", head, re.IGNORECASE)  # what Excel writes for itself
    whole = head if len(head) < PIECE else head[: head.rfind("\n") + 1] or head
    best: tuple[tuple[int, int, int], str, bool, Sequence[str]] | None = None
    for delimiter in said[1] if said else DELIMITERS:
        for quoted in (True, False) if delimiter == "\t" else (True,):
            sample = records(io.StringIO(whole, newline=""), delimiter, quoted=quoted)
            seen = list(itertools.islice(sample, SAMPLE))
            if not seen:
                continue
            header = seen[0].cells
            agreeing = sum(not record.trouble and len(record.cells) == len(header) for record in seen)
            score = (sum(knows(name.strip()) for name in header), agreeing if len(header) > 1 else 0, len(header))
            if best is None or score > best[0]:
                best = score, delimiter, quoted, header
    if best is None:  # nothing but delimiters
        return RowFile(path=path, form="CSV", columns=(), notes=notes, delimiter=DELIMITERS[0], _encoding=encoding)
    _, delimiter, quoted, header = best
    columns = tuple(name.strip() for name in header)
    twice = next((name for name, count in Counter(columns).items() if name and count > 1), None)
    if twice is not None:
        notes = (*notes, f"The column {twice} is there more than once; the last one counts.")
    return RowFile(
        path=path,
        form="CSV",
        columns=columns,
        notes=notes,
        delimiter=delimiter,
        _encoding=encoding,
        _quoted=quoted,
    )


def _under_header(found: Iterator[Record], columns: tuple[str, ...]) -> Iterator[Row]:
    next(found, None)  # the header
    for record in found:
        if record.trouble:
            yield Row(line=record.line, cells={}, trouble=record.trouble)
        elif len(record.cells) > len(columns) and any(record.cells[len(columns) :]):
            many = f"it has {len(record.cells)} cells under {len(columns)} column{'s' if len(columns) > 1 else ''}"
            yield Row(line=record.line, cells={}, trouble=many)
        else:
            yield Row(line=record.line, cells=dict(zip(columns, record.cells, strict=False)))


# --- JSON ---


def _json_lines(given: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(given, start=1):
        if trouble := too_long(line):
            yield Row(line=number, cells={}, trouble=trouble)
        elif line.strip():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(line=number, cells={}, trouble="it is not JSON", detail=_no_json(error))
            else:
                yield _object(number, found)


def _no_json(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}: column {error.colno}"
    return "it nests too deeply" if isinstance(error, RecursionError) else "a number in it has too many digits"


def _json_array(file: Any) -> Iterator[Row]:
    """The objects of an array, read piece by piece."""
    decoder = json.JSONDecoder()
    before, _, text = file.read(PIECE).partition("[")
    line, at, ended = 1 + before.count("\n"), 0, False
    while True:
        rest = at + len(_BETWEEN.match(text, at)[0])  # type: ignore[index]
        line += text.count("\n", at, rest)
        at = rest
        if text.startswith("]", at):
            rest = text[at + 1 :]
            while not rest.strip() and (more := file.read(PIECE)):
                rest = more
            if rest.strip():
                yield Row(line=line, cells={}, trouble="something follows the end of the list, and it was not read")
            return
        try:
            found, end = decoder.raw_decode(text, at)
            if end == len(text) and not ended:
                raise ValueError("a number could go on")
        except (ValueError, RecursionError):
            more = "" if ended or len(text) - at > MAX_RECORD else file.read(PIECE)
            if not more:
                cut = "it is not JSON, and what follows it was not read"
                yield Row(line=line, cells={}, trouble=cut)
                return
            text, at, ended = text[at:] + more, 0, len(more) < PIECE
            continue
        yield _object(line, found)
        line += text.count("\n", at, end)
        at = end


def _object(line: int, found: Any) -> Row:
    if isinstance(found, dict):
        return Row(line=line, cells=found)
    return Row(line=line, cells={}, trouble="it is no object with keys")
