"""Samples as they are, for nets that work out their own spectrogram."""

from __future__ import annotations

import numpy as np

from edge_asd.features.log_mel import check_sample_rate
from edge_asd.features.types import Float32, Reals, read_only
from edge_asd.recipe.front_ends import Waveform


class Samples:
    """The samples of each frame are its features; those that are not finite count as 0.

    Parameters
    ----------
    settings
        What to pass on.
    sample_rate
        Of the sound, in hertz.

    Attributes
    ----------
    frame_length, hop_length : int
        Samples of a frame, and from one to the next.
    n_features : int
        As many as a frame has samples.

    Raises
    ------
    InputError
        When the net is meant for another sampling rate.
    """

    def __init__(self, settings: Waveform, sample_rate: int) -> None:
        check_sample_rate(settings, sample_rate)
        self.frame_length = settings.frame_length
        self.hop_length = settings.hop_length
        self.n_features = settings.frame_length

    def process(self, frames: Reals) -> Float32:
        """Return frames, shape (n, frame_length), as features of that shape; read-only, valid until the next call."""
        if frames.shape[1] != self.frame_length:
            raise ValueError(f"a frame should have {self.frame_length} samples, got {frames.shape[1]}")
        samples = np.asarray(frames, np.float32)
        if not np.isfinite(samples).all():
            samples = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
        return read_only(samples)
