from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_asd.pooling import aggregate, pool
from edge_asd.recipe.aggregation import AggregationSettings, Max, Mean, Median, TopMean
from edge_asd.recipe.pooling import Gem, Gwrp, LogStd, PoolingSettings, Quantile

Rows = NDArray[np.float64]

FIVE: PoolingSettings = ["mean", "std", "median", "max", "iqr"]
numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
row_sets = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=numbers)


def naive_quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def naive_statistics(column: Sequence[float]) -> list[float]:
    mean = sum(column) / len(column)
    std = (sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5
    iqr = naive_quantile(column, 0.75) - naive_quantile(column, 0.25)
    return [mean, std, naive_quantile(column, 0.5), max(column), iqr]


@given(row_sets)
def test_five_statistics_as_defined(rows: Rows) -> None:
    expected = np.array([naive_statistics(list(column)) for column in rows.T]).T.reshape(1, -1)
    np.testing.assert_allclose(pool(rows, FIVE), expected, rtol=1e-9, atol=1e-6)


@given(row_sets, st.floats(0, 1))
def test_rank_weighted_mean_as_defined(rows: Rows, r: float) -> None:
    expected = []
    for column in rows.T:
        weights = [r**rank for rank in range(len(column))]
        falling = sorted(column, reverse=True)
        expected.append(sum(w * v for w, v in zip(weights, falling, strict=True)) / sum(weights))
    np.testing.assert_allclose(pool(rows, [Gwrp(r=r)])[0], expected, rtol=1e-9, atol=1e-6)


@given(arrays(np.float64, (7, 3), elements=st.floats(0, 100)), st.floats(1, 8))
def test_generalized_mean_as_defined(rows: Rows, p: float) -> None:
    np.testing.assert_allclose(pool(rows, [Gem(p=p)])[0], np.mean(rows**p, axis=0) ** (1 / p), rtol=1e-9, atol=1e-9)


def test_generalized_mean_neither_overflows_nor_takes_roots_of_negatives() -> None:
    rows = np.array([[1e300, -1.0, 0.0], [1e299, -2.0, 0.0]])
    np.testing.assert_allclose(pool(rows, [Gem(p=1000)])[0], [1e300 * 0.5 ** (1 / 1000), 0.0, 0.0])


@given(row_sets)
def test_extremes_are_the_mean_and_the_maximum(rows: Rows) -> None:
    mean, largest = np.mean(rows, axis=0), np.max(rows, axis=0)
    np.testing.assert_allclose(pool(rows, [Gwrp(r=1)])[0], mean, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(pool(rows, [Gwrp(r=0)])[0], largest)
    np.testing.assert_allclose(pool(rows, [Quantile(q=1)])[0], largest)


@given(row_sets, st.floats(0.01, 10))
def test_log_spread_as_defined(rows: Rows, offset: float) -> None:
    expected = [np.log(naive_statistics(list(column))[1] + offset) for column in rows.T]
    np.testing.assert_allclose(pool(rows, [LogStd(offset=offset)])[0], expected, rtol=1e-9, atol=1e-6)


def test_statistics_stand_one_after_another() -> None:
    rows = np.array([[1.0, 10.0], [3.0, 30.0]])
    np.testing.assert_array_equal(pool(rows, ["mean", "max"]), [[2.0, 20.0, 3.0, 30.0]])


def test_none_keeps_the_rows_as_float64() -> None:
    rows = np.array([[1.5, 2.0]], np.float32)
    kept = pool(rows, "none")
    assert kept.dtype == np.float64
    np.testing.assert_array_equal(kept, rows)


def test_single_precision_rows_are_pooled_in_double_precision() -> None:
    rows = np.full((100_000, 1), 0.1, np.float32)
    assert pool(rows, ["mean"])[0, 0] == pytest.approx(np.float64(np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Mean(), 4.0),
        (Max(), 10.0),
        (Median(), 3.0),
        (Quantile(q=0.5), 3.0),
        (Quantile(q=0.75), 4.0),
        (TopMean(k=2), 7.0),
        (TopMean(k=1), 10.0),
        (TopMean(k=99), 4.0),
    ],
)
def test_aggregations(settings: Any, expected: Any) -> None:
    assert aggregate(np.array([10.0, 1.0, 2.0, 3.0, 4.0]), settings) == expected


@pytest.mark.parametrize("settings", [Mean(), Max(), Median(), Quantile(), TopMean()])
def test_one_score_is_its_own_aggregate(settings: Any) -> None:
    assert aggregate(np.array([2.5]), settings) == 2.5


def test_nothing_to_pool_is_a_defect() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        pool(np.zeros((0, 3)), ["mean"])
    with pytest.raises(ValueError, match="at least one row"):
        aggregate(np.zeros(0), Mean())


def test_words_as_in_a_recipe() -> None:
    assert msgspec.convert("none", PoolingSettings) == "none"
    assert msgspec.convert(["mean", {"kind": "gwrp", "r": 0.8}], PoolingSettings) == ["mean", Gwrp(r=0.8)]
    assert msgspec.convert({"kind": "top-mean", "k": 3}, AggregationSettings) == TopMean(k=3)
    for wrong in ([], "mean", ["mode"], [{"kind": "gwrp", "r": 1.5}], [{"kind": "gem", "p": 0.5}]):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, PoolingSettings)
