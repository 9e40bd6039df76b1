"""What describes a published net: how it is built, and how its official weights name their arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edge_asd_export.weights.files import Format
from edge_asd_export.weights.loading import Naming


class Patches(NamedTuple):
    """Shape of the patches that a net takes."""

    frames: int
    bands: int


class Options(NamedTuple):
    """What may differ between two builds of one net."""

    patches: Patches
    """What it is to take."""
    embedding: int
    """Length of a row."""
    format: Format
    """Format of its weights: releases of one net differ in what they expect at their input."""


class Definition(NamedTuple):
    """A published net."""

    build: Callable[[Any, Options], Any]
    """Keras and options → a Keras model of input shape (1, frames, bands) and output shape (1, embedding)."""
    namings: Mapping[Format, Naming]
    """Where a file of weights keeps what the layers need, by format."""
    weights: str
    """Name of the weights that it is usually given."""
    embeddings: tuple[int, ...]
    """Lengths that a row may have, the usual one first."""
    bands: int
    """Bands that it takes; for pictures, three times their width."""
    frames: int | None
    """Frames that it takes, or None for any number from `least_frames` on."""
    front_end: str
    """Preset of its publication's front end, and what goes with it, in the words of a recipe."""
    least_frames: int = 1
    """Fewest frames that it can work on."""


def batch_normalization(keras: Any, name: str, *, epsilon: float = 1e-3, **options: Any) -> Any:
    """Return a layer of batch normalization: of Keras' own epsilon, or 1e-5 as PyTorch has it."""
    return keras.layers.BatchNormalization(epsilon=epsilon, name=name, **options)


def input_of(keras: Any, options: Options, channels: int = 1) -> tuple[Any, Any]:
    """Return a model's input of one patch, and the same as an image of `channels` channels."""
    frames, bands = options.patches
    inputs = keras.Input(batch_shape=(1, frames, bands), name="patch")
    return inputs, keras.layers.Reshape((frames, bands // channels, channels), name="image")(inputs)
