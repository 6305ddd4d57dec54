"""A file of texts with labels of ours: .csv with columns `text` and `label`, .jsonl with those keys."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from listener.commands.texts_file import MAX_CELL
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.model.mapping import Ours


def read(path: Path, *, limit: int) -> list[tuple[str, tuple[Ours, ...]]]:
    """The first `limit` texts with their labels; `|` stands between several labels of one text.

    Raises Mistake, naming file and line, for what is not such a file.
    """
    from listener.model import mapping

    examples = []
    for line, text, label in _lines(path, limit):
        if not text.strip() or not label.strip():
            raise Mistake(f"{path}, line {line}: a text and a label must both be there.")
        try:
            examples.append((text, tuple(mapping.read(part) for part in label.split("|"))))
        except Mistake as mistake:
            raise Mistake(f"{path}, line {line}: {mistake}") from mistake
    return examples


def _lines(path: Path, limit: int) -> list[tuple[int, str, str]]:
    """Line, text and label."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _jsonl(path, file) if path.suffix.lower() == ".jsonl" else _csv(path, file)
            return list(itertools.islice(rows, limit))
    except FileNotFoundError:
        raise Mistake(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise Mistake(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}).") from error


def _csv(path: Path, file: io.TextIOBase) -> Iterator[tuple[int, str, str]]:
    csv.field_size_limit(MAX_CELL)  # the module keeps one limit for the whole process
    reader = csv.DictReader(file)
    try:
        columns = reader.fieldnames or []
        if "text" not in columns or "label" not in columns:
            has = ", ".join(columns) or "none"
            raise Mistake(f"{path} needs columns `text` and `label` in its first line; it has: {has}.")
        for row in reader:
            yield reader.line_num, row["text"] or "", row["label"] or ""
    except csv.Error as error:
        raise Mistake(f"{path}, line {reader.line_num}: this is not CSV ({error}).") from error


def _jsonl(path: Path, file: io.TextIOBase) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Mistake(f"{path}, line {number}: this is not JSON ({error}).") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("text", "label")):
            raise Mistake(f"{path}, line {number}: write an object with keys `text` and `label`.")
        yield number, row["text"], row["label"]
