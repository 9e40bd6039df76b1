"""The folder of clips: written by a thread of its own, within a quota. What cannot be written is lost, and counted.

A clip is FOLDER/SOURCE/ID.flac, its picture beside it ID.png; ID is the anomaly's, a ULID. The times of the files say
which clip is older, and are kept in the order of writing: a ULID of a start with the clock behind would not be.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import itertools
import logging
import math
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import load_soundfile
from edge_asd.backlog import Backlog
from edge_asd.clock import clock_synced, rfc3339
from edge_asd.errors import InputError
from edge_asd.evidence.picture import draw_spectrogram
from edge_asd.files import require_writable, target_of, write_atomically
from edge_asd.firmware import Evidence
from edge_asd.publish import Clip, EvidenceHealth
from edge_asd.ulid import PATTERN

_log = logging.getLogger(__name__)

_MOST_WAITING = 8
_CLOSE_S = 2.0
_NAME = re.compile(PATTERN)
_STEP_S = 2.0
"""How far from another's a file's time is set, in seconds: as fine as FAT keeps it."""


class Saving:
    """A clip on its way to the disk."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._clip: Clip | None = None

    def settle(self, clip: Clip | None) -> None:
        """Say where it is; None where it is lost."""
        self._clip = clip
        self._done.set()

    @property
    def is_over(self) -> bool:
        """Whether it is written, or lost."""
        return self._done.is_set()

    def result(self, timeout_s: float = 0.0) -> Clip | None:
        """Return the clip if it was written within so many seconds."""
        self._done.wait(timeout_s)
        return self._clip


class _Job(NamedTuple):
    source: str
    name: str
    samples: NDArray[np.int16]
    sample_rate: int
    saving: Saving


class _Kept(NamedTuple):
    modified: float
    name: str
    sound: Path
    size: int


class ClipStore:
    """Keeps clips.

    Parameters
    ----------
    settings
        Where, and how many.
    clock
        Unix time in seconds.
    is_set
        Says whether the clock can be trusted; where it cannot, no clip is too old.
    """

    def __init__(
        self,
        settings: Evidence,
        clock: Callable[[], float] = time.time,
        is_set: Callable[[], bool] = clock_synced,
    ) -> None:
        self._settings, self._clock, self._is_set = settings, clock, is_set
        self._folder = Path(settings.path or ".")
        # What all machines hear at once, each may keep.
        self._jobs: Backlog[_Job] = Backlog(_MOST_WAITING, lambda job: job.source)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._health = EvidenceHealth()
        self._cleared = False

    def save(self, source: str, name: str, samples: NDArray[np.int16], sample_rate: int) -> Saving:
        """Have a clip written, mono, shape (n,), n ≥ 1; never waits.

        Parameters
        ----------
        source
            Id of the source.
        name
            ULID of the anomaly, or of its own.
        samples, sample_rate
            The sound.
        """
        saving = Saving()
        self._start()
        try:
            self._jobs.put(_Job(source, name, samples, sample_rate, saving))
        except queue.Full as full:
            self._lose(saving, f"{source}: the disk is too slow, or the daemon stops: {full}")
        return saving

    def try_out(self) -> None:
        """Have it seen whether a clip could be written, and told where it could not: the first may be due in a year."""
        # In a thread that nobody waits for: the disk may hang.
        threading.Thread(target=self._try_out, name="clips-trial", daemon=True).start()

    def _try_out(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            require_writable(self._folder / "clip")
        except (InputError, OSError) as error:
            _log.warning("no clip can be kept: %s", error)
            self._complain(str(error), lost=0)

    def close(self) -> None:
        """Write what waits, for at most some seconds, and nothing more."""
        self._jobs.close()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)

    def health(self) -> EvidenceHealth:
        """Return how the keeping fares."""
        return self._health

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        for job in self._jobs:
            try:
                job.saving.settle(self._write(job))
            except (InputError, OSError) as error:
                self._lose(job.saving, f"{job.source}: {error}")
            except Exception as error:  # noqa: BLE001 - a guard: the next clip is to be written
                _log.exception("a clip could not be made")
                self._lose(job.saving, repr(error))

    def _write(self, job: _Job) -> Clip:
        folder = self._folder / job.source
        folder.mkdir(parents=True, exist_ok=True)
        sound, picture = _flac(job.samples, job.sample_rate), draw_spectrogram(job.samples)
        path = folder / f"{job.name}.flac"
        with self._claimed():
            others = self._make_room(len(sound) + len(picture))
            write_atomically(path, sound)
            # Before the picture, which is flushed to the disk and takes the times with it.
            self._date(path, others)
            write_atomically(path.with_suffix(".png"), picture)
        with self._lock:
            self._health = EvidenceHealth(written=self._health.written + 1, lost=self._health.lost)
        digest = hashlib.sha256(sound).hexdigest()
        return Clip(path=str(path), sha256=digest, picture=str(path.with_suffix(".png")))

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[None]:
        """Keep other stores, of this process or another, from clearing the folder; clear it first, if not yet done."""
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            if not self._cleared:
                self._cleared = self._clear(descriptor)
            # Where a file system has no such locks, no store clears it.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            yield
        finally:
            os.close(descriptor)

    def _clear(self, descriptor: int) -> bool:
        """Remove what a kill or a power cut left half written, unless another store may be writing it right now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        for path in self._folder.glob("*/.*"):
            target = Path(target_of(path.name) or "")
            if target.suffix in {".flac", ".png"} and _NAME.fullmatch(target.stem):
                with contextlib.suppress(OSError):
                    path.unlink()
        return True

    def _make_room(self, size: int) -> list[_Kept]:
        """Drop the oldest clips until one of this size fits the quota; the room that others want is not touched.

        Nothing but what is too old is dropped for a clip that cannot be kept.

        Returns
        -------
        list of _Kept
            The clips that remain, the oldest first.
        """
        limits = self._settings
        if size > limits.max_bytes:
            raise InputError("evidence.max_bytes", expected=f"room for a clip of {size}", found=str(limits.max_bytes))
        kept = self._kept()
        expired = self._expired(kept)
        _drop(expired)
        kept = kept[len(expired) :]
        displaced = self._displaced(kept, size)
        free = shutil.disk_usage(self._folder).free + sum(clip.size for clip in displaced)
        if free - size < limits.keep_free_bytes:
            raise InputError(
                str(self._folder),
                expected=f"{_mebibytes(limits.keep_free_bytes + size)} free, for a clip and evidence.keep_free_bytes",
                found=_mebibytes(free),
                remedy="make room on the disk, or lower evidence.keep_free_bytes",
            )
        _drop(displaced)
        return kept[len(displaced) :]

    def _expired(self, kept: list[_Kept]) -> list[_Kept]:
        """Return the oldest of these clips, as far as they are too old."""
        now = self._clock()
        longest_s = self._settings.max_age_s if self._is_set() else math.inf
        return list(itertools.takewhile(lambda clip: now - clip.modified > longest_s, kept))

    def _displaced(self, kept: list[_Kept], size: int) -> list[_Kept]:
        """Return the oldest of these clips, as far as they have to go for one of this size."""
        total = sum(clip.size for clip in kept)
        for number, clip in enumerate(kept):
            if len(kept) - number < self._settings.max_count and total + size <= self._settings.max_bytes:
                return kept[:number]
            total -= clip.size
        return kept

    def _date(self, path: Path, others: list[_Kept]) -> None:
        """Have a new file be younger than all others: where the clock can be trusted, it is theirs that are wrong."""
        if not others:
            return
        # What belongs to another user keeps its time, and the clip is there all the same.
        with contextlib.suppress(OSError):
            moment = path.stat().st_mtime
            if moment <= others[-1].modified and not self._is_set():
                moment = others[-1].modified + _STEP_S
                os.utime(path, (moment, moment))
            for clip in reversed(others):
                if clip.modified < moment:
                    break
                moment -= _STEP_S
                os.utime(clip.sound, (moment, moment))

    def _kept(self) -> list[_Kept]:
        """Return the clips there are, the oldest first; whatever else lies in the folder is none of ours."""
        kept = []
        for sound in self._folder.glob("*/*.flac"):
            if not _NAME.fullmatch(sound.stem):
                continue
            try:
                found = sound.stat()
                picture = sound.with_suffix(".png")
                size = found.st_size + (picture.stat().st_size if picture.exists() else 0)
            except FileNotFoundError:
                continue
            kept.append(_Kept(found.st_mtime, sound.stem, sound, size))
        return sorted(kept)

    def _lose(self, saving: Saving, reason: str) -> None:
        _log.warning("a clip is lost: %s", reason)
        self._complain(reason, lost=1)
        saving.settle(None)

    def _complain(self, reason: str, lost: int) -> None:
        with self._lock:
            self._health = EvidenceHealth(
                written=self._health.written,
                lost=self._health.lost + lost,
                last_error=reason,
                last_error_ts=rfc3339(self._clock()),
            )


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"


def _drop(clips: Iterable[_Kept]) -> None:
    for clip in clips:
        for path in (clip.sound, clip.sound.with_suffix(".png")):
            path.unlink(missing_ok=True)


def _flac(samples: NDArray[np.int16], sample_rate: int) -> bytes:
    stream = io.BytesIO()
    load_soundfile().write(stream, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()
