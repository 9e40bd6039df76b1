"""Judging whole recordings, with the same pipeline that the daemon runs."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import msgspec

from edge_asd.alarms import read_alarm_rate
from edge_asd.audio import probe_recording, read_blocks
from edge_asd.bundle import Bundle
from edge_asd.errors import InputError
from edge_asd.explanation import BandDeviation, Explanation, MomentDeviation
from edge_asd.firmware import Decision
from edge_asd.interpreter import Engine
from edge_asd.pipeline import Pipeline, Score
from edge_asd.recipe.graph import Recipe

_log = logging.getLogger(__name__)


class RecordingScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording was found to be."""

    path: str
    """The recording."""
    score: float
    """Score of its worst horizon."""
    threshold: float
    """The bundle's threshold."""
    verdict: str
    """`anomaly` from the threshold on, else `normal`."""
    horizons: int
    """Decisions that its length allowed."""
    worst_second: float
    """Where the worst horizon begins, in seconds from the start."""
    parts: dict[str, float]
    """−log10 of each part's tail probability in that horizon."""
    probability: float
    """Share of normal horizons that reach the score."""
    severity: float
    """−log10 of that: on any machine, 3 is reached by one normal horizon in a thousand."""
    bands: list[BandDeviation]
    """Bands that stand out in the worst horizon, if it is anomalous; most anomalous first."""
    moments: list[MomentDeviation]
    """Moments of it that stand out, in seconds from its beginning."""


class BandwidthWatch:
    """Says in the log, once for each sampling rate, that recordings lack frequencies which a bundle has learnt."""

    def __init__(self, bundle: Bundle) -> None:
        self._learnt_hz = min(bundle.manifest.training.bandwidth_hz, bundle.recipe.sample_rate / 2)
        self._told: set[int] = set()

    def look_at(self, path: Path) -> None:
        """Look at a recording's own sampling rate; an InputError where it cannot be read."""
        rate = probe_recording(path).native_rate
        if rate / 2 >= self._learnt_hz or rate in self._told:
            return
        self._told.add(rate)
        _log.warning(
            "%s: sampled at %d Hz, it holds nothing above %g Hz, and the bundle has learnt up to %g Hz: that alone may "
            "make it and its like anomalous; record at %g Hz or more",
            path,
            rate,
            rate / 2,
            self._learnt_hz,
            2 * self._learnt_hz,
        )


class Scorer:
    """Judges recordings, one after another, with one bundle."""

    def __init__(self, bundle: Bundle, *, engine: Engine | None = None) -> None:
        self._recipe = bundle.recipe
        self._threshold = bundle.manifest.calibration.threshold
        self._rarity = read_alarm_rate(bundle, Decision())
        self._pipeline = Pipeline(bundle, engine=engine)
        self._bandwidth = BandwidthWatch(bundle)

    def score(self, path: Path) -> RecordingScore:
        """Judge one recording.

        Raises
        ------
        InputError
            When it cannot be read, or is shorter than the bundle's horizon.
        """
        self._bandwidth.look_at(path)
        self._pipeline.reset()
        worst: Score | None = None
        heard = horizons = 0
        explanation = Explanation()
        for block in read_blocks(path, channel=self._recipe.channel, sample_rate=self._recipe.sample_rate):
            heard += len(block)
            for score in self._pipeline.process(block):
                horizons += 1
                if worst is None or score.value > worst.value:
                    worst = score
                    explanation = self._pipeline.explain() if score.value >= self._threshold else Explanation()
        if worst is None:
            raise too_short(str(path), heard / self._recipe.sample_rate, self._recipe)
        probability = self._rarity.probability(worst.value)
        return RecordingScore(
            path=str(path),
            score=worst.value,
            threshold=self._threshold,
            verdict="anomaly" if worst.value >= self._threshold else "normal",
            horizons=horizons,
            worst_second=(worst.end - self._recipe.horizon_samples) / self._recipe.sample_rate,
            parts=worst.parts,
            probability=probability,
            severity=0.0 - math.log10(probability),
            bands=explanation.bands,
            moments=explanation.moments,
        )


def too_short(where: str, seconds: float, recipe: Recipe) -> InputError:
    """Return the error for sound that is shorter than the recipe's horizon."""
    shorter = f", or export with --set horizon.seconds={int(seconds)}" if seconds >= 1 else ""
    return InputError(
        where,
        expected=f"at least {recipe.horizon.seconds:g} s of sound, the horizon of one decision",
        found=f"{seconds:.6g} s",
        remedy=f"record longer{shorter}",
    )
