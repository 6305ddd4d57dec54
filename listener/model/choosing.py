"""Which of a model's files are taken, from a hub or a folder: settings, tokenizer, weights that are only numbers.

Never a program, never a pickle: what is not named here is not looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from listener.errors import Mistake

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
)

_SHARD = re.compile(r"[\w.-]{1,120}\.safetensors", re.ASCII)


def needed(names: Collection[str], where: str) -> tuple[str, ...]:
    """Which of a model's files are wanted, the settings first; an index stands for weights that come in parts.

    Raises Mistake where it is no model or its weights are not safetensors.
    """
    if CONFIG not in names:
        raise Mistake(f"{where} has no {CONFIG}, so it is no model of the transformers library; name one that is.")
    weights = next((name for name in (WEIGHTS, INDEX) if name in names), None)
    if weights is None:
        raise Mistake(
            f"{where} has no {WEIGHTS}; weights in other forms can hold programs and are never opened. "
            "Choose a model or a --revision that has it (many have one in a pull request: --revision refs/pr/1)."
        )
    tokenizer = tuple(name for name in TOKENIZER_FILES if name in names)
    if not tokenizer:
        raise Mistake(f"{where} has no tokenizer; name a model that comes with {TOKENIZER_FILES[0]}.")
    return (CONFIG, *tokenizer, weights)


def shards(index: str, where: str) -> tuple[str, ...]:
    """The files that the index of divided weights names. Raises Mistake where they cannot be file names."""
    try:
        found = sorted(set(json.loads(index)["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Mistake(f"The list of weights in {where} ({INDEX}) cannot be read; choose another revision.") from error
    if not found or not all(isinstance(name, str) and _SHARD.fullmatch(name) for name in found):
        raise Mistake(f"The list of weights in {where} ({INDEX}) names no safetensors beside it; it is not used.")
    return tuple(found)
