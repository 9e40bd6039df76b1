"""Patches of a spectrogram as pictures, without a picture library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_asd.features.log_mel import Spectrogram
from edge_asd.features.types import Float32, Float64, Reals, read_only
from edge_asd.recipe.front_ends import Image


def viridis() -> Float32:
    """Return the colour map viridis (Smith & van der Walt, CC0): 256 colours, shape (256, 3), from 0 to 1."""
    table: Float32 = np.load(Path(__file__).with_name("viridis.npy"), allow_pickle=False)
    return table


def bilinear(length: int, target: int) -> Float64:
    """Weights that enlarge ``length`` pixels to ``target``.

    Pixels are squares, their values lie in their middles, and the outermost values are continued to the edge
    (`align_corners=False` in torch, `half_pixel_centers=True` in TensorFlow).

    Returns
    -------
    NDArray
        Shape (target, length), each row adding up to 1.
    """
    position = np.clip((np.arange(target) + 0.5) * length / target - 0.5, 0, length - 1)
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(length))))


class Picture:
    """Patches of a spectrogram → pictures, each by itself.

    Parameters
    ----------
    settings
        How to draw.
    """

    def __init__(self, settings: Image) -> None:
        self._top_db = settings.top_db
        self._limits = settings.limits
        self._upside_down = settings.low_frequencies == "bottom"
        # Interpolation keeps sums of weights, so what is done to every pixel alike can be done to the table.
        colours = (viridis() - np.array(settings.mean)) / np.array(settings.std)
        self._colours: Float32 = np.ascontiguousarray(colours.T, np.float32)
        self._widen = bilinear(settings.frames, settings.size).T.astype(np.float32)
        self._heighten = bilinear(settings.mel.n_mels, settings.size).astype(np.float32)

    def draw(self, patch: Float32) -> Float32:
        """Draw a patch of shape (frames, n_mels) as a picture of shape (size, size, 3): height, width, colour."""
        shades = self._shades(patch.T)
        pixels = self._colours[:, shades[::-1] if self._upside_down else shades]
        channels = np.matmul(self._heighten, np.matmul(pixels, self._widen))
        return np.ascontiguousarray(channels.transpose(1, 2, 0))

    def _shades(self, values: Float32) -> NDArray[np.intp]:
        largest = values.max()
        if self._top_db is not None:
            values = np.maximum(values, largest - np.float32(self._top_db))
        low, high = self._limits or (values.min(), largest)
        scaled = (values - np.float32(low)) / np.float32(max(high - low, np.finfo(np.float32).tiny))
        shades: NDArray[np.intp] = np.clip(scaled * 256, 0, 255).astype(np.intp)
        return shades


class ImageSegment:
    """A stretch of sound as one picture.

    Parameters
    ----------
    settings
        What to draw, and how.
    sample_rate
        Of the sound, in hertz.

    Attributes
    ----------
    segment_length : int
        Samples that the picture's frames span.
    n_frames, n_features : int
        Rows of pixels, and numbers in a row: `size` times red, green and blue.

    Raises
    ------
    InputError
        When the settings do not fit the sampling rate, or a band would be empty.
    """

    def __init__(self, settings: Image, sample_rate: int) -> None:
        self._spectrogram = Spectrogram(settings.mel, sample_rate)
        self._picture = Picture(settings)
        frame, hop = self._spectrogram.frame_length, self._spectrogram.hop_length
        self.segment_length = (settings.frames - 1) * hop + frame
        self.n_frames = settings.size
        self.n_features = 3 * settings.size

    def process(self, segment: Reals) -> Float32:
        """Draw a segment.

        Parameters
        ----------
        segment
            Shape (segment_length,), in units of full scale.

        Returns
        -------
        NDArray[np.float32]
            Shape (n_frames, n_features), read-only: reshaped to (size, size, 3), the picture as height, width, colour.
        """
        if segment.shape != (self.segment_length,):
            raise ValueError(f"a segment should have the shape {(self.segment_length,)}, got {segment.shape}")
        frames = np.lib.stride_tricks.sliding_window_view(segment, self._spectrogram.frame_length)
        picture = self._picture.draw(self._spectrogram.process(frames[:: self._spectrogram.hop_length]))
        return read_only(picture.reshape(self.n_frames, self.n_features))
