"""Texts and terms brought to one form, so that a term is found by looking for a piece of a string. Pure.

Case, accents, width and invisible characters do not count (`AVERÍA`, `averia`); ñ does, because `año` and `ano` are
two words. Words are runs of letters and digits; scripts written without spaces (Han, kana, Hangul, Thai …) and
emoji are taken sign by sign. A hashtag is read twice, as it stands and split at capitals, digits and underscores.

The form of a text: ` avería … ` as single words between single spaces, then ` | ` and the same with its hashtags
split, then ` | ` and every `#hashtag` and `@mention` whole. None of `#`, `@` and `|` ever stands in a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import regex

# Marks over and under Latin, Greek and Cyrillic letters, Hebrew points, Arabic vowel signs, the Arabic lengthener. In
# other scripts a mark is a vowel or makes another consonant, and stays.
_MARKS = (
    r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    r"\u0591-\u05bd\u05bf-\u05c7"
    r"\u0640\u064b-\u065f\u0670"
)
_UNSEEN = r"\p{Cf}\p{Variation_Selector}\u034f\U0001f3fb-\U0001f3ff"  # these last: colours of skin
_DROPPED = regex.compile(rf"[{_MARKS}{_UNSEEN}]+")
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "⁄": "/"})
_TRADE = str.maketrans({"™": " ", "℠": " "})  # else they would become letters of the name before them

# Marks heaped on one letter; the two signs beside the marks decompose into some.
_HEAPED = regex.compile(r"([\p{M}\uff9e\uff9f]{30})[\p{M}\uff9e\uff9f]+")

_IN_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]")
_ALONE = regex.compile(
    r"(?V1)[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc[\p{S}--\p{ASCII}]]"
)

_WORD = r"[\p{L}\p{N}\p{M}_]"
_AFTER = r"[\p{L}\p{N}\p{M}_@＠/.+&#＃-]"  # an address, a link, an entity: what follows there is no hashtag or mention
TAG = rf"{_WORD}(?:[\p{{L}}\p{{N}}\p{{M}}_·\u200c]{{0,98}}{_WORD})?"
HANDLE = rf"{_WORD}(?:[\p{{L}}\p{{N}}\p{{M}}_.-]{{0,126}}{_WORD})?"
_HASHTAG = regex.compile(rf"[#＃](?<!{_AFTER}[#＃])({TAG})")
_MENTION = regex.compile(rf"[@＠](?<!{_AFTER}[@＠])({HANDLE})(?:[@＠]({HANDLE}))?")
_USER = regex.compile(rf"u/(?<![\w@.+&#-]u/)(?<!{_AFTER}/u/)([\w-]{{3,32}})")  # Reddit's way: u/name, /u/name
_SEAM = regex.compile(
    r"(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})"
)


class _Table(dict[int, str]):
    """For `str.translate`: each character is folded when it is met for the first time."""

    def __init__(self, *, spaced: bool) -> None:
        super().__init__()
        self._spaced = spaced

    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        self[code] = "".join(map(_placed, folded)) if self._spaced else folded
        return self[code]


def unheaped(text: str) -> str:
    """The text with at most 30 marks on each letter, since to normalise a heap takes the square of its height.

    Thirty are more than any language needs (UAX 15, Stream-Safe Text Format).
    """
    return text if text.isascii() else _HEAPED.sub(r"\1", text)


def letters(text: str) -> str:
    """The text without case, accents, width and invisible characters; whatever is no letter stays."""
    return text.lower() if text.isascii() else _composed(text).translate(_LETTERS)


def words(text: str) -> str:
    """The words of the text, folded, with one space between them; "" when there are none."""
    try:
        plain = text.encode("latin-1").translate(_LATIN, _SOFT_HYPHEN)
    except UnicodeEncodeError:
        return _words(_composed(text))
    if _OTHER in plain:
        return _words(_composed(text))
    return b" ".join(plain.split()).decode("latin-1")


def form(text: str) -> str:
    """The form of a text that a term can be looked for in."""
    whole = words(text)
    halves, signs = f" {whole} ", list[str]()
    if "#" in text or "＃" in text:
        tags = _HASHTAG.findall(text)
        signs = [f"#{letters(tag)}" for tag in tags]
        if any(_apart(tag) != tag.replace("_", " ") for tag in tags):
            halves = f" {whole} | {words(tags_apart(text))} "
    if "@" in text or "＠" in text:
        for name, host in _MENTION.findall(text):
            signs += (f"@{each}" for each in names(f"{name}@{host}" if host else name))
    if "u/" in text:
        signs += (f"@{letters(name)}" for name in _USER.findall(text))
    return f"{halves}| {' '.join(signs)} " if signs else halves


def tags_apart(text: str) -> str:
    """The text with its hashtags split at capitals, digits and underscores: `#IberiaExpress` as `Iberia Express`."""
    return _HASHTAG.sub(lambda found: f" {_apart(found[1])}", text) if "#" in text or "＃" in text else text


def names(handle: str) -> tuple[str, ...]:
    """A handle, folded, in every form it may be meant by: whole, without its host, its first part before a dot."""
    whole = letters(handle.strip().removeprefix("@").removeprefix("u/"))
    name = whole.partition("@")[0]
    return tuple(dict.fromkeys(each for each in (whole, name, name.partition(".")[0]) if each))


def _composed(text: str) -> str:
    plain = text.translate(_TRADE) if "™" in text or "℠" in text else text
    return unicodedata.normalize("NFKC", unheaped(plain))


def _folded(character: str) -> str:
    """One character without case and accents: nothing, itself, or the few letters that it stands for."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    bare = _DROPPED.sub("", apart.replace("n\u0303", "ñ")).translate(_PLAIN)
    return unicodedata.normalize("NFC", bare)


def _placed(character: str) -> str:
    """A folded character as a part of a word, a word of its own, or a space."""
    if _ALONE.match(character):
        return f" {character} "
    return character if _IN_WORD.match(character) else " "


def _words(composed: str) -> str:
    """The words of a text beyond Latin-1. Characters are folded one by one, so a few strange ones can be set aside."""
    strange = _STRANGE.findall(composed)
    if len(strange) > _FEW:
        return " ".join(composed.translate(_SPACED).split())
    plain = _STRANGE.sub(_ASIDE, composed).encode("latin-1").translate(_LATIN_ASIDE, _SOFT_HYPHEN)
    if _OTHER in plain:
        return " ".join(composed.translate(_SPACED).split())
    pieces = plain.decode("latin-1").split(_ASIDE)
    pieces[1:] = [
        each for pair in zip(strange, pieces[1:], strict=True) for each in (pair[0].translate(_SPACED), pair[1])
    ]
    return " ".join("".join(pieces).split())


@lru_cache(maxsize=10_000)
def _apart(tag: str) -> str:
    """`IberiaExpress_2026` as `Iberia Express 2026`; the few tags that everybody uses are split once."""
    return _SEAM.sub(" ", unicodedata.normalize("NFC", tag)).replace("_", " ")


_LETTERS, _SPACED = _Table(spaced=False), _Table(spaced=True)

# Most of what is said in Western languages fits Latin-1, where one pass over the bytes does the same as `_words`. What
# folds to anything but one sign, one space or nothing is `_OTHER`, and has the text read the long way.
_OTHER = b"\0"
_ASIDE = "\x01"
_STRANGE = re.compile(r"[^\x00\x02-\xff]+")  # what Latin-1 lacks, and the sign that we put in its place
_FEW = 6
_SOFT_HYPHEN = b"\xad"


def _latin(character: str) -> int:
    folded = _SPACED[ord(character)]
    if not folded.strip():
        return ord(" ")
    return ord(folded) if len(folded) == 1 and ord(folded) < 256 else _OTHER[0]


_LATIN = bytes(_latin(chr(code)) for code in range(256))
_LATIN_ASIDE = _LATIN[:1] + _ASIDE.encode() + _LATIN[2:]

# --- the sieve ---

# Almost no post of a stream matches, and that is found out with less: without spaces to set right, hashtags to split
# and ñ to tell from n, as long as whatever is in the form of a text is in its sieved text too.
_KIN = re.compile(  # beyond Latin-1, what folds to letters or digits of Latin-1
    "[\u0100-\u036f\u1d00-\u1eff\u2070-\u209f\u20a8\u2100-\u218f\u2460-\u24ff\u2c60-\u2c7f\u3200-\u33ff"
    "\ua640-\ua7ff\uab30-\uab6f\ufb00-\ufb06\uff00-\uff5e\U00010780-\U000107bf\U0001ccd0-\U0001ccff"
    "\U0001d400-\U0001d7ff\U0001f100-\U0001f2ff\U0001fbf0-\U0001fbf9]"
)
_GRAIN = re.compile(r"[^\W_]+")
_SIEVE = _LATIN.replace("ñ".encode("latin-1"), b"n")


def sieve(text: str, *, strange: bool) -> str | None:
    """A text in which every `grain` is that its form has, and some more; None where only the form can tell.

    `strange`: whether signs beyond Latin-1 are looked for.
    """
    kept = text.encode("latin-1", "ignore")
    if len(kept) != len(text) and (strange or _KIN.search(text)):
        return None
    plain = kept.translate(_SIEVE, _SOFT_HYPHEN)
    return None if _OTHER in plain else plain.decode("latin-1")


def grain(needle: str) -> str | None:
    """The longest word of something to look for, as it stands in a sieved text; None where there is none."""
    words = (word for word in _GRAIN.findall(needle) if ord(max(word)) < 256)
    return max(words, key=len, default="").replace("ñ", "n") or None
