"""Amounts as people write them: `15m`, `4h`, `2d`; `>= 10000`, `< 2h`, `>= 80%`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from policies.words import shown

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?:\d{1,6}[smhdw] ?)+")
_PART = re.compile(r"(\d{1,6})([smhdw])")
_COMPARISON = re.compile(r"\s*(>=|<=|>|<|==?)?\s*(.+?)\s*")
_NUMBER = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(%|k)?")
_SIGNED = re.compile(r"([-+−]?[0-9]{1,6})")
_LONGEST = timedelta(days=366)

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A test against one number: `sign` and `number`, and `text` as it was written."""

    sign: str
    number: float
    text: str

    def holds(self, number: float) -> bool:
        """Whether `number` passes."""
        return _OPERATORS[self.sign](number, self.number)


def duration(value: object) -> timedelta:
    """`15m`, `4h`, `2d`, `1h30m` as a time span of at most 366 days. Raises ValueError with a sentence."""
    text = value.strip().casefold() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"`{shown(value)}` is not a time span; write it like 15m, 4h, 2d or 1h30m")
    total = timedelta()
    for number, unit in _PART.findall(text):
        total += timedelta(**{_UNITS[unit]: int(number)})
    if not timedelta() < total <= _LONGEST:
        raise ValueError(f"`{shown(value)}` is not a usable time span; write one between 1s and 366d")
    return total


def number_comparison(value: object) -> Comparison:
    """`>= 10000`, `< 5`, `10k` or a bare number (exactly that). Raises ValueError with a sentence."""
    sign, rest, text = _split(value)
    match = _NUMBER.fullmatch(rest.replace("_", ""))
    if match is None:
        raise ValueError(f'`{shown(value)}` is not a comparison; write it like `">= 10"` or `"< 3"`')
    scale = {"%": 0.01, "k": 1000.0}.get(match[2] or "", 1.0)
    return Comparison(sign=sign, number=float(match[1]) * scale, text=text)


def signed_comparison(value: object) -> Comparison:
    """`>= 60`, `< -10` or a bare whole number, below 0 too (exactly that). Raises ValueError with a sentence."""
    sign, rest, _ = _split(value)
    match = _SIGNED.fullmatch(rest)
    if match is None:
        raise ValueError(f'`{shown(value)}` is not a comparison of points; write it like `">= 60"` or `"< -10"`')
    number = int(match[1].replace("−", "-"))
    return Comparison(sign=sign, number=number, text=f"{sign} {number}")


def duration_comparison(value: object) -> Comparison:
    """`> 2d`, `<= 15m`: a comparison with a time span, in seconds. Raises ValueError with a sentence."""
    sign, rest, text = _split(value)
    try:
        span = duration(rest)
    except ValueError:
        raise ValueError(f'`{shown(value)}` is not a comparison with a time span; write it like `"> 2d"`') from None
    return Comparison(sign=sign, number=span.total_seconds(), text=text)


def spoken(span: timedelta) -> str:
    """A time span as a person says it, to two units: `2d 4h`, `15m`."""
    left = int(max(span.total_seconds(), 0))
    parts = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        amount, left = divmod(left, seconds)
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2]) or "0s"


def _split(value: object) -> tuple[str, str, str]:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f'`{shown(value)}` is not a comparison; write it like `">= 10"`')
    text = str(value)[:60].strip()
    match = _COMPARISON.fullmatch(text.casefold())
    if match is None:
        raise ValueError('a comparison is empty; write it like `">= 10"`')
    sign = {"==": "=", None: "="}.get(match[1], match[1])
    return sign, match[2], text if match[1] else f"= {text}"
