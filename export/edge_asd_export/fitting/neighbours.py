"""Fits memory banks: chooses the rows to keep, and measures how dense they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.detector.distances import BankDistances, directions
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import DensityKnnSettings, KnnSettings
from edge_asd_export.fitting.requirements import listed, require_rows

_LEAST_SPACING = 1e-9
"""Distance to the neighbours, relative to the usual one, at which rows count as copies of one another."""
_REMEDY = "ask for a smaller k, or record more normal sound"


def fit_knn(settings: KnnSettings, rows: NDArray[np.float64], where: str) -> dict[str, NDArray[np.generic]]:
    """Choose the bank of rows of shape (n, d)."""
    bank = _bank(settings, rows)
    require_rows(bank, settings.k, f"k={settings.k} in the bank", _REMEDY, where)
    return {"bank": bank}


def fit_density_knn(
    settings: DensityKnnSettings, rows: NDArray[np.float64], where: str
) -> dict[str, NDArray[np.generic]]:
    """Choose the bank of rows of shape (n, d), and measure the mean distance of each to its k nearest others."""
    bank = _bank(settings, rows)
    require_rows(bank, settings.k + 1, f"k={settings.k} neighbours of each row of the bank", _REMEDY, where)
    spacings = _spacings(settings, bank)
    crowded = np.flatnonzero(spacings <= _LEAST_SPACING * np.median(spacings))
    if len(crowded):
        raise InputError(
            where,
            expected=f"rows that differ from some of their k={settings.k} nearest",
            found=f"{len(crowded)} that do not: {listed(crowded)} of the bank",
            remedy="leave out recordings that are copies of others",
        )
    return {"bank": bank, "spacings": spacings}


def coreset(rows: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Choose rows that cover all: each is the one farthest from those chosen before (greedy k-centre).

    The farthest row of all is then at most twice as far from the chosen ones as the best choice could make it
    (Gonzalez 1985; as the memory bank of PatchCore, Roth et al., CVPR 2022). The first is the one nearest to the mean.

    Parameters
    ----------
    rows
        Shape (n, d).
    size
        Most rows to choose.

    Returns
    -------
    ndarray of int
        Indices in rising order, without copies of a chosen row.
    """
    chosen = int(np.argmin(_squared_distances(rows, rows.mean(axis=0))))
    indices = [chosen]
    nearest = _squared_distances(rows, rows[chosen])
    while len(indices) < size:
        chosen = int(np.argmax(nearest))
        if nearest[chosen] == 0.0:
            break
        indices.append(chosen)
        np.minimum(nearest, _squared_distances(rows, rows[chosen]), out=nearest)
    return np.sort(np.array(indices, np.intp))


def _bank(settings: KnnSettings | DensityKnnSettings, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    if settings.bank is None or settings.bank >= len(rows):
        return rows
    return rows[coreset(directions(rows) if settings.metric == "cosine" else rows, settings.bank)]


def _squared_distances(rows: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    differences = rows - point
    return np.asarray(np.einsum("nd,nd->n", differences, differences))


def _spacings(settings: DensityKnnSettings, bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean distance of each row of the bank to its k nearest others, shape (m,)."""
    distances = BankDistances(bank, settings.metric)
    return np.concatenate([_nearest_others(distances(bank[i : i + 1]), i, settings.k) for i in range(len(bank))])


def _nearest_others(distances: NDArray[np.float64], own: int, count: int) -> NDArray[np.float64]:
    others = np.delete(distances, own, axis=1)
    return np.asarray(np.partition(others, count - 1, axis=1)[:, :count].mean(axis=1))
