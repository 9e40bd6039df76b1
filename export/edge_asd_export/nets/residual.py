"""ResNet18 and ResNet34 (He et al., CVPR 2016) as torchvision has them, and PANNs' ResNet38 (Kong et al. 2020).

A row of ResNet18 and 34 is the mean over the last feature map. A row of ResNet38, of audioset_tagging_cnn, is the mean
over time and frequency of each of its 16 blocks' outputs, one after another (Narita & Tamamori, CL-VAE).
"""

from __future__ import annotations

from typing import Any

from edge_asd_export.nets.definition import Definition, Options, batch_normalization, input_of
from edge_asd_export.nets.pictures import PICTURE, picture
from edge_asd_export.weights.loading import Naming

_WIDTHS = (64, 128, 256, 512)
_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "panns-resnet38": (3, 4, 6, 3)}
_EPSILON = 1e-5


def _builder(name: str) -> Any:
    def build(keras: Any, options: Options) -> Any:
        layers = keras.layers
        inputs, values = picture(keras, options)
        values = layers.ZeroPadding2D(3, name="padding")(values)
        values = _convolved(keras, values, 64, 7, "conv1", "bn1", stride=2, padding="valid")
        values = layers.ReLU(name="relu")(values)
        # Nothing is negative here, so zeros around do not show in the maximum.
        values = layers.MaxPooling2D(3, strides=2, name="maxpool")(layers.ZeroPadding2D(1, name="maxpad")(values))
        for stage, (count, width) in enumerate(zip(_BLOCKS[name], _WIDTHS, strict=True), 1):
            for block in range(count):
                halve = stage > 1 and block == 0
                values = _strided_block(keras, values, width, f"layer{stage}.{block}", halve=halve)
        return keras.Model(inputs, layers.GlobalAveragePooling2D(name="embedding")(values), name=name)

    return build


def build_resnet38(keras: Any, options: Options) -> Any:
    """Build PANNs' net for any number of frames, from 16 on, of 64 bands."""
    layers, blocks = keras.layers, []
    inputs, _ = input_of(keras, options)
    values = batch_normalization(keras, "bn0", epsilon=_EPSILON)(inputs)
    values = layers.Reshape((*options.patches, 1), name="image")(values)
    for number in (1, 2):
        prefix = "conv_block1"
        values = _convolved(keras, values, 64, 3, f"{prefix}.conv{number}", f"{prefix}.bn{number}")
        values = layers.ReLU(name=f"{prefix}.relu{number}")(values)
    values = layers.AveragePooling2D(2, name="conv_block1.pool")(values)
    for stage, (count, width) in enumerate(zip(_BLOCKS["panns-resnet38"], _WIDTHS, strict=True), 1):
        for block in range(count):
            halve = stage > 1 and block == 0
            values = _pooled_block(keras, values, width, f"resnet.layer{stage}.{block}", halve=halve)
            blocks.append(layers.GlobalAveragePooling2D(name=f"mean.{stage}.{block}")(values))
    return keras.Model(inputs, layers.Concatenate(name="embedding")(blocks), name="panns-resnet38")


def _strided_block(keras: Any, values: Any, width: int, name: str, *, halve: bool) -> Any:
    # torchvision: the first convolution takes every second pixel, and so does the way past it.
    past, stride = values, 2 if halve else 1
    padded = keras.layers.ZeroPadding2D(1, name=f"{name}.padding")(values)
    values = _convolved(keras, padded, width, 3, f"{name}.conv1", f"{name}.bn1", stride=stride, padding="valid")
    if halve:
        names = f"{name}.downsample.0", f"{name}.downsample.1"
        past = _convolved(keras, past, width, 1, *names, stride=2, padding="valid")
    return _second_half(keras, values, past, width, name)


def _pooled_block(keras: Any, values: Any, width: int, name: str, *, halve: bool) -> Any:
    # PANNs: four pixels are averaged before the first convolution, and on the way past it.
    past = values
    if halve:
        values = past = keras.layers.AveragePooling2D(2, name=f"{name}.pool")(values)
        past = _convolved(keras, past, width, 1, f"{name}.downsample.1", f"{name}.downsample.2")
    values = _convolved(keras, values, width, 3, f"{name}.conv1", f"{name}.bn1")
    return _second_half(keras, values, past, width, name)


def _second_half(keras: Any, values: Any, past: Any, width: int, name: str) -> Any:
    values = keras.layers.ReLU(name=f"{name}.relu1")(values)
    values = _convolved(keras, values, width, 3, f"{name}.conv2", f"{name}.bn2")
    return keras.layers.ReLU(name=f"{name}.relu2")(keras.layers.Add(name=f"{name}.sum")([values, past]))


def _convolved(
    keras: Any, values: Any, width: int, size: int, name: str, norm: str, *, stride: int = 1, padding: str = "same"
) -> Any:
    convolution = keras.layers.Conv2D(width, size, strides=stride, padding=padding, use_bias=False, name=name)
    return batch_normalization(keras, norm, epsilon=_EPSILON)(convolution(values))


def _definition(name: str) -> Definition:
    return Definition(
        build=_builder(name),
        namings={"torch": Naming(unused=r"fc\..*|.*\.num_batches_tracked")},
        weights=name,
        embeddings=(512,),
        **PICTURE,
    )


RESNET18 = _definition("resnet18")
"""ResNet18."""
RESNET34 = _definition("resnet34")
"""ResNet34."""
PANNS_RESNET38 = Definition(
    build=build_resnet38,
    namings={
        "torch": Naming(
            unused=r"(spectrogram_extractor|logmel_extractor|conv_block_after1|fc1|fc_audioset)\..*"
            r"|.*\.num_batches_tracked"
        )
    },
    weights="panns-resnet38",
    embeddings=(3776,),
    bands=64,
    frames=None,
    front_end="{kind: preset, name: panns} at 32 kHz",
    least_frames=16,
)
"""PANNs' ResNet38."""
