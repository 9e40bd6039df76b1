"""Fits standardization and principal components, and folds them into one affine map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from edge_asd.errors import InputError
from edge_asd.recipe.transform import TransformSettings
from edge_asd_export.fitting.requirements import require_finite, require_rows
from edge_asd_export.fitting.suspicions import constant_features

_LEAST_VARIANCE = 1e-9
"""Smallest variance of a whitened component, relative to the largest: below it stands little but rounding."""


def fit_transform_arrays(
    settings: TransformSettings, rows: NDArray[np.floating], where: str = "transform"
) -> dict[str, NDArray[np.generic]]:
    """Fit a transform to normal rows of shape (n, d).

    Returns
    -------
    dict
        What `edge_asd.transform.build_transform` takes; empty where rows are left alone.

    Raises
    ------
    InputError
        When the rows are not finite, too few for the components, all the same, or whitening would divide by a variance
        near zero.
    """
    values = rows.astype(np.float64)
    require_finite(values, where)
    if not settings.standardize and settings.pca is None and not settings.drop_constant:
        return {}
    return _fit(settings, values, where)


def _fit(settings: TransformSettings, rows: NDArray[np.float64], where: str) -> dict[str, NDArray[np.generic]]:
    require_rows(rows, 2, "a transform", "record more normal sound", where)
    constant = constant_features(rows)
    if len(constant) == rows.shape[1]:
        raise InputError(where, expected="features that vary", found="constant ones only", remedy="look for silence")
    kept = np.setdiff1d(np.arange(rows.shape[1]), constant) if settings.drop_constant else np.arange(rows.shape[1])
    mean, scale = _fit_scaler(settings.standardize, rows)
    if settings.pca is None:
        arrays: dict[str, NDArray[np.generic]] = {"mean": mean, "scale": scale}
        return arrays if len(kept) == rows.shape[1] else arrays | {"columns": kept.astype(np.int64)}
    # V ((x − m)/s − a) = (V/s) (x − (m + s a)), with the scaler's m and s and the axes V and mean a of the PCA.
    axes, axes_mean = _fit_axes(settings, ((rows - mean) / scale)[:, kept], where)
    components = np.zeros((len(axes), rows.shape[1]))
    components[:, kept] = axes / scale[kept]
    mean[kept] += scale[kept] * axes_mean
    return {"mean": mean, "components": components}


def _fit_scaler(standardize: bool, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not standardize:
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    scaler = StandardScaler().fit(rows)
    return scaler.mean_, scaler.scale_


def _fit_axes(
    settings: TransformSettings, rows: NDArray[np.float64], where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(settings.pca, int):
        _check_count(settings.pca, rows, where)
    pca = PCA(settings.pca, svd_solver="full").fit(rows)
    if not settings.whiten:
        return pca.components_, pca.mean_
    _check_variances(pca.explained_variance_, where)
    return pca.components_ / np.sqrt(pca.explained_variance_)[:, None], pca.mean_


def _check_count(count: int, rows: NDArray[np.float64], where: str) -> None:
    # The last of n rows lies where the others and the mean put it: n rows span n − 1 directions.
    most = min(len(rows) - 1, rows.shape[1])
    if count > most:
        raise InputError(
            f"{where}.pca",
            expected=f"at most {most} components of {len(rows)} rows with {rows.shape[1]} features",
            found=str(count),
            remedy="ask for fewer, for a fraction of the variance such as 0.98, or record more normal sound",
        )


def _check_variances(variances: NDArray[np.float64], where: str) -> None:
    enough = int(np.sum(variances > _LEAST_VARIANCE * variances[0]))
    if enough < len(variances):
        raise InputError(
            f"{where}.whiten",
            expected=f"principal components whose variance is above {_LEAST_VARIANCE:g} of the largest",
            found=f"{len(variances) - enough} of {len(variances)} below",
            remedy=f"keep at most {enough} components, a fraction of the variance such as 0.98, or do not whiten",
        )
