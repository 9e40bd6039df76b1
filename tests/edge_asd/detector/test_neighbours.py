from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from sklearn.neighbors import NearestNeighbors

from edge_asd.detector import Detector, build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import DensityKnnSettings, KnnSettings, Metric
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import Case, Rows, assert_close, cases, extended_squared_distances, make_case

SMALLEST = np.finfo(np.float64).tiny


def knn(rows: Rows, **words: Any) -> Detector:
    settings = KnnSettings(**words)
    return build_detector(settings, fit_detector(settings, rows, seed=0))


def density(rows: Rows, **words: Any) -> Detector:
    settings = DensityKnnSettings(**words)
    return build_detector(settings, fit_detector(settings, rows, seed=0))


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("statistic", ["mean", "max"])
@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_euclidean_scores_as_scikit_learn(k: int, statistic: str, case: Case) -> None:
    # A tree takes every difference; scikit-learn's brute force expands the square, and loses digits.
    nearest, _ = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(case.normal).kneighbors(case.scored)
    expected = nearest.mean(axis=1) if statistic == "mean" else nearest.max(axis=1)
    found = knn(case.normal, k=k, statistic=statistic).score(case.scored)
    assert_close(found, expected, least=SMALLEST)


@pytest.mark.parametrize("k", [1, 4])
@settings(max_examples=25, deadline=None)
@given(case=cases("very_tight"))
def test_cosine_scores_as_scikit_learn(k: int, case: Case) -> None:
    model = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="cosine").fit(case.normal)
    found = knn(case.normal, metric="cosine", k=k).score(case.scored)
    np.testing.assert_allclose(found, model.kneighbors(case.scored)[0].mean(axis=1), rtol=1e-9, atol=1e-15)


@settings(max_examples=25, deadline=None)
@given(case=cases())
def test_density_scores_as_defined_on_scikit_learns_neighbours(case: Case) -> None:
    trees = NearestNeighbors(n_neighbors=4, algorithm="kd_tree").fit(case.normal)
    spacings = trees.kneighbors()[0].mean(axis=1)
    distances, indices = trees.kneighbors(case.scored, n_neighbors=len(case.normal))
    expected = np.min(distances / spacings[indices], axis=1)
    assert_close(density(case.normal).score(case.scored), expected, least=SMALLEST)


@settings(max_examples=15, deadline=None)
@given(case=cases("thousand", "wide", "very_tight"))
def test_density_scores_by_cosine_keep_their_digits(case: Case) -> None:
    assume(case.normal.shape[1] > 1)  # with one feature all rows point one of two ways
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (case.normal, case.scored)]
    bank, rows = case.normal / lengths[0], case.scored / lengths[1]
    among = extended_squared_distances(bank, bank) / 2
    spacings = np.sort(among, axis=1)[:, 1:5].mean(axis=1)
    expected = np.min(extended_squared_distances(rows, bank) / 2 / spacings, axis=1).astype(np.float64)
    assert_close(density(case.normal, metric="cosine").score(case.scored), expected, least=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@settings(max_examples=15, deadline=None)
@given(case=cases())
def test_a_row_scores_the_same_alone_and_among_others(metric: Metric, case: Case) -> None:
    detector = knn(case.normal, metric=metric, k=3)
    alone = np.concatenate([detector.score(row[None]) for row in case.scored[:5]])
    assert_close(alone, detector.score(case.scored)[:5], relative=1e-12, least=SMALLEST)


def test_density_makes_sparse_and_dense_regions_comparable() -> None:
    rng = np.random.default_rng(3)
    dense, sparse = rng.normal(size=(200, 2)), 50 + 10 * rng.normal(size=(200, 2))
    rows = np.concatenate([rng.normal(size=(200, 2)), 50 + 10 * rng.normal(size=(200, 2))])
    plain = knn(np.concatenate([dense, sparse])).score(rows)
    relative = density(np.concatenate([dense, sparse])).score(rows)
    assert np.median(plain[200:]) > 5 * np.median(plain[:200])
    assert 0.8 < np.median(relative[200:]) / np.median(relative[:200]) < 1.25


def test_a_bank_of_limited_size_is_enforced_and_still_covers() -> None:
    case = make_case("random", 5)
    settings = KnnSettings(bank=30)
    arrays = fit_detector(settings, case.normal, seed=0)
    assert arrays["bank"].shape == (30, case.normal.shape[1])
    radius = build_detector(settings, arrays).score(case.normal).max()
    spread = knn(case.normal[:30]).score(case.normal).max()
    assert radius < spread


def test_untrusted_arrays_are_checked() -> None:
    with pytest.raises(InputError, match="array 'bank': expected at least k=4 rows, found 3"):
        build_detector(KnnSettings(k=4), {"bank": np.ones((3, 2))})
    with pytest.raises(InputError, match="array 'spacings': expected numbers above 0"):
        build_detector(DensityKnnSettings(), {"bank": np.ones((3, 2)), "spacings": np.zeros(3)})
    with pytest.raises(InputError, match=r"array 'spacings': expected shape \(m=3\)"):
        build_detector(DensityKnnSettings(), {"bank": np.ones((3, 2)), "spacings": np.ones(4)})
