"""Finding the recordings of a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from edge_asd.errors import InputError
from edge_asd.files import require_regular

SUFFIXES = frozenset(
    (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")
)
"""Endings by which recordings are found in a folder."""
_NUMBER = re.compile(r"(\d+)", re.ASCII)


def find_recordings(path: Path) -> list[Path]:
    """Return the recordings of a folder and all below it, in the order of their names; a file stands for itself.

    Numbers in names count as numbers: `2.wav` comes before `10.wav`, as it was recorded. Links are followed; one that
    leads nowhere is found, and refused by whoever reads it. Hidden files and folders, among them the `._` files of
    macOS, are passed over.

    Raises
    ------
    InputError
        When `path` does not exist, cannot be read, is a pipe or a device, or a folder without recordings.
    """
    if not _exists(path):
        raise InputError(str(path), expected="a recording or a folder of recordings", found="no such file or folder")
    if not path.is_dir():
        require_regular(path, "a recording or a folder of recordings")
        return [path]
    found = sorted(_walk(path), key=natural_order)
    if not found:
        raise InputError(
            str(path),
            expected="a folder of recordings (.wav, .flac, .ogg …)",
            found="none in it or below it",
            remedy="name the folder that holds them",
        )
    return found


def find_rooted(given: Iterable[Path]) -> dict[Path, Path]:
    """Return each recording of several files and folders once, and for each the topmost folder whose name counts.

    That is the folder that was named, or the one in which a file lies that was named; errors as `find_recordings`.
    """
    found: dict[Path, Path] = {}
    for each in given:
        root = each if each.is_dir() else each.parent
        for path in find_recordings(each):
            found.setdefault(path, root)
    return found


def natural_order(path: Path) -> tuple[list[tuple[str, int, str]], ...]:
    """Return what paths are sorted by: folder by folder, with numbers in names counted as numbers."""
    return tuple(_pieces(part) for part in path.parts)


def _pieces(name: str) -> list[tuple[str, int, str]]:
    # Digits stand at every other place; `007` and `7` are one number and differ in the end.
    pieces = _NUMBER.split(name)
    numbers = [*pieces[1::2], ""]
    return [(text, int(number) if number else -1, number) for text, number in zip(pieces[::2], numbers, strict=True)]


def spare_recording(path: Path) -> None:
    """Refuse to write where a recording stands, which came in the place of the name to write to.

    Raises
    ------
    InputError
        When there is a file at `path` whose name ends as a recording's.
    """
    if path.suffix.lower() in SUFFIXES and path.exists():
        raise InputError(
            str(path),
            expected="a place to write to",
            found="a recording, which would be lost",
            remedy="choose another path",
        )


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        _refuse(error, path)
    return True


def _walk(root: Path) -> Iterator[Path]:
    seen = {_identity(root)}
    # A folder that cannot be read is an error: half of the recordings must not go missing unseen.
    for parent, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and _is_new(Path(parent, name), seen)]
        for name in files:
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and _is_there(path):
                yield path


def _is_there(path: Path) -> bool:
    # Of a disk that is not mounted only links are there: whoever reads one says so, and none goes missing unseen.
    return path.is_file() or (path.is_symlink() and not path.exists())


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    # A link may lead back to a folder above it.
    identity = _identity(folder)
    known = identity in seen
    seen.add(identity)
    return not known


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        _refuse(error, folder)
    return status.st_dev, status.st_ino


def _refuse(error: OSError | ValueError, path: Path | None = None) -> NoReturn:
    where = path or getattr(error, "filename", None)
    found = getattr(error, "strerror", None) or str(error)
    raise InputError(str(where), expected="a file or folder that can be read", found=found) from error
