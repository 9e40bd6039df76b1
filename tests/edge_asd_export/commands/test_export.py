from __future__ import annotations

from pathlib import Path

import pytest

from edge_asd.bundle import read_bundle
from edge_asd.cli import main
from tests.edge_asd_export.small import RECIPE, write_normal, write_wrong

WITHOUT_NET = ["--set", "parts.transient.enabled=false"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command is called in: recordings and a recipe."""
    write_normal(tmp_path / "rec" / "normal", 8)
    write_wrong(tmp_path / "rec" / "abnormal", 3)
    (tmp_path / "small.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_export_says_what_came_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "rec", "--recipe", "small.yaml", "--quantize", "dynamic", "--seed", "3", "-o", "a.easd"]
    assert main(words) == 0
    said, shown = capsys.readouterr()
    manifest = read_bundle(folder / "a.easd").manifest
    assert manifest.training.seed == 3
    assert manifest.networks["surprise"].quantization == "dynamic"
    assert manifest.quality is not None
    assert f"sha256 {read_bundle(folder / 'a.easd').sha256[:12]}" in said
    assert "trained on  8 recordings, 8 stretches of 1 s\n" in said
    assert "net         surprise: dynamic" in said
    figures = f"AUC {manifest.quality.auc:.3f}, pAUC {manifest.quality.pauc:.3f}"
    assert f"labelled    {figures} (8 normal, 3 anomalous stretches)" in said
    assert "note        the threshold rests on 8 stretches" in said
    assert "reading recordings" in shown


def test_quiet_shows_no_progress_and_what_is_set_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "rec", "--recipe", "small.yaml", "-o", "a.easd", "--quiet", *WITHOUT_NET]) == 0
    assert capsys.readouterr().err == ""
    assert read_bundle(folder / "a.easd").networks == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing"], "missing: expected a recording or a folder of recordings, found no such file or folder"),
        (["rec/abnormal"], "rec/abnormal: expected normal recordings to train on, found 3 recordings"),
        (["rec", "--set", "folds=1"], "folds"),
        (["rec", "--set", "horizon.seconds=5"], "expected at least 5 s of sound"),
        (["rec", "--set", "parts.steady.branches=[nothing]"], "expected one of bands, surprise, found 'nothing'"),
        (["rec", "--recipe", "no-such"], "--recipe: expected a shipped recipe or a YAML file"),
        (["rec", "--weights", "a.h5"], "--weights: expected none for a recipe without a pretrained net, found a.h5"),
        (["rec", "-o", "nowhere/a.easd"], "nowhere/a.easd: expected a place that can be written"),
        (["rec", "--quantize", "int4"], "invalid choice: 'int4'"),
        (["rec", "--seed", "-1"], "seed: expected 0 to 4294967295, found -1"),
        (["rec", "--seed", "one"], "invalid int value: 'one'"),
        ([], "the following arguments are required"),
    ],
)
def test_wrong_words_are_one_line_and_status_2(
    words: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.easd").write_bytes(b"older")
    assert main(["export", "--recipe", "small.yaml", "-o", "a.easd", "--quiet", *WITHOUT_NET, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("edge-asd: ")
    assert said in captured.err
    assert (folder / "a.easd").read_bytes() == b"older"
