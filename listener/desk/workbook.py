"""An Excel workbook (.xlsx): read row by row, without unpacking it as a whole, whatever was packed into it.

A workbook is a zip of XML (ECMA-376). What it says of its sizes is believed only as a limit: nothing is unpacked beyond
it, and what unpacks to far more than it is packed into, or to more than a machine should hold, is refused beforehand.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from listener.desk.spreadsheet import Record, Sheet
from listener.errors import Mistake
from listener.escapes import visible

MOST_UNPACKED = 2 * 1024**3  # bytes of all sheets together
MOST_WORDS = 256 * 1024**2  # bytes of the words that cells share, which have to be held
MOST_RATIO = 200  # unpacked to packed, of what is not small; sheets of ours come to 30
SMALL = 32 * 1024**2
PIECE = 1024**2
MOST_ROWS = 1024**2  # the last row that a spreadsheet program has; a cell may claim to stand in any

_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')
_BROKEN = (KeyError, ValueError, TypeError, IndexError, AttributeError, OSError, EOFError, ParseError, SyntaxError)


def is_workbook(head: bytes) -> bool:
    """Whether a file that begins so is a zip."""
    return head.startswith(b"PK\x03\x04")


def read(path: Path, *, knows: Callable[[str], bool], sheet: str = "", decimal: str = "") -> Sheet:
    """The sheet of that name, its header read; without a name, the first visible one whose header is known best.

    Numbers are written with `decimal`. Raises Mistake, in one sentence, for what is no such workbook.
    """
    try:
        _check_sizes(path)
        names, hidden = _sheets(path)
        visible_ones = [name for name in names if name not in hidden]
        if sheet and sheet not in names:
            listed = ", ".join(repr(visible(name)[:40]) for name in names)
            raise Mistake(f"{path} has no sheet {sheet!r}; there are: {listed}.")
        heads = {name: _header(path, name) for name in ([sheet] if sheet else visible_ones or names)}
        chosen = max(heads, key=lambda name: (sum(map(knows, heads[name][1])), bool(heads[name][1])))
        first, header = heads[chosen]
        if not header:
            raise Mistake(f"The sheet {visible(chosen)[:40]!r} of {path.name} is empty.")
        merged, formulas, rows = _scanned(path, chosen)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, *_BROKEN) as error:
        raise Mistake(
            f"{path} is a workbook that cannot be read ({visible(str(error))[:80]}): save it anew, or as CSV."
        ) from error
    notes = [f"The sheet {visible(chosen)[:40]!r} is read."] if len(names) > 1 else []
    if hidden and not sheet:
        notes.append(f"Hidden sheets are left alone: {', '.join(repr(visible(name)[:40]) for name in sorted(hidden))}.")
    if merged:
        notes.append(
            f"Cells are merged ({', '.join(merged[:3])}{', …' if len(merged) > 3 else ''}): only the first of each "
            "holds the value, the others are read as empty."
        )
    return Sheet(
        path=path,
        size=rows,
        encoding="utf-8",
        delimiter=",",
        header=tuple(cell.strip() for cell in header),
        notes=tuple(notes),
        read_on=partial(_records, path, chosen, first, len(header), formulas=formulas, decimal=decimal),
    )


def _check_sizes(path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        parts = packed.infolist()
        if "xl/workbook.xml" not in packed.namelist():
            raise Mistake(f"{path} is a zip, but no workbook: save it as .xlsx or CSV.")
        if any(part.flag_bits & 1 for part in parts):
            raise Mistake(f"{path} is locked with a password: save it without one.")
        unpacked = sum(part.file_size for part in parts)
        words = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
        bloated = any(
            part.file_size > SMALL and part.file_size > MOST_RATIO * max(1, part.compress_size) for part in parts
        )
    if unpacked > MOST_UNPACKED or words > MOST_WORDS or bloated:
        raise Mistake(
            f"{path} unpacks to {unpacked // 1024**2:,} MB, more than a workbook of customers has: save it as CSV."
        )


@contextmanager
def _opened(path: Path, *, values: bool = True) -> Iterator[Any]:
    import openpyxl

    with path.open("rb") as file:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that nobody here asks for
            book = openpyxl.load_workbook(file, read_only=True, data_only=values, keep_links=False)
        with closing(book):
            yield book


def _sheets(path: Path) -> tuple[list[str], set[str]]:
    with _opened(path) as book:
        sheets = book.worksheets
        if not sheets:
            raise Mistake(f"{path} has no sheet with cells.")
        return [sheet.title for sheet in sheets], {sheet.title for sheet in sheets if sheet.sheet_state != "visible"}


def _header(path: Path, name: str) -> tuple[int, tuple[str, ...]]:
    """The number of the first row with anything in it, and its cells as far as the last that holds something."""
    with closing(_rows(path, name)) as rows:
        for number, row in rows:
            cells = [_text(value, "") for value in row]
            while cells and not cells[-1].strip():
                cells.pop()
            if cells:
                return number, tuple(cells)
            if number > 1000:
                break
    return 0, ()


def _scanned(path: Path, name: str) -> tuple[list[str], bool, int]:
    """Which cells are merged, whether any holds a formula, and how many rows there are."""
    with _opened(path) as book:
        part = book[name]._worksheet_path
    merged: list[str] = []
    formulas, rows, rest = False, 0, b""
    with zipfile.ZipFile(path) as packed, packed.open(part) as file:
        while piece := file.read(PIECE):
            rows += piece.count(b"<row") + (rest[-3:] + piece[:3]).count(b"<row")
            formulas = formulas or b"<f>" in piece or b"<f " in piece
            merged += [found.decode() for found in _MERGED.findall(rest + piece)][: 4 - len(merged)]
            rest = piece[-64:]
    return list(dict.fromkeys(merged)), formulas, rows


def _rows(path: Path, name: str, *, values: bool = True) -> Generator[tuple[int, tuple[Any, ...]]]:
    """Number and cells of every row; rows that the file leaves out are left out."""
    with _opened(path, values=values) as book:
        sheet = book[name]
        sheet.reset_dimensions()  # what it says of its size may be wrong
        rows = sheet.iter_rows(values_only=True)
        number = 0
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of dates that are none: they come as errors
                row = next(rows, None)
            if row is None:
                return
            number += 1
            if number > MOST_ROWS:
                raise Mistake(
                    f"{path} has cells below row {MOST_ROWS:,}, where no sheet has any: save it anew, or as CSV."
                )
            yield number, row


def _records(path: Path, name: str, first: int, width: int, *, formulas: bool, decimal: str) -> Iterator[Record]:
    with closing(_rows(path, name)) as rows, closing(_rows(path, name, values=False)) as written:
        try:
            for number, row in rows:
                asked = next(written)[1] if formulas else ()
                if number <= first:
                    continue
                cells = [_text(value, decimal) for value in row]
                trouble = _error(row)
                if (place := _uncalculated(row, asked)) is not None:
                    cells[place] = str(asked[place])
                    trouble = "a cell holds a formula that was never calculated; open the workbook and save it"
                while len(cells) > width and not cells[-1].strip():
                    cells.pop()
                cells += [""] * (width - len(cells))
                yield Record(number, number, tuple(cells), number, trouble)
        except (zipfile.BadZipFile, RuntimeError, StopIteration, *_BROKEN) as error:
            raise Mistake(
                f"{path} cannot be read any further ({visible(str(error))[:80]}); what came before is imported: save "
                "it anew, or as CSV."
            ) from error


def _error(row: tuple[Any, ...]) -> str:
    for value in row:
        if value.__class__ is str and value[:1] == "#" and value in _ERRORS:
            return f"a cell holds the error {value}"
    return ""


def _uncalculated(row: tuple[Any, ...], asked: tuple[Any, ...]) -> int | None:
    """The place of the first cell whose formula has no result beside it."""
    for place, (value, written) in enumerate(zip(row, asked, strict=False)):
        if value is None and written is not None and (not isinstance(written, str) or written[:1] == "="):
            return place
    return None


def _text(value: Any, decimal: str) -> str:  # noqa: PLR0911
    """What a cell holds, as it would stand in a CSV file."""
    if value.__class__ is str:
        return str(value)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value, decimal)
        case datetime():
            midnight = value.time() == time()
            return value.date().isoformat() if midnight else value.isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case time() | timedelta():
            return str(value)
    return str(value)


def _number(value: float, decimal: str) -> str:
    """A number that can only be read one way: never three digits after its mark."""
    if not isfinite(value):
        raise ValueError(f"a cell holds the number {value}")
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = format(value, ".10f").rstrip("0")
    if len(text.partition(".")[2]) == 3:
        text += "0"
    return text.replace(".", decimal) if decimal else text
