"""How a contact point is compared: one address, one number, one handle, however people write it. Pure.

Phone numbers are read with Google's table of the world's numbering plans (`phonenumbers`) and kept as E.164
(https://www.itu.int/rec/T-REC-E.164), `+34911222333`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAIL, PHONE, CHAT, POST, ACCOUNT, SITE = "mail", "phone", "chat", "post", "account", "site"
KINDS = (MAIL, PHONE, CHAT, POST, ACCOUNT, SITE)

_INTERNATIONAL = re.compile(r"\+[1-9][\d .\-]{6,24}")
_SCHEME = re.compile(r"(?:https?://)?(?:www\.)?")
_COUNTRY = re.compile("[A-Z]{2}")


def compared(kind: str, written: str, *, country: str = "") -> str:
    """What two ways of writing the same contact point have in common; "" where nothing is left.

    `country`: two letters, where a number without its country code is dialled. What is no number that anybody could
    dial keeps its digits.
    """
    if kind == PHONE:
        return _phone(written, country)
    if kind == SITE:
        return _SCHEME.sub("", written.strip().lower(), count=1).rstrip("/")
    plain = " ".join(unicodedata.normalize("NFC", written).split()).lower()  # casefold: faß.example were fass.example
    return plain.removeprefix("@") if kind in (ACCOUNT, CHAT) else plain


def _phone(written: str, country: str) -> str:
    if _INTERNATIONAL.fullmatch(written):  # the plain case needs no table
        digits = re.sub(r"\D", "", written)
        return f"+{digits}" if len(digits) <= 15 else digits
    return _read(written, country)


@lru_cache(maxsize=4096)
def _read(written: str, country: str) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(written, country.upper() or None)
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", written)
    if not phonenumbers.is_possible_number(number):
        return re.sub(r"\D", "", written)
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{plain};ext={number.extension}" if number.extension else plain


def is_country(code: str) -> bool:
    """Whether these two capital letters are a country with telephones; "" is nowhere and is fine."""
    if not code:
        return True
    import phonenumbers

    return bool(_COUNTRY.fullmatch(code)) and code in phonenumbers.SUPPORTED_REGIONS
