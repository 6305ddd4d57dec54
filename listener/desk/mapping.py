"""A mapping file: which column of somebody's file is what here, and how that file writes things.

    sheet = "Clientes"        # of a workbook
    decimal = ","             # 1.234,56
    dates = "day"             # 03/04/2026 is in April

    [columns]
    "Nro. cliente" = "reference"
    "Razón social" = "name"
    "Tel. 2"       = "contact:phone"
    "Acepta"       = "consent:mail:marketing"
    "Saldo"        = { field = "balance", type = "money", currency = "ARS" }
    "Interno"      = "ignore"

A column that is not in it is known by its own name, as without a mapping file.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from listener.desk import columns, field_values
from listener.desk.columns import Reading, Target
from listener.desk.field_values import Habits
from listener.errors import Mistake
from listener.escapes import visible
from listener.store.field_types import FieldType

LARGEST = 1024**2  # bytes

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "delimiter": (",", ";", "\t", "|"),
    "decimal": (".", ","),
    "dates": ("day", "month"),
}
_OPTIONS = ("sheet", "encoding", *_CHOICES)


def load(path: Path, *, networks: Collection[str]) -> Reading:
    """What that mapping file says. Raises Mistake with everything that is wrong in it."""
    try:
        if path.stat().st_size > LARGEST:
            raise Mistake(f"{path} is larger than a mapping file can be; see docs/customers.md for how one looks.")
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise Mistake(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} is no TOML ({error}); see docs/customers.md for how a mapping file looks.") from error
    wrong: list[str] = []
    given = said.pop("columns", {})
    found: dict[str, Target] = {}
    types: list[FieldType] = []
    for name, value in (given if isinstance(given, dict) else {}).items():
        try:
            key = columns.fold(name)
            if key in found:
                raise Mistake("It stands there twice.")
            found[key], declared = _column(name, value, networks)
            types += declared
        except Mistake as mistake:
            wrong.append(f"{visible(name)[:60]!r}: {str(mistake).rstrip('.')}")
    options = {name: _option(name, value, wrong) for name, value in said.items()}
    if not isinstance(given, dict):
        wrong.append("`columns` is a table, [columns], with a line for each column")
    if wrong:
        raise Mistake(f"{path} cannot be used: {'; '.join(wrong)}.")
    return Reading(
        columns=found,
        types=tuple(types),
        sheet=options.get("sheet", ""),
        encoding=options.get("encoding", ""),
        delimiter=options.get("delimiter", ""),
        habits=Habits(decimal=options.get("decimal", ""), dates=options.get("dates", "")),
    )


def _option(name: str, value: object, wrong: list[str]) -> str:
    if name not in _OPTIONS:
        wrong.append(f"there is no {visible(name)[:40]!r}; there are: {', '.join(_OPTIONS)}, columns")
    elif not isinstance(value, str) or value not in _CHOICES.get(name, (value,)):
        wrong.append(f"{name} is a text" + (f", one of {', '.join(map(repr, _CHOICES[name]))}" * (name in _CHOICES)))
    return value if isinstance(value, str) else ""


def _column(name: str, value: object, networks: Collection[str]) -> tuple[Target, list[FieldType]]:
    if isinstance(value, str):
        return columns.target(value, networks, called=name), []
    if not isinstance(value, dict) or not isinstance(value.get("field", name), str):
        raise Mistake('Write what it is, such as "name", or { field = "balance", type = "money", currency = "EUR" }.')
    strange = sorted(set(value) - {"field", "type", "currency", "choices"})
    if strange:
        raise Mistake(f"There is no {strange[0]!r}; there are: field, type, currency, choices.")
    called = columns.target("field", networks, called=str(value.get("field") or name))
    choices = value.get("choices", [])
    texts = {key: value.get(key, "") for key in ("type", "currency")}
    plain = isinstance(choices, list) and all(isinstance(each, str) for each in [*choices, *texts.values()])
    if not plain:
        raise Mistake("type and currency are texts, and choices a list of texts.")
    kind = texts["type"] or "text"
    return called, [
        field_values.declared(called[1], kind, currency=texts["currency"], choices=tuple(map(str, choices)))
    ]


def written(reading: Reading, header: Mapping[str, Target]) -> str:
    """A mapping file that says the same, its columns by the names in the file."""
    options = {
        "sheet": reading.sheet,
        "encoding": reading.encoding,
        "delimiter": reading.delimiter,
        "decimal": reading.habits.decimal,
        "dates": reading.habits.dates,
    }
    types = {each.name: each for each in reading.types}
    lines = [f"{name} = {_toml(value)}" for name, value in options.items() if value]
    lines += ["", "[columns]"] if lines else ["[columns]"]
    for name, (kind, of) in header.items():
        lines.append(f"{_toml(name)} = {_said(kind, of, types.get(of) if kind == 'field' else None)}")
    return "\n".join(lines) + "\n"


def _said(kind: str, of: str, declared: FieldType | None) -> str:
    if declared is None:
        return _toml(f"{kind}:{of}" if of else kind or columns.IGNORE)
    parts: dict[str, Any] = {"field": of, "type": declared.kind.value}
    parts |= {"currency": declared.currency} if declared.currency else {}
    parts |= {"choices": list(declared.choices)} if declared.choices else {}
    return "{ " + ", ".join(f"{name} = {_toml(value)}" for name, value in parts.items()) + " }"


def _toml(value: str | list[str]) -> str:
    """Text or a list of texts as TOML writes them; it shares JSON's strings."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
