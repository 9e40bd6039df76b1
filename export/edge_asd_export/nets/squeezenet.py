"""SqueezeNet 1.0 and 1.1 (Iandola et al. 2016), as torchvision has them: the last feature map, pooled to 2 × 2.

Weights in Keras' format (`keras-squeezenet`) are those of the original Caffe model, which sees blue, green and red from
0 to 255 less their means; the net then turns the front end's pictures into those first.
"""

from __future__ import annotations

import re
from typing import Any

from edge_asd_export.nets.definition import Definition, Options
from edge_asd_export.nets.pictures import PICTURE, flattened, picture
from edge_asd_export.weights.loading import Naming

# Squeeze and expand widths of each fire module by its place in torchvision's model; None where the net pools.
_FIRES_1_0 = {3: (16, 64), 4: (16, 64), 5: (32, 128), 6: None, 7: (32, 128), 8: (48, 192), 9: (48, 192), 10: (64, 256)}
_FIRES_1_0 |= {11: None, 12: (64, 256)}
_FIRES_1_1 = {3: (16, 64), 4: (16, 64), 5: None, 6: (32, 128), 7: (32, 128), 8: None, 9: (48, 192), 10: (48, 192)}
_FIRES_1_1 |= {11: (64, 256), 12: (64, 256)}


def _build_1_0(keras: Any, options: Options) -> Any:
    return _build(keras, options, "squeezenet-1.0", 96, 7, _FIRES_1_0)


def _build_1_1(keras: Any, options: Options) -> Any:
    return _build(keras, options, "squeezenet-1.1", 64, 3, _FIRES_1_1)


def _build(
    keras: Any, options: Options, name: str, filters: int, size: int, fires: dict[int, tuple[int, int] | None]
) -> Any:
    inputs, values = picture(keras, options, caffe=options.format == "keras")
    values = keras.layers.Conv2D(filters, size, strides=2, activation="relu", name="features.0")(values)
    values = _pool(keras, values, 2)
    for number, widths in fires.items():
        values = _fire(keras, values, number, *widths) if widths else _pool(keras, values, number)
    # 13 × 13 → 2 × 2, as torch's adaptive average pooling divides it: windows of 7, one pixel shared.
    values = keras.layers.AveragePooling2D(7, strides=6, name="adaptive_pool")(values)
    return keras.Model(inputs, flattened(keras, values), name=name)


def _pool(keras: Any, values: Any, number: int) -> Any:
    # `ceil_mode`: what is left over at the end is pooled too. Nothing here is negative, so zeros do not show.
    missing = -(values.shape[1] - 3) % 2
    if missing:
        values = keras.layers.ZeroPadding2D(((0, missing), (0, missing)), name=f"padding.{number}")(values)
    return keras.layers.MaxPooling2D(3, strides=2, name=f"features.{number}")(values)


def _fire(keras: Any, values: Any, number: int, squeeze: int, expand: int) -> Any:
    layers, prefix = keras.layers, f"features.{number}"
    values = layers.Conv2D(squeeze, 1, activation="relu", name=f"{prefix}.squeeze")(values)
    near = layers.Conv2D(expand, 1, activation="relu", name=f"{prefix}.expand1x1")(values)
    wide = layers.Conv2D(expand, 3, padding="same", activation="relu", name=f"{prefix}.expand3x3")(values)
    return layers.Concatenate(name=prefix)([near, wide])


def _keras_name(fires: dict[int, tuple[int, int] | None]) -> Any:
    numbers = {place: index for index, place in enumerate((n for n, widths in fires.items() if widths), 2)}

    def rename(layer: str) -> str:
        found = re.fullmatch(r"features\.(\d+)\.(squeeze|expand1x1|expand3x3)", layer)
        if not found:
            return "conv1"
        return f"fire{numbers[int(found[1])]}/{'squeeze1x1' if found[2] == 'squeeze' else found[2]}"

    return rename


def _definition(build: Any, fires: dict[int, tuple[int, int] | None], weights: str) -> Definition:
    return Definition(
        build=build,
        namings={
            "torch": Naming(unused=r"classifier\..*"),
            "keras": Naming(layer=_keras_name(fires), unused=r"conv10/.*"),
        },
        weights=weights,
        embeddings=(2048,),
        **PICTURE,
    )


SQUEEZENET_1_0 = _definition(_build_1_0, _FIRES_1_0, "squeezenet-1.0")
"""SqueezeNet 1.0."""
SQUEEZENET_1_1 = _definition(_build_1_1, _FIRES_1_1, "squeezenet-1.1")
"""SqueezeNet 1.1."""
