"""Finding recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_asd.audio import find_recordings, probe_recording
from edge_asd.errors import InputError


def grown(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in find_recordings(root)]


def test_recordings_are_found_in_the_order_of_their_names_whatever_that_of_the_disk(tmp_path: Path) -> None:
    grown(tmp_path, "b.wav", "a/z.FLAC", "a.wav", "a/b/c.ogg", "notes.txt", "a/report.json")
    assert names(tmp_path) == ["a/b/c.ogg", "a/z.FLAC", "a.wav", "b.wav"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    grown(tmp_path, "._a.wav", ".hidden.wav", ".git/b.wav", "c.wav")
    assert names(tmp_path) == ["c.wav"]


def test_a_folder_named_like_a_recording_is_none(tmp_path: Path) -> None:
    grown(tmp_path, "folder.wav/a.wav")
    assert names(tmp_path) == ["folder.wav/a.wav"]


def test_links_are_followed_and_may_lead_round_in_a_circle(tmp_path: Path) -> None:
    disk = grown(tmp_path / "disk", "a.wav")
    here = grown(tmp_path / "here", "b.wav")
    (here / "more").symlink_to(disk)
    (here / "round").symlink_to(here)
    (disk / "back").symlink_to(here)
    assert names(here) == ["b.wav", "more/a.wav"]


def test_a_dangling_link_does_not_go_missing_unseen(tmp_path: Path) -> None:
    grown(tmp_path, "a.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "c.wav").symlink_to(tmp_path / "c.wav")
    (tmp_path / "d.txt").symlink_to(tmp_path / "nowhere.txt")
    assert names(tmp_path) == ["a.wav", "b.wav", "c.wav"]
    with pytest.raises(InputError, match=r"b\.wav: expected a recording, found a link that leads nowhere"):
        probe_recording(tmp_path / "b.wav")


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    expected = ["1.wav", "2.wav", "10.wav", "day 2/run_9_1.wav", "day 2/run_10_0.wav", "day 10/a.wav"]
    # The same number, written in two ways, has an order too.
    expected += ["x01.wav", "x1.wav", "x1b.wav", "x2.wav"]
    grown(tmp_path, *reversed(expected))
    assert names(tmp_path) == expected


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    assert names(grown(tmp_path / ".sounds", "a.wav")) == ["a.wav"]


def test_a_file_stands_for_itself_whatever_its_name(tmp_path: Path) -> None:
    path = grown(tmp_path, "a.dat") / "a.dat"
    assert find_recordings(path) == [path]


def test_an_empty_folder_is_refused_and_the_line_says_what_was_looked_for(tmp_path: Path) -> None:
    grown(tmp_path, "notes.txt")
    with pytest.raises(
        InputError, match=r"expected a folder of recordings \(\.wav, \.flac, \.ogg …\), found none in it"
    ):
        find_recordings(tmp_path)


def test_a_pipe_or_a_device_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", Path("/dev/zero")):
        with pytest.raises(InputError, match=r"expected a recording or a folder of recordings, found something that"):
            find_recordings(path)


@pytest.mark.parametrize("path", ["nowhere", "a\0b"])
def test_what_is_not_there_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match=r"nowhere: expected|null"):
        find_recordings(tmp_path / path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_cannot_be_read_is_refused_not_passed_over(tmp_path: Path) -> None:
    grown(tmp_path, "a.wav", "locked/b.wav")
    (tmp_path / "locked").chmod(0)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            find_recordings(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
