"""Level of each frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.features.types import Float32, Reals, read_only
from edge_asd.recipe.front_ends import Rms

_ROWS = 96
"""Frames whose values are held at once."""


class Level:
    """Root mean square of each frame in dB re full scale: 10·log10(max(mean(x²), amin)).

    The mean is `librosa.feature.rms(center=False)` squared, computed in double precision; without an offset, the
    variance takes its place. Samples that are not finite count as 0, and the level is always finite.

    Parameters
    ----------
    settings
        What to compute.

    Attributes
    ----------
    frame_length, hop_length : int
        Samples of a frame, and from one to the next.
    n_features : int
        1.
    """

    def __init__(self, settings: Rms) -> None:
        self.frame_length = settings.frame_length
        self.hop_length = settings.hop_length
        self.n_features = 1
        self._amin, self._without_offset = settings.amin, settings.without_offset
        self._values = np.empty((_ROWS, self.frame_length))
        self._features = np.empty((_ROWS, 1), np.float32)

    def process(self, frames: Reals) -> Float32:
        """Compute levels, shape (n, 1), of frames, (n, frame_length); read-only, valid until the next call."""
        if frames.shape[1] != self.frame_length:
            raise ValueError(f"a frame should have {self.frame_length} samples, got {frames.shape[1]}")
        if len(frames) > len(self._features):
            self._features = np.empty((len(frames), 1), np.float32)
        for start in range(0, len(frames), _ROWS):
            chunk = frames[start : start + _ROWS]
            self._compute_chunk(chunk, self._features[start : start + len(chunk), 0])
        return read_only(self._features[: len(frames)])

    def _compute_chunk(self, frames: Reals, out: Float32) -> None:
        finite = np.isfinite(frames)
        means = self._mean_squares(frames if finite.all() else np.where(finite, frames, 0))
        out[:] = 10.0 * np.log10(np.maximum(means, self._amin))

    def _mean_squares(self, frames: Reals) -> NDArray[np.float64]:
        values = self._values[: len(frames)]
        offset = frames.mean(axis=1, dtype=np.float64, keepdims=True) if self._without_offset else 0.0
        np.subtract(frames, offset, out=values, dtype=np.float64)
        np.square(values, out=values)
        return np.asarray(values.mean(axis=1))
