"""Published systems from sound to table: exported and evaluated on simulated data sets, with tiny settings.

Nets get random weights of the official shape, which the table says. All results go into one folder, so that a net is
converted once for all the recipes that have it. One recipe runs for each way of making rows and each detector; with
`EDGE_ASD_TEST_EVERY_RECIPE=1` all that ship do.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edge_asd.cli import main
from edge_asd.recipe.shipped import load_recipe, recipe_names
from edge_asd_export.exporter import export
from tests.edge_asd_export.evaluation.simulated import write_clip, write_dcase2020, write_dcase2021, write_mimii

TINY = ["horizon.seconds=1.2", "folds=2"]
OF_FAMILY = {
    "default": ["model.steps=5"],
    "mlperf-tiny": ["model.epochs=2"],
    "mueller2021": ["detector.components=1"],
    "mueller2020": [],
    "iaeo3": [
        "detector.components=1",
        "model.epochs=1",
        "branches.openl3.patch.segment_hop=48000",
        "branches.openl3.transform.pca=2",
        *(f"parts.machine-{index}.enabled=false" for index in (3, 4, 5)),
    ],
    "clvae": [
        "branches.clip.front_end.segment_length=32000",
        "detector.hidden=[32]",
        "detector.latent=8",
        "detector.epochs=2",
    ],
}
DETECTORS = {"gmm80": ["detector.components=1"], "bgmm80": ["detector.components=1"], "if128": ["detector.trees=8"]}
COVERING = [
    "default",
    "gwrp-gmm",
    "mueller2021/ae",
    "mueller2021/vggish-gmm20",
    "mueller2021/musicnn-gmm20",
    *(f"mueller2020/squeezenet-{name}" for name in ("gmm80", "bgmm80", "if128", "ocsvm", "kde")),
    "mueller2020/small-dcae",
    "iaeo3/general",
    "clvae/system2",
]
NAMES = recipe_names() if os.environ.get("EDGE_ASD_TEST_EVERY_RECIPE") else COVERING
# Largest difference of bundle and float reference, as a share of the scores' range: nets in half precision, else none.
TOLERANCES = {"float16": 0.05, "float32": 1e-4}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sets")
    return {
        "mimii-random": write_mimii(root / "mimii", ids=(0,), normal=9, anomalous=3, channels=8, rate=16000),
        "dcase2020": write_dcase2020(root / "2020", ids=(0,), train=6, test=3, rate=16000),
        "dcase2021": write_dcase2021(root / "2021", sections=(0,), train=5, test=2, rate=16000),
    }


def settings_of(name: str) -> list[str]:
    family, _, member = name.partition("/")
    found = [*TINY, *OF_FAMILY.get(family, [])]
    if family == "mueller2020":
        found += ["model.epochs=1"] if member.endswith("dcae") else DETECTORS.get(member.split("-")[1], [])
    if member in {"ae"}:
        found = [*TINY, "model.epochs=2"]
    if member == "opt-valve":
        found = [setting for setting in found if "openl3" not in setting and "detector" not in setting]
    recipe = load_recipe(name)
    found += [f"branches.{branch}.model.weights=random" for branch in recipe.pretrained_branches]
    found += [f"branches.{branch}.model.quantize=float32" for branch in recipe.pretrained_branches]
    return found


@pytest.mark.parametrize(("index", "name"), list(enumerate(NAMES)), ids=NAMES)
def test_a_published_system_is_exported_evaluated_and_agrees_with_its_reference(
    index: int,
    name: str,
    sets: dict[str, Path],
    output: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    protocol = list(sets)[index % len(sets)]
    words = ["evaluate", str(sets[protocol]), "--recipe", name, "--protocol", protocol, "-o", str(output), "--quiet"]
    settings = settings_of(name)
    assert main([*words, *(word for setting in settings for word in ("--set", setting))]) == 0, capsys.readouterr().err
    (result,) = results(output)
    stored = [cost["quantization"] for cost in result["costs"]] or ["float32"]
    assert result["deviation"] < max(TOLERANCES[form] for form in stored)
    scores = [clip["score"] for clip in result["scores"]]
    assert len(set(scores)) > 1
    assert all(0 <= value <= 1 for value in result["figures"].values())
    said = capsys.readouterr().out
    assert ("RANDOM WEIGHTS" in said) == any("=random" in setting for setting in settings)


def test_a_system_of_clips_is_exported_with_its_own_components_and_storage(tmp_path: Path) -> None:
    # Half of a hundred clips, on which forms of a net are compared, carry 49 principal components; IAEO3 has 50. Here a
    # small net stands in for OpenL3.
    for number in range(104):
        write_clip(tmp_path / f"normal/{number:03d}.wav", 0, wrong=False, rate=16000)
    small = [
        "sample_rate=16000",
        "horizon.seconds=1.2",
        "branches.openl3.front_end={kind: preset, name: image-transfer}",
        "branches.openl3.patch.segment_hop=16000",
        "branches.openl3.model={kind: net, name: squeezenet-1.1, weights: random}",
        "branches.errors-1.front_end={kind: preset, name: iaeo3}",
        "branches.errors-1.model.epochs=1",
        *(f"parts.machine-{index}.enabled=false" for index in (2, 3, 4, 5)),
    ]
    made = export([tmp_path / "normal"], load_recipe("iaeo3/general", small), tmp_path / "b.easd").bundle
    recipe, networks = made.recipe, made.manifest.networks
    assert (recipe.branches["openl3"].transform.pca, recipe.folds) == (50, 2)
    assert len(made.arrays["branches/openl3/transform/components"]) == 50
    assert {name: record.quantization for name, record in networks.items()} == {
        "openl3": "float16",
        "errors-1": "float16",
    }
    for record in networks.values():
        assert record.fidelity is not None
        assert record.fidelity.clips == 100
        assert record.fidelity.spearman > 0.9


def results(output: Path) -> list[Any]:
    found: list[Any] = json.loads((output / "results.json").read_text())["results"]
    return found
