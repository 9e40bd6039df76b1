"""Levels of known signals, and of any cut into any blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asd.capture.levels import LevelMeter, Levels

RATE = 8000


def measured(samples: np.ndarray) -> Levels | None:
    meter = LevelMeter(RATE)
    meter.process(samples.astype(np.float32))
    return meter.latest


def test_the_loudest_sine_is_three_decibels_below_full_scale_wherever_it_lies() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    levels = measured(0.5 * sine + 0.25)
    assert levels is not None
    assert levels.level_dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=1e-5)
    assert levels.dc_offset == pytest.approx(0.25, abs=1e-7)
    assert levels.clipped_share == 0


def test_what_does_not_move_has_no_level() -> None:
    for constant in (0.0, 0.3, -1.0):
        levels = measured(np.full(RATE, constant))
        assert levels is not None
        assert levels.level_dbfs is None
        assert levels.dc_offset == pytest.approx(constant, abs=1e-7)


def test_the_least_bit_of_24_is_heard() -> None:
    levels = measured(np.resize([0.5, 0.5 + 2**-23], RATE))
    assert levels is not None
    assert levels.level_dbfs == pytest.approx(20 * math.log10(2**-24), abs=0.1)


def test_clipping_is_counted_at_both_ends() -> None:
    samples = np.linspace(-0.5, 0.5, RATE)
    samples[:300], samples[-500:] = -1.0, 1.0
    levels = measured(samples)
    assert levels is not None
    assert levels.clipped_share == 0.1


def test_before_the_first_second_is_complete_there_is_none() -> None:
    assert measured(np.ones(RATE - 1)) is None


@given(st.lists(st.integers(0, 3 * RATE), max_size=6))
def test_cutting_it_up_changes_nothing(cuts: list[int]) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 3 * RATE + 5).astype(np.float32)
    meter = LevelMeter(RATE)
    for piece in np.split(samples, sorted(cuts)):
        meter.process(piece)
    whole = measured(samples)
    assert whole is not None
    assert meter.latest == pytest.approx(whole, rel=1e-9)
