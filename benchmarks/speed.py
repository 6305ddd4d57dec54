"""How many short texts the bundled model reads in a second, in each profile, beside its bare encoder.

    python -m benchmarks.speed [FILE] [--texts 512] [--rounds 7]

The texts are lines of FILE, else of the corpus that the model was measured on (training/corpus, its test part). In
turns, this process takes the same texts, 256 at a time, through

    bare     the graph alone: texts that were cleaned and cut into tokens before, as batches of eight
    read     clean, tokens, graph, language, calibration: `classify`, as every mention is read
    vectors  `embed`: the same without language and calibration

A text that was just read is remembered by the model, so each round begins with a new one over the same graph. Counted
is this process's CPU time, and the clock's beside it: two batches are worked on at once. The ratios are those of the
medians, within this run. Loading and memory are those of a process of its own for each profile.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from listener.model import card as cards
from listener.model import onnx, reading
from listener.model.language import LanguageReader
from listener.model.onnx import Graph, Profile
from listener.model.text import clean

BATCH = 256
PROFILES: tuple[Profile, ...] = ("full", "fast")
CORPUS = Path(__file__).parent.parent / "training" / "corpus"

LOADING = """
import resource, sys, time
began = time.perf_counter()
from listener.model import reading
model = reading.load(profile=sys.argv[1])
model.classify(["sin señal otra vez"])
took = time.perf_counter() - began
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def lines_of(file: Path | None, count: int) -> list[str]:
    """That many different texts. Ends the program where there are none."""
    if file is None:
        from training.data import corpus, split

        lines = [example.text for example in split(corpus(CORPUS))["test"]]
    else:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts = list(dict.fromkeys(lines))[:count]
    if not texts:
        raise SystemExit("There are no texts to read; name a file with one a line.")
    return texts


def pages(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, 256 at a time."""
    rest = iter(texts)
    while page := list(itertools.islice(rest, BATCH)):
        yield page


def tensors(texts: Sequence[str], max_tokens: int) -> list[dict[str, Any]]:
    """The texts as what the graph takes: by length, in batches of eight."""
    tokenizer = onnx.load_tokenizer(reading.BUNDLED / onnx.TOKENIZER, max_tokens)
    tokens = sorted((encoded.ids for encoded in tokenizer.encode_batch_fast(list(texts))), key=len)
    return [onnx.padded(tokens[first : first + onnx.BATCH]) for first in range(0, len(tokens), onnx.BATCH)]


def ways(graph: Graph, card: cards.Card, profile: Profile, texts: list[str]) -> dict[str, Callable[[], None]]:
    """The three ways over one graph; each call of one reads every text anew."""
    language = LanguageReader()
    session = onnx.open_session(reading.BUNDLED / onnx.graph_file(profile))
    batches = [tensors([clean(text) for text in page], card.max_tokens) for page in pages(texts)]
    pool = ThreadPoolExecutor(onnx.THREADS)

    def model() -> reading.Model:
        return reading.Model(card=card, profile=profile, graph=graph, language=language)

    def bare() -> None:
        for page in batches:
            list(pool.map(lambda inputs: session.run(onnx.OUTPUTS, inputs), page))

    def read() -> None:
        fresh = model()
        for page in pages(texts):
            fresh.classify(page)

    def vectors() -> None:
        fresh = model()
        for page in pages(texts):
            fresh.embed(page)

    return {"bare": bare, "read": read, "vectors": vectors}


def measure(profile: Profile, texts: list[str], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of CPU and of the clock by way and round. All ways in each round; the first warms up."""
    card = cards.read(reading.BUNDLED)
    graph = onnx.Graph(reading.BUNDLED, profile=profile, max_tokens=card.max_tokens)
    spent: dict[str, list[tuple[float, float]]] = {"bare": [], "read": [], "vectors": []}
    by_name = ways(graph, card, profile, texts)
    for number in range(rounds + 1):
        for name, way in by_name.items():
            cpu, clock = time.process_time(), time.perf_counter()
            way()
            if number:
                spent[name].append((time.process_time() - cpu, time.perf_counter() - clock))
    return spent


def loading(profile: Profile, times: int = 3) -> tuple[float, float]:
    """Seconds until the first text is read in a new process, and its memory in MiB; medians."""
    found = []
    for _ in range(times):
        done = subprocess.run([sys.executable, "-c", LOADING, profile], capture_output=True, text=True, check=True)
        seconds, memory = map(float, done.stdout.split())
        found.append((seconds, memory))
    return statistics.median(one for one, _ in found), statistics.median(one for _, one in found)


def main() -> None:
    """Prints three lines for each profile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    loaded = {profile: loading(profile) for profile in PROFILES}  # first: a child's peak begins with its parent's size
    texts = lines_of(asked.file, asked.texts)
    words = statistics.mean(len(text.split()) for text in texts)
    print(f"{len(texts)} texts of {words:.0f} words on average; {asked.rounds} rounds")
    for profile in PROFILES:
        seconds, memory = loaded[profile]
        print(f"\n{profile}: {seconds:.1f} s to the first answer, {memory:.0f} MiB of memory")
        print(f"{'':<8} {'texts/s of CPU':>14} {'by the clock':>13}  of the bare graph (lowest and highest round)")
        spent = measure(profile, texts, asked.rounds)
        for name, rounds in spent.items():
            cpu = statistics.median(one for one, _ in rounds)
            clock = statistics.median(one for _, one in rounds)
            ratios = [alone / own for (own, _), (alone, _) in zip(rounds, spent["bare"], strict=True)]
            ratio = statistics.median(one for one, _ in spent["bare"]) / cpu
            share = f"{ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            print(f"{name:<8} {len(texts) / cpu:>14,.0f} {len(texts) / clock:>13,.0f}  {share}")


if __name__ == "__main__":
    main()
