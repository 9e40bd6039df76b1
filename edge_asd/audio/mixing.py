"""Several channels → one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Channel = int | Literal["mix"]
"""A channel, counted from 0, or `mix` for the mean of all."""


def to_mono(samples: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Take one channel of samples, shape (n, channels), or their mean; shape (n,), contiguous."""
    if channel == "mix":
        return np.asarray(samples.mean(axis=1), np.float32)
    return np.ascontiguousarray(samples[:, channel])
