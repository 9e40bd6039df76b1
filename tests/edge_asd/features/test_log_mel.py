"""Spectrograms against librosa."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.features import SegmentFrontEnd, StreamFrontEnd, build_front_end
from edge_asd.recipe.front_ends import Decibel, FrontEnd, Logarithm, LogMel, LogSpectrogram

Float32 = NDArray[np.float32]
TOLERANCE_DB = 2e-4
RANGE_DB = 60.0
DOUBLE: dict[str, Any] = {"precision": "double"}


def sound(rate: int, seconds: float = 0.6) -> Float32:
    time = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(3).standard_normal(len(time)) * np.linspace(1.0, 0.001, len(time))
    return np.asarray(0.2 * np.sin(2 * np.pi * 0.07 * rate * time * (1 + 0.1 * time)) + 0.1 * noise, np.float32)


def stream(settings: FrontEnd, rate: int, samples: Float32) -> Float32:
    front_end = build_front_end(settings, rate)
    assert isinstance(front_end, StreamFrontEnd)
    assert not isinstance(front_end, SegmentFrontEnd)
    frames = np.lib.stride_tricks.sliding_window_view(samples, front_end.frame_length)[:: front_end.hop_length]
    return front_end.process(frames)


def segment(settings: FrontEnd, rate: int, samples: Float32) -> Float32:
    front_end = build_front_end(settings, rate)
    assert isinstance(front_end, SegmentFrontEnd)
    features = front_end.process(samples)
    assert features.shape == (front_end.n_frames, front_end.n_features)
    return features


def of_librosa(samples: Float32, rate: int, log: dict[str, Any] | None = None, **options: Any) -> NDArray[np.floating]:
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, **options)
    return np.asarray(librosa.power_to_db(mel, **{"top_db": None, **(log or {})}).T)


def assert_close(found: Float32, expected: NDArray[np.floating], *, single: bool = False) -> None:
    """Hold to 2e-4 dB over 60 dB; of what a single-precision transform gave, let one value in a thousand miss that."""
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    counted = expected > expected.max() - RANGE_DB
    assert counted.mean() > 0.7
    error = np.abs(found - expected)
    if single:
        assert (error[counted] > TOLERANCE_DB).mean() < 1e-3
    else:
        assert error[counted].max() < TOLERANCE_DB
    assert error.max() < (0.05 if single else 5e-3)


CONFIGURATIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "A": (16000, {"n_fft": 1024, "hop_length": 512, "n_mels": 128}),
    "B": (16000, {"n_fft": 1024, "hop_length": 256, "n_mels": 64}),
    "C": (48000, {"n_fft": 2048, "hop_length": 242, "n_mels": 256}),
    "D": (32000, {"n_fft": 1024, "hop_length": 320, "n_mels": 64, "fmin": 50.0, "fmax": 14000.0}),
    "E": (16000, {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 64}),
    "512/256": (16000, {"n_fft": 512, "hop_length": 256, "n_mels": 128}),
    "2048/1024": (16000, {"n_fft": 2048, "hop_length": 1024, "n_mels": 128}),
    "4 kHz": (4000, {"n_fft": 1024, "hop_length": 512, "n_mels": 256}),
    "16 bands": (44100, {"n_fft": 2048, "hop_length": 1024, "n_mels": 16}),
    "uneven": (22050, {"n_fft": 750, "win_length": 601, "hop_length": 211, "n_mels": 23, "fmin": 30.0}),
    "htk": (16000, {"n_fft": 1024, "hop_length": 512, "n_mels": 40, "htk": True}),
    "no norm": (16000, {"n_fft": 1024, "hop_length": 512, "n_mels": 40, "norm": None}),
    "hamming": (16000, {"n_fft": 1024, "hop_length": 512, "n_mels": 40, "window": "hamming"}),
    "boxcar": (16000, {"n_fft": 1024, "hop_length": 512, "n_mels": 40, "window": "boxcar"}),
}


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_stream(name: str, precision: str) -> None:
    rate, options = CONFIGURATIONS[name]
    samples = sound(rate, 0.6 if rate > 4000 else 2.0)
    found = stream(LogMel(**options, precision=precision), rate, samples)  # type: ignore[arg-type]
    assert_close(found, of_librosa(samples, rate, center=False, **options), single=precision == "single")


def test_magnitude() -> None:
    samples = sound(16000)
    found = stream(LogMel(**DOUBLE, n_mels=40, power=1), 16000, samples)
    expected = of_librosa(samples, 16000, center=False, n_fft=1024, hop_length=512, n_mels=40, power=1.0)
    assert_close(found, expected)


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_centred(name: str, pad_mode: str) -> None:
    rate, options = CONFIGURATIONS[name]
    samples = sound(rate, 0.6 if rate > 4000 else 2.0)
    settings = LogMel(**DOUBLE, **options, center=True, pad_mode=pad_mode, segment_length=len(samples))  # type: ignore[arg-type]
    assert_close(segment(settings, rate, samples), of_librosa(samples, rate, pad_mode=pad_mode, **options))


@pytest.mark.parametrize("ref", [0.01, 1.0, "max"])
@pytest.mark.parametrize("top_db", [None, 30.0])
def test_decibels_over_a_segment(ref: Any, top_db: float | None) -> None:
    samples = sound(16000)
    log = Decibel(amin=1e-6, ref=ref, top_db=top_db)
    found = segment(LogMel(**DOUBLE, log=log, segment_length=len(samples)), 16000, samples)
    options = {"amin": 1e-6, "ref": np.max if ref == "max" else ref, "top_db": top_db}
    assert_close(found, of_librosa(samples, 16000, options, center=False, n_fft=1024, hop_length=512, n_mels=128))


@pytest.mark.parametrize("power", [1, 2])
def test_all_bins(power: Any) -> None:
    samples = sound(16000)
    found = stream(LogSpectrogram(n_fft=512, hop_length=200, power=power, precision="double"), 16000, samples)
    transform = librosa.stft(samples.astype(np.float64), n_fft=512, hop_length=200, center=False)
    assert_close(found, librosa.power_to_db(np.abs(transform) ** power, top_db=None).T)


def test_no_logarithm() -> None:
    samples = sound(16000)
    found = stream(LogMel(n_mels=40, log=None), 16000, samples)
    expected = librosa.feature.melspectrogram(
        y=samples, sr=16000, n_fft=1024, hop_length=512, n_mels=40, center=False
    ).T
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize(("base", "logarithm"), [("e", np.log), ("10", np.log10)])
def test_logarithms(base: Any, logarithm: Any) -> None:
    samples = sound(16000)
    plain = stream(LogMel(log=None), 16000, samples)
    found = stream(LogMel(log=Logarithm(base=base, scale=30.0, offset=0.5)), 16000, samples)
    np.testing.assert_allclose(found, logarithm(30.0 * plain.astype(np.float64) + 0.5), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("padding", "left", "right"), [("same", 206, 206), ("end", 0, 412)])
def test_padding_adds_zeros_until_every_hop_starts_a_frame(padding: Any, left: int, right: int) -> None:
    samples = sound(16000)[:5100]  # 26 frames span 5512 samples
    settings = LogMel(n_fft=512, hop_length=200, n_mels=30, padding=padding, segment_length=5100)
    expected = stream(LogMel(n_fft=512, hop_length=200, n_mels=30), 16000, np.pad(samples, (left, right)))
    assert len(expected) == 26
    np.testing.assert_array_equal(segment(settings, 16000, samples), expected)


def test_zeros_after_the_window_leave_magnitudes_as_they_are() -> None:
    """A window in the middle of its frame (librosa) or at its beginning (TensorFlow): the same frames, shifted."""
    samples = sound(16000)
    options: dict[str, Any] = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 40}
    both = stream(LogMel(**options, zero_pad="both"), 16000, samples)
    end = stream(LogMel(**options, zero_pad="end"), 16000, samples[56:])
    np.testing.assert_array_equal(both, end[: len(both)])


def test_silence_is_the_floor() -> None:
    silent = np.zeros(4096, np.float32)
    np.testing.assert_allclose(stream(LogMel(), 16000, silent), -100.0, atol=2e-5)
