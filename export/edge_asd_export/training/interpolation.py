"""Trains the net that predicts the middle frame of a patch from the frames around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.embedding import split_middle
from edge_asd.recipe.models import InterpolationAutoencoder
from edge_asd_export.progress import Advance
from edge_asd_export.training.keras_session import import_keras, mixed_seed
from edge_asd_export.training.scaled import scale_of, train_scaled


def train(settings: InterpolationAutoencoder, patches: NDArray[np.float32], *, seed: int, advance: Advance) -> Any:
    """Train on patches, shape (n, frames, bands), and return a Keras model of batch 1.

    It takes the outer frames, shape (1, (frames − 1) · bands), and gives the middle one, shape (1, bands).
    """
    keras = import_keras(mixed_seed(seed, settings.seed))
    context, middle = split_middle(patches)
    core = _dense_stack(keras, settings, context.shape[1], middle.shape[1])
    return train_scaled(keras, core, context, middle, scale_of(patches), settings, advance)


def _dense_stack(keras: Any, settings: InterpolationAutoencoder, inputs: int, outputs: int) -> Any:
    layers = [keras.layers.Dense(width, activation="relu") for width in settings.hidden]
    return keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(outputs)])
