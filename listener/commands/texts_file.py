"""A file of texts read as posts: .txt with one a line, .csv with a column `text`, .jsonl with a key `text`."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from listener.errors import Mistake
from listener.types import Author, Post, PostKind

MAX_CELL = 131_072  # characters; longer than any post
KINDS = (".txt", ".csv", ".jsonl")


def read(path: Path, *, limit: int, now: datetime) -> list[Post]:
    """The first `limit` texts, as if each had named us in public just now.

    An `author` (or `handle`) beside the text names who wrote it. Raises Mistake for what is not such a file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(itertools.islice(_rows(path, file), limit))
    except FileNotFoundError:
        raise Mistake(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}).") from error
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


def _rows(path: Path, file: io.TextIOBase) -> Iterator[tuple[str, str]]:
    """Text and handle of every row that says something."""
    match path.suffix.lower():
        case ".csv":
            rows = _csv(path, file)
        case ".jsonl":
            rows = _jsonl(path, file)
        case _:
            rows = ({"text": line} for line in file)
    for row in rows:
        text = str(row.get("text") or "").strip()
        if text:
            yield text, str(row.get("author") or row.get("handle") or "someone")


def _csv(path: Path, file: io.TextIOBase) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(MAX_CELL)  # the module keeps one limit for the whole process
    reader = csv.DictReader(file)
    try:
        columns = reader.fieldnames or []
        if "text" not in columns:
            raise Mistake(f"{path} needs a column `text` in its first line; it has: {', '.join(columns) or 'none'}.")
        yield from reader
    except csv.Error as error:
        raise Mistake(f"{path}, line {reader.line_num}: this is not CSV ({error}).") from error


def _jsonl(path: Path, file: io.TextIOBase) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Mistake(f"{path}, line {number}: this is not JSON ({error}).") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise Mistake(f"{path}, line {number}: write an object with a key `text`.")
        yield row
