"""Fits a recipe's graph on stretches of normal sound: nets, transforms, detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.embedding import Embedder, build_embedder, split_middle
from edge_asd.pipeline import RowSet, side_by_side
from edge_asd.pooling import pool
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.models import Model
from edge_asd.transform import build_transform
from edge_asd_export.conversion import convert
from edge_asd_export.fitting import fit_detector, fit_transform_arrays
from edge_asd_export.material import Stretch
from edge_asd_export.progress import Advance
from edge_asd_export.training import train

Arrays = dict[str, NDArray[np.generic]]


class Fitted(NamedTuple):
    """A fitted graph, still without tails."""

    networks: dict[str, bytes]
    """TFLite files by `branches/NAME`."""
    arrays: Arrays
    """Arrays by name, as `Judge` reads them."""


def fit(recipe: Recipe, stretches: Sequence[Stretch], *, seed: int, advance: Advance) -> Fitted:
    """Fit every stage of the recipe, each on the outputs of the one before as the device gives them."""
    networks = {
        f"branches/{name}": train_network(
            branch, branch.model, [stretch.rows[name] for stretch in stretches], seed, advance
        )
        for name, branch in recipe.used_branches.items()
        if branch.model is not None
    }
    embedders = Embedders(recipe, networks)
    rows = [embedders.rows(stretch.rows) for stretch in stretches]
    arrays: Arrays = {}
    features: dict[str, list[NDArray[np.float64]]] = {}
    for name, branch in recipe.used_branches.items():
        pooled = [pool(row_set[name].astype(np.float64), branch.pooling) for row_set in rows]
        fitted = fit_transform_arrays(branch.transform, np.concatenate(pooled), f"branches.{name}")
        arrays |= _named(f"branches/{name}/transform", fitted)
        transform = build_transform(fitted)
        features[name] = [transform.apply(values) for values in pooled]
    for name, part in recipe.enabled_parts.items():
        columns = [
            side_by_side(part, dict(zip(features, values, strict=True)))
            for values in zip(*features.values(), strict=True)
        ]
        arrays |= _named(
            f"parts/{name}/detector",
            fit_detector(part.detector, np.concatenate(columns), seed=seed, where=f"parts.{name}"),
        )
    return Fitted(networks, arrays)


def train_network(
    branch: Branch, settings: Model, rows: Sequence[NDArray[np.float32]], seed: int, advance: Advance
) -> bytes:
    """Train a branch's model on the patches of stretches, and convert it."""
    patches = np.concatenate([unflatten(branch, values) for values in rows])
    model = train(settings, patches, seed=seed, advance=advance)
    inputs = split_middle(patches[:: max(1, len(patches) // 500)])[0]
    return convert(model, settings.quantize, inputs)


class Embedders:
    """Puts the patches of each branch that has a model through its net, as the device does."""

    def __init__(self, recipe: Recipe, networks: dict[str, bytes]) -> None:
        self._branches = {name: branch for name, branch in recipe.used_branches.items() if branch.model is not None}
        self._networks = networks
        self._built: dict[str, Embedder] = {}

    def rows(self, patches: RowSet) -> RowSet:
        """Return the rows of a stretch; where a branch has no model its patches are its rows."""
        return {name: self._embed(name, values) for name, values in patches.items()}

    def _embed(self, name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if name not in self._branches:
            return values
        branch = self._branches[name]
        patches = unflatten(branch, values)
        if name not in self._built:
            _, frames, bands = patches.shape
            network = self._networks[f"branches/{name}"]
            self._built[name] = build_embedder(
                branch.model, network, frames=frames, bands=bands, threads=1, where=f"branches.{name}"
            )
        return self._built[name].process(patches)


def unflatten(branch: Branch, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return flattened patches, shape (n, frames · bands), as patches, shape (n, frames, bands)."""
    return rows.reshape(len(rows), branch.patch.frames, -1)


def _named(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
