"""What a capture gives: sound, and word of sound that is missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import EdgeAsdError


class CaptureError(EdgeAsdError):
    """A source cannot be heard now, but may be later: a microphone that is not there, or gives nothing."""


class Block(NamedTuple):
    """Sound."""

    samples: NDArray[np.float32]
    """Mono, full scale ±1, at the rate that was asked for, shape (n,)."""


class Gap(NamedTuple):
    """Sound is missing here: what follows does not continue what came before."""

    lost: int | None
    """Samples that are missing, at the rate that was asked for; None where nobody knows."""
    reason: str
    """Why, in words."""
