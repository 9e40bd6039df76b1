from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from edge_asd.detector import build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import BayesianGmmSettings, Covariance, GmmSettings
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import Case, Rows, assert_close, cases, make_case

Change = Callable[[Any], Any]

COVARIANCES: dict[Covariance, str] = {"spherical": "spherical", "diagonal": "diag", "tied": "tied", "full": "full"}
ROUNDED_BY_SCIKIT_LEARN = ("very_tight", "lonely", "scales")

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")


def fitted(case: Case, covariance: Covariance) -> GaussianMixture:
    return GaussianMixture(3, covariance_type=COVARIANCES[covariance], max_iter=20, random_state=1).fit(case.normal)


def ours(case: Case, covariance: Covariance, rows: Rows | None = None) -> Rows:
    gmm = GmmSettings(components=3, covariance=covariance, max_iter=20)
    detector = build_detector(gmm, fit_detector(gmm, case.normal, seed=1))
    return detector.score(case.scored if rows is None else rows)


def extended_scores(model: GaussianMixture, scored: Rows, covariance: Covariance) -> Rows:
    """The definition, one component at a time, in extended precision."""
    rows = scored.astype(np.longdouble)
    features = rows.shape[1]
    terms = []
    for k, mean in enumerate(model.means_):
        factor = model.precisions_cholesky_ if covariance == "tied" else model.precisions_cholesky_[k]
        factor = np.asarray(factor, np.longdouble)
        difference = rows - mean
        if covariance in ("spherical", "diagonal"):
            whitened = difference * factor
            log_determinant = np.sum(np.log(np.broadcast_to(factor, (features,))))
        else:
            whitened = difference @ factor
            log_determinant = np.sum(np.log(np.diagonal(factor)))
        constant = np.log(model.weights_[k].astype(np.longdouble)) - features / 2 * np.log(2 * np.pi)
        terms.append(constant + log_determinant - np.sum(whitened**2, axis=1) / 2)
    largest = np.max(terms, axis=0)
    return np.asarray(-largest - np.log(np.sum(np.exp(terms - largest), axis=0)), np.float64)


@pytest.mark.parametrize("covariance", COVARIANCES)
@settings(max_examples=25, deadline=None)
@given(case=cases(*ROUNDED_BY_SCIKIT_LEARN))
def test_scores_as_scikit_learn(covariance: Covariance, case: Case) -> None:
    assert_close(ours(case, covariance), -fitted(case, covariance).score_samples(case.scored))


@pytest.mark.parametrize("covariance", COVARIANCES)
@settings(max_examples=25, deadline=None)
@given(case=cases("wide", "thousand"))
def test_stays_exact_where_the_expanded_square_cancels(covariance: Covariance, case: Case) -> None:
    model = fitted(case, covariance)
    assert_close(ours(case, covariance), extended_scores(model, case.scored, covariance))


def test_scikit_learn_loses_digits_on_tight_clusters_that_are_kept_here() -> None:
    case = make_case("very_tight", 5)
    model = fitted(case, "diagonal")
    exact = extended_scores(model, case.scored, "diagonal")
    lost = np.max(np.abs(-model.score_samples(case.scored) - exact))
    kept = np.max(np.abs(ours(case, "diagonal") - exact))
    assert kept < 1e-9 < lost


@pytest.mark.parametrize("covariance", COVARIANCES)
@settings(max_examples=15, deadline=None)
@given(case=cases("wide"))
def test_a_row_scores_the_same_alone_and_among_others(covariance: Covariance, case: Case) -> None:
    together = ours(case, covariance)
    alone = np.concatenate([ours(case, covariance, row[None]) for row in case.scored[:5]])
    assert_close(alone, together[:5], relative=1e-12)


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize(
    ("weights", "prior"), [("dirichlet-process", "dirichlet_process"), ("dirichlet", "dirichlet_distribution")]
)
@settings(max_examples=6, deadline=None)
@given(case=cases("wide", *ROUNDED_BY_SCIKIT_LEARN))
def test_bayesian_mixture_scores_as_scikit_learn(covariance: Covariance, weights: Any, prior: str, case: Case) -> None:
    bayesian = BayesianGmmSettings(components=3, covariance=covariance, weights=weights, max_iter=20)
    detector = build_detector(bayesian, fit_detector(bayesian, case.normal, seed=1))
    reference = BayesianGaussianMixture(
        n_components=3,
        covariance_type=COVARIANCES[covariance],
        weight_concentration_prior_type=prior,
        max_iter=20,
        random_state=1,
    ).fit(case.normal)
    assert_close(detector.score(case.scored), -reference.score_samples(case.scored))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_row_of_nan_scores_nan_and_touches_no_other() -> None:
    case = make_case("random", 1)
    broken = case.scored.copy()
    broken[3, 0] = np.nan
    scores = ours(case, "diagonal", broken)
    assert np.isnan(scores[3])
    assert_close(np.delete(scores, 3), np.delete(ours(case, "diagonal"), 3), relative=1e-12)


def test_many_components_are_summed_without_overflow() -> None:
    case = make_case("random", 2)
    far = case.scored * 1e4
    assert np.isfinite(ours(case, "full", far)).all()


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("factors", lambda a: a[:, :-1], "expected shape (k=3, d="),
        ("factors", lambda a: -a, "expected numbers above 0"),
        ("means", lambda a: np.where(a == a[0, 0], np.nan, a), "expected finite numbers"),
        ("means", lambda a: a[:2], "expected shape (k=3, d=any)"),
        ("offsets", lambda a: a.astype(np.int64), "expected floating-point numbers"),
        ("offsets", lambda a: a[None], "expected shape (k=3)"),
    ],
)
def test_arrays_that_do_not_fit_are_named(name: str, change: Change, complaint: str) -> None:
    gmm = GmmSettings(components=3)
    arrays = fit_detector(gmm, make_case("random", 3).normal, seed=1)
    with pytest.raises(InputError) as caught:
        build_detector(gmm, arrays | {name: change(arrays[name])}, "pump.easd")
    assert str(caught.value).startswith(f"pump.easd: array '{name}': ")
    assert complaint in str(caught.value)


def test_missing_and_unknown_arrays_are_named() -> None:
    gmm = GmmSettings(components=3)
    arrays = fit_detector(gmm, make_case("random", 3).normal, seed=1)
    with pytest.raises(InputError, match="'means'"):
        build_detector(gmm, {name: array for name, array in arrays.items() if name != "means"})
    with pytest.raises(InputError, match="'bias'"):
        build_detector(gmm, arrays | {"bias": np.zeros(3)})
