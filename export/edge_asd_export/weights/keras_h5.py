"""Keras 2 weights in HDF5 (`.h5`), whole models or weights alone.

The description of the model inside is never looked at: only the arrays are read, by their layer's name.
"""

from __future__ import annotations

import io
import math
import signal
import subprocess

import numpy as np

from edge_asd.isolation import isolated_python
from edge_asd_export.weights.files import REFUSED, WeightsFile, broken

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""

_KIND = "Keras weights in HDF5"
_ENDLESS = "a damaged file that does not end"
_PATIENCE_S = 20.0
_BYTES_PER_S = 2e6


def read(content: bytes, where: str) -> WeightsFile:
    """Read the arrays of an HDF5 file, layer by layer in the order of the model.

    Raises
    ------
    InputError
        When it is damaged, holds no Keras weights, or points outside of itself.
    """
    # The HDF5 library runs in circles on some damaged files, where nothing but the end of its process stops it.
    # Counted is what it computes, so that a busy machine gives up no whole file; the clock is for one that hangs.
    seconds = math.ceil(_PATIENCE_S + len(content) / _BYTES_PER_S)
    command = isolated_python(f"{__package__}.h5_arrays", str(seconds))
    try:
        reader = subprocess.run(  # noqa: S603 - a module of ours
            command,
            input=content,
            capture_output=True,
            timeout=20 * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise broken(where, _KIND, _ENDLESS) from error
    if reader.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise broken(where, _KIND, _ENDLESS)
    if reader.returncode == REFUSED:
        raise broken(where, _KIND, reader.stderr.decode("utf-8", "replace"))
    if reader.returncode != 0:
        raise broken(where, _KIND, f"a damaged file (its reader ended with {reader.returncode})")
    with np.load(io.BytesIO(reader.stdout), allow_pickle=False) as arrays:
        return WeightsFile(where, "keras", {name: arrays[name] for name in arrays.files})
