"""The same texts through obsei, the peer nearest to a part of this, and through Escucha; side by side in one run.

    python -m benchmarks.peer [--texts 2000] [--rounds 3] [--no-old]

Each obsei has an environment of its own, made on the first run (.venv-obsei1, .venv-obsei0; the second is large):

    obsei 1.1      `obsei run`: a file of texts fetched, redacted, stored; no model. Its store is left unencrypted, as
                   ours is. A whole process; what it takes with a single text (its start) is taken off
    obsei 0.0.15   its TextClassificationAnalyzer on texts in memory: one label of one model for each. The model has the
                   shape of ours (MiniLM, 6 layers) and made-up weights, which cost the same: nobody looks at its labels
    Escucha        heard from its sandbox network, stored, read (sentiment, intents, signals, language), decided by the
                   default policy, with cases and drafts

Texts a second by the clock, in turns, medians.
"""

from __future__ import annotations

import argparse
import csv
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from benchmarks import results, speed, throughput
from benchmarks.results import ROOT, Chart, Table
from listener.model import reading
from listener.model.onnx import TOKENIZER

NEW, OLD, OURS = "obsei 1.1", "obsei 0.0.15", "Escucha"
NEEDS = {
    NEW: (".venv-obsei1", ("obsei==1.1.1",)),
    OLD: (".venv-obsei0", ("obsei==0.0.15", "torch", "transformers<5", "nltk")),
}
DOES = {
    NEW: "fetched, redacted, stored; not read by a model, not decided",
    OLD: "classified: one label of one model; not stored, not decided",
    OURS: "heard, stored, read (four kinds of labels), decided, case and draft written; not redacted",
}
PIPELINES = """version: 1
store: {path: obsei.duckdb, unencrypted: true}
privacy: {redact: true, regions: [global, eu]}
pipelines:
  - name: feedback
    sources:
      - {key: sample, type: csv, config: {path: feedback.csv, fields: {text: comment, id: id, created_at: date}}}
"""
CLASSIFY = """
import sys, time
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1], pad_token="[PAD]", model_max_length=128)
shape = dict(vocab_size=len(tokenizer), hidden_size=384, num_hidden_layers=6, num_attention_heads=12)
config = BertConfig(**shape, intermediate_size=1536, max_position_embeddings=512, num_labels=3)
BertForSequenceClassification(config).save_pretrained("model")
tokenizer.save_pretrained("model")
from obsei.analyzer.classification_analyzer import TextClassificationAnalyzer
from obsei.payload import TextPayload
analyzer = TextClassificationAnalyzer(model_name_or_path="model", device="cpu")
texts = open(sys.argv[2], encoding="utf-8").read().splitlines()
payloads = [TextPayload(processed_text=text, meta={}, source_name="memory") for text in texts]
analyzer.analyze_input(payloads[:32])
began = time.perf_counter()
found = analyzer.analyze_input(payloads)
took = time.perf_counter() - began
assert len(found) == len(texts) and all("classifier_data" in each.segmented_data for each in found)
print(len(texts) / took)
"""


def environment(name: str) -> Path:
    """The folder with that obsei's programs; made where it is missing."""
    folder, wanted = NEEDS[name]
    programs = ROOT / folder / "bin"
    if not (programs / "obsei-is-here").exists():
        print(f"Installing {name} into {folder} …", flush=True)
        subprocess.run((sys.executable, "-m", "venv", ROOT / folder), check=True)
        subprocess.run((programs / "pip", "install", "--quiet", *wanted), check=True)
        (programs / "obsei-is-here").touch()
    return programs


def stored_by_new(texts: Sequence[str]) -> float:
    """Seconds of a whole `obsei run` of 1.1 over the texts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "obsei.yaml").write_text(PIPELINES, encoding="utf-8")
        with (folder / "feedback.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("id", "date", "comment"))
            rows.writerows((number, "2026-09-01", text) for number, text in enumerate(texts))
        began = time.perf_counter()
        done = subprocess.run(
            (environment(NEW) / "obsei", "run"), cwd=folder, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if f"stored {len(texts)}" not in done.stdout.replace(",", ""):
            raise SystemExit(f"obsei 1.1 did not store {len(texts)} texts: {done.stdout}{done.stderr}")
    return took


def classified_by_old(texts: Sequence[str]) -> float:
    """Texts a second of 0.0.15's classifier."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "texts").write_text("\n".join(texts), encoding="utf-8")
        command = (environment(OLD) / "python", "-c", CLASSIFY, str(reading.BUNDLED / TOKENIZER), "texts")
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"obsei 0.0.15 failed: {done.stderr[-2000:]}")
        return float(done.stdout.strip().splitlines()[-1])


def by_escucha(texts: Sequence[str]) -> float:
    """Texts a second, from the network to the decision."""
    with tempfile.TemporaryDirectory() as name:
        return throughput.through(Path(name), texts, reading.load())


def main() -> None:
    """Measures in turns, prints and keeps the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-old", action="store_true", help="without obsei 0.0.15, whose environment is large")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    texts = [" ".join(text.split()) for text in speed.lines_of(None, asked.texts)]
    rates: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        start = stored_by_new(texts[:1])
        rates.setdefault(NEW, []).append(len(texts) / (stored_by_new(texts) - start))
        if not asked.no_old:
            rates.setdefault(OLD, []).append(classified_by_old(texts))
        rates.setdefault(OURS, []).append(by_escucha(texts))
        print({name: round(found[-1]) for name, found in rates.items()}, flush=True)
    medians = {name: round(statistics.median(found)) for name, found in rates.items()}
    left_out = "" if OLD in rates else " obsei 0.0.15 was left out of this run."
    results.keep(
        "peer",
        {"texts_a_second": {name: [round(each, 1) for each in found] for name, found in rates.items()}},
        parameters={"texts": len(texts), "rounds": asked.rounds},
        tables=[
            Table(
                title="The same texts",
                columns=("", "texts a second", "what was done to each"),
                rows=[(name, rate, DOES[name]) for name, rate in medians.items()],
            )
        ],
        charts=[
            Chart(
                file="peer",
                title="The same texts, each by what it does",
                x="",
                y="texts a second",
                kind="bar",
                lines={"texts a second": list(medians.items())},
            )
        ],
        notes=[
            "These are not the same work, as the table says: the figures show what one gets for the time, not who is "
            "faster. obsei 1.1 redacts personal data before it stores, groups themes and answers questions, which "
            "Escucha does not; neither obsei drafts or sends answers under a policy, opens cases, or follows edits, "
            "deletions and threads. With its own local classifier, whose model is not at hand here, obsei 1.1 was not "
            f"measured.{left_out}",
        ],
    )


if __name__ == "__main__":
    main()
