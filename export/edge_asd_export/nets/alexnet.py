"""AlexNet (Krizhevsky 2014, "One weird trick") as torchvision has it; a row is its second fully connected layer.

After its ReLU: what is left of torchvision's model when its last layer is taken away.
"""

from __future__ import annotations

from typing import Any

from edge_asd_export.nets.definition import Definition, Options
from edge_asd_export.nets.pictures import PICTURE, flattened, picture
from edge_asd_export.weights.loading import Naming


def build(keras: Any, options: Options) -> Any:
    """Build the net for pictures of 224 × 224 pixels, whose last feature map has 6 × 6."""
    layers = keras.layers
    inputs, values = picture(keras, options)
    values = layers.ZeroPadding2D(2, name="padding.0")(values)
    values = layers.Conv2D(64, 11, strides=4, activation="relu", name="features.0")(values)
    values = layers.MaxPooling2D(3, strides=2, name="features.2")(values)
    values = layers.Conv2D(192, 5, padding="same", activation="relu", name="features.3")(values)
    values = layers.MaxPooling2D(3, strides=2, name="features.5")(values)
    for place, width in ((6, 384), (8, 256), (10, 256)):
        values = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"features.{place}")(values)
    values = flattened(keras, layers.MaxPooling2D(3, strides=2, name="features.12")(values))
    values = layers.Dense(4096, activation="relu", name="classifier.1")(values)
    values = layers.Dense(4096, activation="relu", name="classifier.4")(values)
    return keras.Model(inputs, values, name="alexnet")


ALEXNET = Definition(
    build=build,
    namings={"torch": Naming(unused=r"classifier\.6\..*")},
    weights="alexnet",
    embeddings=(4096,),
    **PICTURE,
)
"""AlexNet."""
