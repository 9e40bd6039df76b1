"""Trains the net that gives back a patch through a bottleneck of dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.recipe.models import Autoencoder
from edge_asd_export.progress import Advance
from edge_asd_export.training.keras_session import import_keras, mixed_seed
from edge_asd_export.training.scaled import scale_of, train_scaled


def train(settings: Autoencoder, patches: NDArray[np.float32], *, seed: int, advance: Advance) -> Any:
    """Train on patches, shape (n, frames, bands), and return a Keras model of batch 1.

    It takes a patch, its frames one after another, shape (1, frames · bands), and gives it back.
    """
    keras = import_keras(mixed_seed(seed, settings.seed))
    flat = patches.reshape(len(patches), -1)
    core = keras.Sequential([keras.Input((flat.shape[1],)), *_layers(keras, settings, flat.shape[1])])
    return train_scaled(keras, core, flat, flat, scale_of(flat), settings, advance)


def _layers(keras: Any, settings: Autoencoder, outputs: int) -> list[Any]:
    layers: list[Any] = []
    for width in settings.hidden:
        layers.append(keras.layers.Dense(width, kernel_regularizer=_penalty(keras, settings)))
        if settings.batch_norm:
            layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.ReLU())
    return [*layers, keras.layers.Dense(outputs, kernel_regularizer=_penalty(keras, settings))]


def _penalty(keras: Any, settings: Autoencoder) -> Any:
    return keras.regularizers.L2(settings.l2) if settings.l2 > 0 else None
