from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from edge_asd.cli import main
from edge_asd.configuration import parse
from edge_asd.recipe.graph import Recipe
from edge_asd.scoring import Scorer
from edge_asd_export.exporter import export
from tests.edge_asd.test_explanation import RECIPE, tone
from tests.handmade import RATE, hum, scored


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
    odd, good = (scored(Scorer(bundle), tmp_path / f"{name}.wav") for name in ("odd", "good"))
    assert odd.verdict == "anomaly"
    assert odd.bands[0].low_hz * 0.85 < 1500 < odd.bands[0].high_hz * 1.15
    assert odd.severity > good.severity
    assert good.bands == [] or good.verdict == "anomaly"


def test_score_tells_bands_in_json(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export([recordings], parse(RECIPE, Recipe, where="explained"), tmp_path / "a.easd")
    soundfile.write(tmp_path / "odd.wav", hum(4, 50) + tone(1500, 4), RATE)
    assert main(["score", str(tmp_path / "a.easd"), str(tmp_path / "odd.wav"), "--format", "json"]) == 0
    assert '"level_z"' in capsys.readouterr().out
