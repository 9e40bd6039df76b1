"""Spectrograms of a stream, log-mel or with all bins: one routine for streams, segments and files."""

from __future__ import annotations

import numpy as np

from edge_asd.errors import InputError
from edge_asd.features.compression import compress
from edge_asd.features.mel import MelBank, mel_filters, support
from edge_asd.features.spectrum import Spectrum, window
from edge_asd.features.types import Float32, Float64, Reals, read_only
from edge_asd.recipe.front_ends import LogMel, LogSpectrogram, Waveform

_LOUDEST = 1e12
"""In a frame whose spectrum overflows, samples are clipped to this many times full scale."""


class Spectrogram:
    """Log spectra or log-mel spectra, each frame by itself.

    What a frame gives does not depend on which frames are computed along with it, to the last bit. Samples that are
    not finite count as 0, and features are always finite.

    Parameters
    ----------
    settings
        What to compute; rules that need a whole segment are left to :class:`edge_asd.features.segment.Segment`.
    sample_rate
        Of the sound, in hertz.

    Attributes
    ----------
    frame_length, hop_length : int
        Samples of a frame, and from one to the next.
    n_features : int
        Features of a frame.

    Raises
    ------
    InputError
        When the settings do not fit the sampling rate, or a band would be empty.
    """

    def __init__(self, settings: LogMel | LogSpectrogram, sample_rate: int) -> None:
        check_sample_rate(settings, sample_rate)
        self.frame_length = settings.frame_length
        self.hop_length = settings.hop_length
        self._log = settings.log
        self._sqrt = False
        self._bank: MelBank | None = None
        if isinstance(settings, LogMel):
            filters = _filters(settings, sample_rate)
            first, end = support(filters)
            self._sqrt = settings.sqrt
            self._spectrum = _spectrum(settings, (first, end))
            self._bank = MelBank(filters[:, first:end] * self._spectrum.scale, self._spectrum.values)
        else:
            self._spectrum = _spectrum(settings, (0, settings.n_fft // 2 + 1))
        self._values = self._spectrum.values if self._bank is None else self._bank.values
        self.n_features = self._values.shape[1]
        self._features = np.empty((0, self.n_features), np.float32)

    def process(self, frames: Reals) -> Float32:
        """Compute the features of frames.

        Parameters
        ----------
        frames
            Any number of frames, shape (n, frame_length), in units of full scale.

        Returns
        -------
        NDArray[np.float32]
            Shape (n, n_features), read-only, valid until the next call.
        """
        if len(frames) > len(self._features):
            self._features = np.empty((len(frames), self.n_features), np.float32)
        features = self._features[: len(frames)]
        self.compute(frames, features)
        return read_only(features)

    def compute(self, frames: Reals, out: Float32) -> None:
        """Compute the features of any number of frames, shape (n, frame_length), into ``out``, (n, n_features)."""
        if frames.shape[1] != self.frame_length:
            raise ValueError(f"a frame should have {self.frame_length} samples, got {frames.shape[1]}")
        rows = self._spectrum.rows
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(frames), rows):
                self._compute_chunk(frames[start : start + rows], out[start : start + rows])

    def _compute_chunk(self, frames: Reals, out: Float32) -> None:
        values = self._compute_values(frames)
        if not values.max(initial=0.0) < np.inf:
            values = self._compute_values(_repair(frames, values))
        compress(values, self._log, out)

    def _compute_values(self, frames: Reals) -> Float32:
        count = len(frames)
        self._spectrum.compute(frames)
        values = self._values[:count]
        if self._bank is None:
            np.multiply(values, np.float32(self._spectrum.scale), out=values)
        else:
            self._bank.apply(count)
        if self._sqrt:
            np.sqrt(values, out=values)
        return values


def _repair(frames: Reals, values: Float32) -> Reals:
    frames = np.array(frames)
    bad = np.flatnonzero(~np.isfinite(values.max(axis=1)))
    frames[bad] = np.clip(np.nan_to_num(frames[bad], posinf=0.0, neginf=0.0), -_LOUDEST, _LOUDEST)
    return frames


def _spectrum(settings: LogMel | LogSpectrogram, bins: tuple[int, int]) -> Spectrum:
    length = settings.window_length
    return Spectrum(
        settings.n_fft,
        window(settings.window, length),
        start=(settings.frame_length - length) // 2,
        bins=bins,
        magnitude=settings.power == 1,
        double=settings.precision == "double",
    )


def check_sample_rate(settings: LogMel | LogSpectrogram | Waveform, sample_rate: int) -> None:
    """Refuse a sampling rate, in hertz, that a front end is not made for."""
    if settings.sample_rate not in (None, sample_rate):
        raise InputError(
            "sample_rate",
            expected=f"{settings.sample_rate} Hz, for which this front end is made",
            found=f"{sample_rate} Hz",
            remedy=f"give the recipe sample_rate: {settings.sample_rate}",
        )


def _filters(settings: LogMel, sample_rate: int) -> Float64:
    fmax = sample_rate / 2 if settings.fmax is None else settings.fmax
    if not settings.fmin < fmax <= sample_rate / 2:
        raise InputError(
            "front_end.fmax",
            expected=f"more than fmin, {settings.fmin:g} Hz, and at most half of sample_rate, {sample_rate / 2:g} Hz",
            found=f"{fmax:g} Hz",
            remedy="lower fmax (or fmin), or raise sample_rate",
        )
    filters = mel_filters(
        sample_rate,
        settings.n_fft,
        settings.n_mels,
        fmin=settings.fmin,
        fmax=fmax,
        htk=settings.htk,
        norm=settings.norm,
        slopes=settings.slopes,
    )
    empty = np.flatnonzero(~filters.any(axis=1))
    if len(empty) and not settings.empty_bands:
        raise InputError(
            "front_end.n_mels",
            expected=f"so few bands that each takes in one of the bins, {sample_rate / settings.n_fft:g} Hz apart",
            found=f"{settings.n_mels} bands, of which {len(empty)} take in none",
            remedy="lower n_mels, raise n_fft or fmin, or set empty_bands: true",
        )
    return filters
