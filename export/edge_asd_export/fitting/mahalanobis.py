"""Fits the mean and covariance of a Mahalanobis distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.covariance import LedoitWolf

from edge_asd.errors import InputError
from edge_asd.recipe.detectors import MahalanobisSettings
from edge_asd_export.fitting.requirements import require_rows, require_varying
from edge_asd_export.fitting.suspicions import constant_features

_LEAST_UNEXPLAINED = 1e-14
"""Smallest share of a feature's variance that the others may leave unexplained: below it stands little but rounding."""


def fit_mahalanobis(
    settings: MahalanobisSettings, rows: NDArray[np.float64], where: str
) -> dict[str, NDArray[np.generic]]:
    """Fit a mean μ and a factor F of the precision, F Fᵀ = Σ⁻¹, to rows of shape (n, d)."""
    fit = _fit_empirical if settings.covariance == "empirical" else _fit_ledoit_wolf
    return fit(rows, where)


def _fit_empirical(rows: NDArray[np.float64], where: str) -> dict[str, NDArray[np.generic]]:
    """The maximum-likelihood covariance, as scikit-learn's `EmpiricalCovariance`, but never formed.

    With (X − μ) / √n = Q R, Σ = Rᵀ R and F = R⁻¹. Forming Σ would square the condition number.
    """
    remedy = "use covariance ledoit-wolf, reduce the features with transform.pca, or record more normal sound"
    require_rows(rows, rows.shape[1] + 1, f"an empirical covariance of {rows.shape[1]} features", remedy, where)
    require_varying(rows, where)
    mean = rows.mean(axis=0)
    upper = np.asarray(np.linalg.qr((rows - mean) / np.sqrt(len(rows)), mode="r"))
    return {"mean": mean, "factor": _inverse(upper, where)}


def _fit_ledoit_wolf(rows: NDArray[np.float64], where: str) -> dict[str, NDArray[np.generic]]:
    """The shrunk covariance Σ = Rᵀ R, with F = R⁻¹."""
    require_rows(rows, 2, "a covariance", "record more normal sound", where)
    if len(constant_features(rows)) == rows.shape[1]:
        require_varying(rows, where)
    model = LedoitWolf(store_precision=False).fit(rows)
    try:
        upper = np.linalg.cholesky(model.covariance_).T
    except np.linalg.LinAlgError as error:
        raise _dependent(where) from error
    return {"mean": model.location_, "factor": _inverse(upper, where)}


def _inverse(upper: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    # A diagonal entry over its column: the share of a feature that those before it do not explain.
    unexplained = (np.diagonal(upper) / np.linalg.norm(upper, axis=0)) ** 2
    if np.min(unexplained) < _LEAST_UNEXPLAINED:
        raise _dependent(where)
    return np.asarray(solve_triangular(upper, np.eye(len(upper))))


def _dependent(where: str) -> InputError:
    return InputError(
        where,
        expected="a covariance that can be inverted",
        found="features that depend on one another",
        remedy="reduce the features with transform.pca, or record more normal sound",
    )
