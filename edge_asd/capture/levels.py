"""How loud a signal is, how far off zero, and how much of it is cut off: for each second of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 0.999
"""Magnitude from which a sample counts as clipped."""


class Levels(NamedTuple):
    """What one second of a signal was like."""

    level_dbfs: float | None
    """Root mean square about the mean, in decibels relative to full scale ±1: -3.01 for the loudest sine; None where
    nothing moved."""
    dc_offset: float
    """Mean, of full scale ±1."""
    clipped_share: float
    """Share of the samples at full scale, from 0 to 1."""


class LevelMeter:
    """Measures a mono stream second by second; however it is cut into blocks, the seconds are the same.

    Parameters
    ----------
    sample_rate
        In hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._second = sample_rate
        self._counted = 0
        self._clipped = 0
        self._sum = 0.0
        self._squares = 0.0
        self.latest: Levels | None = None
        """The last second that is complete."""

    def process(self, samples: NDArray[np.float32]) -> None:
        """Take samples, shape (n,)."""
        while len(samples):
            piece, samples = samples[: self._second - self._counted], samples[self._second - self._counted :]
            wide = piece.astype(np.float64)
            self._counted += len(piece)
            self._sum += float(wide.sum())
            self._squares += float(np.dot(wide, wide))
            self._clipped += int((np.abs(piece) >= FULL_SCALE).sum())
            if self._counted == self._second:
                self._complete()

    def _complete(self) -> None:
        mean = self._sum / self._second
        power = self._squares / self._second - mean * mean
        # Of what does not move, rounding leaves some 1e-16 of its square.
        level = 10 * math.log10(power) if power > 1e-15 * max(1.0, mean * mean) else None
        self.latest = Levels(level, mean, self._clipped / self._second)
        self._counted = self._clipped = 0
        self._sum = self._squares = 0.0
