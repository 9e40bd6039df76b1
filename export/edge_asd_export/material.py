"""Recordings → what a recipe is fitted on: the rows, or a model's patches, of every stretch of one horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Roll, probe_recording, read_blocks, read_recording
from edge_asd.pipeline import Rows, RowSet
from edge_asd.recipe.graph import Horizon, Recipe
from edge_asd.scoring import too_short
from edge_asd_export.labels import section_of
from edge_asd_export.memory import Memory, RememberedRows, rows_of
from edge_asd_export.progress import SILENT, Reporter


class Stretch(NamedTuple):
    """One horizon of sound."""

    recording: Path
    """Where it was cut from."""
    start: int
    """Its first sample, at the recipe's rate."""
    rows: RowSet
    """Rows by branch, shape (n, d); of a branch whose model is yet to be trained, its patches, flattened."""

    @property
    def section(self) -> str:
        """Which machine of its type it is of, where the recording's name says so."""
        return section_of(self.recording)


class Material(NamedTuple):
    """All stretches that a recipe is fitted on, in the order of the recordings."""

    stretches: list[Stretch]
    native_rates: list[int]
    """Sampling rates met, in hertz, ascending."""
    list_sha256: str
    """SHA-256 over names and samples of the recordings."""


def gather(
    paths: Sequence[Path],
    recipe: Recipe,
    reporter: Reporter = SILENT,
    *,
    networks: Mapping[str, bytes] | None = None,
    memory: Memory | None = None,
) -> Material:
    """Read recordings and cut them into stretches of one horizon, one after another.

    Parameters
    ----------
    paths
        The recordings.
    recipe
        What is to be fitted on them.
    reporter
        Shows how far it is.
    networks
        Nets of the pretrained branches by `branches/NAME`, through which their patches go.
    memory
        Where rows of pretrained branches are kept, and found again; nowhere where left out.

    Raises
    ------
    InputError
        When a recording cannot be read, is silent, is shorter than the horizon, or stands there twice.
    """
    rows = _rows(recipe, networks, memory)
    stretches: list[Stretch] = []
    rates: set[int] = set()
    roll = Roll()
    for path in reporter.track(paths, "reading recordings"):
        blocks = roll.enter(path, read_blocks(path, channel=recipe.channel, sample_rate=recipe.sample_rate))
        stretches += _cut(np.concatenate(list(blocks)), path, rows, recipe)
        rates.add(probe_recording(path).native_rate)
    return Material(stretches, sorted(rates), roll.sha256)


def gather_labelled(
    paths: Sequence[Path],
    recipe: Recipe,
    reporter: Reporter = SILENT,
    *,
    networks: Mapping[str, bytes] | None = None,
    memory: Memory | None = None,
) -> list[Stretch]:
    """Read recordings that are not trained on, and cut them as `gather` does; too short ones have no stretch."""
    rows = _rows(recipe, networks, memory)
    stretches: list[Stretch] = []
    for path in reporter.track(paths, "reading test recordings"):
        samples = read_recording(path, channel=recipe.channel, sample_rate=recipe.sample_rate).samples
        if len(samples) >= recipe.horizon_samples:
            stretches += _cut(samples, path, rows, recipe)
    return stretches


def _rows(recipe: Recipe, networks: Mapping[str, bytes] | None, memory: Memory | None = None) -> Rows | RememberedRows:
    # What is yet to be trained gives its patches instead.
    recipe = _side_by_side_horizons(recipe.without_models(except_for=recipe.pretrained_branches))
    return rows_of(recipe, networks or {}, memory)


def _side_by_side_horizons(recipe: Recipe) -> Recipe:
    whole = Horizon(seconds=recipe.horizon.seconds, hop_seconds=recipe.horizon.seconds)
    return msgspec.structs.replace(recipe, horizon=whole)


def _cut(samples: NDArray[np.float32], path: Path, rows: Rows | RememberedRows, recipe: Recipe) -> list[Stretch]:
    rows.reset()
    found = [
        Stretch(path, end - recipe.horizon_samples, {name: np.array(values) for name, values in row_set.items()})
        for end, row_set in rows.process(samples)
    ]
    if not found:
        raise too_short(str(path), len(samples) / recipe.sample_rate, recipe)
    return found
