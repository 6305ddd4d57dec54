"""Models that were imported, at work: each speaks for the labels it knows, the bundled model for all others.

    texts | tokens | encoder | the probabilities of their labels | those of ours

`escucha model import` makes such a model (`listener/model/imports.py`); nothing here needs more than onnxruntime and
the tokenizer, and nothing touches a network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.errors import Mistake, NoModel
from listener.model.card import CARD, sha256
from listener.model.imported_card import COLUMNS, WEIGHTS, ImportedCard, read_card
from listener.model.mapping import Ours
from listener.model.onnx import THREADS, TOKENIZER, load_tokenizer, open_session
from listener.model.probability import logistic, softmax
from listener.types import Intent, Sentiment, Signal, Understanding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from listener.contract import Classifier

    Floats = NDArray[np.float64]

logger = logging.getLogger(__name__)

OUTPUT = "logits"
MAX_RAW = 20_000  # characters looked at
LOUDEST = 1e6  # of an output

_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@/.+-])@[\w.-]{1,64}(?:@[\w.-]{1,128})?")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What one imported model says of one text, about the labels of ours that it knows; `held` is how much of its
    belief lies on sentiment at all, 0..1."""

    sentiment: Mapping[Sentiment, float]
    held: float
    intents: Mapping[Intent, float]
    signals: Mapping[Signal, float]


def load(folder: Path) -> Imported:
    """The imported model in `folder`, its files checked against its card.

    Raises Mistake, in one sentence, when a file is missing, damaged or not a model.
    """
    card = read_card(folder)
    again = "import it again with --replace"
    for file in card.files:
        path = folder / file.name
        try:
            found = sha256(path)
        except OSError as error:
            raise NoModel(f"The imported model's file {path} cannot be read ({error.strerror}); {again}.") from error
        if found != file.sha256:
            raise NoModel(f"The imported model's file {path} is not the one its card names; {again}.")
    return opened(card, folder)


def opened(card: ImportedCard, folder: Path) -> Imported:
    """The model over files that were just made or just checked. Raises Mistake where they are no model."""
    try:
        tokenizer = load_tokenizer(folder / TOKENIZER, card.max_tokens)
        model = Imported(card, tokenizer=tokenizer, session=open_session(folder / WEIGHTS))
        model.check()
        return model
    except Exception as error:  # onnxruntime and the tokenizer raise bare Exceptions of their own making
        reason = " ".join(str(error).split())[:300]
        raise NoModel(f"The imported model in {folder} cannot be used ({reason}); import it again.") from error


def join(model: Classifier, folder: Path, names: Sequence[str]) -> Classifier:
    """`model` with those imported models, by their names in `folder`, the last one last; `model` itself without any.

    Raises Mistake for a name that is not there.
    """
    if not names:
        return model
    for name in names:
        if not name or Path(name).name != name or not (folder / name / CARD).is_file():
            there = ", ".join(known(folder)) or "none"
            raise Mistake(
                f"There is no imported model {name!r} in {folder}; there is: {there}. Import it with "
                "`escucha model import`, or take it out of `also` under [model] in the settings."
            )
    return Joined(model, *(load(folder / name) for name in names))


def known(folder: Path) -> tuple[str, ...]:
    """The names of the imported models in `folder`, by the alphabet."""
    if not folder.is_dir():
        return ()
    found = []
    for card in folder.glob(f"[!.]*/{CARD}"):
        try:
            read_card(card.parent)
        except Mistake:
            continue  # something else lies there too
        found.append(card.parent.name)
    return tuple(sorted(found))


class Imported:
    """One imported model. May be shared by threads; the same text gives the same answer, alone or among others."""

    def __init__(self, card: ImportedCard, *, tokenizer: Any, session: Any) -> None:
        self.card = card
        self._tokenizer = tokenizer
        self._session = session

    @property
    def version(self) -> str:
        """Names the weights, the labels and the calibration."""
        return self.card.version

    def tokens(self, text: str) -> list[int]:
        """How it reads a text that is `prepared`, cut at its limit."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def outputs(self, texts: Sequence[str]) -> Floats:
        """The raw outputs, shape (texts, labels of theirs); zeros where there is nothing to read. Each text runs alone:
        int8 scales what it multiplies by the largest number it sees, so that in a batch a text's scores would depend on
        its neighbours."""
        nothing = np.zeros(len(self.card.labels))
        found = [nothing if out is None else out for out in self._read(texts)]
        return np.array(found, np.float64).reshape(len(texts), len(self.card.labels))

    def check(self) -> None:
        """Reads one text. Raises ValueError, or what onnxruntime raises, where the graph is not the card's."""
        encoding = self._tokenizer.encode("hola 1")
        if encoding.ids and self._run(encoding).shape != (len(self.card.labels),):
            raise ValueError("it does not give one number for each of its labels")

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The calibrated probabilities of their labels, shape (texts, labels of theirs)."""
        return probabilities(self.outputs(texts), self.card.temperature, multi_label=self.card.multi_label)

    def scores(self, texts: Sequence[str]) -> list[Scores | None]:
        """What it says about our labels, for each text in order; None for a text in which it finds nothing to read, and
        for one that it cannot read."""
        found: list[Scores | None] = [None] * len(texts)
        said = [row for row, text in enumerate(texts) if text.strip()]
        for row, out in zip(said, self._read([texts[row] for row in said]), strict=True):
            if out is not None:
                card = self.card
                found[row] = self._scores(probabilities(out[None], card.temperature, multi_label=card.multi_label)[0])
        return found

    def _read(self, texts: Sequence[str]) -> list[Floats | None]:
        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(self._one, texts))

    def _one(self, text: str) -> Floats | None:
        """The raw outputs of one text; None where there is nothing to read, or where tokenizer or graph give up.

        Both are somebody else's: a text may hold a token that the graph has no row for, or set off a search in the
        tokenizer that ends at its limit, with a panic, which is no Exception.
        """
        try:
            encoding = self._tokenizer.encode(prepared(text))
            return self._run(encoding) if encoding.ids else None
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            logger.warning("The imported model %s cannot read a text (%s).", self.card.name, type(error).__name__)
            return None

    def _run(self, encoding: Any) -> Floats:
        inputs = {name: np.array([getattr(encoding, COLUMNS[name])], np.int64) for name in self.card.inputs}
        found = np.asarray(self._session.run([OUTPUT], inputs)[0][0], np.float64)
        return np.clip(np.nan_to_num(found), -LOUDEST, LOUDEST)  # whatever it says, scores are numbers

    def _scores(self, theirs: Floats) -> Scores:
        ours = gathered(theirs, [ours for _, ours in self.card.labels], multi_label=self.card.multi_label)
        feelings = {label: score for label, score in ours.items() if isinstance(label, Sentiment)}
        total = sum(feelings.values())
        held = max(feelings.values(), default=0.0) if self.card.multi_label else total
        return Scores(
            sentiment={label: feelings.get(label, 0.0) / total for label in Sentiment} if total > 0 else {},
            held=min(held, 1.0),
            intents={label: score for label, score in ours.items() if isinstance(label, Intent)},
            signals={label: score for label, score in ours.items() if isinstance(label, Signal)},
        )


class Joined:
    """A `Classifier`: the bundled model, with what imported ones know better laid over it, the last one last.

    What else the bundled model offers (`embed`, `card`, …) is found here too.
    """

    def __init__(self, model: Classifier, *imported: Imported) -> None:
        self._model = model
        self._imported = imported

    @property
    def version(self) -> str:
        """All versions, the bundled model's first, joined with `+`."""
        return "+".join([self._model.version, *(one.version for one in self._imported)])

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        """One understanding per text, in order. Never raises for a strange text."""
        found = self._model.classify(texts)
        for one in self._imported:
            found = [
                laid_over(below, scores, one.card.threshold) if scores else below
                for below, scores in zip(found, one.scores(texts), strict=True)
            ]
        return [replace(each, model_version=self.version) for each in found]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def laid_over(below: Understanding, scores: Scores, threshold: float) -> Understanding:
    """The understanding with what an imported model says in place of what was there, for the labels it knows.

    It names a sentiment only where the best one reaches `threshold` and at least half of its belief lies on sentiment.
    """
    sentiment, sentiment_scores = below.sentiment, below.sentiment_scores
    if scores.sentiment:
        best = max(scores.sentiment, key=scores.sentiment.__getitem__)
        sentiment = best if scores.sentiment[best] >= threshold and scores.held >= 0.5 else None
        sentiment_scores = {label.value: score for label, score in scores.sentiment.items()}
    intent_scores = {**below.intent_scores, **{label.value: score for label, score in scores.intents.items()}}
    signal_scores = {**below.signal_scores, **{label.value: score for label, score in scores.signals.items()}}
    intents = [label for label in below.intents if label not in scores.intents]
    intents += [label for label, score in scores.intents.items() if score >= threshold]
    signals = [label for label in below.signals if label not in scores.signals]
    signals += [label for label, score in scores.signals.items() if score >= threshold]
    return replace(
        below,
        sentiment=sentiment,
        sentiment_scores=sentiment_scores,
        intents=tuple(sorted(intents, key=lambda label: -intent_scores.get(label.value, 0.0))),
        intent_scores=intent_scores,
        signals=tuple(sorted(signals, key=lambda label: -signal_scores.get(label.value, 0.0))),
        signal_scores=signal_scores,
    )


def gathered(theirs: Floats, ours: Sequence[Ours], *, multi_label: bool) -> dict[Ours, float]:
    """Probabilities of our labels, from those of theirs that mean the same: together where they exclude each other,
    else the likeliest."""
    found: dict[Ours, float] = {}
    for label, score in zip(ours, theirs.tolist(), strict=True):
        if label is not None:
            had = found.get(label, 0.0)
            found[label] = max(had, score) if multi_label else min(had + score, 1.0)
    return found


def probabilities(outputs: Floats, temperature: float, *, multi_label: bool) -> Floats:
    """Raw outputs as probabilities, row by row: each for itself, or summing to 1."""
    scaled = np.asarray(outputs, np.float64) / temperature
    return logistic(scaled) if multi_label else softmax(scaled)


def prepared(text: str) -> str:
    """The text as such models learned it: as it is, but for handles (`@user`) and links (`http`)."""
    text = text[:MAX_RAW].encode("utf-8", "ignore").decode("utf-8")
    return _HANDLE.sub("@user", _URL.sub("http", text))
