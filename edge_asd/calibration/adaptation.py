"""Brings a fitted graph to the place where it listens now: its scaler, and the means of its Gaussians.

Another microphone, gain or hall moves what normal sound looks like. Maximum a posteriori adaptation moves each mean
towards that of the new rows by n / (n + r) of the way, with n rows behind it and a relevance r that holds it where
there are few (Reynolds, Quatieri & Dunn, "Speaker verification using adapted Gaussian mixture models", 2000, equations
11 to 14). Covariances and weights stay as they were learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.bundle import arrays_under
from edge_asd.detector.mixture import build_mixture
from edge_asd.pipeline import Judge, side_by_side
from edge_asd.recipe.detectors import BayesianGmmSettings, GmmSettings, MahalanobisSettings
from edge_asd.recipe.graph import Recipe

RELEVANCE = 16.0
"""r: so many new rows move a mean half of the way; 8 to 20 make little difference (Reynolds et al.)."""

Arrays = Mapping[str, NDArray[np.generic]]
Pooled = Mapping[str, NDArray[np.float64]]
"""The pooled rows of a horizon by branch, shape (n, d) each."""


def adaptable(recipe: Recipe, arrays: Arrays) -> list[str]:
    """Return what can be adapted: the branches with a scaler, and the parts with Gaussians."""
    branches = [name for name in recipe.used_branches if f"branches/{name}/transform/scale" in arrays]
    parts = [
        name
        for name, part in recipe.enabled_parts.items()
        if isinstance(part.detector, GmmSettings | BayesianGmmSettings | MahalanobisSettings)
    ]
    return [*(f"branches.{name}" for name in branches), *(f"parts.{name}" for name in parts)]


def adapt(recipe: Recipe, arrays: Arrays, horizons: Sequence[Pooled]) -> dict[str, NDArray[np.generic]]:
    """Adapt a graph to normal sound.

    Parameters
    ----------
    recipe
        What was fitted.
    arrays
        The fitted arrays.
    horizons
        Pooled rows of the new normal sound, side by side.

    Returns
    -------
    dict
        All arrays, those of :func:`adaptable` adapted.
    """
    changed: dict[str, NDArray[np.generic]] = dict(arrays)
    for name in recipe.used_branches:
        prefix = f"branches/{name}/transform"
        if f"{prefix}/scale" in arrays:
            rows = np.concatenate([horizon[name] for horizon in horizons])
            changed |= _scaler(arrays_under(arrays, prefix), rows, prefix)
    judge = Judge(recipe, changed, where=recipe.name)
    features = [judge.transform(horizon) for horizon in horizons]
    for name, part in recipe.enabled_parts.items():
        rows = np.concatenate([side_by_side(part, values) for values in features])
        prefix = f"parts/{name}/detector"
        if isinstance(part.detector, MahalanobisSettings):
            mean = np.asarray(arrays[f"{prefix}/mean"], np.float64)
            changed[f"{prefix}/mean"] = moved(mean, rows.mean(axis=0), len(rows))
        elif isinstance(part.detector, GmmSettings | BayesianGmmSettings):
            changed[f"{prefix}/means"] = _mixture_means(part.detector, arrays_under(arrays, prefix), rows, prefix)
    return changed


def moved(
    mean: NDArray[np.float64], found: NDArray[np.float64], rows: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move means towards those found in so many rows (equation 14, with α = n / (n + r))."""
    return np.asarray(mean + (found - mean) * (rows / (rows + RELEVANCE)))


def _scaler(transform: Arrays, rows: NDArray[np.float64], prefix: str) -> dict[str, NDArray[np.generic]]:
    """Adapt mean and standard deviation; a feature that never changes keeps its scale.

    Equation 13 there, with every moment taken about the new mean: about 0 the digits of a small spread would cancel.
    """
    mean, scale = (np.asarray(transform[name], np.float64) for name in ("mean", "scale"))
    found, variance = rows.mean(axis=0), rows.var(axis=0)
    share = len(rows) / (len(rows) + RELEVANCE)
    adapted = moved(mean, found, len(rows))
    now, before = variance + (found - adapted) ** 2, scale**2 + (mean - adapted) ** 2
    spread = np.sqrt(share * now + (1.0 - share) * before)
    return {f"{prefix}/mean": adapted, f"{prefix}/scale": np.where(spread > 1e-6 * scale, spread, scale)}


def _mixture_means(
    settings: GmmSettings | BayesianGmmSettings, detector: Arrays, rows: NDArray[np.float64], prefix: str
) -> NDArray[np.float64]:
    terms = build_mixture(settings, ArrayReader(detector, prefix)).log_terms(rows)
    responsibilities = np.exp(terms - terms.max(axis=1, keepdims=True))
    responsibilities /= responsibilities.sum(axis=1, keepdims=True)
    counts = responsibilities.sum(axis=0)[:, None]
    found = responsibilities.T @ rows / np.maximum(counts, np.finfo(np.float64).tiny)
    return moved(np.asarray(detector["means"], np.float64), found, counts)
