"""Nets trained at export: their published sizes, what they learn, and the same rows on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.embedding import build_embedder, split_middle
from edge_asd.errors import InputError
from edge_asd.interpreter import Engine
from edge_asd.recipe.models import Autoencoder, ConvolutionalAutoencoder, InterpolationAutoencoder, Trained
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.conversion import convert
from edge_asd_export.progress import Advance
from edge_asd_export.training import net_inputs, train, training_steps
from edge_asd_export.training.keras_session import mixed_seed

Float32 = NDArray[np.float32]
STILL = Advance(None, None)


def patches(count: int, frames: int, bands: int, seed: int = 0) -> Float32:
    """Spectra of two shapes, in decibels, with a little noise."""
    rng = np.random.default_rng(seed)
    shapes = np.random.default_rng(7).standard_normal((2, frames, bands)).cumsum(axis=2)
    return (shapes[rng.integers(0, 2, count)] + 0.1 * rng.standard_normal((count, frames, bands)) - 40).astype(
        np.float32
    )


def model_of(recipe: str, branch: str, **changes: object) -> Trained:
    settings = load_recipe(recipe, [f"branches.{branch}.model.{key}={value}" for key, value in changes.items()])
    model = settings.branches[branch].model
    assert isinstance(model, Trained)
    return model


@pytest.mark.parametrize(
    ("recipe", "branch", "frames", "bands", "trainable"),
    [
        # 512·256 + 256 + 256·128 + 128 + …: the count that the paper gives.
        ("iaeo3/general", "errors-1", 5, 128, 250_912),
        # 320·64 + 64 + 64·64 + 64 + 64·8 + 8 + 8·64 + 64 + 64·64 + 64 + 64·320 + 320
        ("mueller2021/ae", "frames", 5, 64, 50_760),
        # The reference model's 269,992, less the 2 · (8·128 + 8) running statistics of its normalization.
        ("mlperf-tiny/ad", "frames", 5, 128, 269_992 - 2 * (8 * 128 + 8)),
    ],
)
def test_published_sizes(recipe: str, branch: str, frames: int, bands: int, trainable: int) -> None:
    net = train(model_of(recipe, branch, epochs=1), patches(40, frames, bands), seed=0, advance=STILL)
    assert sum(int(np.prod(weights.shape)) for weights in net.trainable_weights) == trainable


def test_the_bottleneck_of_the_baseline_is_eight_wide() -> None:
    net = train(model_of("mueller2021/ae", "frames", epochs=1), patches(40, 5, 64), seed=0, advance=STILL)
    (core,) = [layer for layer in net.layers if hasattr(layer, "layers")]
    widths = [layer.output.shape[-1] for layer in core.layers if layer.__class__.__name__ == "Dense"]
    assert (net.input_shape, widths) == ((1, 320), [64, 64, 8, 64, 64, 320])


def test_the_convolutional_nets_are_those_of_the_paper() -> None:
    shapes: dict[str, list[Any]] = {}
    for name in ("lenet", "small"):
        settings = model_of(f"mueller2020/{name}-dcae", "images", epochs=1)
        net = train(settings, patches(4, 64, 64), seed=0, advance=STILL)
        (core,) = [layer for layer in net.layers if hasattr(layer, "layers")]
        assert net.output_shape == (1, 64, 64, 1)
        kernels = [
            layer for layer in core.layers if "Conv" in layer.__class__.__name__ or layer.__class__.__name__ == "Dense"
        ]
        shapes[name] = [tuple(layer.kernel.shape) for layer in kernels]
    assert shapes["lenet"][:4] == [(5, 5, 1, 32), (5, 5, 32, 64), (5, 5, 64, 128), (8 * 8 * 128, 128)]
    assert shapes["small"] == [
        (4, 4, 1, 12),
        (4, 4, 12, 24),
        (4, 4, 24, 48),
        (4, 4, 24, 48),
        (4, 4, 12, 24),
        (4, 4, 1, 12),
    ]


QUICK: Any = {"epochs": 30, "batch_size": 32, "learning_rate": 0.01}
SMALL: list[tuple[Trained, int, int]] = [
    (InterpolationAutoencoder(hidden=[16], epochs=30, batch_size=32), 5, 8),
    (Autoencoder(hidden=[16, 4, 16], epochs=60, batch_size=32, batch_norm=True, l2=1e-5), 5, 8),
    (
        ConvolutionalAutoencoder(channels=[4, 8], kernel=3, bottleneck=4, epochs=30, batch_size=32, learning_rate=0.01),
        8,
        8,
    ),
    (
        ConvolutionalAutoencoder(
            channels=[4], kernel=4, activation="elu", batch_norm=True, epochs=20, batch_size=32, learning_rate=0.01
        ),
        8,
        8,
    ),
]
IDENTITIES = ["interpolation", "dense", "bottleneck", "normalized"]


@pytest.mark.parametrize(("settings", "frames", "bands"), SMALL, ids=IDENTITIES)
def test_a_row_is_the_error_of_the_net_and_larger_for_what_is_new(settings: Trained, frames: int, bands: int) -> None:
    normal = patches(400, frames, bands)
    net = train(settings, normal, seed=0, advance=STILL)
    inputs = net_inputs(settings, normal)
    device = build_embedder(
        settings, convert(net, "float32", inputs[:20]), frames=frames, bands=bands, engine=Engine(), where=""
    )
    targets = split_middle(normal)[1] if isinstance(settings, InterpolationAutoencoder) else inputs
    errors = [
        np.mean(np.square(t - net(x[np.newaxis], training=False).numpy()[0]))
        for x, t in zip(inputs, targets, strict=True)
    ]
    rows = device.process(normal)
    np.testing.assert_allclose(rows[:, 0], errors, rtol=1e-3)
    assert np.median(rows) < 0.5 * normal.var()
    strange = patches(100, frames, bands, seed=1)[:, :, ::-1].copy()
    assert np.quantile(device.process(strange), 0.1) > np.quantile(rows, 0.9)


@pytest.mark.parametrize(("settings", "frames", "bands"), SMALL[:3], ids=IDENTITIES[:3])
def test_one_seed_gives_one_net(settings: Trained, frames: int, bands: int) -> None:
    normal = patches(64, frames, bands)

    def weights(settings: Trained, seed: int) -> NDArray[np.float64]:
        net = train(settings, normal, seed=seed, advance=STILL)
        return np.concatenate([np.ravel(values) for values in net.get_weights()])

    short = type(settings)(**{name: getattr(settings, name) for name in settings.__struct_fields__} | {"epochs": 1})
    assert np.array_equal(weights(short, 3), weights(short, 3))
    assert not np.array_equal(weights(short, 3), weights(short, 4))
    moved = type(short)(**{name: getattr(short, name) for name in short.__struct_fields__} | {"seed": 1})
    assert not np.array_equal(weights(moved, 3), weights(short, 3))
    assert not np.array_equal(weights(moved, 3), weights(short, 4))
    assert np.isfinite(weights(moved, 2**32 - 1)).all()


def test_no_two_of_a_recipes_nets_share_a_seed() -> None:
    pairs = [(seed, own) for seed in (*range(50), 2**32 - 1) for own in (*range(50), 2**40)]
    mixed = {mixed_seed(*pair) for pair in pairs}
    assert len(mixed) == len(pairs)
    assert all(0 <= seed < 2**32 for seed in mixed)
    # The same whatever machine and version: who exports again gets the same net.
    assert (mixed_seed(0, 0), mixed_seed(3, 1)) == (2968811710, 457190280)


def test_the_bar_moves_by_what_was_announced() -> None:
    class Counting(Advance):
        moved = 0

        def __call__(self, steps: int = 1) -> None:
            self.moved += steps

    for limit in (None, 2):
        settings = Autoencoder(hidden=[4], epochs=5, batch_size=16, max_steps=limit)
        counting = Counting(None, None)
        train(settings, patches(40, 3, 4), seed=0, advance=counting)
        assert counting.moved == training_steps(settings) == 5


def test_pictures_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(InputError, match="multiples of 8, one half for each layer, found 60 frames by 64 bands"):
        train(ConvolutionalAutoencoder(), patches(4, 60, 64), seed=0, advance=STILL)
