"""Sections: several machines of one type that one recipe is fitted to, and that some of its detectors tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from edge_asd.recipe.detectors import DetectorSettings, FusionSettings, VaeSettings
from edge_asd.recipe.graph import Recipe


def sectioned_detectors(recipe: Recipe) -> Iterator[VaeSettings]:
    """Give the detectors of enabled parts that tell sections apart, those of a fusion among them."""
    for part in recipe.enabled_parts.values():
        members = part.detector.detectors if isinstance(part.detector, FusionSettings) else [part.detector]
        yield from (member for member in members if isinstance(member, VaeSettings))


def judged_section(recipe: Recipe) -> str | None:
    """Return the section whose sound is judged; None where that is not known, or nothing tells sections apart."""
    return next((detector.section for detector in sectioned_detectors(recipe) if detector.section), None)


def telling_apart(recipe: Recipe, sections: list[str]) -> Recipe:
    """Return the same recipe with detectors that tell these sections apart."""
    return _changed(recipe, sections=sections)


def judging(recipe: Recipe, section: str) -> Recipe:
    """Return the same recipe for sound of one section; as it is, unless all detectors that tell some apart know it."""
    known = all(section in detector.sections for detector in sectioned_detectors(recipe))
    return _changed(recipe, section=section) if known else recipe


def judging_any(recipe: Recipe) -> Recipe:
    """Return the same recipe for sound of any section."""
    return _changed(recipe, section=None)


def _changed(recipe: Recipe, **settings: Any) -> Recipe:
    replace = msgspec.structs.replace

    def changed(detector: DetectorSettings) -> DetectorSettings:
        if isinstance(detector, FusionSettings):
            return replace(detector, detectors=[changed(member) for member in detector.detectors])
        return replace(detector, **settings) if isinstance(detector, VaeSettings) else detector

    parts = {name: replace(part, detector=changed(part.detector)) for name, part in recipe.parts.items()}
    return replace(recipe, parts=parts)
