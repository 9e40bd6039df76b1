"""PyTorch's files of weights (`.pth`), today's ZIP archives and the older sequence of pickles, without PyTorch.

Nothing in a file is run: see `pickles`.
"""

from __future__ import annotations

import io
import math
import struct
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
# What reading a damaged archive or sequence of pickles ends with; an encrypted one with a RuntimeError.
_FAULTS = (
    *(ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
# Others could unpack to any size at once, whatever the archive says, and PyTorch writes none of them.
_PACKINGS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
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
    except _FAULTS as error:
        raise broken(where, _KIND, error) from error
    return WeightsFile(where, "torch", arrays)


def _read_zip(content: bytes, where: str) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_size(sum(entry.file_size for entry in archive.infolist()), where)
        listings = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(listings) != 1:
            raise ValueError(f"an archive with {len(listings) or 'no'} data.pkl")
        folder = listings[0].removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in archive.namelist() and _member(archive, order) != b"little":
            raise ValueError("numbers of another byte order")
        tensors = _tensors(read_pickle(io.BytesIO(_member(archive, listings[0]))).value)
        keys = {tensor.storage.key for tensor in tensors.values()}
        return _arrays(tensors, {key: _member(archive, f"{folder}data/{key}") for key in keys}, where)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    if entry.compress_type not in _PACKINGS:
        raise ValueError("an archive packed in another way than PyTorch's")
    with archive.open(entry) as file:
        # No more than was announced and counted, though more may be packed.
        return file.read(entry.file_size)


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
    keys = read_pickle(file).value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("no list of the numbers that follow")
    for key in keys:
        (length,) = struct.unpack("<q", file.read(8))
        storage = described.storages[key]
        if length != storage.length:
            raise ValueError(f"{length} numbers where {storage.length} are announced")
        stretches[key] = file.read(length * _dtype(storage).itemsize)
    return _arrays(tensors, stretches, where)


def _tensors(content: Any) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise ValueError("no dictionary of weights")
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError("no weights")
    if not all(isinstance(name, str) for name in tensors):
        raise ValueError("weights whose name is no text")
    return tensors


def _arrays(tensors: Mapping[str, Tensor], stretches: Mapping[str, bytes], where: str) -> dict[str, Array]:
    # Many tensors may share their numbers: a small file could unfold to any size.
    check_size(sum(math.prod(tensor.shape) * _dtype(tensor.storage).itemsize for tensor in tensors.values()), where)
    return {name: _array(tensor, stretches[tensor.storage.key]) for name, tensor in tensors.items()}


def _array(tensor: Tensor, data: bytes) -> Array:
    dtype = _dtype(tensor.storage)
    if len(data) != tensor.storage.length * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes for {tensor.storage.length} numbers")
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
