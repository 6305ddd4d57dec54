"""More words for an English vocabulary, each starting from what the English model already knows.

all-MiniLM-L6-v2 cuts Spanish words into pieces that mean nothing to it. Every Spanish word of our lexicon, in its
regular inflections, and every frequent one of the training texts becomes a token of its own; its first vector is that
of its English translation, as in WECHSEL (Minixhofer et al., 2022), or else the mean of its pieces.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

MIN_COUNT = 4
VERB_ENDINGS = {
    "ar": "o as a amos ais an e aste o asteis aron aba abas abamos aban are aras ara aremos aran aria arian ando ado "
    "ada ados adas es emos en ad arme arlo arla arte arse ara arme arnos",
    "er": "o es e emos eis en i iste io imos ieron ia ias iamos ian ere eras era eremos eran eria erian iendo ido ida "
    "idos idas a as amos an ed erme erlo erla erte erse ernos",
    "ir": "o es e imos is en i iste io ieron ia ias iamos ian ire iras ira iremos iran iria irian iendo ido ida idos "
    "idas a as amos an id irme irlo irla irte irse irnos",
}


def read_lexicon(path: Path) -> dict[str, list[str]]:
    """Spanish word (no accents, small letters) -> its English words, one line each: Spanish, tab, English."""
    lexicon: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            spanish, english = line.split("\t")
            for form in spanish.split("|"):
                lexicon.setdefault(plain(form), english.split())
    return lexicon


def inflected(lexicon: dict[str, list[str]]) -> dict[str, list[str]]:
    """The lexicon with the regular forms of its verbs, and the feminines and plurals of everything else."""
    forms = dict(lexicon)
    for word, english in lexicon.items():
        endings = VERB_ENDINGS.get(word[-2:], "") if len(word) > 3 else ""
        for ending in endings.split():
            forms.setdefault(word[:-2] + ending, english)
        if not endings and len(word) > 3 and not word.endswith("s"):
            stem = word[:-1]
            others = [f"{word}s"] if word[-1] in "aeo" else [f"{word}es"]
            if word.endswith("o"):
                others += [f"{stem}a", f"{stem}as"]
            for other in others:
                forms.setdefault(other, english)
    return forms


def plain(word: str) -> str:
    """Small letters without accents: how an uncased vocabulary spells."""
    split = unicodedata.normalize("NFD", word.casefold())
    return "".join(character for character in split if unicodedata.category(character) != "Mn")


def words(text: str) -> list[str]:
    """The words of a text, as the vocabulary spells them."""
    spelled = "".join(character if character.isalpha() else " " for character in plain(text))
    return spelled.split()


def new_words(texts: Iterable[str], lexicon: dict[str, list[str]], known: dict[str, int]) -> list[str]:
    """Words to add, in a stable order: the lexicon's forms, and what occurs `MIN_COUNT` times in Spanish texts."""
    counts = Counter(word for text in texts for word in words(text))
    frequent = {word for word, count in counts.items() if count >= MIN_COUNT and len(word) > 1}
    return sorted(word for word in frequent | set(lexicon) if word not in known and word.isalpha())


def extend(tokenizer_json: str, added: list[str]) -> str:
    """The tokenizer file's text with `added` as whole words at the end of the vocabulary."""
    data = json.loads(tokenizer_json)
    vocabulary = data["model"]["vocab"]
    for word in added:
        vocabulary[word] = len(vocabulary)
    data["truncation"] = data["padding"] = None
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
