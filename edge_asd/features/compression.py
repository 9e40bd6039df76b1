"""Logarithms of spectra: decibels, natural, base 10."""

from __future__ import annotations

import numpy as np

from edge_asd.features.types import Float32
from edge_asd.recipe.front_ends import Decibel, Log, Logarithm

_MAX = np.finfo(np.float32).max
_HALF_MAX = 65504.0


def compress(values: Float32, log: Log | None, out: Float32) -> None:
    """Take the logarithm of ``values``, which are overwritten, into ``out``, which may be the same.

    Of the rules for decibels, those that need more than the frame itself are left to :func:`finish`.
    """
    if isinstance(log, Decibel):
        _compress_decibel(values, log, out)
    elif log is None:
        np.copyto(out, values)
    elif log.float16:
        _compress_half(values, log, out)
    else:
        np.multiply(values, np.float32(log.scale), out=values)
        np.add(values, np.float32(log.offset), out=values)
        np.minimum(values, _MAX, out=values)
        (np.log if log.base == "e" else np.log10)(values, out=out)


def finish(values: Float32, log: Log | None) -> None:
    """Apply in place the rules for decibels that need all frames of a segment: `ref: max` and `top_db`."""
    if not isinstance(log, Decibel):
        return
    if log.ref == "max":
        np.subtract(values, values.max(), out=values)
    if log.top_db is not None:
        np.maximum(values, values.max() - np.float32(log.top_db), out=values)


def _compress_decibel(values: Float32, log: Decibel, out: Float32) -> None:
    np.maximum(values, np.float32(log.amin), out=values)
    np.log10(values, out=values)
    np.multiply(values, np.float32(10.0), out=out)
    if not isinstance(log.ref, str) and log.ref != 1.0:
        np.subtract(out, np.float32(10.0 * np.log10(max(log.ref, log.amin))), out=out)


def _compress_half(values: Float32, log: Logarithm, out: Float32) -> None:
    # What half precision cannot hold stays at its largest number, where musicnn's own code goes on with infinity.
    half = np.minimum(values, np.float32(_HALF_MAX)).astype(np.float16)
    half = np.minimum(half * np.float16(log.scale), np.float16(_HALF_MAX))
    half = np.minimum(half + np.float16(log.offset), np.float16(_HALF_MAX))
    np.copyto(out, (np.log if log.base == "e" else np.log10)(half))
