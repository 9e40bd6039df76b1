"""Keeps a recipe to the frequencies that every recording holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge_asd.audio import probe_recording
from edge_asd.errors import InputError
from edge_asd.features.presets import resolve
from edge_asd.recipe.front_ends import Image, LogMel
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.models import Pretrained


def limit_bandwidth(recipe: Recipe, paths: Sequence[Path]) -> Recipe:
    """Lower the upper edge of log-mel bands that recordings of a low sampling rate could never fill.

    A preset whose bands reach higher is spelt out, its upper edge lowered. What a pretrained net takes is left as it
    is: its bands are those that it was trained on.

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
    if isinstance(branch.model, Pretrained):
        return branch
    replace = msgspec.structs.replace
    match resolve(branch.front_end):
        case LogMel() as mel if _reaches_above(mel, highest_hz):
            return replace(branch, front_end=replace(mel, fmax=highest_hz))
        case Image() as image if _reaches_above(image.mel, highest_hz):
            return replace(branch, front_end=replace(image, mel=replace(image.mel, fmax=highest_hz)))
    return branch


def _reaches_above(mel: LogMel, highest_hz: float) -> bool:
    return mel.fmax is None or mel.fmax > highest_hz
