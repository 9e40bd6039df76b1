"""Released files of weights, and the graph that a Keras file describes, computed by TensorFlow's own operators.

The description inside a file is walked layer by layer; none of the package's builders or readers is used.
"""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def released(name: str) -> Path:
    path = Path(os.environ.get("EDGE_ASD_TEST_WEIGHTS", "")) / name
    if "EDGE_ASD_TEST_WEIGHTS" not in os.environ or not path.exists():
        pytest.skip(f"EDGE_ASD_TEST_WEIGHTS names no folder with {name}")
    return path


def recordings(machine: str = "mimii/fan/id_00") -> Path:
    path = Path(os.environ.get("EDGE_ASD_TEST_DATA", "")) / machine
    if "EDGE_ASD_TEST_DATA" not in os.environ or not path.exists():
        pytest.skip(f"EDGE_ASD_TEST_DATA names no folder with {machine}")
    return path


class KerasFile:
    """A whole Keras 2 model in HDF5."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        file = h5py.File(io.BytesIO(gzip.decompress(content) if path.suffix == ".gz" else content))
        self.layers: list[dict[str, Any]] = json.loads(file.attrs["model_config"])["config"]["layers"]
        self._weights = {
            name: {key.decode().rpartition("/")[2]: group[key][()] for key in group.attrs.get("weight_names", ())}
            for name, group in file["model_weights"].items()
        }

    @property
    def names(self) -> set[str]:
        """Names of the layers that have weights."""
        return {name for name, weights in self._weights.items() if weights}

    def parameters(self, layer: str) -> int:
        return sum(array.size for array in self._weights[layer].values())

    def compute(self, inputs: dict[str, Float32], wanted: str) -> Float32:
        """Return the output of the layer `wanted`, the outputs of some layers being given."""
        known: dict[str, Any] = {name: tf.constant(values) for name, values in inputs.items()}
        for layer in self.layers:
            name = layer["name"]
            if name not in known and layer["class_name"] != "InputLayer":
                sources = [node[0] for node in layer["inbound_nodes"][0]]
                if all(source in known for source in sources):
                    known[name] = self._layer(layer, [known[source] for source in sources])
            if name == wanted:
                break
        return np.asarray(known[wanted])

    def _layer(self, layer: dict[str, Any], inputs: list[Any]) -> Any:
        config, kind, first = layer["config"], layer["class_name"], inputs[0]
        if kind == "TensorFlowOpLayer":
            return _operator(config, inputs)
        if kind == "MaxPooling2D":
            return tf.nn.max_pool2d(first, config["pool_size"], config["strides"], config["padding"].upper())
        if kind == "Flatten":
            return tf.reshape(first, (first.shape[0], -1))
        if kind == "Activation":
            return _activated(first, config["activation"])
        weights = {key.split("_1:")[0].split(":")[0]: value for key, value in self._weights[layer["name"]].items()}
        if kind == "BatchNormalization":
            return tf.nn.batch_normalization(
                first,
                weights["moving_mean"],
                weights["moving_variance"],
                weights["beta"],
                weights["gamma"],
                config["epsilon"],
            )
        if kind == "Conv2D":
            values = tf.nn.conv2d(first, weights["kernel"], config["strides"], config["padding"].upper())
        else:
            assert kind == "Dense", kind
            values = first @ weights["kernel"]
        return _activated(values + weights["bias"], config["activation"])


def _activated(values: Any, activation: str) -> Any:
    return {"relu": tf.nn.relu, "linear": tf.identity, "sigmoid": tf.nn.sigmoid}[activation](values)


def _operator(config: dict[str, Any], inputs: list[Any]) -> Any:
    node, constants = config["node_def"], list(config["constants"].values())
    attributes = node["attr"]
    kind = node["op"]
    if kind == "Pad":
        return tf.pad(inputs[0], constants[0])
    if kind == "Squeeze":
        return tf.squeeze(inputs[0], [int(axis) for axis in attributes["squeeze_dims"]["list"]["i"]])
    if kind == "ConcatV2":
        return tf.concat(inputs, constants[0])
    if kind == "ExpandDims":
        return tf.expand_dims(inputs[0], constants[0])
    if kind == "Transpose":
        return tf.transpose(inputs[0], constants[0])
    if kind == "AddV2" or kind == "Add":
        return tf.add(*inputs)
    reduce = {"Mean": tf.reduce_mean, "Max": tf.reduce_max}[kind]
    return reduce(inputs[0], constants[0], keepdims=attributes["keep_dims"]["b"])
