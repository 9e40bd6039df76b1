"""The variational autoencoder: its losses by hand, its centre, and the two systems' scores."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.detector import build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import VaeSettings
from edge_asd_export.fitting import fit_detector
from edge_asd_export.training.variational import train_variational

Rows = NDArray[np.float64]
SMALL = VaeSettings(hidden=[16, 12], latent=4, epochs=60, batch_size=32)


def rows(count: int, seed: int = 0) -> Rows:
    """Numbers that are not negative, near a plane of two dimensions."""
    rng = np.random.default_rng(seed)
    axes = np.abs(np.random.default_rng(7).standard_normal((2, 10)))
    return np.abs(rng.standard_normal((count, 2)) @ axes + 0.05 * rng.standard_normal((count, 10)))


def dense(layer: Any, values: Rows) -> Rows:
    weights, bias = (np.asarray(array, np.float64) for array in layer.get_weights())
    return values @ weights + bias


def blocks(layers: list[Any], values: Rows) -> Rows:
    """Linear, normalized by the running statistics, ReLU; computed from the weights alone."""
    for linear, norm in zip(layers[::2], layers[1::2], strict=True):
        gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in norm.get_weights())
        values = np.maximum((dense(linear, values) - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta, 0.0)
    return values


def test_the_losses_are_those_of_the_formulas() -> None:
    settings = msgspec.structs.replace(SMALL, epochs=5, centre_weight=2.0)
    values = rows(100)
    net = train_variational(settings, values.astype(np.float32), seed=0)
    encoder, decoder = (layer for layer in net.layers if hasattr(layer, "layers"))
    trained = [layer for layer in encoder.layers if layer.get_weights()]
    mean, log_variance = (dense(layer, blocks(trained[:4], values)) for layer in trained[4:])
    inner = [layer for layer in decoder.layers if layer.get_weights()]
    restored = np.maximum(dense(inner[4], blocks(inner[:4], mean)), 0.0)
    found = np.concatenate([np.asarray(net(row[np.newaxis].astype(np.float32))) for row in values])
    np.testing.assert_allclose(found[:, 0], np.square(values - restored).sum(axis=1), rtol=1e-4)
    divergence = 0.5 * (np.square(mean) + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
    np.testing.assert_allclose(found[:, 1], divergence, rtol=1e-4, atol=1e-5)
    # Whatever the centre c is: Σ(m − c)² is a plane over m once Σm² is taken off.
    off = 2 * found[:, 2] - np.square(mean).sum(axis=1)
    design = np.column_stack([mean, np.ones(len(mean))])
    plane, *_ = np.linalg.lstsq(design, off, rcond=None)
    np.testing.assert_allclose(design @ plane, off, atol=1e-4)
    np.testing.assert_allclose(np.square(plane[:-1] / -2).sum(), plane[-1], atol=1e-3)


def test_latents_are_drawn_to_the_centre() -> None:
    values = rows(200).astype(np.float32)

    def spread(weight: float) -> float:
        net = train_variational(msgspec.structs.replace(SMALL, centre_weight=weight), values, seed=0)
        return float(np.mean([np.asarray(net(row[np.newaxis]))[0, 2] for row in values]))

    assert spread(150.0) < 0.1 * spread(0.0)


def test_the_systems_weigh_the_same_losses() -> None:
    values = rows(80)
    settings = msgspec.structs.replace(SMALL, epochs=3)
    arrays = fit_detector(settings, values, seed=0)
    net = train_variational(settings, values.astype(np.float32), seed=0)
    losses = np.concatenate([np.asarray(net(row[np.newaxis].astype(np.float32))) for row in values]).astype(float)
    plain = losses[:, 0] + losses[:, 1]
    for share in (0.0, 0.01):
        system = msgspec.structs.replace(settings, centre_score=share)
        expected = plain + share * (plain + settings.centre_weight * losses[:, 2])
        np.testing.assert_allclose(build_detector(system, arrays).score(values), expected, rtol=1e-3)


def test_what_is_new_scores_higher() -> None:
    detector = build_detector(SMALL, fit_detector(SMALL, rows(200), seed=0))
    strange = np.abs(np.random.default_rng(3).standard_normal((50, 10))) * 2
    assert np.median(detector.score(strange)) > np.quantile(detector.score(rows(100, seed=1)), 0.95)


def test_bytes_that_are_no_net_are_refused() -> None:
    arrays = fit_detector(msgspec.structs.replace(SMALL, epochs=1), rows(20), seed=0)
    with pytest.raises(InputError, match="network"):
        build_detector(SMALL, {"network": np.asarray(arrays["network"])[::-1].copy()})
