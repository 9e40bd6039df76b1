"""Scores of normal sound → the tail of each part, the threshold, and what false alarms are counted by.

The export tool calls it with cross-fitted scores, `edge-asd calibrate` with those of sound recorded on site: either way
of sound that the graph had not been fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.bundle import Calibration
from edge_asd.calibration.alarms import AlarmRate, HeldOut, alarm_rate
from edge_asd.calibration.extremes import fit_pareto
from edge_asd.calibration.gamma import fit_gamma, gamma_quantile
from edge_asd.errors import InputError
from edge_asd.firmware import Decision
from edge_asd.pipeline import Joiner
from edge_asd.recipe.graph import Recipe, Threshold
from edge_asd.tail import Tail, fit_tail

ENOUGH_STRETCHES = 40
"""Held-out stretches below which a threshold is strict rather than exact."""
FEWEST_STRETCHES = 3
"""Held-out stretches without which there is no threshold."""
_TAIL_SHARE = 0.1
"""Share of the scores that a generalized Pareto tail is fitted to."""

PartScores = dict[str, NDArray[np.float64]]
"""Scores by part, shape (n,) each."""


def in_a_row(pieces: Sequence[PartScores]) -> PartScores:
    """Return the scores of several pieces one after another; all are of the same parts."""
    return {part: np.concatenate([piece[part] for piece in pieces]) for part in pieces[0]}


class NormalScores(NamedTuple):
    """Each part's own scores of normal sound that the graph had not been fitted to."""

    stretches: PartScores
    """One for each stretch, side by side, in the order of the recordings."""
    decisions: PartScores
    """One for each decision that a device would make, one unbroken run after another."""
    lengths: NDArray[np.intp]
    """Decisions of each run, shape (r,)."""
    told: PartScores | None = None
    """As `stretches`, each judged as of the section that it is of; the same where nothing tells sections apart."""


class Calibrated(NamedTuple):
    """Calibration of a fitted graph."""

    arrays: dict[str, NDArray[np.generic]]
    """Tails by name, as `Joiner` reads them, and what `edge_asd.calibration.alarms` counts false alarms by."""
    record: Calibration
    """Threshold, and what it rests on."""
    notes: list[str]
    """What the user should know."""
    told: list[float]
    """Held-out scores as in the record, but of stretches whose sections are told."""


def calibrate(recipe: Recipe, scores: NormalScores, folds: int) -> Calibrated:
    """Calibrate a graph on scores of normal sound.

    Parameters
    ----------
    recipe
        Says which rule sets the threshold.
    scores
        What the parts gave.
    folds
        Folds of the cross-fitting; 1 where the sound had no part in the fitting at all.

    Raises
    ------
    InputError
        When there is too little sound, or the rule cannot be applied to its scores.
    """
    stretches = len(next(iter(scores.stretches.values())))
    if stretches < FEWEST_STRETCHES:
        raise InputError(
            "normal sound",
            expected=f"at least {FEWEST_STRETCHES} stretches of {recipe.horizon.seconds:g} s",
            found=str(stretches),
            remedy=f"record more; {ENOUGH_STRETCHES} or more make a threshold that can be relied on",
        )
    arrays: dict[str, NDArray[np.generic]] = {}
    for part, values in scores.decisions.items():
        tail = fit_tail(values, recipe.parts[part].least_spread, stretches)
        arrays |= _named(f"parts/{part}/tail", tail)
    joiner = Joiner(recipe, arrays, where=recipe.name)
    held_out = HeldOut(np.array(list(join_all(joiner, scores.decisions))), scores.lengths)
    joint = np.array(list(join_all(joiner, scores.stretches)))
    arrays |= {"joint/scores": held_out.scores, "joint/lengths": held_out.lengths.astype(np.int64)}
    centre = float(np.median(held_out.scores))
    alarms = alarm_rate(held_out, recipe, Decision(), centre)
    threshold, rule = _threshold(recipe, held_out.scores, alarms)
    record = Calibration(
        threshold=threshold,
        centre=centre,
        rule=rule,
        folds=folds,
        held_out=joint.tolist(),
        alarms_per_week=alarms.per_week(threshold),
        extremal_index=alarms.extremal_index,
    )
    told = list(join_all(joiner, scores.told or scores.stretches))
    return Calibrated(arrays, record, _notes(joint, threshold), told)


def _threshold(recipe: Recipe, joint: NDArray[np.float64], alarms: AlarmRate) -> tuple[float, str]:
    if recipe.threshold.rule == "false-alarms":
        asked = recipe.threshold.false_alarms_per_week
        return alarms.threshold(asked), f"{asked:g} false alarms per week"
    return find_threshold(recipe, joint)


def find_threshold(recipe: Recipe, joint: NDArray[np.float64]) -> tuple[float, str]:
    """Return the threshold on held-out joint scores, shape (n,), that a share of them may reach, and how it was found.

    The rule `false-alarms` counts alarms instead: see `edge_asd.calibration.alarms`.
    """
    settings = recipe.threshold
    share = settings.false_alarm_probability
    said = f"{share:.3g} of normal stretches"
    match settings.rule:
        case "gpd":
            return pareto_quantile(joint, share), f"generalized Pareto tail, {said}"
        case "quantile":
            return float(np.quantile(joint, 1.0 - share)), f"empirical quantile, {said}"
        case "gamma":
            return _gamma_threshold(joint, settings), f"gamma distribution, {said}"
    if recipe.join == "tail":
        return -math.log10(share), f"calibrated tails, {said}"
    return fit_tail(joint, 0.0).score_at(math.log(share)), f"exponential tail, {said}"


def pareto_quantile(scores: NDArray[np.float64], share: float) -> float:
    """Return the score that a share of normal scores, shape (n,), reaches: peaks over their upper tenth."""
    rising = np.sort(scores)
    count = max(1, round(_TAIL_SHARE * len(rising)))
    level = float(rising[max(0, len(rising) - count - 1)])
    above = count / len(rising)
    if share >= above:
        return float(np.quantile(rising, 1.0 - share))
    tail = fit_pareto(rising[-count:] - level)
    return level + tail.excess_at(math.log(share / above))


def _gamma_threshold(joint: NDArray[np.float64], settings: Threshold) -> float:
    # A gamma distribution starts at 0; scores that reach below, such as log densities, are moved there and back.
    if np.ptp(joint) <= 0:
        raise InputError("threshold", expected="held-out scores that differ", found=f"{len(joint)} times {joint[0]:g}")
    shift = min(0.0, float(joint.min()) - 0.1 * float(joint.std()))
    values = joint - shift
    if values.min() <= 0.0:
        values = np.maximum(values, np.finfo(np.float64).tiny)
    return gamma_quantile(1.0 - settings.false_alarm_probability, *fit_gamma(values)) + shift


def join_all(joiner: Joiner, part_scores: Mapping[str, NDArray[np.float64]]) -> Iterator[float]:
    """Give the joint score of each row of the parts' scores, shape (n,) each."""
    for values in zip(*part_scores.values(), strict=True):
        yield joiner.score(dict(zip(part_scores, map(float, values), strict=True)), 0).value


def _named(prefix: str, tail: Tail) -> dict[str, NDArray[np.generic]]:
    return {f"{prefix}/scores": tail.scores, f"{prefix}/log_probabilities": tail.log_probabilities}


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
