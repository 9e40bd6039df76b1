"""Isolation forest: all trees in flat arrays, walked side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.detector.numerics import in_chunks
from edge_asd.recipe.detectors import IsolationForestSettings

_DEEPEST = 64
"""Levels that a tree may have: an isolation tree on 2^64 rows would have no more."""


class IsolationForest:
    """2^(−mean path length / c): `score_samples` of scikit-learn 1.9's `IsolationForest`, negated.

    A leaf is its own child, so that every walk may take as many steps as the deepest one.

    Parameters
    ----------
    roots
        Node at which each tree begins, shape (t,).
    features
        Feature that each node asks for, shape (v,).
    thresholds
        The second child is taken above it, shape (v,).
    children
        The two children of each node, shape (v, 2).
    path_lengths
        Expected path length that ends in a leaf, shape (v,).
    normalizer
        t · c, with c the expected path length of a tree's rows (Liu et al. 2008, eq. 1).
    depth
        Steps of the longest walk.
    n_features
        Features of a row.
    """

    def __init__(
        self,
        *,
        roots: NDArray[np.intp],
        features: NDArray[np.intp],
        thresholds: NDArray[np.float64],
        children: NDArray[np.intp],
        path_lengths: NDArray[np.float64],
        normalizer: float,
        depth: int,
        n_features: int,
    ) -> None:
        self.n_features = n_features
        self._roots = roots
        self._features = features
        self._thresholds = thresholds
        self._children = children.reshape(-1)
        self._path_lengths = path_lengths
        self._factor = -1.0 / normalizer
        self._depth = depth

    def score(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for rows of shape (n, d)."""
        return in_chunks(rows, 4 * len(self._roots), self._of_chunk)

    def _of_chunk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        values = _as_single_precision(rows).reshape(-1)
        starts = np.arange(0, values.size, rows.shape[1])[:, None]
        nodes = np.broadcast_to(self._roots, (len(rows), len(self._roots)))
        for _ in range(self._depth):
            asked = values.take(self._features.take(nodes) + starts)
            nodes = self._children.take(2 * nodes + (asked > self._thresholds.take(nodes)))
        scores = np.asarray(np.exp2(self._factor * self._path_lengths.take(nodes).sum(axis=1)))
        scores[np.isnan(rows).any(axis=1)] = np.nan
        return scores


def build_isolation_forest(settings: IsolationForestSettings, reader: ArrayReader) -> IsolationForest:
    """Make it of the arrays that `IsolationForest` names; `normalizer` and `n_features` have shape (1,)."""
    n_features = int(reader.integers("n_features", 1, low=1, high=1 << 31)[0])
    thresholds = reader.floats("thresholds", "v")
    nodes = len(thresholds)
    children = reader.integers("children", "v", 2, low=0, high=nodes)
    roots = reader.integers("roots", settings.trees, low=0, high=nodes)
    return IsolationForest(
        roots=roots,
        features=reader.integers("features", "v", low=0, high=n_features),
        thresholds=thresholds,
        children=children,
        path_lengths=reader.floats("path_lengths", "v"),
        normalizer=float(reader.positive("normalizer", 1)[0]),
        depth=_depth(roots, children, reader),
        n_features=n_features,
    )


def _as_single_precision(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    # scikit-learn's trees see rows in float32, where a value can pass a threshold that it did not in float64.
    largest = float(np.finfo(np.float32).max)
    return rows.clip(-largest, largest).astype(np.float32).astype(np.float64)


def _depth(roots: NDArray[np.intp], children: NDArray[np.intp], reader: ArrayReader) -> int:
    # Nodes that several parents share, as only a damaged forest has them, are looked at once.
    reached = _distinct(roots, len(children))
    for depth in range(_DEEPEST):
        following = children[reached]
        inner = (following != reached[:, None]).any(axis=1)
        if not inner.any():
            return depth
        reached = _distinct(following[inner].reshape(-1), len(children))
    raise reader.error("children", expected=f"trees of at most {_DEEPEST} levels", found="deeper ones, or a circle")


def _distinct(nodes: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    marked = np.zeros(count, np.bool_)
    marked[nodes] = True
    return np.flatnonzero(marked)
