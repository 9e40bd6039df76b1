from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.bundle import arrays_under
from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.explanation import (
    Explainer,
    band_edges,
    fit_normal,
    measure,
    normal_arrays,
    slice_count,
    spectral_branch,
)
from edge_asd.features.mel import mel_filters
from edge_asd.pipeline import Pipeline, Rows
from edge_asd.recipe.graph import Recipe
from tests.handmade import RATE, hum, write_handmade

RECIPE = """
name: explained
sample_rate: 8000
horizon: {seconds: 2, hop_seconds: 0.5}
branches:
  bands: {front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 16, fmin: 50}, pooling: [mean]}
parts:
  steady: {branches: [bands], detector: {kind: mahalanobis}}
"""


def recipe() -> Recipe:
    return parse(RECIPE, Recipe, where="explained")


def horizons(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [rows["bands"].copy() for _, rows in Rows(recipe(), {}, where="").process(samples)][::4]


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    spectra = [measure(rows, 16, slice_count(recipe())) for rows in horizons(hum(240, 0))]
    return Explainer(recipe(), arrays_under(normal_arrays(spectra), "explanation"), "explained")


def tone(hz: float, seconds: float, start: float = 0.0, end: float = 99.0) -> NDArray[np.float32]:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.05 * np.sin(2 * np.pi * hz * time) * ((time >= start) & (time < end))).astype(np.float32)


def test_normal_sound_has_little_to_explain(explainer: Explainer) -> None:
    found = [explainer.explain({"bands": rows}) for rows in horizons(hum(60, 5))]
    assert np.mean([len(explanation.bands) for explanation in found]) < 0.5
    assert np.mean([len(explanation.moments) for explanation in found]) < 0.5


@pytest.mark.parametrize("hz", [700.0, 1500.0, 3000.0])
def test_a_tone_is_found_in_its_band(explainer: Explainer, hz: float) -> None:
    rows = horizons(hum(2, 6) + tone(hz, 2))[0]
    first = explainer.explain({"bands": rows}).bands[0]
    assert first.low_hz * 0.85 <= hz <= first.high_hz * 1.15
    assert first.level_z > 5


def test_a_burst_is_found_in_its_moment_and_makes_its_band_unsteady(explainer: Explainer) -> None:
    rows = horizons(hum(2, 7) + tone(1500, 2, 1.1, 1.3))[0]
    found = explainer.explain({"bands": rows})
    assert found.moments[0].start_s <= 1.2 <= found.moments[0].end_s
    assert found.moments[0].z > 5
    assert max(band.variation_z for band in found.bands) > 5


def test_less_sound_has_a_negative_sign(explainer: Explainer) -> None:
    bands = explainer.explain({"bands": horizons(0.3 * hum(2, 8))[0]}).bands
    assert bands[0].z < -3
    assert all(abs(later.z) <= abs(earlier.z) for earlier, later in pairwise(bands))


def test_edges_lie_between_the_peaks_of_the_filters() -> None:
    edges = band_edges(recipe().branches["bands"], RATE)
    filters = mel_filters(RATE, 8192, 16, fmin=50)
    peaks = np.argmax(filters, axis=1) * RATE / 8192
    assert ((edges[:-1] < peaks) & (peaks < edges[1:])).all()


def test_statistics_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    spectra = [measure(rng.normal(size=(30, 3)).astype(np.float32), 3, 4) for _ in range(20)]
    normal = fit_normal(spectra)
    for band in range(3):
        levels = [spectrum.level[band] for spectrum in spectra]
        slices = [piece[band] for spectrum in spectra for piece in spectrum.slices]
        assert normal.level_mean[band] == pytest.approx(np.mean(levels))
        assert normal.level_std[band] == pytest.approx(np.std(levels))
        assert normal.slice_std[band] == pytest.approx(np.std(slices))


def test_a_recipe_without_a_spectrum_explains_nothing() -> None:
    graph = parse(
        RECIPE.replace("kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 16, fmin: 50", "kind: rms"),
        Recipe,
        where="level",
    )
    assert spectral_branch(graph) is None
    assert Explainer(graph, {}, "level").explain({"bands": np.zeros((4, 1))}).bands == []


def test_untrusted_arrays_are_checked() -> None:
    with pytest.raises(InputError, match="array 'level_mean': expected an array"):
        Explainer(recipe(), {"level_std": np.ones(16)}, "explained")


def test_a_bundle_without_a_spectrum_explains_nothing(tmp_path: Path) -> None:
    pipeline = Pipeline(write_handmade(tmp_path / "a.easd"))
    assert [pipeline.explain().bands for _ in pipeline.process(hum(3, 0, wrong=True))] == [[], [], []]
