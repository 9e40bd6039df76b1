"""Every published front end against golden files that other libraries made (`tests/golden/make_front_ends.py`).

Unlike the other comparisons these need none of those libraries, so they hold wherever the device package runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_asd.features import PRESETS, SegmentFrontEnd, build_front_end
from edge_asd.recipe.front_ends import Preset, PresetName

FOLDER = Path(__file__).parents[2] / "golden" / "front_ends"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
IN_DECIBELS = 10 / np.log(10)


def compute(name: PresetName) -> NDArray[np.float32]:
    rate = MANIFEST["front ends"][name]["sample_rate"]
    sound = np.load(FOLDER / f"sound-{rate}.npy", allow_pickle=False).astype(np.float32) / 32768
    segmented = getattr(PRESETS[name], "segment_length", None) is not None
    front_end = build_front_end(Preset(name=name, segment_length=rate if segmented else None), rate)
    if isinstance(front_end, SegmentFrontEnd):
        return front_end.process(np.resize(sound, front_end.segment_length))
    frames = np.lib.stride_tricks.sliding_window_view(sound, front_end.frame_length)[:: front_end.hop_length]
    return front_end.process(frames)


def golden(name: PresetName) -> NDArray[np.float32]:
    features: NDArray[np.float32] = np.load(FOLDER / f"{name}.npy", allow_pickle=False)
    return features


def test_there_is_one_for_every_preset() -> None:
    assert tuple(MANIFEST["front ends"]) == get_args(PresetName)
    assert set(MANIFEST["versions"]) > {"python", "numpy", "librosa", "tensorflow_cpu"}


@pytest.mark.parametrize("name", get_args(PresetName))
def test_the_recipe_is_still_the_one_that_the_file_was_made_for(name: PresetName) -> None:
    assert json.loads(msgspec.json.encode(PRESETS[name])) == MANIFEST["front ends"][name]["recipe"]


@pytest.mark.parametrize("name", [name for name in get_args(PresetName) if name not in ("musicnn", "image-transfer")])
def test_log_spectrograms(name: PresetName) -> None:
    found = compute(name)
    assert list(found.shape) == MANIFEST["front ends"][name]["shape"]
    unit = IN_DECIBELS if name in ("vggish", "yamnet") else 1.0
    np.testing.assert_allclose(found[:: MANIFEST["every"]] * unit, golden(name) * unit, rtol=0, atol=1e-4)


def test_musicnn() -> None:
    found = compute("musicnn")[:: MANIFEST["every"]]
    assert (found == golden("musicnn")).mean() > 0.99
    np.testing.assert_allclose(found, golden("musicnn"), rtol=2e-3, atol=1e-6)


def test_image_transfer() -> None:
    """A value on the edge between two of the map's 256 colours may take either."""
    error = np.abs(compute("image-transfer")[:: MANIFEST["every"]] - golden("image-transfer"))
    assert (error < 1e-4).mean() > 0.98
    assert error.max() < 0.15
