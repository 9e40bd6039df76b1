"""Whether files have been changed: asked again and again, for a file on any medium and in any folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

_Signature = tuple[int, int, int] | None


class FileWatch:
    """Tells of a change once it is over: when the files have been the same for a while.

    What is to be read is added before: what changes while it is read has changed.

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
        self._known = {path: _signature(path) for path in paths}
        self._seen = dict(self._known)
        self._every_s, self._clock = every_s, clock
        self._due = clock() + every_s

    def add(self, path: Path) -> None:
        """Watch a file as well, or anew, and take it as it is now for unchanged."""
        self._known[path] = self._seen[path] = _signature(path)

    def keep(self, paths: Iterable[Path]) -> None:
        """Watch these alone from now on; those that were watched before are still what they were then."""
        self._known = {path: self._known[path] if path in self._known else _signature(path) for path in paths}
        self._seen = dict(self._known)

    def has_changed(self) -> bool:
        """Return whether the files are other than they were, and told so for the first time."""
        if self._clock() < self._due:
            return False
        self._due = self._clock() + self._every_s
        before, self._seen = self._seen, {path: _signature(path) for path in self._known}
        if self._seen == self._known or self._seen != before:
            return False
        self._known = dict(self._seen)
        return True


def _signature(path: Path) -> _Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
