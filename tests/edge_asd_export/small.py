"""A recipe that is fitted in a moment, recordings for it, and stretches made of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_asd.configuration import parse
from edge_asd.recipe.graph import Recipe
from edge_asd_export.material import Stretch
from tests.handmade import RATE, hum

RECIPE = """
name: small
sample_rate: 8000
horizon: {seconds: 1, hop_seconds: 1}
branches:
  bands:
    front_end: &bands {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}
    pooling: [mean, std]
  surprise:
    front_end: *bands
    patch: {frames: 5, hop: 1}
    model: {kind: interpolation-density, hidden: [4], steps: 20, batch_size: 32, quantize: float32}
parts:
  steady: {branches: [bands], detector: {kind: mahalanobis}, scale: log}
  transient: {branches: [surprise], detector: {kind: value}, aggregation: {kind: max}, scale: log}
folds: 2
"""
PLAIN = """
name: plain
horizon: {seconds: 1}
branches:
  left: {front_end: {kind: rms}, pooling: [mean]}
  right: {front_end: {kind: rms}, pooling: [mean]}
parts:
  near: {branches: [left], detector: {kind: knn}}
  both: {branches: [left, right], detector: {kind: mahalanobis, covariance: empirical}}
"""


def recipe(*overrides: str) -> Recipe:
    return parse(RECIPE, Recipe, where="small", overrides=overrides)


def plain(*overrides: str) -> Recipe:
    """A recipe without nets, for stretches of plain numbers."""
    return parse(PLAIN, Recipe, where="plain", overrides=overrides)


def plain_stretches(count: int, seed: int = 0) -> list[Stretch]:
    """Stretches of six rows of three numbers in `left`, of two in `right`; no two are alike."""
    rng = np.random.default_rng(seed)
    return [
        Stretch(
            Path(f"{index}.wav"),
            0,
            {name: rng.normal(size=(6, size)).astype(np.float32) for name, size in (("left", 3), ("right", 2))},
        )
        for index in range(count)
    ]


def write(path: Path, samples: NDArray[np.floating], rate: int = RATE, subtype: str = "FLOAT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def write_normal(folder: Path, count: int = 12, seconds: float = 1.0, first: int = 0) -> list[Path]:
    return [write(folder / f"{index:02d}.wav", hum(seconds, index)) for index in range(first, first + count)]


def write_wrong(folder: Path, count: int = 4, seconds: float = 1.0) -> list[Path]:
    return [write(folder / f"{index:02d}.wav", hum(seconds, 100 + index, wrong=True)) for index in range(count)]


def means(stretches: Sequence[Stretch], branch: str) -> NDArray[np.float64]:
    """What pooling by the mean makes of each stretch, shape (n, d), in a loop of its own."""
    return np.array([stretch.rows[branch].astype(np.float64).sum(axis=0) / 6 for stretch in stretches])
