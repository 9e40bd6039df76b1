"""Puts the arrays of a file into the layers of a net, and makes sure that they got there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from edge_asd.errors import InputError
from edge_asd_export.weights.files import REMEDY, Array, Format, WeightsFile

_TORCH_VARIABLES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_TENSORFLOW_VARIABLES = {"kernel": "weights", "bias": "biases"}


class Naming(NamedTuple):
    """Where a file of one format keeps what a net's layers need."""

    layer: Callable[[str], str] = str
    """Name of a layer of the net → its name in the file."""
    unused: str = r"(?!)"
    """Regular expression of arrays that the net has no use for, such as its classifier's."""
    array: Callable[[str], str] = str
    """Name of an array in the file → its name today, where older files have another."""
    by_order: bool = False
    """Whether layers correspond by their order, since the file's names depend on how it was made."""


class _Slot(NamedTuple):
    layer: str
    kind: str
    """What the variable is to its layer, such as `kernel`, as Keras 2 called it."""
    variable: Any


def load(model: Any, file: WeightsFile, naming: Naming) -> None:
    """Put a file's arrays into a Keras model, each in the one place that it belongs to.

    Raises
    ------
    InputError
        When an array is missing, has another shape, is not finite, or has no place in the model.
    """
    unused = re.compile(naming.unused)
    renamed = {naming.array(name): array for name, array in file.arrays.items()}
    arrays = {name: array for name, array in renamed.items() if not unused.fullmatch(name)}
    slots = list(_slots(model))
    names = _names_by_order(slots, arrays, file) if naming.by_order else [_name(slot, file, naming) for slot in slots]
    values = [_take(arrays, name, slot, file) for name, slot in zip(names, slots, strict=True)]
    if arrays:
        raise _misfit(file, f"only arrays that {model.name} has a place for", f"{next(iter(arrays))[:80]!r} beside")
    for slot, value in zip(slots, values, strict=True):
        slot.variable.assign(value)
    for name, slot, value in zip(names, slots, values, strict=True):
        if not np.array_equal(np.asarray(slot.variable), value):
            raise _misfit(file, f"{name!r} in layer {slot.layer}", "other numbers after loading")


def _slots(model: Any) -> Iterator[_Slot]:
    for layer in model.layers:
        depthwise = type(layer).__name__ == "DepthwiseConv2D"
        for variable in layer.weights:
            kind = str(variable.path.rpartition("/")[2])
            yield _Slot(layer.name, "depthwise_kernel" if depthwise and kind == "kernel" else kind, variable)


def _name(slot: _Slot, file: WeightsFile, naming: Naming) -> str:
    layer = naming.layer(slot.layer)
    if file.format == "torch":
        return f"{layer}.{_TORCH_VARIABLES.get(slot.kind, slot.kind)}"
    if file.format == "tensorflow":
        return f"{layer}/{_TENSORFLOW_VARIABLES.get(slot.kind, slot.kind)}"
    return f"{layer}/{slot.kind}"


def _names_by_order(slots: list[_Slot], arrays: dict[str, Array], file: WeightsFile) -> list[str]:
    # Layers that have weights, one after another, on both sides; within a layer by the variables' own names.
    ours = list(dict.fromkeys(slot.layer for slot in slots))
    theirs = list(dict.fromkeys(name.rpartition("/")[0] for name in arrays))
    if len(ours) != len(theirs):
        raise _misfit(file, f"{len(ours)} layers with weights", f"{len(theirs)}")
    matched = dict(zip(ours, theirs, strict=True))
    return [f"{matched[slot.layer]}/{slot.kind}" for slot in slots]


def _take(arrays: dict[str, Array], name: str, slot: _Slot, file: WeightsFile) -> Array:
    if name not in arrays:
        raise _misfit(file, f"an array {name!r} for layer {slot.layer}", "none")
    array = _in_order_of_keras(arrays.pop(name), file.format)
    shape = tuple(slot.variable.shape)
    if array.shape != shape:
        raise _misfit(file, f"{name!r} of shape {shape}", f"shape {array.shape}")
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise _misfit(file, f"finite numbers in {name!r}", f"{array.dtype} that are not")
    return np.asarray(array, np.float32)


def _in_order_of_keras(array: Array, format: Format) -> Array:  # noqa: A002 - the file's own word for it
    # PyTorch: output, input, height, width; Keras: height, width, input, output.
    if format != "torch" or array.ndim not in (2, 4):
        return array
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def _misfit(file: WeightsFile, expected: str, found: str) -> InputError:
    return InputError(file.where, expected=expected, found=found, remedy=REMEDY)
