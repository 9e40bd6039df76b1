"""Keras net → TFLite, checked: built-in operators only, weights inside, and the same results as before."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.bundle import NetworkRecord
from edge_asd.errors import EdgeAsdError
from edge_asd.interpreter import Network, find_runtime
from edge_asd.recipe.models import Quantization

# Largest deviation from the Keras net, as a share of its outputs' range, that is still the same net.
_PARITY = {"float32": 1e-4, "float16": 2e-2, "dynamic": 0.2, "int8": 0.5}


class ConversionError(EdgeAsdError):
    """A net could not be converted, or came out as another one."""


def convert(model: Any, quantization: Quantization, samples: NDArray[np.float32]) -> bytes:
    """Convert a Keras model of fixed batch 1, float32 in and out.

    Parameters
    ----------
    model
        Built on `keras.Input(batch_shape=(1, …))`.
    quantization
        `float16` stores weights in half precision; `dynamic` stores them in 8 bits; `int8` computes in 8 bits too.
    samples
        Inputs, shape (n, …) without the batch axis, n ≥ 1: they set the ranges of `int8` and check every result.

    Raises
    ------
    ConversionError
        When the file needs operators outside the built-in ones, or its results differ from the model's.
    """
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples[:500])
    with _quiet():
        content = bytes(converter.convert())
    _check_parity(model, content, quantization, samples[:: max(1, len(samples) // 32)])
    return content


def record(content: bytes, quantization: Quantization) -> NetworkRecord:
    """Return what the bundle says of a converted net."""
    runtime = find_runtime()
    return NetworkRecord(
        quantization=quantization,
        interpreter=runtime.name,
        interpreter_version=runtime.version,
        minimum_runtime=minimum_runtime(content),
    )


def minimum_runtime(content: bytes) -> str:
    """Return the oldest TensorFlow Lite runtime that has every operator of the file; empty where it is not stated.

    The converter writes it into the file's metadata as `min_runtime_version`.
    """
    marker = b"min_runtime_version"
    if marker not in content:
        return ""
    from tensorflow.lite.python import schema_py_generated as schema  # noqa: PLC0415 - takes seconds

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for entry in model.metadata or []:
        if entry.name == marker:
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode("ascii", "replace")
    return ""


def _check_parity(model: Any, content: bytes, quantization: str, samples: NDArray[np.float32]) -> None:
    network = Network(content)
    ours = np.concatenate([network(sample[np.newaxis]) for sample in samples])
    reference = np.concatenate([np.asarray(model(sample[np.newaxis], training=False)) for sample in samples])
    deviation = float(np.abs(ours - reference).max() / max(float(np.ptp(reference)), 1e-6))
    if not deviation <= _PARITY[quantization]:
        raise ConversionError(
            f"conversion to {quantization}: expected the net's own results within {_PARITY[quantization]:g} of their "
            f"range, found a deviation of {deviation:.3g}; export with --quantize float32"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # The converter prints its progress on both standard streams, from C++ too.
    logger = logging.getLogger("tensorflow")
    level = logger.level
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    with tempfile.TemporaryFile() as nowhere:
        logger.setLevel(logging.ERROR)
        for stream, _ in kept:
            os.dup2(nowhere.fileno(), stream)
        try:
            yield
        finally:
            logger.setLevel(level)
            for stream, copy in kept:
                os.dup2(copy, stream)
                os.close(copy)
