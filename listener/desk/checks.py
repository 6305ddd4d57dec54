"""What each column of a record may hold, and what a contact point may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from listener import reach
from listener.desk import field_values
from listener.desk.columns import fold
from listener.desk.customers import check_handle
from listener.desk.field_values import UNSAID, Habits
from listener.errors import Mistake
from listener.escapes import visible

MAX_REFERENCE = 80
MAX_CELL = 10_000
MAX_TAGS = 50
MAX_HANDLES = 20
LANGUAGES = {"espanol": "es", "castellano": "es", "spanish": "es", "ingles": "en", "english": "en", "portugues": "pt"}
LANGUAGES |= {"portuguese": "pt", "frances": "fr", "french": "fr", "italiano": "it", "italian": "it", "aleman": "de"}
LANGUAGES |= {"german": "de", "catalan": "ca"}

_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_PHONE = re.compile(r"[+()\d\s.,/#*-]+(?:(?:ext|int)\.?\s*\d+)?", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\d+[.,]?\d*E\+?\d+", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


# --- one check for each column; each gives the value as it is kept, or raises Mistake ---


def check_reference(text: str) -> str:
    """The reference by which the company knows the customer."""
    if not text:
        raise Mistake("The reference is empty.")
    if len(text) > MAX_REFERENCE or visible(text) != text:
        raise Mistake(
            f"The reference {visible(text)[:40]!r} has hidden characters or more than {MAX_REFERENCE} of them."
        )
    return text


def check_name(text: str) -> str:
    """The customer's name in one line."""
    name = " ".join(text.split())
    if not name:
        raise Mistake("The name is empty.")
    if len(name) > 300:
        raise Mistake("The name is longer than 300 characters.")
    return name


def check_email(text: str) -> str | None:
    """The address, None where there is none."""
    if text and (len(text) > 320 or not _EMAIL.fullmatch(text) or visible(text) != text):
        raise Mistake(f"{visible(text)[:60]!r} is no e-mail address.")
    return text or None


def check_phone(text: str) -> str | None:
    """The number as it was written, None where there is none."""
    if _SCIENTIFIC.fullmatch(text):
        raise Mistake(f"The spreadsheet program changed the phone number to {text!r}; format the column as text.")
    if text and (len(text) > 50 or not _PHONE.fullmatch(text) or sum(map(str.isdigit, text)) < 3):
        raise Mistake(f"{visible(text)[:60]!r} is no phone number, such as +34 911 222 333.")
    return text or None


def check_language(text: str) -> str:
    """ISO 639-1: from `es`, `es-AR`, `Español`. "" where nobody knows."""
    plain = fold(text)
    code = LANGUAGES.get(plain) or plain.split(" ")[0]
    if text and not re.fullmatch("[a-z]{2}", code):
        raise Mistake(f"{visible(text)[:40]!r} is no language; write its two letters, such as es or en.")
    return code


def check_tier(text: str) -> str:
    """How the company ranks the customer, in its own words."""
    if len(text) > 50 or visible(text) != text:
        raise Mistake(f"The tier {visible(text)[:40]!r} has hidden characters or more than 50 of them.")
    return text


def check_tags(text: str) -> tuple[str, ...]:
    """Tags, from words between commas, semicolons or bars."""
    tags = dict.fromkeys(" ".join(tag.split()) for tag in re.split("[,;|]", text))
    tags.pop("", None)
    if len(tags) > MAX_TAGS or any(len(tag) > 50 or visible(tag) != tag for tag in tags):
        raise Mistake(f"There are more than {MAX_TAGS} tags, or one is too long or has hidden characters.")
    return tuple(tags)


def check_since(text: str, habits: Habits = UNSAID) -> date | None:
    """The day they became a customer, None where nobody knows."""
    return field_values.day(text, habits) if text else None


def check_text(called: str, text: str) -> None:
    """Raises Mistake where a cell is too long or holds control characters."""
    if len(text) > MAX_CELL:
        raise Mistake(f"{called} is {len(text):,} characters long, more than {MAX_CELL:,}.")
    if found := _CONTROL.search(text):
        raise Mistake(f"{called} holds the control character {visible(found[0])}.")


CHECKS: Mapping[str, Callable[[str], Any]] = {
    "reference": check_reference,
    "name": check_name,
    "email": check_email,
    "phone": check_phone,
    "language": check_language,
    "tier": check_tier,
    "tags": check_tags,
    "since": check_since,
}


def check_contact(kind: str, written: str) -> str:
    """The contact point as it is kept. Raises Mistake where it cannot be one of its kind."""
    text = " ".join(written.split())
    if not text or len(text) > 500 or visible(text) != text:
        raise Mistake(f"{visible(written)[:60]!r} is no contact point: it is empty, too long or has hidden characters.")
    if kind == reach.MAIL:
        return str(check_email(text))
    if kind == reach.PHONE:
        return str(check_phone(text))
    if kind == reach.ACCOUNT:
        network, _, handle = text.partition(":")
        if not handle:
            raise Mistake(f"{text[:60]!r} names no network; write it like mastodon:@ana@masto.host.")
        return f"{network.strip().casefold()}:{check_handle(handle)}"
    return text


def _short_reference(text: str) -> str:
    if text and len(text) <= MAX_REFERENCE:
        return text
    raise Mistake("Look closer.")


def _short_name(text: str) -> str:
    name = " ".join(text.split())
    if name and len(name) <= 300:
        return name
    raise Mistake("Look closer.")


def _short_email(text: str) -> str | None:
    if not text:
        return None
    if len(text) <= 320 and _EMAIL.fullmatch(text):
        return text
    raise Mistake("Look closer.")


# The checks of columns in which hardly two cells are alike, for lines in which nothing is hidden.
SHORT: Mapping[str, Callable[[str], Any]] = {
    "reference": _short_reference,
    "name": _short_name,
    "email": _short_email,
    "phone": check_phone,
}
