"""Framer and history against slices of the whole stream."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_asd.frames import Framer, History

Rows = NDArray[Any]


def stream(rows: int, *row_shape: int) -> NDArray[np.float32]:
    return np.arange(rows * int(np.prod(row_shape)), dtype=np.float32).reshape(rows, *row_shape)


def naive(rows: Rows, length: int, hop: int) -> list[Rows]:
    return [rows[start : start + length] for start in range(0, len(rows) - length + 1, hop)]


def feed(framer: Framer, rows: Rows, cuts: list[int]) -> list[Rows]:
    """Give rows block by block; keep copies of the frames, since views do not last."""
    bounds = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    frames: list[Rows] = []
    for start, stop in pairwise(bounds):
        for view in framer.process(rows[start:stop]):
            frames += list(view.copy())
    return frames


def assert_same(found: list[Rows], expected: list[Rows]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


cuts = st.lists(st.integers(0, 10_000), max_size=12)
grids = st.tuples(st.integers(1, 40), st.integers(1, 60), st.integers(1, 9))


@given(rows=st.integers(0, 700), grid=grids, cuts=cuts)
def test_any_split_gives_the_frames_of_the_whole_stream(rows: int, grid: tuple[int, int, int], cuts: list[int]) -> None:
    length, hop, chunk = grid
    samples = stream(rows)
    assert_same(feed(Framer(length, hop, chunk=chunk), samples, cuts), naive(samples, length, hop))


@given(rows=st.integers(0, 200), grid=grids, cuts=cuts)
def test_rows_may_be_vectors(rows: int, grid: tuple[int, int, int], cuts: list[int]) -> None:
    length, hop, chunk = grid
    features = stream(rows, 3)
    assert_same(feed(Framer(length, hop, row_shape=(3,), chunk=chunk), features, cuts), naive(features, length, hop))


def test_one_row_at_a_time() -> None:
    samples = stream(300)
    assert_same(feed(Framer(16, 5), samples, list(range(300))), naive(samples, 16, 5))


@given(rows=st.integers(0, 300), grid=grids, cuts=cuts)
def test_nothing_is_framed_across_a_gap(rows: int, grid: tuple[int, int, int], cuts: list[int]) -> None:
    length, hop, chunk = grid
    samples = stream(rows + 300)
    before, after = samples[:rows], samples[rows:]
    framer = Framer(length, hop, chunk=chunk)
    assert_same(feed(framer, before, cuts), naive(before, length, hop))
    framer.gap()
    assert framer.index == rows
    assert_same(feed(framer, after, cuts), naive(after, length, hop))


@given(rows=st.integers(0, 300), grid=grids, cuts=cuts)
def test_reset_starts_afresh(rows: int, grid: tuple[int, int, int], cuts: list[int]) -> None:
    length, hop, chunk = grid
    samples = stream(300)
    framer = Framer(length, hop, chunk=chunk)
    feed(framer, samples[:rows], cuts)
    framer.reset()
    assert framer.index == 0
    assert_same(feed(framer, samples, cuts), naive(samples, length, hop))


@given(grid=grids, cuts=cuts)
def test_index_is_the_position_of_the_frame_in_hand(grid: tuple[int, int, int], cuts: list[int]) -> None:
    length, hop, chunk = grid
    samples = stream(400)
    framer = Framer(length, hop, chunk=chunk)
    bounds = [0, *sorted(cut % 401 for cut in cuts), 400]
    for start, stop in pairwise(bounds):
        for view in framer.process(samples[start:stop]):
            assert view[0, 0] == framer.index
    assert framer.index == hop * len(naive(samples, length, hop))


def test_views_are_read_only_and_bounded() -> None:
    framer = Framer(8, 4, chunk=5)
    for view in framer.process(stream(500)):
        assert 1 <= len(view) <= 5
        assert not view.flags.writeable


def test_blocks_longer_than_the_ring_pass_through() -> None:
    samples = stream(100_000)
    assert_same(feed(Framer(64, 16, chunk=2), samples, []), naive(samples, 64, 16))


def test_rows_are_kept_in_the_type_asked_for() -> None:
    framer = Framer(4, 4, dtype=np.float32)
    (view,) = framer.process(np.arange(4, dtype=np.int16))
    assert view.dtype == np.float32


def test_a_long_frame_takes_little_more_than_twice_its_own_memory() -> None:
    tracemalloc.start()
    framer = Framer(2_000_000, 2_000_000)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 2.1 * 2_000_000 * 4
    assert framer.length == 2_000_000


def test_memory_does_not_grow() -> None:
    framer = Framer(1024, 512)
    history = History(50, row_shape=(4,))
    block, rows = stream(777), stream(3, 4)

    def run() -> None:
        for _ in range(300):
            for view in framer.process(block):
                assert view.size
            history.append(rows)

    run()
    tracemalloc.start()
    run()
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 2048
    assert peak < 8192


def test_a_block_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\), got a block of shape \(5, 2\)"):
        Framer(2, 1, row_shape=(3,)).process(stream(5, 2))
    with pytest.raises(ValueError, match="shape"):
        Framer(2, 1).process(stream(5, 2))


def test_leaving_the_frames_of_a_block_half_way_is_noticed() -> None:
    framer = Framer(2, 1, chunk=1)
    next(iter(framer.process(stream(10))))
    with pytest.raises(RuntimeError, match="not all taken"):
        framer.process(stream(10))
    framer.gap()
    assert len(feed(framer, stream(10), [])) == 9


@pytest.mark.parametrize("grid", [(0, 1), (1, 0), (-1, 1)])
def test_lengths_must_be_positive(grid: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Framer(*grid)
    with pytest.raises(ValueError, match="at least 1"):
        History(0)


@given(length=st.integers(1, 20), blocks=st.lists(st.integers(0, 50), max_size=20))
def test_history_holds_the_last_rows_in_order(length: int, blocks: list[int]) -> None:
    rows = stream(sum(blocks), 2)
    history = History(length, row_shape=(2,))
    start = 0
    for block in blocks:
        history.append(rows[start : start + block])
        start += block
        held = min(start, length)
        assert len(history) == held
        for count in range(held + 1):
            np.testing.assert_array_equal(history.latest(count), rows[start - count : start])
    history.clear()
    assert len(history) == 0


def test_history_gives_no_more_than_it_holds() -> None:
    history = History(3)
    history.append(stream(2))
    with pytest.raises(ValueError, match="0 to 2, the rows held, got 3"):
        history.latest(3)
    view = history.latest(2)
    assert not view.flags.writeable
