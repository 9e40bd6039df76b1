"""Models trained at export, on the user's own normal recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.recipe.models import InterpolationAutoencoder, Trained
from edge_asd_export.progress import Advance
from edge_asd_export.training import density, interpolation


def train(settings: Trained, patches: NDArray[np.float32], *, seed: int, advance: Advance) -> Any:
    """Train a model on patches of normal sound, shape (n, frames, bands); return a Keras model of batch 1.

    The progress bar moves by `training_steps`.
    """
    if isinstance(settings, InterpolationAutoencoder):
        return interpolation.train(settings, patches, seed=seed, advance=advance)
    return density.train(settings, patches, seed=seed, advance=advance)


def training_steps(settings: Trained) -> int:
    """Return by how much training moves a progress bar."""
    return settings.epochs if isinstance(settings, InterpolationAutoencoder) else 1
