"""Personal data that must not stand in a public reply: addresses, phones, cards, accounts, identity numbers.

Check digits and numbering plans come from python-stdnum and phonenumbers, so that an order number, a price or a date is
seldom taken for somebody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from policies.identities import is_card, is_cuit, numbers_of_people
from policies.phones import AROUND, Phones

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_REFERENCE = re.compile(r"\b[A-Z]{2,5}-\d{2}-\d{4,12}-\d\b")
_DATE = re.compile(
    r"\b(?:(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:(?:19|20)\d{2}|\d{2}))(?![\d\-])"
)
_TIME = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b")
_DIGITS = re.compile(r"(?<![\w])(?:\+|\(?00)?\(?\d(?:[ ().\-/]{0,2}\d){6,22}(?![\w])")
_SIGNS = re.compile(r"\D")
_FEWEST = 6  # digits; what holds fewer holds no number of anybody


def personal_data(text: str, allowed: Iterable[str] = ()) -> tuple[str, ...]:
    """What kinds of personal data `text` holds, each once, such as `an e-mail address`; never the data itself.

    `allowed`: the company's own addresses and numbers, which may stand anywhere, whatever the gaps between digits.
    """
    contacts = tuple(allowed)
    for contact in contacts:
        text = text.replace(contact, " … ")
    own = {digits for digits in (_SIGNS.sub("", contact) for contact in contacts) if len(digits) >= 6}
    text = _REFERENCE.sub(" … ", text)
    has_address = "@" in text and _EMAIL.search(text) is not None
    kinds = ["an e-mail address"] if has_address else []
    if _enough_digits(text):
        text = _LINK.sub(" … ", text)
        text = _TIME.sub(" … ", _DATE.sub(" … ", _EMAIL.sub(" … ", text) if has_address else text))
        kinds += _numbers(text, own) if _enough_digits(text) else ()
    return tuple(dict.fromkeys(kinds))


def _enough_digits(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= _FEWEST


def _numbers(text: str, own: set[str]) -> Iterator[str]:
    taken: list[tuple[int, int]] = []
    for kind, start, end in numbers_of_people(text):
        taken.append((start, end))
        yield kind
    phones, found = Phones(), False
    for match in _DIGITS.finditer(text):
        start, end = match.span()
        digits = _SIGNS.sub("", match.group())
        if digits in own or any(begin < end and start < stop for begin, stop in taken):
            continue
        if is_cuit(digits) and not match.group().startswith("+"):
            yield "a tax number (CUIT)"
        elif is_card(digits):
            yield "a card number"
        elif not found and phones.is_phone(
            match.group().lstrip("("), before=text[max(0, start - AROUND) : start], after=text[end : end + AROUND]
        ):
            found = True
            yield "a phone number"
