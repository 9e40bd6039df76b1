"""Several channels → one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError

Channel = int | Literal["mix"]
"""A channel, counted from 0, or `mix` for the mean of all."""


def check_channel(where: str, channel: Channel, channels: int) -> None:
    """Refuse a channel that a source of `channels` channels does not have.

    Raises
    ------
    InputError
        Naming `where`, the channel and how many there are.
    """
    if channel == "mix" or 0 <= channel < channels:
        return
    raise InputError(
        where,
        expected=f"channel {channel}, counted from 0",
        found=f"{channels} channel{'s' if channels > 1 else ''}",
        remedy="choose another channel, or mix",
    )


def to_mono(samples: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Take one channel of samples, shape (n, channels), or their mean; shape (n,), contiguous."""
    if channel != "mix":
        return np.ascontiguousarray(samples[:, channel])
    # Added channel by channel: NumPy's own mean may add in another order when the block has another shape.
    total = np.zeros(len(samples), np.float64)
    for one in samples.T:
        total += one
    return np.asarray(total / samples.shape[1], np.float32)
