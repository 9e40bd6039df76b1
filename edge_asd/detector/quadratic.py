"""Log density terms of Gaussians: offset_k − ½ |(x − μ_k) F_k|², for all components k at once.

The square expands into matrix products, which is many times faster than taking every difference, but cancels where the
means lie many standard deviations from one another: products of size (μ σ⁻¹)² must leave a difference of size 1. So the
rows are first centred on the median of the means, and the expansion is used only for components that are near enough to
lose next to nothing; for the others (as a component that stands on one row) every difference is taken.

A full covariance has nothing to gain from expanding the square, only from one large product in place of one for each
component: (x − c) F_k − (μ_k − c) F_k with all F_k side by side. The factors are triangular (Cholesky's), so their
columns are taken in strips, and of each strip only the rows that are not 0: up to half of the work is saved.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_asd.detector.numerics import in_chunks

_SAFE = 2e3
"""Largest Σ ((μ − c) / σ)² that may cancel: it costs about 5e-13 of a score, in nats or relative."""
_SAFE_SHIFT = 3e3
"""Largest Σ |μ − c| |F| that may cancel in (x − c) F: it costs as much."""
_STRIP = 32
"""Columns of a strip: fewer would leave out more zeros, but make products too narrow to be fast."""
_STRIP_SIZE = 1 << 14
"""Numbers of all factors together in one strip below which a call costs more than the zeros that it leaves out."""
_SIDE_BY_SIDE = 1 << 19
"""Most numbers in factors that are laid side by side, which takes time and a copy: larger ones make products that are
fast as they are."""


class GaussianTerms(Protocol):
    """Log density terms of every component."""

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return terms of shape (n, k) for rows of shape (n, d)."""


def diagonal_terms(
    means: NDArray[np.float64], factors: NDArray[np.float64], offsets: NDArray[np.float64]
) -> GaussianTerms:
    """Terms of Gaussians with a diagonal covariance.

    Parameters
    ----------
    means
        μ, shape (k, d).
    factors
        Reciprocal standard deviations, shape (k, d).
    offsets
        What does not depend on the row, shape (k,).
    """
    centre = np.median(means, axis=0)
    safe = np.sum(((means - centre) * factors) ** 2, axis=1) <= _SAFE
    expanded = _ExpandedDiagonal(means[safe], factors[safe], offsets[safe], centre)
    direct = _DirectDiagonal(means[~safe], factors[~safe], offsets[~safe])
    if safe.all():
        return expanded
    return _Mixed(safe, expanded, direct) if safe.any() else direct


def tied_terms(means: NDArray[np.float64], factor: NDArray[np.float64], offsets: NDArray[np.float64]) -> GaussianTerms:
    """Terms of Gaussians that share a covariance Σ; `factor` is F, shape (d, d), with F Fᵀ = Σ⁻¹."""
    centre = np.median(means, axis=0)
    if np.max(np.abs(means - centre) @ np.abs(factor)) <= _SAFE_SHIFT:
        return _Whitened(centre, factor, diagonal_terms((means - centre) @ factor, np.ones_like(means), offsets))
    return _DirectMatrix(means, factor[None], offsets)


def full_terms(means: NDArray[np.float64], factors: NDArray[np.float64], offsets: NDArray[np.float64]) -> GaussianTerms:
    """Terms of Gaussians with a covariance Σ_k each; `factors` are F_k, shape (k, d, d), with F_k F_kᵀ = Σ_k⁻¹."""
    if factors.size > _SIDE_BY_SIDE:
        return _DirectMatrix(means, factors, offsets)
    centre = np.median(means, axis=0)
    cancelling = np.matmul(np.abs(means - centre)[:, None, :], np.abs(factors))
    safe = np.max(cancelling, axis=(1, 2)) <= _SAFE_SHIFT
    if not safe.any():
        return _DirectMatrix(means, factors, offsets)
    near = _SideBySide(means[safe], factors[safe], offsets[safe], centre)
    return near if safe.all() else _Mixed(safe, near, _DirectMatrix(means[~safe], factors[~safe], offsets[~safe]))


def _strips(factors: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Cut the columns of factors, shape (k, d, d), into strips that hold nothing below their own diagonal blocks."""
    size = factors.shape[1]
    width = max(_STRIP, -(-_STRIP_SIZE // (len(factors) * size)))
    strips = [(start, min(start + width, size)) for start in range(0, size, width)]
    triangular = not any(factors[:, stop:, start:stop].any() for start, stop in strips)
    return strips if triangular else [(0, size)]


class _ExpandedDiagonal:
    """With y = x − c, ν = μ − c, p = σ⁻²: y² · (−½ p) + y · (ν p) + (offset − ½ Σ ν² p)."""

    def __init__(
        self,
        means: NDArray[np.float64],
        factors: NDArray[np.float64],
        offsets: NDArray[np.float64],
        centre: NDArray[np.float64],
    ) -> None:
        precisions = factors**2
        shifts = means - centre
        self._centre = centre
        self._square = np.ascontiguousarray(-0.5 * precisions.T)
        self._linear = np.ascontiguousarray((shifts * precisions).T)
        self._constant = offsets - 0.5 * np.sum((shifts * factors) ** 2, axis=1)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = rows - self._centre
        terms = np.asarray(centred @ self._linear)
        centred *= centred
        terms += centred @ self._square
        terms += self._constant
        return terms


class _Whitened:
    """Maps rows by y = (x − c) F, then takes terms there."""

    def __init__(self, centre: NDArray[np.float64], factor: NDArray[np.float64], terms: GaussianTerms) -> None:
        self._centre = centre
        self._factor = factor
        self._terms = terms

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._terms((rows - self._centre) @ self._factor)


class _Mixed:
    """Some components by one way, the others by another."""

    def __init__(self, first: NDArray[np.bool_], of_first: GaussianTerms, of_others: GaussianTerms) -> None:
        self._first = np.flatnonzero(first)
        self._others = np.flatnonzero(~first)
        self._of_first = of_first
        self._of_others = of_others

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        terms = np.empty((len(rows), len(self._first) + len(self._others)))
        terms[:, self._first] = self._of_first(rows)
        terms[:, self._others] = self._of_others(rows)
        return terms


class _DirectDiagonal:
    """Every difference, then its scaled square."""

    def __init__(self, means: NDArray[np.float64], factors: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
        self._means = means
        self._factors = factors
        self._offsets = offsets

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return in_chunks(rows, self._means.size, self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = rows[:, None, :] - self._means
        scaled *= self._factors
        terms: NDArray[np.float64] = np.einsum("nkd,nkd->nk", scaled, scaled)
        terms *= -0.5
        terms += self._offsets
        return terms


class _SideBySide:
    """With y = x − c and ν = μ − c: every y F_k − ν F_k in one product for each strip, [1 y] [−ν F_k; F_k]."""

    def __init__(
        self,
        means: NDArray[np.float64],
        factors: NDArray[np.float64],
        offsets: NDArray[np.float64],
        centre: NDArray[np.float64],
    ) -> None:
        self._centre = centre
        self._offsets = offsets
        lifted = np.concatenate([np.matmul((centre - means)[:, None, :], factors), factors], axis=1)
        strips = _strips(factors)
        width = strips[0][1]
        self._strips = [_beside(lifted[:, : stop + 1, start:stop], width) for start, stop in strips]
        self._widest = self._strips[0].shape[1]
        # A product with this is a sum times −½, in a fraction of a sum's time.
        self._halves = np.full(width, -0.5)

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return in_chunks(rows, self._widest, self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        lifted = np.empty((len(rows), 1 + len(self._centre)))
        lifted[:, 0] = 1.0
        np.subtract(rows, self._centre, out=lifted[:, 1:])
        first, *others = self._strips
        squares = _squares(lifted, first)
        for strip in others:
            squares += _squares(lifted, strip)
        terms = np.asarray(squares.reshape(-1, len(self._halves)) @ self._halves).reshape(len(rows), -1)
        terms += self._offsets
        return terms


def _squares(lifted: NDArray[np.float64], strip: NDArray[np.float64]) -> NDArray[np.float64]:
    whitened = np.asarray(lifted[:, : len(strip)] @ strip)
    whitened *= whitened
    return whitened


def _beside(matrices: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Lay matrices, shape (k, r, c ≤ width), side by side, each with columns of 0 up to `width`: (r, k · width)."""
    count, rows, columns = matrices.shape
    laid = np.zeros((rows, count, width))
    laid[:, :, :columns] = matrices.transpose(1, 0, 2)
    return laid.reshape(rows, -1)


class _DirectMatrix:
    """Every difference, then its matrix product, component by component."""

    def __init__(self, means: NDArray[np.float64], factors: NDArray[np.float64], offsets: NDArray[np.float64]) -> None:
        self._means = means[:, None, :]
        self._strips = [(start, stop, factors[:, :stop, start:stop]) for start, stop in _strips(factors)]
        self._offsets = offsets

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return in_chunks(rows, self._means.size, self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        differences = rows - self._means
        whitened = np.empty_like(differences)
        for start, stop, factors in self._strips:
            np.matmul(differences[:, :, :stop], factors, out=whitened[:, :, start:stop])
        terms: NDArray[np.float64] = np.einsum("knd,knd->nk", whitened, whitened)
        terms *= -0.5
        terms += self._offsets
        return terms
