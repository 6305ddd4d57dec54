"""From raw numbers to probabilities; every head and every model does it this way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FARTHEST = 60.0  # beyond, a probability is 0 or 1 to the last digit, and nothing changes but the overflow


def softmax(scores: Any) -> Numbers:
    """Probabilities that sum to 1 along each row, shape (rows, labels)."""
    exact = np.asarray(scores, np.float64)
    powers = np.exp(exact - exact.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def logistic(scores: Any) -> Numbers:
    """Probabilities from 0 to 1, each for itself, in the shape of the scores and whatever their size."""
    exact = np.clip(np.asarray(scores, np.float64), -FARTHEST, FARTHEST)
    return np.asarray(1 / (1 + np.exp(-exact)))
