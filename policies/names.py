"""Strangers' names made safe to repeat in a public reply.

A display name is whatever its owner typed: line breaks, letters that turn the line around, `@` of a third person, a
link. Repeating one must not notify, link, format or hide anything.
"""

from __future__ import annotations

import re
import unicodedata

from policies.plain import digits

MAX_NAME = 40
MOST_DIGITS = 5  # in a name; with more it could be somebody's number, whatever word stands beside it

_LINK = re.compile(r"(?:\w+:/*/\S*)|(?:\bwww\.\S*)|(?:[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}(?:[/?#:]\S*)?)", re.IGNORECASE)
_EMOJI_CODE = re.compile(r":\w+:")
_FIRST_MARK = "\u0300"  # before it stands no sign that goes on another
_MARKUP = str.maketrans(dict.fromkeys('@#<>[](){}*_~`^|\\"/＠＃', " "))

# As `_folded` leaves them; `da` is what becomes of `Dª`.
_TITLE = re.compile(
    r"don|dona|d|dna|da|sr|sra|srta|senor|senora|senorita|dr|dra|doctor|doctora|mr|mrs|ms|mx|miss|mister|sir|madam"
    r"|prof|profa|profesor|profesora|professor|lic|ing|arq"
)
_JOINING = re.compile(r"de|del|la|las|los|y|e|and")


def safe_name(name: str) -> str:
    """The name on one line, without invisible signs, mentions, hashtags, links and markup; at most 40 signs.

    Letters in fancy dress become plain ones. May be empty: then nothing of it was fit to repeat, as where it holds six
    digits and more.
    """
    text = unicodedata.normalize("NFKC", name[:400])
    text = text if text.isprintable() and max(text, default="") < _FIRST_MARK else _visible(text)
    if ":" in text or "." in text:
        text = _EMOJI_CODE.sub(" ", _LINK.sub(" ", text))
    text = " ".join(text.translate(_MARKUP).split())
    if len(text) > MAX_NAME:
        text = text[:MAX_NAME].rsplit(" ", 1)[0] if " " in text[:MAX_NAME] else text[:MAX_NAME]
    return "" if digits(text) > MOST_DIGITS else text.strip(" -.,;:!?'")


def _visible(text: str) -> str:
    """The text with a space for whatever is one, without what is not seen, and two marks on a letter at most."""
    kept: list[str] = []
    marks = 0
    for sign in text:
        category = unicodedata.category(sign)
        if category in ("Zs", "Zl", "Zp") or sign in "\n\r\t":
            kept.append(" ")
        elif category[0] == "M":
            marks += 1
            if marks <= 2:
                kept.append(sign)
            continue
        elif category[0] != "C":
            kept.append(sign)
        marks = 0
    return "".join(kept)


def safe_handle(handle: str) -> str:
    """The first part of a handle, which nobody is notified or linked by: `ana` for `@ana@example.social`.

    Of one with six digits and more the letters are kept: `ana` for `@ana83749201`.
    """
    first = re.split(r"[@.]", handle.lstrip("@"), maxsplit=1)[0]
    if digits(first) > MOST_DIGITS:
        first = "".join(sign for sign in first if not digits(sign))
    return safe_name(first)


def first_name(name: str) -> str:
    """The first word of a safe name that holds a letter and is no title: `Concepción` for `Doña Concepción`.

    A name of nothing but titles is given whole; may be empty, as the name may.
    """
    words = [word for word in map(_bare, name.split()) if any(sign.isalpha() for sign in word)]
    titled = False
    for word in words:
        key = _folded(word)
        if _TITLE.fullmatch(key):
            titled = True
        elif not (titled and _JOINING.fullmatch(key)):  # `Sr. y Sra. Pérez`, `Sra. de Pérez`
            return word
    return " ".join(words)


def _bare(word: str) -> str:
    if word.isalpha():
        return word
    return "".join(sign for sign in word if unicodedata.category(sign) != "So").strip(" -.,;:!?'")


def _folded(word: str) -> str:
    """Without dots, accents and capitals: `dna` for `Dña.`."""
    folded = word.casefold().replace(".", "")
    if folded.isascii():
        return folded
    plain = unicodedata.normalize("NFKD", folded)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
