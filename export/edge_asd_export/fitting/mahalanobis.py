"""Fits the mean and covariance of a Mahalanobis distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.covariance import LedoitWolf

from edge_asd.errors import InputError
from edge_asd.recipe.detectors import MahalanobisSettings
from edge_asd_export.fitting.requirements import require_features, require_rows, require_varying
from edge_asd_export.fitting.suspicions import constant_features

_LEAST_UNEXPLAINED = 1e-14
"""Smallest share of a feature's variance that the others may leave unexplained: below it stands little but rounding."""


def fit_mahalanobis(
    settings: MahalanobisSettings, rows: NDArray[np.float64], where: str
) -> dict[str, NDArray[np.generic]]:
    """Fit a mean μ and a factor F of the precision, F Fᵀ = Σ⁻¹, to rows of shape (n, d).

    With S the diagonal matrix of the scales, the covariance is estimated of (X − μ) S⁻¹ and F = S⁻¹ F' for its factor
    F'. Blind to an offset, F (I − u uᵀ) with u along Fᵀ 1 takes the place of F: |(x − μ) F|², least over all a added to
    every feature of x, is what of (x − μ) F is at right angles to 1ᵀ F (generalized least squares).
    """
    if settings.blind_to_offset:
        require_features(rows, 2, "a distance that is blind to an offset", where)
    scale = _scale(settings, rows, where)
    arrays = _FITS[settings.covariance](rows if scale is None else rows / scale, where)
    factor = arrays["factor"] if scale is None else arrays["factor"] / scale[:, None]
    if settings.blind_to_offset:
        along = factor.sum(axis=0)
        factor = factor - np.outer(factor @ along, along) / (along @ along)
    return {"mean": rows.mean(axis=0), "factor": factor}


def _scale(settings: MahalanobisSettings, rows: NDArray[np.float64], where: str) -> NDArray[np.float64] | None:
    if settings.least_scale is None:
        return None
    require_rows(rows, 2, "a standard deviation", "record more normal sound", where)
    scale: NDArray[np.float64] = np.maximum(rows.std(axis=0), settings.least_scale)
    return scale


def _fit_identity(rows: NDArray[np.float64], _where: str) -> dict[str, NDArray[np.float64]]:
    return {"factor": np.eye(rows.shape[1])}


def _fit_empirical(rows: NDArray[np.float64], where: str) -> dict[str, NDArray[np.float64]]:
    """The maximum-likelihood covariance, as scikit-learn's `EmpiricalCovariance`, but never formed.

    With (X − μ) / √n = Q R, Σ = Rᵀ R and F = R⁻¹. Forming Σ would square the condition number.
    """
    remedy = "use covariance ledoit-wolf, reduce the features with transform.pca, or record more normal sound"
    require_rows(rows, rows.shape[1] + 1, f"an empirical covariance of {rows.shape[1]} features", remedy, where)
    require_varying(rows, where)
    mean = rows.mean(axis=0)
    upper = np.asarray(np.linalg.qr((rows - mean) / np.sqrt(len(rows)), mode="r"))
    return {"factor": _inverse(upper, where)}


def _fit_ledoit_wolf(rows: NDArray[np.float64], where: str) -> dict[str, NDArray[np.float64]]:
    """The shrunk covariance Σ = Rᵀ R, with F = R⁻¹."""
    require_rows(rows, 2, "a covariance", "record more normal sound", where)
    if len(constant_features(rows)) == rows.shape[1]:
        require_varying(rows, where)
    model = LedoitWolf(store_precision=False).fit(rows)
    try:
        upper = np.linalg.cholesky(model.covariance_).T
    except np.linalg.LinAlgError as error:
        raise _dependent(where) from error
    return {"factor": _inverse(upper, where)}


def _inverse(upper: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    # A diagonal entry over its column: the share of a feature that those before it do not explain.
    unexplained = (np.diagonal(upper) / np.linalg.norm(upper, axis=0)) ** 2
    if np.min(unexplained) < _LEAST_UNEXPLAINED:
        raise _dependent(where)
    return np.asarray(solve_triangular(upper, np.eye(len(upper))))


_FITS = {"empirical": _fit_empirical, "ledoit-wolf": _fit_ledoit_wolf, "identity": _fit_identity}


def _dependent(where: str) -> InputError:
    return InputError(
        where,
        expected="a covariance that can be inverted",
        found="features that depend on one another",
        remedy="reduce the features with transform.pca, or record more normal sound",
    )
