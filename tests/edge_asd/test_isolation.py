"""Other interpreters that are started for our own modules, from folders that nobody vouches for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import edge_asd
from edge_asd.isolation import isolated_python, search_path

HOME = Path(edge_asd.__file__).parents[1]


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: whatever is imported from it leaves a file `owned` beside it."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in ("numpy", "msgspec", "argparse", "json", "pathlib", "yaml"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w').close()\n")
    monkeypatch.chdir(folder)
    return folder


def untouched(folder: Path) -> bool:
    return not folder.with_name("owned").exists()


@pytest.mark.parametrize("site", [True, False])
def test_nothing_is_taken_from_the_current_folder(site: bool, downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # `-c` puts an empty word on the path, `-m` the folder's name.
    monkeypatch.setattr(sys, "path", ["", str(downloads), *sys.path])
    command = isolated_python("edge_asd.cli", "recipes", site=site)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "default" in done.stdout
    assert untouched(downloads)


def test_the_command_as_a_module_takes_nothing_from_there(downloads: Path) -> None:
    command = [sys.executable, "-m", "edge_asd", "recipes"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert "default" in done.stdout
    assert untouched(downloads)


def test_where_our_package_is_the_current_folder_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOME)
    monkeypatch.setattr(sys, "path", [str(HOME), "/elsewhere"])
    assert search_path() == [str(HOME), "/elsewhere"]


def test_our_package_is_found_where_something_else_than_the_path_found_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable installation's finder is set up by `site`, which a microphone's process does without."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path) != HOME])
    command = isolated_python("edge_asd.cli", "--version", site=False)
    assert str(HOME) in command[4]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("edge-asd ")


def test_a_folder_that_is_gone_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert str(HOME) in search_path()
