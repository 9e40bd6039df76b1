"""The gamma distribution, as the papers set thresholds by it: fit and quantile with NumPy and `math` alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ITERATIONS = 200
_TOLERANCE = 1e-14
_LEAST_SPREAD = 1e-12
"""Least ln(mean) − mean(ln): below it the values are one value."""


def fit_gamma(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return shape k and scale θ of greatest likelihood for values above 0, shape (n,).

    θ = mean / k, and ln k − ψ(k) = ln(mean) − mean(ln), solved by Newton's method on 1/k from Minka's start
    ("Estimating a gamma distribution", 2002). As `scipy.stats.gamma.fit(values, floc=0)`.

    Raises
    ------
    ValueError
        When a value is not above 0.
    """
    if not (values > 0).all():
        raise ValueError("a gamma distribution is fitted to values above 0")
    mean = float(np.mean(values))
    spread = max(math.log(mean) - float(np.mean(np.log(values))), _LEAST_SPREAD)
    shape = (3.0 - spread + math.sqrt((spread - 3.0) ** 2 + 24.0 * spread)) / (12.0 * spread)
    for _ in range(_ITERATIONS):
        error = math.log(shape) - _digamma(shape) - spread
        step = error / (shape * (1.0 - shape * _trigamma(shape)))
        inverse = 1.0 / shape + step
        shape, before = 1.0 / inverse, shape
        if abs(shape - before) <= _TOLERANCE * shape:
            break
    return shape, mean / shape


def gamma_quantile(probability: float, shape: float, scale: float) -> float:
    """Return the value below which a share of 0 < `probability` < 1 lies."""
    low, high = 0.0, shape + 1.0
    while _lower(shape, high) < probability:
        low, high = high, 2.0 * high
    while high - low > _TOLERANCE * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if _lower(shape, middle) < probability else (low, middle)
    return 0.5 * (low + high) * scale


def _lower(shape: float, value: float) -> float:
    """The regularized lower incomplete gamma function, by its series or its continued fraction (DLMF 8.11.4, 8.9.2)."""
    if value <= 0.0:
        return 0.0
    front = math.exp(shape * math.log(value) - value - math.lgamma(shape))
    if value < shape + 1.0:
        term = total = 1.0 / shape
        denominator = shape
        while abs(term) > _TOLERANCE * abs(total):
            denominator += 1.0
            term *= value / denominator
            total += term
        return front * total
    return 1.0 - front * _upper_fraction(shape, value)


def _upper_fraction(shape: float, value: float) -> float:
    # Lentz's method.
    tiny = 1e-300
    step = value + 1.0 - shape
    ratio, fraction = 1.0 / tiny, 1.0 / step
    inverse = fraction
    for index in range(1, 10_000):
        factor = -index * (index - shape)
        step += 2.0
        inverse = 1.0 / (factor * inverse + step or tiny)
        ratio = step + factor / ratio or tiny
        change = inverse * ratio
        fraction *= change
        if abs(change - 1.0) < _TOLERANCE:
            break
    return fraction


def _digamma(value: float) -> float:
    # Recurrence up to 10, then the asymptotic series (DLMF 5.11.2).
    shift = 0.0
    while value < 10.0:
        shift -= 1.0 / value
        value += 1.0
    square = 1.0 / (value * value)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132)))))
    return shift + math.log(value) - 0.5 / value - series


def _trigamma(value: float) -> float:
    shift = 0.0
    while value < 10.0:
        shift += 1.0 / (value * value)
        value += 1.0
    square = 1.0 / (value * value)
    series = square * (1 / 6 - square * (1 / 30 - square * (1 / 42 - square * (1 / 30 - square * (5 / 66)))))
    return shift + 1.0 / value + 0.5 * square + series / value
