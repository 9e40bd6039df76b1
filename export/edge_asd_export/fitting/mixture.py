"""Fits Gaussian mixtures."""

from __future__ import annotations

import logging
import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from edge_asd.errors import InputError
from edge_asd.recipe.detectors import BayesianGmmSettings, GmmSettings
from edge_asd_export.fitting.requirements import require_rows, require_varying

_LOG = logging.getLogger(__name__)
_COVARIANCES = {"spherical": "spherical", "diagonal": "diag", "tied": "tied", "full": "full"}
_STARTS = {"k-means": "kmeans", "k-means++": "k-means++", "random": "random"}
_PRIORS = {"dirichlet-process": "dirichlet_process", "dirichlet": "dirichlet_distribution"}


def fit_gmm(settings: GmmSettings, rows: NDArray[np.float64], seed: int, where: str) -> dict[str, NDArray[np.generic]]:
    """Fit a Gaussian mixture to rows of shape (n, d)."""
    _check(settings, rows, where)
    model = GaussianMixture(
        settings.components,
        covariance_type=_COVARIANCES[settings.covariance],
        max_iter=settings.max_iter,
        reg_covar=settings.reg_covar,
        n_init=settings.n_init,
        init_params=_STARTS[settings.init],
        random_state=seed,
    )
    _fit(model, rows, where)
    return _arrays(model, np.log(model.weights_) + _log_normalization(model))


def fit_bayesian_gmm(
    settings: BayesianGmmSettings, rows: NDArray[np.float64], seed: int, where: str
) -> dict[str, NDArray[np.generic]]:
    """Fit a variational Gaussian mixture to rows of shape (n, d)."""
    _check(settings, rows, where)
    model = BayesianGaussianMixture(
        n_components=settings.components,
        covariance_type=_COVARIANCES[settings.covariance],
        max_iter=settings.max_iter,
        reg_covar=settings.reg_covar,
        n_init=settings.n_init,
        init_params=_STARTS[settings.init],
        weight_concentration_prior_type=_PRIORS[settings.weights],
        weight_concentration_prior=settings.concentration,
        random_state=seed,
    )
    _fit(model, rows, where)
    return _arrays(model, _expected_log_weights(model) + _log_normalization(model) + _expected_log_precision(model))


def _check(settings: GmmSettings | BayesianGmmSettings, rows: NDArray[np.float64], where: str) -> None:
    require_rows(
        rows,
        2 * settings.components,
        f"{settings.components} components, two each",
        f"ask for at most {len(rows) // 2} components, or record more normal sound",
        where,
    )
    if settings.covariance != "spherical":
        require_varying(rows, where)


def _fit(model: GaussianMixture | BayesianGaussianMixture, rows: NDArray[np.float64], where: str) -> None:
    # The limit of iterations is a setting, and papers set it low: reaching it is worth a word, not a refusal.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(rows)
        except ValueError as error:
            raise InputError(
                where,
                expected=f"{model.n_components} components, each with rows that spread in every direction",
                found=f"one without, of {len(rows)} rows with {rows.shape[1]} features",
                remedy="raise reg_covar, ask for fewer components, or record more normal sound",
            ) from error
    if not model.converged_:
        _LOG.warning("%s: the mixture was still improving after %d iterations", where, model.max_iter)


def _arrays(
    model: GaussianMixture | BayesianGaussianMixture, offsets: NDArray[np.float64]
) -> dict[str, NDArray[np.generic]]:
    return {"means": model.means_, "factors": model.precisions_cholesky_, "offsets": offsets}


def _log_normalization(model: GaussianMixture | BayesianGaussianMixture) -> NDArray[np.float64]:
    """Return ln |F_k| − d/2 ln 2π of every component, shape (k,)."""
    features = model.means_.shape[1]
    factors = model.precisions_cholesky_
    match model.covariance_type:
        case "spherical":
            log_determinants = features * np.log(factors)
        case "diag":
            log_determinants = np.sum(np.log(factors), axis=1)
        case "tied":
            log_determinants = np.full(len(model.means_), np.sum(np.log(np.diagonal(factors))))
        case _:
            log_determinants = np.sum(np.log(np.diagonal(factors, axis1=1, axis2=2)), axis=1)
    return np.asarray(log_determinants - 0.5 * features * math.log(2 * math.pi))


def _expected_log_weights(model: BayesianGaussianMixture) -> NDArray[np.float64]:
    """E[ln π] (Blei & Jordan 2006 for the Dirichlet process, Bishop 2006 eq. 10.66 for the Dirichlet distribution)."""
    if model.weight_concentration_prior_type == "dirichlet_distribution":
        concentration = model.weight_concentration_
        return np.asarray(digamma(concentration) - digamma(np.sum(concentration)))
    taken, left = model.weight_concentration_
    log_taken = digamma(taken) - digamma(taken + left)
    log_left = digamma(left) - digamma(taken + left)
    return np.asarray(log_taken + np.concatenate([[0.0], np.cumsum(log_left)[:-1]]))


def _expected_log_precision(model: BayesianGaussianMixture) -> NDArray[np.float64]:
    """½ (E[ln |Λ|] − ln |F Fᵀ| − d/β) (Bishop 2006, eq. 10.64 and 10.65), for factors normalized by the freedom ν."""
    features = model.means_.shape[1]
    freedom = np.broadcast_to(model.degrees_of_freedom_, (len(model.means_),))
    digammas = np.sum(digamma(0.5 * (freedom - np.arange(features)[:, None])), axis=0)
    log_precision = features * math.log(2.0) + digammas - features * np.log(freedom)
    return np.asarray(0.5 * (log_precision - features / model.mean_precision_))
