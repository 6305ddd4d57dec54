"""A policy's values as plain data, and as they would be written in a file, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel

from policies.amounts import Comparison
from policies.calendars import Region, Window
from policies.records import Asked
from policies.shares import InPercent, percent
from policies.words import shown

MANY = 12  # things in a list that are still listed
_SHORT = {"reply": "template", "case": "team"}  # what may stand alone after the key
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def tree(value: Any) -> Any:
    """Models as mappings by the names that people write, sequences as tuples; what is not set is left out."""
    if isinstance(value, BaseModel):
        fields = {field.alias or name: getattr(value, name) for name, field in type(value).model_fields.items()}
        given = {**fields, **(value.__pydantic_extra__ or {})}
        if isinstance(value, InPercent):
            given = {key: percent(inner) if isinstance(inner, float) else inner for key, inner in given.items()}
        return {key: tree(inner) for key, inner in given.items() if not _is_left_out(inner)}
    if isinstance(value, Mapping):
        return {str(key): tree(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(tree(inner) for inner in value)
    return value


def _is_left_out(value: Any) -> bool:
    """Whether a key that is not written would say the same. A block is said even where nothing stands in it."""
    return value is None or (isinstance(value, str | tuple | Mapping) and not value)


def inline(key: str, value: Any) -> str:
    """`key: value` as YAML has it in one line, or the value alone where the key is empty."""
    if isinstance(value, Mapping) and list(value) == [_SHORT.get(key)]:
        value = value[_SHORT[key]]
    said = _written(value, nested=bool(key))
    return f"{key}: {said}" if key else said


def written(given: Any, limit: int = 60) -> str:
    """What stands in a file, in one line as YAML has it: `{auto: 10%}`, `[a, b]`, `true`."""
    return shown(given, limit) if isinstance(given, str) else shown(_written(_as_tuples(given), nested=True), limit)


def _as_tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_tuples(inner) for key, inner in value.items()}
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


def quoted(text: str) -> str:
    """Words of people in quotes, in one line."""
    return f"“{' '.join(text.split())}”"


def _written(value: Any, *, nested: bool) -> str:  # noqa: PLR0911
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case timedelta():
            return _span(value)
        case Comparison():
            return value.text.removeprefix("= ")
        case Asked():
            return value.text
        case date() | Window() | Region():
            return str(value)
        case Enum():
            return str(value.value)
        case str():
            bare = value.removesuffix("%").replace(".", "") if value.endswith("%") else value
            plain = value.isascii() and bare.replace("_", "").replace("-", "").isalnum()
            return value if plain else quoted(value)
        case tuple():
            more = f", … {len(value)} in all" if len(value) > MANY else ""
            return f"[{', '.join(_written(each, nested=True) for each in value[:MANY])}{more}]"
        case Mapping():
            said = ", ".join(inline(key, inner) for key, inner in value.items())
            return f"{{{said}}}" if nested else said
    return str(value)


def _span(span: timedelta) -> str:
    """As it is written, to the second: `1d12h`."""
    left = int(span.total_seconds())
    parts = []
    for unit, seconds in _UNITS:
        amount, left = divmod(left, seconds)
        parts += [f"{amount}{unit}"] if amount else []
    return "".join(parts) or "0s"
