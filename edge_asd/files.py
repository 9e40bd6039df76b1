"""Writing a file so that a reader, a crash or a full disk never sees half of it."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

from edge_asd.errors import InputError

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`: whole, flushed to the disk, or not at all.

    A temporary file beside `path` is written, synchronized and renamed over it; the folder is synchronized after.

    Raises
    ------
    InputError
        When the folder is missing or not writable, or the disk is full; an existing file is then left as it was.
    """
    try:
        _replace(path, content)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def target_of(temporary: str) -> str | None:
    """Return the name of the file that a temporary file was to become; None where :func:`write_atomically` made none.

    A kill or a power cut leaves such a file behind. One that is being written is named no differently.
    """
    found = _TEMPORARY.fullmatch(temporary)
    return found and found[1]


def require_writable(path: Path) -> None:
    """Refuse at once a place that `write_atomically` could not write in the end.

    Raises
    ------
    InputError
        When `path` is a folder or a device, or the folder that it lies in is missing or not writable.
    """
    if path.exists() and not path.is_file():
        raise _unwritable(path, "a folder" if path.is_dir() else "no regular file")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: Path, found: str) -> InputError:
    return InputError(
        str(path), expected="a place that can be written", found=found, remedy="choose another path or make room"
    )


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a file made or renamed in it is still there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def expand_home(path: Path) -> Path:
    """Return a path with the home folder of a user in the place of a `~` or `~name` that it begins with.

    Raises
    ------
    InputError
        When that user is not known here.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(str(path), expected="the home folder of a user", found="one who is not known here") from error


def require_regular(path: Path, kind: str, where: str = "", *, missing: str = "") -> int:
    """Refuse what is no regular file, before it is opened: a pipe would wait for whoever writes into it.

    Returns
    -------
    int
        Its size, in bytes.

    Raises
    ------
    InputError
        When `path` is missing, a folder, a pipe or a device. `kind` says what was wanted, `where` who named it, and
        `missing` how to mend it where there is none.
    """
    place = f"{where}: {path}" if where else str(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        absent = isinstance(error, FileNotFoundError)
        dangling = absent and path.is_symlink()
        found = "a link that leads nowhere" if dangling else getattr(error, "strerror", None) or str(error)
        raise InputError(place, expected=kind, found=found, remedy=missing if absent else "") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(place, expected=kind, found="a folder")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(place, expected=kind, found="something that is no regular file")
    return status.st_size


def read_limited(path: Path, limit: int, kind: str, *, missing: str = "") -> bytes:
    """Read a whole file of at most `limit` bytes.

    Raises
    ------
    InputError
        When `path` is missing, is no regular file, cannot be read, or is larger than `limit`. `kind` says what was
        wanted, and `missing` how to mend it where there is none.
    """
    size = require_regular(path, kind, missing=missing)
    try:
        with path.open("rb") as file:
            # What is asked for is set aside at once, and a small board has not as much as the limit.
            content = file.read(min(size, limit) + 1)
            if len(content) > size:
                # It has grown since.
                content += file.read(limit - size)
    except OSError as error:
        raise InputError(str(path), expected=kind, found=error.strerror or str(error)) from error
    if len(content) > limit:
        raise InputError(str(path), expected=f"{kind} of at most {limit:,} bytes", found="a larger file")
    return content
