"""Distances to the nearest rows of a memory bank, plain and relative to the local density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.detector.distances import BankDistances
from edge_asd.detector.numerics import in_chunks
from edge_asd.recipe.detectors import DensityKnnSettings, KnnSettings


class NearestNeighbours:
    """Mean of the distances to the k nearest rows of the bank, or the k-th distance.

    Parameters
    ----------
    settings
        Metric, k, and what is made of the k distances.
    bank
        Shape (m, d), m ≥ k.
    """

    def __init__(self, settings: KnnSettings, bank: NDArray[np.float64]) -> None:
        self.n_features = bank.shape[1]
        self._size = len(bank)
        self._settings = settings
        self._distances = BankDistances(bank, settings.metric)

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        return in_chunks(rows, self._size, self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = self._distances.nearest(rows, self._settings.k)
        return np.asarray(nearest.mean(axis=1) if self._settings.statistic == "mean" else nearest.max(axis=1))


class DensityNeighbours:
    """Smallest distance to a row of the bank in units of how far that row's own neighbours are.

    min over r of d(x, r) / (mean distance of r to its k nearest in the bank): Wilkinghoff et al., "Local density-based
    anomaly score normalization for domain generalization", 2025.

    Parameters
    ----------
    settings
        Metric.
    bank
        Shape (m, d).
    spacings
        Mean distance of each row of the bank to its k nearest, shape (m,), above 0.
    """

    def __init__(self, settings: DensityKnnSettings, bank: NDArray[np.float64], spacings: NDArray[np.float64]) -> None:
        self.n_features = bank.shape[1]
        self._spacings = spacings
        self._distances = BankDistances(bank, settings.metric)

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        return in_chunks(rows, len(self._spacings), self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        relative = self._distances(rows)
        relative /= self._spacings
        return np.asarray(relative.min(axis=1))


def build_neighbours(settings: KnnSettings, reader: ArrayReader) -> NearestNeighbours:
    """Make it of a `bank` (m, d)."""
    bank = reader.floats("bank", "m", "d")
    if len(bank) < settings.k:
        raise reader.error("bank", expected=f"at least k={settings.k} rows", found=str(len(bank)))
    return NearestNeighbours(settings, bank)


def build_density_neighbours(settings: DensityKnnSettings, reader: ArrayReader) -> DensityNeighbours:
    """Make it of a `bank` (m, d) and its `spacings` (m,)."""
    return DensityNeighbours(settings, reader.floats("bank", "m", "d"), reader.positive("spacings", "m"))
