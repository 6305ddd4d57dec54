"""The model that comes with Escucha: one small encoder, all heads in one pass, and how sure each of them is.

    texts | clean | graph | calibrate by language | the labels, or "I do not know" below their thresholds

Nothing here touches a network: the tokenizer and the weights are files beside the card, and their hashes are checked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from listener.errors import NoModel
from listener.model import card as cards
from listener.model.card import Card
from listener.model.language import UNCLEAR, LanguageReader
from listener.model.onnx import Graph, Outputs, Profile
from listener.model.text import clean
from listener.types import Intent, Sentiment, Signal, Understanding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from listener.model.fewshot import Areas

    Floats = NDArray[np.float32]

BUNDLED = Path(__file__).parent / "bundled"
REMEMBERED = 1024  # texts whose outputs are kept for when the same is said again: by their digests, without their words


def reader_version(card: Card, profile: Profile) -> str:
    """Names the weights, the calibration and the profile."""
    return card.version if profile == "full" else f"{card.version}-{profile}"


def load(folder: Path = BUNDLED, *, profile: Profile = "full") -> Model:
    """The model in `folder`, ready to classify; takes less than a second.

    Raises NoModel, in one sentence, when a file is missing, damaged or not a model, or memory is short.
    """
    card = cards.read(folder)
    cards.check_files(card, folder)
    try:
        graph = Graph(folder, profile=profile, max_tokens=card.max_tokens)
        return Model(card=card, profile=profile, graph=graph, language=LanguageReader())
    except Exception as error:  # onnxruntime and the tokenizer raise bare Exceptions of their own making
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise NoModel(f"The model in {folder} cannot be used ({reason}); install Escucha again.") from error


class Model:
    """A `Classifier`. May be shared by threads; the same text gives the same answer, alone or among others.

    `areas` are the company's own, learned for this version; None: it has none.
    """

    def __init__(self, *, card: Card, profile: Profile, graph: Graph, language: LanguageReader) -> None:
        self.card = card
        self.profile = profile
        self.areas: Areas | None = None
        self._calibration = card.profiles[profile]
        self._memory = _Memory(graph)
        self._language = language
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="reader")

    @property
    def version(self) -> str:
        """Names the weights, the calibration, the profile and the learned areas; stored with every understanding."""
        return f"{self.reader_version}+{self.areas.version}" if self.areas else self.reader_version

    @property
    def reader_version(self) -> str:
        """The version without the areas: what their vectors are made by."""
        return reader_version(self.card, self.profile)

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        """One understanding per text, in order. Never raises for a strange text."""
        cleaned = [clean(text) for text in texts]
        reading = self._beside.submit(self._memory.outputs, cleaned)
        languages = [self._language.read(text) for text in texts]
        outputs = reading.result()
        areas = self.areas.read(outputs.embedding) if self.areas else [((), {})] * len(texts)
        understood: dict[int, Understanding] = {}
        for language in {language for language, _ in languages}:
            rows = [row for row, (own, _) in enumerate(languages) if own == language]
            scale = self._calibration.of(language)
            sentiments = scale.sentiment_scores(outputs.sentiment[rows]).tolist()
            intents = scale.intent_scores(outputs.intents[rows]).tolist()
            signals = scale.signal_scores(outputs.signals[rows]).tolist()
            learned = language in (*self.card.languages, UNCLEAR)
            for row, feeling, wishes, marks in zip(rows, sentiments, intents, signals, strict=True):
                readable = learned and any(map(str.isalpha, cleaned[row]))
                understood[row] = Understanding(
                    model_version=self.version,
                    language=language,
                    language_score=languages[row][1],
                    sentiment=scale.sentiment_given(feeling) if readable else None,
                    sentiment_scores=dict(zip(_SENTIMENTS, feeling, strict=True)),
                    intents=scale.intents_given(wishes) if readable else (),
                    intent_scores=dict(zip(_INTENTS, wishes, strict=True)),
                    signals=scale.signals_given(marks) if readable else (),
                    signal_scores=dict(zip(_SIGNALS, marks, strict=True)),
                    areas=areas[row][0] if readable else (),
                    area_scores=areas[row][1],
                )
        return [understood[row] for row in range(len(texts))]

    def embed(self, texts: Sequence[str]) -> Floats:
        """One vector of length 1 per text, in order, shape (texts, 384): close vectors, close meanings."""
        return self.raw(texts).embedding

    def raw(self, texts: Sequence[str]) -> Outputs:
        """The heads' outputs before calibration, a row per text."""
        return self._memory.outputs([clean(text) for text in texts])


_SENTIMENTS = [label.value for label in Sentiment]
_INTENTS = [label.value for label in Intent]
_SIGNALS = [label.value for label in Signal]


class _Memory:
    """The graph, asked once for what is said many times: reposts, copied complaints, campaigns."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: OrderedDict[bytes, tuple[Floats, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """The graph's outputs, a row per text."""
        digests = [blake2b(text.encode(), digest_size=16).digest() for text in texts]
        with self._lock:
            rows = {digest: self._known[digest] for digest in digests if digest in self._known}
        new = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in rows}
        rows |= zip(new, self._graph.run(list(new.values())).rows(), strict=True)
        with self._lock:
            for digest in rows:
                self._known[digest] = rows[digest]
                self._known.move_to_end(digest)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return Outputs.of([rows[digest] for digest in digests])
