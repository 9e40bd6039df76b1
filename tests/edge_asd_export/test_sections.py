"""Several machines of one type in one bundle: told apart by the recordings' names, judged as one of them or as any."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.bundle import read_bundle
from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.sections import judged_section, judging, sectioned_detectors
from edge_asd_export.exporter import export
from edge_asd_export.fit import judge
from edge_asd_export.labels import section_of
from edge_asd_export.material import gather
from edge_asd_export.sections import name_sections
from tests.edge_asd_export.small import write
from tests.handmade import hum

RECIPE = """
name: sections
sample_rate: 8000
horizon: {seconds: 1, hop_seconds: 1}
branches:
  bands: {front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}, pooling: [mean]}
parts:
  bands:
    branches: [bands]
    detector: {kind: vae, hidden: [8], latent: 2, output: linear, epochs: 5, centre_score: 0.01, conditional: true}
join: none
folds: 2
"""
FUSION = "parts.bands.detector={kind: fusion, detectors: [{kind: vae, latent: 2}, {kind: knn}]}"
NAMES = [Path(f"pump/train/section_{section:02d}_source_train_normal_0000.wav") for section in (3, 1)]


def recipe(*overrides: str) -> Recipe:
    return parse(RECIPE, Recipe, where="sections", overrides=overrides)


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("fan/train/section_02_source_train_normal_0000_strength_1.wav", "section_02"),
        ("fan/test/section_05_0001.wav", "section_05"),
        ("fan/id_06/train/normal_id_04_00000000.wav", "id_04"),
        ("6_dB_fan/fan/id_02/normal/00000000.wav", "id_02"),
        ("id_00/other/id_06/normal/00000000.wav", "id_06"),
        ("hall/press/monday.wav", ""),
        ("fan/id_2/normal/00000000.wav", ""),
    ],
)
def test_a_section_is_read_from_name_or_folder(path: str, section: str) -> None:
    assert section_of(Path(path)) == section


def test_detectors_that_tell_sections_apart_are_told_which_there_are() -> None:
    for overrides in ((), (FUSION,)):
        named = name_sections(recipe(*overrides), NAMES)
        assert [detector.sections for detector in sectioned_detectors(named)] == [["section_01", "section_03"]]
        assert judged_section(named) is None
        assert judged_section(judging(named, "section_03")) == "section_03"
        assert judging(named, "section_07") == named
    # One name that says nothing, and nothing is told apart.
    assert name_sections(recipe(), [*NAMES, Path("monday.wav")]) == recipe()


@pytest.mark.parametrize(("setting", "value"), [("section", "section_07"), ("sections", "[section_01]")])
def test_a_section_that_no_recording_is_of_is_refused(setting: str, value: str) -> None:
    with pytest.raises(
        InputError, match=rf"detector.{setting}: expected {setting} of the recordings' names: section_01"
    ):
        name_sections(recipe(f"parts.bands.detector.{setting}={value}"), NAMES)


def test_a_bundle_for_one_section_is_calibrated_on_its_own_recordings(tmp_path: Path) -> None:
    for section in (0, 1):
        for number in range(6):
            path = tmp_path / f"train/section_{section:02d}_source_train_normal_{number:04d}.wav"
            write(path, (1 + 9 * section) * hum(1.0, 20 * section + number))
    for_one = recipe("parts.bands.detector.section=section_01")
    exported = export([tmp_path], for_one, tmp_path / "one.easd", seed=3)
    assert {section_of(excerpt.recording) for excerpt in exported.excerpts} == {"section_01"}
    calibration = read_bundle(tmp_path / "one.easd").manifest.calibration
    assert len(calibration.held_out) == len(exported.excerpts) == 6
    assert exported.bundle.manifest.training.horizons == 12
    # Of a bundle for any section the least score counts, but what it gives once it is told the section is known too.
    for_any = export([tmp_path], recipe(), tmp_path / "any.easd", seed=3)
    found = zip(for_any.excerpts, for_any.calibrated.told, for_any.calibrated.record.held_out, strict=True)
    of_own = [(told, least) for excerpt, told, least in found if section_of(excerpt.recording) == "section_01"]
    assert [told for told, _ in of_own] == calibration.held_out == exported.calibrated.told
    assert all(least <= told for told, least in of_own)
    assert any(least < told for told, least in of_own)
    # The same arrays judge any section where none is named, and then the least score counts.
    all_stretches = gather(sorted((tmp_path / "train").iterdir()), for_one).stretches
    rows = [stretch.rows for stretch in all_stretches if stretch.section == "section_01"]
    recipes = exported.bundle.recipe, name_sections(recipe(), [stretch.recording for stretch in all_stretches])
    of_one, of_any = ([s["bands"] for s in judge(each, exported.bundle.arrays, rows)] for each in recipes)
    assert all(any_section <= known for any_section, known in zip(of_any, of_one, strict=True))
    assert of_any != of_one
