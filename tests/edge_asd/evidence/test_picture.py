"""The picture, read by another program, and held against a naive transform."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.evidence.picture import HEIGHT, TOP_DB, WIDTH, draw_spectrogram, encode_png
from edge_asd.features.image import viridis

Image = pytest.importorskip("PIL.Image")


def shades(content: bytes) -> NDArray[np.uint8]:
    """Return the colour indices of a picture, low frequencies first."""
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "P"
        return np.asarray(picture)[::-1]


@pytest.mark.parametrize("shape", [(1, 1), (128, 600), (3, 7)])
def test_another_program_reads_the_pixels_and_their_colours(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)
        colours = np.asarray(picture.convert("RGB"))
    np.testing.assert_allclose(colours, 255 * viridis()[pixels], atol=0.51)


def test_a_pixel_is_the_mean_power_of_its_bins() -> None:
    samples = (3000 * np.random.default_rng(1).standard_normal(8000)).astype(np.int16)
    seen = shades(draw_spectrogram(samples))
    frames = 1 + 2 * (8000 - 512) // 512
    assert seen.shape == (HEIGHT, frames)
    times = np.arange(512)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * times / 511)
    power = np.zeros((HEIGHT, frames))
    for frame in range(frames):
        start = int(frame * (8000 - 512) / (frames - 1))
        piece = samples[start : start + 512] / 32768 * window
        for pixel in range(HEIGHT):
            for k in (2 * pixel, 2 * pixel + 1):
                power[pixel, frame] += abs(np.sum(piece * np.exp(-2j * np.pi * k * times / 512))) ** 2 / 2
    decibels = 10 * np.log10(power)
    wanted = 255 * np.clip(1 + (decibels - decibels.max()) / TOP_DB, 0, 1)
    np.testing.assert_allclose(seen, wanted, atol=0.6)


def test_a_tone_is_bright_where_it_belongs() -> None:
    tone = (20_000 * np.sin(2 * np.pi * 4000 / 16_000 * np.arange(16_000 * 25))).astype(np.int16)
    content = draw_spectrogram(tone)
    seen = shades(content)
    assert seen.shape == (HEIGHT, WIDTH)
    assert len(content) < 40_000
    assert set(seen.argmax(axis=0)) <= {HEIGHT // 2 - 1, HEIGHT // 2}


@pytest.mark.parametrize("length", [1, 511, 512, 513])
def test_even_a_moment_or_silence_can_be_drawn(length: int) -> None:
    assert shades(draw_spectrogram(np.zeros(length, np.int16))).shape[0] == HEIGHT
