"""Mel scales, filter banks, and a fast product with one that gives a frame the same bits wherever it stands.

Most of a filter bank is zeros, so it is cut into dense blocks of neighbouring bands. The products are BLAS's, and BLAS
may round a row of a matrix differently depending on which row it is, and on how many there are: OpenBLAS does so on
x86-64 without AVX-512. It works through a matrix in tiles, though, and whole tiles are alike: with rows in groups of
twelve and blocks of at most twelve bands no kernel was found to tell rows apart (Haswell, SkylakeX, Sandybridge,
Nehalem, Katmai, and ARMv8 on Cortex-A53, A72 and A76). Each :class:`MelBank` puts that to the test when it is set up,
and multiplies frame by frame where it does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edge_asd.features.types import Float32, Float64

ROW_GROUP = 12
"""Rows are multiplied in multiples of this many."""
_MOST_BANDS = 12
_MOST_PRODUCTS = 1 << 18
"""Multiplications from which OpenBLAS takes several threads, whose waking costs more than it saves here."""

_LINEAR_STEP = 200.0 / 3.0
_LOG_START = 1000.0
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequencies: Float64, *, htk: bool) -> Float64:
    """Hertz to mel: HTK's 2595·log10(1 + f/700), or Slaney's (Auditory Toolbox), linear to 1 kHz and log above."""
    if htk:
        return np.asarray(2595.0 * np.log10(1.0 + frequencies / 700.0))
    logarithmic = _LOG_START / _LINEAR_STEP + np.log(np.maximum(frequencies, _LOG_START) / _LOG_START) / _LOG_STEP
    return np.where(frequencies < _LOG_START, frequencies / _LINEAR_STEP, logarithmic)


def mel_to_hz(mels: Float64, *, htk: bool) -> Float64:
    """Mel to hertz, the inverse of :func:`hz_to_mel`."""
    if htk:
        return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))
    start = _LOG_START / _LINEAR_STEP
    logarithmic = _LOG_START * np.exp(_LOG_STEP * (np.maximum(mels, start) - start))
    return np.where(mels < start, mels * _LINEAR_STEP, logarithmic)


def mel_filters(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    *,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: str | None = "slaney",
    slopes: str = "hertz",
) -> Float64:
    """Triangular filters, evenly spaced on a mel scale.

    With ``slopes="hertz"`` these are `librosa.filters.mel`'s (0.11); with ``slopes="mel"``, ``htk=True`` and
    ``norm=None`` those of VGGish (`mel_features.spectrogram_to_mel_matrix`) and of
    `tf.signal.linear_to_mel_weight_matrix`, which gives the constant bin to no band.

    Returns
    -------
    NDArray
        Weights of shape (n_mels, n_fft // 2 + 1).
    """
    fmax = sample_rate / 2.0 if fmax is None else fmax
    bins = np.asarray(np.arange(n_fft // 2 + 1) * (sample_rate / n_fft), np.float64)
    low, high = hz_to_mel(np.array([fmin, fmax]), htk=htk)
    mel_edges = np.linspace(low, high, n_mels + 2)
    hz_edges = mel_to_hz(mel_edges, htk=htk)
    axis, edges = (bins, hz_edges) if slopes == "hertz" else (hz_to_mel(bins, htk=htk), mel_edges)
    below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.maximum(0.0, np.minimum((axis - below) / (centre - below), (above - axis) / (above - centre)))
    if slopes == "mel":
        weights[:, 0] = 0.0
    if norm == "slaney":
        weights *= (2.0 / (hz_edges[2:] - hz_edges[:-2]))[:, None]
    return np.asarray(weights)


class _Block(NamedTuple):
    """Some neighbouring bands, and the bins that any of them takes in."""

    bins: slice
    bands: slice
    weights: Float32
    """Shape (bins, bands)."""


class _Product(NamedTuple):
    """One matrix product, ready to be computed."""

    spectra: Float32
    weights: Float32
    energies: Float32


class MelBank:
    """Product of spectra with a filter bank.

    Parameters
    ----------
    filters
        Weights of shape (n_mels, bins).
    spectra
        Where the spectra will stand, shape (rows, bins), rows being a multiple of ``ROW_GROUP``. All of it must be
        finite from the beginning, since rows beyond those in use are multiplied along.

    Attributes
    ----------
    values : NDArray[np.float32]
        Where :meth:`apply` leaves its outcome, shape (rows, n_mels), the outcome in the first rows.
    """

    def __init__(self, filters: Float64, spectra: Float32) -> None:
        self._spectra = spectra
        self.values: Float32 = np.zeros((len(spectra), len(filters)), np.float32)
        self._blocks = list(_cut_into_blocks(filters, len(spectra)))
        self._products: dict[int, list[_Product]] = {}
        self._group = ROW_GROUP
        if not self._treats_rows_alike():
            self._group = 1
            self._products.clear()

    def apply(self, count: int) -> None:
        """Multiply the first ``count`` spectra."""
        rows = -(-count // self._group) * self._group
        for spectra, weights, energies in self._products.get(rows) or self._prepare(rows):
            np.matmul(spectra, weights, out=energies)

    def _prepare(self, rows: int) -> list[_Product]:
        self._products[rows] = products = []
        for bins, bands, weights in self._blocks:
            spectra, energies = self._spectra[:rows, bins], self.values[:rows, bands]
            if self._group == 1:  # a stack of one-row matrices: each frame is a vector, multiplied by itself
                spectra, energies = spectra[:, np.newaxis], energies[:, np.newaxis]
            products.append(_Product(spectra, weights, energies))
        return products

    def _treats_rows_alike(self) -> bool:
        # Rounding depends on the order of the sums alone, so any row of uneven numbers brings a difference to light.
        self._spectra[:] = np.sin(np.arange(self._spectra.shape[1]) * 12.9898) ** 2
        self.apply(ROW_GROUP)
        first = self.values[0].copy()
        alike = True
        for rows in range(ROW_GROUP, len(self._spectra) + 1, ROW_GROUP):
            self.values[:] = -1.0
            self.apply(rows)
            alike = alike and bool((self.values[:rows] == first).all())
        self._spectra[:] = 0.0
        return alike


def _cut_into_blocks(filters: Float64, rows: int) -> list[_Block]:
    blocks = []
    start = 0
    while start < len(filters):
        stop = min(start + _MOST_BANDS, len(filters))
        while stop - start > 1 and _size(filters[start:stop]) * rows > _MOST_PRODUCTS:
            stop -= 1
        bins = slice(*support(filters[start:stop]))
        blocks.append(_Block(bins, slice(start, stop), np.ascontiguousarray(filters[start:stop, bins].T, np.float32)))
        start = stop
    return blocks


def _size(filters: Float64) -> int:
    start, stop = support(filters)
    return (stop - start) * len(filters)


def support(filters: Float64) -> tuple[int, int]:
    """Return the first bin that any of the filters takes in, and the one after the last."""
    used = np.flatnonzero(filters.any(axis=0))
    return (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
