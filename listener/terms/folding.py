"""Texts and terms brought to one form, so that a term is found by looking for a piece of a string. Pure.

Case, accents, width and invisible characters do not count (`AVERÍA`, `averia`); ñ does, because `año` and `ano` are
two words. Words are runs of letters and digits; scripts written without spaces (Han, kana, Hangul, Thai …) and
emoji are taken sign by sign. A hashtag is read twice, as it stands and split at capitals, digits and underscores.

The form of a text: ` avería … ` as single words between single spaces, then ` | ` and the same with its hashtags
split, then ` | ` and every `#hashtag` and `@mention` whole. None of `#`, `@` and `|` ever stands in a word.
"""

from __future__ import annotations

import unicodedata

import regex

# Marks over and under Latin, Greek and Cyrillic letters, Hebrew points, Arabic vowel signs. Not those of other scripts:
# there a mark is a vowel or another consonant.
_MARKS = regex.compile(
    r"[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_INVISIBLE = regex.compile(r"[\p{Cf}\u034f\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef\u0640]+")
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})
_HAS_PLAIN = regex.compile("[łøđħıæœ]")

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc"
_TOKEN = regex.compile(
    rf"(?V1)[[\p{{L}}\p{{N}}\p{{M}}]--[{_SPACELESS}]]+|[{_SPACELESS}]\p{{M}}*|[\p{{S}}--\p{{ASCII}}]"
)

_WORD = r"[\p{L}\p{N}\p{M}_]"
_NOT_AFTER = r"(?<![\p{L}\p{N}\p{M}_@＠/.+&#＃-])"
TAG = rf"{_WORD}(?:[\p{{L}}\p{{N}}\p{{M}}_·\u200c]{{0,98}}{_WORD})?"
HANDLE = rf"{_WORD}(?:[\p{{L}}\p{{N}}\p{{M}}_.-]{{0,126}}{_WORD})?"
_HASHTAG = regex.compile(rf"{_NOT_AFTER}[#＃]({TAG})")
_MENTION = regex.compile(rf"{_NOT_AFTER}(?:[@＠]({HANDLE})(?:[@＠]({HANDLE}))?|/?u/([\w-]{{3,32}}))")
_SEAM = regex.compile(
    r"(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})"
)


def letters(text: str) -> str:
    """The text without case, accents, width and invisible characters; whatever is no letter stays."""
    if text.isascii():
        return text.lower()
    text = _INVISIBLE.sub("", text).replace("™", " ").replace("℠", " ")
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    text = _MARKS.sub("", text.replace("n\u0303", "ñ"))
    if _HAS_PLAIN.search(text):
        text = text.translate(_PLAIN)
    return unicodedata.normalize("NFC", text)


def words(text: str) -> str:
    """The words of the text, folded, with one space between them; "" when there are none."""
    try:
        plain = text.encode("latin-1").translate(_LATIN, _SOFT_HYPHEN)
    except UnicodeEncodeError:
        return _words(text)
    if _OTHER in plain:
        return _words(text)
    return b" ".join(plain.split()).decode("latin-1")


def form(text: str) -> str:
    """The form of a text that `needle…` can be looked for in."""
    whole = words(text)
    if not ("#" in text or "@" in text or "u/" in text or "＃" in text or "＠" in text):
        return f" {whole} "
    signs = [f"#{letters(found[1])}" for found in _HASHTAG.finditer(text)]
    split = words(_HASHTAG.sub(_split, text)) if signs else whole
    for found in _MENTION.finditer(text):
        name, host = found[1] or found[3], found[2]
        signs += (f"@{each}" for each in names(f"{name}@{host}" if host else name))
    halves = f" {whole} | {split} " if split != whole else f" {whole} "
    return f"{halves}| {' '.join(signs)} " if signs else halves


def names(handle: str) -> tuple[str, ...]:
    """A handle, folded, in every form it may be meant by: whole, without its host, its first part before a dot."""
    whole = letters(handle.strip().removeprefix("@").removeprefix("u/"))
    name = whole.partition("@")[0]
    return tuple(dict.fromkeys(each for each in (whole, name, name.partition(".")[0]) if each))


def _words(text: str) -> str:
    return " ".join(_TOKEN.findall(letters(text)))


def _split(found: regex.Match[str]) -> str:
    return " " + _SEAM.sub(" ", unicodedata.normalize("NFC", found[1])).replace("_", " ")


# Most of what is said in Western languages fits Latin-1, where one pass over the bytes does the same as `_words`. What
# folds to anything but one sign, one space or nothing is `_OTHER`, and has the text read the long way.
_OTHER = b"\0"
_SOFT_HYPHEN = b"\xad"


def _latin(character: str) -> int:
    folded = _words(character)
    if not folded:
        return ord(" ")
    single = len(folded) == 1 and folded.isalnum() and ord(folded) < 256
    return ord(folded) if single else _OTHER[0]


_LATIN = bytes(_latin(chr(code)) for code in range(256))
