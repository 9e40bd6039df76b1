"""Settings and plain arrays → a detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.arrays import ArrayReader
from edge_asd.detector.autoencoder import build_variational_autoencoder
from edge_asd.detector.fusion import Fusion
from edge_asd.detector.isolation_forest import build_isolation_forest
from edge_asd.detector.kernel_density import build_kernel_density
from edge_asd.detector.mahalanobis import build_mahalanobis
from edge_asd.detector.mixture import build_mixture
from edge_asd.detector.neighbours import build_density_neighbours, build_neighbours
from edge_asd.detector.one_class_svm import build_one_class_svm
from edge_asd.detector.protocol import Detector
from edge_asd.detector.residual import build_pca_residual
from edge_asd.detector.value import build_value
from edge_asd.recipe.detectors import (
    BayesianGmmSettings,
    DensityKnnSettings,
    DetectorSettings,
    FusionSettings,
    GmmSettings,
    IsolationForestSettings,
    KdeSettings,
    KnnSettings,
    MahalanobisSettings,
    OneClassSvmSettings,
    PcaResidualSettings,
    VaeSettings,
    ValueSettings,
    member_prefixes,
)


def build_detector(
    settings: DetectorSettings, arrays: Mapping[str, NDArray[np.generic]], where: str = "detector"
) -> Detector:
    """Make a detector of its settings and of the arrays that were fitted at export.

    Parameters
    ----------
    settings
        What was fitted.
    arrays
        The fitted arrays; nothing about them is trusted.
    where
        What they belong to, as errors name it.

    Raises
    ------
    InputError
        When an array is missing, unknown, of another shape or type, or not finite. The error names it.
    """
    reader = ArrayReader(arrays, where)
    detector = _build(settings, reader)
    reader.finish()
    return detector


def _build(settings: DetectorSettings, reader: ArrayReader) -> Detector:
    return _BUILDERS[type(settings)](settings, reader)


def _build_fusion(settings: FusionSettings, reader: ArrayReader) -> Fusion:
    detectors = []
    for prefix, member in member_prefixes(settings):
        inner = reader.under(prefix)
        detectors.append(_build(member, inner))
        inner.finish()
    widths = sorted({detector.n_features for detector in detectors})
    means, scales = reader.floats("means", len(detectors)), reader.positive("scales", len(detectors))
    if len(widths) > 1:
        raise reader.error("means", expected="detectors of rows of one width", found=f"widths {widths}")
    return Fusion(settings, detectors, means, scales)


_BUILDERS: dict[type, Callable[[Any, ArrayReader], Detector]] = {
    GmmSettings: build_mixture,
    BayesianGmmSettings: build_mixture,
    MahalanobisSettings: build_mahalanobis,
    OneClassSvmSettings: build_one_class_svm,
    KdeSettings: build_kernel_density,
    IsolationForestSettings: build_isolation_forest,
    KnnSettings: build_neighbours,
    DensityKnnSettings: build_density_neighbours,
    PcaResidualSettings: build_pca_residual,
    VaeSettings: build_variational_autoencoder,
    ValueSettings: build_value,
    FusionSettings: _build_fusion,
}
