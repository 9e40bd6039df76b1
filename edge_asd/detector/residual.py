"""What principal components leave over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.recipe.detectors import PcaResidualSettings


class PcaResidual:
    """|y − Vᵀ V y|² with y = x − m: the squared error of scikit-learn's `PCA.inverse_transform(PCA.transform(x))`.

    Parameters
    ----------
    mean
        m, shape (d,).
    components
        V, shape (k, d), with orthonormal rows.
    """

    def __init__(self, mean: NDArray[np.float64], components: NDArray[np.float64]) -> None:
        self.n_features = len(mean)
        self._mean = mean
        self._components = components
        self._transposed = np.ascontiguousarray(components.T)

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        left_over = rows - self._mean
        left_over -= (left_over @ self._transposed) @ self._components
        return np.asarray(np.einsum("nd,nd->n", left_over, left_over))


def build_pca_residual(_settings: PcaResidualSettings, reader: ArrayReader) -> PcaResidual:
    """Make it of `mean` (d,) and `components` (k, d)."""
    return PcaResidual(reader.floats("mean", "d"), reader.floats("components", "k", "d"))
