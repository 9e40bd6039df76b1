"""SqueezeNet 1.1 as the released Caffe weights are meant: an independent computation of the same arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_asd.recipe.models import Net
from edge_asd_export.nets import Patches, build_net
from edge_asd_export.weights import read_weights
from tests.edge_asd_export.nets.released import released

Float32 = NDArray[np.float32]


def arrays_of(path: Any) -> dict[str, Float32]:
    found: dict[str, Float32] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, node: found.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None)
    # `fire2/squeeze1x1/fire2/squeeze1x1_3/kernel:0` → `fire2/squeeze1x1/kernel`
    return {
        "/".join([*name.split("/")[: (len(name.split("/")) - 1) // 2], name.rpartition("/")[2][:-2]]): array
        for name, array in found.items()
    }


def convolved(values: Any, arrays: Mapping[str, Float32], layer: str, stride: int, padding: str) -> Any:
    return tf.nn.relu(tf.nn.conv2d(values, arrays[f"{layer}/kernel"], stride, padding) + arrays[f"{layer}/bias"])


def reference(arrays: Mapping[str, Float32], picture: Float32) -> Float32:
    """The layers of `SqueezeNet_v1.1/deploy.prototxt`, on a picture of blue, green and red from 0 to 255."""
    values: Any = picture - np.array([103.939, 116.779, 123.68], np.float32)
    values = tf.nn.max_pool2d(convolved(values, arrays, "conv1", 2, "VALID"), 3, 2, "VALID")
    for fire in range(2, 10):
        values = convolved(values, arrays, f"fire{fire}/squeeze1x1", 1, "SAME")
        expanded = [convolved(values, arrays, f"fire{fire}/expand{size}x{size}", 1, "SAME") for size in (1, 3)]
        values = tf.concat(expanded, 3)
        if fire in (3, 5):
            values = tf.nn.max_pool2d(values, 3, 2, "VALID")
    features = np.asarray(values)[0]
    assert features.shape == (13, 13, 512)
    pooled = [features[7 * i - i : 7 * i - i + 7, 6 * j : 6 * j + 7].mean(axis=(0, 1)) for i in (0, 1) for j in (0, 1)]
    return np.stack(pooled, axis=1).reshape(1, 2048)


def test_as_the_released_weights_are_meant() -> None:
    path = released("squeezenet_v1.1_notop.h5")
    model = build_net(Net(name="squeezenet-1.1"), Patches(224, 672), read_weights(path), "branches.s")
    colours = np.random.default_rng(0).uniform(0, 1, (1, 224, 224, 3)).astype(np.float32)
    normalized = (colours - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    expected = reference(arrays_of(path), 255 * colours[..., ::-1])
    found = np.asarray(model(normalized.reshape(1, 224, 672).astype(np.float32)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_parameters_as_released() -> None:
    path = released("squeezenet_v1.1_notop.h5")
    model = build_net(Net(name="squeezenet-1.1"), Patches(224, 672), read_weights(path), "branches.s")
    assert model.count_params() == sum(array.size for array in arrays_of(path).values()) == 722_496
