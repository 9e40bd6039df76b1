"""MusiCNN (Pons & Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", 2019).

Layers as in musicnn 0.1: a front end of timbral (7 × 38, 7 × 67) and temporal (128, 64, 32 frames) filters, three
convolutions over time with residual connections, and here the mean over time of all of them, `mean_pool`.
"""

from __future__ import annotations

from typing import Any

from edge_asd_export.nets.definition import Definition, Options, batch_normalization, input_of
from edge_asd_export.weights.loading import Naming

_TIMBRAL = ((38, 204, "conv2d", 1), (67, 204, "conv2d_1", 2))
_TEMPORAL = ((128, 51, "conv2d_2", 3), (64, 51, "conv2d_3", 4), (32, 51, "conv2d_4", 5))


def build(keras: Any, options: Options) -> Any:
    """Build the net for any number of frames of 96 bands."""
    inputs, image = input_of(keras, options)
    spectrum = batch_normalization(keras, "batch_normalization")(image)
    front = keras.layers.Concatenate(name="front_end")(_front_end(keras, spectrum))
    features = [front, *_middle(keras, front)]
    pooled = keras.ops.mean(keras.layers.Concatenate(name="features")(features), axis=1)
    return keras.Model(inputs, pooled, name="musicnn")


def _front_end(keras: Any, spectrum: Any) -> list[Any]:
    layers = keras.layers
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)), name="timbral_padding")(spectrum)
    outputs = []
    for bands, filters, name, number in _TIMBRAL:
        outputs.append(_filtered(keras, padded, (7, bands), filters, name, number, "valid"))
    for frames, filters, name, number in _TEMPORAL:
        outputs.append(_filtered(keras, spectrum, (frames, 1), filters, name, number, "same"))
    return outputs


def _filtered(
    keras: Any, values: Any, size: tuple[int, int], filters: int, name: str, number: int, padding: str
) -> Any:
    # The maximum over all bands that are left, frame by frame: shape (1, frames, filters).
    values = keras.layers.Conv2D(filters, size, padding=padding, activation="relu", name=name)(values)
    values = batch_normalization(keras, f"batch_normalization_{number}")(values)
    return keras.ops.max(values, axis=2)


def _middle(keras: Any, front: Any) -> list[Any]:
    first = _over_time(keras, front, 1)
    second = keras.layers.Add(name="residual_1")([first, _over_time(keras, first, 2)])
    third = keras.layers.Add(name="residual_2")([second, _over_time(keras, second, 3)])
    return [first, second, third]


def _over_time(keras: Any, values: Any, number: int) -> Any:
    # Each filter spans all features, so the second axis has length 1 afterwards.
    layers = keras.layers
    _, frames, features = values.shape
    image = layers.Reshape((frames, features, 1), name=f"midend_image{number}")(values)
    image = layers.ZeroPadding2D(((3, 3), (0, 0)), name=f"midend_padding{number}")(image)
    image = layers.Conv2D(64, (7, features), activation="relu", name=f"midend_conv{number}")(image)
    image = batch_normalization(keras, f"bn_midend_conv{number}")(image)
    return layers.Reshape((frames, 64), name=f"midend_features{number}")(image)


MUSICNN = Definition(
    build=build,
    namings={"keras": Naming(unused=r"(dense|dense_1|bn_dense|bn_flatpool)/.*")},
    weights="musicnn-mtt",
    embeddings=(753,),
    bands=96,
    frames=None,
    front_end="{kind: preset, name: musicnn} at 16 kHz",
    least_frames=1,
)
"""MusiCNN."""
