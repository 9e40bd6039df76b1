from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_asd.arrays import ArrayReader, median
from edge_asd.errors import InputError


def reader(**arrays: Any) -> ArrayReader:
    return ArrayReader(arrays, "pump.easd: detector")


def test_a_word_is_one_size_in_all_arrays() -> None:
    read = reader(a=np.ones((2, 3)), b=np.ones((3, 4)), c=np.ones((3, 5)))
    read.floats("a", "k", "d")
    assert read.floats("b", "d", "m").shape == (3, 4)
    with pytest.raises(InputError, match=r"array 'c': expected shape \(d=3, m=4\), found shape \(3, 5\)"):
        read.floats("c", "d", "m")


def test_a_refused_array_binds_no_size() -> None:
    read = reader(a=np.ones((2, 3)), b=np.ones((7, 2)))
    with pytest.raises(InputError):
        read.floats("a", "k", "k")
    assert read.floats("b", "k", 2).shape == (7, 2)


def test_single_precision_comes_out_as_double() -> None:
    array = reader(a=np.array([1.5], np.float32)).floats("a", "k")
    assert array.dtype == np.float64
    assert array[0] == 1.5


@pytest.mark.parametrize(
    "array",
    [
        np.array(["1.0"]),
        np.array([1 + 2j]),
        np.array([True]),
        np.array([1]),
        np.array([None]),
        np.array([np.nan]),
        np.array([-np.inf]),
        np.array(1.0),
        np.zeros((1, 1)),
        np.zeros(0),
    ],
)
def test_what_is_not_a_list_of_finite_numbers_is_refused_by_name(array: Any) -> None:
    with pytest.raises(InputError, match=r"^pump.easd: detector: array 'a': expected"):
        reader(a=array).floats("a", "k")


@pytest.mark.parametrize("array", [np.array([-1]), np.array([5]), np.array([0.0]), np.array([2**63], np.uint64)])
def test_integers_out_of_range_are_refused(array: Any) -> None:
    with pytest.raises(InputError, match="array 'a': expected integers"):
        reader(a=array).integers("a", "k", low=0, high=5)


def test_missing_left_over_and_inner_arrays_are_named() -> None:
    with pytest.raises(InputError, match="array 'a': expected an array, found none"):
        reader().floats("a", "k")
    with pytest.raises(InputError, match="array 'a': expected no such array"):
        reader(a=np.ones(1)).finish()
    outer = reader(a_b=np.ones(1), c=np.ones(1))
    assert outer.under("a_").floats("b", 1) == 1.0
    outer.floats("c", 1)
    outer.finish()


@pytest.mark.parametrize("shape", [1, 2, 7, 8, (3, 4)])
def test_the_median_is_numpy_s_own(shape: Any) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    assert median(values) == np.median(values)
