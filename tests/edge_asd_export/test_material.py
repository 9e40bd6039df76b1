from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edge_asd.errors import InputError
from edge_asd.pipeline import Rows
from edge_asd_export.labels import Labelled
from edge_asd_export.material import gather, leave_out_unfit
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


def test_what_is_no_live_signal_is_not_fitted_to(tmp_path: Path) -> None:
    flat, still = np.sign(hum(2.0, 1)).astype(np.float32), np.zeros(RATE, np.float32)
    paths = [
        write(tmp_path / "clipped.wav", flat),
        write(tmp_path / "gap.wav", np.concatenate([hum(2.0, 2), still, hum(1.5, 3)])),
        write(tmp_path / "live.wav", hum(2.0, 4)),
    ]
    material = gather(paths, recipe())
    found = [(stretch.recording.name, stretch.start) for stretch in material.stretches]
    # Within a tenth of a second of what is not live, nothing counts.
    assert found == [("gap.wav", 0), ("gap.wav", 3 * RATE), ("live.wav", 0), ("live.wav", RATE)]
    assert material.recordings == 2
    (note,) = material.notes
    assert "clipped.wav (clipped, " in note
    assert "gap.wav (interrupted, " in note
    assert "live.wav" not in note
    with pytest.raises(InputError, match=r"clipped\.wav: expected 1 s of a live signal, found one that is clipped"):
        gather(paths[:1], recipe())


def test_recordings_to_test_with_that_cannot_be_judged_are_left_out(tmp_path: Path) -> None:
    good = write_normal(tmp_path, 2)
    short = write(tmp_path / "short.wav", hum(0.9, 7))
    dead = write(tmp_path / "dead.wav", np.zeros(2 * RATE, np.float32))
    text = tmp_path / "text.wav"
    text.write_text("none")
    left, notes = leave_out_unfit(Labelled(good, [good[0], short], [dead, good[1], text]), recipe())
    assert left == Labelled(good, [good[0]], [good[1]])
    (note,) = notes
    assert f"{short} (expected at least 1 s of sound, the horizon of one decision, found 0.9 s)" in note
    assert f"{dead} (expected 1 s of a live signal, found one that is interrupted)" in note
    assert f"{text} (expected a recording (WAV, FLAC, Ogg …), found something else" in note
    assert leave_out_unfit(left, recipe()) == (left, [])
