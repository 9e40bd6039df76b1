"""What every detector is to the rest of the package."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Detector(Protocol):
    """Rows → scores."""

    @property
    def n_features(self) -> int:
        """Features of a row."""

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return anomaly scores of shape (n,) for finite rows of shape (n, n_features)."""
