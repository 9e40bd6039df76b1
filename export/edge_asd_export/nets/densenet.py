"""DenseNet121 (Huang et al., CVPR 2017) as torchvision has it; a row is the mean over the last feature map."""

from __future__ import annotations

import re
from typing import Any

from edge_asd_export.nets.definition import Definition, Options, batch_normalization
from edge_asd_export.nets.pictures import PICTURE, picture
from edge_asd_export.weights.loading import Naming

_LAYERS = (6, 12, 24, 16)
_GROWTH = 32
_BOTTLENECK = 4 * _GROWTH
_EPSILON = 1e-5
# `norm.1` of the files from before 2018 is `norm1` today.
_OLD_NAME = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")


def build(keras: Any, options: Options) -> Any:
    """Build the net for pictures of 224 × 224 pixels."""
    layers = keras.layers
    inputs, values = picture(keras, options)
    values = layers.ZeroPadding2D(3, name="padding")(values)
    values = layers.Conv2D(64, 7, strides=2, use_bias=False, name="features.conv0")(values)
    values = _rectified(keras, values, "features.norm0")
    # Nothing is negative here, so zeros around do not show in the maximum.
    values = layers.MaxPooling2D(3, strides=2, name="features.pool0")(layers.ZeroPadding2D(1, name="pad0")(values))
    for block, count in enumerate(_LAYERS, 1):
        for layer in range(1, count + 1):
            values = _dense_layer(keras, values, f"features.denseblock{block}.denselayer{layer}")
        if block < len(_LAYERS):
            values = _transition(keras, values, f"features.transition{block}")
    values = _rectified(keras, values, "features.norm5")
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="embedding")(values), name="densenet121")


def _dense_layer(keras: Any, values: Any, name: str) -> Any:
    layers = keras.layers
    fresh = _rectified(keras, values, f"{name}.norm1")
    fresh = layers.Conv2D(_BOTTLENECK, 1, use_bias=False, name=f"{name}.conv1")(fresh)
    fresh = _rectified(keras, fresh, f"{name}.norm2")
    fresh = layers.Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}.conv2")(fresh)
    return layers.Concatenate(name=name)([values, fresh])


def _transition(keras: Any, values: Any, name: str) -> Any:
    values = _rectified(keras, values, f"{name}.norm")
    values = keras.layers.Conv2D(values.shape[-1] // 2, 1, use_bias=False, name=f"{name}.conv")(values)
    return keras.layers.AveragePooling2D(2, name=f"{name}.pool")(values)


def _rectified(keras: Any, values: Any, name: str) -> Any:
    values = batch_normalization(keras, name, epsilon=_EPSILON)(values)
    return keras.layers.ReLU(name=f"{name}.relu")(values)


def _modern_name(array: str) -> str:
    return _OLD_NAME.sub(r"\1\2", array)


DENSENET121 = Definition(
    build=build,
    namings={"torch": Naming(array=_modern_name, unused=r"classifier\..*|.*\.num_batches_tracked")},
    weights="densenet121",
    embeddings=(1024,),
    **PICTURE,
)
"""DenseNet121."""
