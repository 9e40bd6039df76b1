"""Gaussian mixtures, plain and Bayesian: the score is the negative log density, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.detector.numerics import log_sum_exp
from edge_asd.detector.quadratic import GaussianTerms, diagonal_terms, full_terms, tied_terms
from edge_asd.recipe.detectors import BayesianGmmSettings, Covariance, GmmSettings


class GaussianMixture:
    """−ln Σ_k exp(offset_k − ½ |(x − μ_k) F_k|²).

    As `score_samples` of scikit-learn 1.9's `GaussianMixture` and `BayesianGaussianMixture`, negated. What does not
    depend on the row (log weight, log determinant, and a Bayesian mixture's expectations) is in the offsets.
    """

    def __init__(self, n_features: int, terms: GaussianTerms) -> None:
        self.n_features = n_features
        self.log_terms = terms
        """Rows (n, d) → log weight times density of every component, (n, k): also what responsibilities are made of."""

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        scores = log_sum_exp(self.log_terms(rows))
        np.negative(scores, out=scores)
        return scores


def build_mixture(settings: GmmSettings | BayesianGmmSettings, reader: ArrayReader) -> GaussianMixture:
    """Make a mixture of `means` (k, d), `offsets` (k,) and `factors`, whose shape is that of the covariance."""
    reader.sizes["k"] = settings.components
    means = reader.floats("means", "k", "d")
    offsets = reader.floats("offsets", "k")
    return GaussianMixture(means.shape[1], _build_terms(settings.covariance, means, offsets, reader))


def _build_terms(
    covariance: Covariance, means: NDArray[np.float64], offsets: NDArray[np.float64], reader: ArrayReader
) -> GaussianTerms:
    match covariance:
        case "spherical":
            factors = np.broadcast_to(reader.positive("factors", "k")[:, None], means.shape)
            return diagonal_terms(means, factors, offsets)
        case "diagonal":
            return diagonal_terms(means, reader.positive("factors", "k", "d"), offsets)
        case "tied":
            return tied_terms(means, reader.floats("factors", "d", "d"), offsets)
        case "full":
            return full_terms(means, reader.floats("factors", "k", "d", "d"), offsets)
