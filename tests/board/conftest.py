"""Bundles that were exported on this machine, of real recordings where there are any, else of simulated ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import soundfile

from edge_asd.configuration import parse
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.exporter import export
from tests.edge_asd_export.nets.official import random_openl3, write_keras_h5

FAN = "mimii/fan/id_00"
_NET = """
name: {name}
sample_rate: {rate}
horizon: {{seconds: {seconds}, hop_seconds: 10}}
folds: 2
branches:
  net:
    front_end: {{kind: preset, name: {front_end}}}
    patch: {{segment_hop: {hop}}}
    model: {{kind: net, name: {net}, quantize: {quantization}}}
    pooling: [mean]
    transform: {{pca: 4}}
parts:
  net: {{branches: [net], detector: {{kind: mahalanobis}}}}
"""
# As few patches as can be: under emulation a net of half a GMAC takes half a minute for each, OpenL3 minutes.
_NETS = {
    "musicnn": {"rate": 16000, "seconds": 10, "front_end": "musicnn", "hop": 80000},
    "openl3-mel128": {"rate": 48000, "seconds": 1, "front_end": "openl3-v0.4-mel128", "hop": 48000},
}


class Trial(NamedTuple):
    """A bundle and recordings to score with it."""

    bundle: Path
    recordings: Path


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trial]:
    """Make a trial by its name: `default`, or `default`, `musicnn` or `openl3-mel128` and how the net is stored."""
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
    net, _, quantization = name.rpartition("-")
    output = folder / f"{name}.easd"
    if net in _NETS:
        text = _NET.format(name=name, net=net, quantization=quantization, **_NETS[net])
        recipe, weights = parse(text, Recipe, where=name), {"": _weights(net, folder)}
    else:
        recipe, weights = load_recipe("default"), {}
        if quantization in {"int8", "dynamic"}:
            recipe = recipe.quantized("int8" if quantization == "int8" else "dynamic")
    export([Path(data, FAN)], recipe, output, weights=weights, seed=1)
    few = folder / f"{name}-recordings"
    few.mkdir()
    for path in sorted(Path(data, FAN, "abnormal").glob("*.wav"))[:2]:
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(few / path.name, samples[: round(rate * recipe.horizon.seconds)], rate)
    return Trial(output, few)


def _weights(net: str, folder: Path) -> Path:
    """Return MusiCNN's published weights, or random ones for OpenL3."""
    if net == "openl3-mel128":
        return write_keras_h5(folder / "openl3.h5", random_openl3())
    file = Path(os.environ.get("EDGE_ASD_TEST_WEIGHTS", ""), "musicnn_MTT_musicnn.h5")
    if not file.is_file():
        pytest.skip(f"EDGE_ASD_TEST_WEIGHTS names no folder with {file.name}")
    return file
