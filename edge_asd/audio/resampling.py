"""From the rate a source delivers to the rate a bundle was made for.

The work is soxr's (the SoX resampler at quality VHQ). Its stream gives the very samples of its one-shot call however
the signal is cut into blocks; the tests hold it to that. VHQ computes in double precision and rounds once, so that x86
and Arm give the same bits; in single precision (HQ) they differ by some 1e-7, which is all that a net of a higher rate
than the recording's hears in its upper bands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

QUALITY = "VHQ"
"""Of soxr: flat to 91 % of the lower Nyquist frequency, 28 bits deep."""


def output_length(length: int, native_rate: int, target_rate: int) -> int:
    """Return how many samples `length` samples become: length · target_rate / native_rate, rounded, halves up."""
    return (2 * length * target_rate + native_rate) // (2 * native_rate)


class Resampler:
    """Changes the sampling rate of a mono stream.

    Sample k of all output since the start or a `flush` is the input at the time k / target_rate. The
    filter's delay shows in that output comes later, by some 40 ms at 16 kHz, and never as a shift. With equal rates a
    block is passed on as it came, without a copy.

    Parameters
    ----------
    native_rate, target_rate
        Sampling rates of input and output, in hertz.
    """

    def __init__(self, native_rate: int, target_rate: int) -> None:
        self.native_rate = native_rate
        self.target_rate = target_rate
        self._stream = None if native_rate == target_rate else _open_stream(native_rate, target_rate)

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples, shape (n,), and return those of the output that are complete by now, shape (m,), m ≥ 0."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(np.ascontiguousarray(block)))

    def flush(self) -> NDArray[np.float32]:
        """End the signal and return the rest of its output, `output_length` in all; what follows is a new signal."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        tail = np.asarray(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        self._stream.clear()
        return tail


def _open_stream(native_rate: int, target_rate: int) -> Any:
    import soxr  # noqa: PLC0415 - a device whose rates are equal needs none

    return soxr.ResampleStream(native_rate, target_rate, 1, dtype="float32", quality=QUALITY)
