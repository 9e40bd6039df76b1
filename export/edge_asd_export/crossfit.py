"""Scores of normal sound that the judging graph was not fitted to.

A graph scores what it was fitted to too low: a threshold taken from such scores gives many times the false alarms it
promises. So the stretches are cut into contiguous folds, and each is scored by a graph fitted to the others. Folds are
contiguous because neighbouring recordings of one session are alike, and a random split would flatter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
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


def held_out_scores(
    recipe: Recipe, stretches: Sequence[Stretch], *, seed: int, advance: Advance
) -> dict[str, NDArray[np.float64]]:
    """Return each part's own score of every stretch, shape (n,), given by a graph that was fitted without its fold.

    Raises
    ------
    InputError
        When there are fewer stretches than `FEWEST_STRETCHES`.
    """
    require_enough(recipe, stretches)
    scores = {part: np.empty(len(stretches)) for part in recipe.enabled_parts}
    for start, end in fold_bounds(len(stretches), recipe.folds):
        fitted = fit(recipe, [*stretches[:start], *stretches[end:]], seed=seed, advance=advance)
        for index, values in enumerate(part_scores(recipe, fitted, stretches[start:end]), start):
            for part, score in values.items():
                scores[part][index] = score
    return scores


def part_scores(recipe: Recipe, fitted: Fitted, stretches: Sequence[Stretch]) -> list[dict[str, float]]:
    """Return each part's own score of every stretch, as a fitted graph gives it on the device."""
    embedders = Embedders(recipe, fitted.networks)
    return judge(recipe, fitted.arrays, [embedders.rows(stretch.rows) for stretch in stretches])


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
