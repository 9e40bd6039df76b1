"""Which sources a device has ever told its broker of: a retained message outlives the source that it is about."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from edge_asd.errors import InputError
from edge_asd.files import read_limited, write_atomically
from edge_asd.publish.topics import is_id

_log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 16


class Roster:
    """Names of sources, kept in a file, so that a restart finds what an earlier start has told of.

    Nothing rests on the file but tidiness: where it cannot be read or written, that is logged, and memory goes on.

    Parameters
    ----------
    path
        The file, a list of names in JSON; made, with its folder, where there is none. In memory alone where None.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._names = frozenset(() if path is None else _read(path))
        self._noted = self._names

    def gone(self, present: Iterable[str]) -> frozenset[str]:
        """Note who is present, and return all others that ever were."""
        present = frozenset(present)
        names = self._names | present
        # What could not be written may be by the next time.
        if self.path is not None and names != self._noted and _write(self.path, names):
            self._noted = names
        self._names = names
        return names - present


def _read(path: Path) -> list[str]:
    try:
        if not path.exists():
            return []
        names = msgspec.json.decode(read_limited(path, _MOST_BYTES, "names of sources"), type=list[str])
        return [name for name in names if is_id(name)]
    except (InputError, OSError, msgspec.DecodeError) as error:
        _log.warning("%s: the sources of earlier starts are not known: %s", path, error)
        return []


def _write(path: Path, names: Iterable[str]) -> bool:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(sorted(names)))
    except (InputError, OSError) as error:
        _log.warning("the sources that are told of cannot be noted: %s", error)
        return False
    return True
