from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edge_asd.calibration.gamma import fit_gamma, gamma_quantile


@settings(deadline=None)
@given(st.floats(0.05, 2000), st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_fit_as_scipy(shape: float, scale: float, seed: int) -> None:
    values = np.maximum(stats.gamma.rvs(shape, scale=scale, size=60, random_state=seed), 1e-200)
    expected_shape, _, expected_scale = stats.gamma.fit(values, floc=0)
    found_shape, found_scale = fit_gamma(values)
    assert found_shape == pytest.approx(expected_shape, rel=1e-6)
    assert found_scale == pytest.approx(expected_scale, rel=1e-6)


@given(st.floats(0.001, 0.9999), st.floats(0.05, 5000), st.floats(1e-3, 1e3))
def test_quantile_as_scipy(probability: float, shape: float, scale: float) -> None:
    expected = stats.gamma.ppf(probability, shape, scale=scale)
    assert gamma_quantile(probability, shape, scale) == pytest.approx(expected, rel=1e-8, abs=1e-250)


def test_equal_values_make_a_narrow_distribution() -> None:
    shape, scale = fit_gamma(np.full(9, 3.0))
    assert gamma_quantile(0.99, shape, scale) == pytest.approx(3.0, rel=1e-4)


def test_values_that_are_not_above_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        fit_gamma(np.array([1.0, 0.0]))
