"""Fits a recipe's graph on stretches of normal sound: nets, transforms, detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_asd.embedding import Embedder, build_embedder
from edge_asd.interpreter import Engine
from edge_asd.pipeline import Judge, RowSet, side_by_side
from edge_asd.pooling import pool
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.models import Quantization, Trained
from edge_asd.transform import build_transform
from edge_asd_export.conversion import convert
from edge_asd_export.fitting import fit_detector, fit_transform_arrays
from edge_asd_export.material import Stretch
from edge_asd_export.progress import Advance
from edge_asd_export.training import net_inputs, train

Arrays = dict[str, NDArray[np.generic]]

_REPRESENTATIVES = 500
"""Most patches that the ranges of 8-bit numbers are taken from."""


class Fitted(NamedTuple):
    """A fitted graph, still without tails."""

    networks: dict[str, bytes]
    """TFLite files of what was trained, by `branches/NAME`."""
    arrays: Arrays
    """Arrays by name, as `Judge` reads them."""


def fit(recipe: Recipe, stretches: Sequence[Stretch], *, seed: int, advance: Advance) -> Fitted:
    """Fit every stage of the recipe, each on the outputs of the one before as the device gives them.

    How each net is stored has been decided: its `quantize` is not `auto`. What pretrained nets make of the sound is in
    the stretches already.
    """
    networks = {
        f"branches/{name}": train_network(branch, branch.model, rows_of(stretches, name), seed, advance)
        for name, branch in recipe.trained_branches.items()
        if isinstance(branch.model, Trained)
    }
    embedders = Embedders(recipe, networks)
    return Fitted(networks, fit_graph(recipe, [embedders.embed(stretch) for stretch in stretches], seed=seed))


def fit_graph(recipe: Recipe, stretches: Sequence[Stretch], *, seed: int) -> Arrays:
    """Fit what stands behind the nets, transforms and detectors, on the rows of stretches of normal sound."""
    arrays: Arrays = {}
    features: dict[str, list[NDArray[np.float64]]] = {}
    for name, branch in recipe.used_branches.items():
        pooled = [pool(stretch.rows[name].astype(np.float64), branch.pooling) for stretch in stretches]
        fitted = fit_transform_arrays(branch.transform, np.concatenate(pooled), f"branches.{name}")
        arrays |= _named(f"branches/{name}/transform", fitted)
        transform = build_transform(fitted)
        features[name] = [transform.apply(values) for values in pooled]
    for name, part in recipe.enabled_parts.items():
        columns = [
            side_by_side(part, dict(zip(features, values, strict=True)))
            for values in zip(*features.values(), strict=True)
        ]
        sections = [stretch.section for stretch, rows in zip(stretches, columns, strict=True) for _ in rows]
        arrays |= _named(
            f"parts/{name}/detector",
            fit_detector(part.detector, np.concatenate(columns), seed=seed, where=f"parts.{name}", sections=sections),
        )
    return arrays


def judge(recipe: Recipe, arrays: Arrays, rows: Sequence[RowSet]) -> list[dict[str, float]]:
    """Return each part's own score of every stretch, given its rows, as a fitted graph gives it on the device."""
    fitted = Judge(recipe, arrays, where=recipe.name)
    return [fitted.part_scores(fitted.features(row_set)) for row_set in rows]


def train_network(
    branch: Branch, settings: Trained, rows: Sequence[NDArray[np.float32]], seed: int, advance: Advance
) -> bytes:
    """Train a branch's model on the patches of stretches, and store it as its settings say."""
    model = train_model(branch, settings, rows, seed, advance)
    return convert(model, decided(settings), representatives(branch, settings, rows))


def train_model(
    branch: Branch, settings: Trained, rows: Sequence[NDArray[np.float32]], seed: int, advance: Advance
) -> Any:
    """Train a branch's model on the patches of stretches; return a Keras model of batch 1."""
    return train(settings, _patches(branch, rows), seed=seed, advance=advance)


def representatives(branch: Branch, settings: Trained, rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return what a branch's net takes, from patches spread evenly over stretches; shape (n, …), n ≤ 500."""
    patches = _patches(branch, rows)
    return net_inputs(settings, patches[:: -(-len(patches) // _REPRESENTATIVES)])


def decided(settings: Trained) -> Quantization:
    """Return how a model is stored, once that has been decided."""
    if settings.quantize == "auto":
        raise ValueError("how the net is stored has not been decided")
    return settings.quantize


def rows_of(stretches: Sequence[Stretch], branch: str) -> list[NDArray[np.float32]]:
    """Return one branch's rows of every stretch."""
    return [stretch.rows[branch] for stretch in stretches]


def _patches(branch: Branch, rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([unflatten(branch, values) for values in rows])


class Embedders:
    """Puts the patches of each branch whose model is trained at export, or of `only` one, through its net.

    As the device does; what pretrained nets make of the sound is there already.
    """

    def __init__(self, recipe: Recipe, networks: dict[str, bytes], *, only: str | None = None) -> None:
        self._branches = {name: branch for name, branch in recipe.trained_branches.items() if only in {None, name}}
        self._networks = networks
        self._built: dict[str, Embedder] = {}

    def embed(self, stretch: Stretch) -> Stretch:
        """Return a stretch with its rows in the place of its patches."""
        return stretch._replace(rows=self.rows(stretch.rows))

    def rows(self, patches: RowSet) -> RowSet:
        """Return the rows of a stretch; those of a branch without such a model are there already."""
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
                branch.model, network, frames=frames, bands=bands, engine=Engine(), where=f"branches.{name}"
            )
        return self._built[name].process(patches)


def unflatten(branch: Branch, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return flattened patches, shape (n, frames · bands), as patches, shape (n, frames, bands)."""
    return rows.reshape(len(rows), branch.patch.frames, -1)


def _named(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
