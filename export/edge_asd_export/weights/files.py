"""What all readers of weights give, and the limits that all of them keep."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd.files import read_limited

Array = NDArray[np.generic]
Format = Literal["keras", "torch", "tensorflow"]
"""Whose names and order of axes an array has. safetensors files hold PyTorch's."""

LIMIT = 1 << 30
"""Most bytes that a file of weights may have, packed and unpacked."""
REFUSED = 3
"""Exit status of a reader that runs in a process of its own, where it refuses a file."""
REMEDY = "download it again, or give the file that belongs to this net"


class WeightsFile(NamedTuple):
    """The arrays of a file of weights; nothing in it was run."""

    where: str
    """The file, as errors name it."""
    format: Format
    """Whose names and order of axes the arrays have."""
    arrays: dict[str, Array]
    """Arrays by name, in the order of the file: `LAYER/VARIABLE` of Keras, others as they are named there."""
    sha256: str = ""
    """SHA-256 of the file as it is on the disk."""


def broken(where: str, kind: str, reason: object) -> InputError:
    """Return the error for a file that is not what it seems to be."""
    # What a file calls things may hold signs that a terminal obeys.
    shown = "".join(sign if sign.isprintable() else " " for sign in str(reason)[:1000])
    text = " ".join(shown.split())[:160] or "something else"
    return InputError(where, expected=kind, found=text, remedy=REMEDY)


def read_file(path: Path) -> bytes:
    """Read a file of at most `LIMIT` bytes.

    Raises
    ------
    InputError
        When it is missing, cannot be read, is larger, or is none, as a pipe that never ends.
    """
    return read_limited(path, LIMIT, "a file of weights")


def gunzip(content: bytes, where: str) -> bytes:
    """Unpack gzip, and stop where it grows beyond `LIMIT`.

    Raises
    ------
    InputError
        When it is damaged, truncated, or unpacks to more.
    """
    unpacker: Any = zlib.decompressobj(wbits=31)
    try:
        data = bytes(unpacker.decompress(content, LIMIT))
    except zlib.error as error:
        raise broken(where, "a whole gzip file", error) from error
    if unpacker.unconsumed_tail:
        raise broken(where, f"at most {LIMIT:,} bytes of weights", "a gzip file that unpacks to more")
    if not unpacker.eof or unpacker.unused_data:
        raise broken(where, "a whole gzip file", "a truncated or lengthened one")
    return data


def check_size(size: int, where: str) -> None:
    """Refuse arrays that claim more than `LIMIT` bytes together."""
    if size > LIMIT:
        raise broken(where, f"at most {LIMIT:,} bytes of weights", f"{size:,} bytes")
