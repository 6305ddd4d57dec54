"""From a trained network to the bundled model: python -m training.bundle --help.

    network.pt | ONNX | int8 | calibrate on the calibration part | choose thresholds | measure on the test part | card

Everything after the int8 step is measured through the product's own classifier, so that the figures in the card are
those of what people run.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from scipy.optimize import minimize
from sklearn.metrics import f1_score
from transformers import BertConfig

from listener.model import card as cards
from listener.model import onnx as runtime
from listener.model.card import Card, CardFile, IntentScale, SentimentScale, Source
from listener.types import Intent, Sentiment
from training import data
from training.data import INTENTS, SENTIMENTS, Example
from training.describe import card_in_words
from training.network import Network, export

INTENT_PRECISION = 0.80
SENTIMENT_PRECISION = 0.75
LANGUAGES = ("en", "es")
SOURCES = {
    "all-MiniLM-L6-v2": ("Apache-2.0", "the encoder that training started from"),
    "corpus": ("Apache-2.0", "train, calibrate, measure: written for this project"),
    "goemotions": ("Apache-2.0", "train: sentiment of English comments"),
    "xed": ("CC BY 4.0", "train: sentiment of film subtitles, English and Spanish"),
    "bitext": ("CDLA-Sharing-1.0", "train: requests and questions to a help desk"),
    "banking77": ("CC BY 4.0", "train: questions to a bank"),
    "clinc150": ("CC BY 3.0", "train: small talk, as off topic"),
    "nlupp": ("CC BY 4.0", "train: requests and questions to a bank and a hotel"),
    "tatoeba": ("CC BY 2.0 FR", "train: the meaning of Spanish sentences, from their English translations"),
    "lexicon": ("Apache-2.0", "train: first vectors of Spanish words; written for this project"),
    "xlm_t": ("not trained on", "measure only: sentiment of public posts"),
}


def main() -> int:
    """Write the bundle into --out."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    network = trained(options)
    parts = data.split(data.corpus(options.corpus))
    outside = {language: data.xlm_t(options.data, language) for language in LANGUAGES}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        export(network, whole)
        quantize(whole, options.out / runtime.WEIGHTS)
        shutil.copyfile(options.trained / "tokenizer.json", options.out / runtime.TOKENIZER)
        shutil.copyfile(options.out / runtime.TOKENIZER, Path(folder) / runtime.TOKENIZER)
        whole.rename(Path(folder) / runtime.WEIGHTS)
        exact = open_model(Path(folder), blank(options))
        model = open_model(options.out, blank(options))
        card = calibrated(model, parts["calibration"], blank(options))
        model = open_model(options.out, card)
        metrics = measure(model, parts["test"], outside) | {
            "calibration part": measure(model, parts["calibration"], {}),
            "without int8": measure(open_model(Path(folder), card), parts["test"], outside),
            "int8 against float": closeness(model, exact, parts["test"]),
        }
    write_card(options, card, metrics, parts)
    print(json.dumps(metrics, indent=1))
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder with all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--corpus", type=Path, default=Path("training/corpus"))
    parser.add_argument("--trained", type=Path, required=True, help="what training.train wrote")
    parser.add_argument("--out", type=Path, default=runtime.BUNDLED)
    parser.add_argument("--version", default="escucha-minilm-1")
    parser.add_argument("--made", type=date.fromisoformat, required=True, help="the date for the card")
    return parser.parse_args()


def trained(options: argparse.Namespace) -> Network:
    """The network as training left it."""
    weights = torch.load(options.trained / "network.pt", map_location="cpu", weights_only=True)
    config = BertConfig.from_pretrained(options.base)
    config.vocab_size = weights["encoder.embeddings.word_embeddings.weight"].shape[0]
    network = Network(config)
    network.load_state_dict(weights)
    return network


def quantize(whole: Path, out: Path) -> None:
    """Weights as 8-bit integers, a scale per column; activations are scaled as they come."""
    graph = onnx.load(whole)
    del graph.graph.value_info[:]  # the exporter's shapes of transposed weights; they are inferred again
    for node in graph.graph.node:  # where each operation stood in the source, with the paths of this machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    quantize_dynamic(graph, out, weight_type=QuantType.QInt8, per_channel=True, reduce_range=False)


def blank(options: argparse.Namespace) -> Card:
    """A card that changes nothing: for looking at the heads' own outputs."""
    plain = SentimentScale(temperature=1.0, shift=dict.fromkeys(Sentiment, 0.0))
    return Card(
        version=options.version,
        made=options.made,
        base="all-MiniLM-L6-v2",
        max_tokens=128,
        files=(),
        sources=(),
        sentiment={language: plain for language in (*LANGUAGES, cards.OTHER_LANGUAGE)},
        sentiment_thresholds=dict.fromkeys(Sentiment, 0.0),
        intents={intent: IntentScale(slope=1.0, offset=0.0, threshold=0.5) for intent in Intent},
        metrics={},
    )


def open_model(folder: Path, card: Card) -> runtime.Model:
    """The product's classifier over files that have no card yet."""
    return runtime.Model(
        card=card,
        tokenizer=runtime.load_tokenizer(folder),
        session=runtime.open_session(folder),
        language=runtime.LanguageReader(),
    )


# --- calibration ------------------------------------------------------------------------------------------------------


def calibrated(model: runtime.Model, examples: list[Example], card: Card) -> Card:
    """The card with scales and thresholds, from texts that training never saw."""
    sentiment_out, intents_out = model.raw([e.text for e in examples])
    wanted = np.array([np.argmax(e.sentiment) for e in examples])
    language = np.array([e.language for e in examples])
    every = np.ones(len(examples), bool)
    sentiment = {
        name: sentiment_scale(sentiment_out[rows], wanted[rows])
        for name, rows in [*((each, language == each) for each in LANGUAGES), (cards.OTHER_LANGUAGE, every)]
    }
    named = np.array([[e.intents[intent] for intent in INTENTS] for e in examples])
    intents = {intent: intent_scale(intents_out[:, column], named[:, column]) for column, intent in enumerate(INTENTS)}
    scaled = Card(**{**fields(card), "sentiment": sentiment, "intents": intents})
    scores = sentiment_probabilities(scaled, list(language), sentiment_out)
    thresholds = {
        label: threshold(
            np.where(scores.argmax(1) == column, scores[:, column], 0), wanted == column, SENTIMENT_PRECISION, 0.40
        )
        for column, label in enumerate(SENTIMENTS)
    }
    return Card(**{**fields(scaled), "sentiment_thresholds": thresholds})


def fields(card: Card) -> dict[str, Any]:
    """The card's fields by name, as they are."""
    return {name: getattr(card, name) for name in card.__dataclass_fields__}


def sentiment_scale(out: np.ndarray, wanted: np.ndarray) -> SentimentScale:
    """The temperature and the shift per class that make the likelihood largest (Guo et al., 2017)."""

    def cost(numbers: np.ndarray) -> float:
        z = (out + np.array([numbers[1], 0.0, numbers[2]])) / math.exp(numbers[0])
        z = z - z.max(1, keepdims=True)
        likelihood = z[np.arange(len(z)), wanted] - np.log(np.exp(z).sum(1))
        return float(-likelihood.mean() + 0.01 * (numbers**2).sum())

    best = minimize(cost, np.zeros(3), method="Nelder-Mead").x
    shift = dict(zip(Sentiment, (round(float(x), 4) for x in (best[1], 0.0, best[2])), strict=True))
    return SentimentScale(temperature=round(math.exp(best[0]), 4), shift=shift)


def intent_scale(out: np.ndarray, wanted: np.ndarray) -> IntentScale:
    """Platt's scaling, with his own smoothing of the targets, and the threshold for `INTENT_PRECISION`."""
    yes, no = wanted.sum(), len(wanted) - wanted.sum()
    target = np.where(wanted > 0, (yes + 1) / (yes + 2), 1 / (no + 2))

    def cost(numbers: np.ndarray) -> float:
        z = numbers[0] * out + numbers[1]
        return float((np.logaddexp(0, z) - target * z).mean())

    slope, offset = (float(number) for number in minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead").x)
    scores = 1 / (1 + np.exp(-(slope * out + offset)))
    return IntentScale(
        slope=round(slope, 4), offset=round(offset, 4), threshold=threshold(scores, wanted > 0, INTENT_PRECISION, 0.25)
    )


def threshold(scores: np.ndarray, right: np.ndarray, precision: float, lowest: float) -> float:
    """The lowest score from which on at least `precision` of what is said is right, between `lowest` and 0.9."""
    for candidate in np.arange(lowest, 0.905, 0.01):
        said = scores >= candidate
        if said.any() and right[said].mean() >= precision:
            return round(float(candidate), 2)
    return 0.9


# --- measuring --------------------------------------------------------------------------------------------------------


def measure(model: runtime.Model, examples: list[Example], outside: dict[str, list[Example]]) -> dict[str, Any]:
    """Every figure of docs/model.md, per language."""
    result: dict[str, Any] = {}
    for language in LANGUAGES:
        own = [e for e in examples if e.language == language]
        if own:
            result[language] = {
                "texts": len(own),
                "sentiment": sentiment_figures(model, own),
                "intents": intent_figures(model, own),
            }
        if language in outside:
            result[f"xlm-t {language}"] = {
                "texts": len(outside[language]),
                "sentiment": sentiment_figures(model, outside[language]),
            }
    return result


def sentiment_figures(model: runtime.Model, examples: list[Example]) -> dict[str, float]:
    """Macro-F1 of the likeliest class, calibration error, and how much is said how correctly above the thresholds."""
    out, _ = model.raw([e.text for e in examples])
    scores = sentiment_probabilities(model.card, [e.language for e in examples], out)
    wanted = np.array([np.argmax(e.sentiment) for e in examples])
    guess = scores.argmax(1)
    said = np.array(
        [scores[row, each] >= model.card.sentiment_thresholds[SENTIMENTS[each]] for row, each in enumerate(guess)]
    )
    return {
        "macro_f1": rounded(f1_score(wanted, guess, average="macro", labels=[0, 1, 2], zero_division=0)),
        "accuracy": rounded((guess == wanted).mean()),
        "ece": rounded(calibration_error(scores.max(1), guess == wanted)),
        "answered": rounded(said.mean()),
        "right_when_answered": rounded((guess == wanted)[said].mean() if said.any() else 0.0),
    }


def intent_figures(model: runtime.Model, examples: list[Example]) -> dict[str, Any]:
    """Per intent precision, recall and F1 at its threshold; macro-F1; calibration error over all intents."""
    _, out = model.raw([e.text for e in examples])
    scores = np.array([list(runtime.intent_scores(model.card, row).values()) for row in out])
    said = scores >= np.array([model.card.intents[intent].threshold for intent in INTENTS])
    wanted = np.array([[e.intents[intent] for intent in INTENTS] for e in examples]) > 0
    figures: dict[str, Any] = {}
    for column, intent in enumerate(INTENTS):
        hits = int((said[:, column] & wanted[:, column]).sum())
        figures[intent.value] = {
            "texts": int(wanted[:, column].sum()),
            "precision": rounded(hits / max(1, said[:, column].sum())),
            "recall": rounded(hits / max(1, wanted[:, column].sum())),
            "f1": rounded(f1_score(wanted[:, column], said[:, column], zero_division=0)),
        }
    best = scores.argmax(1)
    return {
        "macro_f1": rounded(np.mean([figures[intent.value]["f1"] for intent in INTENTS])),
        "macro_f1_at_half": rounded(f1_score(wanted, scores >= 0.5, average="macro", zero_division=0)),
        "strongest_is_right": rounded(wanted[np.arange(len(best)), best][wanted.any(1)].mean()),
        "ece": rounded(calibration_error(scores.ravel(), wanted.ravel())),
        "each": figures,
    }


def sentiment_probabilities(card: Card, languages: Sequence[str], out: np.ndarray) -> np.ndarray:
    """The calibrated scores, a row per text."""
    rows = (runtime.sentiment_scores(card, language, row) for language, row in zip(languages, out, strict=True))
    return np.array([list(scores.values()) for scores in rows])


def calibration_error(scores: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: how far scores are from how often they are right, over ten equal ranges."""
    which = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(scores[which == b].mean() - right[which == b].mean()) * (which == b).mean() for b in set(which)]
    return float(sum(gaps))


def closeness(model: runtime.Model, exact: runtime.Model, examples: list[Example]) -> dict[str, float]:
    """How little int8 changed: cosine of the meanings, and how many texts keep their likeliest sentiment."""
    texts = [e.text for e in examples]
    return {
        "cosine": rounded((model.embed(texts) * exact.embed(texts)).sum(1).mean()),
        "same_sentiment": rounded((model.raw(texts)[0].argmax(1) == exact.raw(texts)[0].argmax(1)).mean()),
    }


def rounded(number: float) -> float:
    """Three digits: more would be noise at these sizes."""
    return round(float(number), 3)


# --- the card ---------------------------------------------------------------------------------------------------------


def write_card(
    options: argparse.Namespace, card: Card, metrics: dict[str, Any], parts: dict[str, list[Example]]
) -> None:
    """card.json and CARD.md beside the model."""
    used = json.loads((options.trained / "used.json").read_text(encoding="utf-8"))
    counts = Counter(used) + Counter(corpus=len(parts["calibration"]) + len(parts["test"]), xlm_t=2 * 324)
    files = [
        CardFile(name=name, sha256=cards.sha256(options.out / name), size=(options.out / name).stat().st_size)
        for name in (runtime.WEIGHTS, runtime.TOKENIZER)
    ]
    content = {
        "version": card.version,
        "made": card.made.isoformat(),
        "base": card.base,
        "max_tokens": card.max_tokens,
        "files": [asdict(file) for file in files],
        "sources": [
            asdict(Source(name=name, licence=licence, use=use, examples=counts[name]))
            for name, (licence, use) in SOURCES.items()
        ],
        "calibration": {
            "sentiment": {language: asdict(scale) for language, scale in card.sentiment.items()},
            "sentiment_thresholds": card.sentiment_thresholds,
            "intents": {intent: asdict(scale) for intent, scale in card.intents.items()},
            "precision_aimed_at": {"sentiment": SENTIMENT_PRECISION, "intents": INTENT_PRECISION},
        },
        "metrics": metrics,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (options.out / cards.CARD).write_text(text, encoding="utf-8")
    (options.out / "CARD.md").write_text(card_in_words(json.loads(text)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
