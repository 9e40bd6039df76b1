"""What a capture gives: sound, and word of sound that is missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.capture.levels import Levels
from edge_asd.capture.watch import SignalFault


class Block(NamedTuple):
    """Sound."""

    samples: NDArray[np.float32]
    """Mono, full scale ±1, at the rate that was asked for, shape (n,), n ≥ 1."""
    start: int
    """Number of the first sample, counted since the source was opened, with those that a gap declared lost."""
    fault: SignalFault | None = None
    """What is wrong with the signal by the end of these samples."""
    levels: Levels | None = None
    """The last complete second of the signal by then, at its own rate."""
    native_rate: int | None = None
    """Rate at which it was sampled, in hertz; None where nobody knows."""


class Gap(NamedTuple):
    """Sound is missing here: what follows does not continue what came before."""

    lost: int | None
    """Samples that are missing, at the rate that was asked for; None where nobody knows."""
    reason: str
    """Why, in words."""
    frames: int = 0
    """Audio frames that are missing, at the source's own rate, as far as they could be counted."""
    overflow: bool = False
    """Whether an overflow begins here: this machine was too busy to take what its source gave."""


Item = Block | Gap
"""What a capture gives."""
