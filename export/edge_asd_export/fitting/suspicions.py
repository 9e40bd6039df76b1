"""What makes training data suspicious: dead features, clips that do not sound like the rest."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAD_TO_STD = 1.482602218505602
"""Standard deviation of a normal distribution over its median absolute deviation: 1 / Φ⁻¹(3/4)."""


class Outlier(NamedTuple):
    """A row that is unlike the others."""

    row: int
    """Its place among the rows, from 0."""
    score: float
    """How many robust standard deviations its distance lies above the usual distance."""


def constant_features(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the indices of features whose variance is nothing but rounding, for rows of shape (n, d).

    The bound is that of the two-pass algorithm (Chan, Golub & LeVeque 1983), as in scikit-learn 1.9's `StandardScaler`.
    """
    mean, variance = rows.mean(axis=0), rows.var(axis=0)
    rounding = len(rows) * np.finfo(np.float64).eps
    return np.flatnonzero(variance <= rounding * variance + (rounding * mean) ** 2)


def outlier_limit(count: int) -> float:
    """Return the robust standard deviations from which one of `count` rows is an outlier.

    About one in a hundred sets of rows that are all alike has a row above it. Spreads that are measured on few rows are
    rough, so few rows need more; of many, the most extreme one lies further out. Fitted to the 99th percentile of the
    highest score among 8 to 3000 normally distributed rows of 2 to 5 independent features.
    """
    return 4.0 + 0.2 * math.log(count) + 170.0 / math.pow(count, 1.5)


def outliers(rows: NDArray[np.float64]) -> list[Outlier]:
    """Return rows that are unlike the others, the most unlike first.

    Every feature is measured from its median in units of its median absolute deviation; a row's distance is the root
    mean square over the features that vary. A row is listed when its distance lies further above the
    median distance than `outlier_limit` robust standard deviations (the modified z-score of Iglewicz & Hoaglin 1993).

    Parameters
    ----------
    rows
        One row per recording, shape (n, d).
    """
    deviations = rows - np.median(rows, axis=0)
    spreads = _MAD_TO_STD * np.median(np.abs(deviations), axis=0)
    varying = spreads > 0.0
    if not varying.any():
        return []
    distances = np.sqrt(np.mean((deviations[:, varying] / spreads[varying]) ** 2, axis=1))
    excess = distances - np.median(distances)
    spread = max(_MAD_TO_STD * float(np.median(np.abs(excess))), np.finfo(np.float64).tiny)
    scores = excess / spread
    limit = outlier_limit(len(rows))
    worst_first = np.argsort(-scores, kind="stable")
    return [Outlier(int(index), float(scores[index])) for index in worst_first if scores[index] > limit]
