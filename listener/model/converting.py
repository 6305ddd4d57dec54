"""A transformers model on disk as one ONNX graph with int8 weights, and the original beside it to compare with.

Needs the `train` extra. Nothing that came with a model is ever run: no code of its own (`trust_remote_code` is off), no
pickle, and only architectures that the transformers library itself brings.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.errors import Mistake
from listener.escapes import visible
from listener.model import imported, sizes
from listener.model.choosing import CONFIG
from listener.model.imported_card import LONGEST
from listener.model.onnx import THREADS
from listener.model.sizes import MAX_LABELS, MAX_NUMBERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EXTRA = ("torch", "onnx", "onnxscript", "safetensors")
TASK = "ForSequenceClassification"
LARGEST = 4 * MAX_NUMBERS  # bytes of weights as 32-bit numbers; protobuf, which ONNX is written in, ends at 2^31
MAX_TOKENS = 512  # posts are shorter
MAX_CONFIG = 10_000_000  # bytes
CLOSE = 1e-3  # how far the graph's outputs may be from the original's before int8
_LENGTHS = (3, 16, 41)  # tokens; the graph must be right for any number, not only for the one it was made with


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What a model's config.json says: its labels in the order of its outputs, whether several hold at once."""

    architecture: str
    labels: tuple[str, ...]
    multi_label: bool


def check_extra() -> None:
    """Raises Mistake, saying how to install it, where the `train` extra is missing."""
    from importlib.util import find_spec

    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise Mistake(
            f"Importing a model needs {', '.join(missing)}, which running it does not: install the extra with "
            "pip install '.[train]' in Escucha's folder, or import on another machine and copy the model's folder here."
        )


def check_tokenizer(names: Collection[str], where: str) -> None:
    """Raises Mistake where the tokenizer among those files cannot be read here."""
    from importlib.util import find_spec

    if "tokenizer.json" in names or not any(name.endswith(".model") for name in names):
        return
    if find_spec("sentencepiece") is None:
        raise Mistake(
            f"The tokenizer of {where} is a SentencePiece file, and reading it once needs that library: "
            "pip install sentencepiece, then start again."
        )


def read_outline(folder: Path, where: str) -> Outline:
    """What the config.json in `folder` says. Raises Mistake where the model does not sort texts under labels."""
    try:
        if (folder / CONFIG).stat().st_size > MAX_CONFIG:
            raise ValueError("too large")
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        architectures = [str(name) for name in config.get("architectures") or []]
        kind = str(config.get("model_type") or "")
        problem = config.get("problem_type")
        named = {int(number): str(label) for number, label in (config.get("id2label") or {}).items()}
        own_code = bool(config.get("auto_map"))
    except OSError as error:
        raise Mistake(f"{folder / CONFIG} cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Mistake(f"The {CONFIG} of {where} is damaged; choose another revision.") from error
    architecture = next((name for name in architectures if name.endswith(TASK)), "")
    if not architecture:
        what = f"a {architectures[0][:80]}" if architectures else "of no stated architecture"
        raise Mistake(
            f"{where} is {what}, which does not sort texts under labels; import one whose name ends in {TASK}."
        )
    if architecture not in _known(kind):
        if own_code:
            raise Mistake(f"{where} needs code of its own, and code from elsewhere is never run; choose another model.")
        raise Mistake(
            f"The installed transformers library does not know {architecture[:80]} (model type {kind[:80]!r}); "
            "update it, or choose another model."
        )
    if problem == "regression" or len(named) == 1:
        raise Mistake(f"{where} gives a number, not labels (a regression); import a model that has labels.")
    labels = tuple(named[number] for number in sorted(named)) or ("LABEL_0", "LABEL_1")
    if sorted(named) != list(range(len(named))) or len(set(labels)) != len(labels) or len(labels) > MAX_LABELS:
        raise Mistake(f"The labels in {CONFIG} of {where} are not numbered from 0, each once, with names of their own.")
    if not all(len(label) <= LONGEST and visible(label) == label for label in labels):
        raise Mistake(f"A label in {CONFIG} of {where} cannot be shown as it is; choose another model.")
    sizes.check(config, where)
    return Outline(architecture=architecture, labels=labels, multi_label=problem == "multi_label_classification")


class Original:
    """The model as it came, run by PyTorch. `folder` holds nothing but the files that `choosing.needed` names."""

    def __init__(self, folder: Path, outline: Outline, where: str) -> None:
        import torch

        _calm()
        torch.set_num_threads(1)  # texts share the processor, as they do in the imported model
        self._where = where
        self._model = _load_model(folder, outline, where)
        self._tokenizer = _load_tokenizer(folder, where)
        self.inputs = _inputs(self._model, self._tokenizer)
        self.max_tokens = self._longest()

    def save_tokenizer(self, path: Path) -> None:
        """Writes the tokenizer as one file, which needs nothing else to be read."""
        tokenizer = self._tokenizer.backend_tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.save(str(path))

    def tokens(self, text: str) -> list[int]:
        """How the original reads a text, cut at `max_tokens`."""
        ids: list[int] = self._tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return ids

    def outputs(self, texts: Sequence[str]) -> Floats:
        """The raw outputs, shape (texts, labels); as many texts at once as the imported model works on."""
        encoded = [self._encoded(imported.prepared(text)) for text in texts]
        with ThreadPoolExecutor(THREADS) as threads:
            return np.array(list(threads.map(self._run, encoded)), np.float64)

    def export(self, path: Path) -> None:
        """Writes the model as an ONNX graph for any number of tokens, with 32-bit weights.

        Raises Mistake where PyTorch cannot, or where the graph does not do what the model does.
        """
        import torch

        torch_: Any = torch
        fill = {"input_ids": self.tokens("a")[0], "attention_mask": 1, "token_type_ids": 0}
        example = tuple(torch_.full((2, 16), fill[name], dtype=torch_.long) for name in self.inputs)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch_.onnx.export(
                    _only_logits(self._model, len(self.inputs)),
                    example,
                    path,
                    input_names=list(self.inputs),
                    output_names=[imported.OUTPUT],
                    dynamic_shapes={name: {0: "batch", 1: "length"} for name in self.inputs},
                    opset_version=18,
                    external_data=False,
                    verbose=False,
                )
        except Exception as error:  # the exporter raises whatever it meets on its way
            reason = type(error).__name__
            raise Mistake(f"PyTorch cannot turn {self._where} into ONNX ({reason}); choose another model.") from error
        self._compare(path)

    def _compare(self, path: Path) -> None:
        """Raises Mistake where the graph's outputs are not the original's, at several lengths."""
        import onnxruntime

        runtime: Any = onnxruntime
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for length in _LENGTHS:
            inputs = self._encoded(" ".join(["bueno", "bad", "señal", "ok"] * 12), length)
            wanted = np.array(self._run(inputs))
            found = session.run([imported.OUTPUT], {name: inputs[name].numpy() for name in self.inputs})[0][0]
            if not np.allclose(found, wanted, atol=CLOSE, rtol=CLOSE):
                raise Mistake(f"As ONNX, {self._where} does not say what it said before; choose another model.")

    def _encoded(self, text: str, length: int | None = None) -> Any:
        most = min(length or self.max_tokens, self.max_tokens)
        return self._tokenizer(text, truncation=True, max_length=most, return_tensors="pt")

    def _run(self, inputs: Any) -> list[float]:
        import torch

        torch_: Any = torch
        if not inputs["input_ids"].shape[1]:
            return [0.0] * int(self._model.config.num_labels)
        with torch_.inference_mode():
            logits = self._model(**{name: inputs[name] for name in self.inputs}).logits
        found: list[float] = logits[0].tolist()
        return found

    def _longest(self) -> int:
        """How many tokens it takes: what the tokenizer says, or as many as it has positions for, tried out."""
        config = self._model.config
        positions = int(getattr(config, "max_position_embeddings", 0) or MAX_TOKENS)
        said = self._tokenizer.model_max_length
        if not isinstance(said, int | float) or not said >= 1:
            raise Mistake(
                f"model_max_length in tokenizer_config.json of {self._where} is no number of tokens; choose another "
                "revision."
            )
        said = int(min(said, MAX_TOKENS))
        after_padding = positions - int(config.pad_token_id or 0) - 1  # where positions are counted from there
        self.max_tokens = min(said, positions)
        for longest in (self.max_tokens, min(self.max_tokens, after_padding)):
            self.max_tokens = longest
            with contextlib.suppress(IndexError, RuntimeError):
                self._run(self._encoded("hola " * (longest + 8)))
                return longest
        raise Mistake(f"{self._where} cannot read a text of {self.max_tokens} tokens, so it is not used.")


def quantize(whole: Path, out: Path) -> None:
    """Weights as 8-bit integers, a scale per column; activations are scaled as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph: Any = onnx.load(whole)
    del graph.graph.value_info[:]  # the exporter's shapes of transposed weights; they are inferred again
    for node in graph.graph.node:  # where each operation stood in the source, with the paths of this machine
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    kinds = ["MatMul", "Gemm", "Gather"]  # the processor has no int8 form of some others
    logging.disable(logging.WARNING)  # it advises to run a step that the graph has been through
    try:
        quantize_dynamic(
            graph, out, weight_type=QuantType.QInt8, per_channel=True, reduce_range=False, op_types_to_quantize=kinds
        )
    finally:
        logging.disable(logging.NOTSET)


def _known(kind: str) -> tuple[str, ...]:
    """The architectures that sort texts, of that type of model, as the library knows them."""
    _calm()
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as NAMES

    names: Any = NAMES.get(kind, ())
    return (names,) if isinstance(names, str) else tuple(names)


def _load_model(folder: Path, outline: Outline, where: str) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    files = sorted(folder.glob("*.safetensors"))
    size = sum(path.stat().st_size for path in files)
    if size > LARGEST:
        raise Mistake(f"{where} has {size / 1e9:.1f} GB of weights, and 2 GB is the most; choose a smaller model.")
    sizes.check_weights(json.loads((folder / CONFIG).read_text(encoding="utf-8")), files, where)
    auto: Any = AutoModelForSequenceClassification
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        with torch.device("meta"), sizes.built(where):  # what its settings ask for takes no memory there
            numbers = _numbers(auto.from_config(config, attn_implementation="eager"))
        if numbers > MAX_NUMBERS:
            raise Mistake(
                f"{where} has {numbers / 1e6:.0f} million weights, and 500 million is the most; choose a smaller one."
            )
        model, loading = auto.from_pretrained(
            str(folder),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
        )
    except (MemoryError, Mistake):
        raise
    except Exception as error:  # whatever a damaged or strange model makes the library raise
        reason = " ".join(str(error).split())[:200]
        raise Mistake(f"{where} cannot be loaded ({reason}); choose another revision or model.") from error
    missing = sorted(loading["missing_keys"])
    if missing or loading.get("mismatched_keys"):
        example = f" ({missing[0]})" if missing else ""
        raise Mistake(f"{where} lacks weights that it needs{example}: it was never finished; choose another model.")
    if model.config.num_labels != len(outline.labels):
        raise Mistake(
            f"{where} has {model.config.num_labels} outputs and {len(outline.labels)} labels; it is not used."
        )
    return model.eval()


def _numbers(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _load_tokenizer(folder: Path, where: str) -> Any:
    from transformers import AutoTokenizer

    auto: Any = AutoTokenizer
    try:
        tokenizer = auto.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        fast = tokenizer.is_fast
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise Mistake(f"The tokenizer of {where} cannot be loaded ({reason}); choose another revision.") from error
    if not fast:
        raise Mistake(f"The tokenizer of {where} runs only in Python and cannot be stored; choose another model.")
    return tokenizer


def _inputs(model: Any, tokenizer: Any) -> tuple[str, ...]:
    """Which of the tokenizer's columns the model takes."""
    import inspect

    takes = inspect.signature(model.forward).parameters
    wanted = ("input_ids", "attention_mask", "token_type_ids")
    return tuple(name for name in wanted if name in takes and name in tokenizer.model_input_names)


def _only_logits(model: Any, inputs: int) -> Any:
    """The model as a module that takes its inputs by position and gives nothing but its outputs."""
    import torch

    def two(self: Any, input_ids: Any, attention_mask: Any) -> Any:
        return self.inner(input_ids=input_ids, attention_mask=attention_mask).logits

    def three(self: Any, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        found = self.inner(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return found.logits

    module: Any = torch.nn.Module
    wrapped = type("Logits", (module,), {"forward": three if inputs == 3 else two})()
    wrapped.inner = model
    return wrapped.eval()


def _calm() -> None:
    """The libraries without bars, advice and a look at any network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers.utils import logging as chatter

    library: Any = chatter
    library.set_verbosity_error()
    library.disable_progress_bar()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)


@contextlib.contextmanager
def only(folder: Path, names: Sequence[str], beside: Path) -> Iterator[Path]:
    """A folder at `beside` that shows those files of `folder` and no others, while the `with` block runs."""
    import shutil

    beside.mkdir(parents=True)
    try:
        for name in names:
            (beside / name).symlink_to((folder / name).resolve())
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)
