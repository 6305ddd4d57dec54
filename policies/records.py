"""What is asked of a customer's further fields, as the company imported them: text, whatever it means.

    customer.fields: {plan: [gold, fibre 600], arrears: "> 0", customer since: "< 2024-01-01"}

After a sign stands a number or a day, and only a field that reads as one can pass; without a sign stand words, and the
field is one of them. Capitals do not matter, neither in names nor in words.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from policies.calendars import day
from policies.fields import sentences
from policies.words import shown

_SIGNED = re.compile(r"(>=|<=|>|<|=)\s*(.+)")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_COMMA = re.compile(r"-?\d{1,15},\d{1,9}")
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one field must be: one of the `words`, or a number or day that passes `sign`. `text`: as written."""

    text: str
    words: frozenset[str] = frozenset()
    sign: str = ""
    number: float | None = None
    on: date | None = None

    def holds(self, value: object) -> bool:
        """Whether a field with that value passes."""
        if not self.sign:
            return _text(value).casefold() in self.words
        seen = number_in(value) if self.on is None else _day_in(value)
        return seen is not None and _SIGNS[self.sign](seen, self.number if self.on is None else self.on)


def field_of(fields: Mapping[str, Any], name: str) -> object:
    """The field of that name whatever its capitals; None where there is none, or nothing in it."""
    value = fields.get(name)
    if value is None:
        wanted = name.casefold()
        value = next((each for key, each in fields.items() if key.casefold() == wanted), None)
    return None if value is None or _text(value) == "" else value


def number_in(value: object) -> float | None:
    """The number a field holds, be its decimals after a point or a comma; None where it holds something else."""
    text = _text(value)
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    return float(text) if _NUMBER.fullmatch(text) else None


def _day_in(value: object) -> date | None:
    try:
        return day(_text(value)[:10])
    except ValueError:
        return None


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value).strip()


def _asked(value: object) -> object:
    """Raises ValueError with a sentence."""
    if isinstance(value, Asked):
        return value
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts = [_text(each) for each in values if isinstance(each, str | int | float)]
    if not texts or len(texts) < len(values) or not all(texts) or max(map(len, texts)) > 120 or len(texts) > 500:
        raise ValueError(f'`{shown(value)}` cannot be compared; write a word, a list of words, or like `"> 100"`')
    if not any(match := _SIGNED.fullmatch(each) for each in texts):
        return Asked(text=shown(" or ".join(texts), 200), words=frozenset(each.casefold() for each in texts))
    if len(texts) > 1 or match is None:
        raise ValueError(f"`{shown(value)}` mixes a comparison with other words; put each into an `any` of its own")
    sign, rest = match[1], match[2].strip()
    number = number_in(rest)
    if number is not None:
        return Asked(text=texts[0], sign=sign, number=number)
    try:
        return Asked(text=texts[0], sign=sign, on=day(rest))
    except ValueError:
        raise ValueError(
            f"`{shown(rest)}` is neither a number nor a day; after `{sign}` write one, like 100 or 2026-12-24"
        ) from None


def _field_name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 100 or not value.isprintable():
        raise ValueError(f"`{shown(value)}` is no field's name; write it as the imported file's first line has it")
    return value.strip()


FieldName = Annotated[str, BeforeValidator(sentences(_field_name), json_schema_input_type=str)]
Fields = Annotated[
    dict[
        FieldName,
        Annotated[
            Asked,
            BeforeValidator(
                sentences(_asked), json_schema_input_type=str | bool | int | float | list[str | bool | int | float]
            ),
        ],
    ],
    Field(min_length=1, max_length=50),
]
