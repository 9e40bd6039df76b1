"""Which recordings were taken for normal sound: each once, and none of a dead microphone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from edge_asd.audio.recordings import Recording
from edge_asd.errors import InputError


class Roll:
    """Recordings that are taken for normal sound, one after another."""

    def __init__(self) -> None:
        self._seen: dict[bytes, Path] = {}
        self._listing = hashlib.sha256()

    def enter(self, recording: Recording) -> None:
        """Take a recording.

        Raises
        ------
        InputError
            When nothing moves in it from end to end, which would make a dead microphone normal; or when its very
            samples were taken before, which would make the same sound count twice.
        """
        path = recording.path
        if not np.ptp(recording.samples):
            raise InputError(
                str(path),
                expected="sound",
                found="silence from end to end",
                remedy="leave it out, and see whether the microphone works",
            )
        content = hashlib.sha256(recording.samples.tobytes()).digest()
        twin = self._seen.setdefault(content, path)
        if twin != path:
            raise InputError(
                str(path), expected="another recording", found=f"the sound of {twin} again", remedy="leave one out"
            )
        self._listing.update(path.name.encode("utf-8", "surrogateescape") + b"\0" + content)

    @property
    def sha256(self) -> str:
        """SHA-256 over names and samples of the recordings, in order."""
        return self._listing.hexdigest()
