"""Resampling: the same samples for every split, at the right time, of the right length."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.audio import Resampler, output_length

PAIRS = [(44_100, 16_000), (48_000, 16_000), (8_000, 16_000), (96_000, 16_000), (22_050, 16_000), (16_000, 48_000)]
ODD = [(44_099, 16_000), (7_350, 22_051), (16_000, 15_999), (192_000, 8_000)]


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, length).astype(np.float32)


def streamed(resampler: Resampler, blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*(resampler.process(block) for block in blocks), resampler.flush()])


@settings(max_examples=60, deadline=None)
@given(
    rates=st.sampled_from(PAIRS + ODD),
    length=st.integers(0, 20_000),
    cuts=st.lists(st.floats(0, 1), max_size=12),
    seed=st.integers(0, 99),
)
def test_any_split_gives_the_offline_samples_to_the_last_bit(
    rates: tuple[int, int], length: int, cuts: list[float], seed: int
) -> None:
    samples = noise(length, seed)
    output = streamed(Resampler(*rates), np.split(samples, sorted(int(cut * length) for cut in cuts)))
    np.testing.assert_array_equal(output, streamed(Resampler(*rates), [samples]))
    np.testing.assert_allclose(output, soxr.resample(samples, *rates, quality="VHQ"), rtol=0, atol=1e-6)
    assert len(output) == output_length(length, *rates)


@pytest.mark.parametrize("rates", PAIRS + ODD)
def test_one_sample_at_a_time(rates: tuple[int, int]) -> None:
    samples = noise(3000)
    one_by_one = streamed(Resampler(*rates), [samples[k : k + 1] for k in range(len(samples))])
    np.testing.assert_array_equal(one_by_one, streamed(Resampler(*rates), [samples]))


@pytest.mark.parametrize("rates", PAIRS)
@pytest.mark.parametrize("hertz", [50.0, 997.0, 3000.0])
def test_a_tone_keeps_its_frequency_level_and_phase(rates: tuple[int, int], hertz: float) -> None:
    native, target = rates
    tone = np.sin(2 * np.pi * hertz * np.arange(native) / native).astype(np.float32)
    output = streamed(Resampler(native, target), np.array_split(tone, 17))
    expected = np.sin(2 * np.pi * hertz * np.arange(target) / target)
    # The ends lack half of the filter's input.
    edge = target // 10
    np.testing.assert_allclose(output[edge:-edge], expected[edge:-edge], rtol=0, atol=2e-5)


def test_what_lies_above_the_new_nyquist_frequency_goes() -> None:
    tone = np.sin(2 * np.pi * 11_000 * np.arange(48_000) / 48_000).astype(np.float32)
    output = streamed(Resampler(48_000, 16_000), [tone])
    assert np.abs(output[1600:-1600]).max() < 1e-5


def test_equal_rates_pass_a_block_on_without_a_copy() -> None:
    resampler = Resampler(16_000, 16_000)
    block = noise(100)
    assert resampler.process(block) is block
    assert len(resampler.flush()) == 0


def test_after_a_flush_a_new_signal_begins() -> None:
    resampler = Resampler(44_100, 16_000)
    first, second = noise(5000, 1), noise(7000, 2)
    resampler.process(first)
    resampler.flush()
    np.testing.assert_array_equal(streamed(resampler, [second]), streamed(Resampler(44_100, 16_000), [second]))


def test_a_channel_of_interleaved_samples_is_taken_as_it_lies() -> None:
    both = noise(8000).reshape(-1, 2)
    np.testing.assert_array_equal(
        streamed(Resampler(48_000, 16_000), [both[:, 1]]),
        streamed(Resampler(48_000, 16_000), [np.ascontiguousarray(both[:, 1])]),
    )


def test_output_comes_with_a_bounded_delay() -> None:
    resampler = Resampler(48_000, 16_000)
    given_s = got_s = 0.0
    for _ in range(50):
        got_s += len(resampler.process(noise(4800))) / 16_000
        given_s += 0.1
        assert 0 <= given_s - got_s < 0.1


@pytest.mark.parametrize(("length", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (48_000, 16_000)])
def test_length_is_rounded(length: int, expected: int) -> None:
    assert output_length(length, 48_000, 16_000) == expected
