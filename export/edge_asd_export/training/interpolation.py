"""Trains the net that predicts the middle frame of a patch from the frames around it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.embedding import split_middle
from edge_asd.recipe.models import InterpolationAutoencoder
from edge_asd_export.progress import Advance
from edge_asd_export.training.keras_session import import_keras


def train(settings: InterpolationAutoencoder, patches: NDArray[np.float32], *, seed: int, advance: Advance) -> Any:
    """Train on patches, shape (n, frames, bands), and return a Keras model of batch 1.

    The net sees its inputs brought to mean 0 and standard deviation 1 over all frames, and its output is brought back,
    both inside the model: what goes in and comes out is in the unit of the patches.
    """
    keras = import_keras(seed)
    context, middle = split_middle(patches)
    centre, spread = float(patches.mean()), float(patches.std()) or 1.0
    core = _dense_stack(keras, settings, context.shape[1], middle.shape[1])
    core.compile(keras.optimizers.Adam(settings.learning_rate), "mse", steps_per_execution=16)
    core.fit(
        (context - centre) / spread,
        (middle - centre) / spread,
        batch_size=settings.batch_size,
        epochs=epochs(settings, len(patches)),
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: advance())],
    )
    inputs = keras.Input(batch_shape=(1, context.shape[1]), name="context")
    scaled = keras.layers.Rescaling(1.0 / spread, -centre / spread)(inputs)
    return keras.Model(inputs, keras.layers.Rescaling(spread, centre)(core(scaled)), name="interpolation")


def epochs(settings: InterpolationAutoencoder, patches: int) -> int:
    """Return how many passes over this many patches the settings ask for, at least 1."""
    if settings.max_steps is None:
        return settings.epochs
    steps = math.ceil(patches / settings.batch_size)
    return max(1, min(settings.epochs, settings.max_steps // steps))


def _dense_stack(keras: Any, settings: InterpolationAutoencoder, inputs: int, outputs: int) -> Any:
    layers = [keras.layers.Dense(width, activation="relu") for width in settings.hidden]
    return keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(outputs)])
