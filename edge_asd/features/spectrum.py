"""Frames of samples → power or magnitude spectra."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.features.mel import ROW_GROUP
from edge_asd.features.types import Float32, Float64, Reals

_CHUNK_SAMPLES = 3 << 15
"""Windowed samples held at once, with as many numbers of their spectra: a core's second cache should hold both."""
_CHUNK_ROWS = 144
"""Frames held at once, more of which would make calls no cheaper per frame."""

_RFFT_TAKES_OUT = int(np.__version__.split(".", maxsplit=1)[0]) >= 2
_rfft: Any = np.fft.rfft
"""NumPy's annotations do not know of single precision."""


def window(name: str, length: int) -> Float64:
    """Periodic window of ``length`` samples, as `scipy.signal.get_window(name, length)`.

    Parameters
    ----------
    name
        `hann`, `hamming` or `boxcar`.
    length
        Number of samples.
    """
    cosine = np.cos(2.0 * np.pi * np.arange(length) / length)
    if name == "hann":
        return np.asarray(0.5 - 0.5 * cosine)
    if name == "hamming":
        return np.asarray(0.54 - 0.46 * cosine)
    if name == "boxcar":
        return np.ones(length)
    raise ValueError(f"window should be hann, hamming or boxcar, got {name!r}")


class _Views(NamedTuple):
    """The working memory of a chunk of some number of frames."""

    windowed: Reals
    """Samples under the window, shape (n, length of the window)."""
    padded: Reals
    """The same with zeros behind them, shape (n, n_fft)."""
    spectra: NDArray[np.complexfloating]
    """All bins of the transform."""
    parts: Reals
    """Those in use, as real and imaginary parts in turn, shape (n, 2·bins)."""
    real: Reals
    imaginary: Reals
    values: Float32
    """Shape (n, bins)."""


class Spectrum:
    """Windowed Fourier transform of frames, frame by frame.

    Parameters
    ----------
    n_fft
        Length of the transform.
    window
        Weights of the samples, at most ``n_fft`` of them; zeros follow. The phase, which alone would tell where in the
        transform the window stands, is thrown away.
    start
        Sample of a frame at which the window begins.
    bins
        First bin to give, and the one after the last.
    magnitude
        Whether to give |X| instead of |X|².
    double
        Whether to transform in double precision; the outcome is rounded to single.

    Attributes
    ----------
    rows : int
        Most frames that :meth:`compute` takes.
    values : NDArray[np.float32]
        Where :meth:`compute` leaves its outcome, shape (rows, bins), the outcome in the first rows.
    scale : float
        What the values must be multiplied by to be |X| or |X|².
    """

    def __init__(
        self,
        n_fft: int,
        window: Float64,
        *,
        start: int = 0,
        bins: tuple[int, int],
        magnitude: bool = False,
        double: bool = False,
    ) -> None:
        real: type[np.float32 | np.float64] = np.float64 if double else np.float32
        self._first, self._end = bins
        count = self._end - self._first
        self.rows = max(1, min(_CHUNK_ROWS, _CHUNK_SAMPLES // n_fft) // ROW_GROUP) * ROW_GROUP
        # NumPy 2 transforms single precision in double, by way of copies, unless it has something to scale by: with
        # norm="forward" it stays single, and is divided by n_fft, which whoever reads the values makes up for.
        self._norm = None if double else "forward"
        self.scale = 1.0 if double else float(n_fft if magnitude else n_fft**2)
        self._magnitude = magnitude
        self._span = slice(start, start + len(window))
        self._window = window.astype(real)
        self._padded = np.zeros((self.rows, n_fft), real)
        self._spectra = np.zeros((self.rows, n_fft // 2 + 1), np.complex128 if double else np.complex64)
        # Rows start at multiples of 64 bytes, so that whatever reads them treats all alike.
        self.values: Float32 = np.zeros((self.rows, -(-count // 16) * 16), np.float32)[:, :count]
        self._views: dict[int, _Views] = {}

    def compute(self, frames: Reals) -> None:
        """Take up to ``rows`` frames of shape (n, frame_length), and leave their spectra in ``values[:n]``."""
        views = self._views.get(len(frames)) or self._look_at(len(frames))
        np.multiply(frames[:, self._span], self._window, out=views.windowed)
        if _RFFT_TAKES_OUT:
            _rfft(views.padded, norm=self._norm, out=views.spectra)
        else:
            views.spectra[:] = _rfft(views.padded, norm=self._norm)
        np.multiply(views.parts, views.parts, out=views.parts)
        np.add(views.real, views.imaginary, out=views.values)
        if self._magnitude:
            np.sqrt(views.values, out=views.values)

    def _look_at(self, count: int) -> _Views:
        padded, spectra = self._padded[:count], self._spectra[:count]
        parts = spectra.view(self._padded.dtype)[:, 2 * self._first : 2 * self._end]
        self._views[count] = views = _Views(
            windowed=padded[:, : len(self._window)],
            padded=padded,
            spectra=spectra,
            parts=parts,
            real=parts[:, 0::2],
            imaginary=parts[:, 1::2],
            values=self.values[:count],
        )
        return views
