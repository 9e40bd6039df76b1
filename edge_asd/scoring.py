"""Judging whole recordings, with the same pipeline that the daemon runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.bandwidth import BandwidthWatch
from edge_asd.bundle import Bundle
from edge_asd.calibration.alarms import read_alarm_rate
from edge_asd.capture import SignalFault
from edge_asd.explanation import BandDeviation, Explanation, MomentDeviation
from edge_asd.firmware import Decision
from edge_asd.interpreter import Engine
from edge_asd.liveness import find_live, live_pieces, said_of
from edge_asd.pipeline import Pipeline, Score

_NOTHING = Explanation()


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
    faults: list[SignalFault] = []
    """What was wrong with the signal in stretches that no horizon holds which was judged."""


class UnknownScore(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that says nothing of the machine, in the same keys."""

    path: str
    """The recording."""
    score: None = None
    """There is none."""
    threshold: float
    """The bundle's threshold."""
    verdict: str = "unknown"
    """`unknown`."""
    horizons: int = 0
    """None could be judged."""
    worst_second: None = None
    """There is none."""
    parts: dict[str, float] = {}
    """There are none."""
    probability: None = None
    """There is none."""
    severity: None = None
    """There is none."""
    bands: list[BandDeviation] = []
    """None stands out."""
    moments: list[MomentDeviation] = []
    """None stands out."""
    faults: list[SignalFault]
    """What is wrong with the signal."""
    reason: str
    """Why there is no verdict, in words."""


class Scorer:
    """Judges recordings, one after another, with one bundle."""

    def __init__(self, bundle: Bundle, *, engine: Engine | None = None) -> None:
        self._recipe = bundle.recipe
        self._threshold = bundle.manifest.calibration.threshold
        self._rarity = read_alarm_rate(bundle, Decision())
        self._pipeline = Pipeline(bundle, engine=engine)
        self._bandwidth = BandwidthWatch(bundle)

    @property
    def part_names(self) -> list[str]:
        """Names of the parts, in the order that all scores have them in."""
        return list(self._recipe.enabled_parts)

    def judge(self, path: Path) -> RecordingScore | UnknownScore:
        """Judge one recording as the daemon would: no horizon counts that holds a stretch without a live signal.

        Raises
        ------
        InputError
            When it cannot be read, or is shorter than the bundle's horizon.
        """
        self._bandwidth.look_at(path)
        live = find_live(path, self._recipe)
        worst = _Worst()
        for start, blocks in live_pieces(path, self._recipe, live):
            self._listen(blocks, worst, start)
        if worst.score is None:
            seconds = self._recipe.horizon.seconds
            return UnknownScore(
                path=str(path),
                threshold=self._threshold,
                reason=f"no {seconds:g} s of a live signal, it is {said_of(live.faults)}",
                faults=sorted(live.faults),
            )
        return self._record(path, worst.score, worst, live.faults)

    def _listen(self, blocks: Iterable[NDArray[np.float32]], worst: _Worst, start: int) -> None:
        """Judge unbroken sound that begins at sample `start` of a recording."""
        self._pipeline.reset()
        for block in blocks:
            for score in self._pipeline.process(block):
                worst.take(score._replace(end=start + score.end), self._explain(score, worst))

    def _explain(self, score: Score, worst: _Worst) -> Explanation:
        return self._pipeline.explain() if score.value >= self._threshold and worst.gives_way_to(score) else _NOTHING

    def _record(self, path: Path, score: Score, worst: _Worst, faults: frozenset[SignalFault]) -> RecordingScore:
        probability = self._rarity.probability(score.value)
        return RecordingScore(
            path=str(path),
            score=score.value,
            threshold=self._threshold,
            verdict="anomaly" if score.value >= self._threshold else "normal",
            horizons=worst.horizons,
            worst_second=(score.end - self._recipe.horizon_samples) / self._recipe.sample_rate,
            parts=score.parts,
            probability=probability,
            severity=0.0 - math.log10(probability),
            bands=worst.explanation.bands,
            moments=worst.explanation.moments,
            faults=sorted(faults),
        )


class _Worst:
    """The worst of the horizons so far."""

    def __init__(self) -> None:
        self.horizons = 0
        self.score: Score | None = None
        self.explanation = _NOTHING

    def gives_way_to(self, score: Score) -> bool:
        return self.score is None or score.value > self.score.value

    def take(self, score: Score, explanation: Explanation) -> None:
        self.horizons += 1
        if self.gives_way_to(score):
            self.score, self.explanation = score, explanation
