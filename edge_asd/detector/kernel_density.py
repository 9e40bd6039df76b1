"""Kernel density: the score is the negative log density, in nats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.detector.distances import SquaredDistances
from edge_asd.detector.numerics import in_chunks, log_sum_exp
from edge_asd.recipe.detectors import KdeSettings

_SMALLEST = float(np.finfo(np.float64).tiny)

LogKernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Squared distances in bandwidths → log of the kernel; overwrites its argument."""
Kernel = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Squared distances below one bandwidth, in bandwidths → the kernel."""


def _log_gaussian(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    squared *= -0.5
    return squared


def _log_exponential(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    np.sqrt(squared, out=squared)
    return np.asarray(np.negative(squared, out=squared))


_ENDLESS: dict[str, LogKernel] = {"gaussian": _log_gaussian, "exponential": _log_exponential}
_BOUNDED: dict[str, Kernel] = {
    "tophat": np.ones_like,
    "epanechnikov": lambda squared: 1.0 - squared,
    "linear": lambda squared: 1.0 - np.sqrt(squared),
    "cosine": lambda squared: np.cos(0.5 * np.pi * np.sqrt(squared)),
}


class KernelDensity:
    """−ln Σ_i K(|x − p_i| / h) − ln(norm / m), as `score_samples` of scikit-learn 1.9's `KernelDensity`, negated.

    scikit-learn's trees bury the density of rows far from all points in rounding; here it keeps its digits.
    Beyond the reach of every bounded kernel the density is 0 and scikit-learn's score infinite. Here the sum of kernels
    is at least the smallest normal float64, so that scores stay finite: about 708 above that of a single full kernel.

    Parameters
    ----------
    kernel
        Shape of the kernel.
    points
        Shape (m, d).
    bandwidth
        h.
    log_norm
        Logarithm of the norm of a kernel over the number of points.
    """

    def __init__(self, kernel: str, points: NDArray[np.float64], bandwidth: float, log_norm: float) -> None:
        self.n_features = points.shape[1]
        self._size = len(points)
        self._scale = bandwidth**-2
        self._log_norm = log_norm
        self._squared_distances = SquaredDistances(points)
        self._log_sum = _log_sum_of(_ENDLESS[kernel]) if kernel in _ENDLESS else _bounded_log_sum_of(_BOUNDED[kernel])

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        return in_chunks(rows, self._size, self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        squared = self._squared_distances(rows)
        squared *= self._scale
        return np.asarray(-self._log_norm - self._log_sum(squared))


def build_kernel_density(settings: KdeSettings, reader: ArrayReader) -> KernelDensity:
    """Make it of `points` (m, d), `bandwidth` (1,) and `log_norm` (1,)."""
    points = reader.floats("points", "m", "d")
    bandwidth = float(reader.positive("bandwidth", 1)[0])
    return KernelDensity(settings.kernel, points, bandwidth, float(reader.floats("log_norm", 1)[0]))


def _log_sum_of(log_kernel: LogKernel) -> LogKernel:
    return lambda squared: log_sum_exp(log_kernel(squared))


def _bounded_log_sum_of(kernel: Kernel) -> LogKernel:
    def log_sum(squared: NDArray[np.float64]) -> NDArray[np.float64]:
        outside = squared >= 1.0
        squared[outside] = 0.0
        values = kernel(squared)
        values[outside] = 0.0
        return np.asarray(np.log(np.maximum(values.sum(axis=1), _SMALLEST)))

    return log_sum
