"""Thresholds that no sound reaches: some detectors' scores end somewhere, and a tail that is extended does not."""

from __future__ import annotations

import numpy as np

from edge_asd.bundle import Bundle, arrays_under
from edge_asd.pipeline import Joiner, Judge, RowSet

_FAR = 1e3
"""What rows are multiplied by to be unlike any that sound gives: their mean, spread and direction change with them."""


def reach_notes(bundle: Bundle) -> list[str]:
    """Return a note where rows far from all normal ones score less than the threshold; none where they do not."""
    golden = arrays_under(bundle.arrays, "golden/rows")
    with np.errstate(all="ignore"):
        reached = [
            _score(bundle, {name: np.asarray(rows, np.float32) * np.float32(factor) for name, rows in golden.items()})
            for factor in (_FAR, -_FAR)
        ]
    highest, threshold = max(reached), bundle.manifest.calibration.threshold
    if not highest < threshold:
        return []
    found = f"even rows a thousand times as large score {highest:.4g}, below the threshold of {threshold:.4g}"
    return [f"deaf: {found}; choose a detector whose scores have no end, or threshold.rule quantile"]


def _score(bundle: Bundle, rows: RowSet) -> float:
    judge = Judge(bundle.recipe, bundle.arrays, where=bundle.where)
    joiner = Joiner(bundle.recipe, bundle.arrays, where=bundle.where)
    return joiner.score(judge.part_scores(judge.features(rows)), 0).value
