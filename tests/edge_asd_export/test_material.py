from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edge_asd.errors import InputError
from edge_asd.pipeline import Rows
from edge_asd_export.material import gather, gather_labelled
from tests.edge_asd_export.small import recipe, write, write_normal
from tests.handmade import RATE, hum


def test_recordings_are_cut_side_by_side_and_each_stretch_stands_alone(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.wav", hum(3.7, 1)), write(tmp_path / "b.wav", hum(1.0, 2))]
    stretches = gather(paths, recipe()).stretches
    assert [(stretch.recording.name, stretch.start) for stretch in stretches] == [
        ("a.wav", 0),
        ("a.wav", RATE),
        ("a.wav", 2 * RATE),
        ("b.wav", 0),
    ]
    for stretch in stretches:
        sound = hum(3.7, 1) if stretch.recording.name == "a.wav" else hum(1.0, 2)
        alone = next(Rows(recipe().without_models(), {}, where="").process(sound[stretch.start :][:RATE]))[1]
        assert stretch.rows.keys() == alone.keys() == {"bands", "surprise"}
        for name, rows in alone.items():
            # Frames of a later stretch may begin anywhere within a hop of it.
            assert stretch.rows[name].shape == rows.shape
            np.testing.assert_allclose(stretch.rows[name].mean(), rows.mean(), rtol=0.02)
            if stretch.start == 0:
                np.testing.assert_array_equal(stretch.rows[name], rows)


def test_a_long_recording_is_never_held_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", np.tile(hum(2.0, 1), 300))
    gather([path], recipe())
    tracemalloc.start()
    material = gather([path], recipe())
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(material.stretches) == 600
    assert peak - kept < 600 * RATE * np.float32().itemsize / 4


def test_no_stretch_hears_of_the_recording_before(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.wav", hum(1.3, 1)), write(tmp_path / "b.wav", hum(1.0, 2))
    together = gather([first, second], recipe()).stretches[-1]
    alone = gather([second], recipe()).stretches[0]
    for name in together.rows:
        np.testing.assert_array_equal(together.rows[name], alone.rows[name])


def test_the_list_is_known_by_names_and_samples_in_order(tmp_path: Path) -> None:
    paths = write_normal(tmp_path, 3)
    expected = hashlib.sha256()
    for path in paths:
        expected.update(path.name.encode() + b"\0" + hashlib.sha256(hum(1.0, int(path.stem)).tobytes()).digest())
    assert gather(paths, recipe()).list_sha256 == expected.hexdigest()
    assert gather(paths[::-1], recipe()).list_sha256 != expected.hexdigest()


def test_rates_are_listed_as_they_were(tmp_path: Path) -> None:
    rates = {16000: 3, 8000: 1, 44100: 2}
    paths = [write(tmp_path / f"{rate}.wav", np.tile(hum(1.1, seed), 6), rate) for rate, seed in rates.items()]
    assert gather(paths, recipe()).native_rates == [8000, 16000, 44100]


def test_the_same_sound_under_two_names_is_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, hum(1.0, 1)) for name in ("a.wav", "b.wav")]
    with pytest.raises(InputError, match=r"b\.wav: expected another recording, found the sound of .*a\.wav again"):
        gather(paths, recipe())


def test_a_recording_shorter_than_the_horizon_is_named(tmp_path: Path) -> None:
    paths = [*write_normal(tmp_path, 2), write(tmp_path / "short.wav", hum(0.9, 7))]
    with pytest.raises(InputError, match=r"short\.wav: expected at least 1 s of sound.*found 0\.9 s"):
        gather(paths, recipe())
    assert [stretch.recording.name for stretch in gather_labelled(paths, recipe())] == ["00.wav", "01.wav"]
