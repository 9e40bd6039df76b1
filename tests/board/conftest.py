"""Bundles that were exported on this machine, of real recordings where there are any, else of simulated ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.exporter import export

FAN = "mimii/fan/id_00"
MUSICNN = """
name: musicnn-int8
sample_rate: 16000
horizon: {seconds: 10}
folds: 2
branches:
  net:
    front_end: {kind: preset, name: musicnn}
    patch: {segment_hop: 80000}
    model: {kind: net, name: musicnn, quantize: int8}
    pooling: [mean]
parts:
  net: {branches: [net], detector: {kind: mahalanobis}}
"""


class Trial(NamedTuple):
    """A bundle and recordings to score with it."""

    bundle: Path
    recordings: Path


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trial]:
    """Make a trial by its name: `default`, `default-int8`, `default-dynamic` or `musicnn-int8`."""
    made: dict[str, Trial] = {}
    folder = tmp_path_factory.mktemp("trials")

    def make(name: str) -> Trial:
        if name not in made:
            made[name] = _export(name, folder)
        return made[name]

    return make


def _export(name: str, folder: Path) -> Trial:
    data = os.environ.get("EDGE_ASD_TEST_DATA")
    if not data or not Path(data, FAN).is_dir():
        pytest.skip(f"EDGE_ASD_TEST_DATA names no folder with {FAN}")
    output = folder / f"{name}.easd"
    weights = {}
    if name.startswith("musicnn"):
        file = Path(os.environ.get("EDGE_ASD_TEST_WEIGHTS", ""), "musicnn_MTT_musicnn.h5")
        if not file.is_file():
            pytest.skip(f"EDGE_ASD_TEST_WEIGHTS names no folder with {file.name}")
        weights[""] = file
        (folder / "musicnn.yaml").write_text(MUSICNN)
        recipe = load_recipe(str(folder / "musicnn.yaml"))
    else:
        recipe = load_recipe("default")
        quantization = name.partition("-")[2]
        if quantization in {"int8", "dynamic"}:
            recipe = recipe.quantized("int8" if quantization == "int8" else "dynamic")
    export([Path(data, FAN)], recipe, output, weights=weights, seed=1)
    # Two are enough: under emulation a net of half a GMAC takes half a minute for each.
    few = folder / f"{name}-recordings"
    few.mkdir()
    for path in sorted(Path(data, FAN, "abnormal").glob("*.wav"))[:2]:
        shutil.copy(path, few)
    return Trial(output, few)
