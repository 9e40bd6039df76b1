"""Reads a file of weights, whatever its format: told by its content, never by its name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_asd.errors import InputError
from edge_asd_export.weights import checkpoint, keras_h5, safetensors, torch_file
from edge_asd_export.weights.files import REMEDY, WeightsFile, gunzip, read_file

_GZIP = b"\x1f\x8b"
_KNOWN = "weights of Keras (.h5), PyTorch (.pth), safetensors or a TensorFlow checkpoint"


def read_weights(path: Path, *, sha256: str = "", remedy: str = REMEDY) -> WeightsFile:
    """Read a file of pretrained weights; no code in it is run.

    Parameters
    ----------
    path
        Keras `.h5`, gzipped or not, PyTorch `.pth`, safetensors, or a TensorFlow checkpoint: its file of the old
        format, its index, or the common beginning of the names of its files.
    sha256
        First digits that its SHA-256 must have, at least; any where left out.
    remedy
        What to do about a file of another one.

    Raises
    ------
    InputError
        When its SHA-256 is another, or it is of no known format, damaged, wants to run code, is larger than a gibibyte,
        or is no file.
    """
    path = named_file(path)
    content = read_file(path)
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        raise InputError(str(path), expected=f"SHA-256 {sha256}", found=found[: len(sha256)], remedy=remedy)
    return _read(path, content)._replace(sha256=found)


def hash_weights(path: Path) -> str:
    """Return the SHA-256 of a file of weights, as `read_weights` gives it; of a TFLite file too.

    Of a checkpoint in several files that of its index, which holds the checksums of all that is in the others.

    Raises
    ------
    InputError
        When it is missing, cannot be read, or is larger than a gibibyte.
    """
    return hashlib.sha256(read_file(named_file(path))).hexdigest()


def named_file(path: Path) -> Path:
    """Return the file that holds weights, or says where they are: a checkpoint may be named without `.index`."""
    index = path.with_name(f"{path.name}{checkpoint.INDEX}")
    return index if not path.exists() and index.exists() else path


def _read(path: Path, content: bytes) -> WeightsFile:
    where = str(path)
    if content.startswith(_GZIP):
        content = gunzip(content, where)
    if content.startswith(keras_h5.SIGNATURE):
        return keras_h5.read(content, where)
    if content.startswith((torch_file.ZIP_SIGNATURE, torch_file.LEGACY_SIGNATURE)):
        return torch_file.read(content, where)
    if content.endswith(checkpoint.TABLE_SIGNATURE):
        return checkpoint.read(path)
    if safetensors.looks_so(content):
        return safetensors.read(content, where)
    raise InputError(where, expected=_KNOWN, found="another kind of file", remedy=REMEDY)
