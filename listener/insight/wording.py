"""Which words many people use in a spike, and not otherwise. Pure.

Words are weighed by how many people use them, as Monroe, Colaresi and Quinn weigh those of two groups ("Fightin'
Words", Political Analysis 16, 2008): the log of the odds ratio, drawn towards nothing by what is said otherwise, over
its standard deviation. Names of accounts, links and numbers are no words; what fewer than three people say is nobody's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from math import log, sqrt
from typing import NamedTuple

from listener.terms import folding

MOST = 6  # words
LEAST_PEOPLE = 3
_LEAST_PART = 0.08  # of the people
_LEAST_SURE = 1.96  # standard deviations
_LEAST_LETTERS, _MOST_LETTERS = 3, 40
_PRIOR = 0.5  # people, of each word, in each group
# An address is looked for from its beginning only: tried at each of its letters, one long text would take minutes.
_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|(?<!\S)\S*@\S+|\bu/\S+")
_WORD = re.compile(r"#?[^\W\d_][\w’']*")
_ALWAYS = """
que los las del por con una para como pero más muy sin sus les esta este esto estoy hay son soy ser fue han nos está
están desde hace cuando todo toda todos porque tengo tiene llevo otra otro vez solo hoy ayer ahora día días alguien más
the and for you your are was not with have has had this that they from but can his her our out been just what when all
any will now day days get got since why how who its it's i'm don't anyone else
"""


class Telling(NamedTuple):
    """A word as most people write it, and how many do."""

    word: str
    people: int


def telling(spike: Iterable[tuple[int, str]], otherwise: Iterable[tuple[int, str]]) -> list[Telling]:
    """The words that tell the spike from what is said otherwise, the most telling first; both as (person, text)."""
    here, spelled, persons = _people(spike)
    there, _, others = _people(otherwise)
    if not persons:
        return []
    found = []
    for word, people in here.items():
        if people < max(LEAST_PEOPLE, _LEAST_PART * persons):
            continue
        usual = there[word]
        # Where hardly anybody said anything else, a word that all use says no more than one that half of them use.
        ratio = _odds(people, persons) - _odds(usual, max(others, 1))
        sure = ratio / sqrt(1 / (people + _PRIOR) + 1 / (usual + _PRIOR))
        if sure >= _LEAST_SURE:
            found.append((sure, people, word))
    best = sorted(found, key=lambda each: (-each[0], each[2]))[:MOST]
    return [Telling(spelled[word].most_common(1)[0][0], people) for _, people, word in best]


def _odds(people: int, of: int) -> float:
    return log((people + _PRIOR) / (max(of - people, 0) + _PRIOR))


def _people(said: Iterable[tuple[int, str]]) -> tuple[Counter[str], dict[str, Counter[str]], int]:
    """By word, how many people use it, and how they write it; and how many people there are."""
    users: dict[str, set[int]] = {}
    spelled: dict[str, Counter[str]] = {}
    persons: set[int] = set()
    for person, text in said:
        persons.add(person)
        for written in set(_WORD.findall(_NO_WORDS.sub(" ", text))):
            word = folding.letters(written).removeprefix("#")
            if _LEAST_LETTERS <= len(word) <= _MOST_LETTERS and word not in _STOP:
                users.setdefault(word, set()).add(person)
                spelled.setdefault(word, Counter())[written.lower()] += 1
    return Counter({word: len(each) for word, each in users.items()}), spelled, len(persons)


_STOP = frozenset(folding.letters(_ALWAYS).split())
