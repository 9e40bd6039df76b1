"""What is planned, and under which key each result is kept: recordings are made up here."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_asd.cli import main
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.evaluation.datasets import Clip, DataSet, UnitName, group
from edge_asd_export.evaluation.inspection import Heard
from edge_asd_export.evaluation.protocols import PROTOCOLS
from edge_asd_export.evaluation.running import Request, make_plan
from edge_asd_export.weights import read_weights
from edge_asd_export.weights.reading import hash_weights
from edge_asd_export.weights.registry import find_source
from edge_asd_export.weights.store import Store

UNIT = UnitName("fan", None, "id_00")
VGGISH, MUSICNN = "mueller2021/vggish-gmm20", "mueller2021/musicnn-gmm20"


@pytest.fixture(autouse=True)
def no_weights_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def clips(unit: UnitName = UNIT) -> list[Clip]:
    train = [Clip(Path(f"{unit.name}/train/{index}.wav"), unit, "normal", "train") for index in range(4)]
    test = [Clip(Path(f"{unit.name}/{label}.wav"), unit, label, "test") for label in ("normal", "anomalous")]
    return [*train, *test]


def keys(
    recipes: list[Recipe], weights: dict[str, Path], given: list[Clip] | None = None, root: Path = Path()
) -> list[str]:
    """Return the keys of all jobs on recordings whose sounds are as different as their names from the id on."""
    data = DataSet(Path(), group(given or clips()), [], [])
    request = Request(root, recipes, PROTOCOLS["dcase2020"], 1, None, weights, None, Path("out"), 1, None)
    paths = [clip.path for members in data.units.values() for clip in members]
    heard = {path: Heard(str(path).partition("id_")[2], 16000, 10.0) for path in paths}
    return [job.key for job in make_plan(request, data, {0: heard}).jobs]


def test_a_result_does_not_outlive_weights_that_are_given_or_found(tmp_path: Path) -> None:
    recipe, given = load_recipe(VGGISH), tmp_path / "own.h5"
    stored = Store().folder / find_source("vggish").file
    stored.parent.mkdir(parents=True)
    found = [keys([recipe], {})]
    for file, weights in ((stored, {}), (given, {"vggish": given})):
        for content in (b"one", b"two"):
            file.write_bytes(content)
            found.append(keys([recipe], weights))
            assert keys([recipe], weights) == found[-1]
    # The same weights are the same wherever they lie.
    assert found[2] == found[4]
    assert len({key for each in found for key in each}) == 3


def test_what_is_noted_of_a_data_set_is_in_the_plan() -> None:
    data = DataSet(Path(), group(clips()), [], ["a note"])
    request = Request(Path(), [load_recipe("default")], PROTOCOLS["dcase2020"], 1, None, {}, None, Path("out"), 1, None)
    heard = {clip.path: Heard(str(clip.path), 16000, 10.0) for clip in clips()}
    assert make_plan(request, data, {0: heard}).notes == ["a note"]


def test_a_result_is_found_again_wherever_the_data_set_lies_but_names_recordings_as_they_lie_in_it() -> None:
    recipe = load_recipe("default")

    def key(folder: str, root: str) -> list[str]:
        moved = [clip._replace(path=Path(folder) / clip.path) for clip in clips()]
        return keys([recipe], {}, moved, Path(root))

    assert key("here", "here") == key("there", "there") == key("there/fan", "there/fan")
    assert key("there/fan", "there") != key("there/fan", "there/fan")


def test_a_recipe_without_weights_is_left_to_its_own_job() -> None:
    assert len(keys([load_recipe(VGGISH), load_recipe("default")], {})) == 2


@pytest.mark.parametrize(
    ("recipes", "word", "said"),
    [
        ([VGGISH], "vgish=w.h5", "--weights: expected one of windows, vggish, found 'vgish'"),
        ([VGGISH, MUSICNN], "vgish=w.h5", "--weights: expected one of windows, vggish, musicnn-mtt, found 'vgish'"),
        (["default"], "w.h5", "--weights: expected none for a recipe without a pretrained net, found w.h5"),
    ],
)
def test_weights_that_no_recipe_takes_are_refused_as_by_export(
    recipes: list[str], word: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(tmp_path), "--protocol", "folders", "-o", str(tmp_path / "out"), "--weights", word]
    assert main([*words, *(each for name in recipes for each in ("--recipe", name))]) == 2
    assert said in capsys.readouterr().err


def test_each_recipe_is_given_the_weights_that_it_takes(tmp_path: Path) -> None:
    (tmp_path / "w.h5").write_bytes(b"weights")
    recipes = [load_recipe(VGGISH), load_recipe("default")]
    before, after = keys(recipes, {}), keys(recipes, {"vggish": tmp_path / "w.h5"})
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_checkpoint_is_given_by_the_beginning_of_its_files(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    prefix = tf.train.Checkpoint(kernel=tf.Variable([1.0, 2.0])).write(str(tmp_path / "model"))
    assert not Path(prefix).exists()
    assert hash_weights(Path(prefix)) == read_weights(Path(prefix)).sha256
    assert len(keys([load_recipe(VGGISH)], {"": Path(prefix)})) == 1


def test_a_result_of_one_model_for_a_machine_does_not_outlive_a_move_between_its_sections(tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(load_recipe("default"), one_model_for="machine")
    given = [*clips(), *clips(UNIT._replace(name="id_02"))]
    # What sorts last in one section comes before all of the next: only the section tells the two lists apart.
    given = [*[clip for clip in given if clip.split == "test"], *[clip for clip in given if clip.split == "train"]]
    moved = [*given]
    (last,) = [index for index, clip in enumerate(given) if clip.path == Path("id_00/train/3.wav")]
    moved[last] = given[last]._replace(unit=UNIT._replace(name="id_02"))
    (one,), (other,) = keys([recipe], {}, given), keys([recipe], {}, moved)
    assert one != other
