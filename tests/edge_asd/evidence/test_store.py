"""Clips on a real disk: written whole, within the quota, and lost without harm."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from edge_asd import files
from edge_asd.evidence import ClipStore
from edge_asd.evidence import store as store_module
from edge_asd.firmware import Evidence
from edge_asd.publish import Clip
from edge_asd.ulid import UlidFactory

RATE = 8000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-30_000, 30_000, int(seconds * RATE)).astype(np.int16)


def saved(store: ClipStore, name: str, samples: np.ndarray, source: str = "pump-3") -> Clip | None:
    return store.save(source, name, samples, RATE).result(30)


new_id = UlidFactory()


def test_a_clip_is_the_sound_and_its_picture(store: ClipStore, tmp_path: Path) -> None:
    name = new_id()
    clip = saved(store, name, noise(2))
    assert clip is not None
    assert Path(clip.path) == tmp_path / "clips" / "pump-3" / f"{name}.flac"
    heard, rate = soundfile.read(clip.path, dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(heard, noise(2))
    assert hashlib.sha256(Path(clip.path).read_bytes()).hexdigest() == clip.sha256
    assert clip.picture is not None
    assert Path(clip.picture).read_bytes().startswith(b"\x89PNG")
    assert (store.health().written, store.health().lost) == (1, 0)


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("clips/*/*.flac"))


def test_the_oldest_make_room_whatever_their_source(settings: Callable[..., Evidence], tmp_path: Path) -> None:
    store = ClipStore(settings(max_count=3))
    ids = [new_id() for _ in range(5)]
    for number, name in enumerate(ids):
        assert saved(store, name, noise(0.1), source=f"pump-{number % 2}")
    assert names(tmp_path) == ids[2:]
    assert len(list((tmp_path / "clips").glob("*/*.png"))) == 3


@pytest.mark.parametrize("is_set", [False, True])
def test_clips_keep_their_order_whatever_the_clock_has_been(
    is_set: bool, settings: Callable[..., Evidence], tmp_path: Path
) -> None:
    store = ClipStore(settings(max_count=3), is_set=lambda: is_set)
    behind = UlidFactory(clock=lambda: 1e9)
    ids = []
    for number in range(6):
        # The first three were made before the clock fell behind where it had been.
        ids.append(new_id() if number < 3 else behind())
        clip = saved(store, ids[-1], noise(0.1))
        assert clip is not None
        assert set(names(tmp_path)) == set(ids[-3:])
        if number < 3:
            ahead = time.time() + 1e9 + number
            os.utime(clip.path, (ahead, ahead))


def test_what_a_clock_ahead_has_dated_grows_old_once_it_is_set(
    settings: Callable[..., Evidence], tmp_path: Path
) -> None:
    wait_s = 0.0
    store = ClipStore(settings(max_age_s=1000.0), clock=lambda: time.time() + wait_s, is_set=lambda: True)
    clip = saved(store, new_id(), noise(0.1))
    assert clip is not None
    os.utime(clip.path, (4e9, 4e9))
    second, third = new_id(), new_id()
    assert saved(store, second, noise(0.1))
    assert abs(Path(clip.path).stat().st_mtime - time.time()) < 60
    wait_s = 1100.0
    assert saved(store, third, noise(0.1))
    assert names(tmp_path) == [third]


def test_bytes_are_limited(settings: Callable[..., Evidence], tmp_path: Path) -> None:
    limit = 1 << 20
    store = ClipStore(settings(max_bytes=limit))
    for seed in range(20):
        assert saved(store, new_id(), noise(10, seed))
    used = sum(path.stat().st_size for path in (tmp_path / "clips").rglob("*") if path.is_file())
    assert limit / 2 < used <= limit


def test_a_clip_that_never_fits_costs_no_other(settings: Callable[..., Evidence], tmp_path: Path) -> None:
    store = ClipStore(settings(max_bytes=1 << 20))
    first = new_id()
    assert saved(store, first, noise(1))
    assert saved(store, new_id(), noise(120)) is None
    assert names(tmp_path) == [first]
    assert "evidence.max_bytes" in (store.health().last_error or "")


def test_the_old_go(settings: Callable[..., Evidence], tmp_path: Path) -> None:
    now, is_set = 1e9, False
    store = ClipStore(settings(max_age_s=1000.0), clock=lambda: now, is_set=lambda: is_set)
    old, young, younger = (new_id() for _ in range(3))
    clip = saved(store, old, noise(0.1))
    assert clip is not None
    os.utime(clip.path, (now - 1001, now - 1001))
    saved(store, young, noise(0.1))
    assert names(tmp_path) == [old, young]
    is_set = True
    saved(store, younger, noise(0.1))
    assert names(tmp_path) == [young, younger]


def test_what_else_lies_in_the_folder_is_left_alone(settings: Callable[..., Evidence], tmp_path: Path) -> None:
    store = ClipStore(settings(max_count=1))
    other = tmp_path / "clips" / "pump-3" / "reference.flac"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    for _ in range(3):
        assert saved(store, new_id(), noise(0.1))
    assert other.read_bytes() == b"mine"
    assert len(names(tmp_path)) == 2


@pytest.fixture
def left(tmp_path: Path) -> list[Path]:
    """Files as a power cut leaves them in the midst of writing."""
    folder = tmp_path / "clips" / "pump-3"
    folder.mkdir(parents=True)
    name = new_id()
    return [Path(tempfile.mkstemp(dir=folder, prefix=f".{name}{suffix}.")[1]) for suffix in (".flac", ".png")]


def test_what_a_power_cut_left_half_written_is_removed(store: ClipStore, left: list[Path]) -> None:
    folder = left[0].parent
    others = [folder / name for name in (".notes.flac.abcdefgh", f".{new_id()}.flac.aB3dE9", f".{new_id()}.flac")]
    for other in others:
        other.touch()
    clip = saved(store, new_id(), noise(0.1))
    assert clip is not None
    assert clip.picture is not None
    assert set(folder.iterdir()) == {*others, Path(clip.path), Path(clip.picture)}


def test_what_another_store_may_be_writing_stays_until_it_is_done(
    store: ClipStore, left: list[Path], tmp_path: Path
) -> None:
    descriptor = os.open(tmp_path / "clips", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert saved(store, new_id(), noise(0.1))
    assert all(path.exists() for path in left)
    os.close(descriptor)
    assert saved(store, new_id(), noise(0.1))
    assert not any(path.exists() for path in left)


def test_no_other_store_clears_the_folder_while_a_clip_is_written(
    store: ClipStore, settings: Callable[..., Evidence], left: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ClipStore(settings())
    write = files.write_atomically
    found: list[bool] = []

    def write_and_look(path: Path, content: bytes) -> None:
        if not found:
            found.append(left[0].exists())
            left[0].touch()
            # The other may write at the same time, yet not clear.
            assert saved(other, new_id(), noise(0.1))
            found.append(left[0].exists())
        write(path, content)

    monkeypatch.setattr(store_module, "write_atomically", write_and_look)
    assert saved(store, new_id(), noise(0.1))
    assert found == [False, True]


def test_a_full_disk_loses_clips_and_says_so_until_there_is_room(settings: Callable[..., Evidence]) -> None:
    store = ClipStore(settings(keep_free_bytes=1 << 60))
    assert saved(store, new_id(), noise(0.1)) is None
    assert store.health().lost == 1
    assert "MiB free, for a clip and evidence.keep_free_bytes, found" in (store.health().last_error or "")


def test_what_a_clip_lacks_shows_in_the_figures(
    settings: Callable[..., Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=(64 << 20) + 1000))
    store = ClipStore(settings(keep_free_bytes=64 << 20))
    assert saved(store, new_id(), noise(3)) is None
    said = store.health().last_error or ""
    assert "found 64.00 MiB; make room" in said
    assert "expected 64.00 MiB" not in said


def test_a_clip_that_the_disk_has_no_room_for_costs_no_other(settings: Callable[..., Evidence], tmp_path: Path) -> None:
    ids = [new_id() for _ in range(3)]
    for name in ids:
        assert saved(ClipStore(settings(max_count=3)), name, noise(0.1))
    full = ClipStore(settings(max_count=3, keep_free_bytes=1 << 60))
    assert saved(full, new_id(), noise(0.1)) is None
    assert names(tmp_path) == ids


def test_what_a_clip_displaces_is_room_for_it(
    settings: Callable[..., Evidence], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClipStore(settings(max_count=1, keep_free_bytes=1 << 20))
    old, young = new_id(), new_id()
    assert saved(store, old, noise(1))
    free = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    assert saved(store, young, noise(0.5))
    assert names(tmp_path) == [young]


def test_a_folder_that_cannot_be_made_loses_clips(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file")
    store = ClipStore(Evidence(path=str(tmp_path / "clips"), keep_free_bytes=0))
    for _ in range(2):
        assert saved(store, new_id(), noise(0.1)) is None
    assert store.health().lost == 2


def test_what_waits_is_written_before_the_store_is_closed(store: ClipStore) -> None:
    before = set(threading.enumerate())
    saving = [store.save("pump-3", new_id(), noise(1, seed), RATE) for seed in range(3)]
    (thread,) = set(threading.enumerate()) - before
    store.close()
    assert all(each.result() for each in saving)
    assert not thread.is_alive()


def test_a_disk_that_hangs_while_the_store_is_closed_keeps_no_thread(
    store: ClipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    monkeypatch.setattr(store_module, "write_atomically", lambda *_: held.wait(30))
    monkeypatch.setattr(store_module, "_CLOSE_S", 0.1)
    before = set(threading.enumerate())
    for _ in range(12):
        store.save("pump-3", new_id(), noise(0.1), RATE)
    (thread,) = set(threading.enumerate()) - before
    store.close()
    held.set()
    thread.join(10)
    assert not thread.is_alive()
    assert saved(store, new_id(), noise(0.1)) is None


def test_a_disk_that_hangs_holds_nobody_up(store: ClipStore, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr(store_module, "write_atomically", lambda *_: held.wait(30))
    savings = [store.save("pump-3", new_id(), noise(0.1), RATE) for _ in range(12)]
    assert 3 <= store.health().lost <= 4
    assert all(saving.result() is None for saving in savings)
    held.set()
    assert 8 <= sum(saving.result(30) is not None for saving in savings) <= 9
    monkeypatch.undo()
    assert saved(store, new_id(), noise(0.1)) is not None


def test_what_all_machines_hear_at_once_each_keeps(store: ClipStore, monkeypatch: pytest.MonkeyPatch) -> None:
    held, write = threading.Event(), files.write_atomically
    monkeypatch.setattr(store_module, "write_atomically", lambda path, content: held.wait(30) and write(path, content))
    savings = [store.save(f"pump-{number}", new_id(), noise(0.1), RATE) for number in range(16)]
    held.set()
    assert all(saving.result(30) is not None for saving in savings)
    assert (store.health().written, store.health().lost) == (16, 0)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/clips"])
def test_a_place_where_no_clip_can_be_kept_is_told_before_one_is_due(
    settings: Callable[..., Evidence], tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    (tmp_path / "file").touch()
    store = ClipStore(settings(path=str(tmp_path / place)))
    trial(store)
    assert caplog.messages[0].startswith("no clip can be kept: ")
    assert store.health().lost == 0
    assert str(tmp_path / place) in (store.health().last_error or "")


def test_a_place_that_will_do_is_left_as_it_was(store: ClipStore, settings: Callable[..., Evidence]) -> None:
    trial(store)
    assert store.health().last_error is None
    assert list(Path(str(settings().path)).iterdir()) == []


def trial(store: ClipStore) -> None:
    before = set(threading.enumerate())
    store.try_out()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def test_an_error_of_ours_costs_one_clip(store: ClipStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "draw_spectrogram", lambda _: 1 / 0)
    assert saved(store, new_id(), noise(0.1)) is None
    monkeypatch.undo()
    assert saved(store, new_id(), noise(0.1)) is not None


@examples(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0.05, 8)), max_size=12), st.integers(1, 6))
def test_the_quota_holds_after_every_clip(tmp_path_factory: Any, clips: list[Any], most: int) -> None:
    folder = tmp_path_factory.mktemp("quota")
    store = ClipStore(Evidence(path=str(folder / "clips"), keep_free_bytes=0, max_bytes=1 << 20, max_count=most))
    ids = []
    for number, (source, seconds) in enumerate(clips):
        ids.append(new_id())
        assert saved(store, ids[-1], noise(seconds, number), source=f"s{source}") is not None
        kept = names(folder)
        assert 1 <= len(kept) <= most
        # What is kept is the newest without a hole.
        assert kept == ids[len(ids) - len(kept) :]
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 1 << 20
