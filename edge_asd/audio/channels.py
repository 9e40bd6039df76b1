"""From several channels to the one that is listened to."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError

Channel = int | Literal["mix"]
"""A channel counted from 0, or `mix` for the mean of all."""


def check_channel(where: str, channel: Channel, channels: int) -> None:
    """Refuse a channel that a signal of `channels` channels does not have.

    Raises
    ------
    InputError
        Naming `where`, the channels there are and the one asked for.
    """
    if channel == "mix" or 0 <= channel < channels:
        return
    there = "channel 0, the only one," if channels == 1 else f"a channel 0–{channels - 1}"
    raise InputError(where, expected=f"{there} or 'mix'", found=f"channel {channel}")


def to_mono(block: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Choose one channel, or mix all into their mean.

    Parameters
    ----------
    block
        Samples, shape (n, channels).
    channel
        A channel that exists (see :func:`check_channel`), or `mix`.

    Returns
    -------
    Samples, shape (n,). A chosen channel may share the memory of `block`.
    """
    if channel != "mix":
        return block[:, channel]
    # Channel by channel in double precision: the order of the additions, hence the last bit, is the same for any split.
    total = np.zeros(len(block), np.float64)
    for one in block.T:
        total += one
    return (total / block.shape[1]).astype(np.float32)
