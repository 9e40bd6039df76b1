"""Sound that no microphone should give: finite features, no warning, and no harm to the frames around it."""

from __future__ import annotations

import warnings
from typing import get_args

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.features import PRESETS, SegmentFrontEnd, StreamFrontEnd, build_front_end, resolve
from edge_asd.frames import Framer
from edge_asd.recipe.front_ends import (
    Decibel,
    FrontEnd,
    Image,
    Logarithm,
    LogMel,
    LogSpectrogram,
    Preset,
    PresetName,
    Rms,
)

Float32 = NDArray[np.float32]
LENGTH = 60_000

FRONT_ENDS: dict[str, tuple[FrontEnd, int]] = {
    name: (Preset(name=name), getattr(PRESETS[name], "sample_rate", None) or 16000) for name in get_args(PresetName)
}
FRONT_ENDS |= {
    "single": (LogMel(), 16000),
    "no norm": (LogMel(norm=None, precision="double"), 16000),
    "magnitude": (LogMel(power=1, sqrt=True), 16000),
    "all bins": (LogSpectrogram(), 16000),
    "no logarithm": (LogMel(log=None), 16000),
    "fixed limits": (Image(limits=(-80.0, 0.0)), 16000),
    "top_db": (LogMel(center=True, pad_mode="reflect", segment_length=LENGTH, log=Decibel(top_db=30.0)), 16000),
    "rms": (Rms(), 16000),
    "rms without offset": (Rms(without_offset=True), 16000),
    "least decibel": (LogMel(log=Decibel(amin=1.2e-38)), 16000),
    "least logarithm": (LogMel(log=Logarithm(scale=1.2e-38, offset=1.2e-38)), 16000),
    "largest logarithm": (LogMel(log=Logarithm(scale=3.4e38, offset=3.4e38)), 16000),
    "least half": (LogMel(log=Logarithm(float16=True, scale=6e-8, offset=6e-8)), 16000),
    "largest half": (LogMel(log=Logarithm(float16=True, scale=6.5e4, offset=6.5e4)), 16000),
}
TINY = np.finfo(np.float32).smallest_subnormal


def signals() -> dict[str, Float32]:
    ramp = np.arange(LENGTH)
    noise = np.random.default_rng(0).standard_normal(LENGTH)
    broken = np.where(ramp % 997 == 0, np.nan, noise)
    return {
        name: np.asarray(samples, np.float32)
        for name, samples in {
            "silence": np.zeros(LENGTH),
            "DC": np.ones(LENGTH),
            "negative zero": -np.zeros(LENGTH),
            "clipping": np.clip(1e4 * noise, -1, 1),
            "square": np.sign(np.sin(ramp * 0.3) + 0.1),
            "one sample": np.where(ramp == 20_000, 1.0, 0.0),
            "denormals": ramp % 7 * TINY,
            "faint": 1e-20 * noise,
            "NaN": np.full(LENGTH, np.nan),
            "NaN here and there": broken,
            "infinity": np.where(ramp % 2, np.inf, -np.inf),
            "infinity here and there": np.where(ramp % 1009 == 3, -np.inf, noise),
            "all of them": np.choose(ramp % 5, [np.nan, np.inf, -np.inf, 1.0, TINY]),
            "largest": np.where(ramp % 3, np.finfo(np.float32).max, -np.finfo(np.float32).max),
            "large": 1e30 * noise,
            "loud": 1e9 * noise,
        }.items()
    }


SIGNALS = signals()


def compute(settings: FrontEnd, rate: int, samples: Float32) -> Float32:
    front_end = build_front_end(settings, rate)
    if isinstance(front_end, SegmentFrontEnd):
        return front_end.process(np.resize(samples, front_end.segment_length))
    frames = np.lib.stride_tricks.sliding_window_view(samples, front_end.frame_length)[:: front_end.hop_length]
    return front_end.process(frames)


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_features_are_finite_and_nothing_is_warned_of(name: str, signal: str) -> None:
    with warnings.catch_warnings(), np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("error")
        features = compute(*FRONT_ENDS[name], SIGNALS[signal])
    assert features.size
    assert np.isfinite(features).all()


@pytest.mark.parametrize("signal", ["NaN here and there", "infinity here and there"])
@pytest.mark.parametrize("name", ["single", "no norm", "all bins", "rms", "vggish", "musicnn", "openl3-v0.4-mel128"])
def test_samples_that_are_not_finite_count_as_zero(name: str, signal: str) -> None:
    settings, rate = FRONT_ENDS[name]
    samples = SIGNALS[signal]
    zeros = np.where(np.isfinite(samples), samples, np.float32(0))
    np.testing.assert_array_equal(compute(settings, rate, samples), compute(settings, rate, zeros))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("name", ["single", "no norm", "all bins", "rms", "iaeo3-fan"])
def test_frames_beside_a_broken_one_keep_their_bits(name: str, value: float) -> None:
    settings, rate = FRONT_ENDS[name]
    front_end = build_front_end(settings, rate)
    assert isinstance(front_end, StreamFrontEnd)
    sound = np.random.default_rng(1).standard_normal(30_000).astype(np.float32)
    broken = sound.copy()
    broken[15_000] = value
    whole, beside = compute(settings, rate, sound), compute(settings, rate, broken)
    starts = np.arange(len(whole)) * front_end.hop_length
    touched = (starts <= 15_000) & (starts + front_end.frame_length > 15_000)
    assert 0 < touched.sum() < 10
    np.testing.assert_array_equal(beside[~touched], whole[~touched])
    assert not np.array_equal(beside[touched], whole[touched])


@pytest.mark.parametrize("signal", ["NaN here and there", "all of them", "largest"])
@pytest.mark.parametrize("name", ["single", "vggish", "rms", "rms without offset"])
def test_what_is_repaired_does_not_depend_on_blocks(name: str, signal: str) -> None:
    settings, rate = FRONT_ENDS[name]
    front_end = build_front_end(settings, rate)
    assert isinstance(front_end, StreamFrontEnd)
    framer = Framer(front_end.frame_length, front_end.hop_length, chunk=7)
    samples = SIGNALS[signal]
    found = [
        front_end.process(frames).copy()
        for start in range(0, LENGTH, 1313)
        for frames in framer.process(samples[start : start + 1313])
    ]
    np.testing.assert_array_equal(np.concatenate(found), compute(settings, rate, samples))


def test_silence_and_denormals_are_at_the_floor() -> None:
    for signal in ("silence", "negative zero", "denormals"):
        np.testing.assert_allclose(compute(LogMel(), 16000, SIGNALS[signal]), -100.0, atol=2e-5)
        np.testing.assert_allclose(compute(Rms(), 16000, SIGNALS[signal]), -100.0, atol=2e-5)


def test_presets_can_be_spelt_out_and_written_down() -> None:
    for name in get_args(PresetName):
        settings = resolve(Preset(name=name))
        assert msgspec.convert(msgspec.to_builtins(settings), FrontEnd) == settings
