"""Raw samples without a header: bytes to float32."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["s16le", "s24le", "s32le", "f32le"]
"""How one raw sample is written: signed integer or float, its bits, little end first (the names are ffmpeg's)."""

ENCODINGS: tuple[str, ...] = get_args(Encoding)
BYTES: dict[Encoding, int] = {"s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4}


def _decode_s16(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(2**15)


def _decode_s24(data: bytes) -> NDArray[np.float32]:
    # The three bytes become the upper three of a 32-bit integer, which carries the sign along.
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return padded.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)


def _decode_s32(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2**31)


def _decode_f32(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4").astype(np.float32)


_DECODERS = {"s16le": _decode_s16, "s24le": _decode_s24, "s32le": _decode_s32, "f32le": _decode_f32}


class PcmDecoder:
    """Turns a stream of bytes, cut anywhere, into blocks of whole sample frames.

    Parameters
    ----------
    encoding
        How one sample is written.
    channels
        Interleaved channels, 1 or more.
    """

    def __init__(self, encoding: Encoding, channels: int) -> None:
        self.channels = channels
        self.frame_bytes = BYTES[encoding] * channels
        self._decode = _DECODERS[encoding]
        self._pending = b""

    @property
    def pending(self) -> int:
        """Bytes of an incomplete frame that wait for the next block."""
        return len(self._pending)

    def process(self, data: bytes) -> NDArray[np.float32]:
        """Decode all complete frames.

        Returns
        -------
        Samples, shape (n, channels), n ≥ 0; full scale is ±1.0.
        """
        data = self._pending + data
        whole = len(data) - len(data) % self.frame_bytes
        self._pending = data[whole:]
        return self._decode(data[:whole]).reshape(-1, self.channels)

    def reset(self) -> None:
        """Forget an incomplete frame."""
        self._pending = b""
