"""Keeps a recipe to the frequencies that every recording holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge_asd.audio import probe_recording
from edge_asd.errors import InputError
from edge_asd.recipe.front_ends import LogMel
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.models import Pretrained


def limit_bandwidth(recipe: Recipe, paths: Sequence[Path]) -> Recipe:
    """Lower the upper edge of log-mel bands that recordings of a low sampling rate could never fill.

    What a pretrained net takes is left as it is: its bands are those that it was trained on.

    Raises
    ------
    InputError
        When recordings of several rates are mixed, some of which do not hold what others do.
    """
    rates = {path: probe_recording(path).native_rate for path in paths}
    slowest, fastest = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    if rates[slowest] >= recipe.sample_rate:
        return recipe
    if rates[slowest] != rates[fastest]:
        raise InputError(
            str(slowest),
            expected=f"recordings of one sampling rate, or all of {recipe.sample_rate} Hz and more",
            found=f"{rates[slowest]} Hz here, {rates[fastest]} Hz in {fastest}",
            remedy=f"leave out those of lower rates, or set sample_rate={rates[slowest]}",
        )
    branches = {name: _limited(branch, rates[slowest] / 2) for name, branch in recipe.branches.items()}
    return msgspec.structs.replace(recipe, branches=branches)


def _limited(branch: Branch, highest_hz: float) -> Branch:
    front_end = branch.front_end
    if isinstance(branch.model, Pretrained):
        return branch
    if not isinstance(front_end, LogMel) or (front_end.fmax is not None and front_end.fmax <= highest_hz):
        return branch
    return msgspec.structs.replace(branch, front_end=msgspec.structs.replace(front_end, fmax=highest_hz))
