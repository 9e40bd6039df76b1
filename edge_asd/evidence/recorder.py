"""The latest sound of one source, and the clips that are made of it."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import to_int16
from edge_asd.evidence.store import ClipStore, Saving
from edge_asd.firmware import Evidence
from edge_asd.publish import Clip
from edge_asd.ulid import new_ulid

_SNAPSHOT_S = 10.0


class _Open(NamedTuple):
    """A clip whose sound is not over."""

    name: str
    pieces: list[NDArray[np.int16]]
    end: int
    """Sample after its last, counted from the start."""


class Recorder:
    """Remembers the latest sound, and has it kept with what follows when an anomaly begins.

    Sound that is lost is left out: what came before it and what came after it then stand side by side.

    Parameters
    ----------
    source
        Id of the source.
    sample_rate
        In hertz.
    settings
        How much sound before and after the beginning.
    store
        Where clips go.
    """

    def __init__(self, source: str, sample_rate: int, settings: Evidence, store: ClipStore) -> None:
        self._source, self._sample_rate, self._store = source, sample_rate, store
        # The block that was heard last is always among the latest sound.
        self._before = max(1, round(settings.before_s * sample_rate))
        self._after = round(settings.after_s * sample_rate)
        self._lock = threading.Lock()
        self._recent: deque[NDArray[np.int16]] = deque()
        self._remembered = 0
        self._heard = 0
        self._open: _Open | None = None
        self._saving: tuple[str, Saving] | None = None

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Take samples, shape (n,)."""
        piece = to_int16(samples)
        with self._lock:
            self._heard += len(piece)
            self._recent.append(piece)
            self._remembered += len(piece)
            while self._remembered - len(self._recent[0]) >= self._before:
                self._remembered -= len(self._recent.popleft())
            if self._open is not None:
                self._open.pieces.append(piece)
                if self._heard >= self._open.end:
                    self._save(self._open)

    def begin(self, anomaly: str) -> None:
        """Have the clip of an anomaly begin."""
        with self._lock:
            self._saving = None
            self._open = _Open(anomaly, list(self._recent), self._heard + self._after)

    def clip(self, anomaly: str) -> Clip | None:
        """Return the clip of an anomaly, once it is written."""
        with self._lock:
            saving = self._saving
        return saving[1].result() if saving and saving[0] == anomaly else None

    def finish(self, anomaly: str) -> Saving | None:
        """End the clip of an anomaly, and return it on its way to the disk; None where it has no sound."""
        with self._lock:
            if self._open is not None and self._open.name == anomaly:
                self._save(self._open)
            saving = self._saving
        return saving[1] if saving and saving[0] == anomaly else None

    def snapshot(self, timeout_s: float = _SNAPSHOT_S) -> Clip | None:
        """Have the latest sound kept, and return its clip; None where there is no sound, or it cannot be written."""
        with self._lock:
            pieces = list(self._recent)
        if not pieces:
            return None
        return self._store.save(self._source, new_ulid(), np.concatenate(pieces), self._sample_rate).result(timeout_s)

    def _save(self, clip: _Open) -> None:
        self._open = None
        if clip.pieces:
            samples = np.concatenate(clip.pieces)
            self._saving = clip.name, self._store.save(self._source, clip.name, samples, self._sample_rate)
