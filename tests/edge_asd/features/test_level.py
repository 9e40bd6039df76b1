"""Levels against librosa."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from edge_asd.features import StreamFrontEnd, build_front_end
from edge_asd.recipe.front_ends import Rms


@pytest.mark.parametrize(("frame", "hop"), [(1024, 512), (400, 160), (1, 1), (7, 3)])
def test_level(frame: int, hop: int) -> None:
    samples = np.random.default_rng(0).standard_normal(9000).astype(np.float32) * np.linspace(1, 1e-3, 9000, dtype="f4")
    front_end = build_front_end(Rms(frame_length=frame, hop_length=hop), 16000)
    assert isinstance(front_end, StreamFrontEnd)
    assert front_end.n_features == 1
    frames = np.lib.stride_tricks.sliding_window_view(samples, frame)[::hop]
    expected = librosa.feature.rms(y=samples.astype(np.float64), frame_length=frame, hop_length=hop, center=False)
    found = front_end.process(frames)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 20 * np.log10(np.maximum(expected.T, 1e-5)), rtol=0, atol=2e-5)


def test_full_scale_sine_is_at_minus_three_decibels() -> None:
    front_end = build_front_end(Rms(), 16000)
    sine = np.sin(2 * np.pi * 1000 * np.arange(1024) / 16000, dtype=np.float64)
    assert front_end.process(sine[np.newaxis])[0, 0] == pytest.approx(-3.0103, abs=1e-4)


@pytest.mark.parametrize("offset", [0.0, 0.1, -0.9])
def test_an_offset_of_the_converter_is_no_level(offset: float) -> None:
    front_end = build_front_end(Rms(without_offset=True), 16000)
    frame = 1e-3 * np.random.default_rng(1).standard_normal((3, 1024))
    expected = 10.0 * np.log10(frame.var(axis=1))
    np.testing.assert_allclose(front_end.process(frame + offset)[:, 0], expected, rtol=0, atol=1e-5)
    plain = build_front_end(Rms(), 16000).process(frame + 0.1)
    np.testing.assert_allclose(plain, -20.0, atol=0.01)


def test_a_frame_of_the_wrong_length_is_refused() -> None:
    front_end = build_front_end(Rms(), 16000)
    with pytest.raises(ValueError, match="1024 samples, got 1000"):
        front_end.process(np.zeros((2, 1000), np.float32))
