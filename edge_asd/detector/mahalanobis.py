"""Mahalanobis distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.recipe.detectors import MahalanobisSettings


@dataclass(frozen=True)
class Mahalanobis:
    """|(x − μ) F|², or its root, with F Fᵀ = Σ⁻¹; as `mahalanobis` of scikit-learn's covariances."""

    mean: NDArray[np.float64]
    """μ, shape (d,)."""
    factor: NDArray[np.float64]
    """F, shape (d, d)."""
    squared: bool
    """Whether the score is the squared distance."""

    @property
    def n_features(self) -> int:
        """Features of a row."""
        return len(self.mean)

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        whitened = (rows - self.mean) @ self.factor
        distances = np.einsum("nd,nd->n", whitened, whitened)
        return np.asarray(distances if self.squared else np.sqrt(distances))


def build_mahalanobis(settings: MahalanobisSettings, reader: ArrayReader) -> Mahalanobis:
    """Make it of `mean` (d,) and `factor` (d, d)."""
    return Mahalanobis(reader.floats("mean", "d"), reader.floats("factor", "d", "d"), settings.squared)
