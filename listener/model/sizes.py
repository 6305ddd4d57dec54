"""How large a model says it is, checked before anything is built of it.

    check(settings, where)                     # against what any model has
    check_weights(settings, files, where)      # against the weights that are there
    with built(where): ...                     # and while it is built, whatever its settings are called

A model's settings are somebody else's: a number of layers or labels with ten zeros keeps a machine busy for ever.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from listener.errors import Mistake
from listener.escapes import visible
from listener.model.choosing import CONFIG

MAX_NUMBERS = 500_000_000  # of all weights together
MAX_LABELS = 500
MAX_LAYERS = 256  # large encoders have 24 to 48
MAX_WIDTH = 65_536
MAX_WORDS = 1 << 21  # the largest vocabulary in use has half of it
MAX_POSITIONS = 1 << 18
MAX_PARTS = 20_000  # modules and tensors; a large encoder has under two thousand
SMALL = 8192  # up to here a number needs no row in the weights: positions may be computed

_LAYERS = re.compile(r"^(?:n|num|num_hidden|(?:num_)?(?:encoder|decoder))_layers?$")  # each has weights of its own
_BOUNDS = (
    (re.compile(r"(?:layers?|depth|blocks|groups?|group_num|heads?|networks|functions|hashes)$"), MAX_LAYERS),
    (re.compile(r"labels$"), MAX_LABELS),
    (re.compile(r"vocab_sizes?$|^n_words$|^n_token$"), MAX_WORDS),
    (re.compile(r"position(?:s|_embeddings)$|^max_seq_len$"), MAX_POSITIONS),
    (re.compile(r"(?:hidden|intermediate|embedding|emb|feed_forward|head|bottleneck)_(?:size|dim)$"), MAX_WIDTH),
    (
        re.compile(r"^dim$|^dff$|^ffn_dim$|_ffn_dim$|^d_(?:model|ff|inner|kv|head|latents)$|^n_(?:embd|inner)$"),
        MAX_WIDTH,
    ),
)
_MAX_HEAD = 10_000_000  # bytes; a model of 500 million weights has a hundredth of it
_MAX_DIMENSIONS = 8


def check(settings: Mapping[str, Any], where: str) -> None:
    """Raises Mistake, naming the setting, for a size that no model has that could be imported."""
    for key, value, most in _sizes(settings):
        if value > most:
            raise Mistake(
                f"{key} in {CONFIG} of {where} is {_spelled(value)}, and {most:,} is the most; choose another model."
            )


def check_weights(settings: Mapping[str, Any], files: Sequence[Path], where: str) -> None:
    """Raises Mistake, naming file and setting, where the settings ask for more than the safetensors `files` hold, or
    where the head of one is damaged."""
    heads = [_head(path, where) for path in files]
    if not heads:
        return  # whoever loads them says so
    tensors, widest = sum(count for count, _ in heads), max(size for _, size in heads)
    whose = files[0].name if len(files) == 1 else f"its {len(files)} files of weights"
    for key, value, _ in _sizes(settings):
        if _LAYERS.search(key.rpartition(".")[2]):
            most, there = tensors, f"there are only {tensors:,} tensors"
        else:
            most, there = max(widest, SMALL), "nothing of that size is"
        if value > most:
            raise Mistake(
                f"{key} in {CONFIG} of {where} is {_spelled(value)}, but {there} in {whose}: they do not belong "
                "together; choose another revision."
            )


@contextlib.contextmanager
def built(where: str) -> Iterator[None]:
    """Raises Mistake out of the `with` block as soon as the modules made in it become too many or too large."""
    from torch.nn.modules import module as torch_module

    torch_: Any = torch_module
    parts = numbers = 0

    def count(_module: Any, _name: str, part: Any) -> None:
        nonlocal parts, numbers
        parts += 1
        numbers += part.numel() if hasattr(part, "numel") else 0
        if parts > MAX_PARTS or numbers > 2 * MAX_NUMBERS:  # twice: what is shared later was counted twice
            raise Mistake(f"The {CONFIG} of {where} asks for a model beyond 500 million weights; choose a smaller one.")

    hooks = [
        torch_.register_module_module_registration_hook(count),
        torch_.register_module_parameter_registration_hook(count),
        torch_.register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _sizes(settings: Mapping[str, Any]) -> Iterator[tuple[str, int | float, int]]:
    """The sizes among the settings, those of nested settings too: name, value, the most it may be."""
    left: list[tuple[str, Any]] = [("", settings)]
    while left:
        prefix, nested = left.pop()
        for key, value in nested.items():
            name = f"{prefix}{visible(str(key)[:100])}"
            parts = value if isinstance(value, list) else [value]
            left += [(f"{name}.", part) for part in parts if isinstance(part, dict) and len(name) < 300]
            for bound, most in _BOUNDS:
                if bound.search(key):
                    for number in parts:
                        if isinstance(number, int | float):
                            yield name, number, most
                    break


def _head(path: Path, where: str) -> tuple[int, int]:
    """How many tensors a safetensors file holds, and the largest dimension of any; of its head alone."""
    count = widest = 0
    try:
        size = path.stat().st_size - 8
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(size, _MAX_HEAD):
                raise ValueError("a head longer than the file")
            head = json.loads(file.read(length))
        for name, tensor in head.items():
            if name == "__metadata__":
                continue
            shape, (start, end) = tensor["shape"], tensor["data_offsets"]
            if not all(type(side) is int and side >= 0 for side in shape):
                raise ValueError("a shape of no numbers")
            if not 0 <= start <= end <= size - length or len(shape) > _MAX_DIMENSIONS:
                raise ValueError("a tensor outside the file")
            count += 1
            if 0 < math.prod(shape) <= 2 * (end - start):  # else the shape is made up: no number has less than 4 bits
                widest = max(widest, *shape, 0)
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Mistake(
            f"{path.name} of {where} cannot be loaded (it is cut or damaged); choose another revision."
        ) from error
    return count, widest


def _spelled(value: float) -> str:
    return f"{value:,}" if value < 10**15 else "beyond 10^15"
