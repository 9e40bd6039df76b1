"""Whether files have been changed: asked again and again, for a file on any medium and in any folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

_Signature = tuple[tuple[int, int, int] | None, ...]


class FileWatch:
    """Tells of a change once it is over: when the files have been the same for a while.

    Parameters
    ----------
    paths
        What to watch; a file may go and come back.
    every_s
        Least seconds between two looks, and for how long a change must have rested.
    clock
        Seconds of a monotonic clock.
    """

    def __init__(
        self, paths: Iterable[Path], *, every_s: float = 2.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._paths = sorted(paths)
        self._every_s, self._clock = every_s, clock
        self.settle()

    def settle(self) -> None:
        """Take the files as they are now for unchanged."""
        self._known = self._seen = self._look()
        self._due = self._clock() + self._every_s

    def has_changed(self) -> bool:
        """Return whether the files are other than they were, and told so for the first time."""
        if self._clock() < self._due:
            return False
        self._due = self._clock() + self._every_s
        before, self._seen = self._seen, self._look()
        if self._seen == self._known or self._seen != before:
            return False
        self._known = self._seen
        return True

    def _look(self) -> _Signature:
        return tuple(_signature(path) for path in self._paths)


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
