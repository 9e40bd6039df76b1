"""A spectrogram as a small PNG file for people: time to the right, frequency upwards, louder is brighter."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import from_int16
from edge_asd.features.image import viridis

WIDTH, HEIGHT = 600, 128
"""Most pixels in each direction."""
TOP_DB = 80.0
"""Range that is shown, downwards from the loudest pixel, in decibels."""
_FRAME = 2 * HEIGHT * 2
_LEAST_POWER = 1e-10


def draw_spectrogram(samples: NDArray[np.int16]) -> bytes:
    """Return a picture of sound, shape (n,), n ≥ 1, from 0 Hz at the bottom to half the sampling rate at the top.

    A pixel is the mean power of two bins of a Hann-windowed Fourier transform of 512 samples. Longer sound than 600
    frames is shown by frames that lie apart.
    """
    return encode_png(np.rint(255 * _shades(samples)).astype(np.uint8)[::-1])


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG file of pixels, shape (height, width), each an index of the colour map viridis.

    Source: Portable Network Graphics (PNG) Specification, W3C: colour type 3, one filter byte before each row.
    """
    height, width = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)
    palette = np.rint(255 * viridis()).astype(np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _shades(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the brightness of each pixel, from 0 to 1, shape (height, width), low frequencies first."""
    sound = np.pad(from_int16(samples), (0, max(0, _FRAME - len(samples))))
    starts = np.linspace(0, len(sound) - _FRAME, min(WIDTH, 1 + 2 * (len(sound) - _FRAME) // _FRAME)).astype(int)
    window = np.hanning(_FRAME).astype(np.float32)
    pixels = np.empty((HEIGHT, len(starts)))
    for column, start in enumerate(starts):
        power = np.abs(np.fft.rfft(sound[start : start + _FRAME] * window)[: 2 * HEIGHT]) ** 2
        pixels[:, column] = power.reshape(HEIGHT, 2).mean(axis=1)
    decibels = 10 * np.log10(np.maximum(pixels, _LEAST_POWER))
    return np.asarray(np.clip(1 + (decibels - decibels.max()) / TOP_DB, 0, 1), np.float64)
