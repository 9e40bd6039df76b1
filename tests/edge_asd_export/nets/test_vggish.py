"""VGGish, computed independently from the same random weights in the official format: a TensorFlow checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from edge_asd_export.weights import read_weights
from tests.edge_asd_export.nets.official import assert_same_row, build, patch_of

Float32 = NDArray[np.float32]
CONVOLUTIONS = {
    "conv1": (1, 64),
    "conv2": (64, 128),
    "conv3/conv3_1": (128, 256),
    "conv3/conv3_2": (256, 256),
    "conv4/conv4_1": (256, 512),
    "conv4/conv4_2": (512, 512),
}
DENSE = {"fc1/fc1_1": (12288, 4096), "fc1/fc1_2": (4096, 4096), "fc2": (4096, 128)}


def random_variables() -> dict[str, Float32]:
    rng = np.random.default_rng(0)
    variables: dict[str, Float32] = {}
    for name, (before, after) in (CONVOLUTIONS | DENSE).items():
        shape = (3, 3, before, after) if name in CONVOLUTIONS else (before, after)
        scale = np.float32(np.sqrt(2.0 / np.prod(shape[:-1])))
        variables[f"vggish/{name}/weights"] = scale * rng.standard_normal(shape, np.float32)
        variables[f"vggish/{name}/biases"] = rng.uniform(-0.1, 0.1, after).astype(np.float32)
    return variables


def reference(variables: dict[str, Float32], patch: Float32) -> Float32:
    values: Any = patch[..., np.newaxis]
    for name in CONVOLUTIONS:
        values = tf.nn.conv2d(values, variables[f"vggish/{name}/weights"], 1, "SAME")
        values = tf.nn.relu(values + variables[f"vggish/{name}/biases"])
        if name in ("conv1", "conv2", "conv3/conv3_2", "conv4/conv4_2"):
            values = tf.nn.max_pool2d(values, 2, 2, "SAME")
    values = tf.reshape(values, (1, -1))
    for name in DENSE:
        values = values @ variables[f"vggish/{name}/weights"] + variables[f"vggish/{name}/biases"]
        values = values if name == "fc2" else tf.nn.relu(values)
    return np.asarray(values)


@pytest.fixture(scope="module")
def variables() -> dict[str, Float32]:
    return random_variables()


def test_as_an_independent_computation(variables: dict[str, Float32], tmp_path: Path) -> None:
    path = tmp_path / "vggish_model.ckpt"
    names, values = list(variables), list(variables.values())
    tf.raw_ops.Save(filename=str(path), tensor_names=names, data=[tf.constant(value) for value in values])
    assert path.is_file()
    model = build("vggish", path)
    patch = patch_of(model, -4, 3)
    expected = reference(variables, patch)
    assert expected.min() < 0, "no ReLU behind the last layer"
    assert_same_row(model(patch), expected)


def test_a_checkpoint_of_today_is_read_by_its_prefix(variables: dict[str, Float32], tmp_path: Path) -> None:
    few = {name: value for name, value in variables.items() if "conv1" in name}
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model"),
        tensor_names=[*few, "global_step"],
        shape_and_slices=[""] * (len(few) + 1),
        tensors=[*map(tf.constant, few.values()), tf.constant(7, tf.int64)],
    )
    file = read_weights(tmp_path / "model")
    assert file.format == "tensorflow"
    assert set(file.arrays) == set(few)
    for name, value in few.items():
        np.testing.assert_array_equal(file.arrays[name], value)
