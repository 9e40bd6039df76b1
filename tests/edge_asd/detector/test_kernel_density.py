from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.neighbors import KernelDensity

from edge_asd.detector import Detector, build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import KdeSettings, Kernel
from edge_asd_export.fitting import fit_detector
from edge_asd_export.fitting.kernels import log_kernel_norm
from tests.edge_asd.detector.hard_rows import Case, Rows, assert_close, cases, extended_squared_distances, make_case

ENDLESS: list[Kernel] = ["gaussian", "exponential"]
SOUND_COSINE = (1, 3, 5, 7, 9)
"""Dimensions in which scikit-learn's norm of the cosine kernel holds: even ones lack a term, more ones cancel."""
BOUNDED: list[Kernel] = ["tophat", "epanechnikov", "linear", "cosine"]


def kde(rows: Rows, **words: Any) -> Detector:
    settings = KdeSettings(**words)
    return build_detector(settings, fit_detector(settings, rows, seed=0))


def scikit_learn(case: Case, kernel: Kernel, bandwidth: float) -> Rows:
    # Its own default stops at 1e-8.
    model = KernelDensity(kernel=kernel, bandwidth=bandwidth, atol=0, rtol=0).fit(case.normal)
    return -np.asarray(model.score_samples(case.scored))


def spread(case: Case) -> float:
    return float(np.sqrt(case.normal.var(axis=0).sum()))


def exact_log_sums(case: Case, kernel: Kernel, bandwidth: float) -> Rows:
    """The definition in extended precision: ln Σ K."""
    distances = np.sqrt(extended_squared_distances(case.scored, case.normal)) / bandwidth
    within = distances < 1
    with np.errstate(divide="ignore"):
        terms: Any = {
            "gaussian": -(distances**2) / 2,
            "exponential": -distances,
            "tophat": np.log(np.where(within, 1, 0)),
            "epanechnikov": np.log(np.where(within, 1 - distances**2, 0)),
            "linear": np.log(np.where(within, 1 - distances, 0)),
            "cosine": np.log(np.where(within, np.cos(np.pi / 2 * distances), 0)),
        }[kernel]
        largest = np.maximum(terms.max(axis=1), -1e30)
        return np.asarray(largest + np.log(np.exp(terms - largest[:, None]).sum(axis=1)), np.float64)


@pytest.mark.parametrize("kernel", [*ENDLESS, *BOUNDED])
@pytest.mark.parametrize("width", [0.05, 1.0])
@settings(max_examples=20, deadline=None)
@given(case=cases("thousand", "wide"))
def test_scores_as_defined(kernel: Kernel, width: float, case: Case) -> None:
    bandwidth = width * spread(case)
    count, features = case.normal.shape
    norm = log_kernel_norm(kernel, features) - features * np.log(bandwidth) - np.log(count)
    found = kde(case.normal, kernel=kernel, bandwidth=bandwidth).score(case.scored)
    log_sums = exact_log_sums(case, kernel, bandwidth)
    reached = np.isfinite(log_sums)
    assert np.isfinite(found).all()
    if reached.any():
        assert_close(found[reached], (-log_sums - norm)[reached])


@pytest.mark.parametrize("kernel", [*ENDLESS, *BOUNDED])
@settings(max_examples=20, deadline=None)
@given(case=cases("thousand", "wide"))
def test_scores_as_scikit_learn_where_the_density_is_not_small(kernel: Kernel, case: Case) -> None:
    # Its tree starts from a bound on all kernels and takes it away again: some 1e-16 of the bound is left in every sum,
    # which buries the density of rows far from all points.
    features = case.normal.shape[1]
    if kernel == "cosine" and features not in SOUND_COSINE:
        return
    bandwidth = 2 * spread(case)
    dense = exact_log_sums(case, kernel, bandwidth) > -8
    expected = scikit_learn(case, kernel, bandwidth)
    found = kde(case.normal, kernel=kernel, bandwidth=bandwidth).score(case.scored)
    if dense.any():
        assert_close(found[dense], expected[dense])


@pytest.mark.parametrize("kernel", BOUNDED)
def test_beyond_every_kernel_the_score_is_finite_and_above_all_within(kernel: Kernel) -> None:
    case = make_case("random", 3)
    detector = kde(case.normal, kernel=kernel, bandwidth=spread(case))
    far = detector.score(case.normal[:2] + 1e6)
    assert np.isfinite(far).all()
    assert far[0] == far[1]
    assert far[0] > detector.score(case.normal).max() + 600


@pytest.mark.parametrize(
    ("kernel", "features"),
    [
        *((kernel, features) for kernel in [*ENDLESS, *BOUNDED] for features in (1, 2, 3, 8, 11) if kernel != "cosine"),
        *(("cosine", features) for features in SOUND_COSINE),
    ],
)
def test_norms_as_scikit_learn(kernel: Kernel, features: int) -> None:
    middle = np.zeros((1, features))
    expected = KernelDensity(kernel=kernel, bandwidth=1.0).fit(middle).score_samples(middle)[0]
    assert log_kernel_norm(kernel, features) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("features", [2, 4])
def test_norm_of_the_cosine_kernel_in_even_dimensions(features: int) -> None:
    a = np.pi / 2
    integral = {2: 1 / a - 1 / a**2, 4: 1 / a - 6 / a**3 + 6 / a**4}[features]
    surface = {2: 2 * np.pi, 4: 2 * np.pi**2}[features]
    assert log_kernel_norm("cosine", features) == pytest.approx(-np.log(surface * integral), rel=1e-12)


def test_norm_of_the_cosine_kernel_holds_in_many_dimensions() -> None:
    # It lies between kernels that bound it: 1 - r ≤ cos(π r / 2) ≤ 1 within the reach.
    for features in (50, 512, 3776):
        assert log_kernel_norm("tophat", features) < log_kernel_norm("cosine", features)
        assert log_kernel_norm("cosine", features) < log_kernel_norm("linear", features)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_bandwidth_by_rule_as_scikit_learn(rule: Any) -> None:
    rows = make_case("random", 6).normal
    expected = -KernelDensity(bandwidth=rule, rtol=0).fit(rows).score_samples(rows)
    assert_close(kde(rows, bandwidth=rule).score(rows), expected)


@pytest.mark.parametrize("kernel", [*ENDLESS, *BOUNDED])
@settings(max_examples=10, deadline=None)
@given(case=cases())
def test_a_row_scores_the_same_alone_and_among_others(kernel: Kernel, case: Case) -> None:
    detector = kde(case.normal, kernel=kernel, bandwidth=2 * spread(case))
    alone = np.concatenate([detector.score(row[None]) for row in case.scored[:5]])
    assert_close(alone, detector.score(case.scored)[:5], relative=1e-12)


def test_untrusted_arrays_are_checked() -> None:
    arrays = {"points": np.ones((3, 2)), "bandwidth": np.array([1.0]), "log_norm": np.array([0.0])}
    with pytest.raises(InputError, match="array 'bandwidth': expected numbers above 0"):
        build_detector(KdeSettings(), arrays | {"bandwidth": np.array([0.0])})
    with pytest.raises(InputError, match=r"array 'log_norm': expected shape \(1\), found shape \(2,\)"):
        build_detector(KdeSettings(), arrays | {"log_norm": np.zeros(2)})
