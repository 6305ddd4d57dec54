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
    r"^(?:,\d{1,2})?\s{0,2}(?:[€$£%]|(?:euros?|eur|usd|d[oó]lares|dollars|pesos?|soles|bol[ií]vares|libras|pounds"
    r"|mxn|ars|clp|cop|millones|millions?|km|kwh|mb|gb|bytes)\b)",
    re.IGNORECASE,
)
# Thousands, round millions, a decimal: `1.250.000`, `300 000 000`, `40.4167754`.
_AMOUNT = re.compile(r"\d{1,2}(?:\.\d{3}){2,}|\d{1,3}(?:[ .]000){2,}|\d+\.\d+")


class Phones:
    """Looks through one text; what it has looked at counts towards `MOST_LOOKED_AT`."""

    def __init__(self) -> None:
        self._looked = 0

    def is_phone(self, candidate: str, *, before: str, after: str) -> bool:
        """Whether a row of digits with its separators is a phone number, by itself and by what stands around it."""
        digits = _SEPARATORS.sub("", candidate)
        if not 7 <= len(digits) <= 17:
            return False
        named = bool(_CALLED.search(before[-AROUND:]))
        if not named and _is_something_else(candidate, before[-AROUND:], after[:AROUND]):
            return False
        self._looked += 1
        if self._looked > MOST_LOOKED_AT:
            return len(digits) >= 9
        if candidate.startswith("+"):
            return _is_possible(digits)
        if digits.startswith("00") and _is_valid_abroad(digits[2:]):
            return True
        return any(_is_national(part, named=named) for part in _parts(candidate, digits))


def _is_something_else(candidate: str, before: str, after: str) -> bool:
    if _NUMBERED.search(before) or _MONEY_BEFORE.search(before) or _MONEY_AFTER.search(after):
        return True
    return bool(_AMOUNT.fullmatch(candidate))


def _parts(candidate: str, digits: str) -> Iterator[str]:
    """The whole, then what it begins with up to each gap: two numbers in a row look like one."""
    yield digits
    groups = [group for group in _SEPARATORS.split(candidate) if group]
    for end in range(len(groups) - 1, 0, -1):
        begun = "".join(groups[:end])
        if len(begun) < 9:
            return
        yield begun


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
