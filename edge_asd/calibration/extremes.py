"""Peaks over a threshold: how a score that normal sound hardly ever reaches is found from what it did reach.

Beyond a high level the excesses of nearly any distribution follow the generalized Pareto distribution (Balkema & de
Haan 1974; Pickands 1975): P(excess > y) = (1 + ξ y / σ)^(−1/ξ), and exp(−y / σ) for ξ = 0. The device refits it on
site, so it is NumPy alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EXPONENTIAL = 1e-6
"""Shape below which the distribution is the exponential one to every digit that counts."""
_PRIOR_SCORES = 10.0
"""How many excesses the assumption of an exponential tail weighs (Vehtari et al. 2024, appendix G)."""
_LEAST_MEAN = float(np.finfo(np.float64).tiny)
"""What a mean excess of 0 counts as."""
_FEW = 5
"""Excesses below which no shape is fitted."""


class ParetoTail(NamedTuple):
    """Generalized Pareto distribution of excesses."""

    scale: float
    """σ > 0, in the unit of the excesses."""
    shape: float
    """ξ: above 0 the tail is heavy, below it ends."""

    def excess_at(self, log_probability: float) -> float:
        """Return the excess that is reached with this probability, its natural logarithm given, at most 0."""
        if abs(self.shape) < _EXPONENTIAL:
            return -log_probability * self.scale
        return self.scale * math.expm1(-self.shape * log_probability) / self.shape


def fit_pareto(excesses: NDArray[np.float64]) -> ParetoTail:
    """Fit it to independent excesses.

    The estimate of Zhang & Stephens (Technometrics 2009): the posterior mean of the likelihood's profile, which unlike
    its maximum always exists. Its shape is drawn towards 0, the exponential tail, as if ten more excesses had that one,
    and is never below it: that a tail ends is not believed.

    Parameters
    ----------
    excesses
        Shape (n,), n ≥ 1, ≥ 0, in any order.

    Returns
    -------
    ParetoTail
        With the shape found, and the scale that gives the excesses' own mean.
    """
    mean = max(float(np.mean(excesses)), _LEAST_MEAN)
    if len(excesses) < _FEW or float(np.ptp(excesses)) == 0.0:
        return ParetoTail(mean, 0.0)
    shape = _profile_shape(np.sort(excesses))
    shape *= len(excesses) / (len(excesses) + _PRIOR_SCORES)
    shape = min(max(shape, 0.0), 0.9)
    # E[excess] = σ / (1 − ξ).
    return ParetoTail(mean * (1.0 - shape), shape)


def _profile_shape(rising: NDArray[np.float64]) -> float:
    """Return the posterior mean of ξ, by the grid of equations 6 to 8 there, with θ = −ξ/σ."""
    count = len(rising)
    points = 30 + math.isqrt(count)
    quartile = rising[max(0, int(count / 4 + 0.5) - 1)]
    steps = np.arange(1, points + 1) - 0.5
    quartile = max(quartile, 1e-3 * rising[-1])
    thetas = 1.0 / rising[-1] + (1.0 - np.sqrt(points / steps)) / (3.0 * quartile)
    thetas[np.abs(thetas) < 1e-12 / rising[-1]] = 1e-12 / rising[-1]
    shapes = np.mean(np.log1p(-thetas[:, None] * rising), axis=1)
    likelihoods = count * (np.log(-thetas / shapes) - shapes - 1.0)
    weights = np.exp(likelihoods - likelihoods.max())
    theta = float(thetas @ weights / weights.sum())
    return float(np.mean(np.log1p(-theta * rising)))
