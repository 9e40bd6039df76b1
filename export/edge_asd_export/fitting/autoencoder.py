"""Fits the variational autoencoder with a centre loss, in Keras, and stores it as TFLite in an array of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.recipe.detectors import VaeSettings
from edge_asd_export.conversion import convert
from edge_asd_export.fitting.requirements import require_rows
from edge_asd_export.training.variational import train_variational

_SAMPLES = 32


def fit_vae(
    settings: VaeSettings, rows: NDArray[np.float64], sections: Sequence[str], seed: int, where: str
) -> dict[str, NDArray[np.generic]]:
    """Train on rows, shape (n, d), and the section of each; the array `network` holds a TFLite file."""
    require_rows(rows, 2, "a variational autoencoder", "record more normal sound", where)
    values = rows.astype(np.float32)
    known = {name: index for index, name in enumerate(settings.sections)}
    model: Any = train_variational(settings, values, np.array([known.get(name, 0) for name in sections]), seed=seed)
    content = convert(model, settings.quantize, values[:: -(-len(values) // _SAMPLES)])
    return {"network": np.frombuffer(content, np.uint8)}
