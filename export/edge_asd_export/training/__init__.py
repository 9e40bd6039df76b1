"""Models trained at export, on the user's own normal recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.embedding import split_middle
from edge_asd.recipe.models import (
    Autoencoder,
    ConvolutionalAutoencoder,
    InterpolationAutoencoder,
    InterpolationDensity,
    Trained,
)
from edge_asd_export.progress import Advance
from edge_asd_export.training import autoencoder, convolutional, density, interpolation


def train(settings: Trained, patches: NDArray[np.float32], *, seed: int, advance: Advance) -> Any:
    """Train a model on patches of normal sound, shape (n, frames, bands); return a Keras model of batch 1.

    The progress bar moves by `training_steps`.
    """
    match settings:
        case InterpolationAutoencoder():
            return interpolation.train(settings, patches, seed=seed, advance=advance)
        case InterpolationDensity():
            return density.train(settings, patches, seed=seed, advance=advance)
        case Autoencoder():
            return autoencoder.train(settings, patches, seed=seed, advance=advance)
        case ConvolutionalAutoencoder():
            return convolutional.train(settings, patches, seed=seed, advance=advance)


def net_inputs(settings: Trained, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a trained net takes of patches, shape (n, frames, bands), one entry for each."""
    match settings:
        case InterpolationAutoencoder() | InterpolationDensity():
            return split_middle(patches)[0]
        case Autoencoder():
            return patches.reshape(len(patches), -1)
        case ConvolutionalAutoencoder():
            return patches[..., np.newaxis]


def training_steps(settings: Trained) -> int:
    """Return by how much training moves a progress bar."""
    return 1 if isinstance(settings, InterpolationDensity) else settings.epochs
