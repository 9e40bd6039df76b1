from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.covariance import EmpiricalCovariance, LedoitWolf

from edge_asd.detector import Detector, build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import MahalanobisSettings
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import Case, Rows, assert_close, cases, make_case

_BLIND_WORDS: list[dict[str, float]] = [{}, {"least_scale": 0.5}]


def detector(rows: Rows, **words: Any) -> Detector:
    mahalanobis = MahalanobisSettings(**words)
    return build_detector(mahalanobis, fit_detector(mahalanobis, rows, seed=0))


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_ledoit_wolf_scores_as_scikit_learn(case: Case) -> None:
    reference = LedoitWolf().fit(case.normal)
    assert_close(detector(case.normal).score(case.scored), reference.mahalanobis(case.scored))


def extended_distances(normal: Rows, scored: Rows) -> Rows:
    """By Gram-Schmidt in extended precision, one feature after another."""
    mean = normal.astype(np.longdouble).mean(axis=0)
    left, asked = (normal - mean).copy(), (scored - mean).copy()
    squared = np.zeros(len(scored), np.longdouble)
    for feature in range(len(mean)):
        direction, variance = left[:, feature].copy(), np.mean(left[:, feature] ** 2)
        squared += asked[:, feature] ** 2 / variance
        shares = direction @ left / (len(normal) * variance)
        asked = asked - asked[:, feature : feature + 1] * shares
        left = left - direction[:, None] * shares
    return squared.astype(np.float64)


@settings(max_examples=40, deadline=None)
@given(case=cases("wide"))
def test_empirical_scores_as_defined(case: Case) -> None:
    # scikit-learn forms the covariance and inverts it, which squares the condition number.
    found = detector(case.normal, covariance="empirical").score(case.scored)
    assert_close(found, extended_distances(case.normal, case.scored))


@settings(max_examples=20, deadline=None)
@given(case=cases("wide", "tight", "very_tight", "scales"))
def test_empirical_scores_as_scikit_learn_where_the_covariance_is_sound(case: Case) -> None:
    normal = case.normal + 3 * np.random.default_rng(case.seed).normal(size=case.normal.shape)
    reference = EmpiricalCovariance().fit(normal)
    assert_close(detector(normal, covariance="empirical").score(case.scored), reference.mahalanobis(case.scored))


def test_distance_is_the_root() -> None:
    case = make_case("random", 1)
    squared = detector(case.normal).score(case.scored)
    np.testing.assert_allclose(detector(case.normal, squared=False).score(case.scored), np.sqrt(squared), rtol=1e-15)


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_a_row_scores_the_same_alone_and_among_others(case: Case) -> None:
    fitted = detector(case.normal)
    alone = np.concatenate([fitted.score(row[None]) for row in case.scored[:5]])
    assert_close(alone, fitted.score(case.scored)[:5], relative=1e-12)


@settings(max_examples=20, deadline=None)
@given(case=cases("wide"))
def test_least_scale_standardizes_first(case: Case) -> None:
    scale = np.maximum(case.normal.std(axis=0), 0.5)
    expected = LedoitWolf().fit(case.normal / scale).mahalanobis(case.scored / scale)
    assert_close(detector(case.normal, least_scale=0.5).score(case.scored), expected)


def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    normal = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, 1e-9]
    row = normal.mean(axis=0)
    row[2] += 0.01
    assert detector(normal, least_scale=0.1).score(row[None])[0] < 1
    assert detector(normal).score(row[None])[0] < 1  # shrinking does the same where all have one unit
    assert detector(normal, least_scale=1e-12).score(row[None])[0] > 1e6


def test_identity_is_the_plain_distance() -> None:
    case = make_case("scales", 2)
    found = detector(case.normal, covariance="identity", squared=False).score(case.scored)
    np.testing.assert_allclose(found, np.linalg.norm(case.scored - case.normal.mean(axis=0), axis=1), rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    case=cases("wide", "lonely", "outliers", "scales", "very_tight"), words=st.sampled_from([{}, {"least_scale": 0.5}])
)
def test_blind_to_offset_is_the_least_distance_over_all_offsets(case: Case, words: dict[str, float]) -> None:
    normal = np.concatenate([case.normal, case.normal[:, :1] ** 2], axis=1)
    scored = np.concatenate([case.scored, case.scored[:, :1] ** 2], axis=1)
    plain = detector(normal, **words)
    blind = detector(normal, blind_to_offset=True, **words)
    for row in scored[:3]:
        best = minimize_scalar(lambda offset, row=row: plain.score(row[None] + offset)[0])
        assert_close(blind.score(row[None]), np.array([best.fun]), relative=1e-7)
    assert_close(blind.score(scored + 30.0), blind.score(scored), relative=1e-7)


def test_one_feature_cannot_be_blind_to_an_offset() -> None:
    with pytest.raises(InputError, match="at least 2 features for a distance that is blind to an offset, found 1"):
        detector(np.zeros((9, 1)), blind_to_offset=True)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"mean": np.zeros(3)}, "array 'factor': expected an array"),
        ({"mean": np.zeros(3), "factor": np.zeros((3, 2))}, "array 'factor': expected shape (d=3, d=3)"),
        ({"mean": np.zeros((3, 1)), "factor": np.zeros((3, 3))}, "array 'mean': expected shape (d=any)"),
        ({"mean": np.zeros(3), "factor": np.full((3, 3), np.inf)}, "array 'factor': expected finite numbers"),
    ],
)
def test_untrusted_arrays_are_checked(arrays: dict[str, Rows], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        build_detector(MahalanobisSettings(), arrays)
    assert complaint in str(caught.value)
