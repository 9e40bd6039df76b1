from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from edge_asd import files
from edge_asd.errors import InputError
from edge_asd.files import expand_home, read_limited, require_regular, require_writable, target_of, write_atomically


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_written_is_read_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.easd"
    for content in (b"first", b"", b"third"):
        write_atomically(path, content)
        assert read_limited(path, 5, "a bundle") == content
    assert names(tmp_path) == ["a.easd"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_no_more_memory_is_asked_for_than_a_file_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.easd"
    path.write_bytes(b"bundle")
    tracemalloc.start()
    assert read_limited(path, 1 << 29, "a bundle") == b"bundle"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_file_that_grows_while_it_is_opened_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.easd"
    path.write_bytes(b"bundle")
    monkeypatch.setattr(files, "require_regular", lambda *_given, **_named: 2)
    for limit in (6, 100):
        assert read_limited(path, limit, "a bundle") == b"bundle"
    for limit in (1, 2, 5):
        with pytest.raises(InputError, match="a larger file"):
            read_limited(path, limit, "a bundle")


def test_a_temporary_file_s_name_tells_what_it_was_to_become(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(names(tmp_path)))
    write_atomically(tmp_path / "a.easd", b"new")
    assert target_of(seen[0]) == "a.easd"
    for other in ("a.easd", ".a.easd", ".bashrc", ".a.easd.aB3dE9", ".a.easd.swp"):
        assert target_of(other) is None


@pytest.mark.parametrize("failing", ["fsync", "fchmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_older_file_and_nothing_else(
    failing: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> None:
        raise error

    (tmp_path / "a.easd").write_bytes(b"older")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises((InputError, KeyboardInterrupt), match=r"No space left on device; choose another|^$"):
        write_atomically(tmp_path / "a.easd", b"newer")
    assert names(tmp_path) == ["a.easd"]
    assert (tmp_path / "a.easd").read_bytes() == b"older"


@pytest.mark.parametrize("place", ["missing/a.easd", "file/a.easd", "."])
def test_a_place_that_cannot_be_written_is_known_before_and_after(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for attempt in (require_writable, lambda path: write_atomically(path, b"x")):
        with pytest.raises(InputError, match="expected a place that can be written, found"):
            attempt(tmp_path / place)
    assert names(tmp_path) == ["file"]


def test_a_device_is_no_place_for_a_file() -> None:
    # The superuser would put a file in its stead.
    with pytest.raises(InputError, match="/dev/null: expected a place that can be written, found no regular file"):
        require_writable(Path("/dev/null"))


def test_asking_whether_a_place_can_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.easd").write_bytes(b"older")
    require_writable(tmp_path / "a.easd")
    require_writable(tmp_path / "b.easd")
    assert names(tmp_path) == ["a.easd"]
    assert (tmp_path / "a.easd").read_bytes() == b"older"


def test_a_file_larger_than_its_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.easd").write_bytes(b"12345")
    with pytest.raises(InputError, match="expected a bundle of at most 4 bytes, found a larger file"):
        read_limited(tmp_path / "a.easd", 4, "a bundle")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("pipe", "something that is no regular file"),
        ("/dev/zero", "something that is no regular file"),
        (".", "a folder"),
        ("nowhere", "No such file or directory"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_what_is_no_regular_file_is_refused_and_not_waited_for(name: str, found: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=f"expected a bundle, found {found}$"):
        read_limited(tmp_path / name, 5, "a bundle")


def test_a_regular_file_is_measured_and_who_named_another_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(b"12345")
    assert require_regular(tmp_path / "a.pem", "a certificate") == 5
    with pytest.raises(InputError, match=f"^mqtt.tls.ca_file: {tmp_path}: expected a certificate, found a folder$"):
        require_regular(tmp_path, "a certificate", "mqtt.tls.ca_file")


def test_a_home_folder_is_found_or_the_user_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/pi")
    assert expand_home(Path("~/x.wav")) == Path("/home/pi/x.wav")
    assert expand_home(Path("a/~x")) == Path("a/~x")
    with pytest.raises(InputError, match="~nobody-here/x: expected the home folder of a user, found one who is not"):
        expand_home(Path("~nobody-here/x"))
