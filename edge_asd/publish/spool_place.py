"""Where the spool may stand: its file, damaged or not, is told from other people's, which are never moved away."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.files import require_regular

APPLICATION = int.from_bytes(b"easd", "big")
"""What a spool's file says of itself in its header, so that a damaged one is told from other people's."""
_FIRST_PAGE_BYTES = 4096
_PLACE = "a place for the spool"
_COLUMN = b"place INTEGER PRIMARY KEY"


def require_spool_place(path: Path) -> None:
    """Refuse a place where something stands that never was a spool, and would be lost; a damaged spool is none of that.

    Raises
    ------
    InputError
        When there is a folder, a pipe or a device at `path`, or a file that is neither empty nor a spool, has no lock
        beside it, and is not called one.
    """
    try:
        if not path.exists() or _is_in_use(path):
            return
        if require_regular(path, _PLACE, "spool.path") == 0 or _was_ours(path) or _is_spool(path):
            return
    except OSError:
        # What cannot be read is told, and tried again, by whoever opens it; nothing is moved away then.
        return
    raise InputError(
        f"spool.path: {path}",
        expected=_PLACE,
        found="a file that is no spool, and would be lost",
        remedy="choose another path",
    )


def _is_in_use(path: Path) -> bool:
    # A file that SQLite has open in this process must not be opened and closed beside it: its locks would be gone
    # (https://www.sqlite.org/howtocorrupt.html, 2.2).
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _was_ours(path: Path) -> bool:
    # A power cut can leave nothing of a file but its name; the daemon has to start all the same.
    return path.suffix == ".spool" or Path(f"{path}.lock").exists()


def _is_spool(path: Path) -> bool:
    """Say whether a file's first page is that of a spool, whatever the rest (https://www.sqlite.org/fileformat.html)."""
    with path.open("rb") as file:
        page = file.read(_FIRST_PAGE_BYTES)
    application = page[68:72]
    if not page.startswith(b"SQLite format 3\0"):
        return False
    # Earlier versions left no mark; the table stands in the first page, or nothing does as long as it is in the log.
    is_unmarked = application in {b"", bytes(4)} and (_COLUMN in page or page[103:105] in {b"", bytes(2)})
    return is_unmarked or int.from_bytes(application, "big") == APPLICATION
