"""The variational autoencoder: its losses by hand, its centres, and the two systems' scores."""

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
NAMES = ["section_00", "section_01", "section_02"]


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
    net = trained(settings, values)
    mean, log_variance, restored = by_hand(net, values, np.empty((len(values), 0)))
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


def trained(settings: VaeSettings, values: Rows, sections: NDArray[np.intp] | None = None) -> Any:
    of_first = np.zeros(len(values), np.intp)
    return train_variational(settings, values.astype(np.float32), of_first if sections is None else sections, seed=0)


def by_hand(net: Any, values: Rows, told: Rows) -> tuple[Rows, Rows, Rows]:
    """Latent mean, logarithm of the variance and reconstruction, from the weights of both halves alone."""
    encoder, decoder = (layer for layer in net.layers if hasattr(layer, "layers"))
    layers = [layer for layer in encoder.layers if layer.get_weights()]
    hidden = blocks(layers[:4], np.hstack([values, told]))
    mean, log_variance = (dense(layer, hidden) for layer in layers[4:])
    inner = [layer for layer in decoder.layers if layer.get_weights()]
    return mean, log_variance, np.maximum(dense(inner[4], blocks(inner[:4], np.hstack([mean, told]))), 0.0)


def test_a_conditional_one_is_told_the_section() -> None:
    settings = msgspec.structs.replace(SMALL, epochs=3, sections=NAMES, conditional=True, centre_weight=0.0)
    values = rows(60)
    net = trained(settings, values, np.arange(60) % 3)
    found = np.array([np.asarray(net(row[np.newaxis].astype(np.float32))) for row in values])
    assert found.shape == (60, 3, 3)
    for section in range(3):
        told = np.tile(np.eye(3)[section], (60, 1))
        mean, log_variance, restored = by_hand(net, values, told)
        divergence = 0.5 * (np.square(mean) + np.exp(log_variance) - 1 - log_variance).sum(axis=1)
        np.testing.assert_allclose(found[:, section, 0], np.square(values - restored).sum(axis=1), rtol=1e-3)
        np.testing.assert_allclose(found[:, section, 1], divergence, rtol=1e-3, atol=1e-4)


def test_every_section_has_a_centre_that_its_latents_are_drawn_to() -> None:
    settings = msgspec.structs.replace(SMALL, sections=NAMES, centre_weight=20.0, epochs=200)
    # Sections that lie apart, as machines of one type do.
    sections = np.repeat(np.arange(3), 60)
    values = rows(180) + 2.0 * np.eye(10)[3 * sections]
    net = trained(settings, values, sections)
    distances = np.array([np.asarray(net(row[np.newaxis].astype(np.float32)))[:, 2] for row in values])
    assert np.mean(distances.argmin(axis=1) == sections) > 0.9
    nearest, others = distances[np.arange(180), sections], np.sort(distances, axis=1)[:, 1]
    assert np.median(nearest) < 0.1 * np.median(others)


def test_the_judged_section_s_score_counts_else_the_least() -> None:
    settings = msgspec.structs.replace(SMALL, sections=NAMES, centre_score=0.01, epochs=20)
    values = rows(90)
    arrays = fit_detector(settings, values, seed=0, sections=NAMES * 30)
    known = [build_detector(msgspec.structs.replace(settings, section=name), arrays).score(values) for name in NAMES]
    assert np.ptp(known, axis=0).min() > 0
    np.testing.assert_allclose(build_detector(settings, arrays).score(values), np.min(known, axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match="expected one of section_00, section_01, section_02, found 'section_07'"):
        msgspec.structs.replace(settings, section="section_07").__post_init__()
    with pytest.raises(InputError, match=r"expected a net of shapes \(1, d\) → \(2, 3\), found \(1, 10\) → \(3, 3\)"):
        build_detector(msgspec.structs.replace(settings, sections=NAMES[:2]), arrays)


def test_latents_are_drawn_to_the_centre() -> None:
    values = rows(200)

    def spread(weight: float) -> float:
        net = trained(msgspec.structs.replace(SMALL, centre_weight=weight), values)
        return float(np.mean([np.asarray(net(row[np.newaxis].astype(np.float32)))[0, 2] for row in values]))

    assert spread(150.0) < 0.1 * spread(0.0)


def test_the_systems_weigh_the_same_losses() -> None:
    values = rows(80)
    settings = msgspec.structs.replace(SMALL, epochs=3)
    arrays = fit_detector(settings, values, seed=0)
    net = trained(settings, values)
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
