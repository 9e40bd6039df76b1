"""How faithful a quantized net is to the same net in float32: in its rows, and in what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from edge_asd.bundle import Fidelity
from edge_asd.errors import EdgeAsdError, InputError
from edge_asd.pipeline import RowSet
from edge_asd.recipe.graph import Recipe
from edge_asd_export.crossfit import folds_of
from edge_asd_export.fit import fit_graph, judge
from edge_asd_export.material import Stretch
from edge_asd_export.quantization.carried import carried_by

Float64 = NDArray[np.float64]

_LEAST_NORM = 1e-12
_FEWEST = 2
"""Stretches of normal sound below which a fold leaves no other to fit to."""


class UnjudgedError(EdgeAsdError):
    """Nothing can be fitted to the rows of a net in float32, so that no form can be held against it."""


class Variant(NamedTuple):
    """The rows that one form of a net makes of the same sound."""

    normal: Sequence[Stretch]
    """Of normal stretches, in the order of the recordings."""
    labelled: Sequence[RowSet]
    """Of stretches that are not trained on."""


def measure(
    recipe: Recipe, branch: str, reference: Variant, variant: Variant, anomalous: Sequence[bool], *, seed: int
) -> Fidelity:
    """Compare two forms of a branch's net by their rows, and by the scores of graphs that were fitted to each.

    Parameters
    ----------
    recipe
        What both were made for; only the parts that judge the branch are fitted, to its rows alone, and no larger than
        these stretches carry.
    branch
        The branch.
    reference, variant
        Rows by the net in float32 and by the quantized one.
    anomalous
        Of each labelled stretch, whether it is anomalous.
    seed
        Seed of all that is random.

    Raises
    ------
    UnjudgedError
        When the stretches are too few, or nothing can be fitted to what float32 makes of them.
    """
    if len(reference.normal) < _FEWEST:
        raise UnjudgedError(
            f"{branch}: expected at least {_FEWEST} stretches of normal sound, found {len(reference.normal)}"
        )
    recipe = recipe.judging_only(branch)
    vectors = [
        _vectors([*(stretch.rows[branch] for stretch in rows.normal), *(row_set[branch] for row_set in rows.labelled)])
        for rows in (reference, variant)
    ]
    try:
        theirs = _clip_scores(recipe, reference, seed)
    except InputError as error:
        raise UnjudgedError(str(error)) from error
    try:
        ours = _clip_scores(recipe, variant, seed)
    except InputError:
        # Nothing can be fitted to the rows of a net that has collapsed: it tells nothing apart.
        ours = {part: np.zeros_like(scores) for part, scores in theirs.items()}
    truth = np.concatenate((np.zeros(len(reference.normal), bool), np.asarray(anomalous, bool)))
    auc, pauc = _change(ours, theirs, truth)
    return Fidelity(
        cosine=cosine(*vectors),
        centred_cosine=cosine(*(values - values.mean(axis=0) for values in vectors)),
        spearman=min(rank_correlation(ours[part], theirs[part]) for part in ours),
        clips=len(truth),
        auc_change=auc,
        pauc_change=pauc,
    )


def cosine(reference: Float64, variant: Float64) -> float:
    """Return the mean cosine of the angle between the rows of two arrays of shape (n, d), in [−1, 1].

    A row that vanishes in one of them, or is not finite, counts as 0; one that vanishes in both as 1.
    """
    norms = np.linalg.norm(reference, axis=1), np.linalg.norm(variant, axis=1)
    product = norms[0] * norms[1]
    with np.errstate(invalid="ignore", over="ignore"):
        values = (reference * variant).sum(axis=1) / np.maximum(product, _LEAST_NORM**2)
    values = np.where(np.maximum(*norms) < _LEAST_NORM, 1.0, values)
    return float(np.where(np.isfinite(values), np.clip(values, -1.0, 1.0), 0.0).mean())


def rank_correlation(first: Float64, second: Float64) -> float:
    """Return Spearman's rank correlation of two sets of scores, shape (n,); 0 where one of them is constant."""
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return 0.0
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float(np.ptp(first) == np.ptp(second))
    return float(stats.spearmanr(first, second).statistic)


def _vectors(rows: Sequence[NDArray[np.float32]]) -> Float64:
    # A row of one number has no direction: there the numbers of a stretch, side by side, are the vector.
    if rows[0].shape[1] > 1:
        return np.concatenate(rows).astype(np.float64)
    length = min(len(values) for values in rows)
    return np.stack([values[:length, 0] for values in rows]).astype(np.float64)


def _clip_scores(recipe: Recipe, variant: Variant, seed: int) -> dict[str, Float64]:
    # Normal stretches by graphs that were fitted without them, labelled ones by a graph fitted to all the normal.
    found: list[dict[str, float]] = []
    normal = variant.normal
    for fold in folds_of(normal, recipe.folds):
        found += _scores(recipe, fold.others(normal), [stretch.rows for stretch in fold.held_out(normal)], seed)
    if variant.labelled:
        found += _scores(recipe, normal, variant.labelled, seed)
    return {part: np.array([scores[part] for scores in found]) for part in recipe.enabled_parts}


def _scores(recipe: Recipe, fitted_to: Sequence[Stretch], rows: Sequence[RowSet], seed: int) -> list[dict[str, float]]:
    recipe = carried_by(recipe, fitted_to)
    return judge(recipe, fit_graph(recipe, fitted_to, seed=seed), rows)


def _change(
    ours: dict[str, Float64], theirs: dict[str, Float64], truth: NDArray[np.bool_]
) -> tuple[float | None, float | None]:
    if truth.all() or not truth.any():
        return None, None
    changes = [
        (
            roc_auc_score(truth, ours[part]) - roc_auc_score(truth, theirs[part]),
            roc_auc_score(truth, ours[part], max_fpr=0.1) - roc_auc_score(truth, theirs[part], max_fpr=0.1),
        )
        for part in ours
    ]
    return float(min(change[0] for change in changes)), float(min(change[1] for change in changes))
