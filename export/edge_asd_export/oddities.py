"""Training recordings that do not sound like the rest: what is fitted to them grows deaf to their like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.pipeline import RowSet
from edge_asd.recipe.graph import Recipe
from edge_asd_export.fitting import outliers
from edge_asd_export.fitting.requirements import listed
from edge_asd_export.material import Stretch

_FEWEST = 8
"""Recordings below which none can be told from the rest."""


def odd_recordings(recipe: Recipe, stretches: Sequence[Stretch]) -> list[str]:
    """Return a note that lists recordings unlike the others, the most unlike first; no note where there are none.

    A recording is what its branches' rows are on average; see `edge_asd_export.fitting.suspicions.outliers`.
    """
    branches = [name for name, branch in recipe.used_branches.items() if name not in recipe.trained_branches]
    of_recording: dict[str, list[RowSet]] = {}
    for stretch in stretches:
        of_recording.setdefault(str(stretch.recording), []).append(stretch.rows)
    if len(of_recording) < _FEWEST or not branches:
        return []
    paths = list(of_recording)
    rows = np.stack([_average(of_recording[path], branches) for path in paths])
    found = [f"{paths[outlier.row]} ({outlier.score:.0f} times the usual spread)" for outlier in outliers(rows)]
    return [f"unlike the other recordings, listen to them: {listed(found)}"] if found else []


def _average(row_sets: Sequence[RowSet], branches: Sequence[str]) -> NDArray[np.float64]:
    means = [np.mean([rows[name].mean(axis=0, dtype=np.float64) for rows in row_sets], axis=0) for name in branches]
    return np.concatenate(means)
