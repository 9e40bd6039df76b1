"""Result files: a name for each machine, and none of what is no longer evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.evaluation.datasets import UnitName
from edge_asd_export.evaluation.files import file_names, write_all
from edge_asd_export.evaluation.jobs import ClipScore, UnitResult
from edge_asd_export.evaluation.protocols import PROTOCOLS
from edge_asd_export.evaluation.running import Outcome, Request
from edge_asd_export.evaluation.summary import summarize

SCORES = [ClipScore("a.wav", "normal", None, 0.1, 0.1), ClipScore("b.wav", "anomalous", None, 0.9, 0.9)]
DEFAULT, OTHER = load_recipe("default"), load_recipe("gwrp-gmm")


def written(output: Path, recipe: Recipe, units: list[str]) -> set[str]:
    """Write the files of a run over these units; return all CSV files and plots that are there then."""
    protocol = PROTOCOLS["folders"]
    results = [UnitResult(UnitName(unit, None, ""), recipe.name, 0, 4, SCORES) for unit in units]
    request = Request(Path("hall"), [recipe], protocol, 1, None, {}, None, output, 1, None)
    files = write_all(Outcome(request, results, [], [], 0), summarize(results, protocol), "table")
    assert len(files) == len(set(files))
    assert all(path.is_file() for path in files)
    return {path.relative_to(output).as_posix() for path in output.rglob("*") if path.suffix in {".csv", ".png"}}


def test_no_two_machines_share_a_file(tmp_path: Path) -> None:
    machines = ["hall/press", "hall_press", "hall_press-2", "a/b_c", "a_b/c", "fan"]
    assert file_names(machines) == file_names(reversed(machines))
    assert file_names(machines) == {
        "fan": "fan",
        "hall_press": "hall_press",
        "hall_press-2": "hall_press-2",
        "hall/press": "hall_press-3",
        "a/b_c": "a_b_c",
        "a_b/c": "a_b_c-2",
    }
    assert len(written(tmp_path, DEFAULT, ["hall/press", "hall_press"])) == 2 * 3 + 1


def test_files_of_what_is_no_longer_evaluated_go_and_no_others(tmp_path: Path) -> None:
    own = tmp_path / "default/seed-0/anomaly_score_mine.csv"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    before = written(tmp_path, DEFAULT, ["press", "lathe"])
    after = written(tmp_path, DEFAULT, ["press"])
    assert before - after == {
        "boxes_lathe.png",
        "default/seed-0/anomaly_score_lathe.csv",
        "default/seed-0/decision_result_lathe.csv",
    }
    assert own.read_text() == "mine"
    # Another recipe's stay, and are still known for its own when it is evaluated again.
    assert after - written(tmp_path, OTHER, ["press"]) == set()
    assert "default/seed-0/result.csv" in written(tmp_path, DEFAULT, ["lathe"])
    assert not (tmp_path / "default/seed-0/anomaly_score_press.csv").exists()
    assert (tmp_path / "gwrp-gmm/seed-0/anomaly_score_press.csv").exists()


@pytest.mark.parametrize("name", ["../outside.csv", "/outside.csv", "default/seed-0/../../table.md", "units/a.json"])
def test_a_list_that_names_other_files_removes_none(name: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    path = output / name if not name.startswith("/") else tmp_path / name[1:]
    for folder in (output / "default/seed-0", output / "units"):
        folder.mkdir(parents=True)
    path.write_text("kept")
    (output / "results.json").write_text(json.dumps({"files": [str(path) if name.startswith("/") else name]}))
    written(output, DEFAULT, ["press"])
    assert path.is_file()
