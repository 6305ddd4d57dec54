"""A stranger's words without what tells who they are, for a test that colleagues read and keep.

Handles, names that are known, addresses, links, numbers and references give way to words that name nobody. Names of
others inside the text cannot be told from words; whoever keeps it reads it first, and names what else must go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from policies.personal import personal_data, personal_data_in
from policies.words import fold

# Strangers choose these words: no pattern may look at a stretch of them again from each of its letters.
_MAIL = re.compile(r"(?<![@\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")
_LINK = re.compile(
    r"[a-z][a-z0-9+.-]{0,30}://\S+|\bwww\.\S+|(?<![\w-])(?<![\w-]\.)(?:[\w-]++\.)++[a-z]{2,}/\S*", re.IGNORECASE
)
_HANDLE = re.compile(r"[@＠]\w++(?:[.-]\w++)*(?:@\w++(?:[.-]\w++)*)?|\b[ur]/[\w-]+")
_STRETCH = re.compile(r"\S+")
_TOKEN = re.compile(r"\w++(?:[-/.]\w++)*+")
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_DATE = re.compile(r"\b(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2}))\b")
_DIGITS = re.compile(r"[+(]?\d(?:[ ().\-/]{0,2}\d){4,}")
# Controls, signs without width, those that turn a line around, halves of characters, tags.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_WORD = re.compile(r"\w+")
_JOINING = frozenset({"de", "del", "la", "las", "los", "el", "y", "e", "and", "the", "of"})

SOMEONE, ADDRESS, LINK, NUMBER, DATE, REFERENCE = "@someone", "(mail)", "(link)", "(number)", "(date)", "(reference)"


def anonymous(text: str, *, names: Iterable[str] = (), hide: Iterable[str] = ()) -> str:
    """The text without handles, mail addresses, links, references, dates, long numbers, and without `names`.

    `names`: of its author and of the customer, as they stand on record; each word of them goes, whatever its accents
    and capitals. `hide`: words and phrases that must go as well. Characters that nobody sees go too.
    """
    text = _UNSEEN.sub("", text.replace("\u2028", "\n").replace("\u2029", "\n").replace("\t", " "))
    for phrase in sorted(filter(str.strip, hide), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase.strip())}(?!\w)", "…", text, flags=re.IGNORECASE)
    for pattern, instead in (
        (_MAIL, ADDRESS),
        (_LINK, LINK),
        (_HANDLE, SOMEONE),
        (_IBAN, NUMBER),
        (_DATE, DATE),
    ):
        text = pattern.sub(instead, text)
    text = _DIGITS.sub(NUMBER, _STRETCH.sub(_without_references, text))
    while found := personal_data_in(text):  # however it is written
        ends = len(text)
        for one in sorted(found, key=lambda one: one.start, reverse=True):
            if one.end <= ends:
                text, ends = f"{text[: one.start]}{NUMBER}{text[one.end :]}", one.start
    known = _name_words(names)
    return _WORD.sub(lambda word: "someone" if _bare(word[0]) in known else word[0], text)


def still_personal(text: str, *, names: Iterable[str] = ()) -> tuple[str, ...]:
    """What kinds of personal data the text holds still, such as `a phone number`; empty when none is found."""
    kinds = list(personal_data(text))
    if _LINK.search(text):
        kinds.append("a link")
    if any(found != SOMEONE for found in _HANDLE.findall(text)):
        kinds.append("a handle")
    if _name_words(names) & {_bare(word) for word in _WORD.findall(text)}:
        kinds.append("a name")
    return tuple(kinds)


def _without_references(stretch: re.Match[str]) -> str:
    """What stands between two spaces, each token of it hidden after which, itself included, a letter and four digits
    stand: `AB-1234`, `1234/ABC`."""
    text = stretch[0]
    letters, digits = ([found.start() for found in each.finditer(text)] for each in (_LETTER, _DIGIT))
    if not letters or len(digits) < 4:
        return text
    last = min(letters[-1], digits[-4])
    return _TOKEN.sub(lambda token: REFERENCE if token.start() <= last else token[0], text)


def _bare(word: str) -> str:
    return "".join(fold(word).split())


def _name_words(names: Iterable[str]) -> frozenset[str]:
    """Every word of the names that could tell who it is, and each name as one word: `#AnaGarcia`."""
    found: set[str] = set()
    for name in names:
        words = [each for word in re.split(r"[\W_]+", name) if (each := _bare(word))]
        telling = [word for word in words if word not in _JOINING]
        bare = [word.rstrip("0123456789") for word in telling]
        found |= {word for word in (*telling, *bare) if len(word) > 2}
        found |= {"".join(words), "".join(telling)}
    return frozenset(found - {"", "someone"})
