"""Settings and normal rows → the plain arrays of a detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_asd.errors import InputError
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
)
from edge_asd_export.fitting.autoencoder import fit_vae
from edge_asd_export.fitting.fusion import fit_fusion
from edge_asd_export.fitting.isolation_forest import fit_isolation_forest
from edge_asd_export.fitting.kernels import fit_kde, fit_one_class_svm
from edge_asd_export.fitting.mahalanobis import fit_mahalanobis
from edge_asd_export.fitting.mixture import fit_bayesian_gmm, fit_gmm
from edge_asd_export.fitting.neighbours import fit_density_knn, fit_knn
from edge_asd_export.fitting.requirements import require_finite
from edge_asd_export.fitting.residual import fit_pca_residual

Arrays = dict[str, NDArray[np.generic]]
"""Arrays by name; names are of a–z and the underscore."""


def fit_detector(
    settings: DetectorSettings,
    rows: NDArray[np.floating],
    *,
    seed: int,
    where: str = "detector",
    sections: Sequence[str] = (),
) -> Arrays:
    """Fit a detector to normal rows.

    Parameters
    ----------
    settings
        What to fit.
    rows
        Normal rows, shape (n, d), in the order of their recording.
    seed
        Seed of everything random.
    where
        What is being fitted, as errors name it.
    sections
        Which of several machines each row is of, for a detector that tells them apart; all of one where left out.

    Returns
    -------
    dict
        What `edge_asd.detector.build_detector` takes.

    Raises
    ------
    InputError
        When the rows do not suffice for the detector: not finite, too few, or constant where it breaks the model.
    """
    values = rows.astype(np.float64)
    require_finite(values, where)
    return _fit(settings, values, sections or [""] * len(values), seed, where)


def _fit(
    settings: DetectorSettings, rows: NDArray[np.float64], sections: Sequence[str], seed: int, where: str
) -> Arrays:
    match settings:
        case VaeSettings():
            return fit_vae(settings, rows, sections, seed, where)
        case FusionSettings():
            return fit_fusion(settings, rows, sections, seed, where, _fit)
        case _:
            return _FITS[type(settings)](settings, rows, seed, where)


def _fit_value(rows: NDArray[np.float64], where: str) -> Arrays:
    if rows.shape[1] != 1:
        raise InputError(
            where,
            expected="rows with one feature, which is the score",
            found=f"{rows.shape[1]} features",
            remedy="pool to one feature, or choose another detector",
        )
    return {}


_FITS: dict[type, Callable[[Any, NDArray[np.float64], int, str], Arrays]] = {
    GmmSettings: fit_gmm,
    BayesianGmmSettings: fit_bayesian_gmm,
    MahalanobisSettings: lambda settings, rows, _, where: fit_mahalanobis(settings, rows, where),
    OneClassSvmSettings: lambda settings, rows, _, where: fit_one_class_svm(settings, rows, where),
    KdeSettings: lambda settings, rows, _, __: fit_kde(settings, rows),
    IsolationForestSettings: fit_isolation_forest,
    KnnSettings: lambda settings, rows, _, where: fit_knn(settings, rows, where),
    DensityKnnSettings: lambda settings, rows, _, where: fit_density_knn(settings, rows, where),
    PcaResidualSettings: lambda settings, rows, _, where: fit_pca_residual(settings, rows, where),
    ValueSettings: lambda _, rows, __, where: _fit_value(rows, where),
}
