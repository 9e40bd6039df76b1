from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from edge_asd.embedding import build_embedder, split_middle
from edge_asd.interpreter import Engine
from edge_asd.recipe.models import InterpolationDensity
from edge_asd_export.conversion import convert
from edge_asd_export.progress import Advance
from edge_asd_export.training import train, training_steps
from edge_asd_export.training.density import fit_linear, standardize

ADVANCE = Advance(None, None)
SMALL = InterpolationDensity(hidden=[8], steps=50, batch_size=64)
FRAMES, BANDS = 5, 6
SPREADS = np.linspace(0.5, 3.0, BANDS)


def patches(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Patches in dB at any level, whose middle frame is the mean of its neighbours, give or take each band's spread."""
    rng = np.random.default_rng(seed)
    values = -50 + 5 * rng.standard_normal((count, FRAMES, BANDS)) + rng.uniform(-10, 10, (count, 1, 1))
    values[:, 2] = (values[:, 1] + values[:, 3]) / 2 + SPREADS * rng.standard_normal((count, BANDS))
    return values.astype(np.float32)


def outputs(model: Any, contexts: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(model(row[np.newaxis], training=False)) for row in contexts])


@functools.cache
def small_net() -> Any:
    return train(SMALL, patches(3000), seed=0, advance=ADVANCE)


def test_the_linear_start_is_scikit_learns_ridge_regression() -> None:
    context, middle = split_middle(patches(400))
    level = context.mean(axis=1, keepdims=True)
    linear = fit_linear(SMALL, context - level, middle - level)
    inputs, residual = standardize(linear, context - level, middle - level)
    model = Ridge(alpha=SMALL.ridge * 400, fit_intercept=False)
    targets = ((middle - level) - (middle - level).mean(axis=0)) / (middle - level).std()
    model.fit(inputs.astype(np.float64), targets)
    np.testing.assert_allclose(linear.weights, model.coef_.T, rtol=1e-3, atol=1e-5)
    left = targets - model.predict(inputs)
    np.testing.assert_allclose(linear.spread, left.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(residual, left / left.std(axis=0), rtol=1e-2, atol=1e-3)


def test_mean_and_spread_are_those_the_sound_was_made_with() -> None:
    model = small_net()
    fresh = patches(500, seed=1)
    context, middle = split_middle(fresh)
    found = outputs(model, context)
    expected = (fresh[:, 1] + fresh[:, 3]) / 2
    # In units of the band's own spread: what is left of the mean, and how wide the spread is.
    assert np.sqrt(np.mean(((found[:, :BANDS] - expected) / SPREADS) ** 2)) < 0.35
    np.testing.assert_allclose(np.median(found[:, BANDS:], axis=0), SPREADS, rtol=0.15)
    normalized = (middle - found[:, :BANDS]) / found[:, BANDS:]
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, atol=0.12)


def test_gain_shifts_the_mean_and_nothing_else() -> None:
    model = small_net()
    context, _ = split_middle(patches(20, seed=1))
    found, louder = outputs(model, context), outputs(model, context + np.float32(6.0))
    np.testing.assert_allclose(louder[:, :BANDS], found[:, :BANDS] + 6.0, atol=1e-3)
    np.testing.assert_allclose(louder[:, BANDS:], found[:, BANDS:], rtol=1e-4)


def test_a_row_is_the_mean_square_of_what_is_louder_than_keras_expects() -> None:
    model = small_net()
    fresh = patches(20, seed=1)
    fresh[5, 2, 1] += 20.0
    fresh[6, 2] -= 20.0
    context, _ = split_middle(fresh)
    rows = build_embedder(
        SMALL, convert(model, "float32", context), frames=FRAMES, bands=BANDS, engine=Engine(), where=""
    ).process(fresh)
    for patch, output, row in zip(fresh, outputs(model, context), rows, strict=True):
        total = 0.0
        for band in range(BANDS):
            total += max(float(patch[2, band] - output[band]) / float(output[BANDS + band]), 0.0) ** 2
        assert row.tolist() == pytest.approx([total / BANDS], rel=1e-3, abs=1e-6)
    assert np.argmax(rows) == 5
    assert rows[6, 0] == 0.0


def test_one_seed_gives_one_net_and_another_seed_another() -> None:
    context, _ = split_middle(patches(10, seed=3))
    first, other, again = (outputs(train(SMALL, patches(300), seed=n, advance=ADVANCE), context) for n in (1, 2, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_patches_that_never_change_make_no_numbers_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []
    monkeypatch.setattr(Advance, "__call__", lambda self, steps=1: moved.append(steps))
    model = train(SMALL, np.full((50, FRAMES, BANDS), -60.0, np.float32), seed=0, advance=ADVANCE)
    found = outputs(model, np.full((3, 4 * BANDS), -60.0, np.float32))
    np.testing.assert_allclose(found[:, :BANDS], -60.0, atol=1e-3)
    assert (found[:, BANDS:] > 0).all()
    assert sum(moved) == training_steps(SMALL) == 1
