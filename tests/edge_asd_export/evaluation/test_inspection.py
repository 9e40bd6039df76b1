"""What is heard of recordings before anything is trained, and what is left out for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge_asd.audio import Channel, read_blocks
from edge_asd.errors import InputError
from edge_asd_export.evaluation import inspection
from edge_asd_export.evaluation.datasets import Clip, UnitName
from edge_asd_export.evaluation.inspection import Heard, listen, screen
from edge_asd_export.progress import SILENT

RATE = 8000
UNIT, OTHER = UnitName("fan", None, "id_00"), UnitName("fan", None, "id_02")


def noise(seed: int, channels: int = 1) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-9999, 9999, (RATE, channels), np.int16)


def write(path: Path, samples: NDArray[np.int16], rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def listened(folder: Path, paths: list[Path], channel: Channel = 0) -> dict[Path, Heard]:
    return listen(paths, channel, folder / "recordings.json", jobs=1, reporter=SILENT)


def test_the_same_sound_is_known_again_in_another_file(tmp_path: Path) -> None:
    eight = noise(0, channels=8)
    train = write(tmp_path / "train/normal/a.wav", eight[:, :1])
    for twin in ("test/normal/a.flac", "test/normal/b.wav"):
        write(tmp_path / twin, eight if twin.endswith("b.wav") else eight[:, :1])
    write(tmp_path / "test/normal/c.wav", np.roll(eight, 1, axis=1))
    paths = sorted(tmp_path.rglob("*.*"), key=lambda path: (path != train, path))
    clips = [Clip(path, UNIT, "normal") for path in paths]
    screened = screen({UNIT: clips}, listened(tmp_path, paths), tmp_path, together=False)
    assert [clip.path.name for clip in screened.units[UNIT]] == ["a.wav", "c.wav"]
    assert [str(item) for item in screened.left_out] == [
        f"test/normal/{name}: the sound of train/normal/a.wav again" for name in ("a.flac", "b.wav")
    ]
    # What is heard is the channel that a recipe takes.
    second = [path for path in paths if path.name in {"b.wav", "c.wav"}]
    of_second = screen({UNIT: clips[2:]}, listened(tmp_path, second, 1), tmp_path, together=False)
    assert of_second.units[UNIT] == clips[2:]
    heard = listened(tmp_path, second, 1)[tmp_path / "test/normal/c.wav"]
    assert heard.sound == listened(tmp_path, [train])[train].sound


def test_a_channel_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(0))
    assert listened(tmp_path, [path], 2)[path].fault == "expected channel 2, counted from 0, found 1 channel"


def test_a_sound_in_two_units_is_left_out_only_where_one_model_serves_both(tmp_path: Path) -> None:
    units = {}
    for unit, seeds in ((UNIT, (0, 1)), (OTHER, (1, 2))):
        paths = [write(tmp_path / unit.name / f"{seed}.wav", noise(seed)) for seed in seeds]
        units[unit] = [Clip(path, unit, "normal") for path in paths]
    heard = listened(tmp_path, [clip.path for clips in units.values() for clip in clips])
    assert screen(units, heard, tmp_path, together=False) == (units, [])
    screened = screen(units, heard, tmp_path, together=True)
    assert [str(item) for item in screened.left_out] == ["id_02/1.wav: the sound of id_00/1.wav again"]
    assert screened.units == {UNIT: units[UNIT], OTHER: units[OTHER][1:]}


def test_of_twins_the_one_whose_label_is_known_is_kept(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, noise(0)) for name in ("test/a.wav", "test_rename/b.wav")]
    clips = [Clip(paths[0], UNIT, None), Clip(paths[1], UNIT, "anomalous")]
    screened = screen({UNIT: clips}, listened(tmp_path, paths), tmp_path, together=False)
    assert screened.units[UNIT] == clips[1:]
    assert [str(item) for item in screened.left_out] == ["test/a.wav: the sound of test_rename/b.wav again"]


def test_what_is_of_another_rate_is_no_one_s_twin(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.wav", noise(0), rate=2 * RATE)]
    paths += [write(tmp_path / f"{name}.wav", noise(seed)) for seed, name in enumerate("bc")]
    clips = [Clip(path, UNIT, "normal") for path in paths]
    screened = screen({UNIT: clips}, listened(tmp_path, paths), tmp_path, together=False)
    assert screened.units[UNIT] == clips[1:]
    assert "16000 Hz among recordings of 8000 Hz" in str(screened.left_out[0])


def test_silence_is_left_out_and_named_but_only_where_it_is_heard(tmp_path: Path) -> None:
    dead_first = noise(0, channels=2)
    dead_first[:, 0] = 40
    paths = [write(tmp_path / "dead.wav", dead_first), write(tmp_path / "live.wav", noise(1, channels=2))]
    clips = [Clip(path, UNIT, "normal") for path in paths]
    screened = screen({UNIT: clips}, listened(tmp_path, paths), tmp_path, together=False)
    assert [str(item) for item in screened.left_out] == ["dead.wav: silence from end to end"]
    assert screened.units[UNIT] == clips[1:]
    assert screen({UNIT: clips}, listened(tmp_path, paths, 1), tmp_path, together=False) == ({UNIT: clips}, [])


def test_an_error_that_passes_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write(tmp_path / f"{seed}.wav", noise(seed)) for seed in range(2)]
    read: list[Path] = []

    def fail_once(path: Path, **settings: Any) -> Any:
        read.append(path)
        if read.count(path) == 1 and path == paths[0]:
            raise InputError(str(path), expected="a recording", found="Input/output error")
        return read_blocks(path, **settings)

    monkeypatch.setattr(inspection, "read_blocks", fail_once)
    faults = [listened(tmp_path, paths)[paths[0]].fault for _ in range(3)]
    assert faults == ["expected a recording, found Input/output error", "", ""]
    # What was in order is not read again.
    assert read == [*paths, paths[0]]
