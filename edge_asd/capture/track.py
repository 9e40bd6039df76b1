"""Samples of a source at its own rate → blocks at the rate asked for, watched and counted, with their gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Resampler, output_length
from edge_asd.capture.finite import NumberSieve
from edge_asd.capture.items import Block, Gap, Item
from edge_asd.capture.levels import LevelMeter
from edge_asd.capture.watch import SignalFault, SignalWatch

_SETTLING_S = 0.1
"""Seconds after a sample that is no number that are left out with it."""


class Track:
    """Watches and resamples a stream, numbers its samples, and keeps apart what lies on two sides of a gap.

    The watch comes first: resampling rounds off a flat top, and adds ripple to a constant.

    Parameters
    ----------
    native_rate
        Of what comes in, in hertz.
    sample_rate
        Of what is given, in hertz.
    start
        Number of the first sample given.
    """

    def __init__(self, native_rate: int, sample_rate: int, start: int = 0) -> None:
        self._native_rate, self._sample_rate = native_rate, sample_rate
        self._resampler = Resampler(native_rate, sample_rate)
        self._sieve = NumberSieve(round(_SETTLING_S * native_rate))
        self._watch = SignalWatch(native_rate)
        self._meter = LevelMeter(native_rate)
        self._fault: SignalFault | None = None
        # What the resampler gives late is no better than what it was made of.
        self._late_fault: SignalFault | None = None
        self._late_until = start
        self.next = start
        """Number of the sample to come."""
        # Positions are counted at the native rate from an origin, so that rounding never adds up.
        self._origin = start
        self._position = 0

    def process(self, samples: NDArray[np.float32]) -> list[Item]:
        """Take mono samples, shape (n,); those that are no numbers become a gap, with 0.1 s after them."""
        items: list[Item] = []
        for are_numbers, piece in self._sieve.process(samples):
            items += self._hear(piece) if are_numbers else self.gap(len(piece), "samples that are no numbers")
        return items

    def _hear(self, samples: NDArray[np.float32]) -> list[Block]:
        self._fault = self._watch.process(samples)
        self._meter.process(samples)
        self._position += len(samples)
        if self._fault is not None:
            self._late_fault, self._late_until = self._fault, self._due()
        return self._blocks(self._resampler.process(samples))

    def gap(self, lost: int | None, reason: str, *, overflow: bool = False) -> list[Item]:
        """Declare that `lost` samples of the native rate are missing here, or that nobody knows how many."""
        before = self.end()
        if lost is None:
            self._origin, self._position = self.next, 0
            return [*before, Gap(None, reason, overflow=overflow)]
        self._position += lost
        missing = max(0, self._due() - self.next)
        self.next += missing
        return [*before, Gap(missing, reason, frames=lost, overflow=overflow)]

    def end(self) -> list[Item]:
        """Return what the resampler still holds."""
        return [*self._blocks(self._resampler.flush())]

    def _blocks(self, samples: NDArray[np.float32]) -> list[Block]:
        if not len(samples):
            return []
        late = self._late_fault if self.next < self._late_until else None
        block = Block(samples, self.next, self._fault or late, self._meter.latest, self._native_rate)
        self.next += len(samples)
        return [block]

    def _due(self) -> int:
        """Return the number of the sample that follows what came in so far."""
        return self._origin + output_length(self._position, self._native_rate, self._sample_rate)
