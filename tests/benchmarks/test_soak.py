"""A model that reads one batch in so many says as much as was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import growth
from benchmarks.soak import Seldom
from listener.types import Understanding


class Counts(growth.Stub):
    def __init__(self) -> None:
        self.read = 0

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        self.read += len(texts)
        return super().classify(texts)


def test_the_model_reads_one_batch_in_so_many_and_every_text_is_answered() -> None:
    model = Counts()
    seldom = Seldom(model, 4)
    sizes = [8, 64, 1, 5, 3, 64]
    assert [len(seldom.classify(["hola"] * size)) for size in sizes] == sizes
    assert model.read == 8 + 3
    assert seldom.version == model.version
