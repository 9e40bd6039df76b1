"""Which recordings were taken for normal sound: each once, and none of a dead microphone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError


class Fingerprint:
    """What tells a recording's samples from any other's, taken while they pass on; how they are cut changes nothing."""

    def __init__(self) -> None:
        self._samples = hashlib.sha256()
        self._lowest, self._highest = np.inf, -np.inf

    def passing(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass samples on, block by block, each of shape (n,)."""
        for block in blocks:
            self._samples.update(np.ascontiguousarray(block).data)
            if len(block):
                self._lowest, self._highest = (
                    min(self._lowest, float(block.min())),
                    max(self._highest, float(block.max())),
                )
            yield block

    @property
    def digest(self) -> bytes:
        """SHA-256 of the samples that passed."""
        return self._samples.digest()

    @property
    def silent(self) -> bool:
        """Whether nothing moved in them from end to end."""
        return bool(self._lowest >= self._highest)


class Roll:
    """Recordings that are taken for normal sound, one after another."""

    def __init__(self) -> None:
        self._seen: dict[bytes, Path] = {}
        self._listing = hashlib.sha256()

    def enter(self, path: Path, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass a recording's samples on, block by block; with the last of them it is taken.

        Raises
        ------
        InputError
            After the last block: when nothing moves in it from end to end, which would make a dead microphone normal;
            or when its very samples were taken before, which would make the same sound count twice.
        """
        fingerprint = Fingerprint()
        yield from fingerprint.passing(blocks)
        self._take(path, fingerprint.digest, silent=fingerprint.silent)

    def _take(self, path: Path, content: bytes, *, silent: bool) -> None:
        if silent:
            raise InputError(
                str(path),
                expected="sound",
                found="silence from end to end",
                remedy="leave it out, and see whether the microphone works",
            )
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
