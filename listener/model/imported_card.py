"""What is known of an imported model, as its `card.json` keeps it; the folder may have come from elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from listener.errors import Mistake
from listener.escapes import visible
from listener.model import mapping
from listener.model.card import CARD, CardFile
from listener.model.mapping import Ours
from listener.model.onnx import TOKENIZER

KIND = "imported model"
WEIGHTS = "model.onnx"
THRESHOLD = 0.5
COLUMNS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
LONGEST = 200  # characters of a name or label


@dataclass(frozen=True, kw_only=True)
class ImportedCard:
    """What is known of an imported model.

    `labels`: each label of theirs, in the order of the outputs, with what it means to us. `multi_label`: any number of
    labels holds at once, each with a probability of its own. `origin` says where it came from, file by file; `metrics`
    what the conversion cost. `temperature` divides the outputs; `calibrated_on` is how many texts it was fitted to, 0
    when it never was.
    """

    name: str
    made: str
    architecture: str
    inputs: tuple[str, ...]
    max_tokens: int
    multi_label: bool
    labels: tuple[tuple[str, Ours], ...]
    files: tuple[CardFile, ...]
    origin: Mapping[str, Any]
    metrics: Mapping[str, Any]
    temperature: float = 1.0
    calibrated_on: int = 0
    threshold: float = THRESHOLD

    @property
    def version(self) -> str:
        """The name, and a mark that is another one for other weights, labels or calibration."""
        seen = [asdict(file) for file in self.files], self._labels(), self.multi_label, self.temperature
        text = json.dumps([*seen, self.threshold, self.max_tokens], sort_keys=True)
        return f"{self.name}@{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def _labels(self) -> list[dict[str, str]]:
        return [{"theirs": theirs, "ours": mapping.spell(ours)} for theirs, ours in self.labels]

    def as_json(self) -> dict[str, Any]:
        """The card as it is kept in `card.json`."""
        return {
            "kind": KIND,
            "name": self.name,
            "version": self.version,
            "made": self.made,
            "origin": dict(self.origin),
            "architecture": self.architecture,
            "inputs": list(self.inputs),
            "max_tokens": self.max_tokens,
            "multi_label": self.multi_label,
            "labels": self._labels(),
            "calibration": {
                "state": "calibrated" if self.calibrated_on else "uncalibrated",
                "temperature": self.temperature,
                "texts": self.calibrated_on,
            },
            "threshold": self.threshold,
            "files": [asdict(file) for file in self.files],
            "metrics": dict(self.metrics),
        }


def read_card(folder: Path) -> ImportedCard:
    """The card in `folder`. Raises Mistake, in one sentence, when there is none or it cannot be read."""
    again = "import the model again with --replace"
    try:
        data = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if data["kind"] != KIND:
            raise ValueError("another kind of card")
        labels = tuple((str(label["theirs"]), mapping.read(label["ours"])) for label in data["labels"])
        temperature, threshold = float(data["calibration"]["temperature"]), float(data["threshold"])
        if not (0.01 <= temperature < 1000 and 0 < threshold <= 1):
            raise ValueError("a temperature or threshold out of range")
        card = ImportedCard(
            name=data["name"],
            made=data["made"],
            architecture=data["architecture"],
            inputs=tuple(data["inputs"]),
            max_tokens=int(data["max_tokens"]),
            multi_label=bool(data["multi_label"]),
            labels=labels,
            files=tuple(CardFile(**file) for file in data["files"]),
            origin=data["origin"],
            metrics=data["metrics"],
            temperature=temperature,
            calibrated_on=int(data["calibration"]["texts"]),
            threshold=threshold,
        )
        _check(card)
    except OSError as error:
        raise Mistake(
            f"The imported model's card {folder / CARD} cannot be read ({error.strerror}); {again}."
        ) from error
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError, Mistake) as error:
        raise Mistake(f"The imported model's card {folder / CARD} is damaged ({error!r}); {again}.") from error
    return card


def _check(card: ImportedCard) -> None:
    """Raises ValueError for what no import writes: the folder may have come from elsewhere."""
    said = (card.name, card.made, card.architecture, *card.inputs, *(theirs for theirs, _ in card.labels))
    if not all(isinstance(words, str) and len(words) <= LONGEST and visible(words) == words for words in said):
        raise ValueError("a name that cannot be shown")
    if not card.labels or not card.inputs or not set(card.inputs) <= set(COLUMNS):
        raise ValueError("no labels, or inputs that no tokenizer gives")
    if sorted(file.name for file in card.files) != [WEIGHTS, TOKENIZER]:
        raise ValueError("other files than the model's")
    if not all(isinstance(file.size, int) and isinstance(file.sha256, str) for file in card.files):
        raise ValueError("a file without size or hash")
    if not isinstance(card.origin, dict) or not isinstance(card.metrics, dict):
        raise ValueError("no origin or metrics")
