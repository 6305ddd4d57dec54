"""Personal data that must not stand in a public reply: addresses, phones, cards, accounts, identity numbers.

Formats and check digits come from python-stdnum, so that an order number is seldom taken for a card.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from stdnum import iban, luhn
from stdnum.ar import cuit
from stdnum.es import cif, dni, nie

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_REFERENCE = re.compile(r"\b[A-Z]{2,5}-\d{2}-\d{4,12}-\d\b")
_DATE = re.compile(r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/(?:\d{4}|\d{2}))\b")
_DIGITS = re.compile(r"(?<![\w])(?:\+|\(?00)?\(?\d(?:[ ().\-/]{0,2}\d){6,22}(?![\w])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_IDENTITY = re.compile(r"\b(?:[A-Z][ -]?(?:\d[ .-]?){7}[ -]?[A-Z0-9]|(?:\d[ .]?){7,8}[ -]?[A-Z])\b", re.IGNORECASE)


def personal_data(text: str, allowed: Iterable[str] = ()) -> tuple[str, ...]:
    """What kinds of personal data `text` holds, each once, such as `an e-mail address`; never the data itself.

    `allowed`: the company's own addresses and numbers, which may stand anywhere.
    """
    for contact in allowed:
        text = text.replace(contact, " … ")
    text = _REFERENCE.sub(" … ", text)
    kinds = ["an e-mail address"] if _EMAIL.search(text) else []
    text = _DATE.sub(" … ", _EMAIL.sub(" … ", _LINK.sub(" … ", text)))
    kinds += _numbers(text)
    return tuple(dict.fromkeys(kinds))


def _numbers(text: str) -> Iterator[str]:
    for match in _IBAN.finditer(text):
        if _any_prefix_is_iban(match.group()):
            yield "a bank account (IBAN)"
    for match in _IDENTITY.finditer(text):
        compact = re.sub(r"[ .\-]", "", match.group()).upper()
        if dni.is_valid(compact) or nie.is_valid(compact) or cif.is_valid(compact):
            yield "an identity or tax number"
    for match in _DIGITS.finditer(text):
        kind = _kind_of_digits(match.group())
        if kind:
            yield kind


def _any_prefix_is_iban(candidate: str) -> bool:
    """Whether it begins with a valid IBAN; a word after it may have been caught as well."""
    words = candidate.upper().split()
    return any(_valid(iban.is_valid, "".join(words[:end])) for end in range(1, len(words) + 1))


def _valid(check: Callable[[str], bool], number: str) -> bool:
    return bool(check(number))


def _kind_of_digits(candidate: str) -> str:
    digits = re.sub(r"\D", "", candidate)
    if len(digits) == 11 and cuit.is_valid(digits):
        return "a tax number (CUIT)"
    if 13 <= len(digits) <= 19 and luhn.is_valid(digits):
        return "a card number"
    international = candidate.lstrip("(").startswith(("+", "00"))
    if (international and 8 <= len(digits) <= 17) or 9 <= len(digits) <= 11:
        return "a phone number"
    return ""
