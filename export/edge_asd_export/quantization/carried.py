"""The graph that a sample of the sound can carry: as near to the recipe's own as its rows are enough for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edge_asd.recipe.detectors import (
    BayesianGmmSettings,
    DensityKnnSettings,
    DetectorSettings,
    FusionSettings,
    GmmSettings,
    KnnSettings,
    PcaResidualSettings,
    SingleDetectorSettings,
)
from edge_asd.recipe.graph import Branch, Recipe
from edge_asd.recipe.transform import TransformSettings
from edge_asd_export.material import Stretch


def carried_by(recipe: Recipe, stretches: Sequence[Stretch]) -> Recipe:
    """Return the same recipe, where it asks for more than the stretches have rows for with as much as they carry.

    Counts of principal components, of a mixture's components, of neighbours and of folds shrink; all else stays. Rows
    that are too few for anything are left for the fit to refuse.
    """
    replace = msgspec.structs.replace
    rows = {name: _row_count(name, branch, stretches) for name, branch in recipe.used_branches.items()}
    branches = {
        name: replace(branch, transform=_transform(branch.transform, rows[name])) if name in rows else branch
        for name, branch in recipe.branches.items()
    }
    parts = {
        name: replace(part, detector=_detector(part.detector, rows[part.branches[0]])) if part.enabled else part
        for name, part in recipe.parts.items()
    }
    return replace(recipe, branches=branches, parts=parts)


def _row_count(name: str, branch: Branch, stretches: Sequence[Stretch]) -> int:
    return sum(len(stretch.rows[name]) if branch.pooling == "none" else 1 for stretch in stretches)


def _transform(settings: TransformSettings, rows: int) -> TransformSettings:
    if not isinstance(settings.pca, int):
        return settings
    return msgspec.structs.replace(settings, pca=_at_most(settings.pca, rows - 1))


def _detector(settings: DetectorSettings, rows: int) -> DetectorSettings:
    if not isinstance(settings, FusionSettings):
        return _single(settings, rows)
    folds = max(2, min(settings.folds, rows // 2))
    without_a_fold = rows - -(-rows // folds)
    members = [_single(member, without_a_fold) for member in settings.detectors]
    return msgspec.structs.replace(settings, detectors=members, folds=folds)


def _single(settings: SingleDetectorSettings, rows: int) -> SingleDetectorSettings:
    replace = msgspec.structs.replace
    match settings:
        case GmmSettings() | BayesianGmmSettings():
            return replace(settings, components=_at_most(settings.components, rows // 2))
        case KnnSettings():
            return replace(settings, k=_at_most(settings.k, rows))
        case DensityKnnSettings():
            return replace(settings, k=_at_most(settings.k, rows - 1))
        case PcaResidualSettings(components=int(components)):
            return replace(settings, components=_at_most(components, rows - 2))
    return settings


def _at_most(wanted: int, carried: int) -> int:
    return max(1, min(wanted, carried))
