"""PyTorch's files of weights (`.pth`), today's ZIP archives and the older sequence of pickles, without PyTorch.

Nothing in a file is run: see `pickles`.
"""

from __future__ import annotations

import io
import math
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from edge_asd_export.weights.files import Array, WeightsFile, broken, check_size
from edge_asd_export.weights.pickles import Storage, Tensor, read_pickle

ZIP_SIGNATURE = b"PK\x03\x04"
"""How a file of PyTorch 1.6 and later begins."""
LEGACY_SIGNATURE = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How an older file begins: a pickle of PyTorch's magic number, 0x1950a86a20f9469cfc6c."""

_KIND = "PyTorch weights"
_PROTOCOL = 1001
_FAULTS = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
_TYPES: dict[str, DTypeLike] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<u1",
}
# Where a checkpoint of a training keeps the weights.
_WRAPPERS = ("state_dict", "model", "model_state_dict")


def read(content: bytes, where: str) -> WeightsFile:
    """Read the tensors of a PyTorch file.

    Raises
    ------
    InputError
        When it is damaged, holds something else than tensors, or wants to run code.
    """
    try:
        arrays = _read_zip(content, where) if content.startswith(ZIP_SIGNATURE) else _read_legacy(content, where)
    except (
        ValueError,
        zipfile.BadZipFile,
        KeyError,
        EOFError,
        struct.error,
        NotImplementedError,
        OverflowError,
    ) as err:
        raise broken(where, _KIND, err) from err
    return WeightsFile(where, "torch", arrays)


def _read_zip(content: bytes, where: str) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_size(sum(entry.file_size for entry in archive.infolist()), where)
        (listing,) = [name for name in archive.namelist() if name.endswith("/data.pkl")] or [""]
        if not listing:
            raise ValueError("an archive without data.pkl")
        folder = listing.removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("numbers of another byte order")
        tensors = _tensors(read_pickle(io.BytesIO(archive.read(listing))).value)
        keys = {tensor.storage.key for tensor in tensors.values()}
        return _arrays(tensors, {key: archive.read(f"{folder}data/{key}") for key in keys}, where)


def _read_legacy(content: bytes, where: str) -> dict[str, Array]:
    file = io.BytesIO(content)
    read_pickle(file)
    if read_pickle(file).value != _PROTOCOL:
        raise ValueError("another version of PyTorch's old format")
    system = read_pickle(file).value
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("numbers of another byte order")
    described = read_pickle(file)
    tensors = _tensors(described.value)
    stretches: dict[str, bytes] = {}
    for key in read_pickle(file).value:
        (length,) = struct.unpack("<q", file.read(8))
        storage = described.storages[str(key)]
        if length != storage.length:
            raise ValueError(f"{length} numbers where {storage.length} are announced")
        stretches[str(key)] = file.read(length * _dtype(storage).itemsize)
    return _arrays(tensors, stretches, where)


def _tensors(content: Any) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise ValueError("no dictionary of weights")
    tensors = {sys.intern(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError("no weights")
    return tensors


def _arrays(tensors: Mapping[str, Tensor], stretches: Mapping[str, bytes], where: str) -> dict[str, Array]:
    # Many tensors may share their numbers: a small file could unfold to any size.
    check_size(sum(math.prod(tensor.shape) * _dtype(tensor.storage).itemsize for tensor in tensors.values()), where)
    return {name: _array(tensor, stretches[tensor.storage.key]) for name, tensor in tensors.items()}


def _array(tensor: Tensor, data: bytes) -> Array:
    dtype = _dtype(tensor.storage)
    if len(data) != tensor.storage.length * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes for {tensor.storage.length} numbers")
    if min((*tensor.shape, *tensor.strides, tensor.offset), default=0) < 0:
        raise ValueError("a tensor of negative size")
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if math.prod(tensor.shape) and tensor.offset + reach >= tensor.storage.length:
        raise ValueError("a tensor that reaches beyond its numbers")
    if math.prod(tensor.shape) > tensor.storage.length:
        raise ValueError("a tensor that repeats its numbers")
    numbers = np.frombuffer(data, dtype)
    strides = tuple(stride * dtype.itemsize for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()


def _dtype(storage: Storage) -> np.dtype[Any]:
    if storage.kind not in _TYPES:
        raise ValueError(f"numbers of class {storage.kind[:40]}")
    return np.dtype(_TYPES[storage.kind])
