"""Fits the principal components that a residual is measured from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from edge_asd.errors import InputError
from edge_asd.recipe.detectors import PcaResidualSettings
from edge_asd_export.fitting.requirements import require_rows


def fit_pca_residual(
    settings: PcaResidualSettings, rows: NDArray[np.float64], where: str
) -> dict[str, NDArray[np.generic]]:
    """Fit principal components to rows of shape (n, d)."""
    count = settings.components
    least = count + 2 if isinstance(count, int) else 3
    require_rows(rows, least, f"components={count} and something left over", "record more normal sound", where)
    if isinstance(count, int) and count >= rows.shape[1]:
        raise _nothing_left(f"{where}.components", rows.shape[1], count)
    pca = PCA(count, svd_solver="full").fit(rows)
    if pca.n_components_ == min(rows.shape[1], len(rows) - 1):
        raise _nothing_left(f"{where}.components", rows.shape[1], pca.n_components_)
    return {"mean": pca.mean_, "components": pca.components_}


def _nothing_left(where: str, features: int, components: int) -> InputError:
    return InputError(
        where,
        expected=f"fewer components than the {features} features and the rows span",
        found=str(components),
        remedy="ask for fewer, or for a smaller fraction of the variance",
    )
