"""The image path against matplotlib, Pillow and plain loops."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.features import SegmentFrontEnd, build_front_end
from edge_asd.features.image import Picture, bilinear, viridis
from edge_asd.recipe.front_ends import Image, LogMel

Float64 = NDArray[np.float64]
IMAGENET_MEAN, IMAGENET_STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def patch(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-70.0, 20.0, (64, 64)).astype(np.float32)


def naive_bilinear(image: Float64, size: int) -> Float64:
    """Half-pixel centres, edges continued, one output pixel at a time."""
    height, width = image.shape
    out = np.empty((size, size))
    for y in range(size):
        for x in range(size):
            v = min(max((y + 0.5) * height / size - 0.5, 0.0), height - 1.0)
            u = min(max((x + 0.5) * width / size - 0.5, 0.0), width - 1.0)
            i, j = int(v), int(u)
            below, right = min(i + 1, height - 1), min(j + 1, width - 1)
            top = image[i, j] * (1 - (u - j)) + image[i, right] * (u - j)
            bottom = image[below, j] * (1 - (u - j)) + image[below, right] * (u - j)
            out[y, x] = top * (1 - (v - i)) + bottom * (v - i)
    return out


def test_viridis_is_matplotlibs() -> None:
    colormaps: Any = pytest.importorskip("matplotlib").colormaps
    np.testing.assert_array_equal(viridis(), colormaps["viridis"](np.arange(256))[:, :3].astype(np.float32))


@pytest.mark.parametrize(("length", "target"), [(64, 224), (64, 64), (5, 12), (1, 3), (3, 1000)])
def test_bilinear(length: int, target: int) -> None:
    image = np.random.default_rng(1).standard_normal((length, length))
    size = min(target, 60)
    weights = bilinear(length, size) if size >= length else bilinear(length, target)
    np.testing.assert_allclose(weights @ image @ weights.T, naive_bilinear(image, len(weights)), atol=1e-12)
    np.testing.assert_allclose(bilinear(length, target).sum(axis=1), 1.0)


def test_bilinear_is_pillows() -> None:
    pillow: Any = pytest.importorskip("PIL.Image")
    image = patch()
    expected = np.asarray(pillow.fromarray(image).resize((224, 224), pillow.Resampling.BILINEAR))
    weights = bilinear(64, 224)
    np.testing.assert_allclose(weights @ image @ weights.T, expected, atol=1e-4)


def expected_picture(values: NDArray[np.float32], low: float, high: float) -> Float64:
    """Colour map, enlargement and normalization, each by itself."""
    scaled = (values.T - np.float32(low)) / np.float32(high - low)
    colours = viridis()[np.clip((scaled * 256).astype(int), 0, 255)].astype(np.float64)
    channels = [naive_bilinear(colours[:, :, channel], 224) for channel in range(3)]
    return np.asarray((np.stack(channels, axis=-1) - IMAGENET_MEAN) / IMAGENET_STD)


def test_picture_of_a_patch() -> None:
    values = patch()
    expected = expected_picture(
        np.maximum(values, values.max() - 80), max(values.min(), values.max() - 80), values.max()
    )
    found = Picture(Image()).draw(values)
    assert found.shape == (224, 224, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_time_runs_to_the_right_and_frequency_downwards() -> None:
    rising = np.zeros((64, 64), np.float32)
    rising[:8, -8:] = 1.0  # the first frames, the highest bands
    green = Picture(Image()).draw(rising)[:, :, 1]
    row, column = np.unravel_index(green.argmax(), green.shape)
    assert row > 190
    assert column < 30
    upright = Picture(Image(low_frequencies="bottom")).draw(rising)
    np.testing.assert_allclose(upright, Picture(Image()).draw(rising)[::-1], atol=1e-6)


def test_limits_and_range() -> None:
    values = patch()
    fixed = Picture(Image(limits=(-50.0, 0.0), top_db=None)).draw(values)
    np.testing.assert_allclose(fixed, expected_picture(np.clip(values, -50, 0), -50, 0), atol=1e-5)
    narrow = Picture(Image(top_db=30.0)).draw(values)
    floor = values.max() - np.float32(30)
    np.testing.assert_allclose(narrow, expected_picture(np.maximum(values, floor), floor, values.max()), atol=1e-5)


def test_a_patch_without_contrast_has_the_first_colour() -> None:
    picture = Picture(Image()).draw(np.full((64, 64), -42.0, np.float32))
    np.testing.assert_allclose(
        picture, np.broadcast_to((viridis()[0] - IMAGENET_MEAN) / IMAGENET_STD, (224, 224, 3)), atol=1e-5
    )


def test_sound_to_picture() -> None:
    """The whole way: the picture of the patch that a log-mel front end gives."""
    sound = np.random.default_rng(2).standard_normal(17152).astype(np.float32)
    front_end = build_front_end(Image(), 16000)
    mel = build_front_end(LogMel(n_fft=1024, hop_length=256, n_mels=64), 16000)
    assert isinstance(front_end, SegmentFrontEnd)
    assert (front_end.segment_length, front_end.n_frames, front_end.n_features) == (17152, 224, 672)
    frames = np.lib.stride_tricks.sliding_window_view(sound, 1024)[::256]
    expected = Picture(Image()).draw(mel.process(frames))
    np.testing.assert_array_equal(front_end.process(sound).reshape(224, 224, 3), expected)


def test_another_size() -> None:
    settings = Image(frames=20, size=96, mel=LogMel(n_fft=512, hop_length=128, n_mels=32))
    front_end = build_front_end(settings, 8000)
    assert isinstance(front_end, SegmentFrontEnd)
    assert front_end.segment_length == 19 * 128 + 512
    assert front_end.process(np.ones(front_end.segment_length, np.float32)).shape == (96, 288)
    assert msgspec.convert(msgspec.to_builtins(settings), Image) == settings
