"""Fits what is a sum of kernels: kernel density and one-class support vector machine."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import gammaln
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KernelDensity
from sklearn.svm import OneClassSVM

from edge_asd.errors import InputError
from edge_asd.recipe.detectors import KdeSettings, Kernel, OneClassSvmSettings
from edge_asd_export.fitting.requirements import require_rows, require_varying
from edge_asd_export.fitting.suspicions import constant_features

_ITERATIONS = 1_000_000
"""Steps of the support vector solver after which it is given up: it takes hundreds, or never comes to an end."""
_KERNELS = {"rbf": "rbf", "linear": "linear", "polynomial": "poly"}


def fit_kde(settings: KdeSettings, rows: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    """Fit a kernel density to rows of shape (n, d)."""
    count, features = rows.shape
    bandwidth = float(KernelDensity(kernel=settings.kernel, bandwidth=settings.bandwidth).fit(rows).bandwidth_)
    log_norm = log_kernel_norm(settings.kernel, features) - features * math.log(bandwidth) - math.log(count)
    return {"points": rows, "bandwidth": np.array([bandwidth]), "log_norm": np.array([log_norm])}


def log_kernel_norm(kernel: Kernel, features: int) -> float:
    """Return −ln of a kernel's integral over `features` dimensions, at bandwidth 1 and 1 in its middle.

    The surface of the unit sphere, 2 π^(d/2) / Γ(d/2), times ∫ K(r) r^(d−1) dr.
    """
    log_surface = math.log(2.0) + 0.5 * features * math.log(math.pi) - float(gammaln(0.5 * features))
    return -log_surface - _log_radial_integral(kernel, features)


def fit_one_class_svm(
    settings: OneClassSvmSettings, rows: NDArray[np.float64], where: str
) -> dict[str, NDArray[np.generic]]:
    """Fit a one-class support vector machine to rows of shape (n, d)."""
    require_rows(rows, 2, "a border around them", "record more normal sound", where)
    if len(constant_features(rows)) == rows.shape[1]:
        require_varying(rows, where)
    # The variance of all numbers together, as scikit-learn's own "scale".
    gamma = 1.0 / (rows.shape[1] * rows.var()) if settings.gamma == "scale" else settings.gamma
    model = OneClassSVM(
        kernel=_KERNELS[settings.kernel],
        nu=settings.nu,
        gamma=gamma,
        degree=settings.degree,
        coef0=settings.coef0,
        max_iter=_ITERATIONS,
    )
    _fit(model, rows, where)
    arrays: dict[str, NDArray[np.generic]] = {
        "support_vectors": model.support_vectors_,
        "weights": model.dual_coef_[0],
        "intercept": model.intercept_,
    }
    return arrays if settings.kernel == "linear" else arrays | {"gamma": np.array([gamma])}


def _fit(model: OneClassSVM, rows: NDArray[np.float64], where: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows)
    if model.fit_status_:
        raise InputError(
            where,
            expected="a border around the rows",
            found=f"none after {_ITERATIONS:,} steps of the solver",
            remedy="set transform.standardize, or take the rbf kernel",
        )


def _log_radial_integral(kernel: Kernel, features: int) -> float:
    """Return ln ∫ K(r) r^(d−1) dr."""
    match kernel:
        case "gaussian":
            return (0.5 * features - 1.0) * math.log(2.0) + float(gammaln(0.5 * features))
        case "exponential":
            return float(gammaln(features))
        case "tophat":
            return -math.log(features)
        case "epanechnikov":
            return math.log(2.0 / (features * (features + 2.0)))
        case "linear":
            return -math.log(features * (features + 1.0))
        case "cosine":
            return math.log(_cosine_integral(features))


def _cosine_integral(features: int) -> float:
    # By quadrature: the closed form is a sum of alternating terms as large as d!, which cancel from d of about 20 on.
    integral, _ = quad(
        lambda radius: math.cos(0.5 * math.pi * radius) * radius ** (features - 1), 0.0, 1.0, epsabs=0.0, epsrel=1e-13
    )
    return float(integral)
