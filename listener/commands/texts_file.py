"""A file of texts read as posts: .txt with one a line, .csv, .tsv or .tab with a column `text`, .jsonl or .json with a
key `text`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from listener.commands.output import complain
from listener.errors import Mistake
from listener.model import columns
from listener.model.records import lines, too_long
from listener.model.rows import Form, RowFile, open_file
from listener.types import Author, Post, PostKind

MAX_CELL = 131_072  # characters of CSV; longer than any post
TABBED = (".tsv", ".tab")
KINDS = (".txt", ".csv", *TABBED, ".jsonl", ".json")
NAMES = ("text", "author", "handle")


def read(path: Path, *, limit: int, now: datetime) -> list[Post]:
    """The first `limit` texts, as if each had named us in public just now; complains of what is odd about the file.

    An `author` (or `handle`) beside the text names who wrote it. Raises Mistake for what is not such a file.
    """
    rows = list(itertools.islice(_rows(path), limit))
    return [
        Post(
            external_id=str(number),
            author=Author(external_id=handle, handle=handle),
            text=text,
            posted_at=now,
            kind=PostKind.MENTION,
        )
        for number, (text, handle) in enumerate(rows, start=1)
    ]


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Text and handle of every row that says something."""
    match path.suffix.lower():
        case ".csv" | ".tsv" | ".tab":
            rows = _csv(path)
        case ".jsonl":
            rows = _objects(path, "JSON lines")
        case ".json":
            rows = _objects(path, None)
        case _:
            rows = _lines(path)
    for row in rows:
        text = str(row.get("text") or "").strip()
        if text:
            yield text, str(row.get("author") or row.get("handle") or "someone")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(lines(file), start=1):
                if trouble := too_long(line):
                    raise Mistake(f"{path}, line {number}: {trouble}; write one text a line.")
                yield {"text": line}
    except FileNotFoundError:
        raise Mistake(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}).") from error


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    file = _opened(path, "CSV")
    if "text" not in file.columns:
        has = columns.listed(file.columns) or "none"
        raise Mistake(f"{path} needs a column `text` in its first line; it has: {has}.")
    name = "CSV"
    if path.suffix.lower() in TABBED:
        name = "TSV"
        if len(file.columns) == 1:  # nothing tells the delimiter, and a comma is part of the text
            file = replace(file, delimiter="\t")
    for row in file.rows():
        longest = max(map(len, row.cells.values()), default=0)
        trouble = row.trouble or (f"a cell is longer than {MAX_CELL:,} characters" if longest > MAX_CELL else "")
        if trouble:
            step = "put its text between quotes and double those inside it, or take the line out"
            raise Mistake(f"{path}, line {row.line}: this is not {name} ({trouble}); {step}.")
        yield row.cells


def _objects(path: Path, form: Form | None) -> Iterator[Mapping[str, Any]]:
    """The objects of JSON lines or of an array; `form` is None where the file must tell which of them it is."""
    file = _opened(path, form)
    if file.form == "CSV":
        raise Mistake(f"{path} is not JSON; write an array of objects with a key `text`, or one such object a line.")
    for row in file.rows():
        trouble = f"this is not JSON ({row.detail}); " if row.detail else f"{row.trouble}; " if row.trouble else ""
        if trouble or not isinstance(row.cells.get("text"), str):
            raise Mistake(f"{path}, line {row.line}: {trouble}write an object with a key `text`.")
        yield row.cells


def _opened(path: Path, form: Form | None) -> RowFile:
    """The file, looked through once; says what is odd about it."""
    file = open_file(path, knows=NAMES.__contains__, form=form)
    for note in file.notes:
        complain(note)
    return file
