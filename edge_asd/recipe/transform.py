"""Settings of an affine map of rows: `transform: {standardize: true, pca: 0.98}`."""

from __future__ import annotations

from edge_asd.settings import Fraction, PositiveInt, Settings

Components = PositiveInt | Fraction | None
"""How many principal components to keep: a count, the fraction of the variance that they must explain, or all."""


class TransformSettings(Settings):
    """An affine map of rows, fitted to normal rows."""

    standardize: bool = False
    """Bring every feature to mean 0 and standard deviation 1."""
    pca: Components = None
    """Principal components to keep: a count, or the fraction of the variance to explain; no PCA where left out."""
    whiten: bool = False
    """Bring every principal component to standard deviation 1."""
    drop_constant: bool = False
    """Leave out features that never change in the normal rows, such as dead units of a network."""

    def __post_init__(self) -> None:
        if self.whiten and self.pca is None:
            raise ValueError("whiten works on principal components: give pca beside it, or standardize instead")
