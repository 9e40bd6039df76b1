"""Fits a fusion: its detectors, and what their scores are on rows that they were not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.detector import build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import FusionSettings, SingleDetectorSettings, member_prefixes
from edge_asd_export.fitting.requirements import require_rows

Arrays = dict[str, NDArray[np.generic]]
Fit = Callable[[SingleDetectorSettings, NDArray[np.float64], Sequence[str], int, str], Arrays]


def fit_fusion(
    settings: FusionSettings, rows: NDArray[np.float64], sections: Sequence[str], seed: int, where: str, fit: Fit
) -> Arrays:
    """Fit each detector to all rows, shape (n, d), and standardize its scores on held-out ones."""
    require_rows(rows, 2 * settings.folds, f"{settings.folds} folds", "ask for fewer folds", where)
    arrays: Arrays = {}
    scores = []
    for prefix, member in member_prefixes(settings):
        inner = f"{where}: {prefix.rstrip('_')}"
        arrays |= {f"{prefix}{name}": array for name, array in fit(member, rows, sections, seed, inner).items()}
        scores.append(_held_out_scores(member, rows, sections, settings.folds, seed=seed, where=inner, fit=fit))
    means, scales = np.mean(scores, axis=1), np.std(scores, axis=1)
    _check_scales(scales, where)
    return arrays | {"means": means, "scales": scales}


def _held_out_scores(
    settings: SingleDetectorSettings,
    rows: NDArray[np.float64],
    sections: Sequence[str],
    folds: int,
    *,
    seed: int,
    where: str,
    fit: Fit,
) -> NDArray[np.float64]:
    """Score each contiguous fold with a detector fitted to the others, shape (n,)."""
    scores = []
    for held_out in np.array_split(np.arange(len(rows)), folds):
        others = np.delete(np.arange(len(rows)), held_out).tolist()
        inner = f"{where} (without one fold of {folds})"
        arrays = fit(settings, rows[others], [sections[index] for index in others], seed, inner)
        scores.append(build_detector(settings, arrays, where).score(rows[held_out]))
    return np.concatenate(scores)


def _check_scales(scales: NDArray[np.float64], where: str) -> None:
    for index in np.flatnonzero(scales == 0.0):
        raise InputError(
            f"{where}.detectors[{index}]",
            expected="scores that vary over normal rows",
            found="one and the same score",
            remedy="leave this detector out, or look for copies among the recordings",
        )
