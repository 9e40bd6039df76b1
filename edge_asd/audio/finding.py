"""Finding the recordings of a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from edge_asd.errors import InputError

SUFFIXES = frozenset(
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf".split()  # noqa: SIM905
)
"""Names of audio files end so; what a file really holds is found when it is read."""


def natural_key(path: Path) -> tuple[tuple[tuple[int, str], ...], ...]:
    """Sort key under which `clip-9` comes before `clip-10`, folder by folder."""
    return tuple(_natural_part(part) for part in path.parts)


def _natural_part(part: str) -> tuple[tuple[int, str], ...]:
    # Digits and text alternate, so only like meets like; the text itself breaks ties such as 1 and 01.
    pieces = re.split(r"([0-9]+)", part.casefold())
    numbered = [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]
    return (*numbered, (-1, part))


def find_recordings(path: Path | str) -> list[Path]:
    """Find the recordings that a path names.

    Parameters
    ----------
    path
        A file, which is taken whatever its name, or a folder, which is searched with all its subfolders (through
        symbolic links too). Hidden files and folders, and with them the ``._`` files of macOS, are left out.

    Returns
    -------
    Paths in natural order (`clip-9` before `clip-10`), the same on every machine.

    Raises
    ------
    InputError
        The path is missing, is neither file nor folder, cannot be read, or holds no recording.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise InputError(str(path), expected="a recording or a folder of recordings", found=str(error)) from error
    if not exists:
        raise InputError(str(path), expected="a recording or a folder of recordings", found="nothing of that name")
    if not is_folder:
        return [path]
    found = sorted(_walk(path), key=natural_key)
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise InputError(str(path), expected="recordings in this folder", found="none", remedy=f"looked for {kinds}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and _is_new(Path(parent, name), seen)]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(parent, name)


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder has not been walked yet: a link may lead back to where it stands."""
    try:
        status = folder.stat()
    except OSError as error:
        _refuse(error)
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _refuse(error: OSError) -> NoReturn:
    where = str(error.filename or "folder")
    raise InputError(where, expected="a folder that can be read", found=error.strerror or str(error)) from error
