from __future__ import annotations

import base64
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.image
import msgspec
import numpy as np
import pytest
import soundfile

from edge_asd.cli import main
from edge_asd.configuration import parse
from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe
from edge_asd_export.exporter import Exported, export
from edge_asd_export.graph import count_macs
from edge_asd_export.report import page, pictures, prepare_folder, write_report
from edge_asd_export.report.facts import Facts, ScoreFacts, clip_at, collect, extremes
from tests.handmade import RATE, hum

_RECIPE = """
name: reported
description: <em>two</em> parts
sample_rate: 8000
horizon: {seconds: 2, hop_seconds: 0.5}
folds: 3
branches:
  bands:
    front_end: &bands {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}
    pooling: [mean]
  surprise:
    front_end: *bands
    patch: {frames: 3}
    model: {kind: interpolation-autoencoder, hidden: [4], epochs: 2}
parts:
  steady: {branches: [bands], detector: {kind: mahalanobis}}
  odd: {branches: [surprise], detector: {kind: value}, scale: log}
"""
HOSTILE = "a<script>alert(1)</script>&$x$.wav".replace("/", "\N{DIVISION SLASH}")
NO_TEXT = os.fsdecode(b"\xfc")


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, Path]:
    folder = tmp_path_factory.mktemp("reported")
    for part in ("normal", "abnormal"):
        (folder / "sound" / part).mkdir(parents=True)
    for index in range(8):
        name = HOSTILE if index == 3 else f"{NO_TEXT}{index}.wav"
        soundfile.write(folder / "sound.wav", hum(2, index) * (1 + index), RATE)
        (folder / "sound.wav").rename(folder / "sound" / "normal" / name)
    for index in range(3):
        soundfile.write(folder / "sound" / "abnormal" / f"{index}.wav", hum(2, 50 + index, wrong=True), RATE)
    output = folder / "<b>.easd"
    return export([folder / "sound"], parse(_RECIPE, Recipe, where="reported"), output), output


@pytest.fixture(scope="module")
def report(made: tuple[Exported, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert write_report(folder, *made) == folder / "report.html"
    return folder


def test_the_three_files(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == ["report.html", "report.json", "report.txt"]


def test_json_says_what_the_bundle_says(made: tuple[Exported, Path], report: Path) -> None:
    exported, output = made
    facts = msgspec.json.decode((report / "report.json").read_bytes(), type=Facts)
    bundle = exported.bundle
    assert (facts.schema, facts.bundle, facts.sha256) == ("edge-asd/report/1", output.name, bundle.sha256)
    assert facts.size_bytes == output.stat().st_size
    assert facts.scores.held_out == bundle.manifest.calibration.held_out
    assert facts.scores.threshold == bundle.manifest.calibration.threshold
    assert len(facts.scores.anomalous) == 3
    assert facts.quality == bundle.manifest.quality
    (net,) = facts.nets
    content = bundle.networks["branches/surprise"]
    assert net.size_bytes == len(content)
    assert net.macs == count_macs(content) == 16 * 4 + 4 * 8
    assert net.runs_per_second == RATE / 256
    assert net.gmac_per_s == pytest.approx(96 * RATE / 256 / 1e9)
    assert net.fidelity is not None
    assert net.quantization == "float16"
    assert [stage.tolerance for stage in facts.stages if stage.stage == "patches/bands"] == [1e-4]
    assert all(stage.deviation <= stage.tolerance for stage in facts.stages)
    assert {board.board for board in facts.boards} >= {"raspberry-pi-4", "raspberry-pi-5"}
    assert 0 < facts.speed.real_time_factor < 1
    assert facts.speed.sound_s == 2.0


def test_the_clips_are_those_at_the_ends(made: tuple[Exported, Path]) -> None:
    exported, output = made
    scores = exported.bundle.manifest.calibration.held_out
    lowest, highest = extremes(exported)
    assert [scores[place] for place in lowest] == sorted(scores)[:3]
    assert [scores[place] for place in highest] == sorted(scores, reverse=True)[:3]
    facts = collect(exported, output)
    assert [clip.score for clip in facts.highest] == sorted(scores, reverse=True)[:3]
    names = [exported.excerpts[place].recording.name for place in highest]
    assert [clip.recording for clip in facts.highest] == [name.replace(NO_TEXT, r"\xfc") for name in names]


def test_recordings_of_one_name_are_told_by_their_folders(made: tuple[Exported, Path]) -> None:
    exported, _ = made
    folders = "monday", "tuesday/night"
    excerpts = [
        excerpt._replace(recording=Path("recordings", folders[index % 2], "1.wav"))
        for index, excerpt in enumerate(exported.excerpts)
    ]
    found = [clip_at(exported._replace(excerpts=excerpts), place).recording for place in (0, 1)]
    assert found == ["monday/1.wav", "tuesday/night/1.wav"]


def test_the_page_fetches_and_runs_nothing(report: Path) -> None:
    found = Page((report / "report.html").read_text())
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "link", "iframe", "object", "embed", "form", "base"})
    for tag, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert tag != "a"
            assert str(attributes.get(name, "data:image/png")).startswith("data:image/png")
    policy = [attributes for tag, attributes in found.tags if tag == "meta" and "http-equiv" in attributes]
    assert str(policy[0]["content"]).startswith("default-src 'none'")


def test_names_from_outside_are_words_and_nothing_else(made: tuple[Exported, Path], report: Path) -> None:
    exported, output = made
    text = (report / "report.html").read_text()
    assert "<b>.easd" in Page(text).words
    assert "<em>two</em> parts" in Page(text).words
    assert "<script" not in text
    assert re.search(r"\\xfc\d\.wav", Page(text).words)
    facts = msgspec.structs.replace(collect(exported, output), notes=["<script>alert(1)</script>"])
    assert "<script" not in page.render(facts, page.Pictures(b"", b""))


def test_pictures_are_pictures(report: Path) -> None:
    text = (report / "report.html").read_text()
    images = [attributes for tag, attributes in Page(text).tags if tag == "img"]
    assert len(images) == 2
    for image in images:
        assert image["alt"]
        content = base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,"))
        pixels = matplotlib.image.imread(io.BytesIO(content))
        assert min(pixels.shape[:2]) > 300
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20


def test_the_histogram_is_where_the_scores_are() -> None:
    # Dashed black threshold in the middle, one blue group left of it, one red right of it.
    scores = ScoreFacts(threshold=5.0, rule="", held_out=[1.0] * 9, normal=[], anomalous=[9.0] * 9)
    pixels = matplotlib.image.imread(io.BytesIO(pictures.histogram(scores)))[:, :, :3]
    height = slice(len(pixels) // 2, len(pixels) * 3 // 4)
    blue = np.nonzero((pixels[height, :, 2] > pixels[height, :, 0] + 0.2).any(axis=0))[0]
    red = np.nonzero((pixels[height, :, 0] > pixels[height, :, 2] + 0.2).any(axis=0))[0]
    assert blue.max() < pixels.shape[1] // 2 < red.min()


def test_scores_that_are_all_the_same_can_be_drawn() -> None:
    same = ScoreFacts(threshold=1.0, rule="", held_out=[1.0], normal=[], anomalous=[])
    assert pictures.histogram(same).startswith(b"\x89PNG")


def test_text_has_every_section(report: Path) -> None:
    text = (report / "report.txt").read_text()
    for words in (
        "bundle      ", "threshold   ", "labelled    AUC", "against float32: cosine", "nets\n", "real-time factor",
        "this machine, measured", "Raspberry Pi 4, estimated", "held-out normal", "anomalous", "self-test",
        "made with:",
    ):  # fmt: skip
        assert words in text
    assert re.search(r"surprise +float16 +\d+\.\d KiB +9\.6e-05 +31\.25 +3e-06 +1\.\d+", text)


def test_what_stands_in_the_way_of_the_folder_is_said_before_the_work(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="--report"):
        prepare_folder(tmp_path / "taken" / "report")
    status = main(["export", str(tmp_path), "-o", str(tmp_path / "b.easd"), "--report", str(tmp_path / "taken")])
    assert status == 2
    assert "expected a folder to write to, found File exists" in capsys.readouterr().err
