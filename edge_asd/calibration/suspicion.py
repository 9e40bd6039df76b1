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

Recording = Sequence[PartScores]
"""Scores of a recording, by unbroken stretch of live signal; there is at least one."""


class StandingOut(NamedTuple):
    """What a recording is by the word of the others."""

    score: float
    """Largest score of its decisions, by tails of the others."""
    threshold: float
    """Threshold of the others."""


def standing_out(
    recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], recordings: Sequence[Recording], step: int
) -> dict[int, StandingOut]:
    """Return the recordings that reach the threshold which is set without them, by their place among all.

    Parameters
    ----------
    recipe
        Says how scores are joined, and which rule sets the threshold.
    arrays
        The bundle's, for all but the tails.
    recordings
        Each part's own scores of every decision.
    step
        Decisions between two horizons that share no sound.
    """
    found: dict[int, StandingOut] = {}
    if len(recordings) < 2:
        return found
    tried: set[int] = set()
    for order in _loudest_first(recordings):
        for index in order:
            if index not in tried and len(tried) < _MOST_TRIED:
                tried.add(index)
                against = _against_others(recipe, arrays, recordings, index, step)
                if against is not None and against.score >= against.threshold:
                    found[index] = against
            # What scores less in this part than one that does not stand out, does not either.
            if index not in found:
                break
    return found


def loudest(joiner: Joiner, recording: Recording) -> float:
    """Return the largest joint score of a recording's decisions."""
    return max(score for run in recording for score in join_all(joiner, run))


def _loudest_first(recordings: Sequence[Recording]) -> Iterator[list[int]]:
    """Give the recordings in the falling order of their largest score, for one part after another."""
    for part in recordings[0][0]:
        largest = [max(float(run[part].max()) for run in recording) for recording in recordings]
        yield sorted(range(len(recordings)), key=lambda index: -largest[index])


def _against_others(
    recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], recordings: Sequence[Recording], index: int, step: int
) -> StandingOut | None:
    others = [run for place, recording in enumerate(recordings) if place != index for run in recording]
    try:
        calibrated = calibrate(recipe, normal_scores(others, step), 1)
    except InputError:
        # Of too little sound there is no threshold.
        return None
    joiner = Joiner(recipe, {**arrays, **calibrated.arrays}, where=recipe.name)
    return StandingOut(loudest(joiner, recordings[index]), calibrated.record.threshold)


def normal_scores(runs: Sequence[PartScores], step: int) -> NormalScores:
    """Return the scores of one run of decisions or more, a stretch being every `step`-th of a run."""
    return NormalScores(
        stretches=in_a_row([{part: values[::step] for part, values in run.items()} for run in runs]),
        decisions=in_a_row(runs),
        lengths=np.array([len(next(iter(run.values()))) for run in runs], np.intp),
    )
