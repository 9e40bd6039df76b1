"""Changed files, with a clock that the test turns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_asd.daemon.changes import FileWatch


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    path = tmp_path / "firmware.yaml"
    path.write_text("one")
    return path


def test_a_change_is_told_once_when_it_is_over(watched: Path) -> None:
    clock = Clock()
    watch = FileWatch([watched], every_s=2, clock=clock)
    told = []
    for step in range(12):
        if step in {3, 4, 5}:
            watched.write_text("more" * step)
        clock.now += 2
        told.append(watch.has_changed())
    assert told == [False] * 6 + [True] + [False] * 5


def test_it_looks_only_now_and_then(watched: Path) -> None:
    clock = Clock()
    watch = FileWatch([watched], every_s=2, clock=clock)
    watched.write_text("other")
    clock.now += 1.9
    assert not watch.has_changed()
    clock.now += 0.1
    assert not watch.has_changed()
    clock.now += 2
    assert watch.has_changed()


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_age_has_changed(watched: Path, tmp_path: Path) -> None:
    clock = Clock()
    watch = FileWatch([watched], clock=clock)
    before = watched.stat()
    (tmp_path / "new").write_text("two")
    os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "new").replace(watched)
    clock.now += 2
    watch.has_changed()
    clock.now += 2
    assert watch.has_changed()


def test_a_file_may_go_and_come_back(watched: Path, tmp_path: Path) -> None:
    clock = Clock()
    watch = FileWatch([watched], clock=clock)
    watched.rename(tmp_path / "away")
    told = []
    for step in range(8):
        if step == 4:
            (tmp_path / "away").rename(watched)
        clock.now += 2
        told.append(watch.has_changed())
    assert told == [False, True, False, False, False, True, False, False]


def told(watch: FileWatch, clock: Clock) -> int:
    count = 0
    for _ in range(5):
        clock.now += 2
        count += watch.has_changed()
    return count


def test_what_is_added_is_unchanged_as_it_is_then(watched: Path, tmp_path: Path) -> None:
    clock = Clock()
    watch = FileWatch([watched], clock=clock)
    watched.write_text("other")
    watch.add(watched)
    watch.add(tmp_path / "new")
    assert told(watch, clock) == 0
    (tmp_path / "new").touch()
    assert told(watch, clock) == 1


def test_what_changes_between_being_added_and_being_kept_has_changed(watched: Path, tmp_path: Path) -> None:
    clock = Clock()
    watch = FileWatch([watched, tmp_path / "gone"], clock=clock)
    watched.write_text("other")
    watch.keep([watched])
    (tmp_path / "gone").touch()
    assert told(watch, clock) == 1
