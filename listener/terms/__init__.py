"""What a brand listens to, in one language for all networks: read, matched, and widened to what a network can search.

    parse("(iberia OR #iberia OR \\"iberia express\\") -ryanair lang:es,en -from:iberia")

docs/terms.md describes the language to those who write it.
"""

from __future__ import annotations

from listener.terms import folding
from listener.terms.expression import (
    And,
    Expression,
    From,
    Handle,
    Language,
    Not,
    Or,
    Phrase,
    Tag,
    Word,
    both,
    either,
    leaves,
)
from listener.terms.matching import Matcher, Terms
from listener.terms.parsing import read
from listener.terms.widening import searches, widest

__all__ = [
    "And",
    "Expression",
    "From",
    "Handle",
    "Language",
    "Matcher",
    "Not",
    "Or",
    "Phrase",
    "Tag",
    "Terms",
    "Word",
    "both",
    "either",
    "folding",
    "leaves",
    "parse",
    "searches",
    "widest",
]


def parse(text: str) -> Terms:
    """The terms that `text` says. Raises TermsProblem, which names the column and the next step."""
    return Terms(text, read(text))
