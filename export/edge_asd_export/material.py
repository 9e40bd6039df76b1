"""Recordings → what a recipe is fitted on: the rows, or a model's patches, of every stretch of one horizon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_asd.audio import Roll, probe_recording, read_blocks
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
        info = probe_recording(path)
        found = list(_cut(roll.enter(path, _blocks(path, recipe)), path, rows, recipe))
        if not found:
            raise too_short(str(path), info.seconds, recipe)
        stretches += found
        rates.add(info.native_rate)
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
        stretches += _cut(_blocks(path, recipe), path, rows, recipe)
    return stretches


def side_by_side_horizons(recipe: Recipe) -> Recipe:
    """Return the same recipe with horizons that follow one another without overlap."""
    whole = Horizon(seconds=recipe.horizon.seconds, hop_seconds=recipe.horizon.seconds)
    return msgspec.structs.replace(recipe, horizon=whole)


def _rows(recipe: Recipe, networks: Mapping[str, bytes] | None, memory: Memory | None = None) -> Rows | RememberedRows:
    # What is yet to be trained gives its patches instead.
    recipe = side_by_side_horizons(recipe.without_models(except_for=recipe.pretrained_branches))
    return rows_of(recipe, networks or {}, memory)


def _blocks(path: Path, recipe: Recipe) -> Iterator[NDArray[np.float32]]:
    return read_blocks(path, channel=recipe.channel, sample_rate=recipe.sample_rate)


def _cut(
    blocks: Iterable[NDArray[np.float32]], path: Path, rows: Rows | RememberedRows, recipe: Recipe
) -> Iterator[Stretch]:
    for end, row_set in rows.of_recording(blocks):
        yield Stretch(path, end - recipe.horizon_samples, {name: np.array(each) for name, each in row_set.items()})
