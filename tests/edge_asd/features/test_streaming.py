"""However sound is cut up, the same bits come out: blocks, offsets, resets, gaps, overlapping segments."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_asd.features import SegmentFrontEnd, StreamFrontEnd, build_front_end
from edge_asd.features.compression import finish
from edge_asd.features.mel import MelBank
from edge_asd.frames import Framer
from edge_asd.recipe.front_ends import Decibel, FrontEnd, Logarithm, LogMel, LogSpectrogram, Preset, Rms

Float32 = NDArray[np.float32]

STREAMS: dict[str, tuple[FrontEnd, int]] = {
    "1024/512/128": (LogMel(), 16000),
    "1024/256/64": (LogMel(hop_length=256, n_mels=64), 16000),
    "2048/242/256": (LogMel(n_fft=2048, hop_length=242, n_mels=256), 48000),
    "double": (LogMel(precision="double", n_mels=61), 16000),
    "16 bands": (LogMel(n_mels=16, n_fft=2048), 16000),
    "vggish": (Preset(name="vggish"), 16000),
    "yamnet": (Preset(name="yamnet"), 16000),
    "iaeo3-fan": (Preset(name="iaeo3-fan"), 4000),
    "all bins": (LogSpectrogram(n_fft=500, hop_length=125), 16000),
    "half precision": (LogMel(log=Logarithm(base="10", float16=True)), 16000),
    "rms": (Rms(), 16000),
    "rms without offset": (Rms(without_offset=True), 16000),
}
SEGMENTS: dict[str, tuple[FrontEnd, int]] = {
    "openl3-v0.4-mel128": (Preset(name="openl3-v0.4-mel128"), 48000),
    "openl3-v0.3-mel256": (Preset(name="openl3-v0.3-mel256"), 48000),
    "openl3-linear": (Preset(name="openl3-linear"), 48000),
    "musicnn": (Preset(name="musicnn"), 16000),
    "panns": (Preset(name="panns", segment_length=32000), 32000),
    "image-transfer": (Preset(name="image-transfer"), 16000),
    "single": (LogMel(center=True, segment_length=20000, log=Decibel(ref="max", top_db=80.0)), 16000),
}

SOUND = np.asarray(0.3 * np.random.default_rng(0).standard_normal(60_000), np.float32)


def stream_front_end(name: str) -> StreamFrontEnd:
    front_end = build_front_end(*STREAMS[name])
    assert isinstance(front_end, StreamFrontEnd)
    return front_end


def offline(front_end: StreamFrontEnd, samples: Float32) -> Float32:
    frames = np.lib.stride_tricks.sliding_window_view(samples, front_end.frame_length)[:: front_end.hop_length]
    return front_end.process(frames).copy()


def online(front_end: StreamFrontEnd, framer: Framer, samples: Float32, cuts: list[int]) -> Float32:
    bounds = [0, *sorted(cut % (len(samples) + 1) for cut in cuts), len(samples)]
    features = [
        front_end.process(frames).copy()
        for start, stop in pairwise(bounds)
        for frames in framer.process(samples[start:stop])
    ]
    return np.concatenate([np.empty((0, front_end.n_features), np.float32), *features])


cuts = st.lists(st.integers(0, 100_000), max_size=20)
lengths = st.integers(2048, 20_000)
some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", STREAMS)
@some
@given(start=st.integers(0, 30_000), length=lengths, cuts=cuts, chunk=st.integers(1, 120))
def test_any_split_from_any_offset(name: str, start: int, length: int, cuts: list[int], chunk: int) -> None:
    front_end = stream_front_end(name)
    samples = SOUND[start : start + length]
    framer = Framer(front_end.frame_length, front_end.hop_length, chunk=chunk)
    np.testing.assert_array_equal(online(front_end, framer, samples, cuts), offline(front_end, samples))


@pytest.mark.parametrize("name", STREAMS)
def test_a_frame_gives_the_same_bits_wherever_it_falls(name: str) -> None:
    """Frames of overlapping stretches, one hop apart: each frame is computed at many places of a chunk."""
    front_end = stream_front_end(name)
    whole = offline(front_end, SOUND)
    for first in range(min(len(whole), 30)):
        there = offline(front_end, SOUND[first * front_end.hop_length :])
        np.testing.assert_array_equal(there, whole[first:])


@pytest.mark.parametrize("name", STREAMS)
def test_one_sample_at_a_time(name: str) -> None:
    front_end = stream_front_end(name)
    samples = SOUND[: 3 * front_end.frame_length]
    framer = Framer(front_end.frame_length, front_end.hop_length)
    found = online(front_end, framer, samples, list(range(len(samples))))
    np.testing.assert_array_equal(found, offline(front_end, samples))


@pytest.mark.parametrize("name", STREAMS)
@some
@given(before=st.integers(0, 9000), length=lengths, cuts=cuts)
def test_reset_and_gap(name: str, before: int, length: int, cuts: list[int]) -> None:
    front_end = stream_front_end(name)
    framer = Framer(front_end.frame_length, front_end.hop_length)
    samples = SOUND[before : before + length]
    expected = offline(front_end, samples)
    online(front_end, framer, SOUND[:before], cuts)
    framer.reset()
    np.testing.assert_array_equal(online(front_end, framer, samples, cuts), expected)
    framer.gap()
    np.testing.assert_array_equal(online(front_end, framer, samples, cuts), expected)


@pytest.mark.parametrize("name", ["1024/512/128", "16 bands"])
def test_where_blas_tells_rows_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = offline(stream_front_end(name), SOUND)
    monkeypatch.setattr(MelBank, "_treats_rows_alike", lambda _: False)
    front_end = stream_front_end(name)
    found = offline(front_end, SOUND)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    framer = Framer(front_end.frame_length, front_end.hop_length)
    np.testing.assert_array_equal(online(front_end, framer, SOUND, list(range(0, 60_000, 777))), found)


@pytest.mark.parametrize("name", SEGMENTS)
def test_overlapping_segments_are_what_each_is_alone(name: str) -> None:
    front_end = build_front_end(*SEGMENTS[name])
    assert isinstance(front_end, SegmentFrontEnd)
    hop = front_end.segment_length // 10
    sound = np.tile(SOUND, 3)
    framer = Framer(front_end.segment_length, hop, chunk=1)
    count = 0
    for segments in framer.process(sound[: front_end.segment_length + 4 * hop]):
        alone = build_front_end(*SEGMENTS[name])
        start = framer.index
        expected = alone.process(sound[start : start + front_end.segment_length].copy())
        np.testing.assert_array_equal(front_end.process(segments[0]), expected)
        count += 1
    assert count == 5


@some
@given(first=st.integers(0, 20), cuts=cuts, ref=st.sampled_from([1.0, "max"]), top_db=st.sampled_from([None, 20.0]))
def test_maxima_taken_of_cached_frames(first: int, cuts: list[int], ref: Any, top_db: float | None) -> None:
    """Frames computed once on a stream, and the segment's rules applied to them later."""
    log = Decibel(ref=ref, top_db=top_db)
    segment = build_front_end(LogMel(segment_length=16000, log=log), 16000)
    stream = build_front_end(LogMel(), 16000)
    assert isinstance(segment, SegmentFrontEnd)
    assert isinstance(stream, StreamFrontEnd)
    cached = online(stream, Framer(1024, 512), SOUND, cuts)[first : first + segment.n_frames]
    finish(cached, log)
    np.testing.assert_array_equal(cached, segment.process(SOUND[first * 512 : first * 512 + 16000]))


@pytest.mark.skipif(int(np.__version__.split(".")[0]) < 2, reason="NumPy 1 cannot transform into memory of one's own")
@pytest.mark.parametrize("name", [name for name in STREAMS if name != "half precision"])
def test_nothing_is_allocated_per_frame(name: str) -> None:
    front_end = stream_front_end(name)
    framer = Framer(front_end.frame_length, front_end.hop_length)
    sound = np.tile(SOUND, 2)

    def run() -> None:
        for start in range(0, len(sound), 10 * front_end.hop_length):
            for frames in framer.process(sound[start : start + 10 * front_end.hop_length]):
                front_end.process(frames)

    run()
    tracemalloc.start()
    run()
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 8192
    # Whatever the number of frames, a ufunc borrows no more than one buffer for each of its arrays.
    assert peak < 3 * 8 * np.getbufsize() + 10_000
