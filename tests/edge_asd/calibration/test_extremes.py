from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edge_asd.calibration.extremes import ParetoTail, fit_pareto

SHAPES = st.just(0.0) | st.floats(-0.8, -1e-3) | st.floats(1e-3, 0.9)


@given(st.floats(0.01, 100), SHAPES, st.floats(-30, 0))
def test_excesses_as_scipy(scale: float, shape: float, log_probability: float) -> None:
    excess = ParetoTail(scale, shape).excess_at(log_probability)
    assert excess == pytest.approx(stats.genpareto.isf(math.exp(log_probability), shape, scale=scale), rel=1e-6)


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.5])
def test_many_excesses_give_the_fit_of_greatest_likelihood(shape: float) -> None:
    excesses = stats.genpareto.rvs(shape, scale=2.0, size=20_000, random_state=3)
    found = fit_pareto(excesses)
    expected, _, scale = stats.genpareto.fit(excesses, floc=0)
    assert found.shape == pytest.approx(expected, abs=0.01)
    assert found.scale == pytest.approx(scale, rel=0.03)


def test_few_excesses_are_drawn_towards_exponential() -> None:
    assert fit_pareto(np.array([1.0, 2.0, 3.0])) == ParetoTail(2.0, 0.0)
    assert fit_pareto(np.full(50, 1.5)) == ParetoTail(1.5, 0.0)
    samples = [stats.genpareto.rvs(0.3, size=15, random_state=seed) for seed in range(30)]
    shapes = [fit_pareto(sample).shape for sample in samples]
    likeliest = [max(0.0, stats.genpareto.fit(sample, floc=0)[0]) for sample in samples]
    assert np.std(shapes) < 0.75 * np.std(likeliest)


def test_bounds_hold() -> None:
    ending = stats.genpareto.rvs(-0.4, size=500, random_state=1)
    assert fit_pareto(ending).shape == 0.0
    assert math.isfinite(fit_pareto(np.zeros(5)).excess_at(-20.0))
