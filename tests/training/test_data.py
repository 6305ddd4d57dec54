"""Texts that nearly repeat each other are found by their letters, whatever links them."""

from __future__ import annotations

from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from training.data import Example, near_duplicates

texts = st.lists(st.text(alphabet="abAñ !", max_size=14), max_size=12)


def shingles(text: str) -> set[str]:
    padded = f" {text.lower().replace('!', '')} "
    return {padded[start : start + 4] for start in range(max(1, len(padded) - 3))}


@given(texts)
@example(["aaa b", "aaa"])  # exactly half
def test_near_duplicates_are_those_that_comparing_every_pair_finds(written: list[str]) -> None:
    groups = {row: {row} for row in range(len(written))}
    for (a, one), (b, other) in combinations(enumerate(map(shingles, written)), 2):
        if len(one & other) / len(one | other) >= 0.5:
            merged = groups[a] | groups[b]
            groups |= dict.fromkeys(merged, merged)
    found = near_duplicates([Example(source="corpus", language="es", text=text) for text in written])
    assert sorted(map(sorted, found)) == sorted(map(list, {tuple(sorted(group)) for group in groups.values()}))
