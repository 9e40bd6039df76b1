"""Recordings → what a recipe is fitted on: the rows, or a model's patches, of every stretch of one horizon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from edge_asd.audio import Roll, probe_recording
from edge_asd.errors import InputError
from edge_asd.liveness import Live, find_live, left_out_dead, live_pieces, require_any_live
from edge_asd.pipeline import Rows, RowSet
from edge_asd.recipe.graph import Horizon, Recipe
from edge_asd_export.fitting.requirements import listed
from edge_asd_export.labels import Labelled, section_of
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
    notes: list[str]
    """What was left out of them."""

    @property
    def recordings(self) -> int:
        """How many recordings the stretches are of."""
        return len({stretch.recording for stretch in self.stretches})


def gather(
    paths: Sequence[Path],
    recipe: Recipe,
    reporter: Reporter = SILENT,
    *,
    networks: Mapping[str, bytes] | None = None,
    memory: Memory | None = None,
) -> Material:
    """Read recordings and cut their live signal into stretches of one horizon, one after another.

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
        When a recording cannot be read, is silent, is shorter than the horizon, or stands there twice; when none holds
        a horizon of live signal.
    """
    rows = _rows(recipe, networks, memory)
    stretches: list[Stretch] = []
    rates: set[int] = set()
    roll = Roll()
    lives: dict[Path, Live] = {}
    for path in reporter.track(paths, "reading recordings"):
        lives[path] = find_live(path, recipe, roll)
        stretches += cut(path, lives[path], rows, recipe)
        rates.add(probe_recording(path).native_rate)
    require_any_live(recipe, lives)
    return Material(stretches, sorted(rates), roll.sha256, left_out_dead(recipe, lives))


def gather_labelled(
    paths: Sequence[Path],
    recipe: Recipe,
    reporter: Reporter = SILENT,
    *,
    networks: Mapping[str, bytes] | None = None,
    memory: Memory | None = None,
) -> list[Stretch]:
    """Read recordings, whether or not they are trained on, and cut them as `gather` does."""
    rows = _rows(recipe, networks, memory)
    stretches: list[Stretch] = []
    for path in reporter.track(paths, "reading test recordings"):
        stretches += cut(path, find_live(path, recipe), rows, recipe)
    return stretches


def leave_out_unfit(labelled: Labelled, recipe: Recipe, reporter: Reporter = SILENT) -> tuple[Labelled, list[str]]:
    """Leave out the recordings to test with that could not be judged in the end, and return a note that names them.

    They only serve to say how well an export works, and are no reason to go without it.
    """
    paths = [*labelled.normal, *labelled.anomalous]
    faults: dict[Path, str] = {}
    for path in reporter.track(paths, "looking at test recordings") if paths else ():
        try:
            require_any_live(recipe, {path: find_live(path, recipe)})
        except InputError as error:
            faults[path] = f"{path} ({error.fault})"
    left = labelled._replace(
        normal=[path for path in labelled.normal if path not in faults],
        anomalous=[path for path in labelled.anomalous if path not in faults],
    )
    return left, [f"not tested with: {listed(list(faults.values()))}"] if faults else []


def side_by_side_horizons(recipe: Recipe) -> Recipe:
    """Return the same recipe with horizons that follow one another without overlap."""
    whole = Horizon(seconds=recipe.horizon.seconds, hop_seconds=recipe.horizon.seconds)
    return msgspec.structs.replace(recipe, horizon=whole)


def _rows(recipe: Recipe, networks: Mapping[str, bytes] | None, memory: Memory | None = None) -> Rows | RememberedRows:
    # What is yet to be trained gives its patches instead.
    recipe = side_by_side_horizons(recipe.without_models(except_for=recipe.pretrained_branches))
    return rows_of(recipe, networks or {}, memory)


def cut(path: Path, live: Live, rows: Rows | RememberedRows, recipe: Recipe) -> Iterator[Stretch]:
    """Cut the live signal of a recording into the horizons that `rows` are given of."""
    for end, row_set in live_rows(path, live, rows, recipe):
        kept = {name: np.array(each) for name, each in row_set.items()}
        yield Stretch(path, end - recipe.horizon_samples, kept)


def live_rows(path: Path, live: Live, rows: Rows | RememberedRows, recipe: Recipe) -> Iterator[tuple[int, RowSet]]:
    """Give the end and the rows of every horizon of a recording's live signal; they hold until the next."""
    for start, blocks in live_pieces(path, recipe, live):
        for end, row_set in rows.of_recording(blocks):
            yield start + end, row_set
