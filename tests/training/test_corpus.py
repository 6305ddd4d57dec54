"""The corpus is well formed, covers both languages alike, and is divided so that no part knows another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from listener.types import Intent, Signal
from training import data
from training.data import COLUMNS, Example

CORPUS = Path(__file__).parents[2] / "training" / "corpus"
VARIETIES = {
    "en": {"us", "uk", "irish", "australian", "indian", "learner", "neutral"},
    "es": {"rioplatense", "mexican", "peninsular", "andean", "caribbean", "chilean", "colombian", "neutral"},
}
TRADES = {"telecom", "airline", "bank", "retail", "utility", "delivery", "none"}


@pytest.fixture(scope="module")
def corpus() -> list[Example]:
    return data.corpus(CORPUS)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("e[ns]/*.tsv")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_line_has_its_columns(path: Path) -> None:
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first.split("\t") == COLUMNS
    for number, line in enumerate(lines, 2):
        _, _, _, trade, variety, text = line.split("\t")
        assert trade in TRADES, f"line {number}"
        assert variety in VARIETIES[path.parent.name], f"line {number}"
        assert text.strip() == text, f"line {number}"
        assert text, f"line {number}"


@pytest.mark.parametrize("path", sorted(CORPUS.glob("pairs/*.tsv")), ids=lambda path: path.stem)
def test_every_pair_has_both_sides(path: Path) -> None:
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first.split("\t") == ["en", "es"]
    for number, line in enumerate(lines, 2):
        assert all(side.strip() for side in line.split("\t")), f"line {number}"
        assert line.count("\t") == 1, f"line {number}"


def test_a_line_that_is_malformed_is_named(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en/bad.tsv").write_text("\t".join(COLUMNS) + "\nnonsense\tneutral\tnone\tbank\tus\thello\n")
    with pytest.raises(ValueError, match=r"bad\.tsv:2: 'nonsense'"):
        data.corpus(tmp_path)


def test_both_languages_are_covered_alike(corpus: list[Example]) -> None:
    texts = Counter(example.language for example in corpus)
    assert 0.75 < texts["en"] / texts["es"] < 1.33
    for language, varieties in VARIETIES.items():
        own = [example for example in corpus if example.language == language]
        assert {example.variety for example in own} == varieties
        assert {example.trade for example in own} == TRADES
        assert all(sum(example.intents[intent] for example in own) >= 250 for intent in Intent)
        assert all(sum(example.signals[signal] for example in own) >= 80 for signal in Signal)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_near_duplicates_stay_on_one_side(corpus: list[Example]) -> None:
    groups = data.near_duplicates(corpus)
    parts = data.split(corpus, groups)
    assert sum(map(len, parts.values())) == len(corpus)
    assert 0.6 < len(parts["train"]) / len(corpus) < 0.8
    side = {(example.language, example.text): name for name, own in parts.items() for example in own}
    for group in groups:
        assert len({side[corpus[row].language, corpus[row].text] for row in group}) == 1
