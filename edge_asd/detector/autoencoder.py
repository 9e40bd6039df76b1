"""How badly a variational autoencoder gives a row back; the net is TFLite, inside an array of bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.interpreter import Network
from edge_asd.recipe.detectors import VaeSettings


class VariationalAutoencoder:
    """Reconstruction error, divergence and distance from a centre, weighted into one score.

    score = L_rec + L_kld + s (L_rec + L_kld + w L_centre), with the settings' `centre_score` s and `centre_weight` w
    (Narita & Tamamori's system 1 for s = 0, system 2 for s = 0.01): that of the settings' `section`, or the least over
    all sections.

    Parameters
    ----------
    settings
        The weights, and whose sound is judged.
    network
        (1, d) → (sections, 3): L_rec, L_kld and L_centre of a row, taken for a row of each section.
    """

    def __init__(self, settings: VaeSettings, network: Network) -> None:
        self.n_features = network.input_shape[1]
        plain = 1.0 + settings.centre_score
        self._weights = np.array([plain, plain, settings.centre_score * settings.centre_weight])
        named = enumerate(settings.sections)
        self._judged = [index for index, name in named if settings.section in {None, name}] or [0]
        self._network = network

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        losses = [self._network(row[np.newaxis].astype(np.float32))[self._judged].astype(np.float64) for row in rows]
        return np.array([(of_sections @ self._weights).min() for of_sections in losses])


def build_variational_autoencoder(settings: VaeSettings, reader: ArrayReader) -> VariationalAutoencoder:
    """Make it of `network`, the bytes of a TFLite file (n,)."""
    content = reader.integers("network", "n", low=0, high=256)
    network = Network(content.astype(np.uint8).tobytes(), where="network")
    wanted = (max(1, len(settings.sections)), 3)
    if len(network.input_shape) != 2 or network.input_shape[0] != 1 or network.output_shape != wanted:
        found = f"{network.input_shape} → {network.output_shape}"
        raise reader.error("network", expected=f"a net of shapes (1, d) → {wanted}", found=found)
    return VariationalAutoencoder(settings, network)
