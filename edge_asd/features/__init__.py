"""Front ends: frames or segments of samples → features, with NumPy alone.

Each front end is built once from its settings, then takes frames or segments. `StreamFrontEnd` works on frames of one
grid without padding; `SegmentFrontEnd` on stretches that are padded, or whose rules need all of their frames.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from edge_asd.features.image import ImageSegment
from edge_asd.features.level import Level
from edge_asd.features.log_mel import Spectrogram
from edge_asd.features.presets import PRESETS, resolve
from edge_asd.features.segment import Segment
from edge_asd.features.types import Float32, Reals
from edge_asd.features.waveform import Samples
from edge_asd.recipe.front_ends import FrontEnd, Image, Rms, Waveform

__all__ = ["PRESETS", "SegmentFrontEnd", "StreamFrontEnd", "build_front_end", "resolve"]


@runtime_checkable
class StreamFrontEnd(Protocol):
    """Frames → features, each frame by itself."""

    frame_length: int
    """Samples of a frame."""
    hop_length: int
    """Samples from one frame to the next."""
    n_features: int
    """Features of a frame."""

    def process(self, frames: Reals) -> Float32:
        """Frames of shape (n, frame_length) → features of shape (n, n_features), read-only, valid until the next call.

        Any number of frames: a whole recording's are
        ``np.lib.stride_tricks.sliding_window_view(samples, frame_length)[::hop_length]``.
        """
        ...


@runtime_checkable
class SegmentFrontEnd(Protocol):
    """A segment of sound → features of all its frames."""

    segment_length: int
    """Samples of a segment."""
    n_frames: int
    """Frames that a segment gives."""
    n_features: int
    """Features of a frame."""

    def process(self, segment: Reals) -> Float32:
        """Segment of shape (segment_length,) → features of shape (n_frames, n_features), valid until the next call."""
        ...


def build_front_end(settings: FrontEnd, sample_rate: int) -> StreamFrontEnd | SegmentFrontEnd:
    """Build the front end that the settings ask for.

    Parameters
    ----------
    settings
        What to compute.
    sample_rate
        Of the sound, in hertz.

    Raises
    ------
    InputError
        When the settings do not fit the sampling rate, or a mel band would be empty.
    """
    settings = resolve(settings)
    if isinstance(settings, Rms):
        return Level(settings)
    if isinstance(settings, Waveform):
        return Samples(settings, sample_rate)
    if isinstance(settings, Image):
        return ImageSegment(settings, sample_rate)
    if settings.segment_length is None:
        return Spectrogram(settings, sample_rate)
    return Segment(settings, sample_rate)
