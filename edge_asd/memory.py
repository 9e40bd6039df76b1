"""Keeps this process small, on Linux: what only its start needed goes back to the system."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# From malloc.h of glibc; mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_BIG_BYTES = 128 << 10

# From mman.h of Linux; madvise(2).
_MADV_DONTNEED = 4
_SELF = Path("/proc/self")
# Start, end, permissions and file; one without a path, or a device's, is no program.
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ +(?!/dev/|/memfd:)(/.*)")


class Mapping(NamedTuple):
    """A part of a file in the memory of a process."""

    start: int
    """Its address."""
    size: int
    """In bytes."""


def limit_allocator() -> None:
    """Have memory that was freed go back to the system, instead of each thread keeping its own stock of it.

    To be called before there are threads. It saves some 5 MiB; without glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _BIG_BYTES), (_M_TRIM_THRESHOLD, _BIG_BYTES)):
            mallopt(parameter, value)


def release_code() -> None:
    """Let go of the code of programs and libraries; what is still needed comes back from the system's cache by itself.

    To be called when a start is over: it runs through most of the code that is mapped, and what follows through a
    third. Nothing can be lost, since only what equals its file is let go of, and remains so: a library that is being
    loaded, or may be unloaded, is left alone. Any thread may call, while others run and load more of them.
    It saves some 20 MiB in the daemon; without Linux nothing happens.
    """
    try:
        program = str((_SELF / "exe").readlink())
        files = {found[4] for line in _lines("maps") if (found := _MAPPING.match(line))}
        lasting = {file for file in files if file == program or _is_loaded_for_good(file)}
        # Only now: what a mapping of a library holds is settled once it is loaded.
        smaps = _lines("smaps")
    except OSError:
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for mapping in unchanged_code(smaps, lasting):
        # Where memory is locked the system refuses, and all stays as it is.
        madvise(mapping.start, mapping.size, _MADV_DONTNEED)


def _lines(name: str) -> list[str]:
    # A file's name may be no text.
    return os.fsdecode((_SELF / name).read_bytes()).splitlines()


def _is_loaded_for_good(file: str) -> bool:
    """Return whether a file is a library in use, once whoever is about to load one has done so, and have it stay so."""
    try:
        # It loads nothing, and counts one more user, who never leaves: ctypes closes no library.
        ctypes.CDLL(file, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except (OSError, UnicodeDecodeError):
        # The latter where the loader refuses a name that is no text.
        return False
    return True


def unchanged_code(smaps: Iterable[str], files: Container[str]) -> Iterator[Mapping]:
    """Yield the private mappings of files that nobody can write to, and nobody has: what the loader relocated has been.

    Parameters
    ----------
    smaps
        Lines of Linux's /proc/PID/smaps; proc(5).
    files
        Whose mappings count.
    """
    candidate: Mapping | None = None
    for line in smaps:
        if found := _MAPPING.match(line):
            start, end, permissions = int(found[1], 16), int(found[2], 16), found[3]
            counts = permissions in ("r--p", "r-xp") and found[4] in files
            candidate = Mapping(start, end - start) if counts else None
        elif re.match(r"[0-9a-f]+-", line):
            candidate = None
        elif line.startswith(("Anonymous:", "Swap:")) and line.split()[1] != "0":
            # Pages of its own that were swapped out would be lost as well.
            candidate = None
        elif candidate and line.startswith("Swap:"):
            yield candidate
