from __future__ import annotations

import functools
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.embedding import build_embedder, split_middle
from edge_asd.interpreter import Engine
from edge_asd.recipe.models import InterpolationAutoencoder
from edge_asd_export.conversion import convert
from edge_asd_export.progress import Advance
from edge_asd_export.training import train, training_steps
from edge_asd_export.training.scaled import epochs

ADVANCE = Advance(None, None)
SMALL = InterpolationAutoencoder(hidden=[16, 8, 16], epochs=12, batch_size=32, learning_rate=0.005)
FRAMES, BANDS = 5, 8


def patches(count: int, seed: int = 0) -> NDArray[np.float32]:
    """A ripple that runs over the bands at a steady pace, at −60 dB or so: the middle frame follows from the others."""
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 2 * np.pi, (count, 1, 1)) + np.arange(FRAMES)[:, None] + 0.5 * np.arange(BANDS)
    return (-60 + 8 * np.sin(phases) + 0.1 * rng.standard_normal((count, FRAMES, BANDS))).astype(np.float32)


@functools.cache
def small_net() -> Any:
    return train(SMALL, patches(2000), seed=0, advance=ADVANCE)


def test_the_net_has_the_published_layers_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[int] = []
    monkeypatch.setattr(Advance, "__call__", lambda self, steps=1: moved.append(steps))
    settings = InterpolationAutoencoder(epochs=2)
    sound = np.random.default_rng(0).normal(size=(4, 5, 128)).astype(np.float32)
    model = train(settings, sound, seed=0, advance=ADVANCE)
    assert model.count_params() == 250_912
    assert [tuple(weights.shape) for weights in model.weights if weights.ndim == 2] == [
        (512, 256),
        (256, 128),
        (128, 64),
        (64, 32),
        (32, 64),
        (64, 128),
        (128, 256),
        (256, 128),
    ]
    assert (model.input_shape, model.output_shape) == ((1, 512), (1, 128))
    assert sum(moved) == training_steps(settings) == 2


def test_a_row_is_the_mean_squared_error_of_keras_own_prediction() -> None:
    model = small_net()
    fresh = patches(20, seed=1)
    fresh[3, 2, 4] += 30.0
    embedder = build_embedder(
        SMALL, convert(model, "float32", split_middle(fresh)[0]), frames=FRAMES, bands=BANDS, engine=Engine(), where=""
    )
    rows = embedder.process(fresh)
    for patch, row in zip(fresh, rows, strict=True):
        context = np.concatenate([patch[0], patch[1], patch[3], patch[4]])
        predicted = np.asarray(model(context[np.newaxis], training=False))[0]
        total = 0.0
        for band in range(BANDS):
            total += float(patch[2, band] - predicted[band]) ** 2
        assert row.tolist() == pytest.approx([total / BANDS], rel=1e-3)
    assert np.argmax(rows) == 3


def test_it_learns_what_can_be_known_of_the_middle_frame() -> None:
    model = small_net()
    context, middle = split_middle(patches(200, seed=1))
    predicted = np.concatenate([np.asarray(model(row[np.newaxis])) for row in context])
    assert np.mean((middle - predicted) ** 2) < 0.05 * middle.var()


def test_one_seed_gives_one_net_and_another_seed_another() -> None:
    briefly = msgspec.structs.replace(SMALL, epochs=1)
    first, again, other = (
        np.concatenate([w.ravel() for w in train(briefly, patches(100), seed=seed, advance=ADVANCE).get_weights()])
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize(
    ("count", "max_steps", "expected"),
    [(100, None, 30), (100, 50, 12), (100, 1000, 30), (10_000, 50, 1), (128, 29, 29)],
)
def test_steps_are_limited_however_many_recordings_there_are(count: int, max_steps: int | None, expected: int) -> None:
    settings = InterpolationAutoencoder(batch_size=128 if count != 100 else 25, max_steps=max_steps)
    assert epochs(settings, count) == expected
