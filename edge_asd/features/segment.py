"""Spectrograms of whole segments: padding, and rules that need all frames of a segment."""

from __future__ import annotations

import numpy as np

from edge_asd.features.compression import finish
from edge_asd.features.log_mel import Spectrogram
from edge_asd.features.types import Float32, Reals, read_only
from edge_asd.recipe.front_ends import LogMel, LogSpectrogram


class Segment:
    """Spectrogram of one segment of sound.

    Nothing is carried from one segment to the next, so overlapping segments give what each gives alone, to the last
    bit: padding and maxima belong to the segment.

    Parameters
    ----------
    settings
        What to compute, ``segment_length`` given.
    sample_rate
        Of the sound, in hertz.

    Attributes
    ----------
    segment_length : int
        Samples of a segment.
    n_frames, n_features : int
        Shape of its features.

    Raises
    ------
    InputError
        When the settings do not fit the sampling rate, or a band would be empty.
    """

    def __init__(self, settings: LogMel | LogSpectrogram, sample_rate: int) -> None:
        if settings.segment_length is None:
            raise ValueError("segment_length should be given for a segment, got None")
        self.segment_length = settings.segment_length
        self._spectrogram = Spectrogram(settings, sample_rate)
        self._log = settings.log
        self._reflect = settings.center and settings.pad_mode == "reflect"
        left, right = _padding(settings, self.segment_length)
        self._padded = np.zeros(left + self.segment_length + right, np.float32)
        self._inside = slice(left, left + self.segment_length)
        frame, hop = settings.frame_length, settings.hop_length
        self._frames = np.lib.stride_tricks.sliding_window_view(self._padded, frame)[::hop]
        self.n_frames = len(self._frames)
        self.n_features = self._spectrogram.n_features
        self._features = np.empty((self.n_frames, self.n_features), np.float32)

    def process(self, segment: Reals) -> Float32:
        """Compute the features of a segment.

        Parameters
        ----------
        segment
            Shape (segment_length,), in units of full scale.

        Returns
        -------
        NDArray[np.float32]
            Shape (n_frames, n_features), read-only, valid until the next call.
        """
        if segment.shape != (self.segment_length,):
            raise ValueError(f"a segment should have the shape {(self.segment_length,)}, got {segment.shape}")
        self._padded[self._inside] = segment
        if self._reflect:
            self._mirror_ends()
        self._spectrogram.compute(self._frames, self._features)
        finish(self._features, self._log)
        return read_only(self._features)

    def _mirror_ends(self) -> None:
        padded, start, stop = self._padded, self._inside.start, self._inside.stop
        padded[:start] = padded[2 * start : start : -1]
        after = len(padded) - stop
        padded[stop:] = padded[stop - 2 : stop - 2 - after : -1]


def _padding(settings: LogMel | LogSpectrogram, length: int) -> tuple[int, int]:
    frame, hop = settings.frame_length, settings.hop_length
    if settings.center:
        return frame // 2, frame // 2
    if settings.padding == "valid":
        return 0, 0
    frames = -(-length // hop)
    missing = max((frames - 1) * hop + frame - length, 0)
    left = missing // 2 if settings.padding == "same" else 0
    return left, missing - left
