"""Every published front end against its own definition, computed frame by frame in double precision.

The definitions are written out here from the releases that `edge_asd.features.presets` names, and share nothing with
the package: the transform is a plain sum, the filters are plain loops.
"""

from __future__ import annotations

import gzip
import io
import math
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.features import PRESETS, SegmentFrontEnd, build_front_end, resolve
from edge_asd.recipe.front_ends import Decibel, Preset, PresetName

Float64 = NDArray[np.float64]
TOLERANCE_DB = 1e-4
RANGE_DB = 60.0


def sound(rate: int, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """A machine of sorts: two tones and their beat, a sweep, pink noise, and a click every tenth of a second."""
    time = np.arange(round(rate * seconds)) / rate
    white = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(time)))
    noise = np.fft.irfft(white / np.sqrt(1 + np.arange(len(white))), len(time))
    tones = np.sin(2 * np.pi * 0.031 * rate * time) + np.sin(2 * np.pi * (0.0312 * rate * time + 0.1 * time**2 * rate))
    clicks = np.where(np.arange(len(time)) % (rate // 10) < 3, 0.5, 0.0)
    return np.asarray(0.1 * tones + 0.2 * noise / np.abs(noise).max() + clicks, np.float32)


# --- plain building blocks -------------------------------------------------------------------------------------------


def hann(length: int) -> Float64:
    return np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / length) for n in range(length)])


@cache
def transform(n_fft: int) -> NDArray[np.complex128]:
    turns = np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) % n_fft
    return np.asarray(np.exp(-2j * np.pi * turns / n_fft))


def spectra(samples: Float64, starts: range, window: Float64, n_fft: int) -> Iterator[Float64]:
    """|X| of each frame; samples beyond either end are zeros."""
    around = np.concatenate([np.zeros(n_fft), samples, np.zeros(n_fft)])
    frames = np.zeros((len(starts), n_fft))
    for frame, start in zip(frames, starts, strict=True):
        frame[: len(window)] = window * around[n_fft + start : n_fft + start + len(window)]
    yield from np.abs(frames @ transform(n_fft))


def slaney(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def slaney_inverse(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)


def htk(hertz: float) -> float:
    return 1127 * math.log(1 + hertz / 700)


def htk_inverse(mel: float) -> float:
    return 700 * (math.exp(mel / 1127) - 1)


def triangle(x: float, low: float, centre: float, high: float) -> float:
    return max(0.0, min((x - low) / (centre - low), (high - x) / (high - centre)))


def filters(
    rate: int,
    n_fft: int,
    n_mels: int,
    low: float,
    high: float,
    scale: tuple[Callable[[float], float], Callable[[float], float]],
) -> Float64:
    """Triangles over hertz, each of area 1: librosa's and kapre's default."""
    to_mel, to_hertz = scale
    step = (to_mel(high) - to_mel(low)) / (n_mels + 1)
    edges = [to_hertz(to_mel(low) + step * i) for i in range(n_mels + 2)]
    weights = np.zeros((n_mels, n_fft // 2 + 1))
    for band in range(n_mels):
        below, centre, above = edges[band : band + 3]
        for k in range(n_fft // 2 + 1):
            weights[band, k] = triangle(k * rate / n_fft, below, centre, above) * 2 / (above - below)
    return weights


def vggish_filters() -> Float64:
    """Triangles over mel, each of height 1, and nothing for the constant bin."""
    edges = np.linspace(htk(125), htk(7500), 66)
    weights = np.zeros((64, 257))
    for band in range(64):
        for k in range(1, 257):
            weights[band, k] = triangle(htk(k * 16000 / 512), *edges[band : band + 3])
    return weights


def openl3_decibel(values: Float64) -> Float64:
    decibels = 10 * np.log10(np.maximum(values, 1e-10))
    return np.asarray(np.maximum(decibels - decibels.max(), -80))


def centred(samples: Float64, half: int) -> Float64:
    return np.concatenate([samples[half:0:-1], samples, samples[-2 : -2 - half : -1]])


# --- the definitions -------------------------------------------------------------------------------------------------


def openl3_v04(samples: Float64, n_mels: int) -> Float64:
    weights = filters(48000, 2048, n_mels, 0, 24000, (slaney, slaney_inverse))
    starts = range(0, 48000, 242)  # tf.signal.stft(pad_end=True)
    return openl3_decibel(np.array([weights @ x for x in spectra(samples, starts, hann(2048), 2048)]))


def openl3_v03(samples: Float64, n_mels: int, rate: int = 48000, n_fft: int = 2048, hop: int = 242) -> Float64:
    weights = filters(rate, n_fft, n_mels, 0, rate // 2, (htk, htk_inverse))
    left = ((rate - 1) // hop * hop + n_fft - rate) // 2  # Keras' padding='same'
    starts = range(-left, rate - left, hop)
    return openl3_decibel(np.array([np.sqrt(weights @ x**2) for x in spectra(samples, starts, hann(n_fft), n_fft)]))


def openl3_linear(samples: Float64) -> Float64:
    return openl3_decibel(np.array(list(spectra(samples, range(0, 48000 - 511, 242), hann(512), 512))))


def vggish(samples: Float64, offset: float) -> Float64:
    weights = vggish_filters()
    starts = range(0, len(samples) - 399, 160)
    return np.asarray(np.log(np.array([weights @ x for x in spectra(samples, starts, hann(400), 512)]) + offset))


def musicnn_power(samples: Float64) -> Float64:
    weights = filters(16000, 512, 96, 0, 8000, (slaney, slaney_inverse))
    starts = range(0, len(samples) + 1, 256)
    return np.array([weights @ x**2 for x in spectra(centred(samples, 256), starts, hann(512), 512)])


def panns(samples: Float64) -> Float64:
    weights = filters(32000, 1024, 64, 50, 14000, (slaney, slaney_inverse))
    starts = range(0, len(samples) + 1, 320)
    power = np.array([weights @ x**2 for x in spectra(centred(samples, 512), starts, hann(1024), 1024)])
    return np.asarray(10 * np.log10(np.maximum(power, 1e-10)))


def log_mel(samples: Float64, rate: int, n_fft: int, hop: int, n_mels: int) -> Float64:
    weights = filters(rate, n_fft, n_mels, 0, rate / 2, (slaney, slaney_inverse))
    starts = range(0, len(samples) - n_fft + 1, hop)
    power = np.array([weights @ x**2 for x in spectra(samples, starts, hann(n_fft), n_fft)])
    return np.asarray(10 * np.log10(np.maximum(power, 1e-10)))


# --- the comparison --------------------------------------------------------------------------------------------------

Definition = Callable[[Float64], Float64]
NEPER = 10 / math.log(10)  # decibels (of power) in a natural logarithm's unit

CASES: dict[PresetName, tuple[int, float, float, Definition]] = {
    "openl3-v0.4-mel128": (48000, 1.0, 1.0, lambda samples: openl3_v04(samples, 128)),
    "openl3-v0.4-mel256": (48000, 1.0, 1.0, lambda samples: openl3_v04(samples, 256)),
    "openl3-v0.3-mel128": (48000, 1.0, 1.0, lambda samples: openl3_v03(samples, 128)),
    "openl3-v0.3-mel256": (48000, 1.0, 1.0, lambda samples: openl3_v03(samples, 256)),
    "openl3-linear": (48000, 1.0, 1.0, openl3_linear),
    "edgel3": (8000, 1.0, 1.0, lambda samples: openl3_v03(samples, 64, 8000, 1024, 160)),
    "vggish": (16000, 0.975, NEPER, lambda samples: vggish(samples, 0.01)),
    "yamnet": (16000, 0.975, NEPER, lambda samples: vggish(samples, 0.001)),
    "panns": (32000, 1.0, 1.0, panns),
    "iaeo3": (16000, 0.5, 1.0, lambda samples: log_mel(samples, 16000, 1024, 512, 128)),
    "iaeo3-conveyor": (16000, 0.5, 1.0, lambda samples: log_mel(samples, 16000, 512, 256, 128)),
    "iaeo3-fan": (4000, 2.0, 1.0, lambda samples: log_mel(samples, 4000, 1024, 512, 256)),
    "iaeo3-pump": (16000, 0.7, 1.0, lambda samples: log_mel(samples, 16000, 2048, 1024, 128)),
}


def compute(name: PresetName, rate: int, samples: NDArray[np.float32], **changes: object) -> NDArray[np.float32]:
    segmented = getattr(PRESETS[name], "segment_length", None) is not None
    settings = resolve(Preset(name=name, segment_length=len(samples) if segmented else None))
    front_end = build_front_end(msgspec.structs.replace(settings, **changes), rate)
    if isinstance(front_end, SegmentFrontEnd):
        return front_end.process(samples)
    frames = np.lib.stride_tricks.sliding_window_view(samples, front_end.frame_length)[:: front_end.hop_length]
    return front_end.process(frames)


@pytest.mark.parametrize("level", [1.0, 1e-3], ids=["loud", "60 dB softer"])
@pytest.mark.parametrize("name", CASES)
def test_published_definition(name: PresetName, level: float) -> None:
    rate, seconds, unit, definition = CASES[name]
    samples = (level * sound(rate, seconds)).astype(np.float32)
    found, expected = compute(name, rate, samples) * unit, definition(samples.astype(np.float64)) * unit
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE_DB)


@pytest.mark.parametrize("name", CASES)
def test_single_precision(name: PresetName) -> None:
    rate, seconds, unit, definition = CASES[name]
    samples = sound(rate, seconds)
    expected = definition(samples.astype(np.float64)) * unit
    error = np.abs(compute(name, rate, samples, precision="single") * unit - expected)
    counted = expected > expected.max(axis=1, keepdims=True) - RANGE_DB
    assert counted.mean() > 0.8
    assert (error[counted] > TOLERANCE_DB).mean() < 1e-3
    assert error.max() < 0.1


@pytest.mark.parametrize("name", CASES)
def test_range_beyond_60_db(name: PresetName) -> None:
    rate, seconds, unit, definition = CASES[name]
    time = np.arange(round(rate * seconds)) / rate
    brown = np.cumsum(np.random.default_rng(1).standard_normal(len(time)))
    steep = (0.3 + 0.5 * np.sin(2 * np.pi * 0.03 * rate * time) + 1e-4 * brown).astype(np.float32)
    expected = definition(steep.astype(np.float64))
    np.testing.assert_allclose(compute(name, rate, steep) * unit, expected * unit, rtol=0, atol=TOLERANCE_DB)


def test_every_published_front_end_is_tested() -> None:
    assert set(PRESETS) == set(CASES) | {"musicnn", "image-transfer"}


def test_musicnn_before_half_precision() -> None:
    samples = sound(16000, 1.0)
    found = compute("musicnn", 16000, samples, log=Decibel())
    expected = 10 * np.log10(np.maximum(musicnn_power(samples.astype(np.float64)), 1e-10))
    assert found.shape == (63, 96)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE_DB)


def test_musicnn() -> None:
    samples = np.float32(0.2) * sound(16000, 1.0)
    found = compute("musicnn", 16000, samples)
    half = musicnn_power(samples.astype(np.float64)).astype(np.float16)
    expected = np.log10(np.float16(10000) * half + np.float16(1))
    assert found.shape == (63, 96)
    # Where the power lies on the edge between two halves, the neighbour may be chosen; else nothing differs.
    same = found == expected.astype(np.float32)
    assert same.mean() > 0.99
    np.testing.assert_allclose(found, expected.astype(np.float32), rtol=2e-3, atol=1e-6)


def test_musicnn_stays_finite_where_half_precision_overflows() -> None:
    found = compute("musicnn", 16000, np.float32(100) * sound(16000, 1.0))
    assert np.isfinite(found).all()
    assert found.max() == pytest.approx(math.log10(65504), abs=2e-3)


# --- released files --------------------------------------------------------------------------------------------------


def released(name: str) -> Path:
    path = Path(os.environ.get("EDGE_ASD_TEST_WEIGHTS", "")) / name
    if "EDGE_ASD_TEST_WEIGHTS" not in os.environ or not path.exists():
        pytest.skip(f"EDGE_ASD_TEST_WEIGHTS names no folder with {name}")
    return path


def test_yamnet_as_in_its_released_graph() -> None:
    path = released("yamnet_waveform.tflite")
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    with pytest.warns(UserWarning, match="preserve_all_tensors"):
        graph = litert.Interpreter(str(path), experimental_preserve_all_tensors=True)
    graph.allocate_tensors()
    samples = sound(16000, 0.975)
    graph.set_tensor(graph.get_input_details()[0]["index"], samples)
    graph.invoke()
    (index,) = (tensor["index"] for tensor in graph.get_tensor_details() if tensor["name"] == "log_mel_spectrogram")
    np.testing.assert_allclose(compute("yamnet", 16000, samples), graph.get_tensor(index), rtol=0, atol=2e-5)


def test_kapre_01_with_the_kernels_of_a_released_file() -> None:
    """EdgeL3 keeps kapre's own transform and filters (8 kHz, 64 bands): the layers of OpenL3 v0.3 at another size."""
    path = released("edgel3_sea_ust_audio_emb_64.h5.gz")
    h5py = pytest.importorskip("h5py")
    with h5py.File(io.BytesIO(gzip.decompress(path.read_bytes()))) as file:
        layer = file["model_weights/melspectrogram_1/melspectrogram_1"]
        real, imaginary = (layer[f"{part}_kernels:0"][:, 0, 0].astype(np.float64) for part in ("real", "imag"))
        mel = layer["Variable:0"][:].astype(np.float64)
    samples = sound(8000, 1.0)
    left = (49 * 160 + 1024 - 8000) // 2
    padded = np.pad(samples.astype(np.float64), (left, 1024))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::160][:50]
    power = (frames @ real) ** 2 + (frames @ imaginary) ** 2
    expected = openl3_decibel(np.sqrt(power @ mel))
    np.testing.assert_allclose(compute("edgel3", 8000, samples), expected, rtol=0, atol=2e-4)
