"""Samples as integers, and raw ones without a header → floats, full scale ±1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

SampleFormat = Literal["s16le", "s24le", "s32le", "f32le"]
"""Form of raw samples: integers or floats of so many bits, little-endian; the names are ffmpeg's."""
SAMPLE_FORMATS: tuple[SampleFormat, ...] = get_args(SampleFormat)
"""Their names."""


_FULL_SCALE = np.float32(2**15)


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return samples as 16-bit integers, shape kept; what lies beyond full scale is clipped."""
    scaled = np.rint(samples * _FULL_SCALE)
    return np.asarray(np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1, out=scaled), np.int16)


def from_int16(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return 16-bit samples as floats in [−1, 1), shape kept; :func:`to_int16` brings back exactly these."""
    return samples.astype(np.float32) / _FULL_SCALE


def _decode_s16(data: bytes) -> NDArray[np.float32]:
    return from_int16(np.frombuffer(data, "<i2"))


def _decode_s24(data: bytes) -> NDArray[np.float32]:
    # The three bytes become the upper ones of four, which keeps the sign.
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)


def _decode_s32(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2**31)


def _decode_f32(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4").astype(np.float32)


_FORMS: dict[SampleFormat, tuple[int, Callable[[bytes], NDArray[np.float32]]]] = {
    "s16le": (2, _decode_s16),
    "s24le": (3, _decode_s24),
    "s32le": (4, _decode_s32),
    "f32le": (4, _decode_f32),
}


class PcmDecoder:
    """Turns bytes, cut anywhere, into blocks of whole samples of all channels.

    Parameters
    ----------
    form
        Form of one sample.
    channels
        Channels, whose samples take turns.
    """

    def __init__(self, form: SampleFormat, channels: int) -> None:
        width, self._decode = _FORMS[form]
        self.channels = channels
        self.frame_bytes = width * channels
        """Bytes of one sample of every channel."""
        self._rest = b""

    @property
    def pending(self) -> int:
        """Bytes at hand of a sample that is not complete."""
        return len(self._rest)

    def process(self, data: bytes) -> NDArray[np.float32]:
        """Take bytes and return the samples complete by now, full scale ±1, shape (n, channels)."""
        data = self._rest + data
        whole = len(data) - len(data) % self.frame_bytes
        self._rest = data[whole:]
        return self._decode(data[:whole]).reshape(-1, self.channels)
