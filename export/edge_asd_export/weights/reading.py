"""Reads a file of weights, whatever its format: told by its content, never by its name."""

from __future__ import annotations

from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.files import read_limited
from edge_asd_export.weights import keras_h5
from edge_asd_export.weights.files import LIMIT, REMEDY, WeightsFile, gunzip

_GZIP = b"\x1f\x8b"


def read_weights(path: Path) -> WeightsFile:
    """Read a file of pretrained weights.

    Parameters
    ----------
    path
        Keras `.h5`, gzipped or not.

    Raises
    ------
    InputError
        When it is of no known format, damaged, or larger than a gibibyte.
    """
    content = read_limited(path, LIMIT, "a file of weights")
    where = str(path)
    if content.startswith(_GZIP):
        content = gunzip(content, where)
    if content.startswith(keras_h5.SIGNATURE):
        return keras_h5.read(content, where)
    raise InputError(where, expected="Keras weights (.h5)", found="another kind of file", remedy=REMEDY)
