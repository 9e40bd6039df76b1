"""How badly a variational autoencoder gives a row back; the net is TFLite, inside an array of bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.interpreter import Network
from edge_asd.recipe.detectors import VaeSettings


class VariationalAutoencoder:
    """Reconstruction error, divergence and distance from the nearest centre, weighted into one score.

    score = L_rec + L_kld + s (L_rec + L_kld + w L_centre), with the settings' `centre_score` s and `centre_weight` w
    (Narita & Tamamori's system 1 for s = 0, system 2 for s = 0.01).

    Parameters
    ----------
    settings
        The weights.
    network
        (1, d) → (1, 3): L_rec, L_kld and L_centre of a row.
    """

    def __init__(self, settings: VaeSettings, network: Network) -> None:
        self.n_features = network.input_shape[1]
        plain = 1.0 + settings.centre_score
        self._weights = np.array([plain, plain, settings.centre_score * settings.centre_weight])
        self._network = network

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        losses = [self._network(row[np.newaxis].astype(np.float32))[0] for row in rows]
        return np.asarray(np.array(losses, np.float64).reshape(-1, 3) @ self._weights)


def build_variational_autoencoder(settings: VaeSettings, reader: ArrayReader) -> VariationalAutoencoder:
    """Make it of `network`, the bytes of a TFLite file (n,)."""
    content = reader.integers("network", "n", low=0, high=256)
    network = Network(content.astype(np.uint8).tobytes(), where="network")
    if len(network.input_shape) != 2 or network.input_shape[0] != 1 or network.output_shape != (1, 3):
        found = f"{network.input_shape} → {network.output_shape}"
        raise reader.error("network", expected="a net of shapes (1, d) → (1, 3)", found=found)
    return VariationalAutoencoder(settings, network)
