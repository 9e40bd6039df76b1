"""Grows an isolation forest, and lays its trees into flat arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from edge_asd.recipe.detectors import IsolationForestSettings
from edge_asd_export.fitting.requirements import require_rows, require_varying
from edge_asd_export.fitting.suspicions import constant_features


def fit_isolation_forest(
    settings: IsolationForestSettings, rows: NDArray[np.float64], seed: int, where: str
) -> dict[str, NDArray[np.generic]]:
    """Fit an isolation forest to rows of shape (n, d)."""
    require_rows(rows, 2, "something to isolate", "record more normal sound", where)
    if len(constant_features(rows)) == rows.shape[1]:
        require_varying(rows, where)
    samples = min(settings.max_samples, len(rows))
    model = IsolationForest(n_estimators=settings.trees, max_samples=samples, random_state=seed).fit(rows)
    trees = [estimator.tree_ for estimator in model.estimators_]
    starts = np.cumsum([0] + [tree.node_count for tree in trees])[:-1]
    return {
        "roots": starts.astype(np.int32),
        "features": np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32),
        "thresholds": np.concatenate([tree.threshold for tree in trees]),
        "children": np.concatenate([_children(tree) + start for tree, start in zip(trees, starts, strict=True)]),
        "path_lengths": np.concatenate([_path_lengths(tree) for tree in trees]),
        "normalizer": settings.trees * expected_path_length(np.array([samples])),
        "n_features": np.array([rows.shape[1]], np.int32),
    }


def expected_path_length(rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the mean path length of an unsuccessful search among this many rows (Liu et al. 2008, eq. 1)."""
    lengths = np.where(rows == 2, 1.0, 0.0)
    many = rows > 2
    count = rows[many].astype(np.float64)
    lengths[many] = 2.0 * (np.log(count - 1.0) + np.euler_gamma) - 2.0 * (count - 1.0) / count
    return lengths


def _children(tree: Any) -> NDArray[np.int32]:
    """Return the two children of each node, shape (v, 2); a leaf is its own."""
    children = np.stack([tree.children_left, tree.children_right], axis=1)
    leaves = children[:, 0] < 0
    children[leaves] = np.flatnonzero(leaves)[:, None]
    return np.asarray(children, np.int32)


def _path_lengths(tree: Any) -> NDArray[np.float64]:
    """Return the depth of each node and the path that its rows would add below it, shape (v,)."""
    children = _children(tree)
    depths = np.zeros(tree.node_count)
    # Parents come before their children.
    for node in np.flatnonzero(children[:, 0] != np.arange(tree.node_count)):
        depths[children[node]] = depths[node] + 1.0
    return depths + expected_path_length(tree.n_node_samples)
