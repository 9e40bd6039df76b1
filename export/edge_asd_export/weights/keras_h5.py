"""Keras 2 weights in HDF5 (`.h5`), whole models or weights alone.

The description of the model inside is never looked at: only the arrays are read, by their layer's name.
"""

from __future__ import annotations

import io
import re
from typing import Any

import h5py
import numpy as np

from edge_asd_export.weights.files import Array, WeightsFile, broken, check_size

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""

_KIND = "Keras weights in HDF5"
_NAMES_LIMIT = 10_000
# `kernel_1:0` → `kernel`: TensorFlow numbers a variable that it saw before.
_ORNAMENT = re.compile(r"(_\d+)?(:\d+)?$")


def read(content: bytes, where: str) -> WeightsFile:
    """Read the arrays of an HDF5 file, layer by layer in the order of the model.

    Raises
    ------
    InputError
        When it is damaged, holds no Keras weights, or points outside of itself.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            group = _child(file, "model_weights") if "model_weights" in file else file
            return WeightsFile(where, "keras", _arrays(group, where))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, UnicodeError) as error:
        raise broken(where, _KIND, error) from error


def _arrays(group: Any, where: str) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    size = 0
    for layer in _names(group, "layer_names"):
        folder = _child(group, layer)
        for name in _names(folder, "weight_names"):
            dataset = _child(folder, name)
            if dataset.external or dataset.is_virtual or dataset.dtype.kind != "f":
                raise ValueError(f"an array {name[:60]!r} that holds no numbers of its own")
            size += dataset.size * dataset.dtype.itemsize
            check_size(size, where)
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
