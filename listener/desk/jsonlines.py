"""A file with one JSON object a line (https://jsonlines.org): its keys are the columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from listener.desk.spreadsheet import EXCERPT, Record, Sheet
from listener.errors import Mistake

MAX_LINE = 8 * 1024**2
MAX_KEYS = 500

_HALF = re.compile("[\ud800-\udfff]")


def is_json_lines(head: bytes) -> bool:
    """Whether a file that begins so holds JSON objects."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def read(path: Path) -> Sheet:
    """The file, its columns being every key of it in the order in which they come. Raises Mistake."""
    keys: dict[str, None] = {}
    for _, _, line in _lines(path):
        found = _object(line)
        if not isinstance(found, str):
            keys.update(dict.fromkeys(_HALF.sub("\ufffd", key) for key in found))
        if len(keys) > MAX_KEYS:
            raise Mistake(f"{path} has more than {MAX_KEYS} different keys; is this a customer file?")
    if not keys:
        raise Mistake(f"{path} holds no JSON object with a key; write one object a line.")
    header = tuple(keys)
    return Sheet(
        path=path,
        size=path.stat().st_size,
        encoding="utf-8",
        delimiter=",",
        header=header,
        read_on=partial(_records, path, header),
    )


def _records(path: Path, header: Sequence[str]) -> Iterator[Record]:
    for number, end, line in _lines(path):
        found = _object(line)
        if isinstance(found, str):
            yield Record(number, number, (line[:EXCERPT].decode("utf-8", "replace"),), end, found)
            continue
        wrong = [key for key, value in found.items() if not _is_plain(value)]
        trouble = f"{wrong[0]!r} holds an object where a cell can hold a value, or a list of them" if wrong else ""
        cells = tuple(_text(found.get(key)) for key in header)
        if not trouble and _HALF.search("".join(cells)):
            trouble = "it holds half a character"
        yield Record(
            number, number, tuple(_HALF.sub("\ufffd", cell) for cell in cells) if trouble else cells, end, trouble
        )


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, end in bytes and content of every line that holds something; one that is too long is cut."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            whole = line
            while not line.endswith(b"\n") and (line := file.readline(MAX_LINE)):
                pass
            if number == 1:
                whole = whole.removeprefix(b"\xef\xbb\xbf")
            if whole.strip():
                yield number, file.tell(), whole


def _object(line: bytes) -> dict[str, Any] | str:
    """The object on that line, or what is wrong with it."""
    if len(line) > MAX_LINE:
        return f"it is larger than {MAX_LINE // 1024**2} MB"
    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_no_number)
    except UnicodeDecodeError:
        return "it holds bytes that are not UTF-8"
    except RecursionError:
        return "it holds objects inside objects without end"
    except ValueError as error:
        return f"it is no JSON object: {str(error).partition(':')[0].lower()}"
    return found if isinstance(found, dict) else "it is no JSON object"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict) and not (
        isinstance(value, list) and any(isinstance(each, dict | list) for each in value)
    )


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            text = repr(value)
            return f"{text}0" if "e" not in text and len(text.partition(".")[2]) == 3 else text
        case list():
            return ", ".join(_text(each) for each in value)
    return str(value)
