"""Distances of rows to stored points, fast and with every digit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.detector.numerics import CHUNK
from edge_asd.recipe.detectors import Metric

_CLOSE = 1e-2
"""Share of |x|² + |p|² below which |x − p|² is taken from the differences: more than two digits would cancel."""


class SquaredDistances:
    """|x − p|² of rows to points, each within about 1e-13 of itself.

    |x|² + |p|² − 2 x·p takes one matrix product, but cancels where a row is close to a point in comparison with how far
    both are from the origin. The origin is put into the middle of the points; pairs that are close even so are computed
    again from their difference.

    Parameters
    ----------
    points
        Shape (m, d).
    """

    def __init__(self, points: NDArray[np.float64]) -> None:
        self._points = points
        self._centre = points.mean(axis=0)
        shifted = points - self._centre
        self._squares = np.einsum("md,md->m", shifted, shifted)
        self._directions = np.ascontiguousarray(-2.0 * shifted.T)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points, and of their features."""
        return self._points.shape

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return squared distances, shape (n, m), of rows of shape (n, d)."""
        centred = rows - self._centre
        totals = np.einsum("nd,nd->n", centred, centred)[:, None] + self._squares
        squared = np.asarray(centred @ self._directions)
        squared += totals
        totals *= _CLOSE
        close = squared < totals
        if close.any():
            self._mend(squared, rows, *np.nonzero(close))
        return squared

    def _mend(
        self,
        squared: NDArray[np.float64],
        rows: NDArray[np.float64],
        row_indices: NDArray[np.intp],
        point_indices: NDArray[np.intp],
    ) -> None:
        step = max(1, CHUNK // rows.shape[1])
        for start in range(0, len(row_indices), step):
            row, point = row_indices[start : start + step], point_indices[start : start + step]
            differences = rows[row] - self._points[point]
            squared[row, point] = np.einsum("pd,pd->p", differences, differences)


class BankDistances:
    """Distances of rows to a memory bank by a metric.

    The cosine distance 1 − cos is half the squared distance of the two directions, which keeps its digits where the
    directions almost agree. A row of zeros has no direction: it counts as orthogonal to everything, as in scikit-learn.

    Parameters
    ----------
    bank
        Shape (m, d).
    metric
        The distance.
    """

    def __init__(self, bank: NDArray[np.float64], metric: Metric) -> None:
        self._cosine = metric == "cosine"
        self._squared = SquaredDistances(directions(bank) if self._cosine else bank)
        self._orthogonal = 0.5 * np.logical_not(bank.any(axis=1))

    def nearest(self, rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Return the `count` smallest distances of each row in no order, shape (n, count)."""
        distances = self._comparable(rows)
        if count == 1:
            return self._finish(distances.min(axis=1, keepdims=True))
        if count < distances.shape[1]:
            distances = np.partition(distances, count - 1, axis=1)[:, :count]
        return self._finish(distances)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return distances, shape (n, m), of rows of shape (n, d)."""
        return self._finish(self._comparable(rows))

    def _comparable(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numbers in the order of the distances, before the root is taken of those that are needed."""
        if not self._cosine:
            return self._squared(rows)
        distances = self._squared(directions(rows))
        distances *= 0.5
        distances += 0.5 * np.logical_not(rows.any(axis=1))[:, None] + self._orthogonal
        return distances

    def _finish(self, comparable: NDArray[np.float64]) -> NDArray[np.float64]:
        return comparable if self._cosine else np.sqrt(comparable)


def directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of shape (n, d) at length 1; rows of zeros stay zeros."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return rows / np.where(lengths == 0.0, 1.0, lengths)
