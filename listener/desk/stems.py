"""Words brought to their stems, by the rules of their language (Snowball); the same on every database.

Accents and capitals do not count. Small words that stand in every text are left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any
from zlib import crc32

_WORD = re.compile(r"[^\W_]{2,40}")
_RULES = {
    **{"es": "spanish", "en": "english", "ca": "catalan", "pt": "portuguese", "fr": "french", "it": "italian"},
    **{"de": "german", "nl": "dutch", "eu": "basque"},
}
_SPANISH = (
    "que los las una uno unos unas del por con para como pero sin sobre este esta esto estos estas ese esa eso esos "
    "esas mas muy cuando donde quien cual hay han has hemos ser son soy era fue estoy estan esta estar tengo tiene "
    "tienen tener puedo puede pueden hola gracias buenas buenos dias tardes favor por me mi mis te tu tus se su sus le "
    "les lo la el un al de en es si no ya yo os nos he ha ni"
)
_ENGLISH = (
    "the and for with that this these those from your you our we us are was were been have has had will would can "
    "could how what when where who why not but all any about into out its it is be my me do does did an at by in of "
    "on or to up so if as he she they them their there here please hello hi thanks"
)
_SMALL = frozenset(f"{_SPANISH} {_ENGLISH}".split())


def stems(text: str, language: str) -> Counter[str]:
    """Every stem of the text with how often it stands there; `language`: a code, unknown ones are not stemmed."""
    words = (word for word in _WORD.findall(_plain(text)) if word not in _SMALL)
    return Counter(_stem(word, language.partition("-")[0].lower()) for word in words)


def number(stem: str, language: str) -> int:
    """32 bits that stand for a stem of that language: the Spanish `red` is not the English one."""
    return crc32(f"{language.partition('-')[0].lower()}:{stem}".encode())


@cache
def _stem(word: str, language: str) -> str:
    stemmer = _stemmer(language)
    return str(stemmer.stemWord(word)) if stemmer else word


@cache
def _stemmer(language: str) -> Any:
    import Stemmer

    return Stemmer.Stemmer(_RULES[language]) if language in _RULES else None


def _plain(text: str) -> str:
    """Without capitals and accents: people leave them out, and `avería` has another stem than `averia`."""
    text = text.casefold()
    if text.isascii():
        return text
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
