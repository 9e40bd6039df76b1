"""The waveform passes as it is."""

from __future__ import annotations

import numpy as np
import pytest

from edge_asd.errors import InputError
from edge_asd.features import StreamFrontEnd, build_front_end
from edge_asd.recipe.front_ends import Waveform


def test_frames_pass_unchanged_and_what_is_not_finite_is_silence() -> None:
    front_end = build_front_end(Waveform(frame_length=4, hop_length=2), 16000)
    assert isinstance(front_end, StreamFrontEnd)
    frames = np.array([[0.5, -0.25, 0.125, 1.0], [np.nan, np.inf, -np.inf, 0.5]], np.float32)
    np.testing.assert_array_equal(front_end.process(frames), [[0.5, -0.25, 0.125, 1.0], [0, 0, 0, 0.5]])


def test_another_rate_or_length_is_refused() -> None:
    with pytest.raises(InputError, match="expected 16000 Hz"):
        build_front_end(Waveform(sample_rate=16000), 8000)
    front_end = build_front_end(Waveform(frame_length=4, hop_length=2), 16000)
    assert isinstance(front_end, StreamFrontEnd)
    with pytest.raises(ValueError, match="4 samples, got 5"):
        front_end.process(np.zeros((1, 5), np.float32))
