"""What is known about a model: its files, where it learned, how its scores are calibrated, how good it was found.

The card is written when the model is made and never changed afterwards; a model and its card travel together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from listener.errors import NoModel
from listener.model import calibration
from listener.model.calibration import OTHER_LANGUAGE, Calibration

CARD = "card.json"


@dataclass(frozen=True, kw_only=True)
class CardFile:
    """One file of the model, as it was when the model was made."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """One body of texts the model learned from or was measured on."""

    name: str
    licence: str
    use: str
    examples: int


@dataclass(frozen=True, kw_only=True)
class Card:
    """One model's card. `metrics` is what was measured, by name of the test; see docs/model.md for their meaning."""

    version: str
    made: date
    base: str
    max_tokens: int
    files: tuple[CardFile, ...]
    sources: tuple[Source, ...]
    profiles: Mapping[str, Calibration]
    metrics: Mapping[str, Any]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages the model learned, ISO 639-1. In any other it knows nothing."""
        return tuple(language for language in self.profiles["full"].scales if language != OTHER_LANGUAGE)


def read(folder: Path) -> Card:
    """The card in `folder`. Raises NoModel, in one sentence, when there is none or it cannot be read."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8")
    except OSError as error:
        raise NoModel(
            f"The model's card {folder / CARD} cannot be read ({error.strerror}); install Escucha again, "
            "or name a folder that holds a model."
        ) from error
    try:
        return _card(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoModel(f"The model's card {folder / CARD} is damaged ({error!r}); install Escucha again.") from error


def check_files(card: Card, folder: Path) -> None:
    """Raises NoModel, in one sentence, when a file of the model is missing or not the one the card describes."""
    for file in card.files:
        path = folder / file.name
        try:
            found = sha256(path)
        except OSError as error:
            raise NoModel(
                f"The model's file {path} cannot be read ({error.strerror}); install Escucha again."
            ) from error
        if found != file.sha256:
            raise NoModel(
                f"The model's file {path} is damaged: it is not the one its card names; install Escucha again."
            )


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card(data: dict[str, Any]) -> Card:
    return Card(
        version=data["version"],
        made=date.fromisoformat(data["made"]),
        base=data["base"],
        max_tokens=data["max_tokens"],
        files=tuple(CardFile(**file) for file in data["files"]),
        sources=tuple(Source(**source) for source in data["sources"]),
        profiles={profile: calibration.read(data["calibration"][profile]) for profile in ("full", "fast")},
        metrics=data["metrics"],
    )
