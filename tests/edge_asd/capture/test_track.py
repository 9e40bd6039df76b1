"""The track of a live source: numbering, gaps, and what lies on their two sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asd.audio import Resampler
from edge_asd.capture import Block, Gap, Item
from edge_asd.capture.track import Track


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, length).astype(np.float32)


def resampled(samples: np.ndarray, native: int, target: int) -> np.ndarray:
    resampler = Resampler(native, target)
    return np.concatenate([resampler.process(samples), resampler.flush()])


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sound"), st.integers(1, 3000)),
        st.tuples(st.just("lost"), st.integers(1, 3000)),
        st.tuples(st.just("unknown"), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(steps=STEPS, rates=st.sampled_from([(44_100, 16_000), (16_000, 16_000), (8_000, 16_000), (48_000, 16_000)]))
def test_numbers_run_on_over_gaps_and_never_drift(steps: list[Step], rates: tuple[int, int]) -> None:
    native, target = rates
    track = Track(native, target)
    items: list[Item] = []
    for kind, length in steps:
        if kind == "sound":
            items += track.process(noise(length))
        else:
            items += track.gap(length if kind == "lost" else None, "why")
    items += track.end()
    position = 0
    for item in items:
        if isinstance(item, Gap):
            position += item.lost or 0
        else:
            assert item.start == position
            position += len(item.samples)
    assert track.next == position
    pieces = 1 + sum(kind == "unknown" for kind, _ in steps)
    # Each stretch between two unknown gaps is rounded to the nearest sample, its last sound once more.
    assert abs(position - sum(length for _, length in steps) * target / native) <= pieces * 1.01


@pytest.mark.parametrize(("native", "target"), [(48_000, 8_000), (44_100, 16_000), (16_000, 16_000)])
def test_what_comes_late_of_a_silence_is_marked_too(native: int, target: int) -> None:
    track = Track(native, target)
    sound = np.concatenate([noise(native), np.zeros(6 * native, np.float32), noise(native)])
    items = [item for block in np.split(sound, len(sound) // (native // 20)) for item in track.process(block)]
    blocks = [item for item in [*items, *track.end()] if isinstance(item, Block)]
    # Of the sound after it, nothing that is not marked begins before it is over.
    after = [block for block in blocks if block.fault is None and block.start > 2 * target]
    assert after
    assert min(block.start for block in after) >= 7 * target - 1


def test_what_lies_after_a_gap_owes_nothing_to_what_lay_before() -> None:
    track = Track(48_000, 16_000)
    before, after = noise(10_000, 1), noise(20_000, 2)
    items = [*track.process(before), *track.gap(4800, "dropped"), *track.process(after), *track.end()]
    place = [type(item) for item in items].index(Gap)
    first = np.concatenate([item.samples for item in items[:place] if isinstance(item, Block)])
    second = np.concatenate([item.samples for item in items[place + 1 :] if isinstance(item, Block)])
    np.testing.assert_array_equal(first, resampled(before, 48_000, 16_000))
    np.testing.assert_array_equal(second, resampled(after, 48_000, 16_000))
    start = next(item.start for item in items[place + 1 :] if isinstance(item, Block))
    assert start == round(14_800 / 3)


def test_many_small_gaps_do_not_add_up_their_rounding() -> None:
    track = Track(44_100, 16_000)
    for _ in range(1000):
        track.process(noise(50))
        track.gap(7, "dropped")
    assert abs(track.next - 57_000 * 16_000 / 44_100) <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@settings(max_examples=60, deadline=None)
@given(
    places=st.lists(st.integers(0, 5999), max_size=6),
    cuts=st.lists(st.integers(1, 5999), max_size=8),
    rate=st.sampled_from([8000, 16_000]),
)
def test_samples_that_are_no_numbers_become_a_gap_wherever_blocks_are_cut(
    bad: float, places: list[int], cuts: list[int], rate: int
) -> None:
    samples = noise(6000)
    samples[places] = bad
    lost = np.zeros(6000, bool)
    for place in places:
        lost[place : place + 801] = True
    track = Track(8000, rate)
    items = [item for piece in np.split(samples, sorted(cuts)) for item in track.process(piece)] + track.end()
    heard, position = np.full(6000 * rate // 8000, np.nan, np.float32), 0
    for item in items:
        if isinstance(item, Block):
            assert item.start == position
            heard[position : position + len(item.samples)] = item.samples
            position += len(item.samples)
        else:
            assert item.reason == "samples that are no numbers"
            position += item.lost or 0
    assert position == len(heard)
    np.testing.assert_array_equal(np.isnan(heard), np.repeat(lost, rate // 8000))
    if rate == 8000:
        np.testing.assert_array_equal(heard[~lost], samples[~lost])


def test_a_stream_of_numbers_and_others_by_turns_is_one_gap() -> None:
    samples = noise(16_000)
    samples[::2] = np.nan
    assert Track(16_000, 16_000).process(samples) == [Gap(16_000, "samples that are no numbers", frames=16_000)]


def test_a_gap_of_unknown_length_moves_no_number() -> None:
    track = Track(16_000, 16_000, start=100)
    track.process(noise(50))
    assert track.gap(None, "overflow") == [Gap(None, "overflow")]
    (block,) = track.process(noise(10))
    assert isinstance(block, Block)
    assert block.start == 150
