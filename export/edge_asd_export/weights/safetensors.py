"""safetensors files: a length, a header in JSON, and the numbers. Names are PyTorch's."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import DTypeLike

from edge_asd_export.weights.files import Array, WeightsFile, broken

_KIND = "weights in safetensors"
_TYPES: dict[str, DTypeLike] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U8": "<u1",
    "BOOL": "<u1",
}
_LENGTH = 8
_Size = Annotated[int, Meta(ge=0, le=1 << 40)]


class _Entry(msgspec.Struct):
    dtype: str
    shape: list[_Size]
    data_offsets: tuple[_Size, _Size]


def looks_so(content: bytes) -> bool:
    """Whether the content begins as a safetensors file does: a sane length, then JSON."""
    header = int.from_bytes(content[:_LENGTH], "little")
    return 2 <= header <= len(content) - _LENGTH and content[_LENGTH : _LENGTH + 1] == b"{"


def read(content: bytes, where: str) -> WeightsFile:
    """Read the arrays of a safetensors file.

    Raises
    ------
    InputError
        When the header or the sizes do not hold together.
    """
    length = int.from_bytes(content[:_LENGTH], "little")
    data = memoryview(content)[_LENGTH + length :]
    try:
        header = msgspec.json.decode(content[_LENGTH : _LENGTH + length], type=dict[str, msgspec.Raw])
        header.pop("__metadata__", None)
        entries = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in header.items()}
        if not entries:
            raise ValueError("no weights")
        arrays = {name: _array(entry, data) for name, entry in _disjoint(entries).items()}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise broken(where, _KIND, error) from error
    return WeightsFile(where, "torch", arrays)


def _disjoint(entries: dict[str, _Entry]) -> dict[str, _Entry]:
    # A small file could otherwise unfold to any size.
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        if entry.data_offsets[0] < end:
            raise ValueError(f"an array {name[:60]!r} that shares its bytes with another")
        end = entry.data_offsets[1]
    return entries


def _array(entry: _Entry, data: memoryview) -> Array:
    start, end = entry.data_offsets
    if entry.dtype not in _TYPES:
        raise ValueError(f"numbers of type {entry.dtype[:20]}")
    dtype = np.dtype(_TYPES[entry.dtype])
    if not start <= end <= len(data) or end - start != math.prod(entry.shape) * dtype.itemsize:
        raise ValueError(f"{end - start} bytes at {start} for shape {tuple(entry.shape)}")
    return np.frombuffer(data[start:end], dtype).reshape(entry.shape).copy()
