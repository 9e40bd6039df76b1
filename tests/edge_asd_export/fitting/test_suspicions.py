from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from edge_asd_export.fitting import constant_features, outliers

RNG = np.random.default_rng(11)
CLEAN = RNG.normal(size=(200, 12)) @ RNG.normal(size=(12, 12)) + 50


def test_constant_features_are_those_that_scikit_learn_does_not_scale() -> None:
    rows = CLEAN.copy()
    rows[:, 2] = 0.1
    rows[:, 5] = 1e9 + 1e-9 * rows[:, 5]
    rows[:, 7] *= 1e-12
    unscaled = np.flatnonzero(StandardScaler().fit(rows).scale_ == 1.0)
    np.testing.assert_array_equal(constant_features(rows), unscaled)
    np.testing.assert_array_equal(constant_features(rows), [2, 5])


@pytest.mark.parametrize("features", [1, 3, 32, 512])
@pytest.mark.parametrize("count", [10, 40, 1000])
def test_planted_outliers_are_listed_worst_first(features: int, count: int) -> None:
    rows = np.random.default_rng(features).normal(size=(count, features))
    rows[3] += 30
    rows[7] += 100
    listed = outliers(rows)
    assert [outlier.row for outlier in listed[:2]] == [7, 3]
    assert listed[0].score > listed[1].score > 5
    assert len(listed) <= 2 + 0.02 * count


def test_normal_rows_are_hardly_ever_listed() -> None:
    assert len(outliers(CLEAN)) <= 1


@pytest.mark.parametrize("count", [8, 12, 20, 40, 100, 1000])
def test_about_one_in_a_hundred_sets_of_like_rows_has_one_listed(count: int) -> None:
    rng = np.random.default_rng(count)
    sets = 1000
    listing = sum(bool(outliers(rng.normal(size=(count, 4)))) for _ in range(sets))
    assert 0.002 * sets <= listing <= 0.025 * sets


def test_constant_and_identical_rows_are_no_outliers() -> None:
    assert outliers(np.ones((6, 3))) == []
    assert outliers(np.ones((1, 3))) == []


def test_one_odd_row_among_almost_identical_ones_is_listed() -> None:
    rows = np.zeros((9, 2)) + 1e-6 * RNG.normal(size=(9, 2))
    rows[4] = 1.0
    assert [outlier.row for outlier in outliers(rows)] == [4]
