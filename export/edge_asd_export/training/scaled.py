"""What the training of all reconstructing nets shares: scaling, a fixed number of passes, the scaling put inside."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_asd_export.progress import Advance

Float32 = NDArray[np.float32]


class Schedule(Protocol):
    """The settings of a training."""

    @property
    def learning_rate(self) -> float:
        """Adam's step size."""

    @property
    def batch_size(self) -> int:
        """Patches in a training step."""

    @property
    def epochs(self) -> int:
        """Passes over the training patches."""

    @property
    def max_steps(self) -> int | None:
        """Most training steps."""


class Scale(NamedTuple):
    """Brings numbers to mean 0 and standard deviation 1, all features alike."""

    centre: float
    spread: float


def train_scaled(
    keras: Any, core: Any, inputs: Float32, targets: Float32, scale: Scale, schedule: Schedule, advance: Advance
) -> Any:
    """Train a Keras model on inputs and targets, shape (n, …); return it with the scaling inside, of batch 1.

    Adam, mean squared error, no early stopping. What goes in and comes out of the returned model is in the unit of the
    inputs; the progress bar moves by `schedule.epochs`.
    """
    passes = epochs(schedule, len(inputs))
    core.compile(keras.optimizers.Adam(schedule.learning_rate), "mse", steps_per_execution=16)
    core.fit(
        (inputs - scale.centre) / scale.spread,
        (targets - scale.centre) / scale.spread,
        batch_size=schedule.batch_size,
        epochs=passes,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: advance())],
    )
    advance(schedule.epochs - passes)
    entry = keras.Input(batch_shape=(1, *inputs.shape[1:]), name="inputs")
    scaled = keras.layers.Rescaling(1.0 / scale.spread, -scale.centre / scale.spread)(entry)
    return keras.Model(entry, keras.layers.Rescaling(scale.spread, scale.centre)(core(scaled)), name="reconstruction")


def scale_of(patches: Float32) -> Scale:
    """Return the scale of patches of any shape."""
    return Scale(float(patches.mean()), float(patches.std()) or 1.0)


def epochs(schedule: Schedule, patches: int) -> int:
    """Return how many passes over this many patches the settings ask for, at least 1."""
    if schedule.max_steps is None:
        return schedule.epochs
    steps = math.ceil(patches / schedule.batch_size)
    return max(1, min(schedule.epochs, schedule.max_steps // steps))
