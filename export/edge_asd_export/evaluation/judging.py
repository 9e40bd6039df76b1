"""Scores of test recordings: by the bundle as the device judges them, and by the float reference beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_asd.bundle import Bundle
from edge_asd.liveness import find_live, require_any_live
from edge_asd.pipeline import Joiner, Judge
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.sections import judging
from edge_asd_export.cost import Ledger
from edge_asd_export.crossfit import part_scores
from edge_asd_export.fit import Fitted, fit
from edge_asd_export.labels import Labelled
from edge_asd_export.material import Stretch, cut, gather, live_rows
from edge_asd_export.memory import Memory, rows_of
from edge_asd_export.pretrained import GivenWeights, store_pretrained
from edge_asd_export.progress import SILENT, Advance

_AT_ONCE = 16
"""Recordings whose patches are held in memory at a time."""


class DeviceJudge:
    """Judges recordings with a bundle as the daemon does: its pipeline, its quantized nets; the worst horizon counts.

    The pipeline's three stages are called one by one, since the first, from sound to rows, is what a memory spares. A
    data set's recordings say of which section they are, and a bundle that tells sections apart is told.
    """

    def __init__(self, bundle: Bundle, memory: Memory, section: str = "") -> None:
        self._recipe = recipe = judging(bundle.recipe, section)
        self._rows = rows_of(recipe, bundle.networks, memory)
        self._judge = Judge(recipe, bundle.arrays, where=bundle.where)
        self._joiner = Joiner(recipe, bundle.arrays, where=bundle.where)

    def score(self, path: Path) -> float:
        """Return a recording's score, that of `edge_asd.scoring.Scorer`; an InputError where it cannot be judged."""
        live = find_live(path, self._recipe)
        require_any_live(self._recipe, {path: live})
        return max(
            self._joiner.score(self._judge.part_scores(self._judge.features(rows)), end).value
            for end, rows in live_rows(path, live, self._rows, self._recipe)
        )


class Reference:
    """Judges recordings by a bundle's recipe in float32, a whole recording at a time instead of as a stream.

    Where a net of the bundle is quantized, everything is fitted once more to what the net gives in float32, with the
    same seed and `weights`; else the bundle's own arrays judge. The calibrated tails are the bundle's in both cases.
    """

    def __init__(self, bundle: Bundle, labelled: Labelled, *, weights: GivenWeights, seed: int, memory: Memory) -> None:
        self._recipe, self._memory = bundle.recipe.quantized("float32"), memory
        self._fitted = Fitted(bundle.networks, bundle.arrays)
        if self._recipe != bundle.recipe:
            self._fitted = _fit_in_float32(self._recipe, labelled, weights, seed, memory)
        self._joiner = Joiner(self._recipe, bundle.arrays, where=bundle.where)

    def scores(self, paths: Sequence[Path], section: str = "") -> dict[Path, float]:
        """Return the score of each recording that holds a horizon of live signal, all of them of one section."""
        scores: dict[Path, float] = {}
        for path, values in _part_scores(judging(self._recipe, section), self._fitted, paths, self._memory):
            scores[path] = max(scores.get(path, -np.inf), self._joiner.score(values, 0).value)
        return scores


def _fit_in_float32(recipe: Recipe, labelled: Labelled, weights: GivenWeights, seed: int, memory: Memory) -> Fitted:
    pretrained = store_pretrained(
        recipe, labelled, weights, ledger=Ledger(None, SILENT.say), seed=seed, reporter=SILENT, memory=memory
    )
    stretches = gather(labelled.training, recipe, networks=pretrained.networks, memory=memory).stretches
    fitted = fit(recipe, stretches, seed=seed, advance=Advance(None, None))
    return Fitted({**pretrained.networks, **fitted.networks}, fitted.arrays)


def _part_scores(
    recipe: Recipe, fitted: Fitted, paths: Sequence[Path], memory: Memory
) -> Iterator[tuple[Path, dict[str, float]]]:
    for start in range(0, len(paths), _AT_ONCE):
        stretches = list(_stretches(recipe, fitted, paths[start : start + _AT_ONCE], memory))
        for stretch, values in zip(stretches, part_scores(recipe, fitted, stretches), strict=True):
            yield stretch.recording, values


def _stretches(recipe: Recipe, fitted: Fitted, paths: Sequence[Path], memory: Memory) -> Iterator[Stretch]:
    """Cut recordings into the horizons that the device judges, each still without what trained nets make of it."""
    untrained = recipe.without_models(except_for=recipe.pretrained_branches)
    rows = rows_of(untrained, fitted.networks, memory)
    for path in paths:
        yield from cut(path, find_live(path, recipe), rows, recipe)


def deviation(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Return the largest difference of scores, shape (n,), from their reference, relative to the latter's range.

    Where all of the reference is alike it is relative to that one value's magnitude, or absolute where that is 0.
    """
    if not reference.size:
        return 0.0
    scale = float(np.ptp(reference)) or float(np.abs(reference).max()) or 1.0
    return float(np.abs(scores - reference).max()) / scale
