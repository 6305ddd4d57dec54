"""From a trained network to the bundled model: python -m training.bundle --help.

    model.safetensors | two graphs | int8 | calibrate and choose thresholds on one part | measure on another | card

Everything after the int8 step is measured through the product's own classifier, so that the figures in the card are
those of what people run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from transformers import BertConfig

from listener.model import card as cards
from listener.model import reading
from listener.model.calibration import Calibration, LabelScale, Scale, SentimentScale
from listener.model.card import Card, CardFile, Source
from listener.model.language import LanguageReader
from listener.model.onnx import SHARED, TOKENIZER, Graph, Profile, graph_file
from listener.types import Intent, Sentiment, Signal
from training import data, vocabulary
from training.calibrate import INTENT_PRECISION, LANGUAGES, SENTIMENT_PRECISION, SIGNAL_PRECISION, calibrated
from training.data import Example
from training.describe import card_in_words
from training.export import graph_of, quantized, write
from training.measure import closeness, measure
from training.network import Network
from training.train import USED, WEIGHTS

PROFILES: tuple[Profile, ...] = ("full", "fast")
MAX_TOKENS = 128
SOURCES = {
    "all-MiniLM-L6-v2": ("Apache-2.0", "the encoder that training started from, and the teacher of meanings"),
    "corpus": ("Apache-2.0", "train, calibrate, measure: written for this project"),
    "pairs": ("Apache-2.0", "train: the same sentence in both languages; written for this project"),
    "goemotions": ("Apache-2.0", "train: sentiment of English comments, and of their rough translations"),
    "xed": ("CC BY 4.0", "train: sentiment of film subtitles, English and Spanish, and of rough translations"),
    "bitext": ("CDLA-Sharing-1.0", "train: requests and questions to a help desk, and their rough translations"),
    "nlupp": ("CC BY 4.0", "train: requests and questions to a bank and a hotel, and their rough translations"),
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
    outside = {f"xlm-t {language}": data.xlm_t(options.data, language) for language in ("en", "es", "pt")}
    whole = {profile: graph_of(network, profile) for profile in PROFILES}
    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder)
        write({"full": graph_of(network, "full")}, exact)
        for place in (exact, options.out):
            shutil.copyfile(options.trained / TOKENIZER, place / TOKENIZER)
        write({profile: quantized(graph) for profile, graph in whole.items()}, options.out)
        blank = card_of(options, {profile: plain() for profile in PROFILES})
        profiles = {
            profile: calibrated(opened(options.out, blank, profile), parts["calibration"]) for profile in PROFILES
        }
        card = replace(blank, profiles=profiles)
        models = {profile: opened(options.out, card, profile) for profile in PROFILES}
        exactly = opened(exact, card, "full")
        metrics: dict[str, Any] = {profile: measure(model, parts["test"], outside) for profile, model in models.items()}
        metrics["without int8"] = measure(exactly, parts["test"], outside)
        metrics["int8 against float"] = closeness(models["full"], exactly, parts["test"])
    write_card(options, card, metrics, parts)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder with all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--corpus", type=Path, default=Path("training/corpus"))
    parser.add_argument("--lexicon", type=Path, default=Path("training/lexicon/es-en.tsv"))
    parser.add_argument("--trained", type=Path, required=True, help="what training.train wrote")
    parser.add_argument("--out", type=Path, default=reading.BUNDLED)
    parser.add_argument("--version", default="escucha-minilm-3")
    parser.add_argument("--made", type=date.fromisoformat, required=True, help="the date for the card")
    return parser.parse_args()


def trained(options: argparse.Namespace) -> Network:
    """The network as training left it."""
    weights = load_file(options.trained / WEIGHTS)
    config = BertConfig.from_pretrained(options.base)
    config.vocab_size = weights["encoder.embeddings.word_embeddings.weight"].shape[0]
    network = Network(config)
    network.load_state_dict(weights)
    return network


def plain() -> Calibration:
    """A calibration that changes nothing: for looking at the heads' own outputs."""
    label = LabelScale(slope=1.0, offset=0.0, threshold=0.5)
    sentiment = SentimentScale(
        temperature=1.0, shift=dict.fromkeys(Sentiment, 0.0), thresholds=dict.fromkeys(Sentiment, 0.0)
    )
    scale = Scale(sentiment=sentiment, intents=dict.fromkeys(Intent, label), signals=dict.fromkeys(Signal, label))
    return Calibration(scales=dict.fromkeys((*LANGUAGES, "other"), scale))


def card_of(options: argparse.Namespace, profiles: dict[str, Calibration]) -> Card:
    """A card with those calibrations and nothing measured yet."""
    return Card(
        version=options.version,
        made=options.made,
        base="all-MiniLM-L6-v2",
        max_tokens=MAX_TOKENS,
        files=(),
        sources=(),
        profiles=profiles,
        metrics={},
    )


def opened(folder: Path, card: Card, profile: Profile) -> reading.Model:
    """The product's classifier over files that have no card yet."""
    graph = Graph(folder, profile=profile, max_tokens=card.max_tokens)
    return reading.Model(card=card, profile=profile, graph=graph, language=LanguageReader())


def write_card(
    options: argparse.Namespace, card: Card, metrics: dict[str, Any], parts: dict[str, list[Example]]
) -> None:
    """card.json and CARD.md beside the model."""
    used = json.loads((options.trained / USED).read_text(encoding="utf-8"))
    counts: Counter[str] = Counter()
    for name, count in used.items():
        counts[name.split()[0]] += count
    counts["corpus"] += len(parts["calibration"]) + len(parts["test"])
    counts["lexicon"] = len(vocabulary.read_lexicon(options.lexicon))
    counts["xlm_t"] = sum(metrics["full"][name]["texts"] for name in metrics["full"] if name.startswith("xlm-t"))
    names = (*map(graph_file, PROFILES), SHARED, TOKENIZER)
    content = {
        "version": card.version,
        "made": card.made.isoformat(),
        "base": card.base,
        "max_tokens": card.max_tokens,
        "files": [
            asdict(
                CardFile(name=name, sha256=cards.sha256(options.out / name), size=(options.out / name).stat().st_size)
            )
            for name in names
        ],
        "sources": [
            asdict(Source(name=name, licence=licence, use=use, examples=counts[name]))
            for name, (licence, use) in SOURCES.items()
        ],
        "calibration": {
            profile: {language: asdict(scale) for language, scale in calibration.scales.items()}
            for profile, calibration in card.profiles.items()
        },
        "precision_aimed_at": {
            "sentiment": SENTIMENT_PRECISION,
            "intents": INTENT_PRECISION,
            "signals": SIGNAL_PRECISION,
        },
        "metrics": metrics,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, default=float) + "\n"
    (options.out / cards.CARD).write_text(text, encoding="utf-8")
    (options.out / "CARD.md").write_text(card_in_words(json.loads(text)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
