"""`edge-asd evaluate` from end to end: layouts, result files, resuming after kill -9, a cluster, broken data sets."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy import stats
from sklearn.metrics import roc_auc_score

from edge_asd.cli import main
from edge_asd.recipe.shipped import load_recipe
from edge_asd_export.exporter import export
from edge_asd_export.labels import Labelled
from tests.edge_asd_export.evaluation.simulated import (
    RATE,
    write_clip,
    write_dcase2020,
    write_dcase2021,
    write_mimii,
)

RECIPE = """
name: quick/bands
sample_rate: 8000
horizon: {seconds: 2, hop_seconds: 1}
branches:
  bands:
    front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 16, fmin: 50}
    pooling: [mean]
parts:
  bands: {branches: [bands], detector: {kind: mahalanobis, least_scale: 0.5}}
join: none
folds: 2
"""
OTHER = RECIPE.replace("quick/bands", "quick/one").replace("mahalanobis, least_scale: 0.5", "knn")
SECTIONS = RECIPE.replace("mahalanobis, least_scale: 0.5", "vae, hidden: [8], latent: 2, epochs: 3, conditional: true")
SECTIONS = SECTIONS.replace("join: none", "join: none\none_model_for: machine")


@pytest.fixture(scope="module")
def mimii(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mimii(tmp_path_factory.mktemp("mimii"), channels=8)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("recipes")
    for name, text in (("bands", RECIPE), ("one", OTHER)):
        (folder / f"{name}.yaml").write_text(text)
    return [str(folder / "bands.yaml"), str(folder / "one.yaml")]


def words(data: Path, protocol: str, recipe: str, output: Path, *more: str) -> list[str]:
    return ["evaluate", str(data), "--recipe", recipe, "--protocol", protocol, "-o", str(output), "--quiet", *more]


def everything(output: Path) -> Any:
    return json.loads((output / "results.json").read_text())


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_mimii_of_eight_channels_gets_a_model_for_each_id_and_seed(
    mimii: Path, recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(mimii, "mimii-random", recipes[0], tmp_path, "--recipe", recipes[1], "--seeds", "2")) == 0
    said = capsys.readouterr().out
    assert said.startswith((tmp_path / "table.md").read_text())
    assert "| pump 6 dB id_00 " in said
    assert "| *all: mean of 2* " in said
    found = everything(tmp_path)
    assert len(found["results"]) == 2 * 2 * 2
    for result in found["results"]:
        truth = [clip["label"] == "anomalous" for clip in result["scores"]]
        assert (len(truth), sum(truth), result["trained_on"]) == (8, 4, 8)
        assert result["figures"]["AUC"] == roc_auc_score(truth, [clip["score"] for clip in result["scores"]])
        assert result["deviation"] < 1e-6
    by_seed = [{clip["path"] for clip in result["scores"]} for result in found["results"][:2]]
    assert by_seed[0] != by_seed[1]
    assert [entry["recipe"] for entry in found["ranking"]] == sorted(
        ("quick/bands", "quick/one"), key=lambda name: -mean_auc(found, name)
    )
    assert (tmp_path / "boxes_pump.png").read_bytes().startswith(b"\x89PNG")


def mean_auc(found: Any, recipe: str) -> float:
    return float(np.mean([each["figures"]["AUC"] for each in found["results"] if each["recipe"] == recipe]))


def test_the_files_of_2020(recipes: list[str], tmp_path: Path) -> None:
    data = write_dcase2020(tmp_path / "data")
    assert main(words(data, "dcase2020", recipes[0], tmp_path / "out")) == 0
    folder = tmp_path / "out/quick/bands/seed-0"
    scores = rows_of(folder / "anomaly_score_pump_id_02.csv")
    assert [row[0] for row in scores[:5]] == [
        *(f"anomaly_id_02_{n:08d}.wav" for n in range(4)),
        "normal_id_02_00000000.wav",
    ]
    auc = roc_auc_score([row[0].startswith("anomaly") for row in scores], [float(row[1]) for row in scores])
    result = rows_of(folder / "result.csv")
    assert result[:2] == [["pump"], ["id", "AUC", "pAUC"]]
    assert [row[0] for row in result[2:5]] == ["00", "02", "Average"]
    assert float(result[3][1]) == auc
    assert float(result[4][2]) == pytest.approx((float(result[2][2]) + float(result[3][2])) / 2)


def test_the_files_of_2021(recipes: list[str], tmp_path: Path) -> None:
    data = write_dcase2021(tmp_path / "data")
    assert main(words(data, "dcase2021", recipes[0], tmp_path / "out")) == 0
    folder = tmp_path / "out/quick/bands/seed-0"
    assert {path.name for path in folder.iterdir()} == {
        f"{kind}_pump_section_{section}{domain}_test.csv"
        for kind in ("anomaly_score", "decision_result")
        for section in ("00", "01")
        for domain in ("", "_source", "_target")
    }
    scores, verdicts = (
        rows_of(folder / f"{kind}_pump_section_01_test.csv") for kind in ("anomaly_score", "decision_result")
    )
    found = everything(tmp_path / "out")
    threshold = found["results"][1]["field_threshold"]
    assert len(scores) == 12
    # The evaluator of 2021 reads the domains one by one.
    for domain in ("source", "target"):
        of_domain = rows_of(folder / f"anomaly_score_pump_section_01_{domain}_test.csv")
        assert of_domain == [row for row in scores if row[0].startswith(f"section_01_{domain}")]
        assert len(of_domain) == 6
    assert verdicts == [[name, str(int(float(score) >= threshold))] for name, score in scores]
    row = found["tables"][0]["rows"][-1]
    for figure in ("AUC source", "pAUC target"):
        parts = [result["figures"][figure] for result in found["results"]]
        assert row["cells"][figure]["mean"] == pytest.approx(stats.hmean(parts))


def test_one_model_serves_all_sections_of_a_machine_where_a_recipe_asks_for_it(tmp_path: Path) -> None:
    data = write_dcase2021(tmp_path / "data")
    (tmp_path / "vae.yaml").write_text(SECTIONS)
    assert main(words(data, "dcase2021", str(tmp_path / "vae.yaml"), tmp_path / "out", "--seeds", "1")) == 0
    assert len(list((tmp_path / "out/units").iterdir())) == 1
    first, second = everything(tmp_path / "out")["results"]
    assert first["bundle_sha256"] == second["bundle_sha256"]
    assert first["trained_on"] == second["trained_on"] == 16
    assert [result["unit"]["name"] for result in (first, second)] == ["section_00", "section_01"]
    assert first["field_threshold"] != second["field_threshold"]
    assert max(result["deviation"] for result in (first, second)) < 1e-4
    assert main(words(data, "dcase2021", str(tmp_path / "vae.yaml"), tmp_path / "out", "--seeds", "1")) == 0
    assert everything(tmp_path / "out")["results"] == [first, second]
    # The section that a recipe for a device names is no matter: each recording says its own.
    again = words(
        data, "dcase2021", str(tmp_path / "vae.yaml"), tmp_path / "told", "--set", "detector.section=section_00"
    )
    assert main(again) == 0
    assert everything(tmp_path / "told")["results"][0]["bundle_sha256"] == first["bundle_sha256"]


def test_a_section_with_one_training_recording_costs_no_figures(tmp_path: Path) -> None:
    data = write_dcase2021(tmp_path / "data")
    for path in sorted((data / "pump/train").glob("section_01*"))[1:]:
        path.unlink()
    (tmp_path / "vae.yaml").write_text(SECTIONS)
    assert main(words(data, "dcase2021", str(tmp_path / "vae.yaml"), tmp_path / "out")) == 0
    first, second = everything(tmp_path / "out")["results"]
    assert first["trained_on"] == 9
    assert first["field_threshold"] != second["field_threshold"]
    assert set(second["figures"]) == set(first["figures"])


def clip_hard(path: Path) -> None:
    """Make a recording one of a microphone that is overdriven from end to end."""
    samples, rate = soundfile.read(path)
    soundfile.write(path, np.where(samples < 0, -1.0, 1.0), rate, subtype="PCM_16")


def test_a_section_without_a_live_training_recording_costs_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dcase2021(tmp_path / "data")
    for path in (data / "pump/train").glob("section_01*"):
        clip_hard(path)
    (tmp_path / "vae.yaml").write_text(SECTIONS)
    assert main(words(data, "dcase2021", str(tmp_path / "vae.yaml"), tmp_path / "out")) == 1
    said = capsys.readouterr().out
    for path in (data / "pump/train").glob("section_01*"):
        assert f"- pump/train/{path.name}: no 2 s of a live signal to train on" in said
    first, second = everything(tmp_path / "out")["results"]
    assert first["trained_on"] == second["trained_on"] == 8
    assert second["field_threshold"] > 0
    assert set(second["figures"]) == set(first["figures"])


def test_a_machine_of_2022_has_one_auc_for_each_domain(recipes: list[str], tmp_path: Path) -> None:
    data = write_dcase2021(tmp_path / "data", sections=(0,))
    assert main(words(data, "dcase2022+", recipes[0], tmp_path / "out")) == 0
    (result,) = everything(tmp_path / "out")["results"]
    scores = {Path(clip["path"]).name: clip["score"] for clip in result["scores"]}
    chosen = {name: score for name, score in scores.items() if "target_test_normal" in name or "anomaly" in name}
    expected = roc_auc_score(["anomaly" in name for name in chosen], list(chosen.values()))
    assert len(chosen) == 9
    assert result["figures"]["AUC target"] == expected
    (row,) = everything(tmp_path / "out")["tables"][0]["rows"]
    assert row["cells"]["h-mean"]["mean"] == pytest.approx(stats.hmean(list(result["figures"].values())))


def test_unlabelled_test_recordings_get_scores_but_no_figures(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dcase2021(tmp_path / "data", sections=(0,))
    for folder in ("source_test", "target_test"):
        shutil.rmtree(data / "pump" / folder)
    for number in range(3):
        write_clip(data / f"pump/test/section_00_{number:04d}.wav", 0, wrong=number == 2)
    assert main(words(data, "dcase2022+", recipes[0], tmp_path / "out")) == 0
    assert "- scores alone are written, for labels are held back: pump section_00\n" in capsys.readouterr().out
    assert everything(tmp_path / "out")["tables"] == []
    scores = rows_of(tmp_path / "out/quick/bands/seed-0/anomaly_score_pump_section_00_test.csv")
    assert [name for name, _ in scores] == [f"section_00_{number:04d}.wav" for number in range(3)]


@pytest.mark.parametrize("form", ["auto", "float32", "float16", "dynamic", "int8"])
def test_nets_are_stored_in_every_form_that_an_export_knows(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(tmp_path / "nothing", "folders", "default", tmp_path, "--quantize", form)) == 2
    assert "no such file or folder" in capsys.readouterr().err


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "edge_asd", *arguments]


def test_a_run_killed_outright_goes_on_where_it_was(mimii: Path, recipes: list[str], tmp_path: Path) -> None:
    arguments = words(mimii, "mimii-random", recipes[0], tmp_path / "killed", "--seeds", "8")
    units = tmp_path / "killed" / "units"
    process = subprocess.Popen(command(arguments), stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while len(list(units.glob("*.json"))) < 3:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = {path: path.stat().st_mtime_ns for path in units.glob("*.json")}
    assert 3 <= len(done) < 16
    again = subprocess.run(command(arguments), check=True, capture_output=True, text=True)
    assert f"{len(done)} of 16 results from before" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert main(words(mimii, "mimii-random", recipes[0], tmp_path / "whole", "--seeds", "8")) == 0
    assert (tmp_path / "killed/table.md").read_bytes() == (tmp_path / "whole/table.md").read_bytes()


def test_a_result_does_not_outlive_a_change(mimii: Path, recipes: list[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(mimii, data)
    units = tmp_path / "out" / "units"
    arguments = words(data, "mimii-official", recipes[0], tmp_path / "out")
    assert main(arguments) == 0
    assert len(list(units.iterdir())) == 2
    assert main([*arguments, "--set", "parts.bands.detector.least_scale=0.4"]) == 0
    assert len(list(units.iterdir())) == 4
    write_clip(data / "6_dB_pump/pump/id_02/abnormal/00000000.wav", 5, wrong=True)
    assert main(arguments) == 0
    assert len(list(units.iterdir())) == 5


def test_two_workers_of_a_cluster_give_the_table_of_one_process(
    mimii: Path, recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    ) as cluster:
        address = cluster.scheduler_address
        arguments = words(mimii, "mimii-random", recipes[0], tmp_path / "cluster", "--seeds", "3", "--dask", address)
        assert main(arguments) == 0
    assert main(words(mimii, "mimii-random", recipes[0], tmp_path / "one", "--seeds", "3")) == 0
    assert (tmp_path / "cluster/table.md").read_bytes() == (tmp_path / "one/table.md").read_bytes()
    one, other = everything(tmp_path / "one"), everything(tmp_path / "cluster")
    assert [result["scores"] for result in one["results"]] == [result["scores"] for result in other["results"]]


def test_a_cluster_that_is_not_there_is_one_line(
    mimii: Path, recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    assert main(words(mimii, "mimii-random", recipes[0], tmp_path, "--dask", "nowhere")) == 2
    assert "--dask: expected the address of a Dask scheduler, found nowhere" in capsys.readouterr().err


def test_what_is_broken_is_left_out_and_named(
    mimii: Path, recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(mimii, data)
    machine = data / "6_dB_pump/pump"
    (machine / "id_00/normal/00000003.wav").write_bytes(b"RIFF no recording")
    (machine / "id_00/normal/00000004.wav").write_bytes((machine / "id_00/normal/00000005.wav").read_bytes())
    write_clip(machine / "id_00/abnormal/00000002.wav", 0, wrong=True, rate=2 * RATE)
    soundfile.write(machine / "id_00/abnormal/00000003.wav", np.sin(np.arange(RATE)), RATE)
    write_clip(machine / "id_04/normal/00000000.wav", 4, wrong=False)
    shutil.rmtree(machine / "id_02/abnormal")
    clip_hard(machine / "id_00/abnormal/00000001.wav")
    assert main(words(data, "mimii-random", recipes[0], tmp_path / "out")) == 1
    said, complaint = capsys.readouterr()
    place = "6_dB_pump/pump/id_00"
    for line in (
        f"- {place}/normal/00000003.wav: expected a recording (WAV, FLAC, Ogg …), found something else",
        f"- {place}/normal/00000005.wav: the sound of {place}/normal/00000004.wav again",
        f"- {place}/abnormal/00000002.wav: 16000 Hz among recordings of 8000 Hz, which would give it away",
        f"- {place}/abnormal/00000003.wav: 1 s, shorter than the horizon of 2 s (--set horizon.seconds)",
        f"- {place}/abnormal/00000001.wav: expected 2 s of a live signal, found one that is clipped\n",
        "- pump 6 dB id_02: no anomalous recording to test with",
        "- pump 6 dB id_04: no anomalous recording to test with",
    ):
        assert line in said
    assert "left out of all figures: 7, each named in the table" in complaint
    (result,) = everything(tmp_path / "out")["results"]
    assert (result["trained_on"], len(result["scores"])) == (8, 3)


def test_what_has_no_place_in_a_published_split_is_named(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_dcase2020(tmp_path / "data", ids=(0,))
    write_clip(data / "pump/normal_id_00_00000099.wav", 0, wrong=False)
    write_clip(data / "pump/train/anomaly_id_00_00000099.wav", 0, wrong=True)
    assert main(words(data, "dcase2020", recipes[0], tmp_path / "out", "--seeds", "2")) == 1
    said = capsys.readouterr().out
    assert said.count("- pump/normal_id_00_00000099.wav: neither its name nor a folder says whether it trains") == 1
    assert said.count("- pump/train/anomaly_id_00_00000099.wav: in the training set, but not normal") == 1


def test_what_no_table_can_hold_is_named_in_the_results(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_mimii(tmp_path / "data", channels=1)
    folder = data / "6_dB_pump/pump/id_00/normal"
    for number in range(45):
        (folder / f"{90000000 + number}.wav").write_bytes(b"RIFF no recording")
    assert main(words(data, "mimii-random", recipes[0], tmp_path / "out")) == 1
    said, complaint = capsys.readouterr()
    assert "and 5 more, all in results.json" in said
    assert f"left out of all figures: 45, each named in {tmp_path / 'out' / 'results.json'}" in complaint
    assert len(everything(tmp_path / "out")["left_out"]) == 45


def test_when_nothing_is_left_nothing_is_claimed(
    mimii: Path, recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, reason in (
        (words(mimii / "6_dB_pump/pump/id_00/normal", "folders", recipes[0], tmp_path), "no anomalous recording"),
        (words(mimii, "dcase2020", recipes[0], tmp_path), "choose another --protocol"),
        (words(tmp_path / "nothing", "folders", recipes[0], tmp_path), "no such file or folder"),
        (words(mimii, "mimii-random", recipes[0], tmp_path, "--set", "folds=2", "--recipe", recipes[0]), "twice"),
    ):
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line


def test_names_that_are_no_text_are_written_out(recipes: list[str], tmp_path: Path) -> None:
    press = tmp_path / "hall/press"
    for number in range(10):
        write_clip(press / f"normal/{number}.wav", 0, wrong=False)
    for number in range(3):
        write_clip(press / f"fault/{number}.wav", 0, wrong=True)
    (press / "fault/9.wav").write_bytes(b"no recording")
    try:
        (press / "normal/0.wav").rename(press / "normal" / os.fsdecode(b"\xff.wav"))
        press.rename(press.with_name(os.fsdecode(b"pr\xe9sse")))
    except OSError:
        pytest.skip("this file system takes only names that are text")
    arguments = words(tmp_path / "hall", "folders", recipes[0], tmp_path / "out")
    assert main(arguments) == 1
    kept = (tmp_path / "out/results.json").read_bytes()
    result = everything(tmp_path / "out")
    assert result["results"][0]["unit"]["machine"] == r"pr\xe9sse"
    assert r"pr\xe9sse/fault/9.wav" in [left_out["what"] for left_out in result["left_out"]]
    # What was there already is found again, and says the same.
    assert main(arguments) == 1
    assert (tmp_path / "out/results.json").read_bytes() == kept


def test_one_s_own_folders_are_compared(mimii: Path, recipes: list[str], tmp_path: Path) -> None:
    for unit, name in enumerate(("press", "lathe")):
        for number in range(10):
            write_clip(tmp_path / f"hall/{name}/normal/{number}.wav", unit, wrong=False)
        for number in range(3):
            write_clip(tmp_path / f"hall/{name}/fault/{number}.wav", unit, wrong=True)
    arguments = words(tmp_path / "hall", "folders", recipes[0], tmp_path / "out", "--recipe", recipes[1])
    assert main(arguments) == 0
    rows = everything(tmp_path / "out")["tables"][0]["rows"]
    assert [row["label"] for row in rows] == ["lathe", "press", "all: mean of 2"]


def test_what_the_split_says_trains_whatever_names_say_to_an_export(recipes: list[str], tmp_path: Path) -> None:
    for number in range(6):
        write_clip(tmp_path / f"hall/press/train/{number}.wav", 0, wrong=False)
        write_clip(tmp_path / f"hall/press/normal/{number}.wav", 0, wrong=False)
    for number in range(3):
        write_clip(tmp_path / f"hall/press/fault/{number}.wav", 0, wrong=True)
    assert main(words(tmp_path / "hall", "folders", recipes[0], tmp_path / "out")) == 0
    (result,) = everything(tmp_path / "out")["results"]
    assert result["trained_on"] == 9
    scored = {clip["path"] for clip in result["scores"]}
    assert len(scored) == 6
    train = [path for path in sorted((tmp_path / "hall/press").rglob("*.wav")) if path.parent.name != "fault"]
    train = [path for path in train if path.relative_to(tmp_path / "hall").as_posix() not in scored]
    made = export(Labelled(train, [], []), load_recipe(recipes[0]), tmp_path / "b.easd")
    assert made.bundle.sha256 == result["bundle_sha256"]
    assert made.bundle.manifest.training.recordings == 9
