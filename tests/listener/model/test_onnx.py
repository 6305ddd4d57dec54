"""The graph: the same numbers alone or among others, in the order of the texts, whatever runs it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from listener.model.onnx import BATCH, WIDTHS, Graph, Profile
from listener.model.reading import BUNDLED

WORDS = ["la", "luz", "no", "anda", "desde", "ayer", "gracias", "the", "order", "never", "arrived", "please", "help"]


@pytest.fixture(scope="module", params=["full", "fast"])
def graph(request: pytest.FixtureRequest) -> Graph:
    profile: Profile = request.param
    return Graph(BUNDLED, profile=profile, max_tokens=128)


def _texts(count: int) -> list[str]:
    draw = random.Random(3)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 60))) for _ in range(count)]


def test_a_text_gives_the_same_numbers_alone_and_among_others(graph: Graph) -> None:
    texts = _texts(3 * BATCH + 1)
    together = graph.run(texts)
    for row in (0, 1, BATCH, len(texts) - 1):
        alone = graph.run([texts[row]])
        for among, own in zip(together.rows()[row], alone.rows()[0], strict=True):
            np.testing.assert_allclose(among, own, atol=2e-4)


def test_order_and_shapes(graph: Graph) -> None:
    texts = _texts(20)
    forward, backward = graph.run(texts), graph.run(texts[::-1])
    np.testing.assert_allclose(forward.sentiment, backward.sentiment[::-1], atol=2e-4)
    assert [out.shape for out in (forward.embedding, forward.sentiment, forward.intents, forward.signals)] == [
        (20, width) for width in WIDTHS
    ]
    np.testing.assert_allclose(np.linalg.norm(forward.embedding, axis=1), 1, atol=1e-4)


def test_no_texts_give_no_rows(graph: Graph) -> None:
    nothing = graph.run([])
    assert nothing.embedding.shape == (0, WIDTHS[0])
    assert nothing.rows() == []


def test_long_texts_are_read_to_their_limit_only(graph: Graph) -> None:
    words = "palabra " * 127
    np.testing.assert_array_equal(graph.run([words]).sentiment, graph.run([words + "palabra " * 500]).sentiment)


def test_another_processor_is_used_only_where_it_can_be(monkeypatch: pytest.MonkeyPatch, graph: Graph) -> None:
    """onnxruntime may list a provider whose driver is missing; then the processor does the work."""
    import onnxruntime

    every = onnxruntime.get_available_providers()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *every])
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        again = Graph(BUNDLED, profile="full", max_tokens=128)
    assert again.run(["hola"]).sentiment.shape == (1, 3)
