"""The graph that reads: tokens in, every head's numbers out. onnxruntime and the tokenizer are used here only.

    texts | tokens | sorted by length | batches of eight, two at once | outputs in the order of the texts

Every token is rounded by a scale of its own (see training/export.py), so a text gives the same numbers alone or among
others, but for the order in which a processor adds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Profile = Literal["full", "fast"]

TOKENIZER = "tokenizer.json"
SHARED = "weights.bin"  # what both profiles' graphs refer to
OUTPUTS = ("sentence_embedding", "sentiment", "intents", "signals")
WIDTHS = (384, 3, 9, 7)
BATCH = 8  # larger ones gain nothing on a processor and pad more
THREADS = 2  # batches worked on at once


def graph_file(profile: Profile) -> str:
    """The file of one profile's graph."""
    return f"{profile}.onnx"


@dataclass(frozen=True)
class Outputs:
    """The heads' outputs before calibration, a row per text: embedding (n, 384) of length 1, sentiment (n, 3),
    intents (n, 9), signals (n, 7), in the order of the types."""

    embedding: Floats
    sentiment: Floats
    intents: Floats
    signals: Floats

    @classmethod
    def of(cls, rows: Sequence[tuple[Floats, ...]]) -> Outputs:
        """The outputs for texts whose rows are known one by one."""
        columns = [np.array([row[column] for row in rows], np.float32) for column in range(len(WIDTHS))]
        return cls(*(column.reshape(len(rows), width) for column, width in zip(columns, WIDTHS, strict=True)))

    def rows(self) -> list[tuple[Floats, ...]]:
        """The outputs text by text."""
        return list(zip(self.embedding, self.sentiment, self.intents, self.signals, strict=True))


class Graph:
    """One profile's graph with its tokenizer. May be shared by threads."""

    def __init__(self, folder: Path, *, profile: Profile, max_tokens: int) -> None:
        self._tokenizer = load_tokenizer(folder / TOKENIZER, max_tokens)
        self._session = _quickest(folder / graph_file(profile))

    def run(self, texts: Sequence[str]) -> Outputs:
        """What the graph says of each text, in order."""
        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch_fast(list(texts))]
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        batches = [order[first : first + BATCH] for first in range(0, len(order), BATCH)]
        found = [np.zeros((len(tokens), width), np.float32) for width in WIDTHS]
        read = self._pool.map(self._one, ([tokens[row] for row in rows] for rows in batches))
        for rows, outputs in zip(batches, read, strict=True):
            for whole, part in zip(found, outputs, strict=True):
                whole[rows] = part
        return Outputs(*found)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, thread_name_prefix="model")

    def _one(self, tokens: list[list[int]]) -> list[Floats]:
        found: list[Floats] = self._session.run(OUTPUTS, padded(tokens))
        return found


def padded(tokens: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    """A batch as the graph takes it, as wide as its longest text."""
    ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
    mask = np.zeros_like(ids)
    for row, own in enumerate(tokens):
        ids[row, : len(own)] = own
        mask[row, : len(own)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def load_tokenizer(path: Path, max_tokens: int) -> Any:
    """The tokenizer in that file, cutting at `max_tokens`. Raises a bare Exception where it is none."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # texts are short, and threads do better work elsewhere
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def open_session(path: Path, providers: Sequence[str] = ("CPUExecutionProvider",)) -> Any:
    """A session over the graph in that file, a batch on one thread. Raises exceptions of onnxruntime's own making."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a batch is too small to share out
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=list(providers))


def _quickest(path: Path) -> Any:
    """A session on the processor, or on what else onnxruntime has been given where that is quicker."""
    import onnxruntime

    sessions = [open_session(path)]
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        sessions.append(open_session(path, ("CUDAExecutionProvider", "CPUExecutionProvider")))
    return min(sessions, key=_seconds) if len(sessions) > 1 else sessions[0]


def _seconds(session: Any) -> float:
    """How long a session takes for a batch of usual size, once it is warm."""
    ids = np.full((BATCH, 24), 1000, np.int64)
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    session.run(OUTPUTS, batch)
    started = perf_counter()
    for _ in range(3):
        session.run(OUTPUTS, batch)
    return perf_counter() - started
