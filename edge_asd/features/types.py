"""Types of arrays that the front ends pass on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]


def read_only(array: Float32) -> Float32:
    """Return a view that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view
