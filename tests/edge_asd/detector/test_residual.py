from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.decomposition import PCA

from edge_asd.detector import Detector, build_detector
from edge_asd.errors import InputError
from edge_asd.recipe.detectors import PcaResidualSettings
from edge_asd_export.fitting import fit_detector
from tests.edge_asd.detector.hard_rows import Case, Rows, assert_close, cases


def residual(rows: Rows, components: Any) -> Detector:
    settings = PcaResidualSettings(components=components)
    return build_detector(settings, fit_detector(settings, rows, seed=0))


def with_more_features(case: Case) -> tuple[Rows, Rows]:
    """Features beside others, so that something is left over."""
    rng = np.random.default_rng(case.seed)
    normal, scored = (
        np.hstack([rows, rows[:, :1] * 0.5 + rng.normal(size=(len(rows), 2))]) for rows in (case.normal, case.scored)
    )
    return normal, scored


@pytest.mark.parametrize("components", [1, 0.6])
@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_scores_as_scikit_learn(components: Any, case: Case) -> None:
    normal, scored = with_more_features(case)
    model = PCA(components, svd_solver="full").fit(normal)
    expected = np.sum((scored - model.inverse_transform(model.transform(scored))) ** 2, axis=1)
    # Relative to the row: what is left over of a row is no more exact than the row itself.
    lengths = np.sum((scored - model.mean_) ** 2, axis=1)
    found = residual(normal, components).score(scored)
    assert np.all(np.abs(found - expected) <= 1e-9 * np.maximum(expected, 1e-3 * lengths))


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_a_row_scores_the_same_alone_and_among_others(case: Case) -> None:
    normal, scored = with_more_features(case)
    detector = residual(normal, 1)
    alone = np.concatenate([detector.score(row[None]) for row in scored[:5]])
    assert_close(alone, detector.score(scored)[:5], relative=1e-12, least=float(np.mean(scored**2)))


def test_rows_in_the_plane_of_the_components_score_nothing() -> None:
    normal = np.array([[1.0, 1.0, 0.1], [2.0, 2.0, -0.1], [3.0, 3.0, -0.1], [4.0, 4.0, 0.1]])
    scores = residual(normal, 1).score(np.array([[10.0, 10.0, 0.0], [10.0, 10.0, 3.0]]))
    np.testing.assert_allclose(scores, [0.0, 9.0], atol=1e-9)


def test_untrusted_arrays_are_checked() -> None:
    with pytest.raises(InputError, match=r"array 'components': expected shape \(k=any, d=3\)"):
        build_detector(PcaResidualSettings(), {"mean": np.zeros(3), "components": np.zeros((1, 2))})
