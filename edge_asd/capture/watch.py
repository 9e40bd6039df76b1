"""Whether a microphone's signal is one at all: digital silence, and flat clipping."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_asd.capture.levels import FULL_SCALE

SignalFault = Literal["dropout", "silent", "clipped"]
"""Why a signal tells nothing of the machine: `dropout`, it stood still for a moment; `silent`, it stands still;
`clipped`, it is cut off at full scale."""

DROPOUT_S = 0.5
"""Seconds of samples that do not change after which what is heard is no longer the machine."""

SILENCE_S = 5.0
"""Seconds of them after which the microphone is given up as silent: a live one always has noise."""
CLIPPED_SHARE = 0.2
"""Share of samples at full scale, in one second, from which a signal counts as clipped flat."""
_UNCHANGED = 1e-6


class SignalWatch:
    """Watches a mono stream; however it is cut into blocks, the same stretches are found faulty.

    Parameters
    ----------
    sample_rate
        In hertz.
    silence_s
        Seconds after which unchanging samples count as silence; half a second of them is a dropout.
    """

    def __init__(self, sample_rate: int, silence_s: float = SILENCE_S) -> None:
        self._second = sample_rate
        self._dropout = min(DROPOUT_S, silence_s) * sample_rate
        self._longest_run = silence_s * sample_rate
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._last = np.float32(np.inf)
        self._run = 0
        self._counted = 0
        self._full = 0
        self._clipped = False

    def process(self, samples: NDArray[np.float32]) -> SignalFault | None:
        """Take samples, shape (n,), and return what is wrong at their end, or that there was a dropout among them."""
        longest = self._count_run(samples) if len(samples) else self._run
        self._count_clipped(samples)
        if self._run >= self._longest_run:
            return "silent"
        if self._clipped:
            return "clipped"
        return "dropout" if longest >= self._dropout else None

    def _count_run(self, samples: NDArray[np.float32]) -> int:
        """Return the longest run of samples that do not change which reaches into these."""
        # Infinity less infinity is no number, and what is none has not changed.
        with np.errstate(invalid="ignore"):
            changes = np.flatnonzero(np.abs(np.diff(samples, prepend=np.float32(self._last))) > _UNCHANGED)
        runs = np.diff(np.concatenate([[-self._run], changes, [len(samples)]]))
        ended_before = int(len(changes) > 0 and changes[0] == 0)
        self._run = int(runs[-1])
        self._last = samples[-1]
        return int(runs[ended_before:].max())

    def _count_clipped(self, samples: NDArray[np.float32]) -> None:
        while len(samples):
            piece, samples = samples[: self._second - self._counted], samples[self._second - self._counted :]
            self._counted += len(piece)
            self._full += int((np.abs(piece) >= FULL_SCALE).sum())
            if self._counted == self._second:
                self._clipped = self._full >= CLIPPED_SHARE * self._second
                self._counted = self._full = 0
