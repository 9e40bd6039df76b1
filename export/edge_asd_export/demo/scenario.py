"""What happens to the machine, and when: a fault that comes after a normal stretch, grows, and is repaired."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd_export.simulation import FaultKind, Machine

_SNR_DB = (-20.0, 40.0)


class Lengths(NamedTuple):
    """How much sound there is to learn from and to judge."""

    clips: int
    """Recordings of normal sound."""
    clip_seconds: float
    """Length of each."""
    seconds: float
    """Length of the stretch that is replayed."""


HOUR = Lengths(clips=48, clip_seconds=10.0, seconds=3600.0)
"""The whole demonstration."""
QUICK = Lengths(clips=16, clip_seconds=10.0, seconds=360.0)
"""The least that shows every part at work."""


class Scenario(NamedTuple):
    """One machine, and what befalls it; times in seconds from the start of the replayed stretch."""

    machine: Machine
    fault: FaultKind
    snr_db: float
    """Long-run power of the normal machine over that of the factory, in dB."""
    seed: int
    lengths: Lengths = HOUR

    @property
    def onset(self) -> float:
        """When the fault begins."""
        return self.lengths.seconds / 3

    @property
    def grown(self) -> float:
        """When it has grown to its worst."""
        return self.lengths.seconds * 5 / 6

    @property
    def repaired(self) -> float:
        """When it is gone at a stroke."""
        return self.lengths.seconds * 9 / 10

    def severity(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the severity of the fault, 0 to 1, at these times."""
        growing = np.interp(seconds, [self.onset, self.grown], [0.0, 1.0])
        return np.asarray(np.where(seconds < self.repaired, growing, 0.0))

    def course(self) -> NDArray[np.float64]:
        """Return the severity once a second, from the start to the end."""
        return self.severity(np.arange(round(self.lengths.seconds) + 1.0))


def checked_snr(snr_db: float) -> float:
    """Return `snr_db` if a machine could still be heard, and the factory too.

    Raises
    ------
    InputError
        When it is not a number, or outside -20 to 40 dB.
    """
    low, high = _SNR_DB
    if not low <= snr_db <= high:
        raise InputError("--snr", expected=f"{low:g} to {high:g} dB", found=f"{snr_db:g}")
    return snr_db
