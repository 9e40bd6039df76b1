"""YAMNet, computed independently from the same random weights in the official format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.edge_asd_export.nets.official import assert_same_row, build, patch_of, write_keras_h5

Float32 = NDArray[np.float32]
FILTERS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
EPSILON = 1e-4


def random_layers() -> dict[str, dict[str, Float32]]:
    """Weights by the names of `yamnet.h5`."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Float32:
        inputs = np.prod(shape[:-1]) if shape[-1] != 1 else np.prod(shape[:2])
        return np.asarray(rng.standard_normal(shape) * np.sqrt(2.0 / inputs), np.float32)

    def normalization(width: int) -> dict[str, Float32]:
        ranges = {"beta": (-0.2, 0.2), "moving_mean": (-0.2, 0.2), "moving_variance": (0.5, 1.5)}
        return {name: rng.uniform(*limits, width).astype(np.float32) for name, limits in ranges.items()}

    layers: dict[str, dict[str, Float32]] = {"input_1": {}, "layer1/conv": {"kernel": normal(3, 3, 1, 32)}}
    layers["layer1/conv/bn"] = normalization(32)
    before = 32
    for number, width in enumerate(FILTERS, 2):
        name = f"layer{number}"
        layers[f"{name}/depthwise_conv"] = {"depthwise_kernel": normal(3, 3, before, 1)}
        layers[f"{name}/depthwise_conv/bn"] = normalization(before)
        layers[f"{name}/pointwise_conv"] = {"kernel": normal(1, 1, before, width)}
        layers[f"{name}/pointwise_conv/bn"] = normalization(width)
        before = width
    layers["dense"] = {"kernel": normal(1024, 521), "bias": normal(521)}
    return layers


def reference(layers: dict[str, dict[str, Float32]], patch: Float32) -> Float32:
    def normalized(values: Any, name: str) -> Any:
        arrays = layers[f"{name}/bn"]
        mean, variance, beta = (arrays[word] for word in ("moving_mean", "moving_variance", "beta"))
        return tf.nn.relu(tf.nn.batch_normalization(values, mean, variance, beta, None, EPSILON))

    values: Any = tf.nn.conv2d(patch[..., np.newaxis], layers["layer1/conv"]["kernel"], 2, "SAME")
    values = normalized(values, "layer1/conv")
    for number, stride in enumerate(STRIDES, 2):
        name = f"layer{number}/depthwise_conv"
        kernel, steps = layers[name]["depthwise_kernel"], (1, stride, stride, 1)
        values = normalized(tf.nn.depthwise_conv2d(values, kernel, steps, "SAME"), name)
        name = f"layer{number}/pointwise_conv"
        values = normalized(tf.nn.conv2d(values, layers[name]["kernel"], 1, "SAME"), name)
    return np.asarray(tf.reduce_mean(values, axis=(1, 2)))


def test_as_an_independent_computation(tmp_path: Path) -> None:
    layers = random_layers()
    model = build("yamnet", write_keras_h5(tmp_path / "yamnet.h5", layers))
    patch = patch_of(model, -6, 3)
    assert_same_row(model(patch), reference(layers, patch))
