"""Scores of normal sound that the judging graph was not fitted to.

A graph scores what it was fitted to too low: a threshold taken from such scores gives many times the false alarms it
promises. So the stretches are cut into contiguous folds, and each is scored by a graph fitted to the others. Folds are
contiguous because neighbouring recordings of one session are alike, and a random split would flatter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import read_recording
from edge_asd.calibration import NormalScores, PartScores
from edge_asd.errors import InputError
from edge_asd.pipeline import Judge, Rows
from edge_asd.recipe.graph import Recipe
from edge_asd_export.fit import Embedders, Fitted, fit, judge
from edge_asd_export.material import Stretch
from edge_asd_export.progress import Advance

FEWEST_STRETCHES = 5
"""Least number of stretches of normal sound that a recipe is fitted to."""


def fold_bounds(count: int, folds: int) -> list[tuple[int, int]]:
    """Return first and past-the-last index of each fold: contiguous, as equal in size as can be, none empty."""
    edges = np.linspace(0, count, min(folds, count) + 1).round().astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def cross_fit(
    recipe: Recipe, stretches: Sequence[Stretch], fitted: Fitted, *, seed: int, advance: Advance
) -> NormalScores:
    """Score normal sound with graphs that were fitted without it.

    Nets that are trained come out a little different every time, so that the scores of one are a little higher or wider
    than those of another. So the scores of each fold's graph are brought to those of the final one: by the linear map
    that takes median and upper decile of the one's scores, on the stretches that both were fitted to, to the other's,
    where that widens them.

    Parameters
    ----------
    recipe
        What to fit.
    stretches
        Normal sound.
    fitted
        The graph that was fitted to all stretches, which the scores are to stand for.

    """
    final = _stacked(part_scores(recipe, fitted, stretches))
    folds = fold_bounds(len(stretches), recipe.folds)
    scores: list[PartScores] = []
    runs: list[PartScores] = []
    for start, end in folds:
        others = [*stretches[:start], *stretches[end:]]
        graph = fit(recipe, others, seed=seed, advance=advance)
        graph = Fitted({**fitted.networks, **graph.networks}, graph.arrays)
        seen = _stacked(part_scores(recipe, graph, others))
        wanted = {part: np.delete(values, np.s_[start:end]) for part, values in final.items()}
        alignment = {part: Alignment.between(seen[part], wanted[part]) for part in _trained_parts(recipe)}
        scores.append(_aligned(_stacked(part_scores(recipe, graph, stretches[start:end])), alignment))
        runs += [_aligned(run, alignment) for run in decision_scores(recipe, graph, stretches[start:end])]
    lengths = np.array([len(next(iter(run.values()))) for run in runs], np.intp)
    return NormalScores(_joined(scores), _joined(runs), lengths)


def require_enough(recipe: Recipe, stretches: Sequence[Stretch]) -> None:
    """Refuse to fit a recipe to fewer stretches than `FEWEST_STRETCHES`.

    Raises
    ------
    InputError
        When there are fewer.
    """
    if len(stretches) < FEWEST_STRETCHES:
        raise InputError(
            recipe.name,
            expected=f"at least {FEWEST_STRETCHES} stretches of {recipe.horizon.seconds:g} s of normal sound",
            found=f"{len(stretches)}",
            remedy="record more; about 40 make a threshold that can be relied on",
        )


def part_scores(recipe: Recipe, fitted: Fitted, stretches: Sequence[Stretch]) -> list[dict[str, float]]:
    """Return each part's own score of every stretch, as a fitted graph gives it on the device."""
    embedders = Embedders(recipe, fitted.networks)
    return judge(recipe, fitted.arrays, [embedders.rows(stretch.rows) for stretch in stretches])


def decision_scores(recipe: Recipe, fitted: Fitted, stretches: Sequence[Stretch]) -> Iterator[PartScores]:
    """Score the sound of stretches as a device would that hears it, and give each unbroken run of decisions."""
    rows = Rows(recipe, fitted.networks, where=recipe.name)
    judged = Judge(recipe, fitted.arrays, where=recipe.name)
    for path, of_recording in groupby(stretches, key=lambda stretch: stretch.recording):
        starts = [stretch.start for stretch in of_recording]
        recording = read_recording(path, channel=recipe.channel, sample_rate=recipe.sample_rate)
        samples = recording.samples[starts[0] : starts[-1] + recipe.horizon_samples]
        rows.reset()
        yield _stacked([judged.part_scores(judged.features(row_set)) for _, row_set in rows.process(samples)])


class Alignment(NamedTuple):
    """A linear map of one graph's scores to another's: y = centre + (x − origin) · factor."""

    origin: float
    centre: float
    factor: float

    @classmethod
    def between(cls, scores: NDArray[np.float64], wanted: NDArray[np.float64]) -> Alignment:
        """Find it of both graphs' scores of the same stretches, shape (n,) each; it never makes scores narrower.

        The spread of a few stretches is known so badly that narrowing by it would let many false alarms through.
        """
        (origin, spread), (centre, wanted_spread) = _median_and_spread(scores), _median_and_spread(wanted)
        return cls(origin, centre, max(1.0, wanted_spread / spread) if spread > 0 and wanted_spread > 0 else 1.0)

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map scores, shape (n,)."""
        return self.centre + (scores - self.origin) * self.factor


def _median_and_spread(scores: NDArray[np.float64]) -> tuple[float, float]:
    median = float(np.median(scores))
    upper = np.sort(scores)[-max(1, len(scores) // 10) :]
    return median, float(np.mean(upper)) - median


def _trained_parts(recipe: Recipe) -> list[str]:
    trained = set(recipe.trained_branches)
    return [name for name, part in recipe.enabled_parts.items() if trained.intersection(part.branches)]


def _aligned(scores: PartScores, alignment: dict[str, Alignment]) -> PartScores:
    return {part: alignment[part].apply(values) if part in alignment else values for part, values in scores.items()}


def _stacked(rows: Sequence[dict[str, float]]) -> PartScores:
    return {part: np.array([row[part] for row in rows]) for part in rows[0]}


def _joined(pieces: Sequence[PartScores]) -> PartScores:
    return {part: np.concatenate([piece[part] for piece in pieces]) for part in pieces[0]}
