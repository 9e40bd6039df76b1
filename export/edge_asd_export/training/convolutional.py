"""Trains the net that gives back a patch, seen as a picture, through strided convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd.recipe.models import ConvolutionalAutoencoder
from edge_asd_export.progress import Advance
from edge_asd_export.training.keras_session import import_keras, mixed_seed
from edge_asd_export.training.scaled import scale_of, train_scaled


def train(settings: ConvolutionalAutoencoder, patches: NDArray[np.float32], *, seed: int, advance: Advance) -> Any:
    """Train on patches, shape (n, frames, bands), and return a Keras model of batch 1.

    It takes a patch, shape (1, frames, bands, 1), and gives it back.

    Raises
    ------
    InputError
        When frames or bands cannot be halved once for each layer.
    """
    _check_size(settings, patches.shape[1:])
    keras = import_keras(mixed_seed(seed, settings.seed))
    pictures = patches[..., np.newaxis]
    shape = pictures.shape[1:]
    core = keras.Sequential([keras.Input(shape), *_encoder(keras, settings), *_decoder(keras, settings, shape)])
    return train_scaled(keras, core, pictures, pictures, scale_of(pictures), settings, advance)


def _check_size(settings: ConvolutionalAutoencoder, size: tuple[int, ...]) -> None:
    factor = 2 ** len(settings.channels)
    if any(length % factor for length in size):
        raise InputError(
            "convolutional-autoencoder",
            expected=f"patches whose frames and bands are multiples of {factor}, one half for each layer",
            found=f"{size[0]} frames by {size[1]} bands",
        )


def _encoder(keras: Any, settings: ConvolutionalAutoencoder) -> list[Any]:
    layers = [layer for channels in settings.channels for layer in _block(keras, settings, "Conv2D", channels)]
    if settings.bottleneck is None:
        return layers
    return [*layers, keras.layers.Flatten(), keras.layers.Dense(settings.bottleneck)]


def _decoder(keras: Any, settings: ConvolutionalAutoencoder, shape: tuple[int, ...]) -> list[Any]:
    layers: list[Any] = []
    if settings.bottleneck is not None:
        smallest = [length // 2 ** len(settings.channels) for length in shape[:2]]
        layers = [
            keras.layers.Dense(smallest[0] * smallest[1] * settings.channels[-1], activation=settings.activation),
            keras.layers.Reshape((*smallest, settings.channels[-1])),
        ]
    for channels in reversed(settings.channels[:-1]):
        layers += _block(keras, settings, "Conv2DTranspose", channels)
    return [*layers, keras.layers.Conv2DTranspose(1, settings.kernel, strides=2, padding="same")]


def _block(keras: Any, settings: ConvolutionalAutoencoder, kind: str, channels: int) -> list[Any]:
    layer = getattr(keras.layers, kind)(channels, settings.kernel, strides=2, padding="same")
    norm = [keras.layers.BatchNormalization()] if settings.batch_norm else []
    return [layer, *norm, keras.layers.Activation(settings.activation)]
