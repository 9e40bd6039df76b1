"""Thresholds in the words of a plant: so many false alarms a week.

Neighbouring decisions look at much the same sound, so one loud moment exceeds a threshold many times, and the
hysteresis of the verdict makes one alarm of it. So alarms are counted, not decisions: held-out normal scores are put
through the very decision rules of the device (*runs declustering* with its own `enter` and `exit`: Smith & Weissman
1994; Coles 2001, section 5.3.2), the peaks of these alarms are nearly independent of one another, and beyond a high
level u their rate falls off exponentially (peaks over threshold: Davison & Smith 1990, with shape 0)::

    alarms per second at threshold v  =  (alarms at u / seconds of sound) · exp(−(v − u) / β),   β = mean of peak − u

The extremal index, alarms per exceeding decision, says how far the scores depend on their neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader, median
from edge_asd.bundle import Bundle, arrays_under
from edge_asd.decision import Decider, Moment
from edge_asd.firmware import Decision
from edge_asd.recipe.graph import Recipe

SECONDS_PER_WEEK = 604_800.0
_PEAKS = 25
"""Alarms that the tail is fitted to. More would reach down to where it is not exponential, fewer would tell little; of
little sound, half of the blocks."""
_BLOCK_HORIZONS = 3
"""Length of the blocks whose largest scores choose u, in horizons."""
_TINY = float(np.finfo(np.float64).tiny)
_RAREST = 1e-300
"""Least rate that is reckoned with, in alarms per second: a smaller one might become 0, by which nothing is divided."""
_LEAST_SPREAD = 1e-3
"""Least β, relative to u's distance from the centre: scores that are all but equal say nothing of rarer ones."""


class HeldOut(NamedTuple):
    """Joint scores of normal sound that the graph had not been fitted to, decision by decision."""

    scores: NDArray[np.float64]
    """Shape (n,), one unbroken run of decisions after another."""
    lengths: NDArray[np.intp]
    """Decisions of each run, shape (r,), each ≥ 1, n in all."""

    def runs(self) -> Iterator[NDArray[np.float64]]:
        """Give the scores of one run after another."""
        return iter(np.split(self.scores, np.cumsum(self.lengths)[:-1]))

    def seconds(self, recipe: Recipe) -> float:
        """Return how much sound the runs hold.

        An alarm is seen by every horizon that touches what raised it, so a run witnesses the whole of its sound.
        """
        overlaps = recipe.horizon.hop_seconds * float(np.sum(self.lengths - 1))
        return overlaps + recipe.horizon.seconds * len(self.lengths)


def read_held_out(arrays: Mapping[str, NDArray[np.generic]], where: str) -> HeldOut:
    """Take held-out scores from the plain arrays `scores` and `lengths`.

    Raises
    ------
    InputError
        When an array is missing, unknown, of another form, or not finite.
    """
    reader = ArrayReader(arrays, where)
    scores = reader.floats("scores", "n")
    lengths = reader.integers("lengths", "r", low=1, high=len(scores) + 1)
    reader.finish()
    if int(lengths.sum()) != len(scores):
        raise reader.error("lengths", expected=f"runs of {len(scores)} decisions in all", found=str(lengths.sum()))
    return HeldOut(scores, lengths)


class AlarmRate(NamedTuple):
    """How often normal sound raises an alarm, by the threshold."""

    level: float
    """u: the level from which the tail holds."""
    per_second: float
    """Alarms per second of sound at u."""
    spread: float
    """β: mean of the peaks' excess over u."""
    extremal_index: float
    """Alarms per decision that exceeds u, in (0, 1]."""
    peaks: int
    """Alarms that it rests on."""
    exceeding: float
    """Share of decisions that exceed u."""
    scores: NDArray[np.float64]
    """All scores, rising: what is known of levels below u."""
    block_maxima: NDArray[np.float64]
    """Largest scores of blocks of some horizons, falling."""
    seconds: float
    """Sound that it rests on."""

    def per_week(self, threshold: float) -> float:
        """Return the alarms that a week of normal sound is expected to raise at this threshold."""
        if threshold < self.level:
            return SECONDS_PER_WEEK * max(self.per_second, float(np.sum(self.block_maxima >= threshold)) / self.seconds)
        return SECONDS_PER_WEEK * self.per_second * math.exp(-(threshold - self.level) / self.spread)

    def threshold(self, per_week: float) -> float:
        """Return the threshold at which so many alarms a week are expected: the inverse of `per_week`."""
        asked = max(per_week / SECONDS_PER_WEEK, _RAREST)
        if asked <= self.per_second:
            return self.level + self.spread * math.log(self.per_second / asked)
        rank = math.ceil(min(len(self.block_maxima), asked * self.seconds))
        return min(self.level, float(self.block_maxima[rank - 1]))

    def probability(self, score: float) -> float:
        """Return the share of normal horizons that reach a score, in (0, 1]."""
        if score <= self.level:
            reaching = len(self.scores) - int(np.searchsorted(self.scores, score))
            return max(reaching / len(self.scores), self.exceeding)
        return max(self.exceeding * math.exp(-(score - self.level) / self.spread), _TINY)


def read_alarm_rate(bundle: Bundle, decision: Decision) -> AlarmRate:
    """Measure how often a bundle's machine would raise an alarm, with one device's hysteresis.

    Raises
    ------
    InputError
        When the bundle's held-out scores are missing or broken.
    """
    held_out = read_held_out(arrays_under(bundle.arrays, "joint"), f"{bundle.where}: joint")
    return alarm_rate(held_out, bundle.recipe, decision, bundle.manifest.calibration.centre)


def asked_per_week(recipe: Recipe, decision: Decision) -> float | None:
    """Return the false alarms a week that a device's threshold is found for; None where it is not found so."""
    if decision.threshold is not None:
        return None
    of_bundle = recipe.threshold.false_alarms_per_week if recipe.threshold.rule == "false-alarms" else None
    return of_bundle if decision.false_alarms_per_week is None else decision.false_alarms_per_week


def threshold_of(bundle: Bundle, decision: Decision) -> float:
    """Return the threshold that a device is to use.

    That is the one it is given, or that of the false alarms it is given, or the bundle's own; where the bundle's own
    counts false alarms, it is found anew for this device's hysteresis.
    """
    if decision.threshold is not None:
        return decision.threshold
    asked = asked_per_week(bundle.recipe, decision)
    return (
        bundle.manifest.calibration.threshold if asked is None else read_alarm_rate(bundle, decision).threshold(asked)
    )


def alarm_rate(held_out: HeldOut, recipe: Recipe, decision: Decision, centre: float) -> AlarmRate:
    """Measure how often normal sound raises an alarm.

    Parameters
    ----------
    held_out
        Scores of normal sound.
    recipe
        Says how decisions follow one another.
    decision
        The hysteresis; its threshold is not read.
    centre
        The typical normal score, which the hysteresis refers to.
    """
    blocks = _block_maxima(held_out, recipe)
    count = max(1, min(_PEAKS, len(blocks) // 2))
    level = float(blocks[min(count, len(blocks) - 1)])
    peaks = alarm_peaks(held_out, math.nextafter(level, math.inf), decision, centre, recipe.horizon.hop_seconds)
    seconds = held_out.seconds(recipe)
    exceeding = max(1, int(np.sum(held_out.scores > level)))
    return AlarmRate(
        level=level,
        per_second=max(1, len(peaks)) / seconds,
        spread=_spread(peaks - level, held_out.scores, recipe, _LEAST_SPREAD * max(abs(level - centre), _LEAST_SPREAD)),
        extremal_index=max(1, len(peaks)) / exceeding,
        peaks=len(peaks),
        exceeding=exceeding / len(held_out.scores),
        scores=np.sort(held_out.scores),
        block_maxima=blocks,
        seconds=seconds,
    )


def _spread(excesses: NDArray[np.float64], scores: NDArray[np.float64], recipe: Recipe, least: float) -> float:
    """Return β: the mean excess, in which missing peaks count as the tail that was assumed before any was seen.

    Calibrated tails promise 1 / ln 10, a tenth of the probability for each unit of the joint score; scores that are not
    joined so are taken for exponential beyond their median. So a threshold on little sound is strict.
    """
    assumed = float(np.mean(np.maximum(scores - median(scores), 0.0))) * 2.0
    if recipe.join == "tail":
        assumed = max(assumed, 1.0 / math.log(10.0))
    missing = max(0, _PEAKS - len(excesses))
    total = float(np.sum(excesses)) + missing * assumed
    return max(total / (len(excesses) + missing), least)


def alarm_peaks(
    held_out: HeldOut, threshold: float, decision: Decision, centre: float, hop_seconds: float
) -> NDArray[np.float64]:
    """Return how high the threshold might have been for each alarm that the scores raise, in their order.

    That is the largest score that as many decisions in a row had reached as an alarm takes to begin. In runs that are
    shorter, all decisions count. What has to be acknowledged counts as acknowledged at once.
    """
    lasting = 1 + math.ceil(decision.min_duration_s / hop_seconds)
    peaks: list[float] = []
    for scores in held_out.runs():
        enter = min(max(decision.enter, lasting), len(scores))
        settings = msgspec.structs.replace(decision, enter=enter, min_duration_s=0.0, latch=False)
        peaks += _peaks_of_run(scores, threshold, settings, centre, hop_seconds)
    return np.array(peaks)


def _peaks_of_run(
    scores: NDArray[np.float64], threshold: float, decision: Decision, centre: float, hop_seconds: float
) -> list[float]:
    decider = Decider(decision, centre, new_id=lambda: "")
    sustained = scores.copy()
    for back in range(1, decision.enter):
        sustained[back:] = np.minimum(sustained[back:], scores[:-back])
    sustained[: decision.enter - 1] = -math.inf
    peaks: list[float] = []
    inside = False
    for index in _telling(scores, decider.exit_level(threshold), decision.exit):
        now = Moment(float(index) * hop_seconds, 0.0)
        alarm = decider.decide(float(scores[index]), threshold, now).anomaly is not None
        if alarm and inside:
            peaks[-1] = max(peaks[-1], float(sustained[index]))
        elif alarm:
            peaks.append(float(sustained[index]))
        inside = alarm
    return peaks


def _telling(scores: NDArray[np.float64], exit_level: float, calm: int) -> NDArray[np.intp]:
    """Return the decisions that can change a verdict: those from the exit level on, and `calm` after each."""
    telling = scores >= exit_level
    reach = telling.copy()
    for after in range(1, min(calm, len(scores) - 1) + 1):
        reach[after:] |= telling[:-after]
    return np.flatnonzero(reach)


def _block_maxima(held_out: HeldOut, recipe: Recipe) -> NDArray[np.float64]:
    """Return the largest score of each block of some horizons, falling: nearly independent of one another."""
    length = max(1, round(_BLOCK_HORIZONS * recipe.horizon.seconds / recipe.horizon.hop_seconds))
    maxima = []
    for scores in held_out.runs():
        # A rest of less than half a block goes with the block before it.
        starts = np.arange(0, max(1, len(scores) - length // 2), length)
        maxima.append(np.maximum.reduceat(scores, starts))
    return np.sort(np.concatenate(maxima))[::-1]
