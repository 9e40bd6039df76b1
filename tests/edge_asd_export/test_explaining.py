from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from edge_asd.bundle import arrays_under
from edge_asd.cli import main
from edge_asd.configuration import parse
from edge_asd.pipeline import Rows
from edge_asd.recipe.graph import Recipe
from edge_asd.scoring import Scorer
from edge_asd_export.explaining import draw_deviation, explanation_arrays
from edge_asd_export.exporter import export
from edge_asd_export.material import gather
from tests.edge_asd.test_explanation import RECIPE, recipe, tone
from tests.handmade import RATE, hum


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "normal"
    folder.mkdir()
    for index in range(12):
        soundfile.write(folder / f"{index}.wav", hum(4, index), RATE)
    return folder


def test_an_exported_bundle_explains_an_anomaly(recordings: Path, tmp_path: Path) -> None:
    graph = parse(RECIPE, Recipe, where="explained")
    bundle = export([recordings], graph, tmp_path / "a.easd").bundle
    soundfile.write(tmp_path / "odd.wav", hum(4, 50) + tone(1500, 4), RATE)
    soundfile.write(tmp_path / "good.wav", hum(4, 51), RATE)
    odd, good = (Scorer(bundle).score(tmp_path / f"{name}.wav") for name in ("odd", "good"))
    assert odd.verdict == "anomaly"
    assert odd.bands[0].low_hz * 0.85 < 1500 < odd.bands[0].high_hz * 1.15
    assert odd.severity > good.severity
    assert good.bands == [] or good.verdict == "anomaly"


def test_score_tells_bands_in_json(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export([recordings], parse(RECIPE, Recipe, where="explained"), tmp_path / "a.easd")
    soundfile.write(tmp_path / "odd.wav", hum(4, 50) + tone(1500, 4), RATE)
    assert main(["score", str(tmp_path / "a.easd"), str(tmp_path / "odd.wav"), "--format", "json"]) == 0
    assert '"level_z"' in capsys.readouterr().out


def test_picture_shows_level_and_variation(recordings: Path) -> None:
    stretches = gather(sorted(recordings.iterdir()), recipe()).stretches
    arrays = arrays_under(explanation_arrays(recipe(), stretches), "explanation")
    _, rows = next(Rows(recipe(), {}, where="").process(hum(2, 9) + tone(1500, 2)))
    axes = Figure().add_subplot()
    draw_deviation(axes, recipe(), arrays, rows)
    stairs = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert np.max(stairs[0].get_data()[0]) > 5
    assert axes.get_legend_handles_labels()[1] == ["normal", "level", "variation"]
