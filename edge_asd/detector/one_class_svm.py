"""One-class support vector machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.detector.distances import SquaredDistances
from edge_asd.detector.numerics import in_chunks
from edge_asd.recipe.detectors import OneClassSvmSettings

Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Rows (n, d) → kernel with every support vector (n, m)."""


class OneClassSvm:
    """−(Σ_i α_i K(x, v_i) + b): `decision_function` of scikit-learn 1.9's `OneClassSVM`, negated.

    Parameters
    ----------
    kernel
        Kernel with the support vectors v.
    weights
        α, shape (m,).
    intercept
        b.
    n_features
        Features of a row.
    """

    def __init__(self, kernel: Kernel, weights: NDArray[np.float64], intercept: float, n_features: int) -> None:
        self.n_features = n_features
        self._kernel = kernel
        self._weights = -weights
        self._intercept = -intercept

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        return in_chunks(rows, len(self._weights), self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = np.asarray(self._kernel(rows) @ self._weights)
        scores += self._intercept
        return scores


def build_one_class_svm(settings: OneClassSvmSettings, reader: ArrayReader) -> OneClassSvm:
    """Make it of `support_vectors` (m, d), `weights` (m,), `intercept` (1,) and, except linear, `gamma` (1,)."""
    vectors = reader.floats("support_vectors", "m", "d")
    weights = reader.floats("weights", "m")
    intercept = float(reader.floats("intercept", 1)[0])
    if settings.kernel == "linear":
        # Σ α (x·v) = x · Σ α v: one vector stands for all.
        return OneClassSvm(_product((weights @ vectors)[None]), np.ones(1), intercept, vectors.shape[1])
    gamma = float(reader.positive("gamma", 1)[0])
    if settings.kernel == "rbf":
        return OneClassSvm(_gaussian(vectors, gamma), weights, intercept, vectors.shape[1])
    power = _power(vectors, gamma, settings.coef0, settings.degree)
    return OneClassSvm(power, weights, intercept, vectors.shape[1])


def _gaussian(vectors: NDArray[np.float64], gamma: float) -> Kernel:
    squared_distances = SquaredDistances(vectors)

    def kernel(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        exponents = squared_distances(rows)
        exponents *= -gamma
        return np.asarray(np.exp(exponents, out=exponents))

    return kernel


def _product(vectors: NDArray[np.float64]) -> Kernel:
    transposed = np.ascontiguousarray(vectors.T)
    return lambda rows: np.asarray(rows @ transposed)


def _power(vectors: NDArray[np.float64], gamma: float, coef0: float, degree: int) -> Kernel:
    scaled = np.ascontiguousarray(gamma * vectors.T)

    def kernel(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        products = np.asarray(rows @ scaled)
        products += coef0
        return _raised(products, degree)

    return kernel


def _raised(base: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    """Return base^exponent by squaring: NumPy calls pow() for every number, which takes twenty times as long."""
    if exponent == 1:
        return base
    root = _raised(base, exponent // 2)
    square = root * root
    return square * base if exponent % 2 else square
