"""Rows → rows: standardization and principal components as one affine map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader


@dataclass(frozen=True)
class Transform:
    """x → W (x − m), with the mean taken away first so that nothing large cancels.

    Without `components` the map is (x − m) / scale, then a choice of features. Without a mean it leaves rows alone.
    """

    mean: NDArray[np.float64] | None
    """m, shape (d,)."""
    scale: NDArray[np.float64] | None
    """Divisors, shape (d,)."""
    matrix: NDArray[np.float64] | None
    """Wᵀ, shape (d, k): standardization and principal components in one."""
    columns: NDArray[np.intp] | None
    """Features that are kept, shape (k,)."""

    @property
    def n_features(self) -> int | None:
        """Features of a row that goes in, or None where any number does."""
        return None if self.mean is None else len(self.mean)

    def apply(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map rows, shape (n, d), to rows of shape (n, k)."""
        if self.mean is None:
            return np.asarray(rows, np.float64)
        centred = rows - self.mean
        if self.matrix is not None:
            return np.asarray(centred @ self.matrix)
        if self.scale is not None:
            centred /= self.scale
        return centred if self.columns is None else centred[:, self.columns]


def build_transform(arrays: Mapping[str, NDArray[np.generic]], where: str = "transform") -> Transform:
    """Make a transform of plain arrays.

    Parameters
    ----------
    arrays
        None at all (rows are left alone), or `mean` (d,) with either `components` (k, d), or `scale` (d,) and, if only
        some features are kept, their `columns` (k,).
    where
        What the arrays belong to, as errors name it.

    Raises
    ------
    InputError
        When an array is missing, unknown, of another shape or type, or not finite.
    """
    reader = ArrayReader(arrays, where)
    if not arrays:
        return Transform(None, None, None, None)
    mean = reader.floats("mean", "d")
    matrix = scale = columns = None
    if "components" in reader:
        matrix = np.ascontiguousarray(reader.floats("components", "k", "d").T)
    else:
        scale = reader.positive("scale", "d")
        if "columns" in reader:
            columns = reader.integers("columns", "k", low=0, high=len(mean))
    reader.finish()
    return Transform(mean, scale, matrix, columns)
