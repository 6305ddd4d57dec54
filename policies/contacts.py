"""The company's own addresses, numbers and links, which replies may name in public: `brand: contacts:`.

Each is one whole thing. A piece of one (`@gmail.com`, `612 345`) would let everybody's through that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from stdnum import iban

from policies.identities import numbers_of_people
from policies.plain import plain
from policies.words import shown

_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_DOMAIN = re.compile(r"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LINK = re.compile(r"(?:https?://)?(?:[\w-]{1,63}\.){1,8}[a-z]{2,63}(?::\d{1,5})?(?:[/?#]\S*)?", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\+|\(?00)?\(?\d(?:[ ().\-/]{0,3}\d){6,14}")
_CASE = re.compile(r"[A-Z]{2,5}-\d{2}-\d{4,12}-\d")
_REFERENCE = re.compile(r"[^\W_]+(?:-[^\W_]+)+")
_WITHIN = re.compile(r"[\w\-]")  # what would make a reference the piece of a longer one
_FREE = re.compile(  # where anybody has an address; no company's own
    r"(?:gmail|googlemail|hotmail|outlook|yahoo|ymail|rocketmail|icloud|aol|proton(?:mail)?|gmx|zoho|yandex|tuta(?:nota)?)"
    r"(?:\.[a-z]{2,4}){1,2}|(?:live|msn|me|mac|mail|email|fastmail|hey|terra|ya|web|wanadoo|telefonica|movistar)"
    r"\.(?:com|net|es|de|ru|me|mx|ar|cl|co|pe)",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\d+")
_NO_DIGIT = re.compile(r"[^0-9]")
_COUNTRY = r"(?:00)?(?:34|1|44|50[2-7]|5[1-8]|59[1358])"  # of those countries whose numbers are read without one


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """Contacts by what they are, as they are compared."""

    addresses: frozenset[str]
    numbers: frozenset[str]
    links: frozenset[str]
    references: tuple[str, ...]

    @staticmethod
    @lru_cache(maxsize=64)
    def of(written: tuple[str, ...]) -> Contacts:
        """What stands there; anything that is no whole address, number, link or reference is left out."""
        read = [_read(contact) for contact in written]
        return Contacts(
            addresses=frozenset(value for kind, value in read if kind == "address"),
            numbers=frozenset(value for kind, value in read if kind == "number"),
            links=frozenset(value for kind, value in read if kind == "link"),
            references=tuple(value for kind, value in read if kind == "reference"),
        )

    def has_address(self, address: str) -> bool:
        """Whether that e-mail address, or its whole domain, is ours."""
        address = address.casefold().rstrip(".-")
        return address in self.addresses or f"@{address.partition('@')[2]}" in self.addresses

    def has_number(self, number: str) -> bool:
        """Whether that number, with or without its country, is ours."""
        if not self.numbers:
            return False
        compact = _compact(number)
        return compact in self.numbers or any(
            len(compact) > len(own) and compact.endswith(own) and re.fullmatch(_COUNTRY, compact[: -len(own)])
            for own in self.numbers
        )

    def begins(self, row: str) -> int:
        """How much of a row is a number of ours with no more than an hour, a price or an extension after it; or 0."""
        for group in _GROUP.finditer(row):
            begun = row[: group.end()]
            if len(_NO_DIGIT.sub("", begun)) >= 9 and self.has_number(begun):
                return group.end() if len(_NO_DIGIT.sub("", row[group.end() :])) <= 4 else 0
        return 0

    def references_and_links_in(self, text: str) -> Iterator[tuple[int, int]]:
        """Where our references and links stand, each whole."""
        for reference in self.references:  # of every case another, so that no pattern would be used twice
            start = text.find(reference)
            while start >= 0:
                end = start + len(reference)
                if not (_WITHIN.match(text, end) or (start and _WITHIN.match(text, start - 1))):
                    yield start, end
                start = text.find(reference, start + 1)
        for link in self.links:
            whole = rf"(?<![\w@./\-])(?:https?://)?(?:www\.)?{re.escape(link)}/?(?![\w/?&=#%\-@]|[.:]\w)"
            for match in re.finditer(whole, text, re.IGNORECASE):
                yield match.span()


@lru_cache(maxsize=1_024)  # the company's are in every list, beside a case's reference
def _read(contact: str) -> tuple[str, str]:
    """What a contact is, and how that is compared; "" for what is none."""
    if _CASE.fullmatch(contact):
        return "reference", contact
    bare = plain(contact).with_single_gaps().text.strip()
    if _ADDRESS.fullmatch(contact) or _DOMAIN.fullmatch(contact):
        return "address", contact.casefold()
    if _NUMBER.fullmatch(bare) or _is_account(bare):
        return "number", _compact(bare)
    if _LINK.fullmatch(contact):
        return "link", _link(contact)
    return ("reference", contact) if _REFERENCE.fullmatch(contact) else ("", "")


def contact(value: str) -> str:
    """One of `brand: contacts:`. Raises ValueError with a sentence where it is only a piece of something."""
    bare = plain(value).with_single_gaps().text.strip()
    if _DOMAIN.fullmatch(value):
        if _FREE.fullmatch(value[1:]):
            raise ValueError(f"`{shown(value)}` is not ours alone: anybody has an address there; write whole addresses")
        return value
    whole = _ADDRESS.fullmatch(value) or _NUMBER.fullmatch(bare) or _is_account(bare) or _LINK.fullmatch(value)
    if not whole:
        raise ValueError(
            f"`{shown(value)}` is no whole address, number, IBAN or link; write it whole (`help@ours.example`, "
            "`900 100 200`), or a domain of ours as `@ours.example`"
        )
    return value


def _is_account(bare: str) -> bool:
    if iban.is_valid(_compact(bare)):
        return True
    return any(
        kind.startswith("a bank account") and (start, end) == (0, len(bare))
        for kind, start, end in numbers_of_people(bare)
        if bare[:1].isdigit()
    )


def _compact(number: str) -> str:
    return "".join(sign for sign in number if sign.isalnum()).upper()


def _link(link: str) -> str:
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", link.strip(), flags=re.IGNORECASE)
    host, slash, path = bare.partition("/")
    return f"{host.casefold()}{slash}{path}".rstrip("/")
