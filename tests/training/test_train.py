"""A training with a tiny encoder: broken off and gone on with, and kept apart from every other run."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from listener.types import Intent, Sentiment, Signal
from training.data import Example, one_hot

pytestmark = pytest.mark.slow

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
]
EXAMPLES = [
    Example(
        source="corpus",
        language=language,
        text=f"{words} {'abcdefghij'[row]}",
        english=f"{english} {'abcdefghij'[row]}",
        sentiment=one_hot(list(Sentiment)[row % 3]),
        intents={intent: float(intent is Intent.PRAISE) for intent in Intent},
        signals={signal: 0.0 for signal in Signal},
    )
    for language, words, english in (("en", "thanks dog", "thanks dog"), ("es", "gracias perro", "thanks dog"))
    for row in range(10)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like that of the encoder, and beside it the lexicon and the posts that are looked at."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("base")
    config = BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=6, num_attention_heads=2, intermediate_size=16
    )
    config.save_pretrained(folder)
    torch.manual_seed(1)
    save_file(BertModel(config, add_pooling_layer=False).state_dict(), folder / "model.safetensors")
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {piece: row for row, piece in enumerate(PIECES)}},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "lexicon.tsv").write_text("perro\tdog\ngracias\tthanks\n", encoding="utf-8")
    for name in ("english", "spanish"):
        (folder / f"xlm_t_val/{name}").mkdir(parents=True)
        (folder / f"xlm_t_val/{name}/val_text.txt").write_text("dog\nthanks\nperro\n", encoding="utf-8")
        (folder / f"xlm_t_val/{name}/val_labels.txt").write_text("0\n1\n2\n", encoding="utf-8")
    return folder


@pytest.fixture
def train(base: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """training.train with that encoder, those examples and two phases of a few steps."""
    from training import train
    from training.batches import Phase

    digest = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    monkeypatch.setattr(train, "BASE_SHA256", digest)
    monkeypatch.setattr(train, "gathered", lambda options: EXAMPLES)
    phases = tuple(Phase(name=name, steps=20, rate=1e-3, shares={"corpus": 1.0}) for name in ("first", "second"))
    monkeypatch.setattr(train, "PHASES", phases)
    return train


@pytest.fixture
def start(train: ModuleType, base: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Trains into a folder."""

    def started(out: Path, *more: str) -> None:
        told = ["--base", base, "--data", base, "--translated", base, "--lexicon", base / "lexicon.tsv", "--out", out]
        monkeypatch.setattr(sys, "argv", ["train", *map(str, told), *more])
        assert train.main() == 0

    return started


def test_a_run_that_is_broken_off_ends_as_if_it_had_not_been(
    start: Callable[..., None], train: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path / "whole")
    with monkeypatch.context() as broken:
        write = train.save_file

        def full_disk(state: dict[str, object], path: Path) -> None:
            write(state, path)
            if path.name.startswith("second"):
                path.write_bytes(path.read_bytes()[:100])
                raise OSError("No space left on device")

        broken.setattr(train, "save_file", full_disk)
        with pytest.raises(OSError, match="No space left"):
            start(tmp_path / "broken")
    assert sorted(path.name for path in (tmp_path / "broken").glob("*.safetensors")) == ["first.safetensors"]
    start(tmp_path / "broken")
    for name in ("first.safetensors", "second.safetensors", train.WEIGHTS, train.TOKENIZER, train.USED):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes(), name


def test_another_run_needs_another_folder(
    start: Callable[..., None], train: ModuleType, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    start(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    start(out)
    refused = f"{out} holds another run; name an empty folder"
    with pytest.raises(SystemExit, match=refused):
        start(out, "--seed", "21")
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("perro\tdog\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=refused):
        start(out, "--lexicon", str(lexicon))
    for name, other in (("gathered", lambda options: EXAMPLES[1:]), ("PHASES", train.PHASES[:1])):
        with monkeypatch.context() as changed:
            changed.setattr(train, name, other)
            with pytest.raises(SystemExit, match=refused):
                start(out)
    (out / train.RUN).unlink()
    with pytest.raises(SystemExit, match=refused):
        start(out)
    assert {path.name for path in out.iterdir()} == set(before) - {train.RUN}
    cached = tmp_path / "cached"
    cached.mkdir()
    (cached / train.MEANINGS).write_bytes(before[train.MEANINGS])
    start(cached, "--seed", "21")
    assert (cached / train.WEIGHTS).read_bytes() != before[train.WEIGHTS]
