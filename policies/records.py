"""What is asked of a customer's further fields, by the types that the company declared.

    customer.fields: {plan: [gold, fibre 600], balance: "> 100 EUR", customer since: "< 2024-01-01", roaming: yes}

After a sign stands a number, an amount or a day, and only a field of such a type can pass, or one without a type whose
text reads as one. Without a sign stand words, and the field is one of them. Capitals do not matter, neither in names
nor in words.
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
_MONEY = re.compile(r"(.+?)\s*([A-Z]{3})?")
_YES, _NO = frozenset({"yes", "true", "si", "sí", "1"}), frozenset({"no", "false", "0"})
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one field must be: one of the `words`, or a number or day that passes `sign`. `text`: as written.

    `currency`: of the amount, "" where any will do.
    """

    text: str
    words: frozenset[str] = frozenset()
    sign: str = ""
    number: float | None = None
    on: date | None = None
    currency: str = ""

    def holds(self, value: object, kind: str = "") -> bool:
        """Whether a field with that value passes; `kind`: what it holds, as declared, "" where nobody said."""
        if not self.sign:
            return self._is_word(value, kind)
        if kind in ("text", "choice", "yes_no"):
            return False
        if self.on is not None:
            day_seen = _day_in(value) if kind in ("", "date") else None
            return day_seen is not None and _SIGNS[self.sign](day_seen, self.on)
        seen, currency = _amount_in(value) if kind in ("", "money") else (number_in(value), "")
        if kind == "date" or seen is None or (self.currency and currency != self.currency):
            return False
        return _SIGNS[self.sign](seen, self.number)

    def _is_word(self, value: object, kind: str) -> bool:
        if _text(value).casefold() in self.words:
            return True
        if kind == "yes_no" or isinstance(value, bool):
            return bool(self.words & (_YES if _text(value) == "true" else _NO))
        if kind in ("number", "money"):
            seen, currency = _amount_in(value)
            return seen is not None and (seen, currency) in {_amount_in(word.upper()) for word in self.words}
        return False


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


def _amount_in(value: object) -> tuple[float | None, str]:
    """Amount and currency of `12.50 EUR`."""
    match = _MONEY.fullmatch(_text(value))
    return (number_in(match[1]), match[2] or "") if match else (None, "")


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
    number, currency = _amount_in(rest)
    if number is not None:
        return Asked(text=texts[0], sign=sign, number=number, currency=currency)
    try:
        return Asked(text=texts[0], sign=sign, on=day(rest))
    except ValueError:
        raise ValueError(
            f"`{shown(rest)}` is neither a number nor a day; after `{sign}` write one, like 100, 12.50 EUR or "
            "2026-12-24"
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
