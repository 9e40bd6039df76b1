"""Nets and sound for tests of quantization: small, made by hand, and known to the last weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.configuration import parse
from edge_asd.recipe.graph import Recipe
from edge_asd_export.material import Stretch
from edge_asd_export.quantization.select import Evidence
from edge_asd_export.training.keras_session import import_keras

BANDS = 8
FRAMES = 3
_RECIPE = """
name: nets
sample_rate: 8000
horizon: {seconds: 2}
branches:
  net:
    front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}
    patch: {frames: 3}
    model: {kind: interpolation-autoencoder}
parts:
  odd: {branches: [net], detector: {kind: value}, scale: log}
"""


def recipe() -> Recipe:
    return parse(_RECIPE, Recipe, where="nets")


def interpolator(drowned: float = 0.0) -> Any:
    """The middle frame as the mean of its neighbours.

    Beside that mean, the hidden layer also holds the first neighbour times `drowned`, of which the last layer makes
    nothing. In 8 bits a layer has one step for all its numbers, `drowned` times the sound's range over 255: where that
    exceeds the whole range of the mean, the mean is always the same number.
    """
    keras = import_keras(0)
    inputs = keras.Input(batch_shape=(1, (FRAMES - 1) * BANDS))
    hidden = keras.layers.Dense(2 * BANDS, activation="relu", name="hidden")
    last = keras.layers.Dense(BANDS, name="last")
    model = keras.Model(inputs, last(hidden(inputs)))
    eye, zero = np.eye(BANDS, dtype=np.float32), np.zeros((BANDS, BANDS), np.float32)
    hidden.set_weights([np.block([[drowned * eye, eye / 2], [zero, eye / 2]]), np.zeros(2 * BANDS, np.float32)])
    last.set_weights([np.concatenate((zero, eye)), np.zeros(BANDS, np.float32)])
    return model


def stretches(count: int, *, odd: bool = False, seed: int = 0) -> list[Stretch]:
    """Stretches of frames that hold still over each patch, at a level of their own; odd ones jump in the middle."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        level = rng.uniform(5.0, 60.0, (40, 1, BANDS))
        patches = np.repeat(level, FRAMES, axis=1) + rng.normal(0.0, 0.05 * (1 + index / count), (40, FRAMES, BANDS))
        if odd:
            patches[:, FRAMES // 2] += rng.normal(0.0, 3.0, (40, BANDS))
        found.append(Stretch(Path(f"{index}.wav"), 0, {"net": patches.reshape(40, -1).astype(np.float32)}))
    return found


def evidence() -> Evidence:
    labelled = [*stretches(4, seed=2), *stretches(4, odd=True, seed=3)]
    return Evidence(stretches(10, seed=1), labelled, [False] * 4 + [True] * 4)


def contexts(material: list[Stretch]) -> NDArray[np.float32]:
    """What the net takes, shape (n, 2 · bands)."""
    patches = np.concatenate([stretch.rows["net"] for stretch in material]).reshape(-1, FRAMES, BANDS)
    return np.concatenate((patches[:, 0], patches[:, 2]), axis=1)
