from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances

from edge_asd.detector.distances import BankDistances, SquaredDistances, directions
from edge_asd.recipe.detectors import Metric
from tests.edge_asd.detector.hard_rows import Case, assert_close, cases, extended_squared_distances, make_case

SMALLEST = np.finfo(np.float64).tiny


@settings(max_examples=40, deadline=None)
@given(case=cases("thousand", "wide"))
def test_every_squared_distance_keeps_its_digits(case: Case) -> None:
    expected = extended_squared_distances(case.scored, case.normal).astype(np.float64)
    assert_close(SquaredDistances(case.normal)(case.scored), expected, relative=1e-12, least=SMALLEST)


def test_copies_and_near_copies_of_points_keep_their_digits() -> None:
    case = make_case("random", 4)
    rows = case.normal[:20] + np.geomspace(1e-12, 1, 20)[:, None]
    rows[0] = case.normal[0]
    squared = SquaredDistances(case.normal)(rows)
    assert squared[0, 0] == 0.0
    expected = extended_squared_distances(rows, case.normal).astype(np.float64)
    assert_close(squared, expected, relative=1e-12, least=SMALLEST)
    lost = euclidean_distances(rows, case.normal)[5, 5] ** 2
    assert abs(lost - expected[5, 5]) > 1e-6 * expected[5, 5], "scikit-learn's expansion was meant to lose digits here"


@settings(max_examples=30, deadline=None)
@given(case=cases("very_tight"))
def test_cosine_distances_as_scikit_learn(case: Case) -> None:
    found = BankDistances(case.normal, "cosine")(case.scored)
    np.testing.assert_allclose(found, cosine_distances(case.scored, case.normal), rtol=1e-9, atol=1e-15)


@settings(max_examples=30, deadline=None)
@given(case=cases("thousand", "wide"))
def test_cosine_distances_of_almost_parallel_rows_keep_their_digits(case: Case) -> None:
    rows, bank = directions(case.scored), directions(case.normal)
    expected = (0.5 * extended_squared_distances(rows, bank)).astype(np.float64)
    found = BankDistances(case.normal, "cosine")(case.scored)
    assert_close(found, expected, relative=1e-12, least=SMALLEST)


def test_rows_of_zeros_are_orthogonal_to_everything_as_in_scikit_learn() -> None:
    bank = np.array([[0.0, 0.0], [3.0, 4.0]])
    rows = np.array([[0.0, 0.0], [-3.0, -4.0], [4.0, -3.0]])
    np.testing.assert_allclose(BankDistances(bank, "cosine")(rows), cosine_distances(rows, bank), atol=1e-15)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("count", [1, 2, 5, 120])
def test_nearest_are_the_smallest_distances(metric: Metric, count: int) -> None:
    case = make_case("random", 8)
    distances = BankDistances(case.normal, metric)
    expected: Any = np.sort(distances(case.scored), axis=1)[:, :count]
    np.testing.assert_array_equal(np.sort(distances.nearest(case.scored, count), axis=1), expected)
