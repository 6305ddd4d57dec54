"""A spreadsheet saved as text: read record by record in constant memory, whatever is wrong with it.

    sheet = spreadsheet.read(path, knows=headers.__contains__)
    for record in sheet.records(): ...

What a record cannot hold is said in its `trouble`; nothing is skipped in silence. RFC 4180 is read strictly: a quote
inside a quoted cell must be doubled, or a slip in one line would silently swallow its neighbours.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

from listener.errors import Mistake

MAX_RECORD = 8 * 1024**2  # bytes of one record; more is skipped in pieces
PIECE = 1024**2
EXCERPT = 200  # characters kept of a record that is too large
DELIMITERS = ",;\t"

_BOM = b"\xef\xbb\xbf"
_UNMAPPED = re.compile(b"[\x81\x8d\x8f\x90\x9d]")  # bytes that Windows-1252 leaves without a meaning
_NO_TEXT = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))
_FORMULA = r"(?:[\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
_DANGEROUS = re.compile(f"'*{_FORMULA}")
_NEUTRALISED = re.compile(f"'+{_FORMULA}")


def neutralise(cell: str) -> str:
    """The cell so that no spreadsheet program runs it: an apostrophe before what would begin a formula.

    What begins with apostrophes before such a sign gets one more, so that `restore` gives back exactly the cell.
    """
    return f"'{cell}" if _DANGEROUS.match(cell) else cell


def restore(cell: str) -> str:
    """The cell as it was before `neutralise`."""
    return cell[1:] if _NEUTRALISED.match(cell) else cell


class Record(NamedTuple):
    """One line of the sheet, several where a cell holds line breaks. Without `trouble`, the cells can be trusted.

    A tuple, since a file has a million of them. `end`: how much of the file was read so far, in the sheet's measure.
    """

    first_line: int
    last_line: int
    cells: tuple[str, ...]
    end: int
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """An opened file of records. `encoding` and `delimiter` were found out; `notes` says what a person should know.

    `size` is in the measure of `Record.end`: bytes of text, rows of a workbook.
    """

    path: Path
    size: int
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    notes: tuple[str, ...] = ()
    read_on: Callable[[], Iterator[Record]] = field(repr=False)

    def records(self) -> Iterator[Record]:
        """Every record under the header, in order; lines that are empty, or hold only delimiters, are left out."""
        for record in self.read_on():
            if record.trouble or (any(record.cells) and any(cell.strip() for cell in record.cells)):
                yield record


def read(path: Path, *, knows: Callable[[str], bool], encoding: str = "", delimiter: str = "") -> Sheet:
    """The spreadsheet at `path`, its header read.

    `knows` says which column names mean something: by them the delimiter is told, unless somebody says it; the
    encoding is found out as well. Raises Mistake, in one sentence, for what is no such file.
    """
    try:
        if not path.is_file():
            raise Mistake(f"{path} is not a file; give a spreadsheet saved as CSV.")
        size = path.stat().st_size
        with path.open("rb") as file:
            _check_is_text(path, file.read(8192))
        found, notes = (_checked(path, encoding), ()) if encoding else _encoding(path)
        return _with_header(path, size, found, notes=notes, knows=knows, wanted=delimiter)
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror or error}.") from error


def _checked(path: Path, encoding: str) -> str:
    """The encoding that somebody named, if all of the file is in it and a line break is one byte in it."""
    try:
        if "\n".encode(encoding) != b"\n":
            raise LookupError
        with path.open(encoding=encoding, newline="\n") as file:
            while file.read(PIECE):
                pass
    except LookupError:
        raise Mistake(f"{encoding!r} is no encoding that is read here; write utf-8, cp1252 or latin-1.") from None
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is not {encoding} ({error.reason} at byte {error.start:,}); leave it out.") from None
    return encoding


def _check_is_text(path: Path, head: bytes) -> None:
    if not head.removeprefix(_BOM).strip():
        raise Mistake(f"{path} is empty.")
    save = "open it in the spreadsheet program and save it as CSV (UTF-8)"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Mistake(f"{path} is a workbook, not CSV: {save}.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Mistake(f"{path} is UTF-16: {save}.")
    strange = len(head) - len(head.translate(None, _NO_TEXT))
    if strange > len(head) / 20 and strange > 4:
        raise Mistake(f"{path} is no text: {save}.")
    if b"\n" not in head and b"\r" in head:
        raise Mistake(f"{path} has the line ends of old Macintoshes: {save}.")


def _encoding(path: Path) -> tuple[str, tuple[str, ...]]:
    """The encoding of the whole file, and what to say about it. Bytes that do not fit become lone surrogates."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    unmapped = False
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if piece.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(piece)
            wrong = len(re.findall("[\udc80-\udcff]", text))
            bad += wrong
            good += len(re.findall("[^\x00-\x7f]", text)) - wrong
            unmapped = unmapped or bool(_UNMAPPED.search(piece))
    bad += len(decoder.getstate()[0])
    if not bad:
        return "utf-8", ()
    if good > bad:
        return "utf-8", (f"{bad} bytes of {path.name} are not UTF-8; their lines are rejected.",)
    name, encoding = ("Latin-1", "latin-1") if unmapped else ("Windows-1252", "cp1252")
    return encoding, (f"{path.name} is not UTF-8; it was read as {name}: check that the accents are right.",)


def _with_header(
    path: Path, size: int, encoding: str, *, notes: tuple[str, ...], knows: Callable[[str], bool], wanted: str
) -> Sheet:
    with path.open("rb") as file:
        start = len(_BOM) if file.read(3) == _BOM else 0
        file.seek(start)
        first = file.readline(64)
        line = 0
        said = re.fullmatch(rb"sep=([,;|\t])\r?\n", first, re.IGNORECASE)  # what Excel writes for itself
        if said:
            start, line = start + len(first), 1
    delimiters = wanted or (said[1].decode("latin-1") if said else DELIMITERS)
    best: tuple[tuple[int, int], str, Record] | None = None
    for delimiter in delimiters:
        record = next((r for r in _records(path, start, line, encoding, delimiter) if any(r.cells)), None)
        if record is None:
            raise Mistake(f"{path} is empty.")
        score = (sum(knows(cell) for cell in record.cells), 0 if record.trouble else len(record.cells))
        if best is None or score > best[0]:
            best = score, delimiter, record
    assert best is not None
    _, delimiter, header = best
    if header.trouble:
        raise Mistake(f"Line {header.first_line} of {path}, the header, cannot be read: {header.trouble}.")
    return Sheet(
        path=path,
        size=size,
        encoding=encoding,
        delimiter=delimiter,
        header=tuple(restore(cell).strip() for cell in header.cells),
        notes=notes,
        read_on=partial(_records, path, header.end, header.last_line, encoding, delimiter),
    )


class _TooLarge(Exception):
    pass


def _records(path: Path, start: int, line: int, encoding: str, delimiter: str) -> Iterator[Record]:
    """Every record from `start` on: in pieces where all is well, and one by one through a piece where it is not."""
    csv.field_size_limit(MAX_RECORD)  # the module keeps one limit for the whole process
    with path.open("rb") as file:
        while True:
            file.seek(start)
            piece = file.read(PIECE)
            if not piece:
                return
            piece += file.readline(PIECE)
            until = start + len(piece)
            if piece.endswith(b"\n") or not file.read(1):
                for record in _piece(piece, start, line, encoding, delimiter):
                    yield record
                    start, line = record.end, record.last_line
            while start < until:
                file.seek(start)
                single = _one(file, start, line, encoding, delimiter)
                if single is None:
                    return
                yield single
                start, line = single.end, single.last_line


def _piece(piece: bytes, start: int, line: int, encoding: str, delimiter: str) -> Iterator[Record]:
    """The records of whole lines, up to the first that asks for a closer look; then no more."""
    try:
        text = piece.decode(encoding)
    except UnicodeDecodeError:
        return
    if "\x00" in text:
        return
    lines = io.StringIO(text, newline="\n").readlines()
    sizes = map(len, lines) if text.isascii() else (len(each.encode(encoding)) for each in lines)
    ends = list(accumulate(sizes, initial=start))
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    done = 0
    try:
        for cells in reader:
            last = reader.line_num
            yield Record(line + done + 1, line + last, tuple(cells), ends[last])
            done = last
    except csv.Error:
        return


def _one(file: BinaryIO, start: int, line: int, encoding: str, delimiter: str) -> Record | None:
    """The record that begins where the file stands, whatever is wrong with it; None at the end."""
    taken: list[str] = []
    reader = csv.reader(_lines(file, encoding, taken), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        cells = next(reader, None)
    except csv.Error as error:
        return _broken(file, start, line, encoding, delimiter, said=str(error))
    except _TooLarge:
        return _too_large(file, start, line, encoding)
    if cells is None:
        return None
    trouble = ""
    if "\x00" in (whole := "".join(taken)):
        trouble = "it holds a NUL character"
    elif not whole.isascii() and re.search("[\ud800-\udfff]", whole):
        trouble = "it holds bytes that are not UTF-8"
    return Record(
        first_line=line + 1, last_line=line + len(taken), cells=tuple(cells), end=file.tell(), trouble=trouble
    )


def _lines(file: BinaryIO, encoding: str, taken: list[str]) -> Iterator[str]:
    """The lines of one record as the reader asks for them, kept in `taken` too. Raises _TooLarge."""
    size = 0
    while line := file.readline(MAX_RECORD + 1):
        size += len(line)
        if size > MAX_RECORD:
            raise _TooLarge
        taken.append(line.decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict"))
        yield taken[-1]


def _broken(file: BinaryIO, start: int, line: int, encoding: str, delimiter: str, *, said: str) -> Record:
    """The first line of a record whose quotes do not fit; what follows it is read afresh."""
    file.seek(start)
    first = file.readline(MAX_RECORD + 1)
    if "end of data" in said:
        trouble = "a quote opens in it and never closes"
    elif "new-line" in said:
        trouble = "it holds a lone carriage return"
    else:
        trouble = "a quote inside a quoted cell is not doubled"
    text = first.decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict").rstrip("\r\n")
    try:
        cells = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        cells = [text]
    return Record(first_line=line + 1, last_line=line + 1, cells=tuple(cells), end=start + len(first), trouble=trouble)


def _too_large(file: BinaryIO, start: int, line: int, encoding: str) -> Record:
    """A record of more than MAX_RECORD bytes, skipped in pieces; if its quote never closes, only its first line."""
    file.seek(start)
    quotes = lines = first_end = 0
    excerpt, ended = "", True
    while piece := file.readline(PIECE):
        excerpt = excerpt or piece[:EXCERPT].decode(encoding, "replace")
        quotes += piece.count(b'"')
        lines += ended  # a new line begins where the one before ended
        ended = piece.endswith(b"\n")
        first_end = first_end or (file.tell() if ended else 0)
        if ended and quotes % 2 == 0:
            break
    end, last, trouble = file.tell(), line + lines, f"it is larger than {MAX_RECORD // 1024**2} MB"
    if quotes % 2 and first_end:
        end, last, trouble = first_end, line + 1, "a quote opens in it and never closes"
    cut = f"{excerpt.splitlines()[0]}…"
    return Record(first_line=line + 1, last_line=last, cells=(cut,), end=end, trouble=trouble)
