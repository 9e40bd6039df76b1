"""Whether a signal is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.capture import SignalWatch

RATE = 1000


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("value", [0.0, 0.25, -1 / 32768, 1.0])
def test_samples_that_do_not_change_are_silence_after_the_set_time(value: float) -> None:
    watch = SignalWatch(RATE, silence_s=5)
    assert watch.process(noise(1)) is None
    assert watch.process(np.full(4 * RATE, value, np.float32)) in {"dropout", "clipped"}
    assert watch.process(np.full(RATE - 1, value, np.float32)) in {"dropout", "clipped"}
    assert watch.process(np.full(1, value, np.float32)) == "silent"
    assert watch.process(noise(2)) is None


def test_half_a_second_that_does_not_change_is_a_dropout() -> None:
    watch = SignalWatch(RATE)
    assert watch.process(np.concatenate([noise(1), np.zeros(499), noise(1)]).astype(np.float32)) is None
    assert watch.process(np.concatenate([noise(1), np.zeros(500), noise(1)]).astype(np.float32)) == "dropout"
    assert watch.process(noise(1)) is None


def test_a_quiet_microphone_is_not_silent() -> None:
    # The noise of 16 bits whose last one flickers now and then.
    samples = np.zeros(20 * RATE, np.float32)
    samples[:: RATE // 3] = 1 / 32768
    assert SignalWatch(RATE).process(samples) is None


@pytest.mark.parametrize(("gain", "verdict"), [(0.1, None), (0.3, None), (1.0, "clipped"), (10.0, "clipped")])
def test_a_signal_flat_at_full_scale_is_clipped(gain: float, verdict: str | None) -> None:
    samples = np.clip(noise(3, gain), -1, 1)
    assert SignalWatch(RATE).process(samples) == verdict


def test_a_sine_of_full_scale_is_not_clipped() -> None:
    for hertz in (10, 50, 62.5):
        sine = np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE).astype(np.float32)
        assert SignalWatch(RATE).process(sine) is None


def test_clipping_ends_with_its_second() -> None:
    watch = SignalWatch(RATE)
    assert watch.process(np.sign(noise(2))) == "clipped"
    assert watch.process(noise(1)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_no_sound(value: float) -> None:
    watch = SignalWatch(RATE, silence_s=2)
    assert watch.process(np.full(3 * RATE, value, np.float32)) == "silent"
    watch.process(noise(1))
    assert watch.process(noise(1)) is None


def test_reset_forgets() -> None:
    watch = SignalWatch(RATE, silence_s=2)
    assert watch.process(np.zeros(3 * RATE, np.float32)) == "silent"
    watch.reset()
    assert watch.process(np.zeros(RATE // 2 - 1, np.float32)) is None


@settings(max_examples=60, deadline=None)
@given(
    stretches=st.lists(st.tuples(st.sampled_from([0.0, 0.1, 5.0]), st.integers(1, 3500)), max_size=6),
    cuts=st.lists(st.integers(0, 15_000), max_size=10),
)
def test_how_the_signal_is_cut_changes_no_answer(stretches: list[tuple[float, int]], cuts: list[int]) -> None:
    rng = np.random.default_rng(0)
    parts = [np.clip(level * rng.standard_normal(length), -1, 1) for level, length in stretches]
    samples = np.concatenate([np.zeros(0), *parts]).astype(np.float32)
    whole = SignalWatch(RATE, silence_s=2)
    pieces = SignalWatch(RATE, silence_s=2)
    expected = whole.process(samples)
    answers = [pieces.process(piece) for piece in np.split(samples, sorted(cut for cut in cuts if cut <= len(samples)))]
    if expected == "dropout":
        assert expected in answers
    else:
        assert answers[-1] == expected
    assert ("dropout" in answers) <= (expected is not None)
