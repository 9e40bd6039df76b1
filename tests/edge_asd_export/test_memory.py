"""Rows of pretrained nets out of a memory are those that the pipeline computes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.configuration import parse
from edge_asd.features import PRESETS
from edge_asd.pipeline import Rows
from edge_asd.recipe.graph import Recipe
from edge_asd_export import memory as memory_module
from edge_asd_export.conversion import convert
from edge_asd_export.memory import Memory, RememberedRows, rows_of
from edge_asd_export.training.keras_session import import_keras
from tests.handmade import hum

TEXT = """
name: remembered
sample_rate: 8000
horizon: {seconds: 2, hop_seconds: 0.5}
branches:
  net:
    front_end: {kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}
    patch: {frames: 4, hop: 2}
    model: {kind: tflite}
    pooling: [mean]
  level: {front_end: {kind: rms, frame_length: 512, hop_length: 256}, pooling: [mean]}
parts:
  both: {branches: [net, level], detector: {kind: mahalanobis}}
join: none
"""
RECIPE = parse(TEXT, Recipe, where="remembered")


def network(seed: int) -> dict[str, bytes]:
    keras = import_keras(seed)
    entry = keras.Input(batch_shape=(1, 32))
    model = keras.Model(entry, keras.layers.Dense(3)(entry))
    samples = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32)
    return {"branches/net": convert(model, "float32", samples)}


@pytest.fixture(scope="module")
def networks() -> dict[str, bytes]:
    return network(0)


def all_rows(rows: Rows | RememberedRows, samples: NDArray[np.float32]) -> list[tuple[int, dict[str, list[float]]]]:
    halves = np.array_split(samples, 2)
    return [(end, {name: each.tolist() for name, each in found.items()}) for end, found in rows.of_recording(halves)]


def test_a_memory_changes_nothing_and_spares_the_net(
    networks: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = hum(3.2, 0)
    expected = all_rows(Rows(RECIPE, networks, where=""), samples)
    assert len(expected) == 3
    remembered = rows_of(RECIPE, networks, Memory(tmp_path))
    assert all_rows(remembered, samples) == expected
    (kept,) = tmp_path.iterdir()
    monkeypatch.setattr(memory_module, "_write", lambda *_: pytest.fail("computed again"))
    assert all_rows(rows_of(RECIPE, networks, Memory(tmp_path)), samples) == expected
    assert kept.stat().st_size < 10_000


def test_another_recording_net_or_horizon_is_computed_anew(networks: dict[str, bytes], tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    longer = parse(TEXT.replace("seconds: 2,", "seconds: 2.5,"), Recipe, where="")
    given = [(RECIPE, networks, 0), (RECIPE, networks, 1), (RECIPE, network(1), 0), (longer, networks, 0)]
    for count, (recipe, nets, seed) in enumerate(given, 1):
        samples = hum(3, seed)
        assert all_rows(rows_of(recipe, nets, memory), samples) == all_rows(Rows(recipe, nets, where=""), samples)
        assert len(list(tmp_path.iterdir())) == count


def test_rows_do_not_outlive_a_change_of_version_or_preset(
    networks: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front_end = "{kind: log-mel, n_fft: 512, hop_length: 256, n_mels: 8, fmin: 50}"
    recipe = parse(TEXT.replace(front_end, "{kind: preset, name: vggish}"), Recipe, where="")
    samples = hum(2.5, 0)
    for count, fmin in enumerate((50.0, 60.0), 1):
        changed = msgspec.structs.replace(PRESETS["vggish"], sample_rate=8000, n_mels=8, fmin=fmin, fmax=4000.0)
        monkeypatch.setitem(PRESETS, "vggish", changed)
        expected = all_rows(Rows(recipe, networks, where=""), samples)
        assert all_rows(rows_of(recipe, networks, Memory(tmp_path)), samples) == expected
        assert len(list(tmp_path.iterdir())) == count
    monkeypatch.setattr(memory_module, "__version__", "another")
    all_rows(rows_of(recipe, networks, Memory(tmp_path)), samples)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY broken", b"half"])
def test_a_damaged_file_is_made_anew(networks: dict[str, bytes], tmp_path: Path, content: bytes) -> None:
    samples = hum(2.5, 0)
    rows = rows_of(RECIPE, networks, Memory(tmp_path))
    expected = all_rows(rows, samples)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:200] if content == b"half" else content)
    assert all_rows(rows, samples) == expected
    assert kept.read_bytes() == whole


def test_what_is_shorter_than_the_horizon_has_no_rows(networks: dict[str, bytes], tmp_path: Path) -> None:
    assert all_rows(rows_of(RECIPE, networks, Memory(tmp_path)), hum(1, 0)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_net_is_converted_once_for_each_form_and_again_where_the_file_is_damaged(tmp_path: Path) -> None:
    made: list[str] = []

    def form(key: object, content: bytes) -> bytes:
        return Memory(tmp_path).form(key, lambda: made.append(repr(key)) or content)  # type: ignore[func-returns-value]

    assert [form(["net", 1], b"one"), form(["net", 1], b"other"), form(["net", 2], b"two")] == [b"one", b"one", b"two"]
    assert made == ["['net', 1]", "['net', 2]"]
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert form(["net", 1], b"again") == form(["net", 1], b"never") == b"again"
