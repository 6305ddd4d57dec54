"""Two small regressions in plain numpy: which of several labels, and how sure one may be of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from listener.model.probability import logistic, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Labels = NDArray[np.intp]

MEMORY = 8  # steps that the search for the minimum remembers
STEPS = 200  # as far as it goes at most; some 40 are usual
ENOUGH = 1e-5  # of the loss: a step that gains less is the last


def multinomial(
    vectors: Numbers, labels: Labels, weights: Numbers, *, towards: Numbers, strength: float
) -> tuple[Numbers, Numbers]:
    """Slopes (size, labels) and offsets (labels,) of a logistic regression that is drawn to the slopes `towards`.

    `vectors` (n, size) with a label from 0 and a weight each. `strength`: how much the vectors count against the pull;
    at 0 the slopes are `towards`. Found by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5).
    """
    rows = np.arange(len(labels))
    extended = np.hstack([vectors, np.ones((len(vectors), 1))])
    pulled = np.vstack([towards, np.zeros(towards.shape[1])])
    stiffness = np.vstack([np.full(towards.shape, 1 / strength), np.zeros(towards.shape[1])])

    def loss(at: Numbers) -> tuple[float, Numbers]:
        found = softmax(extended @ at)
        away = at - pulled
        surprise = -np.log(found[rows, labels] + 1e-300)
        found[rows, labels] -= 1
        slope = extended.T @ (found * weights[:, None]) + stiffness * away
        return float(surprise @ weights + 0.5 * (stiffness * away * away).sum()), slope

    found = _least(loss, pulled)
    return found[:-1], found[-1]


def _least(loss: Callable[[Numbers], tuple[float, Numbers]], at: Numbers) -> Numbers:
    """Where a convex function that gives its value and its slope is least, searched from `at`."""
    value, slope = loss(at)
    known: deque[tuple[Numbers, Numbers]] = deque(maxlen=MEMORY)
    for _ in range(STEPS):
        way = -_bent(slope, known)
        length = 1.0 if known else min(1.0, 1 / (float(np.abs(slope).sum()) + 1e-12))
        descent = float((slope * way).sum())
        there, below, ahead = at + length * way, value, slope
        for _ in range(30):
            there = at + length * way
            below, ahead = loss(there)
            if below <= value + 1e-4 * length * descent:
                break
            length /= 2
        else:
            return at
        step, change = there - at, ahead - slope
        if float((step * change).sum()) > 1e-12:
            known.append((step, change))
        gained = value - below
        at, value, slope = there, below, ahead
        if gained < ENOUGH * max(1.0, abs(value)):
            break
    return at


def _bent(slope: Numbers, known: deque[tuple[Numbers, Numbers]]) -> Numbers:
    """The slope times an estimate of the inverse curvature, from the steps taken so far."""
    bent = slope.copy()
    shares: list[float] = []
    for step, change in reversed(known):
        share = float((step * bent).sum() / (step * change).sum())
        bent -= share * change
        shares.append(share)
    if known:
        step, change = known[-1]
        bent *= (step * change).sum() / (change * change).sum()
    for (step, change), share in zip(known, reversed(shares), strict=True):
        bent += step * (share - float((change * bent).sum() / (step * change).sum()))
    return bent


def binary(features: Numbers, truth: Numbers, weights: Numbers) -> tuple[Numbers, float]:
    """Slopes (features,) and an offset: `1 / (1 + exp(-(features @ slopes + offset)))` is how likely `truth` is 1.

    A Platt scaling of several scores, with a light pull to 0 so that few rows do not make it certain; by Newton's way.
    """
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    scaled = np.hstack([(features - middle) / spread, np.ones((len(features), 1))])
    pull = np.diag([*np.ones(features.shape[1]), 1e-6])
    found = np.zeros(scaled.shape[1])
    for _ in range(50):
        likely = logistic(scaled @ found)
        slope = scaled.T @ (weights * (likely - truth)) + pull @ found
        curve = (scaled * (weights * likely * (1 - likely))[:, None]).T @ scaled + pull
        step = np.linalg.solve(curve, slope)
        found -= step
        if np.abs(step).max() < 1e-8:
            break
    slopes = found[:-1] / spread
    return slopes, float(found[-1] - slopes @ middle)
