"""From the rate a source delivers to the rate a bundle was made for.

The work is done by soxr (the SoX resampler, quality HQ: flat to 91 % of the lower Nyquist frequency, aliases below
-100 dB). Its stream gives the very samples of its one-shot call however the signal is cut, which the tests hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

QUALITY = "HQ"


def output_length(length: int, native_rate: int, target_rate: int) -> int:
    """Samples that `length` samples become: `length · target_rate / native_rate`, to the nearest, halves up."""
    return (2 * length * target_rate + native_rate) // (2 * native_rate)


class Resampler:
    """Streaming change of sampling rate for one channel.

    Sample k of all output since the start (or the last :meth:`reset` or :meth:`flush`) is the input at the time
    ``k / target_rate``: the filter's delay shows as output that comes later (about 40 ms at 16 kHz), never as a shift.
    With equal rates a block is returned as it came, without a copy.

    Parameters
    ----------
    native_rate, target_rate
        Sampling rates of input and output in hertz.
    """

    def __init__(self, native_rate: int, target_rate: int) -> None:
        self.native_rate = native_rate
        self.target_rate = target_rate
        if native_rate == target_rate:
            self._stream = None
        else:
            import soxr

            self._stream = soxr.ResampleStream(native_rate, target_rate, 1, dtype="float32", quality=QUALITY)

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples, shape (n,); give the output that is complete by now, shape (m,), m ≥ 0."""
        if self._stream is None:
            return block
        return self._stream.resample_chunk(np.ascontiguousarray(block))

    def flush(self) -> NDArray[np.float32]:
        """End the signal: give the output still held, so that all of it has :func:`output_length`; start afresh."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        tail = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream.clear()
        return tail

    def reset(self) -> None:
        """Forget the signal so far."""
        if self._stream is not None:
            self._stream.clear()


def resample(samples: NDArray[np.float32], native_rate: int, target_rate: int) -> NDArray[np.float32]:
    """Resample a whole signal, shape (n,), to one of :func:`output_length` samples."""
    resampler = Resampler(native_rate, target_rate)
    head = resampler.process(samples)
    tail = resampler.flush()
    return np.concatenate((head, tail)) if len(tail) else head
