"""Arithmetic that several detectors share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_FEW = 64
_NEGLIGIBLE = -700.0
"""Logarithm of what changes no sum that 1 is a part of, and is still a normal number."""
CHUNK = 1 << 17
"""Numbers in a temporary array: 1 MiB, which the caches of a small board can still serve."""


def log_sum_exp(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln Σₖ exp(terms[:, k]), shape (n,), of finite terms of shape (n, k). Overwrites `terms`."""
    if terms.size <= _FEW:
        # One call in place of six: faster as long as there is little to do.
        return np.asarray(np.logaddexp.reduce(terms, axis=1))
    largest = np.maximum.reduce(terms, axis=1, keepdims=True)
    terms -= largest
    # What is too small to count makes exp slow.
    np.maximum(terms, _NEGLIGIBLE, out=terms)
    np.exp(terms, out=terms)
    sums = np.asarray(np.add.reduce(terms, axis=1))
    np.log(sums, out=sums)
    sums += largest[:, 0]
    return sums


def in_chunks(
    rows: NDArray[np.float64],
    numbers_per_row: int,
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Apply `function` to rows, as many at a time as keep its temporary arrays small, and stack the results."""
    if len(rows) * numbers_per_row <= CHUNK:
        return function(rows)
    step = max(1, CHUNK // numbers_per_row)
    return np.concatenate([function(rows[start : start + step]) for start in range(0, len(rows), step)])
