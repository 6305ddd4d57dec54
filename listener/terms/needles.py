"""Many strings looked for at once in one pass over a text, whatever case they are written in, also inside JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

import ahocorasick


class Needles:
    """Strings to look for. A hit says that one may be there; whoever needs to be sure looks closer."""

    def __init__(self, strings: Iterable[str]) -> None:
        self._automaton = ahocorasick.Automaton()
        for each in set(strings):
            for form in {each, each.lower(), each.upper()}:
                for written in {form, json.dumps(form)[1:-1]}:
                    self._automaton.add_word(written.lower(), each)
        if len(self._automaton):
            self._automaton.make_automaton()

    def found(self, text: str) -> frozenset[str]:
        """Which of them are in the text, as they were given."""
        if not len(self._automaton):
            return frozenset()
        return frozenset(each for _, each in self._automaton.iter(text.lower()))
