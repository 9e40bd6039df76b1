from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.calibration.adaptation import RELEVANCE, adapt, adaptable
from edge_asd.configuration import parse
from edge_asd.recipe.graph import Recipe

Floats = NDArray[np.float64]

TEXT = """
name: adapted
branches:
  plain: {front_end: {kind: rms, frame_length: 512, hop_length: 256}}
  scaled: {front_end: {kind: rms, frame_length: 512, hop_length: 256}, transform: {standardize: true}}
parts:
  mixture: {branches: [plain], detector: {kind: gmm, components: 2, covariance: COVARIANCE}}
  distance: {branches: [scaled], detector: {kind: mahalanobis}}
  neighbours: {branches: [plain], detector: {kind: knn}}
"""
RNG = np.random.default_rng(5)
MEANS = np.array([[0.0, 0.0, 0.0], [6.0, 6.0, 6.0]])


def recipe(covariance: str = "diagonal") -> Recipe:
    return parse(TEXT.replace("COVARIANCE", covariance), Recipe, where="test")


def arrays(factors: Floats) -> dict[str, NDArray[Any]]:
    return {
        "branches/scaled/transform/mean": np.array([1.0, 2.0]),
        "branches/scaled/transform/scale": np.array([1.0, 4.0]),
        "parts/mixture/detector/means": MEANS,
        "parts/mixture/detector/offsets": np.log([0.3, 0.7]),
        "parts/mixture/detector/factors": factors,
        "parts/distance/detector/mean": np.zeros(2),
        "parts/distance/detector/factor": np.eye(2),
        "parts/neighbours/detector/bank": np.zeros((4, 3)),
    }


def horizons(count: int, shift: float) -> list[dict[str, Floats]]:
    return [
        {
            "plain": MEANS[RNG.integers(0, 2, 5)] + shift + RNG.normal(size=(5, 3)),
            "scaled": RNG.normal([1 + shift, 2], [2, 8], size=(5, 2)),
        }
        for _ in range(count)
    ]


def responsibilities(rows: Floats, precisions: list[Floats]) -> Floats:
    """Row by row, from the densities."""
    found = []
    for row in rows:
        densities = []
        for weight, mean, precision in zip([0.3, 0.7], MEANS, precisions, strict=True):
            deviation = row - mean
            densities.append(weight * np.exp(-0.5 * deviation @ precision @ deviation))
        found.append(np.array(densities) / np.sum(densities))
    return np.array(found)


@pytest.mark.parametrize(
    ("covariance", "factors", "precisions"),
    [
        ("diagonal", np.array([[1.0, 2.0, 0.5], [1.0, 1.0, 1.0]]), [np.diag([1, 4, 0.25]), np.eye(3)]),
        ("spherical", np.array([0.5, 1.0]), [0.25 * np.eye(3), np.eye(3)]),
        ("tied", 2 * np.eye(3), [4 * np.eye(3)] * 2),
        ("full", np.stack([np.eye(3), np.tril(np.ones((3, 3)))]), None),
    ],
)
def test_means_of_a_mixture_move_as_reynolds_has_it(
    covariance: str, factors: Floats, precisions: list[Floats] | None
) -> None:
    sound = horizons(3, 0.8)
    found = adapt(recipe(covariance), arrays(factors), sound)["parts/mixture/detector/means"].astype(np.float64)
    rows = np.concatenate([horizon["plain"] for horizon in sound])
    shares = responsibilities(rows, precisions or [factor @ factor.T for factor in factors])
    for component in range(2):
        count = shares[:, component].sum()
        mean = sum(share * row for share, row in zip(shares[:, component], rows, strict=True)) / count
        alpha = count / (count + RELEVANCE)
        np.testing.assert_allclose(found[component], alpha * mean + (1 - alpha) * MEANS[component], rtol=1e-9)


def test_scaler_and_mean_come_to_what_is_heard_as_it_grows() -> None:
    factors = np.ones((2, 3))
    for count, nearness in ((1, 0.3), (2000, 0.998)):
        sound = horizons(count, 3.0)
        rows = np.concatenate([horizon["scaled"] for horizon in sound])
        found = adapt(recipe(), arrays(factors), sound)
        share = len(rows) / (len(rows) + RELEVANCE)
        assert share == pytest.approx(nearness, abs=0.1)
        mean, scale = (found[f"branches/scaled/transform/{name}"].astype(np.float64) for name in ("mean", "scale"))
        np.testing.assert_allclose(mean, share * rows.mean(axis=0) + (1 - share) * np.array([1.0, 2.0]))
        moment = share * np.mean(rows**2, axis=0) + (1 - share) * np.array([1.0 + 1, 16.0 + 4])
        np.testing.assert_allclose(scale, np.sqrt(moment - mean**2), rtol=1e-9)


def test_what_is_neither_scaler_nor_gaussian_stays() -> None:
    given = arrays(np.ones((2, 3)))
    found = adapt(recipe(), given, horizons(4, 1.0))
    assert adaptable(recipe(), given) == ["branches.scaled", "parts.mixture", "parts.distance"]
    changed = {name for name in given if not np.array_equal(found[name], given[name])}
    assert changed == {
        "branches/scaled/transform/mean",
        "branches/scaled/transform/scale",
        "parts/mixture/detector/means",
        "parts/distance/detector/mean",
    }


def test_a_feature_that_never_changes_here_keeps_its_scale() -> None:
    given = arrays(np.ones((2, 3)))
    still = [{"plain": np.zeros((500, 3)), "scaled": np.tile([1.0, 2.0], (10**6, 1))}]
    scale = adapt(recipe(), given, still)["branches/scaled/transform/scale"].astype(np.float64)
    assert (scale > 0).all()


def test_a_small_spread_far_from_zero_keeps_its_digits() -> None:
    far = np.array([1e6, -1e6])
    given = arrays(np.ones((2, 3))) | {"branches/scaled/transform/mean": far}
    rows = [0.002 * RNG.normal(size=(5, 2)) for _ in range(40)]
    given["branches/scaled/transform/scale"] = np.array([1e-3, 4e-3])
    near = {**given, "branches/scaled/transform/mean": np.zeros(2)}
    found, expected = (
        adapt(recipe(), start, [{"plain": np.zeros((1, 3)), "scaled": row + offset} for row in rows])[
            "branches/scaled/transform/scale"
        ].astype(np.float64)
        for start, offset in ((given, far), (near, 0.0))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6)
