"""The company's own areas, told apart by a small head that was learned from a few examples (`teaching.py`).

    vectors | slopes and offsets | share of each area, of "elsewhere" too | likeness to the area's middle | how sure

What is kept of the examples is their sum, by area: slopes, offsets and middles, no sentence and no vector of one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.errors import Mistake
from listener.model.areas_file import there
from listener.model.probability import logistic, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Floats = NDArray[np.float32]

METHOD = 1  # grows when the same examples would teach something else
AGAIN = "teach them again: escucha model train"
_ARRAYS = ("slopes", "offsets", "middles", "sureness", "threshold")
_LARGEST = 64_000_000  # bytes, unpacked; 200 areas have a hundredth of it
_TINY = 1e-9
BESIDE = float(np.log(0.25 / 0.75))  # log-odds of the share that a second area must have: a text may be about two


@dataclass(frozen=True, kw_only=True)
class Areas:
    """A learned head. `reader` is the version of the model whose vectors it understands; `digest` names the examples.

    `slopes` (size, areas + 1) and `offsets` (areas + 1,), the last for what is elsewhere; `middles` (areas, size), of
    length 1; `sureness` (3,): what share and likeness count for, and an offset; `threshold` (): scores from here count.
    """

    names: tuple[str, ...]
    reader: str
    digest: str
    slopes: Numbers
    offsets: Numbers
    middles: Numbers
    sureness: Numbers
    threshold: Numbers

    @property
    def version(self) -> str:
        """Names what was learned; another one wherever a mention could be read otherwise."""
        return hashlib.sha256(f"{self.reader}\0{self.digest}\0{METHOD}".encode()).hexdigest()[:8]

    def scores(self, vectors: Floats | Numbers) -> Numbers:
        """How likely each text is about each area, 0 to 1, shape (texts, areas); each for itself."""
        return sure(self.sureness, *self.evidence(vectors))

    def evidence(self, vectors: Floats | Numbers) -> tuple[Numbers, Numbers]:
        """What `scores` go by, both (texts, areas): log-odds of the area's share, likeness to its middle (-1 to 1)."""
        exact = np.asarray(vectors, np.float64)
        shares = softmax(exact @ self.slopes + self.offsets)[:, :-1]
        return np.log(shares + _TINY) - np.log(1 - shares + _TINY), np.asarray(exact @ self.middles.T)

    def read(self, vectors: Floats | Numbers) -> list[tuple[tuple[str, ...], dict[str, float]]]:
        """For each text its areas, strongest first (none: it is about something else), and the scores of all."""
        odds, likeness = self.evidence(vectors)
        scores = sure(self.sureness, odds, likeness)
        strongest = odds == odds.max(axis=1, keepdims=True, initial=-np.inf)
        counts = (scores >= self.threshold) & (strongest | (odds >= BESIDE))
        found = []
        for row, counted in zip(scores.tolist(), counts.tolist(), strict=True):
            known = dict(zip(self.names, row, strict=True))
            likely = [name for name, counts_too in zip(self.names, counted, strict=True) if counts_too]
            found.append((tuple(sorted(likely, key=lambda name: -known[name])), known))
        return found

    def save(self, path: Path) -> None:
        """Writes it to `path`, wholly or not at all; makes the folder. Raises Mistake where nothing can be written."""
        facts = {"names": self.names, "reader": self.reader, "digest": self.digest, "method": METHOD}
        written = io.BytesIO()
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name), np.float32) for name in _ARRAYS}
        np.savez(written, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".areas-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(written.getvalue())
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(name, 0o644)
                os.replace(name, path)
            except OSError:
                os.unlink(name)
                raise
        except OSError as error:
            raise Mistake(
                f"What was learned cannot be written to {path} ({error.strerror}); make room, or the folder "
                "writable, and run it again."
            ) from error

    @classmethod
    def load(cls, path: Path, *, reader: str) -> Areas:
        """What was learned for the model of that version.

        Raises Mistake where the file is damaged, or was learned with another model, profile or method.
        """
        facts, arrays = _contents(path)
        try:
            known = (facts["reader"], facts["method"])
            areas = cls(names=tuple(facts["names"]), reader=facts["reader"], digest=facts["digest"], **arrays)
            count, size = areas.middles.shape
            shapes = (areas.slopes.shape, areas.offsets.shape, areas.sureness.shape, areas.threshold.shape)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path) from error
        if known != (reader, METHOD):
            why = f"were learned for the model {areas.reader}, and {reader} reads now"
            raise Mistake(f"The areas in {path} {why}; {AGAIN}")
        named = len({name for name in areas.names if isinstance(name, str)})
        if shapes != ((size, count + 1), (count + 1,), (3,), ()) or not named == len(areas.names) == count:
            raise _damaged(path)
        return areas


def digest_of(examples: Mapping[str, Sequence[str]], strays: Sequence[str] = ()) -> str:
    """Names a set of examples by area and of strays, in whatever order they stand: 16 hex digits."""
    ordered = {name: sorted(texts) for name, texts in sorted({**examples, "": strays}.items())}
    return hashlib.sha256(json.dumps(ordered, ensure_ascii=False).encode()).hexdigest()[:16]


def learned_from(path: Path) -> tuple[str, str] | None:
    """The digest of the examples and the version of the model that `path` was learned from; None: there is no file.

    Raises Mistake where it is damaged or cannot be read.
    """
    if not there(path):
        return None
    facts, _ = _contents(path)
    try:
        return str(facts["digest"]), str(facts["reader"])
    except KeyError as error:
        raise _damaged(path) from error


def sure(sureness: Numbers, odds: Numbers, likeness: Numbers) -> Numbers:
    """How sure one may be, 0 to 1, by the share's log-odds and the likeness."""
    return logistic(sureness[0] * odds + sureness[1] * likeness + sureness[2])


def _contents(path: Path) -> tuple[dict[str, Any], dict[str, Numbers]]:
    try:
        with zipfile.ZipFile(path) as parts:
            if sum(part.file_size for part in parts.infolist()) > _LARGEST:
                raise ValueError("larger than any areas")
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            facts = json.loads(bytes(file["facts"]))
            arrays = {name: np.asarray(file[name], np.float64) for name in _ARRAYS}
    except Exception as error:  # zipfile, zlib and numpy raise whatever they meet on their way
        raise _damaged(path) from error
    if not isinstance(facts, dict) or not all(np.isfinite(array).all() for array in arrays.values()):
        raise _damaged(path)
    return facts, arrays


def _damaged(path: Path) -> Mistake:
    return Mistake(f"What was learned of the areas, {path}, cannot be read; {AGAIN}")
