"""Recordings that were given as normal and may be none: each is held against what the others say is normal.

A single faulty recording among a few sets tails and threshold by itself, and so never reaches them. It does where they
are set without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.calibration.calibrate import NormalScores, PartScores, calibrate, in_a_row, join_all
from edge_asd.errors import InputError
from edge_asd.pipeline import Joiner
from edge_asd.recipe.graph import Recipe

_MOST_TRIED = 8
"""Recordings that are left out by turns: each time a threshold is set anew, on a small board."""


class StandingOut(NamedTuple):
    """What a recording is by the word of the others."""

    score: float
    """Largest score of its decisions, by tails of the others."""
    threshold: float
    """Threshold of the others."""


def standing_out(
    recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], runs: Sequence[PartScores], step: int
) -> dict[int, StandingOut]:
    """Return the recordings that reach the threshold which is set without them, by their place among all.

    Parameters
    ----------
    recipe
        Says how scores are joined, and which rule sets the threshold.
    arrays
        The bundle's, for all but the tails.
    runs
        Each part's own scores of every decision, by recording.
    step
        Decisions between two horizons that share no sound.
    """
    found: dict[int, StandingOut] = {}
    if len(runs) < 2:
        return found
    tried: set[int] = set()
    for order in _loudest_first(runs):
        for index in order:
            if index not in tried and len(tried) < _MOST_TRIED:
                tried.add(index)
                against = _against_others(recipe, arrays, runs, index, step)
                if against is not None and against.score >= against.threshold:
                    found[index] = against
            # What scores less in this part than one that does not stand out, does not either.
            if index not in found:
                break
    return found


def _loudest_first(runs: Sequence[PartScores]) -> Iterator[list[int]]:
    """Give the recordings in the falling order of their largest score, for one part after another."""
    for part in runs[0]:
        yield sorted(range(len(runs)), key=lambda index: -float(runs[index][part].max()))


def _against_others(
    recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], runs: Sequence[PartScores], index: int, step: int
) -> StandingOut | None:
    others = [run for place, run in enumerate(runs) if place != index]
    try:
        calibrated = calibrate(recipe, normal_scores(others, step), 1)
    except InputError:
        # Of too little sound there is no threshold.
        return None
    joiner = Joiner(recipe, {**arrays, **calibrated.arrays}, where=recipe.name)
    return StandingOut(max(join_all(joiner, runs[index])), calibrated.record.threshold)


def normal_scores(runs: Sequence[PartScores], step: int) -> NormalScores:
    """Return the scores of one run of decisions or more, a stretch being every `step`-th of a run."""
    return NormalScores(
        stretches=in_a_row([{part: values[::step] for part, values in run.items()} for run in runs]),
        decisions=in_a_row(runs),
        lengths=np.array([len(next(iter(run.values()))) for run in runs], np.intp),
    )
