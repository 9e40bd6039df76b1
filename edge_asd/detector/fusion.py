"""Several detectors' scores as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.detector.protocol import Detector
from edge_asd.recipe.detectors import FusionSettings

_COMBINE: dict[str, Callable[..., NDArray[np.float64]]] = {
    "min": np.minimum.reduce,
    "max": np.maximum.reduce,
    "mean": np.mean,
}


class Fusion:
    """Smallest, mean or largest of (s_i − m_i) / w_i over detectors i.

    Parameters
    ----------
    settings
        How the scores are combined.
    detectors
        The detectors.
    means
        Mean score m of each on held-out normal rows.
    scales
        Standard deviation w of each on held-out normal rows.
    """

    def __init__(
        self,
        settings: FusionSettings,
        detectors: Sequence[Detector],
        means: NDArray[np.float64],
        scales: NDArray[np.float64],
    ) -> None:
        self.n_features = detectors[0].n_features
        self._detectors = detectors
        self._means = means[:, None]
        self._scales = scales[:, None]
        self._combine = _COMBINE[settings.combine]

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        scores = np.stack([detector.score(rows) for detector in self._detectors])
        scores -= self._means
        scores /= self._scales
        return np.asarray(self._combine(scores, axis=0))
