"""Other wordings of a text with the same label: half in Spanish, as people type in a hurry, as posts arrive."""

from __future__ import annotations

import random
import re

from training.data import Example

SWITCHED = 0.2  # of the English texts are written half in Spanish
HURRIED = 0.2  # of all texts get the short spellings below
POSTED = 0.1  # of all texts get a handle before them or a link after

# How people shorten words when they type on a telephone.
SHORT = {
    "en": {
        "you": "u", "your": "ur", "are": "r", "because": "cuz", "please": "pls", "people": "ppl", "though": "tho",
        "thanks": "thx", "tonight": "2nite", "tomorrow": "tmrw", "really": "rly", "going to": "gonna", "with": "w",
        "want to": "wanna", "to be honest": "tbh", "love": "luv", "before": "b4", "great": "gr8", "about": "abt",
    },
    "es": {
        "por qué": "xq", "porque": "xq", "por favor": "porfa", "por": "x", "que": "q", "qué": "q", "también": "tb",
        "para": "pa", "te quiero": "tkm", "mucho": "mxo", "bien": "bn", "estoy": "toy", "está": "ta", "de": "d",
        "nada": "na", "quiero": "kiero", "gracias": "grax", "saludos": "salu2", "buenos días": "buen día",
    },
}  # fmt: skip


class Switcher:
    """Writes English half in Spanish, word by word, as CoSDA-ML does (Qin et al., 2020): the label stays."""

    def __init__(self, lexicon: dict[str, list[str]], draw: random.Random) -> None:
        self._draw = draw
        self._spanish: dict[str, list[str]] = {}
        for spanish, english in lexicon.items():
            if len(english) == 1:
                self._spanish.setdefault(english[0], []).append(spanish)

    def __call__(self, text: str) -> str:
        """The text with most of the words we have a translation for in Spanish."""
        how_much = self._draw.uniform(0.4, 1.0)
        return " ".join(self._word(word, how_much) for word in text.split())

    def _word(self, word: str, how_much: float) -> str:
        core = word.strip(".,;:!?¿¡\"'()").casefold()
        choices = self._spanish.get(core)
        if not choices or self._draw.random() > how_much:
            return word
        return word.casefold().replace(core, self._draw.choice(choices))


def varied(example: Example, switcher: Switcher, draw: random.Random) -> str:
    """The text, or a wording of it: half in Spanish, without its signs, shortened, a word short, as a post."""
    text = example.text
    if example.language == "en" and draw.random() < SWITCHED:
        text = switcher(text)
    if draw.random() < HURRIED:
        text = hurried(text, example.language, draw)
    if draw.random() < 0.1:
        text = text.replace("¿", "").replace("¡", "").rstrip(".!?").strip() or text
    words = text.split()
    if len(words) > 8 and draw.random() < 0.15:
        del words[draw.randrange(len(words))]
        text = " ".join(words)
    if draw.random() < POSTED:
        text = draw.choice(("@user {}", "@user @user {}", "{} http", "rt @user {}")).format(text)
    return text


def hurried(text: str, language: str, draw: random.Random) -> str:
    """The text in small letters, all of it, with some of its words as they are shortened in chats."""
    text = text.casefold()
    for word, short in SHORT[language].items():
        whole = rf"\b{word}\b(?!')"
        if re.search(whole, text) and draw.random() < 0.6:
            text = re.sub(whole, short, text)
    return text
