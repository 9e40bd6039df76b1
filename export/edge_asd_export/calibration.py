"""Held-out scores of normal sound → the tail of each part, and the threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from edge_asd.bundle import Calibration
from edge_asd.errors import InputError
from edge_asd.pipeline import Joiner
from edge_asd.recipe.graph import Recipe, Threshold
from edge_asd.tail import Tail
from edge_asd_export.fit import Arrays

ENOUGH_STRETCHES = 40
"""Held-out scores below which a threshold is strict rather than exact."""
_LEAST_BETA = 1e-9
"""Least mean excess, in the unit of the scores, and where they are larger than 1 as a share of them."""


class Calibrated(NamedTuple):
    """Calibration of a fitted graph."""

    arrays: Arrays
    """Tails by name, as `Joiner` reads them."""
    record: Calibration
    """Threshold, and what it rests on."""
    notes: list[str]
    """What the user should know."""


def calibrate(recipe: Recipe, part_scores: Mapping[str, NDArray[np.float64]], folds: int) -> Calibrated:
    """Calibrate a graph on held-out scores of each part, shape (n,), in the order of the recordings."""
    arrays: Arrays = {}
    for part, scores in part_scores.items():
        tail = fit_tail(scores, recipe.parts[part].least_spread)
        arrays[f"parts/{part}/tail/scores"] = tail.scores
        arrays[f"parts/{part}/tail/log_probabilities"] = tail.log_probabilities
    joiner = Joiner(recipe, arrays, where=recipe.name)
    rows = [dict(zip(part_scores, values, strict=True)) for values in zip(*part_scores.values(), strict=True)]
    joint = np.array([joiner.score(row, 0).value for row in rows])
    threshold, rule = find_threshold(recipe, joint)
    record = Calibration(
        threshold=threshold, centre=float(np.median(joint)), rule=rule, folds=folds, held_out=joint.tolist()
    )
    return Calibrated(arrays, record, _notes(joint, threshold))


def fit_tail(scores: NDArray[np.float64], least_spread: float) -> Tail:
    """Fit P(normal score ≥ s) to held-out scores, shape (n,), n ≥ 3: exponential beyond their median.

    ln P = ln ½ − (s − median) / β, with β the mean excess over the median, widened by n / (n − 2) because it was
    estimated from n scores only, and no less than `least_spread`. An exponential tail is the generalized Pareto
    distribution of shape 0 (Pickands 1975); with a few dozen scores the shape cannot be told, and a fitted one goes
    astray where it matters, far out.
    """
    median = float(np.median(scores))
    excess = float(np.mean(scores[scores > median] - median)) if (scores > median).any() else 0.0
    beta = max(excess * len(scores) / (len(scores) - 2), least_spread, _LEAST_BETA * max(1.0, abs(median)))
    # Below the median the exact shape has no say in any decision.
    return Tail(np.array([median - beta, median, median + beta]), np.array([0.0, math.log(0.5), math.log(0.5) - 1.0]))


def find_threshold(recipe: Recipe, joint: NDArray[np.float64]) -> tuple[float, str]:
    """Return the threshold on held-out joint scores, shape (n,), and in words how it was found."""
    settings = recipe.threshold
    share = settings.false_alarm_probability
    said = f"{share:.3g} of normal stretches"
    if settings.rule == "tail" and recipe.join == "tail":
        return -math.log10(share), f"calibrated tails, {said}"
    if settings.rule == "tail":
        return fit_tail(joint, 0.0).score_at(math.log(share)), f"exponential tail, {said}"
    if settings.rule == "quantile":
        return float(np.quantile(joint, 1.0 - share)), f"empirical quantile, {said}"
    return _gamma_threshold(joint, settings), f"gamma distribution, {said}"


def _gamma_threshold(joint: NDArray[np.float64], settings: Threshold) -> float:
    # A gamma distribution starts at 0; scores that reach below, such as log densities, are moved there and back.
    if np.ptp(joint) <= 0:
        raise InputError("threshold", expected="held-out scores that differ", found=f"{len(joint)} times {joint[0]:g}")
    shift = min(0.0, float(joint.min()) - 0.1 * float(joint.std()))
    shape, _, scale = stats.gamma.fit(joint - shift, floc=0)
    return float(stats.gamma.ppf(1.0 - settings.false_alarm_probability, shape, scale=scale)) + shift


def _notes(joint: NDArray[np.float64], threshold: float) -> list[str]:
    notes = []
    if len(joint) < ENOUGH_STRETCHES:
        notes.append(
            f"the threshold rests on {len(joint)} stretches and is strict rather than exact; "
            f"record {ENOUGH_STRETCHES} or more"
        )
    above = int((joint >= threshold).sum())
    if above:
        notes.append(f"{above} of {len(joint)} held-out normal stretches reach the threshold: listen to them")
    return notes
