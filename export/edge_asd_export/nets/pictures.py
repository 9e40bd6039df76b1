"""What the nets trained on ImageNet share: pictures in, feature maps out."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np

from edge_asd.recipe.front_ends import Image
from edge_asd_export.nets.definition import Options, input_of

_CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Means of blue, green and red from 0 to 255 that Caffe's models subtract."""


class _Picture(TypedDict):
    bands: int
    frames: int
    front_end: str


PICTURE = _Picture(bands=3 * 224, frames=224, front_end="{kind: preset, name: image-transfer} at 16 kHz")
"""What every net on pictures takes: 224 rows of pixels, each of 224 times red, green and blue."""


def picture(keras: Any, options: Options, *, caffe: bool = False) -> tuple[Any, Any]:
    """Return a model's input, and the picture that it holds, shape (1, height, width, 3).

    The front end gives red, green and blue from 0 to 1, less ImageNet's mean and divided by its standard deviation, as
    torchvision's models take them; `caffe` turns that into what Caffe's models take.
    """
    inputs, values = input_of(keras, options, channels=3)
    return inputs, _as_caffe_has_it(keras, values) if caffe else values


def _as_caffe_has_it(keras: Any, values: Any) -> Any:
    # One 1 × 1 convolution undoes the scaling and turns the colours round.
    front_end = Image()
    kernel = np.zeros((1, 1, 3, 3), np.float32)
    bias = np.zeros(3, np.float32)
    for blue_first, red_first in enumerate((2, 1, 0)):
        kernel[0, 0, red_first, blue_first] = 255.0 * front_end.std[red_first]
        bias[blue_first] = 255.0 * front_end.mean[red_first] - _CAFFE_MEAN[blue_first]
    return keras.ops.add(keras.ops.conv(values, kernel), bias)


def flattened(keras: Any, values: Any) -> Any:
    """Return a feature map, shape (1, height, width, channels), as a row in PyTorch's order: channels first."""
    return keras.layers.Flatten(name="flatten")(keras.layers.Permute((3, 1, 2), name="channels_first")(values))
