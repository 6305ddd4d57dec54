"""Personal data that must not stand in a public reply: addresses, phones, cards, accounts, identity numbers.

Check digits and numbering plans come from python-stdnum and phonenumbers, so that an order number, a price or a date is
seldom taken for somebody's. Whatever signs stand between its digits, and whatever script they are of, a number is found
(`plain.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.contacts import Contacts
from policies.identities import card_in, is_cuit, numbers_of_people
from policies.phones import AROUND, Phones
from policies.plain import Plain, digits, plain

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# Addresses as they are written for eyes only: `ana @ gmail . com`, `ana(at)gmail.com`, `ana arroba gmail punto com`.
# What may be a place (`find us at example dot com`) counts only where everybody has an address.
_OPENS, _CLOSES = r"[(\[{<] ?", r" ?[)\]}>]"
_FREE = r"(?:gmail|googlemail|hotmail|outlook|yahoo|icloud|proton(?:mail)?|live|aol|gmx)\b"
_AT = rf" ?{_OPENS}(?:at|arroba|@){_CLOSES} ?| ?@ | ?\barroba\b ?| (?:@|at )(?={_FREE})"
_DOT = rf"\.| \. ?| (?:punto|dot) | ?{_OPENS}(?:punto|dot|\.){_CLOSES} ?"
_ENDING = (
    r"(?:com|net|org|edu|gob|gov|info|io|eu|uk|us|es|cat|mx|ar|co|cl|pe|ec|uy|ve|do|bo|py|cr|pa|gt|hn|sv|ni|cu|me)"
)
_SPELT = re.compile(
    rf"(?P<name>[\w.+-]{{1,64}})(?:{_AT})(?P<domain>(?:[\w-]{{1,63}}(?:{_DOT})){{1,4}}{_ENDING})\b", re.IGNORECASE
)
_DOTS = re.compile(_DOT, re.IGNORECASE)
_SAYS_AT = re.compile(rf"arroba|{_OPENS}at{_CLOSES}|\bat {_FREE}", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_REFERENCE = re.compile(r"\b[A-Z]{2,5}-\d{2}-\d{4,12}-\d\b")
_DATE = re.compile(
    r"\b(?:(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:(?:19|20)\d{2}|\d{2}))(?![\d\-])"
)
_TIME = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b")
_ROW = re.compile(  # letters may stand before it only where they call it a phone
    r"(?:(?<!\w)|(?<=tel)|(?<=tlf)|(?<=tfno)|(?<=tfn)|(?<=cel)|(?<=[oó]vil)|(?<=fono)|(?<=phone)|(?<=app))"
    r"(?:\+|\(?00)?\(?\d(?:(?:[ ().\-/,]{0,3}|:)\d){6,}+",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\d+")
_LAST_GROUP = re.compile(r"(?<=\d)[^\d]+\d+$")
MOST_GROUPS, OVERLAP = 40, 19  # of digits in a row that is looked at in one piece
_NO_DIGIT = re.compile(r"[^0-9]")
_FEWEST = 6  # digits; what holds fewer holds no number of anybody

# In a link: what parts it, whose path holds a phone, and which rows of digits are only its own names for things.
_PARTS = re.compile(r"[/?&=#;]")
_MESSENGER = re.compile(
    r"(?:wa\.me|whatsapp|t\.me|telegram|viber|signal\.me|/(?:tel|call|phone|sms)[/:])", re.IGNORECASE
)
_OWN_NAMES = re.compile(r"(?<![^\W_])\d[\d.\-_]*(?![^\W_])")
_OWN_KEYS = re.compile(
    r"[?&;#][\w\-]*(?:id|ts|time|date|page|v|p|hash|key|token|ref|order|pedido|case|caso|ticket)=([\d.\-_]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Personal data of one kind, and where in the text it stands."""

    kind: str
    start: int
    end: int


def personal_data(text: str, allowed: Iterable[str] = ()) -> tuple[str, ...]:
    """What kinds of personal data `text` holds, each once, such as `an e-mail address`; never the data itself.

    `allowed`: the company's own addresses, numbers and links, which may stand anywhere, whatever the gaps between
    digits; each counts as a whole only.
    """
    return tuple(dict.fromkeys(found.kind for found in personal_data_in(text, allowed)))


def personal_data_in(text: str, allowed: Iterable[str] = ()) -> tuple[Found, ...]:
    """The same with where each stands in `text`, addresses first."""
    if digits(text) < _FEWEST and not any(sign in text for sign in "@＠﹫%") and not _SAYS_AT.search(text):
        return ()
    contacts = Contacts.of(tuple(allowed))
    read = plain(text)
    read = read.hiding(contacts.references_and_links_in(read.text))
    found: list[Found] = []
    if "@" in read.text or _SAYS_AT.search(read.text):
        found += _addresses(read, contacts)
        read = read.hiding(match.span() for match in _EMAIL.finditer(read.text))
    if digits(read.text) < _FEWEST:
        return tuple(found)
    read = read.hiding(_in_links(read.text)).with_single_gaps()
    for pattern in (_REFERENCE, _DATE, _TIME):
        read = read.hiding([match.span() for match in pattern.finditer(read.text)])
    if digits(read.text) >= _FEWEST:
        found += (_at(read, kind, start, end) for kind, start, end in _numbers(read.text, contacts))
    return tuple(found)


def _addresses(read: Plain, contacts: Contacts) -> Iterator[Found]:
    """E-mail addresses that are not ours: those that a machine would read, then those that only eyes would."""
    for match in _EMAIL.finditer(read.text):
        if not contacts.has_address(match.group()):
            yield _at(read, "an e-mail address", *match.span())
    read = read.hiding(match.span() for match in _EMAIL.finditer(read.text))
    for match in _SPELT.finditer(read.text):
        if not contacts.has_address(f"{match['name']}@{_DOTS.sub('.', match['domain'])}"):
            yield _at(read, "an e-mail address", *match.span())


def _at(read: Plain, kind: str, start: int, end: int) -> Found:
    start, end = read.span(start, end)
    return Found(kind=kind, start=start, end=end)


def _in_links(text: str) -> Iterator[tuple[int, int]]:
    """What of the links in a text is no number of anybody: the numbers of pages, and the signs that part it."""
    for match in _LINK.finditer(text):
        start, link = match.start(), match.group()
        path_ends = min((at for at in (link.find("?"), link.find("#")) if at >= 0), default=len(link))
        if not _MESSENGER.search(link[:path_ends]):
            for name in _OWN_NAMES.finditer(link, 0, path_ends):
                yield start + name.start(), start + name.end()
        for value in _OWN_KEYS.finditer(link, path_ends):
            yield start + value.start(1), start + value.end(1)
        for part in _PARTS.finditer(link):
            yield start + part.start(), start + part.end()


def _numbers(text: str, contacts: Contacts) -> Iterator[tuple[str, int, int]]:
    taken: list[tuple[int, int]] = []
    for kind, start, end in numbers_of_people(text):
        taken.append((start, end))
        if not contacts.has_number(text[start:end]):
            yield kind, start, end
    phones = Phones()
    for start, row in _rows(text):
        end = start + len(row)
        if any(begin < end and start < stop for begin, stop in taken):
            continue
        if contacts.has_number(row):
            continue
        if is_cuit(_NO_DIGIT.sub("", row)) and not row.startswith("+"):
            yield "a tax number (CUIT)", start, end
        elif card := card_in(row):
            if not contacts.has_number(row[slice(*card)]):
                yield "a card number", start + card[0], start + card[1]
        else:
            yield from _phones(text, start, row, phones, contacts)


def _phones(text: str, start: int, row: str, phones: Phones, contacts: Contacts) -> Iterator[tuple[str, int, int]]:
    for piece in re.finditer(r"[^,]+", row):
        begin, end = start + piece.start(), start + piece.end()
        while begin < end:
            found = phones.find(
                text[begin:end], before=text[max(0, begin - AROUND) : begin], after=text[end : end + AROUND]
            )
            if found is None:
                break
            if own := contacts.begins(text[begin:end]):  # `900 100 200 24 horas`
                begin += own
                continue
            if not contacts.has_number(text[begin + found[0] : begin + found[1]]):
                yield "a phone number", begin + found[0], begin + found[1]
            begin += found[1]


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Rows of seven digits and more with the signs between them, and where each begins; long ones in pieces that
    overlap by as many groups as a number can have.
    """
    for match in _ROW.finditer(text):
        row = match.group()
        if text[match.end() : match.end() + 1].isalnum():  # `612 345 678x`: a name for something ends it
            row = _LAST_GROUP.sub("", row) if _LAST_GROUP.search(row) else ""
        groups = [group.span() for group in _GROUP.finditer(row)]
        for first in range(0, len(groups), MOST_GROUPS - OVERLAP):
            start = groups[first][0] if first else 0
            piece = row[start : groups[min(first + MOST_GROUPS, len(groups)) - 1][1]]
            if len(_NO_DIGIT.sub("", piece)) >= 7:
                yield match.start() + start, piece
            if first + MOST_GROUPS >= len(groups):
                break
