from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_asd.errors import InputError
from edge_asd.recipe.transform import TransformSettings
from edge_asd.transform import Transform, build_transform
from edge_asd_export.fitting import fit_transform_arrays

Rows = NDArray[np.float64]

rng = np.random.default_rng(7)
NORMAL = rng.normal(size=(60, 8)) @ rng.normal(size=(8, 8)) * 10.0 ** np.arange(-2, 6) + 1000
SCORED = rng.normal(size=(9, 8)) * 10.0 ** np.arange(-2, 6) + 1000


def transform(rows: Rows = NORMAL, **words: Any) -> Transform:
    return build_transform(fit_transform_arrays(TransformSettings(**words), rows))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("pca", [3, 8, 0.7, 0.999])
@pytest.mark.parametrize("whiten", [False, True])
def test_components_as_scikit_learn(standardize: bool, pca: Any, whiten: bool) -> None:
    rows, scored = (NORMAL, SCORED) if standardize else ((NORMAL - 1000) / NORMAL.std(axis=0), SCORED / 1000)
    steps = [StandardScaler()] if standardize else []
    reference = make_pipeline(*steps, PCA(pca, whiten=whiten, svd_solver="full")).fit(rows)
    found = transform(rows, standardize=standardize, pca=pca, whiten=whiten).apply(scored)
    np.testing.assert_allclose(found, reference.transform(scored), rtol=1e-10, atol=1e-10)


def test_standardization_as_scikit_learn() -> None:
    expected = StandardScaler().fit(NORMAL).transform(SCORED)
    np.testing.assert_allclose(transform(standardize=True).apply(SCORED), expected, rtol=1e-13)


def test_nothing_asked_for_leaves_rows_alone_as_float64() -> None:
    rows = SCORED.astype(np.float32)
    found = transform().apply(rows)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, rows)


@given(st.integers(1, 8), st.integers(0, 8))
@settings(deadline=None, max_examples=20)
def test_any_batch_gives_the_same_rows(components: int, start: int) -> None:
    fitted = transform(standardize=True, pca=components)
    np.testing.assert_allclose(
        fitted.apply(SCORED[start:][:2]), fitted.apply(SCORED)[start:][:2], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("pca", [None, 2])
def test_constant_features_are_left_out_if_asked(pca: Any) -> None:
    rows = np.insert(NORMAL, [2, 5], 3.25, axis=1)
    scored = np.insert(SCORED, [2, 5], 99.0, axis=1)
    found = transform(rows, standardize=True, pca=pca, drop_constant=True).apply(scored)
    np.testing.assert_allclose(found, transform(standardize=True, pca=pca).apply(SCORED), rtol=1e-9, atol=1e-9)


def test_mean_is_taken_away_before_anything_is_multiplied() -> None:
    half = rng.integers(-50, 50, size=(30, 3)).astype(np.float64)
    near = np.concatenate([half, -half])
    far = near + 2.0**40
    expected = transform(near, standardize=True, pca=3).apply(near)
    np.testing.assert_allclose(transform(far, standardize=True, pca=3).apply(far), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "words", "complaint"),
    [
        (NORMAL[:5], {"pca": 5}, "at most 4 components of 5 rows"),
        (NORMAL, {"pca": 9}, "at most 8 components of 60 rows with 8 features, found 9"),
        (NORMAL[:1], {"standardize": True}, "at least 2 rows"),
        (np.ones((5, 3)), {"standardize": True}, "features that vary"),
        (np.where(NORMAL[4, 4] == NORMAL, np.inf, NORMAL), {"pca": 2}, "NaN or infinity in row 4"),
        (
            np.hstack([NORMAL, NORMAL]),
            {"standardize": True, "pca": 12, "whiten": True},
            "4 of 12 below; keep at most 8",
        ),
        (rng.normal(size=(20, 512)) * 1e-6 ** np.arange(512).clip(0, 5), {"pca": 8, "whiten": True}, "whiten"),
    ],
)
def test_unfit_rows_are_refused_with_a_remedy(rows: Rows, words: Any, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        transform(rows, **words)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"mean": np.zeros(3)}, "array 'scale': expected an array"),
        ({"mean": np.zeros(3), "scale": np.array([1.0, 0.0, 1.0])}, "array 'scale': expected numbers above 0"),
        ({"mean": np.zeros(3), "components": np.zeros((2, 4))}, "array 'components': expected shape (k=any, d=3)"),
        (
            {"mean": np.zeros(3), "scale": np.ones(3), "columns": np.array([3])},
            "array 'columns': expected integers from 0",
        ),
        ({"mean": np.zeros(3), "scale": np.ones(3), "columns": np.array([0.0])}, "array 'columns': expected integers"),
        ({"mean": np.zeros(0), "scale": np.ones(0)}, "array 'mean': expected shape (d=any), found shape (0,)"),
        ({"mean": np.zeros(3), "components": np.ones((2, 3)), "bias": np.ones(2)}, "array 'bias': expected no such"),
        ({"mean": np.array(["a"])}, "array 'mean': expected floating-point numbers, found <U1"),
    ],
)
def test_untrusted_arrays_are_checked(arrays: dict[str, Rows], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        build_transform(arrays)
    assert complaint in str(caught.value)
