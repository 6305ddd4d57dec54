"""The pictures are there, say what they should, and one sentence says how to get them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from listener.errors import Mistake
from listener.model import plots
from listener.model.evaluate import Figures
from listener.types import Intent, Sentiment
from tests.listener.model.test_evaluate import judged

SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def drawn() -> None:
    """Skips on a machine without the extra, fails in CI."""
    if not os.environ.get("CI"):
        pytest.importorskip("matplotlib")


@pytest.fixture
def figures() -> Figures:
    labels = [label.value for label in Sentiment]
    rows = [(f"{labels[n % 3]} 0.{n % 6 + 4}", labels[n % 7 % 3]) for n in range(90)]
    return judged(rows).all.figures()


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    head = path.read_bytes()[:24]
    assert head.startswith(SIGNATURE)
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


@pytest.mark.slow
@pytest.mark.usefixtures("drawn")
def test_both_pictures_are_drawn(tmp_path: Path, figures: Figures) -> None:
    for draw in (plots.confusion, plots.reliability):
        path = tmp_path / f"{draw.__name__}.png"
        draw(figures, path, title="Sentiment in a.csv")
        width, height = size_of(path)
        assert 500 < width < 2600
        assert 400 < height < 2200
    assert "matplotlib.pyplot" not in sys.modules  # it would choose a screen


@pytest.mark.slow
@pytest.mark.usefixtures("drawn")
def test_every_intent_has_room(tmp_path: Path) -> None:
    labels = tuple(label.value for label in Intent)
    rows = [(f"{labels[n % 9]}:0.9 {labels[n % 4]}:0.6", labels[n % 5]) for n in range(60)]
    plots.confusion(judged(rows, labels=labels, head="intents").all.figures(), tmp_path / "a.png", title="Intents")
    assert size_of(tmp_path / "a.png")[0] > 1200


@pytest.mark.slow
@pytest.mark.usefixtures("drawn")
@pytest.mark.filterwarnings("ignore:Glyph")  # a name in letters that the font lacks is drawn as boxes
def test_no_name_breaks_a_picture(tmp_path: Path, figures: Figures) -> None:
    for name in ("$x^2_{", "a\\b $$ \x1b[31m 日本", "x" * 500):
        plots.confusion(figures, tmp_path / "a.png", title=name, said={"negative": name})
        plots.reliability(figures, tmp_path / "b.png", title=name)
        assert size_of(tmp_path / "a.png")[0] < 2600


@pytest.mark.slow
@pytest.mark.usefixtures("drawn")
def test_nothing_measured_is_drawn_too(tmp_path: Path) -> None:
    empty = judged([]).all.figures()
    plots.confusion(empty, tmp_path / "a.png", title="Nothing")
    plots.reliability(empty, tmp_path / "b.png", title="Nothing")
    assert size_of(tmp_path / "b.png")


@pytest.mark.slow
@pytest.mark.usefixtures("drawn")
def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path, figures: Figures) -> None:
    with pytest.raises(Mistake, match=r"cannot be written .*; name another with --plot"):
        plots.confusion(figures, tmp_path / "none" / "a.png", title="x")


def test_without_the_extra_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Mistake, match=r"pip install '\.\[plots\]'"):
        plots.check_extra()
