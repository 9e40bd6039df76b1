"""What normal horizons look like band by band: the statistics by which a device explains an alarm, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_asd.explanation import (
    NOTABLE,
    Normal,
    band_edges,
    measure,
    normal_arrays,
    slice_count,
    spectral_branch,
    standardized,
)
from edge_asd.recipe.graph import Recipe
from edge_asd_export.material import Stretch

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def explanation_arrays(recipe: Recipe, stretches: Sequence[Stretch]) -> dict[str, NDArray[np.generic]]:
    """Return the arrays that `edge_asd.explanation.Explainer` takes, named `explanation/…`.

    They are empty where no branch of the recipe keeps its spectrum.
    """
    branch = spectral_branch(recipe)
    if branch is None:
        return {}
    bands = len(band_edges(recipe.branches[branch], recipe.sample_rate)) - 1
    spectra = [measure(stretch.rows[branch], bands, slice_count(recipe)) for stretch in stretches]
    return normal_arrays(spectra)


def draw_deviation(
    axes: Axes, recipe: Recipe, arrays: Mapping[str, NDArray[np.generic]], rows: Mapping[str, NDArray[np.floating]]
) -> None:
    """Draw how far each band of a horizon is from normal, over frequency.

    Parameters
    ----------
    axes
        Where to draw.
    recipe
        The bundle's recipe.
    arrays
        The bundle's `explanation/…` arrays, without that prefix.
    rows
        Rows of the horizon, by branch.

    Raises
    ------
    ValueError
        When no branch of the recipe keeps its spectrum.
    """
    branch = spectral_branch(recipe)
    if branch is None:
        raise ValueError("no branch of the recipe keeps its spectrum")
    normal = Normal(**{name: np.asarray(arrays[name], np.float64) for name in Normal._fields})
    edges = band_edges(recipe.branches[branch], recipe.sample_rate)
    spectrum = measure(rows[branch], len(edges) - 1, slice_count(recipe))
    level = standardized(spectrum.level, normal.level_mean, normal.level_std)
    variation = standardized(spectrum.variation, normal.variation_mean, normal.variation_std)
    axes.axhspan(-NOTABLE, NOTABLE, color="0.93", label="normal")
    axes.stairs(level, edges, color="tab:red", label="level")
    axes.stairs(variation, edges, color="tab:blue", linestyle="--", label="variation")
    axes.set_xscale("log")
    axes.set_xlim(max(float(edges[0]), 10.0), float(edges[-1]))
    axes.set_xlabel("frequency / Hz")
    axes.set_ylabel("standard deviations from normal")
    axes.legend(loc="best", fontsize="small")
