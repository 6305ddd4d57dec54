"""What a cell means under a declared type, and how a value is shown. Pure.

    number  1234.5          money   "12.50 EUR"          date  "2026-12-24"
    yes_no  True            choice  one of the choices   text  as it is

What could be two things (`1.234`, `03/04/2026`) is refused until somebody says which, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from listener.errors import Mistake
from listener.escapes import visible
from listener.store.field_types import FieldKind, FieldType

Value = str | int | float | bool

YES = frozenset({"yes", "y", "true", "1", "si", "sí", "s", "verdadero", "x"})
NO = frozenset({"no", "n", "false", "0", "falso"})

_DIGITS = re.compile(r"[-+]?\d[\d.,'\u00a0\u202f ]*")
_CURRENCY = re.compile("[A-Z]{3}")
_SIGNS: Mapping[str, str] = {"€": "EUR", "£": "GBP", "¥": "JPY", "₡": "CRC", "R$": "BRL", "S/": "PEN", "US$": "USD"}
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]00:00(?::00)?)?")
_OTHER = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How the file writes things. `decimal`: "." or ","; `dates`: "day" or "month" first; "" where nobody said."""

    decimal: str = ""
    dates: str = ""


UNSAID = Habits()


def read(kind: FieldType, text: str, habits: Habits = UNSAID) -> Value:  # noqa: PLR0911
    """The value that the text stands for, "" for none. Raises Mistake in one sentence."""
    if not text:
        return ""
    match kind.kind:
        case FieldKind.TEXT:
            return text
        case FieldKind.NUMBER:
            return _plain(number(text, habits))
        case FieldKind.MONEY:
            amount, currency = money(text, habits, kind.currency)
            return f"{amount:f} {currency}".strip()
        case FieldKind.DATE:
            return day(text, habits).isoformat()
        case FieldKind.YES_NO:
            return yes_or_no(text)
        case FieldKind.CHOICE:
            return _choice(kind, text)


def number(text: str, habits: Habits = UNSAID) -> Decimal:
    """`1234.5`, `1.234,5`, `1,234.5`. Raises Mistake for what is none, or could be two."""
    bare = text.strip()
    if not _DIGITS.fullmatch(bare) or len(bare) > 30:
        raise Mistake(f"{visible(text)[:40]!r} is no number.")
    bare = re.sub(r"['\u00a0\u202f ]", "", bare)
    marks = [character for character in bare if character in ".,"]
    decimal = habits.decimal
    if not decimal and marks:
        if len(set(marks)) == 2:
            decimal = marks[-1]
        elif len(marks) > 1:
            decimal = "," if marks[0] == "." else "."
        else:
            before, _, after = bare.lstrip("+-").partition(marks[0])
            if len(after) == 3 and 1 <= len(before) <= 3 and before != "0":
                raise Mistake(
                    f"{bare!r} could be a thousand or a fraction; say which with `decimal` in the mapping file."
                )
            decimal = marks[0]
    grouped = "," if decimal == "." else "."
    whole, _, fraction = bare.partition(decimal) if decimal else (bare, "", "")
    groups = whole.lstrip("+-").split(grouped)
    well = all(group.isdigit() and len(group) == 3 for group in groups[1:]) and len(groups[0]) >= 1
    if not well or (len(groups) > 1 and len(groups[0]) > 3) or (fraction and not fraction.isdigit()):
        raise Mistake(f"{visible(text)[:40]!r} is no number.")
    value = Decimal(f"{'-' if bare.startswith('-') else ''}{''.join(groups)}.{fraction or '0'}")
    return value.normalize() if value else Decimal(0)


def money(text: str, habits: Habits = UNSAID, currency: str = "") -> tuple[Decimal, str]:
    """Amount and currency, three letters; `currency` where the text names none. Raises Mistake."""
    rest = text.strip()
    said = ""
    for sign, letters in _SIGNS.items():
        if rest.startswith(sign) or rest.endswith(sign):
            said, rest = letters, rest.removeprefix(sign).removesuffix(sign).strip()
            break
    else:
        if match := re.fullmatch(r"([A-Z]{3})\s*(.+)|(.+?)\s*([A-Z]{3})", rest):
            said, rest = match[1] or match[4], match[2] or match[3]
        elif rest.startswith("$"):  # whose dollar or peso it is, only the declared type can say
            rest = rest[1:].strip()
    if said and currency and said != currency:
        raise Mistake(f"{visible(text)[:40]!r} is in {said}, and the field is in {currency}.")
    try:
        amount = number(rest, habits)
    except Mistake as mistake:
        raise Mistake(str(mistake).replace("is no number", "is no amount of money")) from None
    return amount.quantize(Decimal("0.01")) if int(amount.as_tuple().exponent) >= -2 else amount, said or currency


def day(text: str, habits: Habits = UNSAID) -> date:
    """`2026-12-24`, `24/12/2026`. Raises Mistake for what is none, or could be two."""
    bare = text.strip()
    try:
        if match := _ISO.fullmatch(bare):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := _OTHER.fullmatch(bare):
            first, second, year = (int(part) for part in match.groups())
            if habits.dates != "month" and (habits.dates == "day" or first > 12 or first == second):
                return date(year, second, first)
            if habits.dates == "month" or second > 12:
                return date(year, first, second)
            raise Mistake(
                f"{bare!r} could be two days; say whether the day or the month comes first with `dates` in the "
                "mapping file."
            )
    except ValueError:
        pass
    raise Mistake(f"{visible(text)[:40]!r} is no day; write it like 2026-12-24.")


def yes_or_no(text: str) -> bool:
    """Yes or no, in English or Spanish. Raises Mistake."""
    word = text.strip().casefold()
    if word in YES:
        return True
    if word in NO:
        return False
    raise Mistake(f"{visible(text)[:40]!r} is neither yes nor no.")


def _choice(kind: FieldType, text: str) -> str:
    found = next((each for each in kind.choices if each.casefold() == text.strip().casefold()), None)
    if found is None:
        some = ", ".join(kind.choices[:12]) + (", …" if len(kind.choices) > 12 else "")
        raise Mistake(f"{visible(text)[:40]!r} is none of the choices: {some}.")
    return found


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)


def declared(name: str, kind: str, *, currency: str = "", choices: tuple[str, ...] = ()) -> FieldType:
    """A type as people declare it. Raises Mistake."""
    try:
        made = FieldKind(kind.strip().casefold().replace("-", "_").replace("/", "_").replace(" ", "_"))
    except ValueError:
        raise Mistake(
            f"{visible(kind)[:40]!r} is no type of field; there are: {', '.join(each.value for each in FieldKind)}."
        ) from None
    if not name.strip() or len(name) > 100 or visible(name) != name:
        raise Mistake(f"{visible(name)[:40]!r} is no field's name.")
    currency = currency.strip().upper()
    if currency and (made is not FieldKind.MONEY or not _CURRENCY.fullmatch(currency)):
        raise Mistake("A currency is three letters, such as EUR, and only money has one.")
    choices = tuple(dict.fromkeys(" ".join(choice.split()) for choice in choices if choice.strip()))
    if (made is FieldKind.CHOICE) is not bool(choices) or len(choices) > 200:
        raise Mistake("A choice needs its choices, 200 at most, and nothing else has any.")
    return FieldType(name=" ".join(name.split()), kind=made, currency=currency, choices=choices)
