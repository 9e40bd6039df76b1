"""Several channels to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.audio import check_channel, to_mono
from edge_asd.errors import InputError


@settings(deadline=None)
@given(length=st.integers(0, 300), channels=st.integers(1, 19), cut=st.integers(0, 300), seed=st.integers(0, 9))
def test_the_mean_is_the_same_for_any_split(length: int, channels: int, cut: int, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, (length, channels)).astype(np.float32)
    mixed = to_mono(samples, "mix")
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, samples.mean(axis=1, dtype=np.float64), rtol=0, atol=1e-7)
    np.testing.assert_array_equal(mixed, np.concatenate([to_mono(samples[:cut], "mix"), to_mono(samples[cut:], "mix")]))


def test_a_channel_is_taken() -> None:
    samples = np.arange(6, dtype=np.float32).reshape(3, 2)
    chosen = to_mono(samples, 1)
    assert chosen.tolist() == [1, 3, 5]
    assert chosen.flags.c_contiguous


def test_mixing_one_channel_changes_nothing() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (50, 1)).astype(np.float32)
    np.testing.assert_array_equal(to_mono(samples, "mix"), samples[:, 0])


def test_a_missing_channel_is_refused() -> None:
    check_channel("here", "mix", 1)
    check_channel("here", 1, 2)
    with pytest.raises(InputError, match=r"^here: expected channel 1, counted from 0, found 1 channel; "):
        check_channel("here", 1, 1)
