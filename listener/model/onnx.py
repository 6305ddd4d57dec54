"""The model that comes with Escucha: one small encoder with two heads, run by onnxruntime on the processor.

    texts | clean | tokens | encoder | calibrate | the label, or "I do not know" below its threshold

Nothing here touches a network: the tokenizer and the weights are files beside the card, and their hashes are checked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.errors import Mistake
from listener.model import card as cards
from listener.model.card import Card
from listener.model.language import UNCLEAR, LanguageReader
from listener.model.text import clean
from listener.types import Intent, Sentiment, Understanding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BUNDLED = Path(__file__).parent / "bundled"
WEIGHTS = "model.onnx"
TOKENIZER = "tokenizer.json"
EMBEDDING_SIZE = 384
OUTPUTS = ["sentence_embedding", "sentiment", "intents"]
THREADS = 2  # texts worked on at once


def load(folder: Path = BUNDLED) -> Model:
    """The model in `folder`, ready to classify; takes about a second.

    Raises Mistake, in one sentence, when a file is missing, damaged or not a model.
    """
    card = cards.read(folder)
    cards.check_files(card, folder)
    try:
        return Model(
            card=card, tokenizer=load_tokenizer(folder), session=open_session(folder), language=LanguageReader()
        )
    except Exception as error:  # onnxruntime and the tokenizer raise bare Exceptions of their own making
        reason = " ".join(str(error).split())[:300]
        raise Mistake(f"The model in {folder} cannot be used ({reason}); install Escucha again.") from error


class Model:
    """A `Classifier`. May be shared by threads; the same text gives the same answer, alone or among others."""

    def __init__(self, *, card: Card, tokenizer: Any, session: Any, language: LanguageReader) -> None:
        self.card = card
        self._tokenizer = tokenizer
        self._session = session
        self._language = language
        self._tokenizing = threading.Lock()  # truncation is a setting of the tokenizer, not of a call

    @property
    def version(self) -> str:
        """Names the weights and the calibration."""
        return self.card.version

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        """One understanding per text, in order. Never raises for a strange text."""
        _, sentiment, intents = self._run(texts)
        return [self._understanding(text, sentiment[row], intents[row]) for row, text in enumerate(texts)]

    def embed(self, texts: Sequence[str]) -> Floats:
        """One vector of length 1 per text, in order, shape (texts, 384): close vectors, close meanings."""
        return self._run(texts)[0]

    def raw(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """The heads' outputs before calibration: sentiment (texts, 3) and intents (texts, 9), in the types' order."""
        return self._run(texts)[1:]

    def _run(self, texts: Sequence[str]) -> tuple[Floats, Floats, Floats]:
        """The graph's three outputs. Each text runs alone: int8 scales what it multiplies by the largest number it
        sees, so that in a batch a text's scores would depend on its neighbours."""
        tokens = self._tokens([clean(text) for text in texts])
        embedding = np.zeros((len(texts), EMBEDDING_SIZE), np.float32)
        sentiment = np.zeros((len(texts), len(Sentiment)), np.float32)
        intents = np.zeros((len(texts), len(Intent)), np.float32)
        with ThreadPoolExecutor(THREADS) as threads:
            for row, found in enumerate(threads.map(self._run_one, tokens)):
                embedding[row], sentiment[row], intents[row] = (out[0] for out in found)
        return embedding, sentiment, intents

    def _run_one(self, tokens: list[int]) -> list[Floats]:
        ids = np.array([tokens], np.int64)
        found: list[Floats] = self._session.run(OUTPUTS, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return found

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        with self._tokenizing:
            encoded = self._tokenizer(
                texts, truncation=True, max_length=self.card.max_tokens, return_attention_mask=False
            )
        return [list(ids) for ids in encoded["input_ids"]]

    def _understanding(self, text: str, sentiment_out: Floats, intents_out: Floats) -> Understanding:
        language, language_score = self._language.read(text)
        sentiment = sentiment_scores(self.card, language, sentiment_out)
        intents = intent_scores(self.card, intents_out)
        readable = language in (*self.card.languages, UNCLEAR) and any(map(str.isalpha, clean(text)))
        return Understanding(
            model_version=self.version,
            language=language,
            language_score=language_score,
            sentiment=known_sentiment(self.card, sentiment) if readable else None,
            sentiment_scores={label.value: score for label, score in sentiment.items()},
            intents=known_intents(self.card, intents) if readable else (),
            intent_scores={label.value: score for label, score in intents.items()},
        )


def sentiment_scores(card: Card, language: str, out: Floats) -> dict[Sentiment, float]:
    """Calibrated probabilities that sum to 1."""
    scale = card.sentiment_scale(language)
    shifted = (out.astype(np.float64) + [scale.shift[label] for label in Sentiment]) / scale.temperature
    powers = np.exp(shifted - np.max(shifted))
    return dict(zip(Sentiment, (powers / powers.sum()).tolist(), strict=True))


def intent_scores(card: Card, out: Floats) -> dict[Intent, float]:
    """Calibrated probabilities, each for itself."""
    scales = [card.intents[label] for label in Intent]
    z = np.array([scale.slope for scale in scales]) * out + np.array([scale.offset for scale in scales])
    return dict(zip(Intent, (1 / (1 + np.exp(-z))).tolist(), strict=True))


def known_sentiment(card: Card, scores: dict[Sentiment, float]) -> Sentiment | None:
    """The likeliest sentiment where it is likely enough, else None: the model does not know."""
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= card.sentiment_thresholds[best] else None


def known_intents(card: Card, scores: dict[Intent, float]) -> tuple[Intent, ...]:
    """The intents that are likely enough, strongest first; none where the model does not know."""
    likely = [label for label in Intent if scores[label] >= card.intents[label].threshold]
    return tuple(sorted(likely, key=lambda label: -scores[label]))


def load_tokenizer(folder: Path) -> Any:
    """transformers' tokenizer from the file in `folder`, without a look at any network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # the advice is to install PyTorch
    from transformers import PreTrainedTokenizerFast

    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer: Any = PreTrainedTokenizerFast
    return tokenizer(tokenizer_file=str(folder / TOKENIZER), model_max_length=512, **marks)


def open_session(folder: Path) -> Any:
    """An onnxruntime session over the weights in `folder`, one thread for each text."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a text is too small to share out
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(folder / WEIGHTS), options, providers=["CPUExecutionProvider"])
