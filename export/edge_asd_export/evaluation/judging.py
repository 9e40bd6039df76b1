"""Scores of test recordings: by the bundle as the device judges them, and by the float reference beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import read_recording
from edge_asd.bundle import Bundle
from edge_asd.pipeline import Joiner, Rows
from edge_asd.recipe.graph import Recipe
from edge_asd.scoring import Scorer
from edge_asd_export.cost import Ledger
from edge_asd_export.crossfit import part_scores
from edge_asd_export.fit import Fitted, fit
from edge_asd_export.labels import Labelled
from edge_asd_export.material import Stretch, gather
from edge_asd_export.pretrained import GivenWeights, store_pretrained
from edge_asd_export.progress import SILENT, Advance

_AT_ONCE = 16
"""Recordings whose patches are held in memory at a time."""


class DeviceJudge:
    """Judges recordings with a bundle: the daemon's own pipeline, the quantized nets, the worst horizon counts."""

    def __init__(self, bundle: Bundle) -> None:
        self._scorer = Scorer(bundle)

    def score(self, path: Path) -> float:
        """Return a recording's score; errors as of `Scorer.score`."""
        return self._scorer.score(path).score


def reference_scores(
    bundle: Bundle, train: Sequence[Path], test: Sequence[Path], *, weights: GivenWeights, seed: int
) -> dict[Path, float]:
    """Score recordings by the bundle's recipe in float32, a whole recording at a time instead of as a stream.

    Where a net of the bundle is quantized, everything is fitted once more to what the net gives in float32, with the
    same seed and `weights`; else the bundle's own arrays judge. The calibrated tails are the bundle's in both cases.
    """
    recipe = bundle.recipe.quantized("float32")
    fitted = Fitted(bundle.networks, bundle.arrays)
    if recipe != bundle.recipe:
        fitted = _fit_in_float32(recipe, train, weights, seed)
    joiner = Joiner(recipe, bundle.arrays, where=bundle.where)
    scores: dict[Path, float] = {}
    for path, values in _part_scores(recipe, fitted, test):
        scores[path] = max(scores.get(path, -np.inf), joiner.score(values, 0).value)
    return scores


def _fit_in_float32(recipe: Recipe, train: Sequence[Path], weights: GivenWeights, seed: int) -> Fitted:
    labelled = Labelled(list(train), [], [])
    pretrained = store_pretrained(
        recipe, labelled, weights, ledger=Ledger(None, SILENT.say), seed=seed, reporter=SILENT
    )
    stretches = gather(train, recipe, networks=pretrained.networks).stretches
    fitted = fit(recipe, stretches, seed=seed, advance=Advance(None, None))
    return Fitted({**pretrained.networks, **fitted.networks}, fitted.arrays)


def _part_scores(recipe: Recipe, fitted: Fitted, paths: Sequence[Path]) -> Iterator[tuple[Path, dict[str, float]]]:
    for start in range(0, len(paths), _AT_ONCE):
        stretches = list(_stretches(recipe, fitted, paths[start : start + _AT_ONCE]))
        for stretch, values in zip(stretches, part_scores(recipe, fitted, stretches), strict=True):
            yield stretch.recording, values


def _stretches(recipe: Recipe, fitted: Fitted, paths: Sequence[Path]) -> Iterator[Stretch]:
    """Cut recordings into the horizons that the device decides on, each still without what trained nets make of it."""
    untrained = recipe.without_models(except_for=recipe.pretrained_branches)
    rows = Rows(untrained, fitted.networks, where=recipe.name)
    for path in paths:
        rows.reset()
        samples = read_recording(path, channel=recipe.channel, sample_rate=recipe.sample_rate).samples
        for end, row_set in rows.process(samples):
            yield Stretch(path, end - recipe.horizon_samples, {name: np.array(each) for name, each in row_set.items()})


def deviation(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Return the largest difference of scores, shape (n,), from their reference, relative to the latter's range."""
    span = float(np.ptp(reference))
    return float(np.abs(scores - reference).max(initial=0.0)) / span if span > 0 else 0.0
