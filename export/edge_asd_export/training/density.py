"""Trains the net that predicts mean and spread of a patch's middle frame from the frames around it."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.embedding import split_middle
from edge_asd.recipe.models import InterpolationDensity
from edge_asd_export.progress import Advance
from edge_asd_export.training.keras_session import import_keras

Float32 = NDArray[np.float32]

_LOG_VARIANCE_LIMIT = 6.0
_WARM_UP_SHARE = 15
_LEAST_SPREAD = 1e-3
_LAST_LAYER_GAIN = 0.1
"""What the last layer's first weights are scaled by: training starts near the linear interpolator."""


class Interpolator(NamedTuple):
    """The linear interpolator that the net begins as, on standardized and level-free frames."""

    centre: Float32
    """Mean of a frame relative to its surroundings' level, shape (bands,), in the unit of the patches."""
    unit: float
    """Standard deviation of all frames, by which everything is divided."""
    weights: Float32
    """Ridge regression from the outer frames to the middle one, shape ((frames − 1) · bands, bands)."""
    spread: Float32
    """Standard deviation of its residual, shape (bands,), in standardized units."""


def train(settings: InterpolationDensity, patches: Float32, *, seed: int, advance: Advance) -> Any:
    """Train on patches, shape (n, frames, bands), and return a Keras model of batch 1.

    It takes the outer frames, shape (1, (frames − 1) · bands), and gives mean and spread of the middle one, shape
    (1, 2 · bands), both in the unit of the patches: all scaling is inside.
    """
    keras = import_keras(seed)
    chosen = patches[:: -(-len(patches) // settings.max_patches)]
    context, middle = split_middle(chosen)
    level = context.mean(axis=1, keepdims=True)
    linear = fit_linear(settings, context - level, middle - level)
    inputs, residual = standardize(linear, context - level, middle - level)
    core = _compiled_correction(msgspec.json.encode(settings), inputs.shape[1], middle.shape[1])
    _restart(core, seed)
    order = np.random.default_rng(seed).integers(0, len(inputs), settings.steps * settings.batch_size)
    core.fit(inputs[order], residual[order], batch_size=settings.batch_size, epochs=1, shuffle=False, verbose=0)
    deviation = _normalized(core.predict(inputs, batch_size=4096, verbose=0), residual).std(axis=0)
    advance()
    return _assemble(keras, core, linear, np.maximum(deviation, _LEAST_SPREAD))


def fit_linear(settings: InterpolationDensity, context: Float32, middle: Float32) -> Interpolator:
    """Fit the linear interpolator by ridge regression, in closed form."""
    bands = middle.shape[1]
    centre = middle.mean(axis=0)
    unit = float(middle.std()) or 1.0
    inputs = ((context - np.tile(centre, context.shape[1] // bands)) / unit).astype(np.float64)
    targets = ((middle - centre) / unit).astype(np.float64)
    penalty = settings.ridge * len(inputs) * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ targets)
    spread = np.maximum((targets - inputs @ weights).std(axis=0), _LEAST_SPREAD)
    return Interpolator(centre, unit, weights.astype(np.float32), spread.astype(np.float32))


def standardize(linear: Interpolator, context: Float32, middle: Float32) -> tuple[Float32, Float32]:
    """Return the net's inputs, and the linear interpolator's residual in units of its spread."""
    inputs = (context - np.tile(linear.centre, context.shape[1] // middle.shape[1])) / linear.unit
    residual = ((middle - linear.centre) / linear.unit - inputs @ linear.weights) / linear.spread
    return inputs.astype(np.float32), residual.astype(np.float32)


@functools.lru_cache(maxsize=4)
def _compiled_correction(settings: bytes, inputs: int, bands: int) -> Any:
    # Cross-fitting trains the same net on other patches many times, and compiling takes longer than training.
    import keras  # noqa: PLC0415 - takes seconds

    chosen = msgspec.json.decode(settings, type=InterpolationDensity)
    layers = [
        keras.layers.Dense(width, activation="relu", name=f"hidden_{index}")
        for index, width in enumerate(chosen.hidden)
    ]
    last = keras.layers.Dense(2 * bands, name="mean_and_log_variance")
    core = keras.Sequential([keras.Input((inputs,)), *layers, last], name="correction")
    warm_up = max(1, chosen.steps // _WARM_UP_SHARE)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, chosen.steps - warm_up), warmup_target=chosen.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=chosen.weight_decay)
    core.compile(optimizer, _negative_log_likelihood(keras, bands), steps_per_execution=25)
    return core


def _restart(core: Any, seed: int) -> None:
    """Give a net its first weights (He et al. 2015), and its optimizer no past."""
    rng = np.random.default_rng(seed)
    weights = [
        rng.standard_normal(value.shape) * np.sqrt(2.0 / value.shape[0]) if value.ndim == 2 else np.zeros(value.shape)
        for value in core.get_weights()
    ]
    weights[-2] *= _LAST_LAYER_GAIN
    core.set_weights(weights)
    for variable in core.optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))


def _negative_log_likelihood(keras: Any, bands: int) -> Any:
    def loss(residual: Any, output: Any) -> Any:
        log_variance = keras.ops.clip(output[:, bands:], -_LOG_VARIANCE_LIMIT, _LOG_VARIANCE_LIMIT)
        squares = keras.ops.square(residual - output[:, :bands])
        return keras.ops.mean(0.5 * keras.ops.exp(-log_variance) * squares + 0.5 * log_variance)

    return loss


def _normalized(output: Float32, residual: Float32) -> Float32:
    bands = residual.shape[1]
    log_variance = np.clip(output[:, bands:], -_LOG_VARIANCE_LIMIT, _LOG_VARIANCE_LIMIT)
    return np.asarray((residual - output[:, :bands]) * np.exp(-0.5 * log_variance), np.float32)


def _assemble(keras: Any, core: Any, linear: Interpolator, deviation: Float32) -> Any:
    # deviation: what is left of the normalized residual's standard deviation per band, taken into the spread.
    bands = len(linear.centre)
    ops = keras.ops
    # Named, or the file would tell how many nets this process has made before.
    context = keras.Input(batch_shape=(1, len(linear.weights)), name="context")
    level = ops.mean(context, axis=1, keepdims=True)
    repeated = np.tile(linear.centre, len(linear.weights) // bands)
    inputs = (context - level - repeated[np.newaxis]) * (1.0 / linear.unit)
    output = core(inputs)
    mean = ops.matmul(inputs, linear.weights) + output[:, :bands] * linear.spread[np.newaxis]
    mean = level + linear.centre[np.newaxis] + mean * linear.unit
    log_variance = ops.clip(output[:, bands:], -_LOG_VARIANCE_LIMIT, _LOG_VARIANCE_LIMIT)
    spread = ops.exp(0.5 * log_variance) * (linear.spread * deviation * linear.unit)[np.newaxis]
    return keras.Model(context, ops.concatenate([mean, spread], axis=1), name="interpolation")
