"""Keras net → TFLite, checked: built-in operators only, weights inside, and in float32 the same results as before."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import EdgeAsdError
from edge_asd.interpreter import Network
from edge_asd.recipe.models import Quantization
from edge_asd_export.graph import require_builtin

_PARITY = 1e-4
"""Largest deviation of the float32 file from the Keras net, as a share of its outputs' range."""
_WEIGHTS_SHARE = 0.2
"""Least size of a file, as a share of its weights stored in 8 bits."""


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
        Inputs, shape (n, …) without the batch axis, n ≥ 1: they set the ranges of `int8` and check `float32`.

    Raises
    ------
    ConversionError, GraphError
        When the converter fails, the file needs operators outside the built-in ones or lacks its weights, or, in
        `float32`, its results are not the model's. What a quantized one loses is measured elsewhere.
    """
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        # What has no 8-bit kernel, such as ELU, stays in floating point between two conversions.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
    with _quiet():
        content = _run(converter, quantization)
    require_builtin(content)
    if len(content) < _WEIGHTS_SHARE * model.count_params():
        raise ConversionError(f"conversion to {quantization}: expected the weights inside, found {len(content)} bytes")
    if quantization == "float32":
        _check_parity(model, content, samples[:: max(1, len(samples) // 32)])
    return content


def _run(converter: Any, quantization: str) -> bytes:
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter raises whatever went wrong in it, by many names
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(f"conversion to {quantization}: expected a TFLite file, found {said}") from error


def _check_parity(model: Any, content: bytes, samples: NDArray[np.float32]) -> None:
    network = Network(content)
    ours = np.concatenate([network(sample[np.newaxis]) for sample in samples])
    reference = np.concatenate([np.asarray(model(sample[np.newaxis], training=False)) for sample in samples])
    deviation = float(np.abs(ours - reference).max() / max(float(np.ptp(reference)), 1e-6))
    if not deviation <= _PARITY:
        raise ConversionError(
            f"conversion to float32: expected the net's own results within {_PARITY:g} of their range, found a "
            f"deviation of {deviation:.3g}"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # The converter prints its progress on both standard streams, from C++ too.
    logger = logging.getLogger("tensorflow")
    level = logger.level
    _flush()
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    with tempfile.TemporaryFile() as nowhere:
        logger.setLevel(logging.ERROR)
        for stream, _ in kept:
            os.dup2(nowhere.fileno(), stream)
        try:
            yield
        finally:
            _flush()
            logger.setLevel(level)
            for stream, copy in kept:
                os.dup2(copy, stream)
                os.close(copy)


def _flush() -> None:
    # What Python still holds belongs where the stream leads to now.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
