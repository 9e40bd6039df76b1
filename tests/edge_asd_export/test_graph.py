from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_asd_export.conversion import ConversionError, convert
from edge_asd_export.graph import GraphError, count_macs, operators, require_builtin, stated_runtime
from edge_asd_export.training.keras_session import import_keras

WEIGHTS = os.environ.get("EDGE_ASD_TEST_WEIGHTS", "")

# Built on an input of 1 × 10 × 12 × 4; what it costs, by hand.
COUNTED: dict[str, tuple[Callable[[Any, Any], Any], int]] = {
    "dense": (lambda k, x: k.layers.Dense(7)(k.layers.Flatten()(x)), 480 * 7),
    "dense-on-frames": (lambda k, x: k.layers.Dense(7)(x), 10 * 12 * 4 * 7),
    "convolution": (lambda k, x: k.layers.Conv2D(6, (3, 5), padding="same")(x), 10 * 12 * 6 * 3 * 5 * 4),
    "strided": (lambda k, x: k.layers.Conv2D(6, 3, strides=2, padding="valid")(x), 4 * 5 * 6 * 9 * 4),
    "grouped": (lambda k, x: k.layers.Conv2D(6, 3, groups=2, padding="same")(x), 10 * 12 * 6 * 9 * 2),
    "depthwise": (lambda k, x: k.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x), 10 * 12 * 8 * 9),
    "transposed": (lambda k, x: k.layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x), 10 * 12 * 4 * 9 * 5),
    "product": (lambda k, x: k.ops.matmul(x, k.ops.transpose(x, (0, 1, 3, 2))), 10 * 12 * 4 * 12),
    "nothing": (lambda k, x: k.layers.MaxPool2D()(k.ops.relu(x)), 0),
}


@pytest.mark.parametrize("name", COUNTED)
def test_counts_are_those_by_hand(name: str) -> None:
    build, expected = COUNTED[name]
    keras = import_keras(0)
    inputs = keras.Input(batch_shape=(1, 10, 12, 4))
    model = keras.Model(inputs, build(keras, inputs))
    content = convert(model, "float32", np.zeros((1, 10, 12, 4), np.float32))
    assert count_macs(content) == expected


def test_quantization_changes_no_count() -> None:
    keras = import_keras(0)
    inputs = keras.Input(batch_shape=(1, 10, 12, 4))
    model = keras.Model(inputs, keras.layers.Conv2D(6, 3, activation="relu")(inputs))
    samples = np.random.default_rng(0).normal(size=(20, 10, 12, 4)).astype(np.float32)
    for quantization in ("float32", "float16", "dynamic", "int8"):
        content = convert(model, quantization, samples)
        assert count_macs(content) == 8 * 10 * 6 * 9 * 4
        assert stated_runtime(content) != ""
    assert [step.name for step in operators(content)] == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]


@pytest.mark.skipif(not WEIGHTS, reason="EDGE_ASD_TEST_WEIGHTS names no folder of published weights")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # 640-128-128-128-128-8-128-128-128-128-640, by its published layers.
        ("ad01_fp32.tflite", 2 * 640 * 128 + 6 * 128 * 128 + 2 * 128 * 8),
        # YAMNet's own README gives 69.2 million multiplies.
        ("yamnet_spectra_in.tflite", 69_165_056),
    ],
)
def test_counts_of_published_files(name: str, expected: int) -> None:
    assert count_macs(Path(WEIGHTS, name).read_bytes()) == expected


def test_operators_of_tensorflow_itself_are_refused() -> None:
    keras = import_keras(0)
    inputs = keras.Input(batch_shape=(1, 6))
    model = keras.Model(inputs, keras.ops.erfinv(inputs))
    with pytest.raises(ConversionError, match="conversion to float32: expected a TFLite file") as caught:
        convert(model, "float32", np.zeros((1, 6), np.float32))
    assert "\n" not in str(caught.value)


def test_a_file_with_an_operator_of_its_own_is_refused() -> None:
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    @tf.function(input_signature=[tf.TensorSpec((6, 6), tf.float32)])  # type: ignore[untyped-decorator]
    def inverse(values: Any) -> Any:
        return tf.linalg.inv(values)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([inverse.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    with pytest.raises(GraphError, match="found FlexMatrixInverse"):
        require_builtin(bytes(converter.convert()))
