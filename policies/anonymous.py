"""A stranger's words without what tells who they are, for a test that colleagues read and keep.

Handles, names that are known, addresses, links, numbers and references give way to words that name nobody. Names of
others inside the text cannot be told from words; whoever keeps it reads it first, and names what else must go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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

_ASIDE = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")  # in a name: `Fede (Rosario)`
_BEFORE_PLACES = frozenset(("en", "desde", "todo", "toda", "in", "from", "across", "throughout"))


@dataclass(frozen=True, kw_only=True)
class Instead:
    """What stands in a text where something was taken out, in one language."""

    name: str
    mail: str
    link: str
    number: str
    date: str
    reference: str


ENGLISH = Instead(
    name="someone", mail="(mail)", link="(link)", number="(number)", date="(date)", reference="(reference)"
)
SPANISH = Instead(
    name="alguien", mail="(correo)", link="(enlace)", number="(número)", date="(fecha)", reference="(referencia)"
)
INSTEAD: Mapping[str, Instead] = {"en": ENGLISH, "es": SPANISH}
_NOBODY = frozenset(each.name for each in INSTEAD.values())


def anonymous(
    text: str, *, names: Iterable[str] = (), hide: Iterable[str] = (), language: str = "en", places: bool = False
) -> str:
    """The text without handles, mail addresses, links, references, dates, long numbers, and without `names`.

    `names`: of its author and of the customer, as they stand on record; each word of them goes, whatever its accents
    and capitals. `hide`: words and phrases that must go as well. Characters that nobody sees go too. `language`: of
    the words that stand instead, en where there are none. `places`: what a name has in brackets alone, as in
    `Fede (Rosario)`, stays where the text speaks of a place: `en Rosario`.
    """
    instead = INSTEAD.get(language.partition("-")[0], ENGLISH)
    text = _UNSEEN.sub("", text.replace("\u2028", "\n").replace("\u2029", "\n").replace("\t", " "))
    for phrase in sorted(filter(str.strip, hide), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase.strip())}(?!\w)", "…", text, flags=re.IGNORECASE)
    for pattern, word in (
        (_MAIL, instead.mail),
        (_LINK, instead.link),
        (_HANDLE, f"@{instead.name}"),
        (_IBAN, instead.number),
        (_DATE, instead.date),
    ):
        text = pattern.sub(word, text)
    text = _STRETCH.sub(lambda stretch: _without_references(stretch[0], instead.reference), text)
    text = _DIGITS.sub(instead.number, text)
    while found := personal_data_in(text):  # however it is written
        ends = len(text)
        for one in sorted(found, key=lambda one: one.start, reverse=True):
            if one.end <= ends:
                text, ends = f"{text[: one.start]}{instead.number}{text[one.end :]}", one.start
    theirs = {word.start() for word in _names_in(text, names, places=places)}
    return _WORD.sub(lambda word: instead.name if word.start() in theirs else word[0], text)


def still_personal(text: str, *, names: Iterable[str] = (), places: bool = False) -> tuple[str, ...]:
    """What kinds of personal data the text holds still, such as `a phone number`; empty when none is found."""
    kinds = list(personal_data(text))
    if _LINK.search(text):
        kinds.append("a link")
    if any(found.removeprefix("@") not in _NOBODY for found in _HANDLE.findall(text)):
        kinds.append("a handle")
    if next(_names_in(text, names, places=places), None):
        kinds.append("a name")
    return tuple(kinds)


def _names_in(text: str, names: Iterable[str], *, places: bool) -> Iterator[re.Match[str]]:
    """Each word of the text that is one of the names', but for what can be told to be a place where `places` says so.

    Where somebody bears the word as a name too (`Rosario Pérez`), it is a name.
    """
    names = list(names)
    known = _name_words(names)
    aside = _name_words("".join(part) for name in names for part in _ASIDE.findall(name)) if places else frozenset()
    aside -= _name_words(_ASIDE.sub(" ", name) for name in names)
    of_a_place = False  # the word before says that a place comes, or was a part of one
    for word in _WORD.finditer(text):
        bare = _bare(word[0])
        if bare in known and not (of_a_place and bare in aside):
            yield word
        of_a_place = bare in _BEFORE_PLACES or (of_a_place and bare in aside)


def _without_references(text: str, instead: str) -> str:
    """What stands between two spaces, each token of it hidden after which, itself included, a letter and four digits
    stand: `AB-1234`, `1234/ABC`."""
    letters, digits = ([found.start() for found in each.finditer(text)] for each in (_LETTER, _DIGIT))
    if not letters or len(digits) < 4:
        return text
    last = min(letters[-1], digits[-4])
    return _TOKEN.sub(lambda token: instead if token.start() <= last else token[0], text)


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
    return frozenset(found - {"", *_NOBODY})
