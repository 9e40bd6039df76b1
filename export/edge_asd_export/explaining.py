"""What normal horizons look like band by band: the statistics by which a device explains an alarm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_asd.explanation import band_edges, measure, normal_arrays, slice_count, spectral_branch
from edge_asd.recipe.graph import Recipe
from edge_asd_export.material import Stretch


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
