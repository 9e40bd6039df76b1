"""What rows must fulfil before a model is fitted to them; each function raises an InputError with a remedy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
from edge_asd_export.fitting.suspicions import constant_features

_NAMED = 8
"""How many items of a list an error names."""


def require_finite(rows: NDArray[np.float64], where: str) -> None:
    """Refuse rows of shape (n, d) that are empty or hold NaN or infinity; the rows at fault are listed."""
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(where, expected="rows of shape (n, d)", found=f"shape {rows.shape}")
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(broken):
        raise InputError(
            where,
            expected="finite rows",
            found=f"NaN or infinity in row {listed(broken)}",
            remedy="look for silent, clipped or damaged recordings among them",
        )


def require_rows(rows: NDArray[np.float64], least: int, why: str, remedy: str, where: str) -> None:
    """Refuse fewer than `least` rows; `why` says what needs them."""
    if len(rows) < least:
        raise InputError(where, expected=f"at least {least} rows for {why}", found=str(len(rows)), remedy=remedy)


def require_features(rows: NDArray[np.float64], least: int, why: str, where: str) -> None:
    """Refuse rows of fewer than `least` features; `why` says what needs them."""
    if rows.shape[1] < least:
        raise InputError(where, expected=f"at least {least} features for {why}", found=str(rows.shape[1]))


def require_varying(rows: NDArray[np.float64], where: str) -> None:
    """Refuse features that never change; they are listed."""
    constant = constant_features(rows)
    if len(constant):
        raise InputError(
            where,
            expected="features that vary",
            found=f"constant feature {listed(constant)}" + ("" if len(constant) < rows.shape[1] else " (all of them)"),
            remedy="set transform.drop_constant or transform.pca, or look for a dead channel",
        )


def listed(items: Sequence[object] | NDArray[np.intp]) -> str:
    """Return items as text, the first few by name and the rest counted."""
    named = ", ".join(str(item) for item in items[:_NAMED])
    return named if len(items) <= _NAMED else f"{named} and {len(items) - _NAMED} more"
