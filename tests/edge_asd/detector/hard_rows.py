"""Rows that are hard on arithmetic, drawn by hypothesis, and comparisons with a reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Rows to fit to, and rows to score."""

    kind: str
    normal: Rows
    scored: Rows
    seed: int


def _random(rng: np.random.Generator) -> tuple[Rows, Rows]:
    features = int(rng.integers(1, 24))
    mixing = rng.normal(size=(features, features)) + np.eye(features)
    return rng.normal(size=(120, features)) @ mixing, 2 * rng.normal(size=(20, features)) @ mixing


def _tight(rng: np.random.Generator) -> tuple[Rows, Rows]:
    return _clusters(rng, spread=0.1)


def _very_tight(rng: np.random.Generator) -> tuple[Rows, Rows]:
    return _clusters(rng, spread=1e-4)


def _clusters(rng: np.random.Generator, spread: float) -> tuple[Rows, Rows]:
    features = int(rng.integers(2, 16))
    middles = 10 * rng.normal(size=(4, features)) + 30
    normal = middles[rng.integers(0, 4, 120)] + spread * rng.normal(size=(120, features))
    return normal, middles[rng.integers(0, 4, 20)] + 3 * spread * rng.normal(size=(20, features))


def _lonely(rng: np.random.Generator) -> tuple[Rows, Rows]:
    """One normal row is so far from the others that a component stands on it alone."""
    normal, scored = _random(rng)
    normal[7] += 1000
    return normal, np.concatenate([scored, normal[7:8] + 1e-4 * rng.normal(size=normal[7:8].shape)])


def _wide(rng: np.random.Generator) -> tuple[Rows, Rows]:
    return rng.normal(size=(20, 512)), rng.normal(size=(5, 512))


def _outliers(rng: np.random.Generator) -> tuple[Rows, Rows]:
    normal, scored = _random(rng)
    return normal, scored * 10.0 ** rng.uniform(0, 6, size=(len(scored), 1))


def _one(rng: np.random.Generator) -> tuple[Rows, Rows]:
    normal, scored = _random(rng)
    return normal, scored[:1]


def _thousand(rng: np.random.Generator) -> tuple[Rows, Rows]:
    normal, _ = _random(rng)
    return normal, rng.normal(size=(1000, normal.shape[1]))


def _scales(rng: np.random.Generator) -> tuple[Rows, Rows]:
    normal, scored = _random(rng)
    scales, shift = 10.0 ** rng.uniform(-2, 2, size=normal.shape[1]), 100 * rng.normal(size=normal.shape[1])
    return normal * scales + shift * scales, scored * scales + shift * scales


_MAKERS = {
    maker.__name__[1:]: maker
    for maker in (_random, _tight, _very_tight, _lonely, _wide, _outliers, _one, _thousand, _scales)
}


def cases(*left_out: str) -> st.SearchStrategy[Case]:
    """Cases of every kind but those left out."""
    kinds = [kind for kind in _MAKERS if kind not in left_out]
    return st.builds(make_case, st.sampled_from(kinds), st.integers(0, 2**32 - 1))


def make_case(kind: str, seed: int) -> Case:
    """The case of this kind and seed."""
    normal, scored = _MAKERS[kind](np.random.default_rng(seed))
    return Case(kind, normal, scored, seed)


def assert_close(found: Rows, expected: Rows, relative: float = 1e-9, least: float = 1.0) -> None:
    """Every number is within `relative` of the expected one, or of `least` where that is smaller."""
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    deviation = np.abs(found - expected) / np.maximum(np.abs(expected), least)
    assert deviation.max() <= relative, f"deviates by {deviation.max():.3g}"


def extended_squared_distances(rows: Rows, points: Rows) -> Any:
    """|x - p|² from every difference, in extended precision."""
    return np.sum((rows.astype(np.longdouble)[:, None, :] - points.astype(np.longdouble)) ** 2, axis=2)
