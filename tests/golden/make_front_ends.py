"""Make the golden files of the front ends, from other people's libraries alone.

    python -m tests.golden.make_front_ends

Nothing of `edge_asd` computes here; it only says which presets there are. Needs the extra `export` and the group
`test`. For each preset a file `front_ends/NAME.npy` holds every eighth frame of what TensorFlow, librosa, matplotlib
and Pillow make, in double precision, of one second of sound, `front_ends/sound-RATE.npy`. `front_ends/manifest.json`
holds the recipe of each, what it was made with, and in which versions.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import librosa
import matplotlib as mpl
import msgspec
import numpy as np
import tensorflow as tf
from librosa.filters import get_window, mel
from numpy.typing import NDArray
from PIL import Image

from edge_asd.features import PRESETS
from edge_asd.recipe.front_ends import PresetName

Float64 = NDArray[np.float64]

FOLDER = Path(__file__).with_name("front_ends")
EVERY = 8
IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))


def sound(rate: int) -> NDArray[np.int16]:
    """One second of a machine: hum with harmonics, pink noise that swells, a sweep and four knocks."""
    time = np.arange(rate) / rate
    white = np.fft.rfft(np.random.default_rng(rate).standard_normal(rate))
    noise = np.fft.irfft(white / np.sqrt(1 + np.arange(len(white))), rate)
    hum = sum(np.sin(2 * np.pi * 49.7 * order * time) / order for order in range(1, 12))
    sweep = np.sin(2 * np.pi * (0.01 * time + 0.19 * time**2) * rate)
    knocks = np.sin(2 * np.pi * 0.11 * rate * time) * np.exp(-40 * (4 * time % 1))
    samples = 0.05 * hum + 0.2 * noise / np.abs(noise).max() * (0.05 + time**2) + 0.02 * sweep + 0.3 * knocks
    return np.asarray(np.round(32767 * samples), np.int16)


# --- TensorFlow ------------------------------------------------------------------------------------------------------


def openl3_decibel(values: Float64) -> Float64:
    decibels = 10 * np.log10(np.maximum(values, 1e-10))
    return np.asarray(np.maximum(decibels - decibels.max(), -80))


def openl3_v04(samples: Float64, n_mels: int) -> Float64:
    """As kapre 0.3 does: `tf.signal.stft` with padding at the end, librosa's filters."""
    magnitude = np.abs(tf.signal.stft(samples, 2048, 242, 2048, pad_end=True))
    return openl3_decibel(magnitude @ mel(sr=48000, n_fft=2048, n_mels=n_mels, dtype=np.float64).T)


def openl3_v03(samples: Float64, n_mels: int, rate: int = 48000, n_fft: int = 2048, hop: int = 242) -> Float64:
    """As kapre 0.1 does: a convolution with windowed cosines and sines, padded to the same size."""
    bins = n_fft // 2 + 1
    turns = np.outer(np.arange(n_fft), np.arange(bins)) * (2 * np.pi / n_fft)
    hann = get_window("hann", n_fft)[:, None]
    kernels = np.concatenate([hann * np.cos(turns), hann * np.sin(turns)], axis=1)
    parts = tf.nn.conv1d(samples[None, :, None], kernels[:, None, :], stride=hop, padding="SAME").numpy()[0]
    power = parts[:, :bins] ** 2 + parts[:, bins:] ** 2
    weights = mel(sr=rate, n_fft=n_fft, n_mels=n_mels, htk=True, dtype=np.float64)
    return openl3_decibel(np.sqrt(power @ weights.T))


def openl3_linear(samples: Float64) -> Float64:
    return openl3_decibel(np.abs(tf.signal.stft(samples, 512, 242, 512)))


def vggish(samples: Float64, offset: float) -> Float64:
    magnitude = np.abs(tf.signal.stft(samples, 400, 160, 512))
    weights = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0, dtype=tf.float64)
    return np.asarray(np.log(magnitude @ weights.numpy() + offset))


# --- librosa ---------------------------------------------------------------------------------------------------------


def power(samples: Float64, rate: int, **options: Any) -> Float64:
    return np.asarray(librosa.feature.melspectrogram(y=samples, sr=rate, dtype=np.float64, **options).T)


def decibel(values: Float64) -> Float64:
    return np.asarray(librosa.power_to_db(values, ref=1.0, amin=1e-10, top_db=None))


def musicnn(samples: Float64) -> Float64:
    half = power(samples, 16000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect").astype(np.float16)
    return np.asarray(np.log10(np.float16(10000) * half + np.float16(1)), np.float64)


def panns(samples: Float64) -> Float64:
    options = {"n_fft": 1024, "hop_length": 320, "n_mels": 64, "fmin": 50, "fmax": 14000}
    return decibel(power(samples, 32000, pad_mode="reflect", **options))


def log_mel(samples: Float64, rate: int, n_fft: int, n_mels: int) -> Float64:
    return decibel(power(samples, rate, n_fft=n_fft, hop_length=n_fft // 2, n_mels=n_mels, center=False))


def image_transfer(samples: Float64) -> Float64:
    """Rows of pixels; 64 frames span a little more than the second, so the sound begins anew."""
    samples = np.resize(samples, 63 * 256 + 1024)
    values = decibel(power(samples, 16000, n_fft=1024, hop_length=256, n_mels=64, center=False)).T
    values = np.maximum(values, values.max() - 80)
    colours = mpl.colormaps["viridis"]((values - values.min()) / (values.max() - values.min()))[:, :, :3]
    channels = [
        np.asarray(Image.fromarray(colours[:, :, i].astype(np.float32)).resize((224, 224), Image.Resampling.BILINEAR))
        for i in range(3)
    ]
    return np.asarray((np.stack(channels, axis=-1) - IMAGENET[0]) / IMAGENET[1], np.float64).reshape(224, 672)


GOLDEN: dict[PresetName, tuple[int, Callable[[Float64], Float64], str]] = {
    "openl3-v0.4-mel128": (48000, lambda samples: openl3_v04(samples, 128), "tensorflow, librosa"),
    "openl3-v0.4-mel256": (48000, lambda samples: openl3_v04(samples, 256), "tensorflow, librosa"),
    "openl3-v0.3-mel128": (48000, lambda samples: openl3_v03(samples, 128), "tensorflow, librosa"),
    "openl3-v0.3-mel256": (48000, lambda samples: openl3_v03(samples, 256), "tensorflow, librosa"),
    "openl3-linear": (48000, openl3_linear, "tensorflow"),
    "edgel3": (8000, lambda samples: openl3_v03(samples, 64, 8000, 1024, 160), "tensorflow, librosa"),
    "vggish": (16000, lambda samples: vggish(samples, 0.01), "tensorflow"),
    "yamnet": (16000, lambda samples: vggish(samples, 0.001), "tensorflow"),
    "musicnn": (16000, musicnn, "librosa"),
    "panns": (32000, panns, "librosa"),
    "image-transfer": (16000, image_transfer, "librosa, matplotlib, pillow"),
    "iaeo3": (16000, lambda samples: log_mel(samples, 16000, 1024, 128), "librosa"),
    "iaeo3-conveyor": (16000, lambda samples: log_mel(samples, 16000, 512, 128), "librosa"),
    "iaeo3-fan": (4000, lambda samples: log_mel(samples, 4000, 1024, 256), "librosa"),
    "iaeo3-pump": (16000, lambda samples: log_mel(samples, 16000, 2048, 128), "librosa"),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    manifest: dict[str, Any] = {
        "made by": "python -m tests.golden.make_front_ends",
        "every": EVERY,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "librosa", "tensorflow_cpu", "matplotlib", "pillow")},
        },
        "front ends": {},
    }
    for rate in sorted({rate for rate, _, _ in GOLDEN.values()}):
        np.save(FOLDER / f"sound-{rate}.npy", sound(rate), allow_pickle=False)
    for name, (rate, compute, libraries) in GOLDEN.items():
        features = compute(sound(rate) / 32768)
        np.save(FOLDER / f"{name}.npy", features[::EVERY].astype(np.float32), allow_pickle=False)
        recipe = msgspec.to_builtins(PRESETS[name])
        manifest["front ends"][name] = {
            "sample_rate": rate,
            "shape": list(features.shape),
            "made with": libraries,
            "recipe": recipe,
        }
        print(f"{name}: {features.shape[0]} × {features.shape[1]}, {features.min():.2f} to {features.max():.2f}")
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
