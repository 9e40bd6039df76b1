"""Every published system's name resolves, prints and can be overridden."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from edge_asd.cli import main
from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.features import SegmentFrontEnd, StreamFrontEnd, build_front_end
from edge_asd.pipeline import Rows
from edge_asd.recipe.detectors import GmmSettings, ValueSettings
from edge_asd.recipe.front_ends import Preset, PresetName
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.shipped import load_recipe, recipe_names, recipe_notes

NAMES = {
    "default",
    "gwrp-gmm",
    "mlperf-tiny/ad",
    "mueller2021/ae",
    *(f"mueller2021/{net}-gmm20" for net in ("l3env", "l3music", "vggish", "musicnn", "resnet34", "densenet121")),
    *(
        f"mueller2020/{net}-{detector}"
        for net in ("alexnet", "resnet18", "resnet34", "squeezenet")
        for detector in ("gmm80", "bgmm80", "if128", "ocsvm", "kde")
    ),
    *(f"mueller2020/{net}-dcae" for net in ("lenet", "small")),
    *(
        f"iaeo3/{name}"
        for name in ("general", *(f"opt-{m}" for m in ("car", "conveyor", "fan", "pump", "slider", "valve")))
    ),
    *(f"clvae/{name}" for name in ("system1", "system2", "cvae")),
}
PUBLISHED = sorted(NAMES - {"default"})


def test_every_published_system_ships() -> None:
    assert set(recipe_names()) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_recipe_is_called_what_it_is_found_by_and_explains_itself(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert "{" not in recipe.description


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_names_its_source_and_what_that_leaves_open(name: str) -> None:
    notes = recipe_notes(name)
    assert all(line.startswith("#") for line in notes.splitlines())
    assert any(word in notes for word in (" et al.", "&"))
    assert any(words in notes for words in ("leaves open", "Differs", "is ours"))


@pytest.mark.parametrize("name", ["gwrp-gmm", "iaeo3/opt-fan", "mueller2020/resnet18-kde"])
def test_what_is_printed_is_the_recipe_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", name]) == 0
    said = capsys.readouterr().out
    assert said.startswith(recipe_notes(name))
    assert parse(yaml.safe_load(said), Recipe, where=name) == load_recipe(name)


def test_the_list_names_each_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines == {name: load_recipe(name).description for name in recipe_names()}


def detectors(recipe: Recipe) -> list[object]:
    return [part.detector for part in recipe.parts.values()]


def test_a_choice_of_a_family_sets_what_it_names() -> None:
    general, fan, valve = (load_recipe(f"iaeo3/{name}") for name in ("general", "opt-fan", "opt-valve"))
    changed = {"n_fft": 12288, "hop_length": 6144, "n_mels": 256, "fmax": 2000.0}
    for index in range(1, 6):
        before, after = (msgspec.to_builtins(each.branches[f"errors-{index}"]) for each in (general, fan))
        log = {**before["front_end"]["log"], "amin": 144 * 1e-10}
        assert after["front_end"] == {**before["front_end"], **changed, "log": log}
        assert after["model"] == {**before["model"], "hidden": [128, 64, 32, 64, 128]}
        assert after["model"]["seed"] == index - 1
    assert general.branches["openl3"] == fan.branches["openl3"]
    assert "openl3" not in valve.branches
    assert detectors(valve) == [ValueSettings()] * 5


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_front_end_can_be_built(name: str) -> None:
    recipe = load_recipe(name)
    for branch in recipe.used_branches.values():
        assert build_front_end(branch.front_end, recipe.sample_rate).n_features > 0


@pytest.mark.parametrize(
    ("name", "preset", "rate"),
    [
        ("general", "iaeo3", 16000),
        ("opt-conveyor", "iaeo3-conveyor", 16000),
        ("opt-fan", "iaeo3-fan", 4000),
        ("opt-pump", "iaeo3-pump", 16000),
    ],
)
def test_iaeo3_at_48_khz_hears_what_it_would_at_its_own_rate(name: str, preset: PresetName, rate: int) -> None:
    recipe = load_recipe(f"iaeo3/{name}")
    step = recipe.sample_rate // rate
    rng = np.random.default_rng(0)
    times = np.arange(2 * recipe.sample_rate) / recipe.sample_rate
    tones = zip(rng.uniform(20, 0.45 * rate, 200), rng.uniform(0, 2 * np.pi, 200), strict=True)
    samples = sum(0.01 * np.sin(2 * np.pi * hertz * times + phase) for hertz, phase in tones)
    fine = _frames(build_front_end(recipe.branches["errors-1"].front_end, recipe.sample_rate), samples)
    coarse = _frames(build_front_end(Preset(name=preset), rate), samples[::step])
    # Power grows with the square of the samples in a frame; what folds over at the lower rate is far below the tones.
    heard = coarse > coarse.max() - 30
    assert heard.mean() > 0.8
    np.testing.assert_allclose(fine[heard], coarse[heard] + 20 * np.log10(step), atol=0.02)


def _frames(front_end: StreamFrontEnd | SegmentFrontEnd, samples: NDArray[np.float64]) -> NDArray[np.float32]:
    assert isinstance(front_end, StreamFrontEnd)
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), front_end.frame_length)
    return front_end.process(windows[:: front_end.hop_length].copy()).copy()


def test_a_setting_named_without_its_part_goes_for_every_part() -> None:
    found = detectors(load_recipe("iaeo3/general", ["detector.components=8", "model.epochs=2"]))
    assert [detector.components for detector in found if isinstance(detector, GmmSettings)] == [8] * 5


def test_a_setting_named_without_its_branch_goes_for_the_branches_that_have_it() -> None:
    recipe = load_recipe("default", ["model.steps=7"])
    assert msgspec.to_builtins(recipe.branches["surprise"].model)["steps"] == 7
    assert recipe.branches["bands"].model is None


def test_a_file_of_one_s_own_is_overridden_alike(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(msgspec.to_builtins(load_recipe("gwrp-gmm"))))
    assert load_recipe(str(file), ["detector.components=3"]) == load_recipe("gwrp-gmm", ["detector.components=3"])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [(["detector.components=none"], "parts.machine.detector.components"), (["detector.bandwidth=1"], "bandwidth")],
)
def test_an_override_that_does_not_fit_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_recipe("gwrp-gmm", overrides)


def test_a_setting_that_no_branch_has_is_refused_by_one_that_has_the_like() -> None:
    with pytest.raises(InputError, match=r"branches\.surprise\.model\.epochs: .* found unknown key 'epochs'"):
        load_recipe("default", ["model.epochs=2"])


@pytest.mark.parametrize("name", ["/tmp/mine", "../mine", "mine/../../yours", ".mine", "mine//yours"])
def test_a_name_that_leads_out_of_the_folder_of_results_is_refused(name: str) -> None:
    recipe = msgspec.to_builtins(load_recipe("gwrp-gmm"))
    assert parse({**recipe, "name": "mine.v2/own_1"}, Recipe, where="r").name == "mine.v2/own_1"
    with pytest.raises(InputError, match=r"^r: name: expected text that matches .*, found '"):
        parse({**recipe, "name": name}, Recipe, where="r")


def test_an_unknown_name_is_refused() -> None:
    for name, remedy in (
        ("nothing like it", "edge-asd recipes"),
        ("GWRP", "did you mean 'gwrp-gmm'. edge-asd recipes"),
    ):
        with pytest.raises(InputError, match=f"a shipped recipe or a YAML file, found '{name}'; {remedy}"):
            load_recipe(name)


@pytest.mark.parametrize(
    ("name", "branch", "rows", "said"),
    [
        ("mueller2021/vggish-gmm20", "windows", 19, "19 of 10 s"),
        ("mueller2021/musicnn-gmm20", "windows", 19, "19 of 10 s"),
        ("mueller2021/resnet34-gmm20", "windows", 18, "18 of the image nets"),
        ("iaeo3/general", "openl3", 91, "91 of 10 s"),
    ],
)
def test_where_windows_depart_from_the_paper_the_notes_count_them(name: str, branch: str, rows: int, said: str) -> None:
    recipe = load_recipe(name).judging_only(branch).without_models()
    ((_, found),) = Rows(recipe, {}, where=name).process(np.ones(recipe.horizon_samples, np.float32))
    assert len(found[branch]) == rows
    notes = " ".join(recipe_notes(name).replace("#", "").split())
    assert said in notes
    assert "windows are not centred" in notes
