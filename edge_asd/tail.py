"""Calibrated tails: how rarely normal sound reaches a score, and how parts are joined on that.

Scores of different detectors have different units and spreads. The share of normal stretches that reach a score, its
*tail probability*, is common to all; so parts are compared and joined on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader

_LN10 = math.log(10.0)
_RARE = -30.0
"""Logarithm of a probability so small that 1 − (1 − p)^k is k·p to the last bit."""
_LEAST_BETA = 1e-9
"""Least mean excess, in the unit of the scores, and where they are larger than 1 as a share of them."""


class Tail(NamedTuple):
    """Natural logarithm of P(normal score ≥ s) as a piecewise-linear table of s.

    Past its last knot the table goes on along its last piece: an exponential tail. Below its first knot the
    probability is that of the first knot.
    """

    scores: NDArray[np.float64]
    """Knots, shape (n,), n ≥ 2, strictly increasing."""
    log_probabilities: NDArray[np.float64]
    """Values at the knots, shape (n,), ≤ 0, strictly decreasing."""

    def log_probability(self, score: float) -> float:
        """Return ln P(normal score ≥ `score`), at most 0."""
        if score >= self.scores[-1]:
            rise = self.log_probabilities[-1] - self.log_probabilities[-2]
            run = self.scores[-1] - self.scores[-2]
            return float(self.log_probabilities[-1] + (score - self.scores[-1]) * rise / run)
        return float(np.interp(score, self.scores, self.log_probabilities))

    def score_at(self, log_probability: float) -> float:
        """Return the score that normal sound reaches with this probability: the inverse of `log_probability`."""
        if log_probability <= self.log_probabilities[-1]:
            run = self.scores[-1] - self.scores[-2]
            rise = self.log_probabilities[-1] - self.log_probabilities[-2]
            return float(self.scores[-1] + (log_probability - self.log_probabilities[-1]) * run / rise)
        return float(np.interp(-log_probability, -self.log_probabilities, self.scores))


def fit_tail(scores: NDArray[np.float64], least_spread: float, independent: int | None = None) -> Tail:
    """Fit P(normal score ≥ s) to held-out scores: exponential beyond their median.

    ln P = ln ½ − (s − median) / β, with β the mean excess over the median, widened by n / (n − 2) because it was
    estimated from n scores only, and no less than `least_spread`. An exponential tail is the generalized Pareto
    distribution of shape 0 (Pickands 1975); with a few dozen scores the shape cannot be told, and a fitted one goes
    astray where it matters, far out.

    Parameters
    ----------
    scores
        Shape (m,), m ≥ 3.
    least_spread
        Least β, in their unit.
    independent
        n ≥ 3: how many independent ones they are worth; those of overlapping horizons are worth fewer.
    """
    count = len(scores) if independent is None else independent
    median = float(np.median(scores))
    excess = float(np.mean(scores[scores > median] - median)) if (scores > median).any() else 0.0
    beta = max(excess * count / (count - 2), least_spread, _LEAST_BETA * max(1.0, abs(median)))
    # Below the median the exact shape has no say in any decision.
    return Tail(np.array([median - beta, median, median + beta]), np.array([0.0, math.log(0.5), math.log(0.5) - 1.0]))


def build_tail(arrays: Mapping[str, NDArray[np.generic]], where: str = "tail") -> Tail:
    """Make a tail of plain arrays: `scores` and `log_probabilities`, as `Tail` describes them.

    Raises
    ------
    InputError
        When an array is missing, unknown, of another form, or not finite.
    """
    reader = ArrayReader(arrays, where)
    tail = Tail(reader.floats("scores", "n"), reader.floats("log_probabilities", "n"))
    reader.finish()
    if len(tail.scores) < 2 or not (np.diff(tail.scores) > 0).all():
        raise reader.error("scores", expected="two or more rising scores", found=f"{len(tail.scores)}, not rising")
    if tail.log_probabilities[0] > 0 or not (np.diff(tail.log_probabilities) < 0).all():
        raise reader.error("log_probabilities", expected="falling values from at most 0", found="others")
    return tail


def join_tails(log_probabilities: Sequence[float]) -> float:
    """Return the joint score of parts: −log10 of the smallest tail probability, corrected for having several.

    The smallest of k independent tail probabilities p is itself as rare as 1 − (1 − p)^k (Šidák 1967), so that the
    joint false-alarm rate stays what it says, whichever part fires. A score of 3 is reached by one normal stretch in a
    thousand.
    """
    count = len(log_probabilities)
    smallest = min(log_probabilities)
    if smallest >= 0.0:
        return 0.0
    if smallest < _RARE:
        return -(smallest + math.log(count)) / _LN10
    return abs(_log1mexp(count * _log1mexp(smallest))) / _LN10


def _log1mexp(value: float) -> float:
    # ln(1 − e^x) for x < 0, exact on both sides (Mächler 2012).
    return math.log(-math.expm1(value)) if value > -math.log(2.0) else math.log1p(-math.exp(value))
