"""Clips begin and end where they should, however the sound is cut into blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from edge_asd.evidence import ClipStore, Recorder
from edge_asd.firmware import Evidence
from edge_asd.publish import Clip
from edge_asd.ulid import new_ulid

RATE = 8000


def sound(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1.2, 1.2, int(seconds * RATE)).astype(np.float32)


def as_kept(samples: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(samples * 32768), -32768, 32767), np.int16)


def content(clip: Clip | None) -> np.ndarray:
    assert clip is not None
    return np.asarray(soundfile.read(clip.path, dtype="int16")[0])


def finished(recorder: Recorder, name: str) -> Clip | None:
    saving = recorder.finish(name)
    assert saving is not None
    return saving.result(30)


@pytest.fixture
def make(settings: Callable[..., Evidence], store: ClipStore) -> Callable[..., Recorder]:
    return lambda **changed: Recorder("pump-3", RATE, settings(**{"before_s": 2, "after_s": 1, **changed}), store)


def hear(recorder: Recorder, samples: np.ndarray, block: int) -> None:
    for start in range(0, len(samples), block):
        recorder.hear(samples[start : start + block])


@pytest.mark.parametrize("block", [100, 777, 8000, 40_000])
def test_a_clip_holds_what_came_before_and_after(make: Callable[..., Recorder], block: int) -> None:
    recorder, name, played = make(), new_ulid(), sound(10)
    hear(recorder, played[: 5 * RATE], block)
    recorder.begin(name)
    hear(recorder, played[5 * RATE :], block)
    heard = content(finished(recorder, name))
    before = next(
        n for n in range(2 * RATE, 5 * RATE + 1) if np.array_equal(as_kept(played[5 * RATE - n :][:50]), heard[:50])
    )
    after = len(heard) - before
    assert 2 * RATE <= before < 2 * RATE + block
    assert RATE <= after < RATE + block
    np.testing.assert_array_equal(heard, as_kept(played[5 * RATE - before : 5 * RATE + after]))


def test_an_anomaly_that_ends_at_once_has_a_clip_that_ends_with_it(make: Callable[..., Recorder]) -> None:
    recorder, name, played = make(), new_ulid(), sound(3)
    hear(recorder, played, 800)
    recorder.begin(name)
    assert recorder.clip(name) is None
    np.testing.assert_array_equal(content(finished(recorder, name)), as_kept(played[-2 * RATE :]))
    assert recorder.clip(name) is not None
    assert recorder.clip(new_ulid()) is None


def test_a_clip_is_there_while_its_anomaly_goes_on(make: Callable[..., Recorder], store: ClipStore) -> None:
    recorder, name = make(), new_ulid()
    recorder.begin(name)
    hear(recorder, sound(2), 800)
    assert finished(recorder, name) == recorder.clip(name)
    assert store.health().written == 1


def test_a_clip_may_hold_next_to_nothing_of_what_came_before(make: Callable[..., Recorder]) -> None:
    recorder, name, played = make(before_s=1e-9), new_ulid(), sound(2)
    hear(recorder, played[:RATE], 800)
    recorder.begin(name)
    hear(recorder, played[RATE:], 800)
    np.testing.assert_array_equal(content(finished(recorder, name)), as_kept(played[RATE - 800 :]))


def test_without_sound_there_is_no_clip(make: Callable[..., Recorder]) -> None:
    recorder, name = make(), new_ulid()
    recorder.begin(name)
    assert recorder.finish(name) is None
    assert recorder.snapshot(0) is None


def test_a_snapshot_is_the_latest_sound(make: Callable[..., Recorder]) -> None:
    recorder, played = make(), sound(5)
    hear(recorder, played, 800)
    np.testing.assert_array_equal(content(recorder.snapshot()), as_kept(played[-2 * RATE :]))
