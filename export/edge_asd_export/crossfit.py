"""Scores of normal sound that the judging graph was not fitted to.

A graph scores what it was fitted to too low: a threshold taken from such scores gives many times the false alarms it
promises. So the stretches are cut into folds, and each is scored by a graph fitted to the others. Folds are contiguous
because neighbouring recordings of one session are alike, and a random split would flatter. Of several machines each has
its share of every fold: a graph knows no machine that it has never heard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.calibration.calibrate import NormalScores, PartScores, in_a_row
from edge_asd.errors import InputError
from edge_asd.liveness import Span, read_spans
from edge_asd.pipeline import Judge, Rows
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.sections import judging, sectioned_detectors
from edge_asd_export.fit import Embedders, Fitted, fit, judge
from edge_asd_export.material import Stretch
from edge_asd_export.progress import Advance
from edge_asd_export.sections import judged_among

FEWEST_STRETCHES = 5
"""Least number of stretches of normal sound that a recipe is fitted to."""


class Fold(NamedTuple):
    """Stretches that one graph is not fitted to."""

    indices: list[int]
    """Where they stand among all, ascending."""

    def held_out(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        """Return the stretches of this fold."""
        return [stretches[index] for index in self.indices]

    def others(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        """Return the stretches of all other folds."""
        left_out = set(self.indices)
        return [stretch for index, stretch in enumerate(stretches) if index not in left_out]


def folds_of(stretches: Sequence[Stretch], folds: int) -> list[Fold]:
    """Cut stretches into folds: contiguous within each section, as equal in size as can be, none empty."""
    order = _by_place_in_section([stretch.section for stretch in stretches])
    edges = np.linspace(0, len(order), min(folds, len(order)) + 1).round().astype(int)
    return [Fold(sorted(order[start:end])) for start, end in pairwise(edges.tolist())]


def _by_place_in_section(sections: Sequence[str]) -> list[int]:
    """Sort indices by how far into its own section each stands, so that a cut of the order cuts all sections alike."""
    sizes, before = Counter(sections), Counter[str]()
    places: list[float] = []
    for section in sections:
        places.append((before[section] + 0.5) / sizes[section])
        before[section] += 1
    return sorted(range(len(sections)), key=places.__getitem__)


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

    Returns
    -------
    NormalScores
        Of the stretches such as a device will judge, in their order.

    Raises
    ------
    InputError
        When the stretches suffice for a fit, but not without those of one fold.
    """
    final = _stacked(part_scores(recipe, fitted, stretches))
    folds = _judging_folds(recipe, stretches)
    told_apart = any(sectioned_detectors(recipe))
    scores: list[PartScores] = []
    told: list[PartScores] = []
    runs: list[PartScores] = []
    for fold, scored in folds:
        others, held_out = fold.others(stretches), scored.held_out(stretches)
        graph = _fit_without_a_fold(recipe, others, seed, advance)
        graph = Fitted({**fitted.networks, **graph.networks}, graph.arrays)
        seen = _stacked(part_scores(recipe, graph, others))
        wanted = {part: np.delete(values, fold.indices) for part, values in final.items()}
        alignment = {part: Alignment.between(seen[part], wanted[part]) for part in _trained_parts(recipe)}
        scores.append(_aligned(_stacked(part_scores(recipe, graph, held_out)), alignment))
        told.append(_aligned(_told_scores(recipe, graph, held_out), alignment) if told_apart else scores[-1])
        runs += [_aligned(run, alignment) for run in decision_scores(recipe, graph, held_out)]
    lengths = np.array([len(next(iter(run.values()))) for run in runs], np.intp)
    in_order = np.argsort([index for _, scored in folds for index in scored.indices])
    of_stretches, of_told = (
        {part: values[in_order] for part, values in in_a_row(each).items()} for each in (scores, told)
    )
    return NormalScores(of_stretches, in_a_row(runs), lengths, of_told)


def _judging_folds(recipe: Recipe, stretches: Sequence[Stretch]) -> list[tuple[Fold, Fold]]:
    """Return each fold, and what of it is scored; one of which nothing is scored needs no graph."""
    judged = set(judged_among(recipe, stretches))
    folds = [(fold, Fold(sorted(judged.intersection(fold.indices)))) for fold in folds_of(stretches, recipe.folds)]
    return [(fold, scored) for fold, scored in folds if scored.indices]


def _fit_without_a_fold(recipe: Recipe, others: Sequence[Stretch], seed: int, advance: Advance) -> Fitted:
    try:
        return fit(recipe, others, seed=seed, advance=advance)
    except InputError as error:
        where = f"{error.where} (without one fold of {recipe.folds})"
        raise InputError(where, expected=error.expected, found=error.found, remedy=error.remedy) from error


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


def _told_scores(recipe: Recipe, fitted: Fitted, stretches: Sequence[Stretch]) -> PartScores:
    """Return each part's score of every stretch by a device that is told which section it is of."""
    rows: dict[int, dict[str, float]] = {}
    for section in {stretch.section for stretch in stretches}:
        members = [index for index, stretch in enumerate(stretches) if stretch.section == section]
        rows |= zip(
            members, part_scores(judging(recipe, section), fitted, [stretches[index] for index in members]), strict=True
        )
    return _stacked([rows[index] for index in range(len(stretches))])


def decision_scores(recipe: Recipe, fitted: Fitted, stretches: Sequence[Stretch]) -> Iterator[PartScores]:
    """Score the sound of stretches as a device would that hears it, and give each unbroken run of decisions."""
    rows = Rows(recipe, fitted.networks, where=recipe.name)
    judged = Judge(recipe, fitted.arrays, where=recipe.name)
    for recording, of_recording in groupby(stretches, key=attrgetter("recording")):
        for _, blocks in read_spans(recording, recipe, _runs(of_recording, recipe.horizon_samples)):
            yield _stacked([judged.part_scores(judged.features(row_set)) for _, row_set in rows.of_recording(blocks)])


def _runs(stretches: Iterable[Stretch], length: int) -> list[Span]:
    """Join a recording's stretches that follow one another without a gap."""
    runs: list[Span] = []
    for stretch in stretches:
        start = runs.pop().start if runs and runs[-1].stop == stretch.start else stretch.start
        runs.append(Span(start, stretch.start + length))
    return runs


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
