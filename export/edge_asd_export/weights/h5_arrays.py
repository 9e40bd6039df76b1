"""Reads Keras weights out of HDF5, in a process of its own: standard input → arrays on standard output.

`keras_h5` runs it, and says how many seconds of computing it may take: the HDF5 library does not end on every file.
"""

from __future__ import annotations

import io
import re
import resource
import sys
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from edge_asd_export.weights.files import LIMIT, REFUSED, Array

_NAMES_LIMIT = 10_000
# `kernel_1:0` → `kernel`: TensorFlow numbers a variable that it saw before.
_ORNAMENT = re.compile(r"(_\d+)?(:\d+)?$")


def main(arguments: Sequence[str]) -> int:
    """Read a file from standard input; write its arrays to standard output, or what is wrong to standard error.

    The one argument says how many seconds of computing it may take.
    """
    seconds = int(arguments[0])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    try:
        with h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r") as file:
            group = _child(file, "model_weights") if "model_weights" in file else file
            arrays: Any = _arrays(group)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, AttributeError, MemoryError) as error:
        sys.stderr.write(str(error) or type(error).__name__)
        return REFUSED
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    sys.stdout.buffer.write(packed.getvalue())
    return 0


def _arrays(group: Any) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    size = 0
    for layer in _names(group, "layer_names"):
        folder = _child(group, layer)
        for name in _names(folder, "weight_names"):
            dataset = _child(folder, name)
            if dataset.external or dataset.is_virtual or dataset.dtype.kind != "f":
                raise ValueError(f"an array {name[:60]!r} that holds no numbers of its own")
            size += dataset.size * dataset.dtype.itemsize
            if size > LIMIT:
                raise ValueError(f"{size:,} bytes of weights")
            variable = _ORNAMENT.sub("", name.rpartition("/")[2])
            if f"{layer}/{variable}" in arrays:
                raise ValueError(f"two arrays {variable!r} in layer {layer[:60]!r}")
            arrays[f"{layer}/{variable}"] = np.asarray(dataset[()], np.float32)
    if not arrays:
        raise ValueError("no weights in any layer")
    return arrays


def _names(group: Any, attribute: str) -> list[str]:
    # Keras spreads a list that is too long for one attribute over several: layer_names0, layer_names1, …
    numbered = sorted(
        (name for name in group.attrs if re.fullmatch(f"{attribute}[0-9]+", name)),
        key=lambda name: int(name[len(attribute) :]),
    )
    if attribute not in group.attrs and not numbered:
        raise ValueError(f"no list {attribute!r}, which Keras 2 writes")
    values = [value for name in (numbered or [attribute]) for value in np.atleast_1d(group.attrs[name])]
    if len(values) > _NAMES_LIMIT:
        raise ValueError(f"{len(values)} names in {attribute!r}")
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _child(group: Any, name: str) -> Any:
    # A soft or external link might lead into another file.
    for part in name.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"no {name[:60]!r} inside the file")
        group = group[part]
    return group
