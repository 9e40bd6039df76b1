"""Arrays from outside, checked before anything is computed with them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError

_REMEDY = "copy the bundle again, or export it again"


def median(values: NDArray[np.floating]) -> float:
    """Return the median of an array without NaN; NumPy's own loads masked arrays, 2 MiB of code, to look for NaN."""
    ordered = np.sort(values, axis=None)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2.0


class ArrayReader:
    """Takes named arrays out of a mapping, and holds them to what is expected of them.

    A dimension is a number, or a word that stands for one and the same number in all arrays of this reader.

    Parameters
    ----------
    arrays
        The arrays; nothing about them is trusted.
    where
        What they belong to, as errors name it.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]], where: str) -> None:
        self._arrays = dict(arrays)
        self._where = where
        self.sizes: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def floats(self, name: str, *dimensions: int | str) -> NDArray[np.float64]:
        """Take an array of finite numbers as float64.

        Raises
        ------
        InputError
            When it is missing, of another shape or type, or not finite.
        """
        array = self._take(name, "f", dimensions)
        if not np.isfinite(array).all():
            raise self.error(name, expected="finite numbers", found="NaN or infinity")
        return np.ascontiguousarray(array, np.float64)

    def positive(self, name: str, *dimensions: int | str) -> NDArray[np.float64]:
        """Take an array of finite numbers above 0; errors as `floats`."""
        array = self.floats(name, *dimensions)
        if not (array > 0).all():
            raise self.error(name, expected="numbers above 0", found=f"{array.min():g}")
        return array

    def integers(self, name: str, *dimensions: int | str, low: int, high: int) -> NDArray[np.intp]:
        """Take an array of integers from `low` to below `high`; errors as `floats`."""
        array = self._take(name, "iu", dimensions)
        if array.min() < low or array.max() >= high:
            found = f"{array.min()} to {array.max()}"
            raise self.error(name, expected=f"integers from {low} to {high - 1}", found=found)
        return np.ascontiguousarray(array, np.intp)

    def under(self, prefix: str) -> ArrayReader:
        """Take the arrays whose names begin with `prefix`, and return a reader of them without it."""
        names = [name for name in self._arrays if name.startswith(prefix)]
        inner = {name[len(prefix) :]: self._arrays.pop(name) for name in names}
        return ArrayReader(inner, f"{self._where}: {prefix.rstrip('_')}")

    def finish(self) -> None:
        """Refuse arrays that nothing asked for."""
        for name in self._arrays:
            raise self.error(name, expected="no such array", found="one")

    def error(self, name: str, *, expected: str, found: str) -> InputError:
        """Return the error that names this array."""
        return InputError(f"{self._where}: array {name[:40]!r}", expected=expected, found=found, remedy=_REMEDY)

    def _take(self, name: str, kinds: str, dimensions: tuple[int | str, ...]) -> NDArray[np.generic]:
        if name not in self._arrays:
            raise self.error(name, expected="an array", found="none")
        array = np.asarray(self._arrays.pop(name))
        if array.dtype.kind not in kinds:
            kind = "floating-point numbers" if kinds == "f" else "integers"
            raise self.error(name, expected=kind, found=str(array.dtype)[:40])
        self._check_shape(name, array.shape, dimensions)
        return array

    def _check_shape(self, name: str, shape: tuple[int, ...], dimensions: tuple[int | str, ...]) -> None:
        sizes = dict(self.sizes)
        fits = len(shape) == len(dimensions) and min(shape, default=1) > 0
        for dimension, size in zip(dimensions, shape, strict=False):
            expected = sizes.setdefault(dimension, size) if isinstance(dimension, str) else dimension
            fits = fits and size == expected
        if not fits:
            asked = ", ".join(map(self._describe, dimensions))
            raise self.error(name, expected=f"shape ({asked})", found=f"shape {shape}")
        self.sizes = sizes

    def _describe(self, dimension: int | str) -> str:
        return f"{dimension}={self.sizes.get(dimension, 'any')}" if isinstance(dimension, str) else str(dimension)
