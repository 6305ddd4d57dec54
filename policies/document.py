"""A policy file as plain data that remembers its lines.

A small, safe part of YAML: mappings, lists, text, numbers, true/false, null. What could surprise or harm is refused
with its line: anchors and aliases (a few of them can stand for gigabytes), tags, tabs, repeated keys, control
characters, several documents, deep nesting, files over 1 MiB. Only `true` and `false` are booleans and nothing is a
date, so that the language `no` and the hour `10:30` stay what they look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from listener.errors import PolicyProblem
from policies.words import shown

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 30
MAX_NODES = 20_000
MAX_PROBLEMS = 100

_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
# Control characters, line breaks that only YAML counts as such, and signs that turn the order of a line around.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_INTEGER = re.compile(r"[-+]?\d{1,15}")
_FLOAT = re.compile(r"[-+]?\d{1,15}\.\d{1,15}")

Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """What the file says, and on which line it says it."""

    name: str
    data: dict[str, Any]
    lines: dict[Location, int]

    def problem(self, location: Location, sentence: str) -> str:
        """`file:line: sentence` for the deepest part of `location` that is in the file."""
        return f"{self.name}:{self.line(location)}: {sentence}"

    def line(self, location: Location) -> int:
        """The line, from 1, of the deepest part of `location` that is in the file."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return 1


def read_file(path: Path) -> str:
    """The text of a policy file. Raises PolicyProblem when it cannot be read, is too large or is not UTF-8."""
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise PolicyProblem([f"{path}:1: the policy cannot be read (it is no file); make it a readable file"])
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise PolicyProblem([f"{path}:1: there is no such file; check the path of the policy"]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyProblem([f"{path}:1: the policy cannot be read ({reason}); make it a readable file"]) from error
    if len(raw) > MAX_BYTES:
        raise PolicyProblem([f"{path}:1: the file is larger than 1 MiB; a policy is a few pages, split or shorten it"])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyProblem([f"{path}:{line}: the text is not UTF-8; save the file in UTF-8"]) from error


_NO_POLICY = "a policy is a mapping that starts with `name:`; start from default.yaml"


def parse(text: str, name: str, *, otherwise: str = _NO_POLICY) -> Document:
    """The policy's text as data with line numbers. Raises PolicyProblem, `name:line: sentence` each.

    `otherwise`: the sentence for a text that is well-formed and no mapping.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise PolicyProblem([f"{name}:1: the file is larger than 1 MiB; a policy is a few pages, split or shorten it"])
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    problems = list(_bad_signs(text, name))
    if problems:
        raise PolicyProblem(problems[:MAX_PROBLEMS])
    reader = _Reader(name)
    try:
        data = reader.read(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        reason = shown(error.problem or error.context or "this is not valid YAML", 120)
        raise PolicyProblem(
            [
                *reader.problems,
                f"{name}:{line}: the YAML stops making sense here ({reason}); check indentation and quotes",
            ]
        ) from error
    except yaml.YAMLError as error:
        raise PolicyProblem([*reader.problems, f"{name}:1: this is not YAML ({shown(str(error), 120)})"]) from error
    if reader.problems:
        raise PolicyProblem(reader.problems[:MAX_PROBLEMS])
    if not isinstance(data, dict):
        raise PolicyProblem([f"{name}:1: {otherwise}"])
    return Document(name=name, data=data, lines=reader.lines)


def _bad_signs(text: str, name: str) -> Iterator[str]:
    if "\t" not in text and not _FORBIDDEN.search(text):
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if "\t" in line:
            yield f"{name}:{number}: there is a tab in this line; use spaces"
        bad = _FORBIDDEN.search(line)
        if bad:
            yield f"{name}:{number}: there is an invisible character here (U+{ord(bad.group()):04X}); delete it"


class _Reader:
    """Builds the data from parse events, so that a limit is checked before anything is built."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Location, int] = {}
        self.problems: list[str] = []
        self._nodes = 0

    def read(self, events: Iterator[Any]) -> Any:
        data: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document starts here; keep one policy per file, without `---`")
                data = self._node(next(events), events, ())
        return data

    def _node(self, event: Any, events: Iterator[Any], location: Location) -> Any:
        self.lines.setdefault(location, event.start_mark.line + 1)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(event, "the policy is too long to be read by people; shorten it")
        if len(location) > MAX_DEPTH:
            self._stop(event, f"things are nested more than {MAX_DEPTH} deep here; write them flatter")
        if isinstance(event, yaml.AliasEvent):
            self._stop(event, f"`*{shown(event.anchor)}` is an alias, which policies do not use; write it out")
        if event.anchor is not None:
            self._stop(event, f"`&{shown(event.anchor)}` is an anchor, which policies do not use; write it out")
        if event.tag is not None:
            self._stop(
                event, f"`{shown(event.tag)}` is a YAML tag, which policies do not use; remove it (or quote text)"
            )
        if isinstance(event, yaml.ScalarEvent):
            self._check_escapes(event)
            return event.value if event.style else _plain(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, location)
        return self._mapping(events, location)

    def _sequence(self, events: Iterator[Any], location: Location) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, (*location, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], location: Location) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(event, "the name before a colon must be plain text; put `{{ … }}` and `[…]` in quotes")
            self._node(event, events, (*location, "\0key"))
            key, line = event.value, event.start_mark.line + 1
            inside = (*location, key)
            if key in items:
                first = self.lines[inside]
                self.problems.append(
                    f"{self.name}:{line}: `{shown(key)}` stands here twice (first in line {first}); keep one"
                )
            else:
                self.lines[inside] = line
            value = self._node(next(events), events, inside)
            items.setdefault(key, value)
        return items

    def _check_escapes(self, event: Any) -> None:
        """`"\\0"` in quotes is as invisible as the sign itself."""
        bad = _FORBIDDEN.search(event.value)
        if bad:
            self._stop(event, f"there is an invisible character here (U+{ord(bad.group()):04X}); remove it")

    def _stop(self, event: Any, sentence: str) -> None:
        self.problems.append(f"{self.name}:{event.start_mark.line + 1}: {sentence}")
        raise PolicyProblem(self.problems[:MAX_PROBLEMS])


def _plain(text: str) -> Any:
    if text in ("", "~", "null"):
        return None
    if text in ("true", "True", "false", "False"):
        return text.casefold() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
