from __future__ import annotations

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.errors import InputError
from edge_asd.tail import Tail, build_tail, join_tails

TAIL = Tail(np.array([0.0, 1.0, 3.0]), np.array([0.0, -1.0, -2.0]))


def test_table_between_and_beyond_its_knots() -> None:
    expected = [
        (-5.0, 0.0),
        (0.0, 0.0),
        (0.5, -0.5),
        (1.0, -1.0),
        (2.0, -1.5),
        (3.0, -2.0),
        (5.0, -3.0),
        (103.0, -52.0),
    ]
    for score, log_probability in expected:
        assert TAIL.log_probability(score) == pytest.approx(log_probability, abs=1e-12)


@given(st.floats(-60, 0))
def test_score_at_is_the_inverse(log_probability: float) -> None:
    assert TAIL.log_probability(TAIL.score_at(log_probability)) == pytest.approx(log_probability, abs=1e-9)


@given(st.lists(st.floats(-600, 0), min_size=1, max_size=6))
def test_joint_score_against_the_formula(log_probabilities: list[float]) -> None:
    getcontext().prec = 400
    smallest = Decimal(min(log_probabilities)).exp()
    joint = 1 - (1 - smallest) ** len(log_probabilities)
    assert join_tails(log_probabilities) == pytest.approx(float(-joint.log10()), rel=1e-9, abs=1e-12)


def test_joint_score_keeps_the_false_alarm_rate() -> None:
    rng = np.random.default_rng(0)
    scores = [join_tails(np.log(row)) for row in rng.uniform(size=(20_000, 3))]
    for level in (1.0, 2.0):
        assert np.mean(np.array(scores) >= level) == pytest.approx(10**-level, rel=0.15)


def test_nothing_unusual_scores_zero() -> None:
    assert join_tails([0.0, 0.0]) == 0.0
    assert join_tails([-1e-300]) == pytest.approx(0.0)
    assert math.isfinite(join_tails([-1e6]))


@pytest.mark.parametrize(
    ("scores", "log_probabilities"),
    [
        ([0.0], [0.0]),
        ([0.0, 0.0], [0.0, -1.0]),
        ([0.0, 1.0], [0.0, 0.0]),
        ([0.0, 1.0], [1.0, 0.0]),
        ([0.0, np.nan], [0.0, -1.0]),
        ([0.0, 1.0], [0.0, -1.0, -2.0]),
    ],
)
def test_tables_that_are_none_are_refused(scores: list[float], log_probabilities: list[float]) -> None:
    with pytest.raises(InputError):
        build_tail({"scores": np.array(scores), "log_probabilities": np.array(log_probabilities)})
