"""Identity, tax and bank numbers of Spain, Spanish America and the United States in a text.

Shapes are ours; whether a number can exist at all (check digit, date, province) python-stdnum tells. Where neither says
enough, a word before it must name it: eight digits alone are an order number as often as a DNI.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import iban, luhn
from stdnum.ar import cbu, cuit
from stdnum.cl import rut as cl_rut
from stdnum.co import nit as co_nit
from stdnum.do import cedula, rnc
from stdnum.ec import ci as ec_ci
from stdnum.ec import ruc as ec_ruc
from stdnum.es import ccc, cif, dni, nie
from stdnum.gt import nit as gt_nit
from stdnum.mx import curp, rfc
from stdnum.pe import ruc as pe_ruc
from stdnum.py import ruc as py_ruc
from stdnum.sv import nit as sv_nit
from stdnum.us import itin, ssn
from stdnum.uy import rut as uy_rut
from stdnum.ve import rif

PERSON = "an identity or tax number"
ACCOUNT = "a bank account"

_SEPARATORS = re.compile(r"[ .\-]")
_GAP = r"[ .,\-/:]{0,3}"
_IBAN = re.compile(rf"(?=([A-Z]{{2}}{_GAP}\d{_GAP}\d(?:{_GAP}[A-Z0-9]){{11,30}}))", re.IGNORECASE)
_IBANS = range(15, 35)  # characters
_NAMED = re.compile(  # what a word names needs no check digit
    r"\b(?:d\.?n\.?i\.?|n\.?i\.?[fe]\.?|c[eé]dula(?: de (?:identidad|ciudadan[ií]a))?|documento(?: de identidad)?"
    r"|c\.i\.|c\.c\.|carn[eé]t? de identidad|pasaporte|passport|cui|ssn|social security(?: number)?|national insurance"
    r"|seguridad social|nss)(?![^\W\d])[^0-9A-Z\n]{0,4}(?:(?:n[º°o.]{1,2}|n[uú]mero|number|no\.|es|is|:)[ :]{0,2}){0,2}"
    r"(?:[A-Z]{1,3}-?)?(?P<number>\d[\d .\-]{4,13}\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One kind of number: what it looks like, and the check that its digits must pass."""

    name: str
    shape: re.Pattern[str]
    valid: Callable[[str], bool]


def _kind(name: str, shape: str, *valid: Callable[[str], bool]) -> _Kind:
    return _Kind(
        name=name,
        shape=re.compile(rf"(?<![\w.\-])(?:{shape})(?![\w\-])", re.IGNORECASE),
        valid=lambda number: any(check(number) for check in valid),
    )


def _rfc(number: str) -> bool:
    return bool(rfc.is_valid(number, validate_check_digits=True))


def _said(words: str, shape: str) -> str:
    """A shape that counts after one of these words only; the words are part of what is found."""
    return rf"(?:{words})[^0-9A-Z\n]{{0,4}}(?:(?:n[º°o]|n[uú]mero|es|is)[ :.]{{0,2}})?(?P<number>{shape})"


_KINDS = (
    _kind(PERSON, r"(?:[XYZ]|[A-HJNP-SUVW])[ -]?(?:\d[ .\-]?){7}[ -]?[A-Z0-9]", nie.is_valid, cif.is_valid),
    _kind(PERSON, r"(?:\d[ .\-]?){7,8}[ -]?[A-Z]", dni.is_valid),
    _kind(f"{PERSON} (RFC)", r"[A-ZÑ&]{3,4}[ -]?\d{6}[ -]?[A-Z0-9]{2}[A0-9]", _rfc),
    _kind(f"{PERSON} (CURP)", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", curp.is_valid),
    _kind(f"{PERSON} (RUT)", r"\d{1,2}\.?\d{3}\.?\d{3}-[\dK]", cl_rut.is_valid),
    _kind(f"{PERSON} (RUT)", _said(r"rut|run", r"\d{7,8}[\dK]|\d{12}"), cl_rut.is_valid, uy_rut.is_valid),
    _kind(f"{PERSON} (RUT)", r"(?:0[1-9]|1\d|2[0-2])\d{6}001\d", uy_rut.is_valid),
    _kind(f"{PERSON} (NIT)", r"\d{3}\.\d{3}\.\d{3}-\d", co_nit.is_valid),
    _kind(f"{PERSON} (NIT)", r"\d{4}-\d{6}-\d{3}-\d", sv_nit.is_valid),
    _kind(f"{PERSON} (NIT)", _said("nit", r"[\d.]{6,12}-?[\dK]"), co_nit.is_valid, gt_nit.is_valid, sv_nit.is_valid),
    _kind(f"{PERSON} (RUC)", r"(?:10|15|16|17|20)\d{9}", pe_ruc.is_valid),
    _kind(f"{PERSON} (RUC)", r"\d{10}001", ec_ruc.is_valid),
    _kind(f"{PERSON} (RUC)", _said("ruc", r"\d{5,8}-?\d"), py_ruc.is_valid),
    _kind(PERSON, _said(r"c[eé]dula|c\.?i\.?", r"\d{9}-?\d"), ec_ci.is_valid),
    _kind(f"{PERSON} (RIF)", r"[VEJPG]-?\d{8}-?\d", rif.is_valid),
    _kind(PERSON, r"\d{3}-\d{7}-\d", cedula.is_valid),
    _kind(f"{PERSON} (RNC)", r"\d-\d{2}-\d{5}-\d", rnc.is_valid),
    _kind(f"{PERSON} (RNC)", _said("rnc", r"\d{9}"), rnc.is_valid),
    _kind(f"{PERSON} (SSN)", r"\d{3}-\d{2}-\d{4}", ssn.is_valid, itin.is_valid),
    _kind(ACCOUNT, r"\d{4}[ -]?\d{4}[ -]?\d{2}[ -]?\d{10}", ccc.is_valid),
    _kind(f"{ACCOUNT} (CBU)", r"\d{22}", cbu.is_valid),
)

_CARDS = re.compile(  # who issues cards, and how long theirs are: other numbers that pass the check are other things
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|3(?:52[89]|5[3-8]\d)\d{12}|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}|5(?:0|[6-8])\d{11,17}|6[37]\d{11,17}"
)
_GROUP = re.compile(r"\d+")
_CARD_GROUPS = frozenset({(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), *((size,) for size in range(13, 20))})


def numbers_of_people(text: str) -> Iterator[tuple[str, int, int]]:
    """Identity, tax and bank numbers in a text: what kind, where it begins and ends."""
    yield from _ibans(text)
    for kind in _KINDS:
        for match in kind.shape.finditer(text):
            number = match.group("number") if "number" in kind.shape.groupindex else match.group()
            if kind.valid(_SEPARATORS.sub("", number).upper()):
                yield kind.name, *match.span()
    for match in _NAMED.finditer(text):
        yield PERSON, *match.span()


def is_cuit(digits: str) -> bool:
    """Whether eleven digits are an Argentine tax number."""
    return len(digits) == 11 and bool(cuit.is_valid(digits))


def is_card(digits: str) -> bool:
    """Whether so many digits are a payment card's number: its issuer's range and length, and the check digit."""
    return bool(_CARDS.fullmatch(digits)) and bool(luhn.is_valid(digits))


def card_in(row: str) -> tuple[int, int] | None:
    """Where in a row of digits and gaps a card's number stands: all of it, its beginning, or a piece written like one.

    Pieces begin and end at gaps: within a longer number that nobody parted, some piece nearly always passes the check.
    """
    groups = [(match.start(), match.end()) for match in _GROUP.finditer(row)]
    for first, (start, _) in enumerate(groups):
        digits, shape = "", []
        for begin, end in groups[first:]:
            digits += row[begin:end]
            shape.append(end - begin)
            if len(digits) > 19:
                break
            if (first == 0 or end == len(row) or tuple(shape) in _CARD_GROUPS) and is_card(digits):
                return start, end
    return None


def _ibans(text: str) -> Iterator[tuple[str, int, int]]:
    """Accounts by their IBAN, with whatever stands between its signs, and whatever is written up against it."""
    ends = 0
    for match in _IBAN.finditer(text):
        start = match.start(1)
        if start < ends:
            continue
        signs = [(start + at, sign) for at, sign in enumerate(match.group(1)) if sign.isalnum()]
        compact = "".join(sign for _, sign in signs).upper()
        # Apart from its digits the country is a word of two letters: `no 12 …`, `de 20 …`.
        apart = signs[2][0] - signs[1][0] > 1
        if apart and text[start - 1 : start].isalnum():
            continue
        shortest = 20 if apart and not match.group(1)[:2].isupper() else _IBANS.start
        for length in range(shortest, min(len(compact), _IBANS.stop - 1) + 1):
            if _adds_up(compact[:length]) and iban.is_valid(compact[:length]):
                ends = signs[length - 1][0] + 1
                yield f"{ACCOUNT} (IBAN)", start, ends
                break


def _adds_up(compact: str) -> bool:
    """Whether the check digits of an IBAN fit, which few rows of signs pass and is quickly found out (ISO 13616)."""
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1
