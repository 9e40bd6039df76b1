"""Which sections a recipe's detectors tell apart: read from the names of the recordings that they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_asd.errors import InputError
from edge_asd.recipe.graph import Recipe
from edge_asd.recipe.sections import judged_section, sectioned_detectors, telling_apart
from edge_asd_export.fitting.requirements import listed
from edge_asd_export.labels import section_of
from edge_asd_export.material import Stretch


def name_sections(recipe: Recipe, paths: Sequence[Path]) -> Recipe:
    """Return the same recipe with the sections of these recordings; none where some name says nothing.

    Raises
    ------
    InputError
        When the recipe names other sections than the recordings do, or judges none of them.
    """
    detectors = list(sectioned_detectors(recipe))
    if not detectors:
        return recipe
    found = sorted({section_of(path) for path in paths})
    found = [] if "" in found else found
    for detector in detectors:
        if detector.sections and sorted(detector.sections) != found:
            raise _unlike("sections", ", ".join(detector.sections), found)
        if detector.section and detector.section not in found:
            raise _unlike("section", detector.section, found)
    return telling_apart(recipe, found)


def judged_among(recipe: Recipe, stretches: Sequence[Stretch]) -> list[int]:
    """Return which stretches are such as a device will judge: those of the recipe's section, or all."""
    section = judged_section(recipe)
    return [index for index, stretch in enumerate(stretches) if section in {None, stretch.section}]


def several_machines(recipe: Recipe, paths: Sequence[Path]) -> list[str]:
    """Return a note that names the machines which one bundle is to be normal for; none where the recipe minds them."""
    if recipe.one_model_for == "machine" or any(detector.sections for detector in sectioned_detectors(recipe)):
        return []
    found = sorted({section_of(path) for path in paths} - {""})
    if len(found) < 2:
        return []
    named = f"recordings of {len(found)} machines by their names ({listed(found)})"
    return [f"{named}: what is normal for one is normal for all; export each by itself"]


def _unlike(setting: str, wanted: str, found: Sequence[str]) -> InputError:
    return InputError(
        f"detector.{setting}",
        expected=f"{setting} of the recordings' names: {', '.join(found) or 'none is named by all of them'}",
        found=wanted,
        remedy=f"leave {setting} out, or name recordings as DCASE does: section_00_source_train_normal_0000.wav",
    )
