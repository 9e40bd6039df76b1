"""YAMNet: MobileNetV1 (Howard et al. 2017) on log-mel, as tensorflow/models, research/audioset/yamnet, builds it.

A row is the mean over time and frequency of the last convolution.
"""

from __future__ import annotations

from typing import Any

from edge_asd_export.nets.definition import Definition, Options, batch_normalization, input_of
from edge_asd_export.weights.loading import Naming

# Stride and filters of each depthwise separable convolution; the first layer is a plain one.
_SEPARABLE = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *[(1, 512)] * 5, (2, 1024), (1, 1024))
_EPSILON = 1e-4


def build(keras: Any, options: Options) -> Any:
    """Build the net for patches of 96 frames by 64 bands."""
    layers = keras.layers
    inputs, values = input_of(keras, options)
    plain = {"padding": "same", "use_bias": False}
    values = layers.Conv2D(32, 3, strides=2, name="layer1.conv", **plain)(values)
    values = _rectified(keras, values, "layer1.conv")
    for number, (stride, filters) in enumerate(_SEPARABLE, 2):
        name = f"layer{number}.depthwise_conv"
        values = layers.DepthwiseConv2D(3, strides=stride, name=name, **plain)(values)
        values = _rectified(keras, values, name)
        name = f"layer{number}.pointwise_conv"
        values = layers.Conv2D(filters, 1, name=name, **plain)(values)
        values = _rectified(keras, values, name)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="embedding")(values), name="yamnet")


def _rectified(keras: Any, values: Any, name: str) -> Any:
    values = batch_normalization(keras, f"{name}.bn", epsilon=_EPSILON, scale=False)(values)
    return keras.layers.ReLU(name=f"{name}.relu")(values)


YAMNET = Definition(
    build=build,
    namings={"keras": Naming(by_order=True, unused=r"(dense|logits|predictions)[^/]*/.*")},
    weights="yamnet",
    embeddings=(1024,),
    bands=64,
    frames=96,
    front_end="{kind: preset, name: yamnet} with patch {frames: 96, hop: 48} at 16 kHz",
)
"""YAMNet."""
