"""What pretrained nets take long for, kept on disk: their converted forms, and their rows of each recording.

A net is converted once and a clip goes through it once, however often recipes, units, seeds and splits come back to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.features import resolve
from edge_asd.files import write_atomically
from edge_asd.pipeline import Rows, RowSet
from edge_asd.recipe.graph import Recipe
from edge_asd.version import __version__

_DIGEST = hashlib.sha256().digest_size

Rows3 = NDArray[np.float32]
"""Rows of every horizon of a recording, shape (horizons, rows, d)."""


class Memory(NamedTuple):
    """Where both are kept; a file that is damaged or missing is made anew."""

    folder: Path
    """`HASH.npy` for each recording and branch, `HASH.tflite` for each form of a net, after the hash of its content."""

    def form(self, key: object, make: Callable[[], bytes]) -> bytes:
        """Return the TFLite file that is kept under a key, anything that JSON can hold; make it where there is none."""
        name = hashlib.sha256(msgspec.json.encode(key, order="deterministic")).hexdigest()
        path = self.folder / f"{name}.tflite"
        with contextlib.suppress(OSError):
            kept = path.read_bytes()
            if kept[:_DIGEST] == hashlib.sha256(kept[_DIGEST:]).digest():
                return kept[_DIGEST:]
        content = make()
        write_atomically(path, hashlib.sha256(content).digest() + content)
        return content


class RememberedRows:
    """What `Rows` gives for whole recordings, its pretrained branches out of a memory where they are in it.

    Each branch is computed by `Rows` itself, alone; the key is the hash of the samples, the branch's front end, patch
    and net, the horizon, and the package's version.
    """

    def __init__(self, recipe: Recipe, networks: Mapping[str, bytes], memory: Memory, *, where: str) -> None:
        self._recipe, self._memory = recipe, memory
        names = list(recipe.used_branches)
        self._rows = {name: Rows(recipe.judging_only(name), networks, where=where) for name in names}
        self._keys = {name: _branch_key(recipe, name, networks) for name in recipe.pretrained_branches}

    def of_recording(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[int, RowSet]]:
        """Give the end and the rows of every horizon of a recording, which is held whole: its hash is the key."""
        samples = np.concatenate(list(blocks))
        ends = range(self._recipe.horizon_samples, len(samples) + 1, self._recipe.hop_samples)
        if not ends:
            return
        content = hashlib.sha256(samples.tobytes()).hexdigest()
        found = {name: self._branch(name, content, samples, len(ends)) for name in self._rows}
        for index, end in enumerate(ends):
            yield end, {name: values[index] for name, values in found.items()}

    def _branch(self, name: str, content: str, samples: NDArray[np.float32], count: int) -> Rows3:
        if name not in self._keys:
            return self._compute(name, samples)
        key = hashlib.sha256(f"{self._keys[name]}|{content}".encode()).hexdigest()
        path = self._memory.folder / f"{key}.npy"
        kept = _read(path)
        if kept is not None and len(kept) == count:
            return kept
        computed = self._compute(name, samples)
        _write(path, computed)
        return computed

    def _compute(self, name: str, samples: NDArray[np.float32]) -> Rows3:
        return np.stack([row_set[name].copy() for _, row_set in self._rows[name].of_recording([samples])])


def rows_of(recipe: Recipe, networks: Mapping[str, bytes], memory: Memory | None) -> Rows | RememberedRows:
    """Return what turns recordings into rows, with a memory where there is one and something to keep in it."""
    if memory and recipe.pretrained_branches:
        return RememberedRows(recipe, networks, memory, where=recipe.name)
    return Rows(recipe, networks, where=recipe.name)


def _branch_key(recipe: Recipe, name: str, networks: Mapping[str, bytes]) -> str:
    branch = recipe.branches[name]
    net = hashlib.sha256(networks[f"branches/{name}"]).hexdigest()
    # Of a preset not its name but what it stands for, which another version may read otherwise.
    front_end = resolve(branch.front_end)
    settings = [__version__, front_end, branch.patch, branch.model, recipe.sample_rate, recipe.horizon, net]
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()


def _read(path: Path) -> Rows3 | None:
    try:
        values: Rows3 = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return values if values.dtype == np.float32 and values.ndim == 3 else None


def _write(path: Path, values: Rows3) -> None:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    write_atomically(path, content.getvalue())
