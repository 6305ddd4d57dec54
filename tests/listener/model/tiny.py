"""A small real classifier, trained in a second and saved as its library saves one. Needs torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

WORDS = {
    "negative": [
        "malo",
        "roto",
        "fatal",
        "horrible",
        "lento",
        "caro",
        "ladrones",
        "vergüenza",
        "broken",
        "terrible",
        "awful",
        "slow",
        "never",
        "worst",
    ],
    "neutral": [
        "mañana",
        "tienda",
        "horario",
        "jueves",
        "reunión",
        "pedido",
        "color",
        "azul",
        "store",
        "time",
        "thursday",
        "meeting",
        "order",
        "blue",
    ],
    "positive": [
        "gracias",
        "genial",
        "encanta",
        "mejor",
        "rápido",
        "perfecto",
        "amable",
        "chapó",
        "thanks",
        "great",
        "love",
        "best",
        "fast",
        "lovely",
    ],
}
FILLER = [
    "el",
    "la",
    "de",
    "en",
    "que",
    "un",
    "muy",
    "the",
    "of",
    "in",
    "a",
    "very",
    "servicio",
    "internet",
    "service",
    "with",
    "con",
    ",",
    ".",
]


def sentences(label: str, count: int = 40) -> list[str]:
    """Sentences that the label's own words stand in; the same ones each time."""
    words = WORDS[label]
    return [
        " ".join(
            FILLER[(number * 7 + at * 3) % len(FILLER)] if at % 2 else words[(number * 5 + at) % len(words)]
            for at in range(3 + number % 5)
        )
        for number in range(count)
    ]


def save(
    folder: Path,
    *,
    labels: Sequence[str] = ("negative", "neutral", "positive"),
    multi_label: bool = False,
    train: bool = True,
    marked: bool = True,
    more: dict[str, Any] | None = None,
) -> Path:
    """A BERT of two layers with a WordPiece tokenizer, in `folder` with config.json, tokenizer and safetensors.

    Trained, where `train`, to know the three sentiments by their words; its outputs carry the names `labels`. Without
    `marked`, no signs of beginning and end stand around a text, so that an empty one has no tokens at all.
    """
    import torch
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import BertProcessing, TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(7)
    texts = [(text, number) for number, label in enumerate(WORDS) for text in sentences(label)]
    trainer = BertWordPieceTokenizer(lowercase=True)
    trainer.train_from_iterator([text for text, _ in texts], vocab_size=400, min_frequency=1, show_progress=False)
    ends = (("[SEP]", trainer.token_to_id("[SEP]")), ("[CLS]", trainer.token_to_id("[CLS]")))
    trainer.post_processor = BertProcessing(*ends) if marked else TemplateProcessing(single="$A")
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save(str(folder / "tokenizer.json"))
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        model_max_length=60,
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] if marked else [])],
        mask_token="[MASK]",
        **marks,
    )
    tokenizer.save_pretrained(str(folder))
    config = BertConfig(
        vocab_size=trainer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="multi_label_classification" if multi_label else "single_label_classification",
    )
    model = BertForSequenceClassification(config)
    if train:
        _train(model, tokenizer, texts, len(labels), multi_label=multi_label)
    model.eval().save_pretrained(str(folder), safe_serialization=True)
    if more:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | more), encoding="utf-8")
    return folder


def _train(model: Any, tokenizer: Any, texts: list[tuple[str, int]], outputs: int, *, multi_label: bool) -> None:
    import torch

    encoded = tokenizer([text for text, _ in texts], padding=True, return_tensors="pt")
    wanted = torch.tensor([number % outputs for _, number in texts])
    if multi_label:
        wanted = torch.nn.functional.one_hot(wanted, outputs).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(40):
        optimizer.zero_grad()
        model(**encoded, labels=wanted).loss.backward()
        optimizer.step()


def import_(folder: Path, models: Path) -> Path:
    """Imports the classifier in `folder` under its own name, its labels as they are guessed."""
    from listener.model import imports, mapping
    from listener.model.converting import Original, read_outline

    outline = read_outline(folder, "tiny")
    labels = mapping.propose(outline.labels)
    with imports.workshop(models, folder.name) as work:
        original = Original(folder, outline, "tiny")
        made = imports.convert(
            original, outline, labels, name=folder.name, origin={"files": []}, folder=work, made=date(2026, 1, 2)
        )
        comparison = imports.compare(original, made, [text for label in WORDS for text in sentences(label, 8)])
        return imports.store(work, models, imports.finished(made.card, comparison, None), replace=False)
