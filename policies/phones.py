"""Phone numbers in a text, told from order numbers, prices and other rows of digits.

Which numbers there are comes from `phonenumbers`, a table of the world's numbering plans. Nearly every row of nine or
ten digits is somebody's number somewhere, so how it is written and what stands around it count as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

# Where Spanish and English are spoken to customers: a number without its country is read as one of these.
REGIONS = (
    *("ES", "MX", "AR", "CO", "CL", "PE", "EC", "UY", "VE", "DO", "BO", "PY", "CR", "PA", "GT", "HN", "SV", "NI"),
    *("CU", "US", "GB"),
)
MOST_LOOKED_AT = 40  # rows of digits in one text; what comes after them counts as a number by its length alone
AROUND = 40  # characters read before and after a number


_SEPARATORS = re.compile(r"[^0-9]+")
_GROUP = re.compile(r"\d+")
_NUMBERED = re.compile(
    r"(?:#|\b(?:pedidos?|[oó]rden(?:es)?|orders?|tickets?|casos?|cases?|facturas?|invoices?|expedientes?|reservas?"
    r"|bookings?|reservations?|referencias?|references?|ref|tracking|seguimiento|rastreo|localizador|c[oó]digos?|codes?"
    r"|series?|serial|imei|isbn|ean|sku|contratos?|contracts?|p[oó]lizas?|polic(?:y|ies)|gu[ií]as?|env[ií]os?|paquetes?"
    r"|parcels?|shipments?|incidencias?|reclamos?|reclamaci[oó]n|tr[aá]mites?|solicitud|folio|lote|vuelos?|flights?"
    r"|transacci[oó]n|transaction|operaci[oó]n|comprobante|recibos?|receipts?|id)\b)[^0-9\n]{0,20}$",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"\b(?:tel[eé]fonos?|tel|tlf|tfno|tfn|m[oó]vil(?:es)?|celular(?:es)?|cel|whats?app|wsp|wasap|fax|phones?|mobile|cell"
    r"|ll[aá]m\w+|marc[aáoqu]\w*|call(?:ing|ed)?|ring|dial|sms|text|contact\w*|ext(?:ensi[oó]n)?)\b[^0-9\n]{0,25}$",
    re.IGNORECASE,
)
_MONEY_BEFORE = re.compile(r"(?:[€$£]|\b(?:usd|eur|mxn|ars|clp|cop|pen|s/|bs))\.?\s{0,2}$", re.IGNORECASE)
_MONEY_AFTER = re.compile(
    r"^(?:[.,]\d{1,2})?\s{0,2}(?:[€$£%]|(?:euros?|eur|usd|d[oó]lares|dollars|pesos?|soles|bol[ií]vares|libras|pounds"
    r"|mxn|ars|clp|cop|millones|millions?|km|kwh|mb|gb|bytes)\b)",
    re.IGNORECASE,
)
# Thousands, round millions, a decimal: `1.250.000`, `300 000 000`, `40.4167754`.
_AMOUNT = re.compile(r"\d{1,2}(?:\.\d{3}){2,}|\d{1,3}(?:[ .]000){2,}|\d+\.\d{1,2}|1?\d{1,2}\.\d{4,}")
_YEARS = re.compile(r"(?:(?:19|20)\d{2}[ ./-]{1,3})+(?:19|20)\d{2}")


class Phones:
    """Looks through one text; what it has looked at counts towards `MOST_LOOKED_AT`."""

    def __init__(self) -> None:
        self._looked = 0

    def find(self, row: str, *, before: str, after: str) -> tuple[int, int] | None:
        """Where in a row of digits with its separators the first phone number stands, by what stands around it too."""
        if len(_SEPARATORS.sub("", row)) < 7:
            return None
        named = bool(_CALLED.search(before[-AROUND:]))
        if not named and _is_something_else(row, before[-AROUND:], after[:AROUND]):
            return None
        self._looked += 1
        for start, end in _parts(row):
            candidate = row[start:end]
            digits = _SEPARATORS.sub("", candidate)
            if self._looked > MOST_LOOKED_AT and len(digits) >= 9:
                return start, end
            if self._looked <= MOST_LOOKED_AT and _is_phone(candidate, digits, named=named):
                return start, end
        return None


def _is_phone(candidate: str, digits: str, *, named: bool) -> bool:
    if candidate.startswith("+"):
        return _is_possible(digits)
    if digits.startswith("00") and _is_valid_abroad(digits[2:]):
        return True
    return _is_national(digits, named=named)


def _is_something_else(candidate: str, before: str, after: str) -> bool:
    if _NUMBERED.search(before) or _MONEY_BEFORE.search(before) or _MONEY_AFTER.search(after):
        return True
    return bool(_AMOUNT.fullmatch(candidate) or _YEARS.fullmatch(candidate))


def _parts(row: str) -> Iterator[tuple[int, int]]:
    """The whole, then what it begins with up to each gap, then what it ends with, then each group: two numbers in a
    row look like one.
    """
    groups = [match.span() for match in _GROUP.finditer(row)]
    begins = next((at for at, sign in enumerate(row) if sign in "+0123456789"), 0)
    sizes = [end - start for start, end in groups]
    fits = range(7, 18)
    if sum(sizes) in fits:
        yield begins, groups[-1][1]
    for last in range(len(groups) - 2, -1, -1):
        if 9 <= sum(sizes[: last + 1]) <= 17:
            yield begins, groups[last][1]
    for first in range(1, len(groups)):
        if 9 <= sum(sizes[first:]) <= 17 and (first == len(groups) - 1 or sum(sizes) > 17):
            yield groups[first][0], groups[-1][1]
    for start, end in groups[1:-1]:
        if 9 <= end - start <= 17:
            yield start, end


def _is_national(digits: str, *, named: bool) -> bool:
    """Whether it is somebody's number at home; eight digits and fewer only where a word calls it a phone."""
    if not (7 if named else 9) <= len(digits) <= 13:
        return False
    return any(_is_valid(digits, region) for region in REGIONS)


@lru_cache(maxsize=4096)
def _is_valid(digits: str, region: str) -> bool:
    try:
        return bool(phonenumbers.is_valid_number_for_region(phonenumbers.parse(digits, region), region))
    except phonenumbers.NumberParseException:
        return False


def _is_valid_abroad(digits: str) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}")))
    except phonenumbers.NumberParseException:
        return False


def _is_possible(digits: str) -> bool:
    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(f"+{digits}")))
    except phonenumbers.NumberParseException:
        return False
